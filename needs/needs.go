// Package needs is how a test says what it needs of the machine beyond Go, Git
// and the tools of a shell (ours.txt): a program, root, namespaces, a file, time.
// A test that lacks something is skipped, and says what it lacks. Where CI=true
// nothing may be lacking, and the test fails. Only tests import this package.
package needs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// Program declares a program that a test starts, itself or in a script, and
// returns its path.
func Program(t testing.TB, name string) (path string) {
	t.Helper()
	path, err := find(name)
	if err != nil {
		Missing(t, "%s is not installed", name)
	}
	share(t, name, path)
	return path
}

// Programs declares all programs that a test starts, before it starts the first.
func Programs(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		Program(t, name)
	}
}

// Command declares a program, and returns a call of it. It has no context: a
// test also calls programs in its cleanup, when the context of the test is over.
func Command(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(context.Background(), Program(t, name), args...)
}

// Root declares that only root can do what the test does.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Missing(t, "only root can do this")
	}
}

// File declares a file of the machine that is no program.
func File(t testing.TB, path string) {
	t.Helper()
	switch _, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		Missing(t, "this machine has no %s", path)
	case err != nil:
		t.Fatal(err)
	}
}

// Time declares that a test takes so long that -short leaves it out.
func Time(t testing.TB, why string) {
	t.Helper()
	if testing.Short() {
		t.Skip(why)
	}
}

// Kernel declares what only some kernels and containers let a test do, such as a
// mount. err is how the attempt ended. An error of another kind fails the test.
func Kernel(t testing.TB, what string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	// clone(2), mount(2) and bind(2) answer these where the kernel, the limits of a
	// container or its file system do not allow what was asked, or have no IPv6.
	for _, refusal := range []error{fs.ErrPermission, syscall.EROFS, syscall.ENOSYS, syscall.ENODEV,
		syscall.EINVAL, syscall.ENOSPC, syscall.EOPNOTSUPP, syscall.EAFNOSUPPORT, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, refusal) {
			Missing(t, "this machine does not allow %s: %v", what, err)
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// CI reports whether nothing may be lacking.
func CI() bool { return os.Getenv("CI") == "true" }

// Missing ends a test for which the machine lacks something. Only what no other
// function here can find out calls it.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if CI() {
		t.Fatalf("with CI=true nothing may be lacking: "+format, args...)
	}
	t.Skipf(format, args...)
}

// Outcome makes the outcome of a test that was run again, by this test binary
// with -test.v and in a place of its own, that of the test itself. A kernel of
// its own ends well whatever was said in it, so that the words decide.
func Outcome(t testing.TB, output string, err error) {
	t.Helper()
	_, exited := errors.AsType[*exec.ExitError](err)
	ended := func(how string) bool { return strings.Contains(output, fmt.Sprintf("--- %s: %s (", how, t.Name())) }
	switch {
	case exited:
		t.Errorf("in a place of its own, %v:\n%s", err, output)
	case err != nil:
		Kernel(t, "a place of its own", err)
	case strings.Contains(output, "--- FAIL"):
		t.Errorf("it failed in a place of its own:\n%s", output)
	case ended("SKIP"):
		Missing(t, "in a place of its own:\n%s", output)
	case !ended("PASS"):
		t.Errorf("it did not run in a place of its own:\n%s", output)
	default:
		t.Logf("in a place of its own:\n%s", output)
	}
}
