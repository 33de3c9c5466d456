package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ipsource"
)

// network is a world in which names can be resolved as any machine would.
type network interface {
	ddns.World
	ddns.Resolver
	// Gateway returns the way out over IPv4.
	Gateway() (ddns.Gateway, error)
}

// internet is the real network.
type internet struct {
	roots    *x509.CertPool // nil: the system's
	local    netip.Addr     // dial from this address; zero: the system chooses
	device   string         // dial through this interface; empty: the system chooses
	noTunnel bool           // refuse to leave by a VPN
	stays    bool           // never leave this machine
	naming   ddns.Naming    // how hosts are found
	resolver *resolver
}

// newInternet is the real network, which trusts the roots of a PEM file beside the system's.
func newInternet(rootsFile string) (*internet, error) {
	n := &internet{resolver: &resolver{over: dohServers}}
	n.resolver.doh = n.askDoH
	if rootsFile == "" {
		return n, nil
	}
	pem, err := os.ReadFile(rootsFile)
	if err != nil {
		return nil, fmt.Errorf("tls_roots: %w", err)
	}
	if n.roots, err = x509.SystemCertPool(); err != nil {
		n.roots = x509.NewCertPool()
	}
	if !n.roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("tls_roots: %s holds no certificate in PEM form", rootsFile)
	}
	return n, nil
}

// noRoots warns where the system trusts nobody, so that everything asked over TLS
// looks forged. Go looks for the roots where distributions put them (crypto/x509).
func (n *internet) noRoots() configs.Warning {
	roots, err := n.roots, error(nil)
	if roots == nil {
		roots, err = x509.SystemCertPool()
	}
	if err == nil && !roots.Equal(x509.NewCertPool()) {
		return ""
	}
	return "no certificate authorities are installed here, so nobody can prove who he is over TLS, and nothing can be published: install the package ca-certificates, or set SSL_CERT_FILE or tls_roots: to a file of them"
}

// forSources is the network as the sources use it: bound as ip.bind says, and
// not through a VPN, whose address is not the home's.
func (n *internet) forSources(bind string) (*internet, error) {
	bound := *n
	switch address, err := netip.ParseAddr(bind); {
	case bind == "":
		bound.noTunnel = true
	case err == nil:
		bound.local = address
	default:
		if _, err := net.InterfaceByName(bind); err != nil && !canBindDevice {
			return nil, fmt.Errorf("ip.bind: %s: binding to an interface works on Linux only; name one of its addresses", bind)
		}
		bound.device = bind
	}
	return &bound, nil
}

// Roots implements ddns.World.
func (n *internet) Roots() *x509.CertPool { return n.roots }

// From implements ddns.World. An interface that is bound stays bound.
func (n *internet) From(local netip.Addr) ddns.World {
	bound := *n
	bound.local = local
	return &bound
}

// Named implements ddns.NamingWorld.
func (n *internet) Named(how ddns.Naming) ddns.World {
	named := *n
	named.naming = how
	return &named
}

// Proved implements ddns.NamingWorld.
func (n *internet) Proved(host string) { n.resolver.proved(host) }

// Lookup implements ddns.Resolver.
func (n *internet) Lookup(ctx context.Context, family ddns.Family, host string) ([]netip.Addr, error) {
	return n.resolver.lookup(ctx, []ddns.Family{family}, host)
}

// Gateway implements network: the default route, or that of the line which is
// bound. Another line's router says nothing of ours.
func (n *internet) Gateway() (ddns.Gateway, error) {
	if n.stays {
		return ddns.Gateway{}, errStays
	}
	device := n.device
	if device == "" && n.local.Is4() {
		holders := holdersOf(n.local)
		if len(holders) == 0 {
			return ddns.Gateway{}, fmt.Errorf("no interface here holds %s (ip.bind)", n.local)
		}
		device = holders[0]
	}
	gateway, err := ipsource.DefaultGateway(device)
	gateway.Tunnel, gateway.Chosen = gateway.Interface != "" && isTunnel(gateway.Interface), !n.noTunnel
	return gateway, err
}

// errStays is said instead of leaving this machine. Where the API and all
// sources are on loopback, the home is a played one: its address is somebody
// else's out in the world, and this machine's router is not its router.
var errStays = errors.New("the API and all sources are on this machine, as with cfddns sandbox, so nobody out in the world is asked")

// tunnelOf names the VPN interface that holds the local end of a connection,
// or "".
func tunnelOf(local net.Addr) string {
	at, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return ""
	}
	for _, name := range holdersOf(at.Addr()) {
		if isTunnel(name) {
			return name
		}
	}
	return ""
}

// holdersOf names the interfaces of this machine that hold an address.
func holdersOf(address netip.Addr) (names []string) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil
	}
	for _, i := range interfaces {
		addresses, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addresses {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Unmap() == address.Unmap() {
				names = append(names, i.Name)
			}
		}
	}
	return names
}

