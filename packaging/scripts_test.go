package packaging

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/cfddns/cfddns/needs"
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
				t.Run(shell[0]+" reads "+script, func(t *testing.T) {
					output, err := needs.Command(t, shell[0], append(shell[1:], "-n", script)...).CombinedOutput()
					if err != nil {
						t.Errorf("%v\n%s", err, output)
					}
				})
			}
		}
	}
}

// A version that cannot be sorted ends the making before anything is made.
func TestNothingIsMadeOfAVersionThatCannotBeSorted(t *testing.T) {
	dist := filepath.Join(t.TempDir(), "dist")
	needs.Programs(t, "bash", "make")
	output, err := needs.Command(t, "make", "-C", "..", "--no-print-directory", "packages", "VERSION=latest", "DIST="+dist).CombinedOutput()
	if err == nil || !strings.Contains(string(output), "is no version that packages could be sorted by") {
		t.Errorf("it was made, or not for that:\n%s", output)
	}
	if made, _ := filepath.Glob(filepath.Join(dist, "*")); len(made) > 0 {
		t.Errorf("it left %v", made)
	}
}
