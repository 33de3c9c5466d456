package ddns

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"
)

// origin is where a script host comes from, as far as is known: the addresses
// of the families that were learnt, the others as they stood.
type origin struct {
	dynamic bool                    // not only what the configuration lists
	known   map[Family][]netip.Addr // an empty list: none, for certain
}

// fill completes a way in. What was not learnt stays as it stood; ok is false
// if nothing is known at all.
func (o origin) fill(w WayIn, stood []netip.Prefix) (complete WayIn, ok bool) {
	if !o.dynamic {
		return w, true
	}
	w.Addresses = slices.Clone(w.Addresses)
	for _, f := range Families {
		if now, known := o.known[f]; known {
			for _, a := range now {
				w.Addresses = append(w.Addresses, Admit(a))
			}
			continue
		}
		for _, p := range stood {
			if FamilyOf(p.Addr()) == f {
				w.Addresses = append(w.Addresses, p)
			}
		}
	}
	slices.SortFunc(w.Addresses, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	w.Addresses = slices.Compact(w.Addresses)
	return w, len(w.Addresses) > 0
}

// comesFrom learns where the script host of a way in comes from in this round.
func (r *Runner) comesFrom(ctx context.Context, kept KeptWayIn, round Round) (origin, error) {
	o := origin{dynamic: kept.Self || kept.From != "", known: map[Family][]netip.Addr{}}
	if kept.Over(round.Started) {
		return o, nil
	}
	if kept.Self {
		why := ErrNoAddress
		for _, f := range Families { // what nobody asks for leaves: it could stay let in for ever
			if !slices.ContainsFunc(round.Holdings, func(h Holding) bool { return h.Family == f }) {
				o.known[f] = nil
			}
		}
		agreed := false
		for _, h := range round.Holdings {
			switch {
			case h.Against != "": // a wrong rule lets a stranger in
				why = fmt.Errorf("%w (%s)", ErrNoAddress, h.Against)
			case h.Decision == Publish:
				o.known[h.Family], agreed = []netip.Addr{h.Address}, true
			case h.Guard == CGNATGuard:
				why = RefuseShared(kept.Name, h.Address)
			}
		}
		if !agreed {
			return o, why
		}
	}
	if kept.From != "" {
		maps.Copy(o.known, r.resolve(ctx, kept.From))
	}
	return o, nil
}

// RefuseShared is the error of a way in for an address that is not this home's
// alone: all others who have it would come in as well.
func RefuseShared(name string, address netip.Addr) error {
	return &Error{Kind: Rejected, Op: "let " + name + " in", Hint: "use a header instead: cfddns waf allow " + name + " --header …",
		Err: fmt.Errorf("%s is shared with other customers of the provider (CGNAT), who would come in as well; nothing was changed", address)}
}

// sharedMoment is how long the witness is heard before a rule is written.
const sharedMoment = 500 * time.Millisecond

// refuseShared looks, before a rule for this home is written, whether its
// address is shared. Silence of the witness hinders nothing.
func (r *Runner) refuseShared(ctx context.Context, kept KeptWayIn, round Round) error {
	v := verdictOf(round.Verdicts, IPv4)
	if !kept.Self || v.State != Agreed {
		return nil
	}
	wan := round.WAN
	if !wan.answered() && r.Witness != nil {
		ctx, cancel := context.WithTimeout(ctx, sharedMoment)
		defer cancel()
		wan = JudgeWAN(v, FindingsOf(ctx, r.Witness))
	}
	if wan.NAT.Shared() {
		return RefuseShared(kept.Name, v.Address)
	}
	return nil
}

// resolve asks for the addresses of a script host. A family that a name lacks
// is known to be empty only if the name has the other: a name that does not
// resolve at all is trouble, and what stands stays.
func (r *Runner) resolve(ctx context.Context, host string) map[Family][]netip.Addr {
	ctx, cancel := context.WithTimeout(ctx, hopPatience)
	defer cancel()
	known := map[Family][]netip.Addr{}
	var lacking []Family
	for _, f := range Families {
		addresses, err := r.Resolver.Lookup(ctx, f, host)
		var no *net.DNSError
		switch {
		case err == nil && len(addresses) > 0:
			known[f] = addresses
		case err == nil, errors.As(err, &no) && no.IsNotFound:
			lacking = append(lacking, f)
		}
	}
	if len(known) > 0 {
		for _, f := range lacking {
			known[f] = nil
		}
	}
	return known
}
