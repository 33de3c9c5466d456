//go:build linux

package lab

import (
	"os"
	"testing"
	"time"

	"github.com/cfddns/cfddns/sandbox"
)

// serviceBeforeNetwork boots a machine whose network comes later: no route, no
// resolver that answers, nobody to reach.
func serviceBeforeNetwork(t *testing.T) {
	dark := 8 * time.Second
	if d, err := time.ParseDuration(os.Getenv(labLong)); err == nil {
		dark = d
	}
	l := newDarkLab(t, sandbox.Config{})
	r := l.serviceTree().configure()
	r.link("/usr/lib/systemd/system/cfddns.service", "/etc/systemd/system/multi-user.target.wants/cfddns.service")
	s := l.boot(r)
	s.wantShow("cfddns", "ActiveState", "active")
	pid := s.show("cfddns", "MainPID")
	l.during(dark, "the service runs", func() bool {
		<-time.After(time.Second) // systemctl is no burden then
		return s.show("cfddns", "ActiveState") == "active"
	})
	t.Logf("%s without a network: %s", dark, s.show("cfddns", "StatusText"))
	l.gate.start()
	took := l.within(labPromise, "the record is right", func() bool { return l.holds(labName, labHome) })
	t.Logf("the network came: the record was right after %s", took.Round(time.Millisecond))
	s.right(labHome)
	s.wantShow("cfddns", "NRestarts", "0")
	s.wantShow("cfddns", "MainPID", pid)

	l.gate.resolve(false) // the resolver goes away, and the service does not
	s.run("cfddns", "poke")
	l.during(6*time.Second, "the service runs", func() bool { return s.show("cfddns", "MainPID") == pid })
	s.run("cfddns", "status")
}
