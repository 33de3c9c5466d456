package configs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/needs"
)

const (
	nogroup = 65534
	editing = "CFDDNS_TEST_EDITS" // names the file that a child process edits
)

func TestMain(m *testing.M) {
	if path := os.Getenv(editing); path != "" {
		for i := 0; ; i++ { // until it is killed
			name := fmt.Sprintf("n%d.example.com", i)
			edit := Edit{Add: []Record{{Name: name, Types: []string{"A"}}}}
			if i%2 == 1 {
				edit = Edit{Remove: []string{fmt.Sprintf("n%d.example.com", i-1)}}
			}
			if _, err := EditFile(path, nil, edit, time.Now()); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			fmt.Println("done")
		}
	}
	os.Exit(needs.Main(m))
}

// configAt writes a configuration into a directory of its own.
func configAt(t *testing.T, text string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cfddns.yaml")
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
	return path
}

const oneName = "cloudflare:\n  token: abcdefghijklmnopqrstuvwxyz0123456789ABCD\nrecords:\n  - name: a.example.com\n"

func addB() Edit { return Edit{Add: []Record{{Name: "b.example.com", Types: []string{"A"}}}} }

// A daemon may read its configuration by the group alone.
func TestAnEditedFileKeepsWhoMayReadIt(t *testing.T) {
	for _, row := range []struct {
		name     string
		uid, gid int
		mode     fs.FileMode
	}{
		{"root's, and a group's", 0, nogroup, 0o640},
		{"another user's", nogroup, nogroup, 0o600},
		{"everybody's", 0, 0, 0o644},
	} {
		t.Run(row.name, func(t *testing.T) {
			needs.Root(t)
			path := configAt(t, oneName, row.mode)
			if err := os.Chown(path, row.uid, row.gid); err != nil {
				t.Fatal(err)
			}
			if err := Replaceable(path); err != nil {
				t.Error(err)
			}
			backup, err := EditFile(path, nil, addB(), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range []string{path, backup} {
				info, err := os.Stat(file)
				if err != nil {
					t.Fatal(err)
				}
				stat, _ := info.Sys().(*syscall.Stat_t)
				if int(stat.Uid) != row.uid || int(stat.Gid) != row.gid || info.Mode() != row.mode {
					t.Errorf("%s belongs to %d:%d, mode %v; want %d:%d, %v", file, stat.Uid, stat.Gid, info.Mode(), row.uid, row.gid, row.mode)
				}
			}
		})
	}
}

// asOther runs one test of this binary as another user.
func asOther(t *testing.T, test string, env ...string) string {
	t.Helper()
	needs.Root(t)
	dir, err := os.MkdirTemp("/tmp", "configs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	binary := filepath.Join(dir, "test")
	content, err := os.ReadFile(os.Args[0])
	if err = errors.Join(err, os.Chmod(dir, 0o755), os.WriteFile(binary, content, 0o755)); err != nil { //nolint:gosec // for somebody else to run
		t.Fatal(err)
	}
	child := exec.Command(binary, "-test.run=^"+test+"$", "-test.v")
	child.Dir = dir
	child.Env = append(os.Environ(), env...)
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nogroup, Gid: nogroup}}
	output, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return string(output)
}

// Whoever cannot give the new file to the old one's owner changes nothing, and
// says so before anything else is done.
func TestAFileWhoseOwnerCannotBeKeptIsLeftAlone(t *testing.T) {
	if path := os.Getenv("CFDDNS_TEST_FOREIGN"); path != "" {
		for _, err := range []error{Replaceable(path), second(EditFile(path, nil, addB(), time.Now()))} {
			fmt.Println("says:", err)
		}
		return
	}
	dir, err := os.MkdirTemp("/tmp", "configs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "cfddns.yaml")
	if err := errors.Join(os.WriteFile(path, []byte(oneName), 0o644), os.Chmod(dir, 0o777), os.Chmod(path, 0o644)); err != nil { //nolint:gosec // others may edit here
		t.Fatal(err)
	}
	said := asOther(t, t.Name(), "CFDDNS_TEST_FOREIGN="+path)
	if strings.Count(said, "it belongs to user 0 and group 0, and this user may not give them another: run this with sudo") != 2 {
		t.Errorf("it says %s", said)
	}
	if content, err := os.ReadFile(path); string(content) != oneName || err != nil {
		t.Errorf("it holds %q, %v", content, err)
	}
	if left := besides(t, path); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func second(_ string, err error) error { return err }

// besides is what lies beside a file.
func besides(t *testing.T, path string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name() != filepath.Base(path) {
			names = append(names, entry.Name())
		}
	}
	return names
}

func TestFortyEditsAtOnceAreAllThere(t *testing.T) {
	const all = 40
	path := configAt(t, oneName, 0o640)
	var end sync.WaitGroup
	backups := make([]string, all)
	for i := range all {
		end.Go(func() {
			var err error
			edit := Edit{Add: []Record{{Name: fmt.Sprintf("n%d.example.com", i), Types: []string{"A"}}}}
			if backups[i], err = EditFile(path, nil, edit, time.Unix(0, 0)); err != nil {
				t.Error(err)
			}
		})
	}
	end.Wait()
	config, _, err := Load(path, nil)
	if err != nil || len(config.Records) != all+1 {
		t.Errorf("of %d names there are %d, %v", all+1, len(config.Records), err)
	}
	slices.Sort(backups)
	if different := slices.Compact(backups); len(different) != all || len(besides(t, path)) != all {
		t.Errorf("of %d old files there are %d; beside the file lie %v", all, len(different), besides(t, path))
	}
}

// TestAKillAtAnyInstantLeavesNoTokenBehind kills a process that edits without
// end, each time a little later.
func TestAKillAtAnyInstantLeavesNoTokenBehind(t *testing.T) {
	path := configAt(t, oneName, 0o640)
	for i := range 25 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), editing+"="+path)
		output, err := child.StdoutPipe()
		if err == nil {
			err = child.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := output.Read(make([]byte, 1)); err != nil { // the first edit is done
			t.Fatal(err)
		}
		for range i * 40 { // so that it is killed elsewhere each time
			_, _ = os.Stat(path)
		}
		_ = child.Process.Kill()
		_ = child.Wait()
		config, _, err := Load(path, nil)
		if err != nil || len(config.Records) == 0 || config.Records[0].Name != "a.example.com" {
			t.Fatalf("after a kill it holds %v, %v", config.Records, err)
		}
		for _, name := range besides(t, path) {
			info, err := os.Stat(filepath.Join(filepath.Dir(path), name))
			if err != nil {
				t.Fatal(err)
			}
			if mode := info.Mode().Perm(); mode&^0o640 != 0 {
				t.Errorf("%s may be read by others: %v", name, mode)
			}
		}
		next := Edit{Add: []Record{{Name: fmt.Sprintf("k%d.example.com", i), Types: []string{"A"}}}}
		if _, err := EditFile(path, nil, next, time.Now()); err != nil {
			t.Fatal(err)
		}
		for _, name := range besides(t, path) {
			if strings.HasPrefix(name, ".") {
				t.Errorf("the next edit left %s behind", name)
			}
		}
	}
}
