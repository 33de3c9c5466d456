package journal

import (
	"bufio"
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/needs"
)

// TestAKillAtAnyInstantLosesNothing kills a process that saves and appends as
// fast as it can, at random instants, again and again in one directory.
func TestAKillAtAnyInstantLosesNothing(t *testing.T) {
	dir := t.TempDir()
	var acknowledged int
	for range 12 {
		last := killWhileWriting(t, dir, time.Duration(1+rand.IntN(60))*time.Millisecond)
		m, note, err := open(t, dir).Memory()
		if note != "" || err != nil {
			t.Fatalf("the state does not load: %s %v", note, err)
		}
		if last < 0 {
			continue // killed before it had written anything
		}
		acknowledged += last + 1
		if saved, _ := strconv.Atoi(m.Kept["home.example.com A"].RecordID); saved < last {
			t.Fatalf("round %d was acknowledged, and the state is of round %d", last, saved)
		}
		kept := ids(t, open(t, dir), time.Time{})
		mine := kept[lastIndex(kept, "round-0"):]
		for i := range last + 1 {
			if mine[i] != "round-"+strconv.Itoa(i) {
				t.Fatalf("round %d was acknowledged, and the journal has %s there", i, mine[i])
			}
		}
	}
	if acknowledged == 0 {
		t.Error("no child lived long enough to write anything")
	}
}

// killWhileWriting returns the last number that was acknowledged, or -1.
func killWhileWriting(t *testing.T, dir string, after time.Duration) (last int) {
	t.Helper()
	child := exec.Command(os.Args[0], dir)
	child.Env = append(os.Environ(), childEnv+"=loop")
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	last = -1
	lines := bufio.NewScanner(output)
	var kill *time.Timer
	for lines.Scan() {
		if last, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(lines.Text())
		}
		if kill == nil { // it has begun
			kill = time.AfterFunc(after, func() { _ = child.Process.Kill() })
		}
	}
	_ = child.Wait()
	return last
}

func lastIndex(list []string, s string) int {
	for i, v := range slices.Backward(list) {
		if v == s {
			return i
		}
	}
	return len(list)
}

// TestAFullDiskIsSaidAndSurvived runs itself again in a mount namespace of its
// own, with a file system of 64 kB.
func TestAFullDiskIsSaidAndSurvived(t *testing.T) {
	if dir := os.Getenv("CFDDNS_JOURNAL_SMALL_DISK"); dir != "" {
		needs.Kernel(t, "a mount", syscall.Mount("none", dir, "tmpfs", 0, "size=64k"))
		onAFullDisk(t, dir)
		return
	}
	again := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	again.Env = append(os.Environ(), "CFDDNS_JOURNAL_SMALL_DISK="+t.TempDir())
	again.SysProcAttr = needs.Namespaces(t, syscall.CLONE_NEWNS)
	output, err := again.CombinedOutput()
	needs.Outcome(t, string(output), err)
}

