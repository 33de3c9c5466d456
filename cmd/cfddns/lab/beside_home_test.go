//go:build linux

package lab

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/needs"
	"github.com/cfddns/cfddns/sandbox"
)

// A besideHouse is one home, and its internet:
//
//	the home ──eth0 lan0── the router ──wan0 inet0── the internet
//
// The router translates addresses with netfilter, IPv6 too, unless the home has
// a prefix of its own. In the internet, which is the namespace of this process,
// every service has an address and stands behind a line that makes it as far
// away as a real one. It answers by the address that it sees.
type besideHouse struct {
	b            *testing.B
	run          besideRun
	world        *sandbox.Sandbox
	home, router machine
	dir          string
	env          []string
	at           int // how often the home has moved
	services     []*besideService
}

// machine is a network namespace, kept by a process that sleeps in it.
type machine struct {
	b   testing.TB
	pid int
}

func newMachine(b testing.TB) machine {
	b.Helper()
	sleeper := needs.Command(b, "sleep", "infinity")
	sleeper.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := sleeper.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = sleeper.Process.Kill()
		_ = sleeper.Wait()
	})
	m := machine{b, sleeper.Process.Pid}
	m.do(besideSysctls + "ip link set lo up")
	return m
}

// besideSysctls make a machine a router.
const besideSysctls = "sysctl -q -w net.ipv4.ip_forward=1\nsysctl -q -w net.ipv6.conf.all.forwarding=1\n"

// inside is a command that runs on the machine.
func (m machine) inside(words ...string) *exec.Cmd {
	m.b.Helper()
	if len(words) > 0 && !filepath.IsAbs(words[0]) { // what has a path is made by the test itself
		needs.Program(m.b, words[0])
	}
	return needs.Command(m.b, "nsenter", append([]string{fmt.Sprintf("--net=/proc/%d/ns/net", m.pid), "--"}, words...)...)
}

// do runs one command a line on the machine.
func (m machine) do(lines string) {
	m.b.Helper()
	for words := range commands(lines) {
		if output, err := m.inside(words...).CombinedOutput(); err != nil {
			m.b.Fatalf("%s: %v\n%s", words, err, output)
		}
	}
}

// commands yields the words of each line that has some.
func commands(lines string) func(func([]string) bool) {
	return func(yield func([]string) bool) {
		for l := range strings.Lines(lines) {
			if words := strings.Fields(l); len(words) > 0 && !yield(words) {
				return
			}
		}
	}
}

// besideProvider is the address of the provider's side of the line.
const besideProvider = "45.64.0.1"

// besideAddress is the home's address after so many moves.
func besideAddress(ipv6 bool, moves int) netip.Addr {
	if ipv6 {
		return netip.AddrFrom16([16]byte{0x2a, 0x01, 0x04, 0xf8, byte(moves >> 8), byte(moves), 0, 1, 15: 0x10})
	}
	return netip.AddrFrom4([4]byte{45, 67, byte(moves), 10})
}

func newBesideHome(b *testing.B, r besideRun) *besideHouse {
	b.Helper()
	h := &besideHouse{b: b, run: r, dir: b.TempDir()}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		b.Fatalf("mount /proc: %v", err) // the programs' numbers are those of this namespace
	}
	for words := range commands(besideSysctls + "ip link set lo up") {
		if output, err := needs.Command(b, words[0], words[1:]...).CombinedOutput(); err != nil {
			b.Fatalf("%s: %v\n%s", words, err, output)
		}
	}
	h.home, h.router = newMachine(b), newMachine(b)
	config := sandbox.Config{Token: labToken, IPv4: besideAddress(false, 0), Zones: []sandbox.SeedZone{besideZone(r.IPv6, h.address().String())}}
	if r.IPv6 {
		config.IPv6 = h.address()
	}
	var err error
	if h.world, err = sandbox.Start(config); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(h.world.Close)
	h.wire()
	h.open()
	roots := filepath.Join(h.dir, "roots.pem")
	h.write(roots, string(h.world.PEM()))
	h.env = []string{"HOME=" + h.dir, "PATH=" + os.Getenv("PATH"), "SSL_CERT_FILE=" + roots}
	return h
}

// address is the address that the record should hold.
func (h *besideHouse) address() netip.Addr { return besideAddress(h.run.IPv6, h.at) }

// ownPrefix reports whether the home has global IPv6 addresses itself.
func (h *besideHouse) ownPrefix() bool { return h.run.IPv6 && h.run.Way == byKernel }

func (h *besideHouse) write(path, text string) {
	h.b.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.b.Fatal(err)
	}
}

