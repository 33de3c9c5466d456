package needs

import (
	_ "embed"
	"errors"
	"fmt"
	"go/build"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// ours are the programs that every test may start.
//
//go:embed ours.txt
var ours string

// wholePath names the variable that tells a test that was run again where
// programs are: its own PATH leads to those alone that its parent had declared.
const wholePath = "CFDDNS_TEST_PATH"

// whole is where programs are looked for: in PATH, where `go install` puts them,
// and in the directories that Debian leaves out of the PATH of all but root.
var whole = func() string {
	if path := os.Getenv(wholePath); path != "" {
		return path
	}
	places := filepath.SplitList(os.Getenv("PATH"))
	places = append(places, filepath.Join(build.Default.GOPATH, "bin"), "/usr/local/sbin", "/usr/sbin", "/sbin")
	return strings.Join(places, string(filepath.ListSeparator))
}()

// Path is a PATH in which everything installed is found. It is for programs that
// start others, such as lintian: what those are is the business of their packages.
func Path() string { return whole }

// find is exec.LookPath, wherever programs are.
func find(name string) (path string, err error) {
	for _, place := range filepath.SplitList(whole) {
		if path, err = exec.LookPath(filepath.Join(place, name)); err == nil && filepath.IsAbs(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, exec.ErrNotFound)
}

// declared is what the tests that run now have declared. Its directory, once Main
// has made it, is their whole PATH: it links to ours and to these.
var declared = struct {
	sync.Mutex
	dir string
	by  map[string]map[testing.TB]bool // which tests use a program
}{by: map[string]map[testing.TB]bool{}}

// roomForNames is how long the name of the directory for temporary files may be.
// A test makes sockets below it, in a directory with the test's name, and the name
// of a socket has room for 104 bytes on macOS and 107 on Linux (unix(7)).
const roomForNames = 20

// shortenTemporary has temporary files in /tmp where the name of their directory is
// too long for tests, as it is on macOS.
func shortenTemporary() {
	if len(os.TempDir()) <= roomForNames {
		return
	}
	if dir, err := os.MkdirTemp("/tmp", ""); err == nil && os.Remove(dir) == nil { // one may write there
		_ = os.Setenv("TMPDIR", "/tmp")
	}
}

// Main runs the tests of a package so that they find ours and what they declare,
// and nothing else. Thus a program that nobody declared fails its test where all is
// installed, before it fails where it is missing. TestMain calls it; made are
// directories of programs that the tests have made themselves.
func Main(m interface{ Run() int }, made ...string) (code int) {
	shortenTemporary()
	dir, err := os.MkdirTemp("", "cfddns-needs-")
	if err == nil {
		defer os.RemoveAll(dir)                 // it is temporary anyway
		err = errors.Join(os.Chmod(dir, 0o755), //nolint:gosec // what runs as another user finds programs too
			os.Setenv(wholePath, whole),
			os.Setenv("PATH", strings.Join(append(made, dir), string(filepath.ListSeparator))))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	declared.dir = dir
	for line := range strings.Lines(ours) {
		for name := range strings.FieldsSeq(line) {
			if name == "#" {
				break
			}
			if path, err := find(name); err == nil { // busybox has fewer
				err = os.Symlink(path, filepath.Join(dir, name))
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					return 1
				}
			}
		}
	}
	return m.Run()
}

// share puts a program into the PATH of all tests until this one has ended.
func share(t testing.TB, name, path string) {
	t.Helper()
	declared.Lock()
	defer declared.Unlock()
	link := filepath.Join(declared.dir, name)
	if declared.dir == "" || declared.by[name][t] {
		return
	}
	if len(declared.by[name]) == 0 {
		switch err := os.Symlink(path, link); {
		case errors.Is(err, os.ErrExist):
			return // one of ours, which stays
		case err != nil:
			t.Fatal(err)
		}
		declared.by[name] = map[testing.TB]bool{}
	}
	declared.by[name][t] = true
	t.Cleanup(func() { withdraw(t, name, link) })
}

// withdraw takes it out, unless another test uses it still.
func withdraw(t testing.TB, name, link string) {
	declared.Lock()
	defer declared.Unlock()
	delete(declared.by[name], t)
	if len(declared.by[name]) == 0 {
		if err := os.Remove(link); err != nil {
			t.Error(err)
		}
	}
}
