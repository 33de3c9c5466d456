//go:build linux

package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// A service is a place of the internet, as the program knows it: a host name
// or a literal address, and a port.
type service struct {
	host, port string
	networks   []string
}

// services are all that the default configuration talks to, and that the
// doctor asks by name.
func services() []service {
	tcp, udp, both := []string{"tcp"}, []string{"udp"}, []string{"udp", "tcp"}
	var all []service
	for _, host := range []string{
		"api.cloudflare.com", "checkip.amazonaws.com", "checkip.global.api.aws", "whatismyip.akamai.com",
		"v4.ident.me", "v6.ident.me", "checkipv4.dedyn.io", "checkipv6.dedyn.io", "ipv4.nsupdate.info", "ipv6.nsupdate.info",
		"api4.ipify.org", "api6.ipify.org", "ip4.nnev.de", "ip6.nnev.de", "cloudflare-dns.com", "dns.google",
		"www.cloudflare.com", "www.cloudflarestatus.com",
		"1.1.1.1", "8.8.8.8", // resolvers that need no DNS
		"104.21.16.1", "172.67.128.1", // the edge, as the nameservers give it
	} {
		all = append(all, service{host, "443", tcp})
	}
	return append(all,
		service{"stun.l.google.com", "19302", udp},
		service{"ada.ns.cloudflare.com", "53", both},
		service{"bob.ns.cloudflare.com", "53", both},
		service{"ns1.duckdns.org", "53", both},
		service{"ns2.duckdns.org", "53", both},
		service{"ns3.duckdns.org", "53", both},
		service{homeResolver, "53", both})
}

// homeResolver is what resolv.conf names. It is not in services by another name.
const homeResolver = "9.9.9.9"

// gateway stands on the real names: each host has an address of its own on
// loopback and a line in the hosts file, and whoever comes there is led to the
// place of the world that it stands for.
type gateway struct {
	t           *testing.T
	world       ddns.World
	ipv6        bool
	hosts, conf string // the files that this namespace has in the place of the system's
	running     sync.WaitGroup
	// at4 and at6 say where names stand: %d is the place in the list of services.
	at4, at6 string
	// seen is the internet as the machine with an address sees it; nil: whoever
	// comes is the home.
	seen func(visitor netip.Addr) ddns.World

	mu    sync.Mutex             // guards the following
	open  map[string][]io.Closer // what stands at a host: listeners and connections
	asked map[string]int         // connections, and peers of datagrams, by host
}

// newGateway makes a gateway at which nothing stands yet: no name resolves.
func newGateway(t *testing.T, world ddns.World, ipv6 bool) *gateway {
	t.Helper()
	g := &gateway{t: t, world: world, ipv6: ipv6, hosts: ownFile(t, "/etc/hosts"), conf: ownFile(t, "/etc/resolv.conf"),
		at4: "23.0.0.%d", at6: "2a02:100::%d", open: map[string][]io.Closer{}, asked: map[string]int{}}
	t.Cleanup(func() {
		for _, s := range services() {
			g.stop(s.host)
		}
		g.running.Wait()
	})
	return g
}

// start opens every service and lets names resolve.
func (g *gateway) start() {
	g.t.Helper()
	for _, s := range services() {
		g.stand(s)
	}
	g.resolve(true)
}

// addresses are where a service stands: a literal at itself, a name at
// addresses that follow from its place in the list.
func (g *gateway) addresses(host string) []string {
	if net.ParseIP(host) != nil {
		return []string{host}
	}
	for i, s := range services() {
		if s.host != host {
			continue
		}
		at := []string{fmt.Sprintf(g.at4, i+1)}
		if g.ipv6 {
			at = append(at, fmt.Sprintf(g.at6, i+1))
		}
		return at
	}
	g.t.Fatalf("no service %s", host)
	return nil
}

