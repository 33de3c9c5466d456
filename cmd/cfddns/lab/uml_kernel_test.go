//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/needs"
)

// Some scenarios need what the kernel of the machine may not have, or does not
// let be changed: PPP, and a clock. They run in user-mode Linux, which is a
// program: its root is ours, to be read only, and it is gone with its process.
// https://docs.kernel.org/virt/uml/user_mode_linux_howto_v2.html

// ownKernel begins the name of a scenario that has a kernel of its own.
const ownKernel = "in a kernel of its own: "

// hasKernel reports whether a scenario has one.
func (s scenario) hasKernel() bool { return strings.HasPrefix(s.name, ownKernel) }

// needsUML declares what such a kernel needs, and what umlBoots starts.
func needsUML(t *testing.T) {
	t.Helper()
	needs.Programs(t, "busybox", "ip", "linux.uml", "unshare")
	needs.File(t, "/usr/lib/uml/modules")
}

// umlModules are loaded where it boots, in this order.
func umlModules() []string {
	return []string{"lib/crc-ccitt", "net/ipv6/ipv6", "drivers/net/veth", "drivers/net/slip/slhc", "drivers/net/ppp/ppp_generic",
		"drivers/net/ppp/ppp_async", "drivers/net/ppp/pppox", "drivers/net/ppp/pppoe"}
}

// umlBoots is what init does first. mount(8) would become its owner, who is not
// root in there, if somebody else runs the kernel.
const umlBoots = `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TMPDIR=/run
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mount -t tmpfs run /run
mkdir -p /dev/pts
busybox mount -t devpts pts /dev/pts
ip link set lo up
`

// umlCommand boots a kernel that runs a script, and ends with it. Arguments are
// the kernel's own. It is killed as one: a kernel has several processes.
func umlCommand(ctx context.Context, script string, arguments ...string) (*exec.Cmd, error) {
	trees, err := filepath.Glob("/usr/lib/uml/modules/*/kernel")
	if err != nil || len(trees) != 1 {
		return nil, fmt.Errorf("user-mode Linux has these modules: %v, %w", trees, err)
	}
	boots := umlBoots
	for _, module := range umlModules() {
		boots += "busybox insmod " + trees[0] + "/" + module + ".ko\n"
	}
	init := filepath.Join(filepath.Dir(script), "init-"+filepath.Base(script))
	if err := os.WriteFile(init, []byte(boots+". "+script+"\nbusybox poweroff -f\n"), 0o700); err != nil {
		return nil, err
	}
	words := append([]string{"unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "linux.uml", "mem=320M", "root=/dev/root",
		"rootfstype=hostfs", "rootflags=/", "ro", "init=" + init, "con=null", "con0=null,fd:1", "quiet"}, arguments...)
	boot := exec.CommandContext(ctx, words[0], words[1:]...) // see needsUML
	boot.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return boot, nil
}

// runInUML is runInside, with another kernel.
func runInUML(program, test string) labEnd {
	dir, err := os.MkdirTemp("", "cfddns-uml-")
	if err != nil {
		return labEnd{err: err}
	}
	defer os.RemoveAll(dir) // it is temporary anyway
	script := filepath.Join(dir, "scenario")
	run := fmt.Sprintf("export CI=%t %s=%s\ncd /run\n%s '%s'\n", needs.CI(), labProgram, program, os.Args[0], strings.Join(onlyTest(test, "10m"), "' '"))
	if err := os.WriteFile(script, []byte(run), 0o600); err != nil {
		return labEnd{err: err}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 11*time.Minute)
	defer cancel()
	boot, err := umlCommand(ctx, script)
	if err != nil {
		return labEnd{err: err}
	}
	end := endOf(boot)
	end.err = errors.Join(end.err, ctx.Err())
	return end
}

// setClock sets the clock of a kernel of our own.
func setClock(t *testing.T, to time.Time) {
	t.Helper()
	cpu, err := os.ReadFile("/proc/cpuinfo")
	must(t, err)
	if !strings.Contains(string(cpu), "User Mode Linux") {
		t.Fatal("this is the machine's own clock; it stays as it is")
	}
	must(t, syscall.Settimeofday(&syscall.Timeval{Sec: to.Unix()}))
}
