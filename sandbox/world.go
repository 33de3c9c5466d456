package sandbox

import (
	"cmp"
	"context"
	"crypto/x509"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/cfddns/cfddns/ddns"
)

// World returns the internet as the home sees it: every host that cfddns
// talks to is answered by the sandbox, under its real name and with TLS that
// the authority's roots verify. Whoever dials anything else finds no such host.
func (s *Sandbox) World() ddns.World { return &world{s} }

type world struct{ s *Sandbox }

// From implements ddns.World. The sandbox does not mind which of its own
// addresses the home dials from.
func (w *world) From(netip.Addr) ddns.World { return w }

// Roots implements ddns.World.
func (w *world) Roots() *x509.CertPool { return w.s.authority.pool() }

// Lookup implements ddns.Resolver: it resolves a name as the home's machine would.
func (w *world) Lookup(ctx context.Context, f ddns.Family, host string) ([]netip.Addr, error) {
	return w.s.lookup(ctx, hostName(host), family(f))
}

// Dial implements ddns.World. Without a family in the network, IPv4 is tried
// before IPv6.
func (w *world) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	base, families, ok := splitNetwork(network)
	if !ok {
		return nil, &net.OpError{Op: "dial", Net: network, Err: net.UnknownNetworkError(network)}
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	d := dial{network: base, host: hostName(host), port: port}
	var first error
	for _, f := range families {
		conn, err := w.s.dialFamily(ctx, d, f)
		if err == nil {
			return conn, nil
		}
		first = cmp.Or(first, err)
	}
	return nil, &net.OpError{Op: "dial", Net: network, Err: first}
}

func splitNetwork(network string) (base string, families []family, ok bool) {
	base = strings.TrimRight(network, "46")
	if base != "tcp" && base != "udp" {
		return "", nil, false
	}
	switch network[len(base):] {
	case "":
		return base, bothFamilies[:], true
	case "4":
		return base, []family{ipv4}, true
	case "6":
		return base, []family{ipv6}, true
	}
	return "", nil, false
}

// dial is what somebody wants to reach.
type dial struct{ network, host, port string }

func (d dial) web() bool { return d.network == "tcp" && (d.port == "443" || d.port == "80") }

func (s *Sandbox) dialFamily(ctx context.Context, d dial, f family) (net.Conn, error) {
	if !s.wan(f).IsValid() {
		return nil, os.NewSyscallError("connect", syscall.ENETUNREACH)
	}
	address, err := s.route(ctx, d, f)
	if err != nil {
		return nil, err
	}
	return s.connect(ctx, d.network, address)
}

// route finds the listener that stands for a place of the internet.
func (s *Sandbox) route(ctx context.Context, d dial, f family) (string, error) {
	if name, ok := s.placeOf(d, f); ok {
		return s.places.find(name, f), nil
	}
	if a, err := netip.ParseAddr(d.host); err == nil {
		return s.routeAddr(ctx, d, f, a.Unmap())
	}
	addrs, err := s.lookup(ctx, d.host, f)
	if err != nil {
		return "", err
	}
	return s.routeAddr(ctx, d, f, addrs[0])
}

// placeOf finds the service that has a host name or an address of its own.
func (s *Sandbox) placeOf(d dial, f family) (name string, ok bool) {
	hostport := net.JoinHostPort(d.host, d.port)
	for _, e := range echoTable() {
		if slices.Contains(e.hosts(f), hostport) && e.speaks(d.network) {
			return e.at(), true
		}
	}
	switch {
	case hostport == "api.cloudflare.com:443" && d.network == "tcp":
		return placeAPI, true
	case d.port == "53" && slices.Contains(otherResolvers(f), d.host):
		return placeResolver, true
	case d.port == "53" && s.isNameserver(d.host):
		return placeDNS, true
	case d.port == "53" && hasSuffixLabel(d.host, duckDomain) && strings.HasPrefix(d.host, "ns"):
		return placeDuckDNS, true
	case d.web() && (d.host == duckDomain || d.host == "www."+duckDomain):
		return placeDuckAPI, true
	}
	return "", false
}

func otherResolvers(f family) []string {
	if f == ipv6 {
		return []string{"2001:4860:4860::8888", "2620:fe::fe", "dns.google"}
	}
	return []string{"8.8.8.8", "8.8.4.4", "9.9.9.9", "dns.google"}
}

// isNameserver reports whether a host is a nameserver of one of the zones.
func (s *Sandbox) isNameserver(host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, z := range s.zones {
		if slices.Contains(z.NameServers, host) {
			return true
		}
	}
	return false
}

// routeAddr finds what answers at an address. Where nobody lives nobody
// refuses either: the dial takes its time and fails.
func (s *Sandbox) routeAddr(ctx context.Context, d dial, f family, a netip.Addr) (string, error) {
	switch {
	case a.IsLoopback():
		return net.JoinHostPort(a.String(), d.port), nil
	case familyOf(a) != f:
		return "", &net.AddrError{Err: "no suitable address", Addr: d.host}
	case slices.Contains(edgeAddrs(f), a) && d.web():
		return s.places.find(placeEdge, f), nil
	case s.isHome(a) && d.web():
		return s.places.find(placeOrigin, f), nil
	case s.isHome(a):
		return "", os.NewSyscallError("connect", syscall.ECONNREFUSED)
	}
	if !s.pause(ctx, originPatience) && ctx.Err() != nil {
		return "", ctx.Err()
	}
	return "", os.ErrDeadlineExceeded
}
