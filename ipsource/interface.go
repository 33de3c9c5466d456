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

// errNoPublic6 says that no question can leave this machine by an address that
// the world knows: the provider, or the router, has given it none.
const errNoPublic6 = noWayOut("this machine has no public IPv6 address")

// noWayOut says that no question can leave this machine. The kernel tells when
// that changes (Changes), so that asking again is of no use.
type noWayOut string

// Error implements error.
func (e noWayOut) Error() string { return string(e) }

// NoWayOut sets the error apart from that of a line which is silent.
func (noWayOut) NoWayOut() {}

// anyInterface stands for all interfaces.
const anyInterface = 0

// Candidate returns the first of the Candidates.
func Candidate(interfaceName string) (netip.Addr, error) {
	candidates, err := Candidates(interfaceName)
	if err != nil {
		return netip.Addr{}, err
	}
	return candidates[0], nil
}

// Candidates returns the addresses from which IPv6 may be asked, and which an
// AAAA record may hold, the best first: the lasting global addresses of the
// interface, or, if its name is empty, of the one that the default route leads
// through. Those of the network from which the kernel itself would ask come
// first, and among them the most lasting. It is ErrNoCandidate if there is none.
func Candidates(interfaceName string) ([]netip.Addr, error) {
	index, err := interfaceIndex(interfaceName)
	if err != nil {
		return nil, err
	}
	everywhere, err := interfaceAddresses(anyInterface, ddns.IPv6)
	if err != nil {
		return nil, err
	}
	kernels := kernelsChoice(interfaceName)
	addresses := slices.DeleteFunc(everywhere, func(a localAddress) bool {
		return a.index != index && a.address != kernels
	})
	if candidates := pick6(addresses, kernels); len(candidates) > 0 {
		return candidates, nil
	}
	if !slices.ContainsFunc(addresses, func(a localAddress) bool {
		return a.global && ddns.Sane(a.address, ddns.IPv6) == nil
	}) {
		return nil, errNoPublic6
	}
	return nil, ErrNoCandidate
}

// pick6 returns the addresses that last: those of the network that the kernel
// asks from first, then those that will stay the longest.
func pick6(addresses []localAddress, kernels netip.Addr) (fitting []netip.Addr) {
	const unfit = flagTemporary | flagDADFailed | flagDeprecated | flagTentative
	fit := slices.DeleteFunc(slices.Clone(addresses), func(a localAddress) bool {
		// The kernel announces a withdrawn prefix with a preferred lifetime of
		// zero an instant before it sets the flag: both are looked at.
		return !a.global || ddns.Sane(a.address, ddns.IPv6) != nil || a.flags&unfit != 0 || a.preferred == 0
	})
	elsewhere := func(a localAddress) int {
		if network, err := kernels.Prefix(64); err == nil && network.Contains(a.address) {
			return 0
		}
		return 1
	}
	slices.SortFunc(fit, func(a, b localAddress) int {
		return cmp.Or(
			cmp.Compare(elsewhere(a), elsewhere(b)),
			cmp.Compare(a.rank(), b.rank()),
			cmp.Compare(b.preferred, a.preferred),
			a.address.Compare(b.address),
		)
	})
	for _, a := range fit {
		fitting = append(fitting, a.address)
	}
	return fitting
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