func onAFullDisk(t *testing.T, dir string) {
	j := open(t, dir)
	if err := j.Save(memoryOf(1)); err != nil {
		t.Fatal(err)
	}
	appendAll(t, j, changedRound(1))
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("the disk is not small")
	}
	large := memoryOf(2)
	large.Refusals = map[string]ddns.Refusal{"x": {Why: strings.Repeat("x", 5000)}}
	wide := changedRound(2)
	wide.Changes[0].Why = strings.Repeat("x", 9000)
	_, kept := RollbackIn(dir).Keep(hops)
	for what, err := range map[string]error{"Save": j.Save(large), "Append": j.Append(wide), "Keep": kept} {
		if err == nil || !strings.Contains(err.Error(), "no space left on device") || !strings.Contains(err.Error(), "free space there") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if m, note, err := j.Memory(); note != "" || err != nil || m.Kept["home.example.com A"].RecordID != "1" {
		t.Errorf("the state is lost: %+v %s %v", m, note, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 3 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	appendAll(t, j, changedRound(3))
	if got := ids(t, j, time.Time{}); !slices.Equal(got, []string{"round-1", "round-3"}) {
		t.Errorf("the journal has %v", got)
	}
	if err := j.Save(large); err != nil {
		t.Error(err)
	}
}

func TestADirectoryThatCannotBeWrittenIsSaid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	if _, err := Open(filepath.Join(file, "below")); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("Open: %v", err)
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil { //nolint:gosec // a directory that may be entered
		t.Fatal(err)
	}
	h := runOnce(t, exec.Command(os.Args[0], dir), dir)
	for what, said := range map[string]string{"Save": h.Save, "Append": h.Append, "Keep": h.Keep} {
		if !strings.Contains(said, "permission denied") || !strings.Contains(said, "let the user that cfddns runs as write there") {
			t.Errorf("%s: %s", what, said)
		}
	}
}

// runOnce runs a child that calls everything once; as a user who is not root,
// to whom no directory is closed.
func runOnce(t *testing.T, child *exec.Cmd, dir string) (h happened) {
	t.Helper()
	if os.Getuid() == 0 && child.Path == os.Args[0] {
		child = asNobody(t, dir)
	}
	child.Env = append(os.Environ(), childEnv+"=once")
	var complaints strings.Builder
	child.Stderr = &complaints
	output, err := child.Output()
	if err == nil {
		err = json.Unmarshal(output, &h)
	}
	if err != nil {
		t.Fatalf("%v\n%s%s", err, output, complaints.String())
	}
	return h
}

// asNobody runs the test binary as user 65534, from a copy that this user can
// reach, in a directory that is its own.
func asNobody(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	const nobody = 65534
	place, err := os.MkdirTemp("/tmp", "journal")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(place) })
	binary, theirs := filepath.Join(place, "test"), filepath.Join(place, "state")
	content := read(t, os.Args[0])
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []error{
		os.WriteFile(binary, []byte(content), 0o755), //nolint:gosec // it is to be run by somebody else
		os.Chmod(place, 0o755),                       //nolint:gosec // as above
		os.Mkdir(theirs, 0o700),
		os.Chown(theirs, nobody, nobody),
		os.Chmod(theirs, info.Mode().Perm()),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	child := exec.Command(binary, theirs)
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return child
}

// TestWhatTheDiskRefusesIsNeverAcknowledged lets the kernel refuse one kind of
// system call each time.
func TestWhatTheDiskRefusesIsNeverAcknowledged(t *testing.T) {
	strace := needs.Program(t, "strace")
	cases := []struct {
		name             string
		inject, only     string
		save, round, way string // what each call says
	}{
		{"no sync reaches the disk", "fsync:error=EIO", "", "input/output error", "input/output error", "input/output error"},
		{"the directory's sync fails", "fsync:error=EIO", ".", "check the disk", "", "check the disk"},
		{"the new state cannot take its name", "rename,renameat,renameat2:error=EIO", "", "input/output error", "", ""},
		{"the disk is full for the journal", "write:error=ENOSPC", roundsFile, "", "free space there", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			j := open(t, dir)
			save(t, j, memoryOf(1))
			appendAll(t, j, changedRound(1))
			h := runOnce(t, underStrace(t, strace, c.inject, c.only, dir), dir)
			for what, pair := range map[string][2]string{"Save": {h.Save, c.save}, "Append": {h.Append, c.round}, "Keep": {h.Keep, c.way}} {
				if said, want := pair[0], pair[1]; !strings.Contains(said, want) || (said == "") != (want == "") {
					t.Errorf("%s said %q, and should speak of %q", what, said, want)
				}
			}
			if _, note, err := j.Memory(); note != "" || err != nil {
				t.Errorf("the state does not load: %s %v", note, err)
			}
			if kept := ids(t, j, time.Time{}); len(kept) == 0 || kept[0] != "round-1" {
				t.Errorf("the journal has %v", kept)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// underStrace runs the test binary so that some of its system calls fail.
func underStrace(t *testing.T, strace, inject, only, dir string) *exec.Cmd {
	t.Helper()
	args := []string{"-f", "-qq", "-o", "/dev/null", "-e", "inject=" + inject}
	if only != "" {
		args = append(args, "-P", filepath.Join(dir, only))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, strace, append(args, os.Args[0], dir)...)
}
