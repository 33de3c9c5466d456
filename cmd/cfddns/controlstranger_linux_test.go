package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/needs"
)

// another is a user who is neither root nor the one that tests run as.
const another = 65534

// strangers is a place of its own with two users: abstract names belong to a
// network, and so do not meet those of this machine.
type strangers struct {
	*testing.T
	program string // which every user may start
	env     []string
}

// as makes a call of this test's binary by a user.
func (s strangers) as(uid int, name string, args ...string) *exec.Cmd {
	cmd := &exec.Cmd{Path: s.program, Args: append([]string{name}, args...), Env: s.env, Dir: "/"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// forge has a user listen at places until the test ends, or end is called.
func (s strangers) forge(uid int, places ...string) (end func()) {
	s.Helper()
	return s.start(s.as(uid, "forger", places...), "ready")
}

// start starts a process and waits until it prints a word.
func (s strangers) start(cmd *exec.Cmd, word string) (end func()) {
	s.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		s.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		s.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = write, write
	runtime.LockOSThread() // Pdeathsig is about the thread that starts it
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	write.Close()
	ended := make(chan struct{})
	end = func() {
		in.Close()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	}
	said := make(chan string)
	go func() { // ends with the process
		defer close(ended)
		defer close(said)
		lines, found := bufio.NewScanner(read), false
		var all strings.Builder
		for lines.Scan() {
			fmt.Fprintln(&all, lines.Text())
			if !found && strings.Contains(all.String(), word) {
				found = true
				said <- all.String()
			}
		}
		_ = cmd.Wait()
		if !found {
			said <- "\x00" + all.String()
		}
	}()
	s.Cleanup(func() {
		select {
		case <-ended:
		default:
			end()
		}
	})
	if got := <-said; got[0] == 0 {
		s.Fatalf("%q never said %q: %s", cmd.Args, word, got[1:])
	}
	return end
}

// cfddns runs a command as a user.
func (s strangers) cfddns(uid int, args ...string) (code int, out, said string) {
	s.Helper()
	cmd := s.as(uid, "cfddns", args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// nobodyIsBelieved asks by every command that asks.
func (s strangers) nobodyIsBelieved(uid int) {
	s.Helper()
	for args, want := range map[string]int{"healthcheck": 1, "status": 10, "poke": 10, "poke --wait": 10, "status --output json": 10, "poke --quiet": 0} {
		code, out, said := s.cfddns(uid, strings.Fields(args)...)
		if code != want || strings.Contains(out+said, "all is well") {
			s.Errorf("%s of user %d ended with %d, want %d: %s%s", args, uid, code, want, out, said)
		}
		if want > 0 && !strings.Contains(said, fmt.Sprintf("another user's process (uid %d) answers at", another)) {
			s.Errorf("%s of user %d does not say who answers: %s", args, uid, said)
		}
		if doc := map[string]any{}; strings.Contains(args, "json") && json.Unmarshal([]byte(out), &doc) != nil {
			s.Errorf("%s printed %q", args, out)
		}
	}
}

func (s strangers) answers(uid int) bool {
	code, out, _ := s.cfddns(uid, "status")
	return code == 0 && strings.Contains(out, "of 1 names right")
}

// eventually waits until it is so.
func (s strangers) eventually(what string, so func() bool) {
	s.Helper()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(time.Minute); !so(); <-look.C {
		if time.Now().After(end) {
			s.Fatalf("%s: it never was so", what)
		}
	}
}

const insideStrangers = "CFDDNS_TEST_STRANGERS"

func TestNobodyBelievesAStranger(t *testing.T) {
	needs.Root(t)
	if os.Getenv(insideStrangers) == "" {
		inside := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		inside.Env = append(os.Environ(), insideStrangers+"=1")
		inside.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
		output, err := inside.CombinedOutput()
		needs.Outcome(t, string(output), err)
		return
	}
	s := strangers{T: t, program: filepath.Join(open(t, "/run"), "test"), env: []string{"CLOUDFLARE_API_TOKEN=" + scriptToken, "CFDDNS_RECORDS=home.example.com"}}
	binary, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.program, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	abstract := func(uid int) []string {
		own := strings.Replace(abstractSocket(), "@cfddns-0-", fmt.Sprintf("@cfddns-%d-", uid), 1)
		return []string{own, own + "-" + markOf(configs.Place("", s.env))}
	}
	t.Run("who takes the names first is not believed, and stops no daemon", func(t *testing.T) {
		s := s
		s.T = t
		end := s.forge(another, abstract(0)...)
		s.nobodyIsBelieved(0)
		s.start(s.as(0, "cfddns", "run"), "there is no control socket")
		s.nobodyIsBelieved(0)
		end()
		s.eventually("the daemon takes the names that are free", func() bool { return s.answers(0) })
		if code, out, said := s.cfddns(0, "run"); code != 1 || !strings.Contains(said, "for this configuration") {
			t.Errorf("a second daemon ended with %d: %s%s", code, out, said)
		}
	})
	t.Run("a daemon has a second name", func(t *testing.T) {
		s := s
		s.T = t
		s.forge(another, abstract(0)[0])
		s.start(s.as(0, "cfddns", "run"), "has another name than usual")
		s.eventually("it is found by it", func() bool { return s.answers(0) })
	})
	inOpen, link := filepath.Join(open(t, "/run"), "his"), filepath.Join(open(t, "/run"), "link")
	if err := errors.Join(os.Mkdir(inOpen, 0o755), os.Chown(inOpen, another, another),
		os.Symlink(owned(t, another), link), os.Lchown(link, another, another)); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{
		"a directory where everybody may write":         open(t, "/run"),
		"another's directory":                           owned(t, another),
		"another's directory where everybody may write": inOpen,
		"another's link from where everybody may write": link,
	} {
		t.Run(name, func(t *testing.T) { s.inDirectory(t, dir, name == "another's directory") })
	}
	t.Run("a file that somebody takes away is made again", func(t *testing.T) {
		s := s
		path := filepath.Join(t.TempDir(), "c.sock")
		s.T, s.env = t, append(s.env[:len(s.env):len(s.env)], "CFDDNS_CONTROL="+path)
		s.start(s.as(0, "cfddns", "run"), "level=INFO")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		s.eventually("the socket is there again", func() bool { _, err := os.Lstat(path); return err == nil })
	})
	t.Run("whatever stands at the path stops no daemon", func(t *testing.T) { s.planted(t, open(t, "/run")) })
}

// inDirectory has another user answer at a path that the configuration names.
// Root believes him where the directory is his: so the shipped unit runs.
func (s strangers) inDirectory(t *testing.T, dir string, his bool) {
	s.T, s.env = t, append(s.env[:len(s.env):len(s.env)], "CFDDNS_CONTROL="+filepath.Join(dir, "c.sock"))
	s.forge(another, filepath.Join(dir, "c.sock"))
	s.nobodyIsBelieved(another - 1)
	if !his {
		s.nobodyIsBelieved(0)
		s.start(s.as(0, "cfddns", "run"), "level=WARN")
		return
	}
	if code, _, said := s.cfddns(0, "healthcheck"); code != 0 {
		t.Errorf("root does not believe the user of the service: %d, %s", code, said)
	}
}

// planted has another user put something where the socket should be.
func (s strangers) planted(t *testing.T, dir string) {
	for name, plant := range map[string]func(path string) error{
		"a file":   func(p string) error { return os.WriteFile(p, []byte("x"), 0o666) },
		"a folder": func(p string) error { return os.Mkdir(p, 0o777) },
		"a link":   func(p string) error { return os.Symlink("/etc/passwd", p) },
		"a pipe":   func(p string) error { return syscall.Mkfifo(p, 0o666) },
		"nothing":  func(p string) error { return nil },

		"a pipe in place of the directory": func(p string) error { return syscall.Mkfifo(p, 0o666) },
	} {
		t.Run(name, func(t *testing.T) {
			s := s
			path := filepath.Join(dir, strings.ReplaceAll(name, " ", "")+".sock")
			planted := path
			if name == "nothing" || strings.HasSuffix(name, "directory") {
				path = filepath.Join(planted, "c.sock")
			}
			s.T, s.env = t, append(s.env[:len(s.env):len(s.env)], "CFDDNS_CONTROL="+path)
			if err := plant(planted); err != nil {
				t.Fatal(err)
			}
			if err := os.Lchown(planted, another, another); err != nil && name != "nothing" {
				t.Fatal(err)
			}
			before, _ := os.Stat("/etc/passwd")
			end := s.start(s.as(0, "cfddns", "run"), "level=WARN")
			s.eventually("it can be asked by its other name", func() bool { return s.answers(0) })
			if after, err := os.Stat("/etc/passwd"); err != nil || after.Mode() != before.Mode() {
				t.Errorf("the file behind a link has mode %v, %v", after.Mode(), err)
			}
			end()
			if _, err := os.Lstat(planted); err != nil && name != "nothing" {
				t.Errorf("what stood there is gone: %v", err)
			}
		})
	}
}

// open makes a directory where everybody may write, as in /tmp.
func open(t *testing.T, in string) string {
	t.Helper()
	dir, err := os.MkdirTemp(in, "cfddns-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return dir
}

// owned makes a directory of a user, as systemd does for a service.
func owned(t *testing.T, uid int) string {
	t.Helper()
	dir := open(t, "/run")
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, uid, uid); err != nil {
		t.Fatal(err)
	}
	return dir
}
