//go:build !linux

package ipsource

import (
	"net"
	"net/netip"

	"github.com/cfddns/cfddns/ddns"
)

// interfaceIndex returns the index of the interface with the name. Where the
// flags of addresses cannot be read, no interface is chosen for IPv6.
func interfaceIndex(name string) (int, error) {
	if name == "" {
		return 0, ErrNoCandidate
	}
	return interfaceNamed(name)
}

// kernelsChoice is not known here.
func kernelsChoice(string) netip.Addr { return netip.Addr{} }

// interfaceAddresses lists the IPv4 addresses of an interface. IPv6 ones are
// left out: nobody says here which are temporary, so ip.bind has to name one.
func interfaceAddresses(index int, family ddns.Family) ([]localAddress, error) {
	if family == ddns.IPv6 {
		return nil, nil
	}
	i, err := net.InterfaceByIndex(index)
	if err != nil {
		return nil, err
	}
	addresses, err := i.Addrs()
	if err != nil {
		return nil, err
	}
	var own []localAddress
	for _, a := range addresses {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil || !prefix.Addr().Unmap().Is4() {
			continue
		}
		address := prefix.Addr().Unmap()
		own = append(own, localAddress{index: index, address: address, bits: prefix.Bits(), global: !address.IsLinkLocalUnicast()})
	}
	return own, nil
}
