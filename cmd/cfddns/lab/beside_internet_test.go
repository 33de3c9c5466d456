//go:build linux

package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

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
	if n > 0 && !asksNothing(p[:n]) && (!t.spoken.Swap(true) || t.answered.Load()) {
		t.answered.Store(false)
		t.trips.Add(1)
	}
	return n, err
}

// asksNothing reports whether these bytes are TLS's own and wait for no answer:
// the end of a client's handshake, ChangeCipherSpec and Finished, of 80 bytes at
// most, after which a server sends tickets for another day; and the alert that
// closes a connection, of 24 (RFC 8446, sections 2, 5.2, 6.1 and D.4).
func asksNothing(said []byte) bool {
	return said[0] == 20 && len(said) <= 80 || said[0] == 23 && len(said) <= 24
}

// Write writes what the service says.
func (t *turning) Write(p []byte) (int, error) {
	t.answered.Store(true)
	return t.Conn.Write(p)
}
