//go:build linux

package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The shipped units, in a system that is booted for them: its systemd is real,
// and so is all that it grants and withholds.

func TestBoot(t *testing.T) {
	t.Parallel()
	program := bootProgram(t)
	for _, b := range []scenario{
		{"the service from an empty machine to its end", serviceLife},
		{"the service outlives kills and hangs", serviceKilled},
		{"the service is booted before the network", serviceBeforeNetwork},
		{"the sandboxed service does all that the program does", serviceSandboxed},
		{"the timer runs rounds instead of the daemon", timerInstead},
		{"the token comes from other places", tokenElsewhere},
		{"the machine is ill", machineIll},
		{"every command of the install page", installPage},
	} {
		t.Run(b.name, func(t *testing.T) { booting(t, program, b.run) })
	}
}

// labConfig is a configuration of one name.
const labConfig = "records:\n  - {name: " + labName + "}\n"

// serviceTree is a tree with the program and its units, and no configuration.
func (l *lab) serviceTree() tree {
	l.Helper()
	r := l.newTree()
	r.copy(os.Getenv(labProgram), "/usr/bin/cfddns", 0o755)
	for _, pattern := range []string{"*.service", "*.timer"} {
		units, err := filepath.Glob(filepath.Join("../../../systemd", pattern))
		must(l.T, err)
		for _, unit := range units {
			r.copy(unit, "/usr/lib/systemd/system/"+filepath.Base(unit), 0o644)
		}
	}
	return r
}

// configure writes what the install page says: a configuration and a token.
func (r tree) configure() tree {
	r.t.Helper()
	r.write("/etc/cfddns/cfddns.yaml", labConfig, 0o644)
	r.write("/etc/cfddns/token", labToken+"\n", 0o600)
	return r
}

// dropIn lays a drop-in over a unit of the running system.
func (s *system) dropIn(unit, text string) {
	s.l.Helper()
	s.write("/etc/systemd/system/"+unit+".service.d/lab.conf", text, 0o644)
	s.run("systemctl", "daemon-reload")
}

// says waits until the journal of a unit holds some words.
func (s *system) says(unit, words string) {
	s.l.Helper()
	s.l.within(20*time.Second, fmt.Sprintf("%s says %q", unit, words), func() bool { return strings.Contains(s.journal(unit), words) })
}

// serves starts the service, and waits until the record is right and the
// status says so.
func (s *system) serves(address string) {
	s.l.Helper()
	s.run("systemctl", "start", "cfddns")
	s.right(address)
}

// right waits until the record is right, and the status says so.
func (s *system) right(address string) {
	s.l.Helper()
	s.l.within(20*time.Second, "the record holds "+address, func() bool { return s.l.holds(labName, address) })
	s.l.within(20*time.Second, "the status says "+address, func() bool { return strings.HasPrefix(s.show("cfddns", "StatusText"), address+" since") })
}

// wantShow fails unless a property of a unit is as it should be.
func (s *system) wantShow(unit, property, want string) {
	s.l.Helper()
	if is := s.show(unit, property); is != want {
		s.l.Fatalf("%s: %s is %q, want %q; it said:\n%s", unit, property, is, want, s.journal(unit))
	}
}

// fails runs a command that must fail.
func (s *system) fails(words ...string) string {
	s.l.Helper()
	output, code := s.try(words...)
	if code == 0 {
		s.l.Fatalf("%s went well:\n%s", strings.Join(words, " "), output)
	}
	return output
}
