package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/needs"
)

// Two users who are neither this one nor each other.
const (
	service = 65534
	third   = 1234
)

// steps are done one after the other, and all have to work.
func steps(t *testing.T, errs ...error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
}

func owned(t *testing.T, path string, uid int) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if o, _ := ownerOf(info); o.uid != uid {
		t.Errorf("%s belongs to user %d, want %d", path, o.uid, uid)
	}
}

// TestWhatAStrangerPlantsIsNeitherReadNorWritten is of a directory of the
// service's, when root comes by.
func TestWhatAStrangerPlantsIsNeitherReadNorWritten(t *testing.T) {
	needs.Root(t)
	for _, row := range []struct {
		name  string
		plant func(path, victim string) error
		says  string // "" if the file is ours all the same
	}{
		{"a symbolic link to a file of root's", func(path, victim string) error { return os.Symlink(victim, path) }, "is a symbolic link"},
		{"a link to a file that is not there", func(path, victim string) error { return os.Symlink(victim+"2", path) }, "is a symbolic link"},
		{"a link to a file in the directory", func(path, _ string) error {
			return errors.Join(os.WriteFile(path+"2", []byte("victim"), 0o600), os.Symlink(path+"2", path))
		}, "is a symbolic link"},
		{"a hard link to a file of root's", func(path, victim string) error { return os.Link(victim, path) }, "a hard link"},
		{"a pipe", func(path, _ string) error { return syscall.Mkfifo(path, 0o666) }, "is a pipe"},
		{"a device", func(path, _ string) error { return syscall.Mknod(path, syscall.S_IFCHR|0o666, 1<<8|3) }, "is a device"},
		{"a directory", func(path, _ string) error { return os.Mkdir(path, 0o777) }, "is a directory"},
		{"a file of a third user", func(path, _ string) error {
			return errors.Join(os.WriteFile(path, []byte("victim"), 0o666), os.Chown(path, third, third))
		}, "belongs to user 1234"},
		{"a file of its own", func(path, _ string) error {
			return errors.Join(os.WriteFile(path, []byte("mine"), 0o600), os.Chown(path, service, service))
		}, ""},
		{"a file with two names, both its own", func(path, _ string) error {
			return errors.Join(os.WriteFile(path, []byte("mine"), 0o600), os.Chown(path, service, service), os.Link(path, path+"2"))
		}, ""},
		{"a file that an older cfddns left to root", func(path, _ string) error { return os.WriteFile(path, []byte("mine"), 0o600) }, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			place := t.TempDir()
			dir, victim := filepath.Join(place, "state"), filepath.Join(place, "victim")
			steps(t, os.Mkdir(dir, 0o700), os.WriteFile(victim, []byte("victim"), 0o600),
				row.plant(filepath.Join(dir, "file"), victim), os.Lchown(dir, service, service))
			d, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			content, readErr := d.Read("file", 100)
			f, appendErr := d.Append("file")
			if f != nil {
				_, err := f.WriteString("!")
				steps(t, err, f.Close())
			}
			for what, err := range map[string]error{"Read": readErr, "Append": appendErr} {
				foreign, isForeign := errors.AsType[*Foreign](err)
				switch {
				case row.says == "" && err != nil:
					t.Errorf("%s: %v", what, err)
				case row.says != "" && (!isForeign || !strings.Contains(err.Error(), row.says)):
					t.Errorf("%s: %v, want %q", what, err, row.says)
				case row.says != "" && !strings.Contains(foreign.Remedy(), "ls -ld "+dir):
					t.Errorf("what to do: %s", foreign.Remedy())
				}
			}
			if want := map[bool]string{true: "mine"}[row.says == ""]; string(content) != want {
				t.Errorf("read %q, want %q", content, want)
			}
			is(t, victim, "victim", 0o600)
			owned(t, victim, 0)
			if row.says != "is a directory" {
				steps(t, d.Replace("file", []byte("new")))
				is(t, filepath.Join(dir, "file"), "new", 0o600)
				owned(t, filepath.Join(dir, "file"), service)
				is(t, victim, "victim", 0o600)
			}
			if _, err := os.Lstat(victim + "2"); err == nil {
				t.Error("a file was made outside of the directory")
			}
		})
	}
}

// The service must be able to go on with what root made for it.
func TestWhatRootMakesBelongsToTheOwnerOfTheDirectory(t *testing.T) {
	needs.Root(t)
	dir := t.TempDir()
	steps(t, os.Chown(dir, service, service))
	d, err := Make(filepath.Join(dir, "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	appended, err := d.Append("appended")
	steps(t, err, appended.Close())
	steps(t, d.New("created", nil), d.Replace("replaced", nil))
	release, err := d.Lock(t.Context(), "replaced")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".", "..", "appended", "created", "replaced", ".replaced.lock"} {
		path := filepath.Join(dir, "a", "b", name)
		owned(t, path, service)
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v; it is the owner's alone", name, info.Mode(), err)
		}
	}
	release()
	entries, err := d.Entries()
	if len(entries) != 3 || err != nil {
		t.Errorf("there are %v, %v", entries, err)
	}
}

