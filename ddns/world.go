package ddns

import (
	"context"
	"crypto/x509"
	"net"
	"net/netip"
)

// World is every way out of this process to the network. One is built in
// cmd/cfddns and handed to whoever talks: the real network, or the sandbox's
// fake one. Libraries serve as codecs on its connections; one that opens its
// own sockets does not fit here.
type World interface {
	// Dial opens a fresh connection. The network names the family ("tcp4",
	// "udp6"), the address is HOST:PORT. It must honour the context.
	Dial(ctx context.Context, network, address string) (net.Conn, error)
	// From returns the same world, dialled from one of our own addresses.
	From(local netip.Addr) World
	// Roots are the certificate authorities to believe; nil means the system's.
	Roots() *x509.CertPool
}

// A SimulatedWorld lets a connection count as authenticated without a
// handshake, so that a year of rounds runs in seconds of testing/synctest.
// No world outside of tests implements it.
type SimulatedWorld interface {
	World
	// DialTLS opens a connection that is taken as verified for the host of
	// the address.
	DialTLS(ctx context.Context, network, address string) (net.Conn, error)
}
