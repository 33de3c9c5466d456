package main

import (
	"fmt"
	"net"
)

// listenAnnouncements opens the socket on which routers tell everybody in the
// house of their new address (RFC 6886, section 3.2.1), on one interface.
// Several programs may listen. Anybody in the house can send to it, also past
// the group: who is believed is decided by who sent it, and nothing is answered.
func listenAnnouncements(through string) (net.PacketConn, error) {
	i, err := net.InterfaceByName(through)
	if err != nil {
		return nil, fmt.Errorf("listening to the announcements of routers: %w", err)
	}
	return net.ListenMulticastUDP("udp4", i, &net.UDPAddr{IP: net.IPv4(224, 0, 0, 1), Port: 5350})
}
