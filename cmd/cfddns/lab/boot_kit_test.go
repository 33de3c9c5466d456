//go:build linux

package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/needs"
)

// A booted system is a real systemd, started by systemd-nspawn on an overlay
// of this machine's own tree: nothing is downloaded, and nothing of this
// machine is written to. It lives in a lab's namespaces, so that the sandbox is
// its internet, and it ends with them, however the test ends.

// needsBoot declares what every boot needs.
func needsBoot(t *testing.T) {
	t.Helper()
	needs.Time(t, "it boots a system")
	needs.Root(t)
	needs.Programs(t, "bash", "ip", "journalctl", "nsenter", "systemctl", "systemd-nspawn")
}

// booting runs a test as root in namespaces of its own, in which systems can be
// booted. It is the whole of the test's body; tests run side by side.
func booting(t *testing.T, program string, run func(t *testing.T)) {
	t.Helper()
	if os.Getenv(labProgram) != "" {
		enterBootRoom(t)
		run(t)
		return
	}
	needsBoot(t)
	groups, room := newCgroups(t), t.TempDir()
	ended := make(chan labEnd, 1)
	go func() { ended <- bootInside(program, t.Name(), room, groups) }() // awaited below
	t.Parallel()
	(<-ended).judge(t)
}

// labCgroups is the variable that names the control groups of a boot.
const labCgroups = "CFDDNS_TEST_CGROUPS"

// bootInside runs a test again, as the root of new namespaces. That of processes
// makes all of them end with it. Its files lie in a directory of ours, which is
// removed even if it is killed.
func bootInside(program, test, room string, groups []string) labEnd {
	again := exec.Command(os.Args[0], onlyTest(test, bootTimeout())...)
	again.Env = append(os.Environ(), labProgram+"="+program, labCgroups+"="+strings.Join(groups, ":"), "TMPDIR="+room)
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:   syscall.CLONE_NEWNET | syscall.CLONE_NEWPID,
		Unshareflags: syscall.CLONE_NEWNS, // what is mounted inside is not seen outside
		Pdeathsig:    syscall.SIGKILL,
	}
	return endOf(again)
}

// labLong is how long a machine stands without a network after its boot, where
// that is to be as long as in life.
const labLong = "LAB_LONG"

// bootTimeout is how long a test may take inside.
func bootTimeout() string {
	if os.Getenv(labLong) != "" {
		return "1h"
	}
	return "10m"
}

// enterBootRoom makes the namespaces fit for a boot.
func enterBootRoom(t *testing.T) {
	t.Helper()
	for group := range strings.SplitSeq(os.Getenv(labCgroups), ":") {
		must(t, os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte("0"), 0o644)) // 0 is whoever writes
	}
	must(t, syscall.Mount("proc", "/proc", "proc", 0, ""))
	must(t, syscall.Mount("run", "/run", "tmpfs", 0, "mode=755")) // nspawn leaves things there
}

// A tree is the root directory of a system that is not booted yet.
type tree struct {
	t    *testing.T
	root string
}

// write lays a file into the tree.
func (r tree) write(path, content string, mode os.FileMode) {
	r.t.Helper()
	at := filepath.Join(r.root, path)
	must(r.t, os.MkdirAll(filepath.Dir(at), 0o755))
	must(r.t, os.RemoveAll(at)) // it may be a link that leads elsewhere
	must(r.t, os.WriteFile(at, []byte(content), mode))
	must(r.t, os.Chmod(at, mode)) // whatever the umask
}

// copy lays a file of this machine into the tree.
func (r tree) copy(from, to string, mode os.FileMode) {
	r.t.Helper()
	content, err := os.ReadFile(from)
	must(r.t, err)
	r.write(to, string(content), mode)
}

// link lays a symbolic link into the tree.
func (r tree) link(to, path string) {
	r.t.Helper()
	at := filepath.Join(r.root, path)
	must(r.t, os.MkdirAll(filepath.Dir(at), 0o755))
	must(r.t, os.RemoveAll(at))
	must(r.t, os.Symlink(to, at))
}

