package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestAFileThatHoldsATokenIsTheOwnersAloneEvenIfItWasThereBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte("older and longer than what comes"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	is(t, path, "new", 0o600)
}

func TestWhatAPersonNamesIsWrittenWhereThePersonMeans(t *testing.T) {
	dir := t.TempDir()
	real, link, pipe := filepath.Join(dir, "real"), filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	if err := os.WriteFile(real, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", link); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(link, []byte("through my own link"), 0o644); err != nil {
		t.Fatal(err)
	}
	is(t, real, "through my own link", 0o644)
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("the link became %v, %v", info, err)
	}
	heard := make(chan string, 1)
	go func() { // ends with what is written below
		content, err := os.ReadFile(pipe)
		heard <- string(content) + errorText(err)
	}()
	if err := Write(pipe, []byte("into my own pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != "into my own pipe" {
		t.Errorf("the pipe gave %q", got)
	}
	t.Chdir(dir)
	if err := Write("here", []byte("by a short name"), 0o600); err != nil {
		t.Fatal(err)
	}
	is(t, filepath.Join(dir, "here"), "by a short name", 0o600)
}

func TestAnErrorNamesTheFileThatAPersonNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "c.yaml")
	if err := Write(path, nil, 0o600); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("it says %v", err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// is checks what a file holds, and its mode.
func is(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); info.Mode() != mode || string(got) != content || err != nil {
		t.Errorf("%s: mode %s, content %q, error %v", path, info.Mode(), got, err)
	}
}

func TestANewFileTakesNobodysName(t *testing.T) {
	d, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	steps(t, d.New("file", []byte("first")))
	if err := d.New("file", []byte("second")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a name that is taken: %v", err)
	}
	is(t, d.Path("file"), "first", 0o600)
	if entries, err := d.Entries(); len(entries) != 1 || err != nil {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
