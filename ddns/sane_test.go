package ddns

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// unfit4 and unfit6 are the ranges in which no home answers, written down a
// second time: first and last address, as the registries show them.
var unfit4 = []string{
	"0.0.0.0-0.255.255.255", "10.0.0.0-10.255.255.255", "100.64.0.0-100.127.255.255", "127.0.0.0-127.255.255.255",
	"169.254.0.0-169.254.255.255", "172.16.0.0-172.31.255.255", "192.0.0.0-192.0.0.255", "192.0.2.0-192.0.2.255",
	"192.31.196.0-192.31.196.255", "192.52.193.0-192.52.193.255", "192.88.99.0-192.88.99.255", "192.168.0.0-192.168.255.255",
	"192.175.48.0-192.175.48.255", "198.18.0.0-198.19.255.255", "198.51.100.0-198.51.100.255", "203.0.113.0-203.0.113.255",
	"224.0.0.0-239.255.255.255", "240.0.0.0-255.255.255.255",
	// Cloudflare
	"173.245.48.0-173.245.63.255", "103.21.244.0-103.21.247.255", "103.22.200.0-103.22.203.255", "103.31.4.0-103.31.7.255",
	"141.101.64.0-141.101.127.255", "108.162.192.0-108.162.255.255", "190.93.240.0-190.93.255.255", "188.114.96.0-188.114.111.255",
	"197.234.240.0-197.234.243.255", "198.41.128.0-198.41.255.255", "162.158.0.0-162.159.255.255", "104.16.0.0-104.23.255.255",
	"104.24.0.0-104.27.255.255", "172.64.0.0-172.71.255.255", "131.0.72.0-131.0.75.255",
	"1.1.1.0-1.1.1.255", "1.0.0.0-1.0.0.255", "104.28.0.0-104.28.255.255",
}

var unfit6 = []string{
	"::-1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "4000::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	"2001::-2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
	"2002::-2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2620:4f:8000::-2620:4f:8000:ffff:ffff:ffff:ffff:ffff",
	"3fff::-3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
	// Cloudflare
	"2400:cb00::-2400:cb00:ffff:ffff:ffff:ffff:ffff:ffff", "2606:4700::-2606:4700:ffff:ffff:ffff:ffff:ffff:ffff",
	"2803:f800::-2803:f800:ffff:ffff:ffff:ffff:ffff:ffff", "2405:b500::-2405:b500:ffff:ffff:ffff:ffff:ffff:ffff",
	"2405:8100::-2405:8100:ffff:ffff:ffff:ffff:ffff:ffff", "2a06:98c0::-2a06:98c7:ffff:ffff:ffff:ffff:ffff:ffff",
	"2c0f:f248::-2c0f:f248:ffff:ffff:ffff:ffff:ffff:ffff", "2a09:bac0::-2a09:bac7:ffff:ffff:ffff:ffff:ffff:ffff",
}

// ends returns the first and the last address of a range.
func ends(r string) (first, last netip.Addr) {
	a, b, _ := strings.Cut(r, "-")
	return netip.MustParseAddr(a), netip.MustParseAddr(b)
}

// unfit reports whether an address lies in one of the ranges.
func unfit(a netip.Addr, ranges []string) bool {
	return slices.ContainsFunc(ranges, func(r string) bool {
		first, last := ends(r)
		return first.Compare(a) <= 0 && a.Compare(last) <= 0
	})
}

func TestEveryRangeIsRefusedFromItsFirstToItsLastAddress(t *testing.T) {
	for family, ranges := range map[Family][]string{IPv4: unfit4, IPv6: unfit6} {
		for _, r := range ranges {
			first, last := ends(r)
			for _, a := range []netip.Addr{first, last, first.Next(), last.Prev(), first.Prev(), last.Next()} {
				if !a.IsValid() {
					continue // there is nothing before 0.0.0.0
				}
				if err := Sane(a, family); (err != nil) != unfit(a, ranges) {
					t.Errorf("%s, at an end of %s: %v", a, r, err)
				}
			}
		}
	}
}

func TestSane(t *testing.T) {
	for _, c := range []struct {
		name    string
		address netip.Addr
		family  Family
		err     string // empty: it is sane
	}{
		{"an address of a home", netip.MustParseAddr("45.67.89.10"), IPv4, ""},
		{"an IPv6 address of a home", netip.MustParseAddr("2a01:4f8:1:2::3"), IPv6, ""},
		{"a resolver of somebody else", netip.MustParseAddr("9.9.9.9"), IPv4, ""},
		{"no address", netip.Addr{}, IPv4, "no address"},
		{"an IPv6 address where IPv4 is wanted", netip.MustParseAddr("2a01:4f8:1:2::3"), IPv4, "2a01:4f8:1:2::3 is no ipv4 address"},
		{"an IPv4 address where IPv6 is wanted", netip.MustParseAddr("45.67.89.10"), IPv6, "45.67.89.10 is no ipv6 address"},
		{"an IPv4 address in IPv6 clothes", netip.MustParseAddr("::ffff:45.67.89.10"), IPv4, "::ffff:45.67.89.10 is an IPv4 address in IPv6 clothes"},
		{"an address that is bound to a link", netip.MustParseAddr("2a01:4f8::1%eth0"), IPv6, "2a01:4f8::1%eth0 is bound to one link"},
		{"an address behind a provider's NAT", netip.MustParseAddr("100.64.1.2"), IPv4, "100.64.1.2 is shared by a provider's NAT (CGNAT)"},
		{"NAT64", netip.MustParseAddr("64:ff9b::1.2.3.4"), IPv6, "64:ff9b::102:304 is not a global address"},
		{"a unique local address", netip.MustParseAddr("fd00::1"), IPv6, "fd00::1 is not a global address"},
		{"what Cloudflare's trace told some since 2025", netip.MustParseAddr("104.18.0.0"), IPv4, "104.18.0.0 is Cloudflare's own"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Sane(c.address, c.family)
			if got := words(err); got != c.err {
				t.Fatalf("%q, want %q", got, c.err)
			}
			if insane, ok := errors.AsType[*Insane](err); ok && insane.HeardAddress() != c.address {
				t.Errorf("tells %s", insane.HeardAddress())
			}
		})
	}
}

func words(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func FuzzSane(f *testing.F) {
	for _, r := range slices.Concat(unfit4, unfit6) {
		first, last := ends(r)
		f.Add(first.AsSlice(), "")
		f.Add(last.AsSlice(), "")
	}
	f.Add(netip.MustParseAddr("::ffff:45.67.89.10").AsSlice(), "")
	f.Add(netip.MustParseAddr("fe80::1").AsSlice(), "eth0")
	f.Fuzz(func(t *testing.T, bytes []byte, zone string) {
		a, _ := netip.AddrFromSlice(bytes)
		if a.Is6() {
			a = a.WithZone(zone)
		}
		want4 := a.Is4() && !unfit(a, unfit4)
		want6 := a.Is6() && a.Zone() == "" && !unfit(a, unfit6)
		if got := Sane(a, IPv4) == nil; got != want4 {
			t.Errorf("%s as IPv4: sane is %t", a, got)
		}
		if got := Sane(a, IPv6) == nil; got != want6 {
			t.Errorf("%s as IPv6: sane is %t", a, got)
		}
	})
}