// newTree makes a tree: this machine's, in memory, without the services that
// would start by themselves, and with the lab's names and authority.
func (l *lab) newTree() tree {
	l.Helper()
	memory, root := l.TempDir(), l.TempDir()
	must(l.T, syscall.Mount("tree", memory, "tmpfs", 0, "mode=755"))
	l.Cleanup(func() { must(l.T, syscall.Unmount(memory, syscall.MNT_DETACH)) })
	upper, work := filepath.Join(memory, "upper"), filepath.Join(memory, "work")
	must(l.T, errors.Join(os.Mkdir(upper, 0o755), os.Mkdir(work, 0o755)))
	needs.Kernel(l.T, "an overlay of its own tree", syscall.Mount("tree", root, "overlay", 0, "lowerdir=/,upperdir="+upper+",workdir="+work))
	l.Cleanup(func() { must(l.T, syscall.Unmount(root, syscall.MNT_DETACH)) })
	r := tree{l.T, root}
	r.quieten()
	r.write("/etc/ssl/certs/ca-certificates.crt", string(l.world.PEM()), 0o644)
	return r
}

// quieten takes away what this machine would start.
func (r tree) quieten() {
	r.t.Helper()
	for _, pattern := range []string{"etc/systemd/system/*.wants", "etc/systemd/system/*.requires", "etc/systemd/system/cfddns*", "etc/cfddns", "var/lib/cfddns", "var/lib/private/cfddns"} {
		found, err := filepath.Glob(filepath.Join(r.root, pattern))
		must(r.t, err)
		for _, path := range found {
			must(r.t, os.RemoveAll(path))
		}
	}
	// These would write to the kernel that all systems here share, or need hardware.
	for _, unit := range []string{"systemd-sysctl", "systemd-udevd", "systemd-udev-trigger", "systemd-modules-load", "systemd-binfmt",
		"systemd-timesyncd", "systemd-networkd", "systemd-resolved", "nftables", "postgresql", "getty@tty1", "console-getty", "systemd-firstboot"} {
		r.link("/dev/null", "/etc/systemd/system/"+unit+".service")
	}
	r.write("/etc/machine-id", "cfdd0000000000000000000000000001\n", 0o444) // not the first boot: no presets
	r.write("/etc/fstab", "", 0o644)
	r.write("/etc/hosts", "", 0o644)
	r.write("/etc/resolv.conf", "", 0o644)
}

// system is a booted system.
type system struct {
	l       *lab
	root    string // its tree, as seen from here
	nspawn  *exec.Cmd
	console *voice
	ended   chan struct{}
	leader  int // its first process
}

// bootPatience is how long a boot may take on a machine that is busy. Alone it takes two seconds.
const bootPatience = time.Minute

// boot boots a tree, and waits until the system has nothing left to start.
func (l *lab) boot(r tree) *system {
	l.Helper()
	s := &system{l: l, root: r.root, console: new(voice), ended: make(chan struct{})}
	s.nspawn = needs.Command(l.T, "systemd-nspawn", "--quiet", "--boot", "--directory="+r.root, "--machine=home", "--register=no", "--keep-unit", "--console=passive",
		fmt.Sprintf("--network-namespace-path=/proc/%d/ns/net", os.Getpid()), "--resolv-conf=off", "--timezone=off", "--link-journal=no",
		"--bind="+l.gate.hosts+":/etc/hosts", "--bind="+l.gate.conf+":/etc/resolv.conf")
	s.nspawn.Stdout, s.nspawn.Stderr = s.console, s.console
	must(l.T, s.nspawn.Start())
	go func() { // ends with the system, which the cleanup below waits for
		defer close(s.ended)
		_ = s.nspawn.Wait()
	}()
	l.Cleanup(s.cutPower)
	l.within(bootPatience, "the system has booted", func() bool {
		select {
		case <-s.ended:
			l.Fatalf("the system ended while it booted:\n%s", s.console)
		default:
		}
		s.leader = childOf(s.nspawn.Process.Pid)
		state, _ := s.try("systemctl", "is-system-running")
		return s.leader != 0 && (state == "running" || state == "degraded")
	})
	return s
}

// childOf is a process's youngest child; 0 if there is none.
func childOf(pid int) int {
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid)) // proc(5); it may have ended
	words := strings.Fields(string(children))
	if len(words) == 0 {
		return 0
	}
	child, _ := strconv.Atoi(words[len(words)-1])
	return child
}

