package needs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// A caller is a test that needs something, and how that ended: "skipped: …",
// "failed: …", or "" for a test that went on.
type caller struct {
	testing.TB
	name, ended string
}

func (c *caller) Helper()                        {}
func (c *caller) Name() string                   { return c.name }
func (c *caller) Logf(string, ...any)            {}
func (c *caller) Errorf(format string, a ...any) { c.ended = "failed: " + fmt.Sprintf(format, a...) }
func (c *caller) Fatal(a ...any)                 { c.Fatalf("%s", fmt.Sprint(a...)) }
func (c *caller) Skip(a ...any)                  { c.Skipf("%s", fmt.Sprint(a...)) }

func (c *caller) Fatalf(format string, a ...any) {
	c.Errorf(format, a...)
	panic(c)
}

func (c *caller) Skipf(format string, a ...any) {
	c.ended = "skipped: " + fmt.Sprintf(format, a...)
	panic(c)
}

// ending is how a test ends that needs something.
func ending(t *testing.T, need func(testing.TB)) string {
	t.Helper()
	c := &caller{TB: t, name: "TestOfSomebody"}
	func() {
		defer func() {
			if r := recover(); r != nil && r != any(c) {
				panic(r)
			}
		}()
		need(c)
	}()
	return c.ended
}

func TestWhatIsMissingSkipsATestAndFailsItInCI(t *testing.T) {
	failed := &exec.ExitError{}
	for _, c := range []struct {
		name   string
		need   func(testing.TB)
		laptop string // how the test ends there; "" if it goes on
		ci     string
	}{
		{"a program that is there", func(t testing.TB) { Programs(t, "sh", "sh") }, "", ""},
		{"a program that is missing", func(t testing.TB) { Command(t, "no-such-program") }, "skipped: no-such-program is not installed", "failed: with CI=true"},
		{"a file that is there", func(t testing.TB) { File(t, "ours.txt") }, "", ""},
		{"a file that is missing", func(t testing.TB) { File(t, "/no/such/file") }, "skipped: this machine has no /no/such/file", "failed: with CI=true"},
		{"a file below a file", func(t testing.TB) { File(t, "ours.txt/file") }, "failed: stat", "failed: stat"},
		{"a kernel that does it", func(t testing.TB) { Kernel(t, "a mount", nil) }, "", ""},
		{"a kernel that refuses", func(t testing.TB) { Kernel(t, "a mount", fmt.Errorf("mount: %w", syscall.EPERM)) }, "skipped: this machine does not allow a mount", "failed: with CI=true"},
		{"a mistake of the test", func(t testing.TB) { Kernel(t, "a mount", fs.ErrNotExist) }, "failed: a mount", "failed: a mount"},
		{"it went well in a place of its own", func(t testing.TB) { Outcome(t, "--- PASS: TestOfSomebody (0.1s)", nil) }, "", ""},
		{"it lacked something there", func(t testing.TB) { Outcome(t, "--- SKIP: TestOfSomebody (0.1s)\n no dig", nil) }, "skipped: in a place", "failed: with CI=true"},
		{"a part of it lacked something there", func(t testing.TB) {
			Outcome(t, "--- PASS: TestOfSomebody (0.1s)\n    --- SKIP: TestOfSomebody/part (0s)", nil)
		}, "", ""},
		{"it failed there, and its kernel ended well", func(t testing.TB) { Outcome(t, "--- FAIL: TestOfSomebody (0.1s)", nil) }, "failed: it failed", "failed: it failed"},
		{"it was killed there", func(t testing.TB) { Outcome(t, "--- SKIP: TestOfSomebody (0.1s)", failed) }, "failed: in a place", "failed: in a place"},
		{"it did not run there", func(t testing.TB) { Outcome(t, "no tests to run\nPASS", nil) }, "failed: it did not run", "failed: it did not run"},
		{"no such place is to be had", func(t testing.TB) { Outcome(t, "", &os.PathError{Op: "fork/exec", Err: syscall.EPERM}) }, "skipped: this machine does not allow", "failed: with CI=true"},
		{"the place was never begun by a mistake of the test", func(t testing.TB) { Outcome(t, "", fs.ErrNotExist) }, "failed: a place", "failed: a place"},
	} {
		for ci, want := range map[string]string{"": c.laptop, "true": c.ci} {
			t.Run(fmt.Sprintf("%s, CI=%s", c.name, ci), func(t *testing.T) {
				t.Setenv("CI", ci)
				if got := ending(t, c.need); !strings.HasPrefix(got, want) || (got == "") != (want == "") {
					t.Errorf("ended with %q, want %q", got, want)
				}
			})
		}
	}
}

func TestOnlyOursAndWhatIsDeclaredIsFound(t *testing.T) {
	place := t.TempDir()
	if err := os.WriteFile(filepath.Join(place, "rare"), []byte("#!/bin/sh\necho here\n"), 0o755); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	before := whole
	whole = place + string(filepath.ListSeparator) + whole
	t.Cleanup(func() { whole = before })
	call := func() error { return exec.Command("sh", "-c", "rare").Run() }

	if _, err := exec.LookPath("rare"); !errors.Is(err, exec.ErrNotFound) || call() == nil {
		t.Errorf("it is found before anybody has declared it: %v", err)
	}
	t.Run("a test", func(t *testing.T) {
		t.Run("a part of it", func(t *testing.T) { Program(t, "rare") })
		Program(t, "rare")
		if err := call(); err != nil {
			t.Errorf("it is declared, and not found: %v", err)
		}
	})
	if err := call(); err == nil {
		t.Error("it is found after the test that declared it")
	}
	t.Run("one of ours", func(t *testing.T) { Program(t, "sh") })
	if _, err := exec.LookPath("sh"); err != nil {
		t.Errorf("one of ours is gone: %v", err)
	}
}
