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
	// Plain: nothing proves who answered (STUN, DNS over port 53, plain HTTP, a
	// command). Who holds the line can forge all of these at once, so all of them
	// together are one voice.
	Plain
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
	Worldwide bool   // its operator serves the whole world: a spare takes its place late
	Stays     bool   // no spare takes its place in this round
	InPlaceOf string // the operator whose place a spare takes in this round; empty for a member
	Transport string // "https", "stun", "dns", "interface", "command"
	Cost      int    // bytes on the wire for one question, roughly; orders quiet rounds
	// Ask asks once, over a fresh connection of the family. It returns one
	// address of that family, or an error that says what came instead.
	Ask func(ctx context.Context, family Family) (netip.Addr, error)
	// Around asks as Ask does, and finds the server without this machine's
	// resolver. Nil: there is no other way to find it.
	Around func(ctx context.Context, family Family) (netip.Addr, error)
}
