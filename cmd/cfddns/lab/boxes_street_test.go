//go:build linux

package lab

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
)

// newWideLab makes a world in which machines have addresses of their own: the
// namespace of this process is the internet, and every service in it answers by
// the address that it sees.
func newWideLab(t *testing.T, c sandbox.Config) *lab {
	t.Helper()
	if os.Getenv(labProgram) != "" {
		must(t, syscall.Mount("proc", "/proc", "proc", 0, "")) // processes are found by their number in here
	}
	l := newDarkLab(t, c)
	l.gate.at4, l.gate.at6, l.gate.seen = "23.0.0.%d", "2a02:100::%d", l.world.WorldFrom
	l.gate.start()
	return l
}

// An uplink is a machine with a line to the internet, whose address it holds
// itself, and the router of those behind it.
type uplink struct {
	*box
	l       *lab
	address netip.Addr
	lans    int
}

// uplinkProvider is the provider's end of every line.
const uplinkProvider = "45.64.0.1"

// uplink lays a line to a new machine.
func (l *lab) uplink(name, address string) *uplink {
	l.Helper()
	u := &uplink{box: l.box(name, newMachine(l.T)), l: l, address: netip.MustParseAddr(address)}
	internet := machine{l.T, os.Getpid()}
	internet.do(fmt.Sprintf(`ip link add %s type veth peer name wan0 netns %d
		ip link set %[1]s up
		ip addr add %[3]s/32 dev %[1]s
		ip route add %[4]s/32 dev %[1]s`, name, u.pid, uplinkProvider, address))
	u.do(fmt.Sprintf(`ip link set wan0 up
		ip addr add %s/32 dev wan0
		ip route add %s dev wan0
		ip route add default via %[2]s`, address, uplinkProvider))
	return u
}

// home puts a machine behind the router, which translates for it.
func (u *uplink) home(name string) *box {
	u.l.Helper()
	b := u.l.box(name, newMachine(u.l.T))
	u.lans++
	u.do(fmt.Sprintf(`iptables -t nat -A POSTROUTING -o wan0 -s 192.168.%[1]d.0/24 -j MASQUERADE
		ip link add lan%[1]d type veth peer name eth0 netns %[2]d
		ip link set lan%[1]d up
		ip addr add 192.168.%[1]d.1/24 dev lan%[1]d`, u.lans, b.pid))
	b.do(fmt.Sprintf(`ip link set eth0 up
		ip addr add 192.168.%[1]d.10/24 dev eth0
		ip route add default via 192.168.%[1]d.1`, u.lans))
	return b
}

// move gives the line another address, and returns it.
func (u *uplink) move(address string) string {
	u.l.Helper()
	old := u.address
	u.address = netip.MustParseAddr(address)
	machine{u.l.T, os.Getpid()}.do("ip route add " + address + "/32 dev " + u.name)
	batch := u.inside("ip", "-batch", "-")
	batch.Stdin = strings.NewReader("addr add " + address + "/32 dev wan0\naddr del " + old.String() + "/32 dev wan0\nroute replace default via " + uplinkProvider + "\n")
	if output, err := batch.CombinedOutput(); err != nil {
		u.l.Fatalf("move to %s: %v\n%s", address, err, output)
	}
	return address
}

// A box is a machine that runs the program, with a directory of its own.
type box struct {
	machine
	l    *lab
	name string
	dir  string
	env  []string
}

func (l *lab) box(name string, m machine) *box {
	l.Helper()
	b := &box{machine: m, l: l, name: name, dir: filepath.Join(l.dir, name)}
	must(l.T, os.Mkdir(b.dir, 0o700))
	b.env = append(append([]string{}, l.env...), "HOME="+b.dir, "CFDDNS_STATE="+b.state(), "CFDDNS_PROBE=5s")
	return b
}

func (b *box) state() string { return filepath.Join(b.dir, "state") }

// set adds to the environment of the programs that are started from now on.
func (b *box) set(name, value string) { b.env = append(b.env, name+"="+value) }

// start runs the program on the box.
func (b *box) start(args ...string) *program {
	b.l.Helper()
	cmd := b.inside(append([]string{os.Getenv(labProgram)}, args...)...)
	cmd.Dir, cmd.Env = b.dir, b.env
	return b.l.launch(cmd)
}

// status is how the box's daemon stands; the zero value if none answers.
func (b *box) status() (report standing) {
	b.l.Helper()
	p := b.start("status", "--output", "json")
	<-p.ended
	_ = json.Unmarshal([]byte(p.stdout.String()), &report)
	return report
}

// agrees reports whether the box's daemon found the name right, or put it
// right, at an address, in its last round.
func (b *box) agrees(address string) bool {
	b.l.Helper()
	r := b.status().Round
	if r == nil || len(r.Verdicts) != 1 || r.Verdicts[0].Address != address || len(r.Targets) != 1 {
		return false
	}
	return r.Targets[0].State == ddns.Right || r.Targets[0].State == ddns.Changed
}

// agree waits until all of them do.
func (l *lab) agree(most time.Duration, address string, boxes ...*box) {
	l.Helper()
	for _, b := range boxes {
		l.within(most, b.name+" says that "+address+" is right", func() bool { return b.agrees(address) })
	}
}
