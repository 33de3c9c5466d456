//go:build linux

package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/needs"
)

// A pppoeLine is a DSL line: the provider's access concentrator in the internet,
// and a box that dials in and holds the address.
type pppoeLine struct {
	*box
	l        *lab
	provider *program
	dialler  *program
}

// pppoeOptions are the provider's. A line without an echo for five seconds is
// dead (LCP, RFC 1661, section 5.8); real lines take a minute.
const pppoeOptions = "noauth\nnoipv6\nlcp-echo-interval 1\nlcp-echo-failure 5\nlogfile /run/provider.log\n"

func newPPPoELine(l *lab) *pppoeLine {
	l.Helper()
	needs.Programs(l.T, "pppoe", "pppoe-server")
	pppd, err := os.Stat(needs.Program(l.T, "pppd"))
	must(l.T, err)
	if pppd.Mode()&os.ModeSetuid != 0 && pppd.Sys().(*syscall.Stat_t).Uid != 0 {
		needs.Missing(l.T, "pppd becomes its owner, who is not root in here")
	}
	l.look = 100 * time.Millisecond // a kernel of one's own is slow, and looking costs time too
	p := &pppoeLine{box: l.box("firewall", newMachine(l.T)), l: l}
	machine{l.T, os.Getpid()}.do(fmt.Sprintf("ip link add ac0 type veth peer name dsl0 netns %d\nip link set ac0 up", p.pid))
	p.do("ip link set dsl0 up")
	return p
}

// provide starts the provider, who gives this address to who dials in.
func (p *pppoeLine) provide(address string) {
	p.l.Helper()
	options := filepath.Join(p.dir, "provider.options")
	must(p.l.T, os.WriteFile(options, []byte(pppoeOptions), 0o600))
	p.provider = p.l.launch(needs.Command(p.l.T, "unshare", "--pid", "--fork", "--kill-child", // it has children, which are to end with it
		"pppoe-server", "-F", "-I", "ac0", "-L", uplinkProvider, "-R", address, "-N", "1", "-O", options))
}

// dial starts the box's dialler, which dials again whenever the line is dead.
func (p *pppoeLine) dial() {
	p.l.Helper()
	p.dialler = p.l.launch(p.inside("pppd", "plugin", "pppoe.so", "dsl0", "user", "home", "noauth", "noipv6", "noipdefault", "defaultroute",
		"nodetach", "persist", "maxfail", "0", "holdoff", "1", "lcp-echo-interval", "1", "lcp-echo-failure", "5"))
}

// kill ends a program as a power cut does.
func (p *program) kill() { p.killAfter(0) }

// has waits until the box has an address.
func (m machine) has(l *lab, address string) {
	l.Helper()
	l.within(30*time.Second, "the line has "+address, func() bool {
		routes, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/fib_trie", m.pid))
		return err == nil && strings.Contains(string(routes), " "+address+"\n")
	})
}

// follows waits until the record holds an address, and says how long that took
// since the line had it.
func (p *pppoeLine) follows(what, address string) {
	p.l.Helper()
	p.has(p.l, address)
	took := p.l.within(20*time.Second, what+": the record follows", func() bool { return p.l.holds(labName, address) })
	p.l.Logf("%s: the record is right %s after the line has the address", what, took.Round(time.Millisecond))
}

// The box holds ppp0. It was up before the line; then the provider has a power
// cut; then the box has one, and its line is up before its program.
func linePPPoE(t *testing.T) {
	l := newWideLab(t, oldRecord())
	p := newPPPoELine(l)
	p.set("CFDDNS_PROBE", "0") // the kernel alone tells
	p.set("CFDDNS_SCHEDULE", "@every 6h")
	d := p.start("run", "--log-level", "debug")
	l.within(10*time.Second, "a round without a line", func() bool { return strings.Contains(d.stderr.String(), "network is unreachable") })
	l.wantHolds(labName, labOld)

	p.provide(lineAfter(0))
	p.dial()
	p.follows("the line comes after the box", lineAfter(0))

	p.provider.kill()
	p.provide(lineAfter(1))
	p.follows("the provider had a power cut", lineAfter(1))

	d.kill()
	p.dialler.kill()
	p.provider.kill()
	p.provide(lineAfter(2))
	p.dial()
	p.has(l, lineAfter(2))
	p.start("run", "--log-level", "debug")
	p.follows("the line comes before the program", lineAfter(2))
	l.agree(20*time.Second, lineAfter(2), p.box)
	if _, writes := l.calls(); writes != 3 {
		t.Errorf("%d writes for 3 addresses", writes)
	}
}
