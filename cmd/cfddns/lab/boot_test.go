//go:build linux

package lab

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cfddns/cfddns/sandbox"
)

func TestBoot(t *testing.T) {
	program := bootProgram(t)
	t.Run("the service keeps the record right", func(t *testing.T) { booting(t, program, serviceKeeps) })
}

// serviceTree is a tree with the program, its units, and a configuration.
func (l *lab) serviceTree() tree {
	l.Helper()
	r := l.newTree()
	r.installProgram()
	r.write("/etc/cfddns/cfddns.yaml", "records: [{name: "+labName+"}]\n", 0o644)
	r.write("/etc/cfddns/token", labToken+"\n", 0o600)
	return r
}

// installProgram lays the program and its units where a package does.
func (r tree) installProgram() {
	r.t.Helper()
	r.copy(os.Getenv(labProgram), "/usr/bin/cfddns", 0o755)
	for _, pattern := range []string{"*.service", "*.timer"} {
		units, err := filepath.Glob(filepath.Join("../../../systemd", pattern))
		must(r.t, err)
		for _, unit := range units {
			r.copy(unit, "/usr/lib/systemd/system/"+filepath.Base(unit), 0o644)
		}
	}
}

// serviceKeeps is the service as it is installed, from its start to the
// system's end.
func serviceKeeps(t *testing.T) {
	l := newLab(t, sandbox.Config{})
	s := l.boot(l.serviceTree())
	s.write("/etc/cfddns/token", labToken+"\n", 0o600)
	s.script("systemctl start cfddns", "")
	s.waits("cfddns", "ActiveState", "active")
	took := l.within(20*time.Second, "the record is right", func() bool { return l.holds(labName, labHome) })
	t.Logf("right after %s:\n%s", took.Round(time.Millisecond), s.journal("cfddns"))
	s.powerOff()
}
