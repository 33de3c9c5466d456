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
func (s *Sandbox) World() ddns.World { return &world{s: s} }

// WorldFrom returns the same internet as another machine sees it, whose
// address is client: what it asks tells it that address, and the edge judges
// it by it. It has the one family of its address, and resolves names too.
func (s *Sandbox) WorldFrom(client netip.Addr) ddns.World {
	return &world{s: s, client: client.Unmap()}
}

type world struct {
	s      *Sandbox
	client netip.Addr // zero means the home
}

// has reports whether the machine has an address of a family.
func (w *world) has(f family) bool {
	if w.client.IsValid() {
		return familyOf(w.client) == f
	}
	return w.s.wan(f).IsValid()
}

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
		conn, err := w.dialFamily(ctx, d, f)
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

func (w *world) dialFamily(ctx context.Context, d dial, f family) (net.Conn, error) {
	if conn, ok, err := w.dialRouter(ctx, d, f); ok {
		return conn, err
	}
	if !w.has(f) {
		return nil, os.NewSyscallError("connect", syscall.ENETUNREACH)
	}
	address, to, err := w.route(ctx, d, f)
	if err != nil {
		return nil, err
	}
	conn, err := w.s.connect(ctx, d.network, address)
	if err != nil {
		return nil, err
	}
	return w.s.ways.keep(conn, way{from: w.client, to: to}), nil
}

// route finds the listener that stands for a place of the internet, and what
// the place is called: its name, or the address that a name led to.
func (w *world) route(ctx context.Context, d dial, f family) (address, to string, err error) {
	if name, ok := w.s.placeOf(d, f); ok {
		return w.s.places.find(name, f), d.host, nil
	}
	a, err := netip.ParseAddr(d.host)
	if err != nil {
		addrs, err := w.s.lookup(ctx, d.host, f)
		if err != nil {
			return "", "", err
		}
		a = addrs[0]
	}
	a = a.Unmap()
	address, err = w.routeAddr(ctx, d, f, a)
	return address, a.String(), err
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
	case d.port == "53" && resolverOf(d.host) != "":
		return resolverPlace(resolverOf(d.host)), true
	case d.port == "53" && ofDuck(d.host):
		return placeDuckDNS, true
	case d.port == "53" && s.isNameserver(d.host):
		return placeDNS, true
	case d.network == "tcp" && d.port == "443" && resolverOf(d.host) == quad9:
		return placeQuad9, true
	case d.network == "tcp" && d.port == "443" && strings.TrimPrefix(d.host, "www.") == statusHost:
		return placeStatus, true
	case d.web() && (d.host == duckDomain || d.host == "www."+duckDomain):
		return placeDuckAPI, true
	}
	return "", false
}

// isNameserver reports whether a host is a nameserver of one of the zones.
func (s *Sandbox) isNameserver(host string) bool {
	if name, ok := nameserverAt(host); ok {
		host = name
	}
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
func (w *world) routeAddr(ctx context.Context, d dial, f family, a netip.Addr) (string, error) {
	s := w.s
	switch {
	case a.IsLoopback():
		return net.JoinHostPort(a.String(), d.port), nil
	case familyOf(a) != f:
		return "", &net.AddrError{Err: "no suitable address", Addr: d.host}
	case slices.Contains(edgePool(f), a) && d.web():
		return s.places.find(placeEdge, f), nil
	case s.isHome(a) && !w.client.IsValid() && !s.hairpins():
		// The router does not lead the home's own packets back to it: silence.
	case s.isHome(a) && d.web():
		return s.places.find(placeOrigin, f), s.originDial(ctx)
	case s.isHome(a):
		return "", os.NewSyscallError("connect", syscall.ECONNREFUSED)
	}
	if !s.pause(ctx, originPatience) && ctx.Err() != nil {
		return "", ctx.Err()
	}
	return "", os.ErrDeadlineExceeded
}
