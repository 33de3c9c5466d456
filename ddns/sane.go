package ddns

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// special is a range of addresses that no home answers at.
type special struct {
	prefix netip.Prefix
	what   string
}

// nowhere are the special-purpose registries of IANA
// (https://www.iana.org/assignments/iana-ipv4-special-registry and
// https://www.iana.org/assignments/iana-ipv6-special-registry; what lies
// outside global unicast is globalUnicast6's), multicast, and what is reserved.
// No host out in the world has such an address.
func nowhere() []special {
	return []special{
		{netip.MustParsePrefix("0.0.0.0/8"), "\"this network\""},
		{netip.MustParsePrefix("10.0.0.0/8"), "private"},
		{netip.MustParsePrefix("100.64.0.0/10"), "shared by a provider's NAT (CGNAT)"},
		{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
		{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
		{netip.MustParsePrefix("172.16.0.0/12"), "private"},
		{netip.MustParsePrefix("192.0.0.0/24"), "reserved for protocols (DS-Lite, 464XLAT)"},
		{netip.MustParsePrefix("192.0.2.0/24"), "for documentation"},
		{netip.MustParsePrefix("192.31.196.0/24"), "of AS112"},
		{netip.MustParsePrefix("192.52.193.0/24"), "of AMT"},
		{netip.MustParsePrefix("192.88.99.0/24"), "of 6to4 relays"},
		{netip.MustParsePrefix("192.168.0.0/16"), "private"},
		{netip.MustParsePrefix("192.175.48.0/24"), "of AS112"},
		{netip.MustParsePrefix("198.18.0.0/15"), "for benchmarks"},
		{netip.MustParsePrefix("198.51.100.0/24"), "for documentation"},
		{netip.MustParsePrefix("203.0.113.0/24"), "for documentation"},
		{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
		{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},
		{netip.MustParsePrefix("2001::/23"), "reserved for protocols (Teredo, ORCHID and others)"},
		{netip.MustParsePrefix("2001:db8::/32"), "for documentation"},
		{netip.MustParsePrefix("2002::/16"), "of 6to4"},
		{netip.MustParsePrefix("2620:4f:8000::/48"), "of AS112"},
		{netip.MustParsePrefix("3fff::/20"), "for documentation"},
	}
}

// ofCloudflare are Cloudflare's own ranges (https://www.cloudflare.com/ips/): a
// record that holds a Cloudflare address makes the edge call itself and answer
// error 1000. The egress of WARP is not in Cloudflare's list and never will be;
// 104.28.0.0/16 and 2a09:bac0::/29 are where it was seen.
func ofCloudflare() []special {
	return []special{
		{netip.MustParsePrefix("1.0.0.0/24"), "of Cloudflare's resolver"},
		{netip.MustParsePrefix("1.1.1.0/24"), "of Cloudflare's resolver"},
		{netip.MustParsePrefix("103.21.244.0/22"), cloudflares},
		{netip.MustParsePrefix("103.22.200.0/22"), cloudflares},
		{netip.MustParsePrefix("103.31.4.0/22"), cloudflares},
		{netip.MustParsePrefix("104.16.0.0/13"), cloudflares},
		{netip.MustParsePrefix("104.24.0.0/14"), cloudflares},
		{netip.MustParsePrefix("104.28.0.0/16"), "of Cloudflare WARP"},
		{netip.MustParsePrefix("108.162.192.0/18"), cloudflares},
		{netip.MustParsePrefix("131.0.72.0/22"), cloudflares},
		{netip.MustParsePrefix("141.101.64.0/18"), cloudflares},
		{netip.MustParsePrefix("162.158.0.0/15"), cloudflares},
		{netip.MustParsePrefix("172.64.0.0/13"), cloudflares},
		{netip.MustParsePrefix("173.245.48.0/20"), cloudflares},
		{netip.MustParsePrefix("188.114.96.0/20"), cloudflares},
		{netip.MustParsePrefix("190.93.240.0/20"), cloudflares},
		{netip.MustParsePrefix("197.234.240.0/22"), cloudflares},
		{netip.MustParsePrefix("198.41.128.0/17"), cloudflares},
		{netip.MustParsePrefix("2400:cb00::/32"), cloudflares},
		{netip.MustParsePrefix("2405:8100::/32"), cloudflares},
		{netip.MustParsePrefix("2405:b500::/32"), cloudflares},
		{netip.MustParsePrefix("2606:4700::/32"), cloudflares},
		{netip.MustParsePrefix("2803:f800::/32"), cloudflares},
		{netip.MustParsePrefix("2a06:98c0::/29"), cloudflares},
		{netip.MustParsePrefix("2a09:bac0::/29"), "of Cloudflare WARP"},
		{netip.MustParsePrefix("2c0f:f248::/32"), cloudflares},
	}
}

const cloudflares = "Cloudflare's own"

// globalUnicast6 is all of IPv6 that is routed between networks today.
// https://www.iana.org/assignments/ipv6-address-space
var globalUnicast6 = netip.MustParsePrefix("2000::/3")

// noHosts is nowhere, and ranges is that and ofCloudflare, parsed once.
var (
	noHosts = nowhere()
	ranges  = slices.Concat(noHosts, ofCloudflare())
)

// Insane is an address at which no home can be reached.
type Insane struct {
	Address netip.Addr
	Is      string // what the address is instead, to follow "is"
}

// Error implements error.
func (e *Insane) Error() string { return fmt.Sprintf("%s is %s", e.Address, e.Is) }

// HeardAddress returns the address, for those who want to know what was heard
// in the place of an answer.
func (e *Insane) HeardAddress() netip.Addr { return e.Address }

// Sane returns nil if a home can be reached at the address from anywhere, and
// otherwise says what the address is instead, as an *Insane if there is one. An
// address that is not sane is neither a vote nor ever published.
func Sane(a netip.Addr, family Family) error {
	switch {
	case !a.IsValid():
		return errors.New("no address")
	case a.Zone() != "":
		return &Insane{a, "bound to one link"}
	case a.Is4In6():
		return &Insane{a, "an IPv4 address in IPv6 clothes"}
	case FamilyOf(a) != family:
		return &Insane{a, fmt.Sprintf("no %s address", family)}
	case a.Is6() && !globalUnicast6.Contains(a):
		return &Insane{a, "not a global address"}
	}
	for _, r := range ranges {
		if r.prefix.Contains(a) {
			return &Insane{a, r.what}
		}
	}
	return nil
}

// Documentation reports an address that examples use (RFC 5737, RFC 3849).
// Nobody has it, so that rehearsing with it, or a rule for it, harms nobody.
func Documentation(a netip.Addr) bool {
	in, ok := errors.AsType[*Insane](Sane(a, FamilyOf(a)))
	return ok && in.Is == "for documentation"
}