// wire lays the cables. No packet is larger than the line takes, so that all
// are counted; both ends of the provider's line know each other, so that no
// search for neighbours is.
func (h *besideHouse) wire() {
	const far, near = "02:00:00:00:00:01", "02:00:00:00:00:02"
	internet := machine{h.b, os.Getpid()}
	internet.do(fmt.Sprintf(`ip link add inet0 address %s type veth peer name wan0 address %s netns %d
		ip link set inet0 up gso_max_segs 1
		ip addr add %s/32 dev inet0
		ip neigh add 45.64.0.2 lladdr %[2]s dev inet0 nud permanent
		ip route add 45.67.0.0/16 via 45.64.0.2 dev inet0 onlink
		ip -6 addr add fe80::1/64 dev inet0 nodad
		ip -6 neigh add fe80::2 lladdr %[2]s dev inet0 nud permanent
		ip -6 route add 2a01:4f8::/32 via fe80::2 dev inet0`, far, near, h.router.pid, besideProvider))
	h.router.do(fmt.Sprintf(`ip link add lan0 type veth peer name eth0 netns %d
		ip link set lan0 up
		ip link set wan0 up gso_max_segs 1
		ip addr add 192.168.1.1/24 dev lan0
		ip -6 addr add fe80::1/64 dev lan0 nodad
		ip -6 addr add fe80::2/64 dev wan0 nodad
		ip addr add %s/32 dev wan0
		ip neigh add %s lladdr %s dev wan0 nud permanent
		ip -6 neigh add fe80::1 lladdr %[4]s dev wan0 nud permanent
		ip route add %[3]s dev wan0
		ip route add default via %[3]s
		ip -6 route add default via fe80::1 dev wan0
		iptables -t nat -A POSTROUTING -o wan0 -j MASQUERADE`, h.home.pid, besideAddress(false, 0), besideProvider, far))
	h.home.do(`ip link set eth0 up gso_max_segs 1
		ip addr add 192.168.1.10/24 dev eth0
		ip route add default via 192.168.1.1`)
	switch {
	case h.ownPrefix():
		h.router.do("ip -6 route add " + prefixOf(h.address()) + " dev lan0")
		h.home.do("ip -6 addr add " + h.address().String() + "/64 dev eth0 nodad\nip -6 route add default via fe80::1 dev eth0")
	case h.run.IPv6:
		h.router.do("ip -6 addr add fd00:1::1/64 dev lan0 nodad\nip -6 addr add " + h.address().String() + "/128 dev wan0 nodad\nip6tables -t nat -A POSTROUTING -o wan0 -j MASQUERADE")
		h.home.do("ip -6 addr add fd00:1::10/64 dev eth0 nodad\nip -6 route add default via fe80::1 dev eth0")
	}
}

func prefixOf(a netip.Addr) string { return netip.PrefixFrom(a, 64).Masked().String() }

// right reports whether exactly one record stands at the name, and holds the
// home's address. No call is counted for that.
func (h *besideHouse) right() bool {
	h.b.Helper()
	response, err := http.Get(h.world.Info().Control + "/world")
	if err != nil {
		h.b.Fatal(err)
	}
	defer response.Body.Close()
	var world struct{ Records map[string][]record }
	if err := json.NewDecoder(response.Body).Decode(&world); err != nil {
		h.b.Fatal(err)
	}
	n, right := 0, false
	for _, zone := range world.Records {
		for _, r := range zone {
			if r["name"] == labName {
				n, right = n+1, r["content"] == h.address().String()
			}
		}
	}
	return n == 1 && right
}

// wait waits until something is so.
func (h *besideHouse) wait(what string, so func() bool) {
	h.b.Helper()
	patience := time.After(time.Minute)
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for !so() {
		select {
		case <-look.C:
		case <-patience:
			h.b.Fatalf("not within a minute: %s", what)
		}
	}
}

// move gives the home another address, and returns when that began.
func (h *besideHouse) move() time.Time {
	old := h.address()
	h.at++
	address := h.address()
	if h.run.IPv6 {
		h.world.SetWAN(besideAddress(false, 0), address)
	} else {
		h.world.SetWAN(address, netip.Addr{})
	}
	orders, at := "addr add "+address.String()+"/32 dev wan0\naddr del "+old.String()+"/32 dev wan0\n", h.router
	switch {
	case h.ownPrefix(): // the prefix leads nowhere from now on, and what comes with the next advertisement tells the home
		h.router.do("ip -6 route del " + prefixOf(old) + " dev lan0\nip -6 route add " + prefixOf(address) + " dev lan0")
		orders, at = "addr add "+address.String()+"/64 dev eth0 nodad\naddr change "+old.String()+"/64 dev eth0 preferred_lft 0\n", h.home
	case h.run.IPv6:
		orders = "addr add " + address.String() + "/128 dev wan0 nodad\naddr del " + old.String() + "/128 dev wan0\n"
	}
	batch := at.inside("ip", "-batch", "-")
	batch.Stdin = strings.NewReader(orders)
	began := time.Now()
	if output, err := batch.CombinedOutput(); err != nil {
		h.b.Fatalf("%s: %v\n%s", orders, err, output)
	}
	return began
}
