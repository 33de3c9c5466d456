//go:build !linux

package ipsource

import (
	"net"
	"net/netip"
)

// hopAt cannot read a socket's errors here.
func hopAt(net.Conn, int) netip.Addr { return netip.Addr{} }
