package ipsource

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/cfddns/cfddns/ddns"
)

// interfaceNamed returns the index of the interface of this machine that has
// the name.
func interfaceNamed(name string) (int, error) {
	all, err := net.Interfaces()
	if err != nil {
		return 0, fmt.Errorf("asking the kernel for interfaces: %w", err)
	}
	for _, i := range all {
		if i.Name == name {
			return i.Index, nil
		}
	}
	return 0, fmt.Errorf("there is no interface %s here", name)
}

// ErrNoCandidate says that this machine has a way out over IPv6 and no address
// of its own that lasts and that the world can reach.
var ErrNoCandidate = errors.New("no lasting global IPv6 address on the interface")

// Flags of an address, as the kernel's include/uapi/linux/if_addr.h has them.
const (
	flagTemporary     = 0x01 // for IPv6 (RFC 8981); for IPv4 the same bit means secondary
	flagDADFailed     = 0x08 // somebody else has the address
	flagDeprecated    = 0x20
	flagTentative     = 0x40 // not yet known to be free
	flagPermanent     = 0x80 // set by hand: it has no lifetime
	flagStablePrivacy = 0x800
)

// localAddress is one address of an interface, as the kernel describes it.
type localAddress struct {
	index     int // of the interface
	address   netip.Addr
	bits      int // length of the prefix
	flags     uint32
	global    bool   // scope of the address
	preferred uint32 // seconds; the largest number means for ever
}

// Candidate returns the address from which IPv6 is to be asked, and which an
// AAAA record may hold: the most lasting global address of the interface, or,
// if its name is empty, of the one that the default route leads through. It is
// ErrNoCandidate if there is none.
func Candidate(interfaceName string) (netip.Addr, error) {
	index, err := interfaceIndex(interfaceName)
	if err != nil {
		return netip.Addr{}, err
	}
	addresses, err := interfaceAddresses(index, ddns.IPv6)
	if err != nil {
		return netip.Addr{}, err
	}
	address, ok := pick6(addresses)
	if !ok {
		return netip.Addr{}, ErrNoCandidate
	}
	return address, nil
}

// pick6 returns the address that will stay the longest.
func pick6(addresses []localAddress) (netip.Addr, bool) {
	const unfit = flagTemporary | flagDADFailed | flagDeprecated | flagTentative
	fit := slices.DeleteFunc(slices.Clone(addresses), func(a localAddress) bool {
		// The kernel announces a withdrawn prefix with a preferred lifetime of
		// zero an instant before it sets the flag: both are looked at.
		return !a.global || ddns.Sane(a.address, ddns.IPv6) != nil || a.flags&unfit != 0 || a.preferred == 0
	})
	if len(fit) == 0 {
		return netip.Addr{}, false
	}
	return slices.MinFunc(fit, func(a, b localAddress) int {
		return cmp.Or(
			cmp.Compare(a.rank(), b.rank()),
			cmp.Compare(b.preferred, a.preferred),
			a.address.Compare(b.address),
		)
	}).address, true
}

// rank orders the ways in which a machine gets an IPv6 address by how lasting
// they are, the best first.
func (a localAddress) rank() int {
	b := a.address.As16()
	eui64 := b[11] == 0xff && b[12] == 0xfe // made of the hardware's address
	switch {
	case a.flags&flagPermanent != 0:
		return 0
	case a.bits == 128: // leased by DHCPv6
		return 1
	case a.flags&flagStablePrivacy != 0, eui64: // RFC 7217, RFC 4291
		return 2
	default:
		return 3
	}
}

// pick4 returns the address of an interface that the world could reach, else
// any, so that a witness can name a private one.
func pick4(addresses []localAddress) (netip.Addr, bool) {
	fit := slices.DeleteFunc(slices.Clone(addresses), func(a localAddress) bool { return !a.global })
	if len(fit) == 0 {
		return netip.Addr{}, false
	}
	insane := func(a localAddress) int {
		if ddns.Sane(a.address, ddns.IPv4) != nil {
			return 1
		}
		return 0
	}
	return slices.MinFunc(fit, func(a, b localAddress) int {
		return cmp.Or(
			cmp.Compare(insane(a), insane(b)),
			cmp.Compare(a.flags&flagTemporary, b.flags&flagTemporary), // secondary ones last
			a.address.Compare(b.address),
		)
	}).address, true
}

// ownInterface answers with an address of an interface of this machine. On the
// box that holds the home's address this is the shortest way to it; anywhere
// else it is a witness.
type ownInterface struct {
	name string
}

func (o ownInterface) ask(_ context.Context, _ ddns.World, family ddns.Family) (netip.Addr, error) {
	if family == ddns.IPv6 {
		return Candidate(o.name)
	}
	index, err := interfaceIndex(o.name)
	if err != nil {
		return netip.Addr{}, err
	}
	addresses, err := interfaceAddresses(index, ddns.IPv4)
	if err != nil {
		return netip.Addr{}, err
	}
	address, ok := pick4(addresses)
	if !ok {
		return netip.Addr{}, fmt.Errorf("interface %s has no IPv4 address", o.name)
	}
	return address, nil
}