func TestALinkOfAStrangerLeadsOnlyToWhatIsTheStrangers(t *testing.T) {
	needs.Root(t)
	place := t.TempDir()
	at := func(name string) string { return filepath.Join(place, name) }
	for _, name := range []string{"root", "service"} {
		steps(t, os.Mkdir(at(name), 0o755), os.Mkdir(at(name+"/state"), 0o755), os.WriteFile(at(name+"/file"), nil, 0o600))
	}
	link := func(to, name string, uid int) {
		steps(t, os.Symlink(to, at(name)), os.Lchown(at(name), uid, uid))
	}
	link(at("root/state"), "service/to-root", service)
	link("state", "service/to-itself", service)
	link("../service/state", "root/to-service", 0)
	link("../service/to-root", "root/round", 0)
	link("loop", "root/loop", 0)
	steps(t, os.Chown(at("service"), service, service), os.Chown(at("service/state"), service, service))
	for _, row := range []struct{ name, path, leads, says string }{
		{"a directory itself", "service/state", "service/state", ""},
		{"root's link to the service's directory, as systemd makes it", "root/to-service", "service/state", ""},
		{"the service's link to its own directory", "service/to-itself", "service/state", ""},
		{"the service's link to root's directory", "service/to-root", "", "is a link of user 65534 to what belongs to user 0"},
		{"root's link to that link", "root/round", "", "is a link of user 65534 to what belongs to user 0"},
		{"a link to itself", "root/loop", "", "too many levels of symbolic links"},
		{"what is not there", "root/none", "", "no such file"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := Resolve(at(row.path))
			if row.says != "" {
				if err == nil || !strings.Contains(err.Error(), row.says) {
					t.Errorf("%q, %v; want %q", got, err, row.says)
				}
				return
			}
			if got != at(row.leads) || err != nil {
				t.Errorf("%q, %v; want %q", got, err, row.leads)
			}
		})
	}
}

// What others put into a directory of all, such as /tmp, is none of ours.
func TestInADirectoryOfAllOnlyOnesOwnFilesCount(t *testing.T) {
	needs.Root(t)
	place := t.TempDir()
	dir, pipe := filepath.Join(place, "tmp"), filepath.Join(place, "tmp", "pipe")
	steps(t, os.Mkdir(dir, 0o700), os.Chmod(dir, fs.ModeSticky|0o777))
	mine, theirs, twice := filepath.Join(dir, "mine"), filepath.Join(dir, "theirs"), filepath.Join(dir, "twice")
	steps(t, os.WriteFile(mine, nil, 0o600), os.WriteFile(theirs, nil, 0o666), os.Chown(theirs, service, service),
		os.Link(mine, twice), syscall.Mkfifo(pipe, 0o666), os.Chown(pipe, service, service))
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, name := range []string{"theirs", "twice", "pipe"} {
		if _, err := d.Read(name, 1); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	if err := Write(pipe, []byte("token"), 0o600); err == nil || !strings.Contains(err.Error(), "belongs to user 65534") {
		t.Errorf("into a pipe of a stranger: %v", err)
	}
	if err := Write(theirs, []byte("token"), 0o600); err != nil {
		t.Fatal(err)
	}
	owned(t, theirs, 0) // it is another file now
}

func TestALockIsHeldByOneAtATime(t *testing.T) {
	d, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	const all, turns = 8, 25
	holders, most, count := 0, 0, 0
	var mu sync.Mutex
	var end sync.WaitGroup
	for range all {
		end.Go(func() {
			for range turns {
				release, err := d.Lock(t.Context(), "file")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				holders++
				count++
				most = max(most, holders)
				mu.Unlock()
				for range 50 {
					runtime.Gosched()
				}
				mu.Lock()
				holders--
				mu.Unlock()
				release()
			}
		})
	}
	end.Wait()
	if most != 1 || count != all*turns {
		t.Errorf("%d held it at once, %d in all", most, count)
	}
	release, err := d.Lock(t.Context(), "file")
	if err != nil {
		t.Fatal(err)
	}
	late, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := d.Lock(late, "file"); !errors.Is(err, ErrBusy) {
		t.Errorf("whoever waits in vain hears %v", err)
	}
	release()
	if entries, _ := d.Entries(); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestANameThatIsTakenIsNotTakenAgain(t *testing.T) {
	d, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	name := func(at time.Time) string { return fmt.Sprint("a", at.UnixMilli()) }
	steps(t, d.Replace("a0", nil), d.Replace("a1", nil))
	if got := d.FreeName(time.UnixMilli(0), name); got != "a2" {
		t.Error(got)
	}
}
