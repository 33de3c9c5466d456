//go:build linux

package lab

import (
	"os"
	"strings"
	"testing"
)

// What the one-shot may not do stands in its unit a second time, since a unit
// cannot include another.
func TestTheOneShotIsSandboxedAsTheDaemonIs(t *testing.T) {
	daemon, once := sandboxOf(t, "cfddns.service"), sandboxOf(t, "cfddns-once.service")
	if daemon != once {
		t.Errorf("the daemon:\n%s\nthe one-shot:\n%s", daemon, once)
	}
}

// sandboxOf is the settings of a unit from the first that takes something away.
func sandboxOf(t *testing.T, unit string) string {
	t.Helper()
	text, err := os.ReadFile("../../../systemd/" + unit)
	must(t, err)
	_, sandbox, found := strings.Cut(string(text), "\nNoNewPrivileges=")
	if !found {
		t.Fatalf("%s has no sandbox", unit)
	}
	sandbox, _, _ = strings.Cut(sandbox, "[Install]")
	var settings []string
	for line := range strings.Lines(sandbox) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			settings = append(settings, line)
		}
	}
	return strings.Join(settings, "\n")
}
