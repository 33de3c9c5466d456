package ddns

import (
	"context"
	"net/netip"
)

// Class says how far an answer of a source can be trusted on its way to us.
type Class int

// The classes, from the strongest to the one that never votes.
const (
	// Authenticated: TLS proved who answered (HTTPS, DNS over HTTPS or TLS).
	Authenticated Class = iota + 1
	// Plain: whoever sits on the line can forge it (STUN, DNS over TCP, a command).
	Plain
	// PlainDNS: UDP port 53. Whoever holds the line can forge all of these at
	// once, and many do, so all of them together are one voice.
	PlainDNS
	// Witness explains and never votes (a router, an interface beside other sources).
	Witness
)

// String returns the word used in tables.
func (c Class) String() string {
	switch c {
	case Authenticated:
		return "authenticated"
	case Plain:
		return "plain"
	case PlainDNS:
		return "plain-dns"
	case Witness:
		return "witness"
	default:
		return "unknown"
	}
}

// Source is one way to learn our address.
type Source struct {
	Name      string // unique in a roster: "amazon", "google-dns"
	Operator  string // who runs it, its CDN counted in; one operator is one voice
	Class     Class
	Transport string // "https", "stun", "dns", "interface", "command"
	Cost      int    // bytes on the wire for one question, roughly; orders quiet rounds
	// Ask asks once, over a fresh connection of the family. It returns one
	// address of that family, or an error that says what came instead.
	Ask func(ctx context.Context, family Family) (netip.Addr, error)
}
