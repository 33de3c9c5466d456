package ipsource

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"syscall"

	"github.com/cfddns/cfddns/ddns"
)

// The kernel is asked by netlink, since package net shows no flags. What is
// read here is described in rtnetlink(7).
const (
	attrCacheInfo = 6 // IFA_CACHEINFO: four numbers, the first is the preferred lifetime
	attrFlags     = 8 // IFA_FLAGS: all 32 of them; the header has room for eight

	nexthopSize = 8 // struct rtnexthop: the interface's index is its second half
)

const errNoRoute6 = noWayOut("this machine has no default route for IPv6")

// interfaceIndex returns the index of the interface with the name, or of the
// one that IPv6 leaves through if the name is empty.
func interfaceIndex(name string) (int, error) {
	if name != "" {
		return interfaceNamed(name)
	}
	routes, err := syscall.NetlinkRIB(syscall.RTM_GETROUTE, syscall.AF_INET6)
	if err != nil {
		return 0, fmt.Errorf("asking the kernel for routes: %w", os.NewSyscallError("netlink", err))
	}
	index, err := parseDefaultRoute(routes)
	if errors.Is(err, errNoRoute6) && os.Getenv("container") != "" { // https://systemd.io/CONTAINER_INTERFACE; our image says it to docker, which does not
		err = fmt.Errorf("%w; it is a container: run it on the host's network (--network host), or give its bridge IPv6", err)
	}
	return index, err
}

// Options of IPv6 sockets, as the kernel's include/uapi/linux/in6.h has them.
const (
	addrPreferences = 72  // IPV6_ADDR_PREFERENCES (RFC 5014)
	preferPublic    = 0x2 // IPV6_PREFER_SRC_PUBLIC: no temporary address
)

// farAway is an address out in the world, of Cloudflare's resolver.
var farAway = netip.MustParseAddr("2606:4700:4700::1111")

// kernelsChoice is the address from which the kernel itself would ask somebody
// far away over IPv6; zero if it cannot. To connect a UDP socket sends nothing.
func kernelsChoice(interfaceName string) netip.Addr {
	fd, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return netip.Addr{}
	}
	defer syscall.Close(fd)
	// without it the kernel names a temporary one, which is left out
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, addrPreferences, preferPublic)
	if interfaceName != "" && syscall.SetsockoptString(fd, syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE,
		interfaceName) != nil {
		return netip.Addr{}
	}
	if syscall.Connect(fd, &syscall.SockaddrInet6{Port: 53, Addr: farAway.As16()}) != nil {
		return netip.Addr{}
	}
	local, err := syscall.Getsockname(fd)
	if six, ok := local.(*syscall.SockaddrInet6); ok && err == nil {
		return netip.AddrFrom16(six.Addr)
	}
	return netip.Addr{}
}

// interfaceAddresses lists the addresses of an interface, or of any.
func interfaceAddresses(index int, family ddns.Family) ([]localAddress, error) {
	af := syscall.AF_INET
	if family == ddns.IPv6 {
		af = syscall.AF_INET6
	}
	dump, err := syscall.NetlinkRIB(syscall.RTM_GETADDR, af)
	if err != nil {
		return nil, fmt.Errorf("asking the kernel for addresses: %w", os.NewSyscallError("netlink", err))
	}
	all, err := parseAddresses(dump)
	if err != nil {
		return nil, err
	}
	var own []localAddress
	for _, a := range all {
		if a.index == index || index == anyInterface {
			own = append(own, a)
		}
	}
	return own, nil
}

