//go:build linux

package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
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
	ownFile(t, filepath.Join(goEnv(t, "GOROOT"), "lib/time/zoneinfo.zip")) // the program knows where it was built
	if p := l.run(ddns.ExitUsage, "once"); !strings.Contains(p.stderr.String(), "no time zones are installed here; install tzdata") {
		t.Errorf("it says:\n%s", p.stderr)
	}
}

// The program needs no loader and no library: it starts where it is the only file.
func withoutAnything(t *testing.T) {
	root := t.TempDir()
	content, err := os.ReadFile(os.Getenv(labProgram))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(root, "cfddns"), content, 0o755))
	alone := exec.Cmd{Path: "/cfddns", Args: []string{"cfddns", "version"}, Dir: "/", Env: []string{}, SysProcAttr: &syscall.SysProcAttr{Chroot: root}}
	if said, err := alone.CombinedOutput(); err != nil || !strings.HasPrefix(string(said), "cfddns ") {
		t.Errorf("%v\n%s", err, said)
	}
}
