//go:build linux

package lab

import (
	"os"
	"strings"
	"testing"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
)

// A schedule may name a time zone, and a small machine may know none.
func withoutTimeZones(t *testing.T) {
	l := newLab(t, sandbox.Config{})
	l.configure("schedule: CRON_TZ=Europe/Berlin 0 4 * * *\nrecords: [{name: " + labName + "}]\n")
	l.once(0)
	const zones = "/usr/share/zoneinfo"
	if _, err := os.Stat(zones); err == nil {
		mustRun(t, "mount -t tmpfs none "+zones)
		l.Cleanup(func() { mustRun(t, "umount "+zones) })
	}
	if p := l.run(ddns.ExitUsage, "once"); !strings.Contains(p.stderr.String(), "no time zones are installed here; install tzdata") {
		t.Errorf("it says:\n%s", p.stderr)
	}
}