// parseAddresses reads a dump of addresses.
func parseAddresses(dump []byte) ([]localAddress, error) {
	messages, err := syscall.ParseNetlinkMessage(dump)
	if err != nil {
		return nil, fmt.Errorf("kernel's list of addresses: %w", err)
	}
	var addresses []localAddress
	for _, m := range messages {
		if m.Header.Type != syscall.RTM_NEWADDR || len(m.Data) < syscall.SizeofIfAddrmsg {
			continue
		}
		// struct ifaddrmsg: family, prefix length, flags, scope, index
		a := localAddress{
			bits:      int(m.Data[1]),
			flags:     uint32(m.Data[2]),
			global:    m.Data[3] == syscall.RT_SCOPE_UNIVERSE,
			index:     int(binary.NativeEndian.Uint32(m.Data[4:8])),
			preferred: math.MaxUint32,
		}
		local := false
		for _, attr := range attributes(m.Data[syscall.SizeofIfAddrmsg:]) {
			switch {
			case attr.kind == syscall.IFA_LOCAL:
				a.address, local = netip.AddrFromSlice(attr.value)
			case attr.kind == syscall.IFA_ADDRESS && !local: // on a point-to-point link: the other end's
				a.address, _ = netip.AddrFromSlice(attr.value)
			case attr.kind == attrFlags && len(attr.value) >= 4:
				a.flags = binary.NativeEndian.Uint32(attr.value)
			case attr.kind == attrCacheInfo && len(attr.value) >= 4:
				a.preferred = binary.NativeEndian.Uint32(attr.value)
			}
		}
		if a.address.IsValid() {
			addresses = append(addresses, a)
		}
	}
	return addresses, nil
}

// parseDefaultRoute reads a dump of IPv6 routes and returns the index of the
// interface that the best default route of the main table leads through.
func parseDefaultRoute(dump []byte) (int, error) {
	messages, err := syscall.ParseNetlinkMessage(dump)
	if err != nil {
		return 0, fmt.Errorf("kernel's list of routes: %w", err)
	}
	best, bestMetric := 0, uint64(math.MaxUint64)
	for _, m := range messages {
		if m.Header.Type != syscall.RTM_NEWROUTE || len(m.Data) < syscall.SizeofRtMsg {
			continue
		}
		// struct rtmsg: family, destination and source length, TOS, table, protocol, scope, type, flags
		everywhere, table, kind := m.Data[1] == 0, m.Data[4], m.Data[7]
		if !everywhere || table != syscall.RT_TABLE_MAIN || kind != syscall.RTN_UNICAST {
			continue
		}
		index, metric := throughInterface(attributes(m.Data[syscall.SizeofRtMsg:]))
		if index > 0 && uint64(metric) < bestMetric {
			best, bestMetric = index, uint64(metric)
		}
	}
	if best == 0 {
		return 0, errNoRoute6
	}
	return best, nil
}

// throughInterface returns the interface and the metric of a route; of several
// next hops the first.
func throughInterface(attrs []attribute) (index int, metric uint32) {
	for _, attr := range attrs {
		switch {
		case attr.kind == syscall.RTA_OIF && len(attr.value) >= 4:
			index = int(binary.NativeEndian.Uint32(attr.value))
		case attr.kind == syscall.RTA_MULTIPATH && len(attr.value) >= nexthopSize:
			index = int(binary.NativeEndian.Uint32(attr.value[4:]))
		case attr.kind == syscall.RTA_PRIORITY && len(attr.value) >= 4:
			metric = binary.NativeEndian.Uint32(attr.value)
		}
	}
	return index, metric
}

// attribute is one field of a netlink message.
type attribute struct {
	kind  uint16
	value []byte
}

// attributes splits what follows the header of a message. The reader in
// package syscall trusts the padding of the last one; this one does not.
func attributes(b []byte) []attribute {
	var attrs []attribute
	for len(b) >= syscall.SizeofRtAttr {
		size := int(binary.NativeEndian.Uint16(b))
		if size < syscall.SizeofRtAttr || size > len(b) {
			break
		}
		attrs = append(attrs, attribute{kind: binary.NativeEndian.Uint16(b[2:]), value: b[syscall.SizeofRtAttr:size]})
		b = b[min((size+3)&^3, len(b)):]
	}
	return attrs
}