// dialStagger is how long one address of a host gets before the next is tried
// beside it (RFC 8305, section 5).
const dialStagger = 250 * time.Millisecond

// Dial implements ddns.World. Names are resolved here, so that a name that a
// DNS filter blocks is called so.
func (n *internet) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%s: %q is no port number", address, service)
	}
	base := strings.TrimRight(network, "46")
	families := ddns.Families
	if network != base {
		families = []ddns.Family{ddns.Family(network[len(base)] - '0')}
	}
	addresses, err := n.addresses(ctx, families, host)
	if err != nil {
		return nil, err
	}
	if n.local.IsValid() {
		addresses = slices.DeleteFunc(addresses, func(a netip.Addr) bool { return ddns.FamilyOf(a) != ddns.FamilyOf(n.local) })
	}
	if len(addresses) == 0 {
		return nil, fmt.Errorf("%s has no address that can be reached from %s", host, n.local)
	}
	return n.race(ctx, base, addresses, uint16(port))
}

// addresses are what a host name, or a literal, stands for: a few, since each
// of them may be dialled.
func (n *internet) addresses(ctx context.Context, families []ddns.Family, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		if !slices.Contains(families, ddns.FamilyOf(a)) {
			return nil, fmt.Errorf("%s is no %s address", a, families[0])
		}
		return []netip.Addr{a}, nil
	}
	if n.naming > ddns.Written {
		addresses, err := n.resolver.own(ctx, n.naming, families, host)
		return few(addresses), err
	}
	addresses, err := n.resolver.lookup(ctx, families, host)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(addresses, netip.Addr.IsUnspecified) {
		return nil, fmt.Errorf("%s is answered %s: a DNS filter (Pi-hole, AdGuard) blocks it", host, addresses[0])
	}
	if n.naming == ddns.Written {
		if finding := n.resolver.written(families, host, addresses); finding.Fault != ddns.NameFine {
			return nil, &ddns.NameError{NameFinding: finding}
		}
	}
	return few(addresses), nil
}

// addressesMost is how many addresses of a host are dialled.
const addressesMost = 6

// few are the first of some addresses, of each family in turn, IPv4 first. The
// same answer always leads to the same ones.
func few(addresses []netip.Addr) []netip.Addr {
	byFamily := map[ddns.Family][]netip.Addr{}
	for _, a := range addresses {
		byFamily[ddns.FamilyOf(a)] = append(byFamily[ddns.FamilyOf(a)], a)
	}
	var chosen []netip.Addr
	for len(chosen) < min(addressesMost, len(addresses)) {
		for _, f := range ddns.Families {
			if left := byFamily[f]; len(left) > 0 && len(chosen) < addressesMost {
				chosen, byFamily[f] = append(chosen, left[0]), left[1:]
			}
		}
	}
	return chosen
}

// race dials the addresses one after the other, each a moment later, and takes
// the first connection.
func (n *internet) race(ctx context.Context, base string, addresses []netip.Addr, port uint16) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type dialled struct {
		conn net.Conn
		err  error
	}
	results := make(chan dialled, len(addresses)) // a late loser never blocks
	running, next := 0, 0
	start := func() {
		a := addresses[next]
		next, running = next+1, running+1
		go func() { // ends with ctx; its connection is closed below if nobody takes it
			conn, err := n.dial(ctx, base, netip.AddrPortFrom(a, port))
			results <- dialled{conn, err}
		}()
	}
	defer func() {
		for range running {
			go func() {
				if late := <-results; late.conn != nil {
					late.conn.Close()
				}
			}()
		}
	}()
	start()
	stagger := time.NewTicker(dialStagger)
	defer stagger.Stop()
	var errs []error
	for {
		select {
		case r := <-results:
			running--
			if r.err == nil {
				return r.conn, nil
			}
			errs = append(errs, r.err)
			if next < len(addresses) {
				start()
			} else if running == 0 {
				return nil, ddns.JoinErrors(errs...)
			}
		case <-stagger.C:
			if next < len(addresses) {
				start()
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// dial opens one connection, bound as wanted.
func (n *internet) dial(ctx context.Context, base string, to netip.AddrPort) (net.Conn, error) {
	if n.stays && !to.Addr().IsLoopback() {
		return nil, fmt.Errorf("%s: %w", to, errStays)
	}
	d := net.Dialer{Control: bindDevice(n.device)}
	family := ddns.FamilyOf(to.Addr())
	if n.local.IsValid() && base == "udp" {
		d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(n.local, 0))
	} else if n.local.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(n.local, 0))
	}
	conn, err := d.DialContext(ctx, family.Network(base), to.String())
	if err != nil || !n.noTunnel {
		return conn, err
	}
	if name := tunnelOf(conn.LocalAddr()); name != "" {
		conn.Close()
		return nil, fmt.Errorf("leaves by the tunnel %s: the address of a VPN is not the home's; set ip.bind to the line that visitors come in by, or to %s if it is that", name, name)
	}
	return conn, nil
}