// stand opens one service.
func (g *gateway) stand(s service) {
	g.t.Helper()
	for _, address := range g.addresses(s.host) {
		family, width := "4", "32"
		if strings.Contains(address, ":") {
			family, width = "6", "128 nodad"
		}
		mustRun(g.t, "ip -"+family+" addr replace "+address+"/"+width+" dev lo")
		for _, network := range s.networks {
			at, to := net.JoinHostPort(address, s.port), net.JoinHostPort(s.host, s.port)
			if network == "udp" {
				packets, err := net.ListenPacket("udp", at)
				must(g.t, err)
				g.running.Go(func() { g.leadPackets(s.host, packets, network+family, to) })
				g.keep(s.host, packets)
				continue
			}
			listener, err := net.Listen("tcp", at)
			must(g.t, err)
			g.running.Go(func() { g.leadConns(s.host, listener, network+family, to) })
			g.keep(s.host, listener)
		}
	}
}

// stop takes a service away: nothing listens there, and what was connected is cut.
func (g *gateway) stop(host string) {
	g.mu.Lock()
	closers := g.open[host]
	delete(g.open, host)
	g.mu.Unlock()
	for _, c := range closers {
		c.Close()
	}
}

// resolve lets names resolve, or takes away the hosts file and leaves a
// resolver that stays silent.
func (g *gateway) resolve(yes bool) {
	g.t.Helper()
	hosts, conf := "127.0.0.1 localhost\n", "nameserver "+silentResolver+"\n"
	if yes {
		conf = "nameserver " + homeResolver + "\n"
		for _, s := range services() {
			for _, address := range g.addresses(s.host) {
				if address != s.host {
					hosts += address + " " + s.host + "\n"
				}
			}
		}
	}
	must(g.t, os.WriteFile(g.hosts, []byte(hosts), 0o644))
	must(g.t, os.WriteFile(g.conf, []byte(conf), 0o644))
}

// silentResolver is where somebody listens who never answers.
const silentResolver = "127.1.1.1"

// silence puts a resolver there that takes every question and says nothing.
func (g *gateway) silence() {
	g.t.Helper()
	silent, err := net.ListenPacket("udp", silentResolver+":53")
	must(g.t, err)
	g.t.Cleanup(func() { silent.Close() })
}

// keep notes what has to be closed when the service is taken away.
func (g *gateway) keep(host string, c io.Closer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open[host] = append(g.open[host], c)
}

// came counts a visitor of a host.
func (g *gateway) came(host string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked[host]++
}

// visits is how many came to a host.
func (g *gateway) visits(host string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked[host]
}

// dial reaches the place of the world that a service stands for, for a visitor.
func (g *gateway) dial(visitor net.Addr, network, to string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	world := g.world
	if g.seen != nil {
		from, err := netip.ParseAddrPort(visitor.String())
		if err != nil {
			return nil, err
		}
		world = g.seen(from.Addr().Unmap())
	}
	return world.Dial(ctx, network, to)
}

// leadConns ends when the listener is closed.
func (g *gateway) leadConns(host string, listener net.Listener, network, to string) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		g.came(host)
		g.keep(host, conn)
		g.running.Go(func() {
			defer conn.Close()
			far, err := g.dial(conn.RemoteAddr(), network, to)
			if err != nil {
				return // nobody is there: the visitor is cut off
			}
			defer far.Close()
			g.running.Go(func() {
				defer far.Close()
				_, _ = io.Copy(far, conn)
			})
			_, _ = io.Copy(conn, far)
		})
	}
}

// leadPackets ends when the socket is closed. Each peer has its own way to the
// world, so that answers find back.
func (g *gateway) leadPackets(host string, packets net.PacketConn, network, to string) {
	peers := map[string]net.Conn{}
	defer func() {
		for _, far := range peers {
			far.Close()
		}
	}()
	buffer := make([]byte, 65535)
	for {
		n, from, err := packets.ReadFrom(buffer)
		if err != nil {
			return
		}
		far, known := peers[from.String()]
		if !known {
			g.came(host)
			if far, err = g.dial(from, network, to); err != nil {
				continue
			}
			peers[from.String()] = far
			g.running.Go(func() { leadBack(packets, far, from) })
		}
		_, _ = far.Write(buffer[:n])
	}
}

// leadBack ends when the way to the world is closed.
func leadBack(packets net.PacketConn, far net.Conn, to net.Addr) {
	buffer := make([]byte, 65535)
	for {
		n, err := far.Read(buffer)
		if err != nil {
			return
		}
		_, _ = packets.WriteTo(buffer[:n], to)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
