package ipsource

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

const forever = math.MaxUint32

// local makes an address as the kernel describes it.
func local(address string, flags, preferred uint32) localAddress {
	prefix := netip.MustParsePrefix(address)
	return localAddress{index: 1, address: prefix.Addr(), bits: prefix.Bits(), flags: flags, preferred: preferred, global: true}
}

func TestTheCandidateIsTheMostLastingAddress(t *testing.T) {
	linkLocal := local("fe80::1/64", flagPermanent, forever)
	linkLocal.global = false
	for _, c := range []struct {
		name      string
		addresses []localAddress
		want      string // empty: none
	}{
		{"none at all", nil, ""},
		{"link-local, unique local and documentation's old site-local alone", []localAddress{linkLocal, local("fd00::1/64", flagPermanent, forever), local("fec0::1/64", 0, 100)}, ""},
		{"temporary alone", []localAddress{local("2a01::1/64", flagTemporary, 100)}, ""},
		{"deprecated by flag alone", []localAddress{local("2a01::1/64", flagDeprecated, 100)}, ""},
		{"deprecated by lifetime, before the flag is set", []localAddress{local("2a01::1/64", 0, 0)}, ""},
		{"tentative alone", []localAddress{local("2a01::1/64", flagTentative, 100)}, ""},
		{"a duplicate alone", []localAddress{local("2a01::1/64", flagPermanent|flagDADFailed, forever)}, ""},
		{"permanent before DHCPv6", []localAddress{local("2a01::1/128", 0, 9000), local("2a01::2/64", flagPermanent, forever)}, "2a01::2"},
		{"DHCPv6 before stable-privacy", []localAddress{local("2a01::1/64", flagStablePrivacy, 9000), local("2a01::2/128", 0, 100)}, "2a01::2"},
		{"stable-privacy before any other", []localAddress{local("2a01::1/64", 0, 9000), local("2a01::2/64", flagStablePrivacy, 100)}, "2a01::2"},
		{"EUI-64 before any other", []localAddress{local("2a01::1/64", 0, 9000), local("2a01::211:22ff:fe33:4455/64", 0, 100)}, "2a01::211:22ff:fe33:4455"},
		{"the longest lifetime of two prefixes", []localAddress{local("2a01::1/64", flagStablePrivacy, 100), local("2a02::1/64", flagStablePrivacy, 200)}, "2a02::1"},
		{"the lowest number of equals", []localAddress{local("2a01::3/64", 0, 100), local("2a01::2/64", 0, 100)}, "2a01::2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := pick6(c.addresses, netip.Addr{})
			if len(got) > 0 != (c.want != "") || len(got) > 0 && got[0].String() != c.want {
				t.Errorf("got %s; want %q", got, c.want)
			}
		})
	}
}

func TestTheIPv4AddressOfAnInterfaceIsOneTheWorldCouldReach(t *testing.T) {
	for _, c := range []struct {
		name      string
		addresses []localAddress
		want      string
	}{
		{"none", nil, ""},
		{"a modem's network beside the public address", []localAddress{local("192.168.100.2/24", flagPermanent, forever), local("45.67.89.10/32", flagPermanent, forever)}, "45.67.89.10"},
		{"a private address alone, for a witness", []localAddress{local("192.168.1.7/24", 0, 100)}, "192.168.1.7"},
		{"the primary before the secondary", []localAddress{local("45.67.89.10/24", flagTemporary, forever), local("45.67.89.11/24", 0, forever)}, "45.67.89.11"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := pick4(c.addresses)
			if ok != (c.want != "") || ok && got.String() != c.want {
				t.Errorf("got %s, %t; want %q", got, ok, c.want)
			}
		})
	}
}

func TestTheCandidateDoesNotDependOnTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var addresses []localAddress
		for range rapid.IntRange(0, 6).Draw(t, "n") {
			a := local("2a01::1/64", rapid.SampledFrom([]uint32{0, 1, 0x20, 0x80, 0x800, 0x840}).Draw(t, "flags"), rapid.Uint32Range(0, 3).Draw(t, "preferred"))
			b := a.address.As16()
			b[15] = rapid.Byte().Draw(t, "host")
			a.address = netip.AddrFrom16(b)
			addresses = append(addresses, a)
		}
		want := pick6(addresses, netip.Addr{})
		shuffled := slices.Clone(addresses)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if got := pick6(shuffled, netip.Addr{}); !slices.Equal(got, want) {
			t.Fatalf("%s, and in another order %s", want, got)
		}
	})
}
