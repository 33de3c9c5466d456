//go:build linux

package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cfddns/cfddns/needs"
)

// The versions of the packages here, as `git describe` would say them.
const (
	packagedOld = "v1.2.0-3-gabc1234"
	packagedNew = "v1.2.1"
)

// TestPackages is about what `make packages` makes, which is made once for all.
func TestPackages(t *testing.T) {
	t.Parallel()
	r := released(t)
	t.Run("a Debian system installs and upgrades and removes and purges", func(t *testing.T) { booting(t, r.dir, debianLife) })
	if os.Getenv(labProgram) != "" {
		return
	}
	t.Run("another directory, umask, time zone and language give the same bytes", r.sameBytes)
	t.Run("the checksums are right and name every file", r.checksums)
	t.Run("each format holds the program and all that goes with it", r.holds)
	t.Run("the bill of materials says what the program says", r.billed)
	t.Run("lintian has nothing to say", r.linted)
	for _, target := range r.foreign {
		t.Run("a foreign processor runs "+target, func(t *testing.T) { r.runsForeign(t, target) })
	}
	for _, target := range r.elsewhere() {
		t.Run("the program for "+target+" is what it says", func(t *testing.T) { r.isFor(t, target) })
	}
}

// release is where the packages of this test lie: below old and new, and what
// was made a second time elsewhere below again.
type release struct {
	dir     string
	foreign []string // targets that run here under emulation
}

// released makes the packages. Which foreign targets are made too, LAB_TARGETS
// says; each that is new to the build cache takes half a minute.
func released(t *testing.T) release {
	t.Helper()
	if inside := os.Getenv(labProgram); inside != "" {
		return release{dir: inside}
	}
	needs.Time(t, "it makes packages")
	needs.Programs(t, "bash", "find", "gzip", "make", "nfpm", "tar")
	targets := os.Getenv("LAB_TARGETS")
	if targets == "" {
		targets = "linux/mipsle" // 32 bits, and no floating-point unit
	}
	r := release{dir: t.TempDir()}
	for target := range strings.FieldsSeq(targets) {
		if emulator(target) != "" {
			r.foreign = append(r.foreign, target)
		}
	}
	here, there := t.TempDir(), filepath.Join(t.TempDir(), "a directory of another name")
	sh(t, "../../..", nil, `tar --exclude=./.git --exclude=./dist --exclude=./cfddns -c . | tar -x -C "$0"`, here)
	sh(t, here, nil, `umask 077; mkdir "$0"; tar -c . | tar -x --touch --no-same-permissions -C "$0"`, there)
	r.make(t, here, "old", packagedOld, "linux/amd64", "")
	r.make(t, here, "new", packagedNew, "linux/amd64 "+targets, "umask 022")
	r.make(t, there, "again", packagedNew, "linux/amd64", "umask 077; export TZ=Pacific/Kiritimati LANG=tr_TR.UTF-8 LC_ALL=tr_TR.UTF-8 USER=nobody")
	return r
}

// make runs `make packages` in a copy of the source.
func (r release) make(t *testing.T, source, name, version, targets, before string) {
	t.Helper()
	sh(t, source, []string{"VERSION=" + version, "TARGETS=" + targets, "DIST=" + filepath.Join(r.dir, name), "DATE=2026-11-24", "SOURCE_DATE_EPOCH=1795500000"},
		before+"\nmake --no-print-directory packages")
}

// sh runs a shell script, and fails with what it said.
func sh(t *testing.T, dir string, env []string, script string, args ...string) string {
	t.Helper()
	cmd := needs.Command(t, "bash", append([]string{"-euo", "pipefail", "-c", script}, args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s\nit said:\n%s", err, script, output)
	}
	return string(output)
}

// only is the one file below a directory of packages that a pattern fits.
func (r release) only(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(r.dir, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %v, %v; want one file", pattern, found, err)
	}
	return found[0]
}
