package ddns

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// hopPatience is how long a DDNS host may take to answer.
	hopPatience = 2 * time.Second
	// hopHeadStart is how long the system's resolver has before public ones are
	// asked beside it.
	hopHeadStart = 700 * time.Millisecond
	// hopsMost bounds the hosts that are watched and remembered.
	hopsMost = 200
	// hopsAtOnce bounds how many of them are asked at the same time.
	hopsAtOnce = 16
	// darkAfter is how many rounds a host must be silent in, one after the
	// other, and darkLeast for how long, before that is said.
	darkAfter = 2
	darkLeast = 30 * time.Second
)

// AskHops asks where the hosts lead, and remembers what they answered: once a
// DDNS host is dark it can no longer be asked.
func (r *Runner) AskHops(ctx context.Context, hosts []string, remembered map[string]HopSeen, now time.Time) (map[string]Hop, map[string]HopSeen) {
	if len(hosts) == 0 {
		return nil, remembered
	}
	ctx, cancel := context.WithTimeout(ctx, hopPatience)
	defer cancel()
	answers := make([]Hop, len(hosts))
	slots := make(chan struct{}, hopsAtOnce)
	var asking sync.WaitGroup
	for i, host := range hosts {
		asking.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			answers[i] = r.askHop(ctx, host)
		})
	}
	asking.Wait()
	hops, seen := map[string]Hop{}, cloned(remembered)
	for _, h := range answers {
		last := seen[h.Target]
		h.Last, last.Asked = last, now
		if h.Err == nil {
			// Whose address it was then is still known, also in a round that knows no address.
			here := last.Here && slices.Equal(last.Addresses, h.Answers)
			last = HopSeen{Addresses: h.Answers, Here: here, At: now, Asked: now}
		}
		seen[h.Target] = last
		hops[h.Target] = h
	}
	return hops, seen
}

// askHop asks the system's resolver, and, if that has no answer, what public
// resolvers hold: they may remember a host that is dark, and if they can ask
// it, then it is our own resolver that cannot.
func (r *Runner) askHop(ctx context.Context, host string) Hop {
	asked := make(chan Hop, 1)
	go func() { asked <- lookUpHop(ctx, r.Resolver, host) }() // ends with ctx
	headStart := time.NewTimer(hopHeadStart)
	defer headStart.Stop()
	var h Hop
	select {
	case h = <-asked:
		if h.Err != nil {
			h.Held = r.heldOf(ctx, host)
		}
	case <-headStart.C:
		held := r.heldOf(ctx, host)
		if h = <-asked; h.Err != nil {
			h.Held = held
		}
	}
	h.Word = slices.Contains(r.From, host)
	return h
}

// lookUpHop asks for both families: a DDNS host may hold either.
func lookUpHop(ctx context.Context, resolver Resolver, host string) Hop {
	h := Hop{Target: host}
	for _, f := range Families {
		addresses, err := resolver.Lookup(ctx, f, host)
		if err != nil {
			h.Err = err
			continue
		}
		h.Answers = append(h.Answers, addresses...)
	}
	if len(h.Answers) > 0 {
		h.Err = nil
		slices.SortFunc(h.Answers, netip.Addr.Compare)
	} else if h.Err == nil {
		h.Err = fmt.Errorf("%s answers no address", host)
	}
	return h
}

// heldOf asks the public resolvers for both families, and returns what they
// hold, each that holds anything once.
func (r *Runner) heldOf(ctx context.Context, host string) (held []HeldAnswer) {
	if r.Prover.Nameservers == nil {
		return nil
	}
	answers := make([]HeldAnswer, len(r.Prover.Resolvers))
	var asking sync.WaitGroup
	for i, url := range r.Prover.Resolvers {
		asking.Go(func() {
			answers[i].Resolver = url
			for _, f := range Families {
				if answer, err := r.Prover.Nameservers.AskDoH(ctx, url, host, f.RecordType()); err == nil {
					answers[i].Addresses = append(answers[i].Addresses, answer.Addresses...)
				}
			}
		})
	}
	asking.Wait()
	return slices.DeleteFunc(answers, func(a HeldAnswer) bool { return len(a.Addresses) == 0 })
}

// watchHops asks the hosts of those hops that no target stands at, beside the
// writing, which they cannot hold up: no more often than the records are read,
// but in each round while one is silent.
func (r *Runner) watchHops(ctx context.Context, round Round, seen map[string]HopSeen) (map[string]Hop, map[string]HopSeen) {
	hops := round.Hops
	if r.Watch {
		due := slices.DeleteFunc(slices.Sorted(maps.Keys(hopsIn(round.Found))), func(host string) bool {
			_, asked := round.Hops[host]
			last := seen[host]
			age := round.Started.Sub(last.Asked)
			return asked || last.Silent == 0 && !last.Asked.IsZero() && age >= 0 && age < r.Recheck
		})
		others, all := r.AskHops(ctx, due[:min(len(due), hopsMost)], seen, round.Started)
		hops, seen = cloned(round.Hops), all
		maps.Copy(hops, others)
	}
	return hops, forgetHops(countSilence(round, hops, seen))
}

// countSilence counts the rounds in which a host did not answer. A round whose
// sources did not agree either counts for nothing: it may be our own line.
func countSilence(round Round, hops map[string]Hop, seen map[string]HopSeen) map[string]HopSeen {
	up := slices.ContainsFunc(round.Verdicts, func(v Verdict) bool { return v.State == Agreed })
	seen = cloned(seen)
	for host, h := range hops {
		last := seen[host]
		switch {
		case h.Err == nil || len(h.Held) > 0:
			last.Silent, last.Since = 0, time.Time{}
		case up:
			if last.Silent++; last.Since.IsZero() {
				last.Since = round.Started
			}
		}
		seen[host] = last
	}
	return seen
}

// forgetHops keeps those that were asked last.
func forgetHops(seen map[string]HopSeen) map[string]HopSeen {
	if len(seen) <= hopsMost {
		return seen
	}
	hosts := slices.SortedFunc(maps.Keys(seen), func(a, b string) int {
		return cmp.Or(seen[b].Asked.Compare(seen[a].Asked), cmp.Compare(a, b))
	})
	for _, host := range hosts[hopsMost:] {
		delete(seen, host)
	}
	return seen
}

// hopsIn are the hops of the zones that were read whole: the names that lead
// to each host, sorted.
func hopsIn(found Found) map[string][]string {
	hops := map[string][]string{}
	for _, z := range found.Zones {
		for _, r := range z.Records {
			if r.Type != "CNAME" || !z.Whole {
				continue
			}
			if _, err := hopOf(r.Name, pointsTo(r)); err == nil {
				hops[pointsTo(r)] = append(hops[pointsTo(r)], r.Name)
			}
		}
	}
	for _, names := range hops {
		slices.Sort(names)
	}
	return hops
}
