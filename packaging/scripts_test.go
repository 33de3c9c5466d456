package packaging

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// Debian's sh is dash, Alpine's is busybox.
func TestMaintainerScriptsAreReadByEveryShell(t *testing.T) {
	for _, pattern := range []string{"deb/p*", "rpm/p*", "apk/p*", "apk/*.initd"} {
		scripts, err := filepath.Glob(pattern)
		if err != nil || len(scripts) == 0 {
			t.Fatalf("%s: no script, %v", pattern, err)
		}
		for _, script := range scripts {
			for _, shell := range [][]string{{"sh"}, {"busybox", "sh"}} {
				if !present(t, shell[0]) {
					continue
				}
				output, err := exec.Command(shell[0], append(shell[1:], "-n", script)...).CombinedOutput()
				if err != nil {
					t.Errorf("%s does not read %s: %v\n%s", shell, script, err, output)
				}
			}
		}
	}
}

// A version that cannot be sorted ends the making before anything is made.
func TestNothingIsMadeOfAVersionThatCannotBeSorted(t *testing.T) {
	dist := filepath.Join(t.TempDir(), "dist")
	output, err := exec.Command("make", "-C", "..", "--no-print-directory", "packages", "VERSION=latest", "DIST="+dist).CombinedOutput()
	if err == nil {
		t.Errorf("it was made:\n%s", output)
	}
	if made, _ := filepath.Glob(filepath.Join(dist, "*")); len(made) > 0 {
		t.Errorf("it left %v", made)
	}
}
