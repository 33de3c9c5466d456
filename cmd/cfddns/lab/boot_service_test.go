//go:build linux

package lab

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/sandbox"
)

// serviceLife is the service from the installation of the package on.
func serviceLife(t *testing.T) {
	l := newLab(t, sandbox.Config{})
	s := l.boot(l.serviceTree())
	l.fault("api hang") // no round ends until it is lifted

	s.run("systemctl", "start", "cfddns") // nothing is configured: skipped, and no failure
	s.wantShow("cfddns", "ActiveState", "inactive")
	s.says("cfddns", "was skipped because of an unmet condition check (ConditionPathExistsGlob=/etc/cfddns/{cfddns.yaml,environment})")
	if failed := s.run("systemctl", "--failed", "--no-legend"); strings.Contains(failed, "cfddns") {
		t.Errorf("it counts as failed:\n%s", failed)
	}

	s.write("/etc/cfddns/cfddns.yaml", labConfig, 0o600) // half configured, in both ways
	s.fails("systemctl", "start", "cfddns")
	s.says("cfddns", "chmod 644 /etc/cfddns/cfddns.yaml; systemctl restart cfddns")
	s.run("chmod", "644", "/etc/cfddns/cfddns.yaml")
	s.fails("systemctl", "start", "cfddns")
	s.says("cfddns", "write it into /etc/cfddns/token, then: systemctl restart cfddns")
	s.wantShow("cfddns", "ActiveState", "failed") // and not tried again, which would mend nothing
	s.wantShow("cfddns", "ExecMainStatus", "2")

	s.write("/etc/cfddns/token", labToken+"\n", 0o600) // ready before the first round has ended
	s.run("systemctl", "start", "cfddns")
	s.wantShow("cfddns", "ActiveState", "active")
	s.wantShow("cfddns", "StatusText", "first round under way")
	l.world.ClearFaults()
	s.right(labHome)
	s.wantShow("cfddns", "NRestarts", "0")
	askedByAnother(t, s)
	reloaded(t, l, s)
	tokenReplaced(t, l, s)
	stoppedInAWrite(t, l, s)
	s.powerOff()
}

// askedByAnother is a person who forgets that the service is root's to ask.
func askedByAnother(t *testing.T, s *system) {
	nobody := []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "HOME=/", "CLOUDFLARE_API_TOKEN_FILE=/etc/cfddns/token", "cfddns"}
	for command, want := range map[string]string{
		"status": "the control socket of the cfddns here is another user's; ask it with sudo",
		"poke":   "the control socket of the cfddns here is another user's; ask it with sudo",
		"check":  "/etc/cfddns/token: user 65534 may not read it; use sudo, or chown 65534 the file",
	} {
		if said := s.fails(append(nobody, command)...); !strings.Contains(said, want) {
			t.Errorf("%s: %s", command, said)
		}
	}
	if said, _ := s.try(append(nobody, "doctor", labName)...); strings.Contains(said, "no daemon runs here") {
		t.Errorf("the doctor does not know of the service:\n%s", said)
	}
}

// reloaded takes a good configuration and refuses a bad one.
func reloaded(t *testing.T, l *lab, s *system) {
	s.write("/etc/cfddns/cfddns.yaml", labConfig+"  - {name: second.example.com}\n", 0o644)
	s.run("systemctl", "reload", "cfddns")
	l.within(20*time.Second, "the second name is kept", func() bool { return l.holds("second.example.com", labHome) })
	s.write("/etc/cfddns/cfddns.yaml", "recrods: []\n", 0o644)
	s.run("systemctl", "reload", "cfddns")
	s.says("cfddns", "the new configuration is refused, the old one stays")
	s.wantShow("cfddns", "ActiveState", "active")
	s.run("cfddns", "poke", "--wait")
	if said := s.run("cfddns", "status"); !strings.Contains(said, "2 of 2 names right") {
		t.Errorf("the old configuration did not stay:\n%s", said)
	}
	s.write("/etc/cfddns/cfddns.yaml", labConfig, 0o644)
	s.run("systemctl", "reload", "cfddns")
}

// tokenReplaced replaces the token, with a wrong one at first.
func tokenReplaced(t *testing.T, l *lab, s *system) {
	s.write("/etc/cfddns/token", "cfut_anotherTokenThatNobodyKnows0123456789012\n", 0o600)
	s.run("systemctl", "reload", "cfddns")
	s.says("cfddns", "/etc/cfddns/token was written after the service had started, and the old token is still in use; to take the new one: systemctl restart cfddns")
	s.run("systemctl", "restart", "cfddns")
	s.says("cfddns", "replace /etc/cfddns/token (or what the service's LoadCredential= names), then: systemctl restart cfddns")
	l.during(time.Second, "a refused token does not end it", func() bool { return s.show("cfddns", "ActiveState") == "active" })
	s.wantShow("cfddns", "NRestarts", "0")
	s.write("/etc/cfddns/token", labToken+"\n", 0o600)
	s.run("systemctl", "restart", "cfddns")
	s.right(labHome)
}

// stoppedInAWrite stops the service while Cloudflare does not answer a write.
func stoppedInAWrite(t *testing.T, l *lab, s *system) {
	l.fault("batch hang")
	_, before := l.calls()
	l.world.SetWAN(netip.MustParseAddr(labMoved), netip.Addr{})
	s.run("cfddns", "poke")
	l.within(20*time.Second, "the write is under way", func() bool { _, writes := l.calls(); return writes > before })
	began := time.Now()
	s.run("systemctl", "stop", "cfddns")
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the stop took %s", took)
	} else {
		t.Logf("stopped within a write after %s", took.Round(time.Millisecond))
	}
	s.wantShow("cfddns", "Result", "success")
	l.world.ClearFaults()
	s.serves(labMoved)
}

// serviceKilled ends and stops the process from outside, as a fault or the
// kernel would.
func serviceKilled(t *testing.T) {
	l := newLab(t, sandbox.Config{})
	s := l.boot(l.serviceTree().configure())
	s.dropIn("cfddns", "[Service]\nWatchdogSec=2s\n") // five seconds to the restart, as shipped
	s.serves(labHome)
	id := s.run("sha256sum", "/var/lib/cfddns/journal.jsonl")
	_, writes := l.calls()

	s.run("systemctl", "kill", "--signal=KILL", "cfddns")
	took := s.waits("cfddns", "NRestarts", "1")
	s.right(labHome)
	t.Logf("killed: started again after %s", took.Round(100*time.Millisecond))
	s.wantShow("cfddns", "RestartUSec", "5s")
	if now := s.run("sha256sum", "/var/lib/cfddns/journal.jsonl"); now != id {
		t.Errorf("the journal is another one after a kill in which nothing happened")
	}

	s.run("systemctl", "kill", "--signal=STOP", "cfddns")
	s.waits("cfddns", "Result", "watchdog")
	s.waits("cfddns", "NRestarts", "2")
	s.right(labHome)
	if _, now := l.calls(); now != writes {
		t.Errorf("%d writes after restarts in which nothing changed", now-writes)
	}
	l.world.SetWAN(netip.MustParseAddr(labMoved), netip.Addr{})
	s.run("cfddns", "poke", "--wait")
	l.wantHolds(labName, labMoved)
}
