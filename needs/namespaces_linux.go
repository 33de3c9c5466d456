package needs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Namespaces declares namespaces of its own, such as syscall.CLONE_NEWNET, and
// returns what starts a process as their root. They belong to a new namespace of
// users, so that no root is needed where those are allowed.
func Namespaces(t testing.TB, kinds uintptr) *syscall.SysProcAttr {
	t.Helper()
	allowed.Lock()
	defer allowed.Unlock()
	err, tried := allowed.kinds[kinds]
	if !tried {
		err = tryNamespaces(kinds)
		allowed.kinds[kinds] = err
	}
	if err != nil {
		Missing(t, "this machine does not allow namespaces of its own: %v", err)
	}
	return newNamespaces(kinds)
}

// allowed is what has been tried.
var allowed = struct {
	sync.Mutex
	kinds map[uintptr]error
}{kinds: map[uintptr]error{}}

func newNamespaces(kinds uintptr) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | kinds,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
}

// probing names the variable that has the test binary try namespaces.
const probing = "CFDDNS_TEST_NAMESPACES"

// tryNamespaces has a process do in namespaces what tests do there. Ubuntu 24.04
// lets anybody make them, and its AppArmor then takes every right away.
func tryNamespaces(kinds uintptr) error {
	try := exec.CommandContext(context.Background(), "/proc/self/exe")
	try.Env = append(os.Environ(), fmt.Sprintf("%s=%d", probing, kinds))
	try.SysProcAttr = newNamespaces(kinds)
	output, err := try.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(output)))
	}
	return nil
}

func init() {
	kinds, err := strconv.ParseUint(os.Getenv(probing), 10, 64)
	if err != nil {
		return // this process runs tests
	}
	err = nil
	if kinds&syscall.CLONE_NEWNET != 0 {
		err = raiseLoopback()
	}
	if kinds&syscall.CLONE_NEWNS != 0 {
		err = errors.Join(err, syscall.Mount("none", "/tmp", "tmpfs", 0, ""))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func raiseLoopback() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("a socket: %w", err)
	}
	defer unix.Close(socket)
	loopback, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	loopback.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, loopback); err != nil {
		return fmt.Errorf("raise the loopback interface: %w", err)
	}
	return nil
}
