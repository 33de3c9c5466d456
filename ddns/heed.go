package ddns

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// A witness never moves an address; it can hold a change. Nobody on the LAN has
// to prove who he is before he speaks in the router's name, so that each hold
// that rests on a datagram has an end, and all of them count from when the
// change was first wanted: another tale does not begin another hold.
const (
	// againstLongest is how long a router that names what is published holds up a
	// change: long enough for one that is a moment late after a reconnect.
	againstLongest = 20 * time.Second
	// sharedLongest is how long a router holds up a change by naming an address
	// of a provider's NAT in datagrams alone.
	sharedLongest = 2 * time.Minute
)

// Wanted is since when a change of a family is wanted and not written.
type Wanted struct {
	Since time.Time // zero: none is wanted; moved along when the clock is set
	Seen  time.Time // the latest round that wanted it
}

// after is what is wanted after a vote. A round without an agreement ends nothing.
func (w Wanted) after(v Verdict, published []netip.Addr, now time.Time) Wanted {
	switch {
	case v.State != Agreed:
		return w
	case !isChange(v.Address, published):
		return Wanted{}
	case w.Since.IsZero():
		return Wanted{Since: now, Seen: now}
	}
	return Wanted{Since: began(w.Since, w.Seen, now), Seen: now}
}

// young reports whether the change has been wanted for less than some time.
func (w Wanted) young(than time.Duration) bool { return w.Seen.Sub(w.Since) < than }

// Still is what visitors find behind Cloudflare's proxy at what is published.
type Still struct {
	Answers bool   // this home, as when its name was last proved
	Name    string // that was asked for
	Why     string // it is not known to; empty if Answers
}

// heed is the holding after the witness was heard.
func heed(wan WAN, h Holding, published []netip.Addr, wanted Wanted) Holding {
	switch {
	case wan.Backing == Hearsay: // anybody can say it
		return h
	case wan.NAT.Shared() && !wan.Accepted:
		return holdShared(wan, h, isChange(h.Address, published), wanted)
	case wan.against(h.Address, published):
		return holdAgainst(wan, h, wanted)
	}
	return h
}

// holdShared holds while the provider translates: no visitor reaches the agreed
// address. What a router says in datagrams holds a change for a while only.
func holdShared(wan WAN, h Holding, change bool, wanted Wanted) Holding {
	var until time.Time
	if change && wan.Backing < Connected {
		if wan.Forgets || !wanted.young(sharedLongest) {
			return h
		}
		until = wanted.Since.Add(sharedLongest)
	}
	h.Decision, h.Guard, h.Until = Wait, CGNATGuard, until
	h.Why, h.Hint = wan.Why+", so no A record is created or changed", wan.Hint
	return h
}

// against reports whether a witness names what is published, and the vote
// another address: a VPN on the router, or a line that failed over. Which of the
// two, only visitors show.
func (w WAN) against(agreed netip.Addr, published []netip.Addr) bool {
	return w.Backing > Hearsay && w.NAT == NATElsewhere &&
		isChange(agreed, published) && slices.Contains(published, w.Address)
}

// holdAgainst holds a change that a witness speaks against: all of it for a
// moment, and then the proxied names for as long as visitors still arrive.
func holdAgainst(wan WAN, h Holding, wanted Wanted) Holding {
	h.Against = wan.Why
	if h.Decision != Publish { // another guard holds it, and counts for itself
		return h
	}
	h.Hint = hintElsewhere
	switch {
	case !wan.Forgets && wanted.young(againstLongest):
		h.Decision, h.Guard, h.Until = Wait, RouterGuard, wanted.Since.Add(againstLongest)
		h.Why = fmt.Sprintf("%s; the router names what is published, so the change waits a moment", wan.Why)
	case wan.Still.Answers:
		h.Guard, h.ProxiedWait = RouterGuard, true
		h.Why = fmt.Sprintf("%s; visitors still reach this home at %s (asked for %s), so names behind the "+
			"proxy stay there",
			wan.Why, wan.Address, wan.Still.Name)
	default:
		h.Why = fmt.Sprintf("%s; published all the same: %s", wan.Why, wan.Still.Why)
	}
	return h
}
