package sandbox

import (
	"net/netip"
	"slices"
	"strings"
)

// edgePool are the addresses of the edge: those of a zone are two that follow
// each other, of each family. The World leads all of them to the edge.
func edgePool(f family) []netip.Addr {
	words := []string{"104.21.16.1", "172.67.128.1", "104.21.48.7", "172.67.160.7"}
	if f == ipv6 {
		words = []string{"2606:4700:3030::6815:1001", "2606:4700:3036::ac43:8001", "2606:4700:3031::6815:3007", "2606:4700:3037::ac43:a007"}
	}
	addrs := make([]netip.Addr, len(words))
	for i, word := range words {
		addrs[i] = netip.MustParseAddr(word)
	}
	return addrs
}

// edgeAddrs are the two addresses that proxied names of a zone answer.
func (z zone) edgeAddrs(f family) []netip.Addr { return edgePool(f)[2*z.pool : 2*z.pool+2] }

// duckServers are the nameservers of duckdns.org.
func duckServers() []string {
	return []string{"ns1." + duckDomain, "ns2." + duckDomain, "ns3." + duckDomain}
}

// serverAddrs are the addresses of the nameservers of this world; nil for a
// host that is none.
func serverAddrs(host string) []netip.Addr {
	var words []string
	switch host {
	case "ada.ns.cloudflare.com":
		words = []string{"172.64.32.62", "2606:4700:50::adf5:3a3e"}
	case "bob.ns.cloudflare.com":
		words = []string{"172.64.33.70", "2606:4700:58::adf5:3b46"}
	case "ns1." + duckDomain:
		words = []string{"99.79.143.35"}
	case "ns2." + duckDomain:
		words = []string{"35.182.183.211"}
	case "ns3." + duckDomain:
		words = []string{"3.97.58.28"}
	}
	var addrs []netip.Addr
	for _, word := range words {
		addrs = append(addrs, netip.MustParseAddr(word))
	}
	return addrs
}

// sameServer reports whether two words, names or addresses, mean one server.
func sameServer(a, b string) bool {
	canonical := func(word string) string {
		if addr, err := netip.ParseAddr(word); err == nil {
			return addr.Unmap().String()
		}
		return hostName(word)
	}
	a, b = canonical(a), canonical(b)
	named := func(name, addr string) bool {
		return slices.ContainsFunc(serverAddrs(name), func(at netip.Addr) bool { return at.String() == addr })
	}
	return a == b || named(a, b) || named(b, a)
}

// nameserverAt finds the name of the nameserver that a host means.
func nameserverAt(host string) (name string, ok bool) {
	for _, name := range append(duckServers(), "ada.ns.cloudflare.com", "bob.ns.cloudflare.com") {
		if sameServer(name, host) {
			return name, true
		}
	}
	return "", false
}

// ofDuck reports whether a host is a nameserver of Duck DNS.
func ofDuck(host string) bool {
	name, ok := nameserverAt(host)
	return ok && strings.HasSuffix(name, duckDomain)
}