// cutPower ends the system at once. What its journal says must not hold the token.
func (s *system) cutPower() {
	journal, code := s.try("journalctl", "--no-pager", "--output=short-monotonic", "--unit=cfddns*")
	if code == 0 && strings.Contains(journal, labToken) {
		s.l.Errorf("the journal holds the token:\n%s", journal)
	}
	if s.l.Failed() && code == 0 {
		s.l.Logf("the journal of cfddns:\n%s", journal)
	}
	if s.leader != 0 {
		_ = syscall.Kill(s.leader, syscall.SIGKILL) // it may have ended
	}
	_ = s.nspawn.Process.Kill()
	<-s.ended
}

// powerOff shuts the system down as a person does, and waits for that.
func (s *system) powerOff() {
	s.l.Helper()
	s.run("systemctl", "--no-block", "poweroff")
	select {
	case <-s.ended:
	case <-time.After(busy * bootPatience):
		s.l.Fatalf("the system does not shut down:\n%s", s.console)
	}
}

// inside is a command that runs in the system, as its root. The system has the
// programs of this machine, and what was installed in it.
func (s *system) inside(words ...string) *exec.Cmd {
	s.l.Helper()
	if words[0] != "cfddns" {
		needs.Program(s.l.T, words[0])
	}
	cmd := needs.Command(s.l.T, "nsenter", append([]string{fmt.Sprintf("--target=%d", s.leader), "--all", "--"}, words...)...)
	cmd.WaitDelay = time.Second // what it leaves behind in the system does not hold us up
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "SYSTEMD_COLORS=0", "SYSTEMD_PAGER="}
	return cmd
}

// try runs a command in the system, and returns what it printed and its exit code.
func (s *system) try(words ...string) (output string, code int) {
	printed, err := s.inside(words...).CombinedOutput()
	if ended, coded := errors.AsType[*exec.ExitError](err); coded {
		code = ended.ExitCode()
	} else if err != nil {
		code = -1
	}
	return strings.TrimSpace(string(printed)), code
}

// run runs a command in the system, and fails if it ends with another code than 0.
func (s *system) run(words ...string) string {
	s.l.Helper()
	output, code := s.try(words...)
	if code != 0 {
		s.l.Fatalf("%s ended with %d:\n%s", strings.Join(words, " "), code, output)
	}
	return output
}

// script runs a shell script in the system, with something to read.
func (s *system) script(text, stdin string) string {
	s.l.Helper()
	cmd := s.inside("bash", "-euo", "pipefail", "-c", text)
	cmd.Stdin = bytes.NewReader([]byte(stdin))
	output, err := cmd.CombinedOutput()
	if err != nil {
		s.l.Fatalf("%v:\n%s\nit said:\n%s", err, text, output)
	}
	return strings.TrimSpace(string(output))
}

// write lays a file into the running system.
func (s *system) write(path, content string, mode os.FileMode) {
	s.l.Helper()
	s.script(fmt.Sprintf("mkdir -p %q; install -m %o /dev/stdin %q", filepath.Dir(path), mode, path), content)
}

// process is the number by which this side knows a process of the system, 0 if it does not.
func (s *system) process(inside string) int {
	tables, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, table := range tables {
		status, _ := os.ReadFile(table) // it may have ended
		_, numbers, _ := strings.Cut(string(status), "\nNSpid:")
		numbers, _, _ = strings.Cut(numbers, "\n")
		if words := strings.Fields(numbers); len(words) == 2 && words[1] == inside { // pid_namespaces(7)
			pid, _ := strconv.Atoi(words[0])
			return pid
		}
	}
	return 0
}

// show is a property of a unit.
func (s *system) show(unit, property string) string {
	s.l.Helper()
	return s.run("systemctl", "show", "--value", "--property="+property, unit)
}

// journal is what a unit and its manager have said.
func (s *system) journal(unit string) string {
	s.l.Helper()
	return s.run("journalctl", "--no-pager", "--output=cat", "--unit="+unit)
}

// waits until a property of a unit holds something.
func (s *system) waits(unit, property, value string) time.Duration {
	s.l.Helper()
	return s.l.within(30*time.Second, unit+": "+property+" is "+value, func() bool { return s.show(unit, property) == value })
}

// bootProgram is the program that the systems run: built outside, named inside.
func bootProgram(t *testing.T) string {
	t.Helper()
	if inside := os.Getenv(labProgram); inside != "" {
		return inside
	}
	needsBoot(t)
	return buildProgram(t)
}
