// Package ipsource learns the public address of a home.
//
// No single party can be believed about it: operators answer wrongly, lines
// are intercepted, login pages answer in the place of a server. So many are
// asked, and package ddns counts their voices. This package only asks:
//
//   - catalogue.go is the list of the operators that are known, as data;
//   - spec.go reads what the configuration names, and says what cannot be right;
//   - roster.go makes ddns.Source values of both;
//   - https.go, trace.go, dns.go, stun.go, interface.go and command.go are the
//     ways to ask, one a file; each has a strict parser that takes one address
//     and nothing else. An answer is never searched for something that looks
//     like an address;
//   - router.go asks the router of the home, which explains and never votes;
//     gateway.go finds it, and hops.go those behind it.
//
// Every question opens a fresh connection: the mapping of a NAT router outlives
// a change of the line, and a kept socket can report the old address for ever.
//
// IPv6 needs more than an answer: a machine has several addresses, and by
// default speaks from one that lasts a day (RFC 8981). See vantage.
package ipsource

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// asker asks one question, over fresh connections of the world and the family.
type asker interface {
	ask(ctx context.Context, world ddns.World, family ddns.Family) (netip.Addr, error)
}

// vantage is the place on this machine from which servers are asked.
type vantage struct {
	world ddns.World
	// from4 is the local address for IPv4; the zero Addr leaves it to the system.
	from4 netip.Addr
	// through is the interface that all must leave by; empty leaves it to the system.
	through string
	// played is set if the home is a played one; see Config.
	played bool
	// candidates name the local addresses for IPv6, the best first.
	candidates func() ([]netip.Addr, error)
	standing   *Standing
}

// ask asks, and says it in so many words if the interface to ask from is not here.
func (v vantage) ask(ctx context.Context, a asker, family ddns.Family) (netip.Addr, error) {
	heard, err := v.hear(ctx, a, family)
	if err != nil && v.through != "" {
		if _, cause := interfaceNamed(v.through); cause != nil {
			return netip.Addr{}, cause
		}
	}
	return heard, err
}

// hear asks over IPv4 as the system chooses. Over IPv6 it asks from the address
// that is to be published, and demands to hear that very address back: this
// proves that the address reaches the world, and keeps temporary addresses,
// dead prefixes and NAT66 out of the DNS.
func (v vantage) hear(ctx context.Context, a asker, family ddns.Family) (netip.Addr, error) {
	if family != ddns.IPv6 || v.played {
		world := v.world
		if v.from4.IsValid() && family == ddns.IPv4 {
			world = world.From(v.from4)
		}
		return a.ask(ctx, world, family)
	}
	candidates, err := v.candidates()
	var heard, from netip.Addr
	switch {
	case errors.Is(err, ErrNoCandidate):
		// Asked all the same, to be able to say who we are taken for.
		if heard, err = a.ask(ctx, v.world, family); err != nil {
			err = fmt.Errorf("%w; asked all the same: %w", ErrNoCandidate, err)
		}
	case err != nil:
		return netip.Addr{}, fmt.Errorf("no IPv6 here: %w", err)
	default:
		heard, from, err = v.standing.ask(ctx, candidates,
			func(ctx context.Context, from netip.Addr) (netip.Addr, error) {
				return a.ask(ctx, v.world.From(from), family)
			})
	}
	if err != nil {
		return netip.Addr{}, err
	}
	if heard != from {
		return netip.Addr{}, &HeardOtherwise{Asked: from, Heard: heard}
	}
	return heard, nil
}

// HeardOtherwise says that a server heard an IPv6 question from another
// address than the one it was asked from. What was heard is no vote: it is the
// address of a NAT66 router, or one that this machine gives up within a day.
type HeardOtherwise struct {
	Asked netip.Addr // zero if the machine has no lasting address
	Heard netip.Addr
}

// Error implements error.
func (e *HeardOtherwise) Error() string {
	if !e.Asked.IsValid() {
		return fmt.Sprintf("was heard as %s, which is no lasting address of this machine: NAT66 or a temporary address; ip.bind can name the address or the interface to ask from", e.Heard)
	}
	return fmt.Sprintf("asked from %s, was heard as %s: NAT66 or a temporary address", e.Asked, e.Heard)
}

// Translated reports whether the question left from an address that lasts, so
// that what was heard is what a router made of it.
func (e *HeardOtherwise) Translated() bool { return e.Asked.IsValid() }

// HeardAddress returns the address that the server heard.
func (e *HeardOtherwise) HeardAddress() netip.Addr { return e.Heard }

// bounded asks with a deadline of its own, so that one silent server leaves
// the rest of the round to the others.
func bounded(ctx context.Context, limit time.Duration, ask func(context.Context) (netip.Addr, error)) (netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := time.Now()
	address, err := ask(ctx)
	if err == nil {
		return address, nil
	}
	took := time.Since(began).Round(100 * time.Millisecond)
	late := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
	if late && took > 0 { // else what it relies on was known to be silent
		err = fmt.Errorf("no answer within %s: %w", took, err)
	}
	return netip.Addr{}, err
}

// hangUp makes a connection's reads and writes fail once ctx is done. The
// function it returns ends the watch.
func hangUp(ctx context.Context, conn net.Conn) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
}

// overdue replaces the error of a connection that hangUp broke by the reason.
func overdue(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// ofFamily checks an address that a parser took from an answer. IPv4 in IPv6
// clothes (::ffff:a.b.c.d) is an IPv4 address.
func ofFamily(a netip.Addr, family ddns.Family) (netip.Addr, error) {
	if a.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("answered %q, an address of one link only", a)
	}
	a = a.Unmap()
	if got := ddns.FamilyOf(a); got != family {
		return netip.Addr{}, fmt.Errorf("answered %s, an %s address, to a question over %s", a, got, family)
	}
	return a, nil
}

// notItself refuses an answer that names the server: a broken proxy in front
// of an echo does that.
func notItself(a, server netip.Addr) (netip.Addr, error) {
	if a == server {
		return netip.Addr{}, fmt.Errorf("answered %s, its own address", a)
	}
	return a, nil
}

// addressOf returns the IP address of one end of a connection; zero if it has none.
func addressOf(end net.Addr) netip.Addr {
	ap, err := netip.ParseAddrPort(end.String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}
