//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

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
	b   *testing.B
	pid int
}

func newMachine(b *testing.B) machine {
	b.Helper()
	sleeper := exec.Command("sleep", "infinity")
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
	return exec.Command("nsenter", append([]string{fmt.Sprintf("--net=/proc/%d/ns/net", m.pid), "--"}, words...)...)
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
		if output, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			b.Fatalf("%s: %v\n%s", words, err, output)
		}
	}
	h.home, h.router = newMachine(b), newMachine(b)
	config := sandbox.Config{Token: scriptToken, IPv4: besideAddress(false, 0), Zones: []sandbox.SeedZone{besideZone(r.IPv6, h.address().String())}}
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

// besideService is a place of the internet, and how many round trips the
// longest of its connections has taken since somebody asked.
type besideService struct {
	service
	line *line

	mu    sync.Mutex // guards trips
	trips []*atomic.Int64
}

// open opens every service, at an address of its own that the hosts file names.
func (h *besideHouse) open() {
	var hosts strings.Builder
	hosts.WriteString("127.0.0.1 localhost\n")
	named := map[string]int{}
	for _, s := range services() {
		n, known := named[s.host]
		if !known {
			n = len(named) + 1
			named[s.host] = n
		}
		addresses := []string{s.host}
		if net.ParseIP(s.host) == nil {
			addresses = []string{fmt.Sprintf("23.0.0.%d", n)}
			if h.run.IPv6 {
				addresses = append(addresses, fmt.Sprintf("2a02:100::%d", n))
			}
		}
		for _, address := range addresses {
			h.stand(s, address)
			if !known && address != s.host {
				fmt.Fprintln(&hosts, address, s.host)
			}
		}
	}
	h.lay("/etc/hosts", hosts.String())
	h.lay("/etc/resolv.conf", "nameserver "+homeResolver+"\n")
}

// lay lays a file of ours over one of the system, for this home only.
func (h *besideHouse) lay(over, text string) {
	ours := filepath.Join(h.dir, filepath.Base(over))
	if err := os.WriteFile(ours, []byte(text), 0o644); err != nil {
		h.b.Fatal(err)
	}
	if err := syscall.Mount(ours, over, "", syscall.MS_BIND, ""); err != nil {
		h.b.Fatalf("lay %s over %s: %v", ours, over, err)
	}
	h.b.Cleanup(func() { _ = syscall.Unmount(over, 0) })
}

// stand opens one service at an address.
func (h *besideHouse) stand(s service, address string) {
	family, width := "4", "32"
	if strings.Contains(address, ":") {
		family, width = "6", "128 nodad"
	}
	machine{h.b, os.Getpid()}.do("ip -" + family + " addr replace " + address + "/" + width + " dev lo")
	trip := echoTrip
	if s.host == "api.cloudflare.com" {
		trip = apiTrip
	}
	for _, network := range s.networks {
		place := &besideService{service: s, line: &line{trip: trip, open: map[io.Closer]struct{}{}}}
		h.services = append(h.services, place)
		at := net.JoinHostPort(address, s.port)
		switch network {
		case "udp":
			socket, err := net.ListenPacket("udp", at)
			if err != nil {
				h.b.Fatal(err)
			}
			place.line.keep(socket)
			place.line.busy.Go(func() { h.servePackets(place, socket, "udp"+family) })
		case "tcp":
			listener, err := net.Listen("tcp", at)
			if err != nil {
				h.b.Fatal(err)
			}
			place.line.keep(listener)
			place.line.busy.Go(func() { h.serveConns(place, listener, "tcp"+family) })
		}
		h.b.Cleanup(place.line.close)
	}
}

// dial reaches the place of the sandbox that a service stands for, as the
// machine whose address was seen.
func (h *besideHouse) dial(place *besideService, network string, from net.Addr) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	seen, err := netip.ParseAddrPort(from.String())
	if err != nil {
		return nil, err
	}
	return h.world.WorldFrom(seen.Addr().Unmap()).Dial(ctx, network, net.JoinHostPort(place.host, place.port))
}

func (h *besideHouse) serveConns(place *besideService, listener net.Listener, network string) {
	for {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		far, err := h.dial(place, network, near.RemoteAddr())
		if err != nil {
			near.Close()
			continue
		}
		l, visitor := place.line, &turning{Conn: near, trips: place.opened()}
		if !l.keep(visitor) || !l.keep(far) {
			return
		}
		l.busy.Go(func() {
			<-time.After(l.trip) // the veth has opened the connection at once
			l.carry(far, visitor, 0)
		})
		l.busy.Go(func() { l.carry(visitor, far, l.trip) })
	}
}

func (h *besideHouse) servePackets(place *besideService, socket net.PacketConn, network string) {
	buffer := make([]byte, 64<<10)
	for {
		n, visitor, err := socket.ReadFrom(buffer)
		if err != nil {
			return
		}
		question := append([]byte(nil), buffer[:n]...)
		place.line.busy.Go(func() { h.relay(place, socket, visitor, network, question) })
	}
}

// relay brings one datagram to the service, and its answer back. Where no
// answer comes it gives up.
func (h *besideHouse) relay(place *besideService, socket net.PacketConn, visitor net.Addr, network string, question []byte) {
	far, err := h.dial(place, network, visitor)
	if err != nil || !place.line.keep(far) {
		return
	}
	defer place.line.drop(far)
	_ = far.SetDeadline(time.Now().Add(10 * time.Second))
	answer := make([]byte, 64<<10)
	if _, err := far.Write(question); err != nil {
		return
	}
	n, err := far.Read(answer)
	if err != nil {
		return
	}
	<-time.After(place.line.trip)
	_, _ = socket.WriteTo(answer[:n], visitor)
}

// opened notes a connection: it took one round trip to open.
func (s *besideService) opened() *atomic.Int64 {
	trips := new(atomic.Int64)
	trips.Store(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trips = append(s.trips, trips)
	return trips
}

// longest returns the round trips of the longest connection, and forgets all.
func (s *besideService) longest() (longest int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, trips := range s.trips {
		longest = max(longest, trips.Load())
	}
	s.trips = nil
	return longest
}

// turning counts how often a visitor speaks after the service has spoken.
type turning struct {
	net.Conn
	trips    *atomic.Int64
	answered atomic.Bool // who spoke last
	spoken   atomic.Bool
}

// Read reads what the visitor says.
func (t *turning) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	if n > 0 && (!t.spoken.Swap(true) || t.answered.Load()) {
		t.answered.Store(false)
		t.trips.Add(1)
	}
	return n, err
}

// Write writes what the service says.
func (t *turning) Write(p []byte) (int, error) {
	t.answered.Store(true)
	return t.Conn.Write(p)
}

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
