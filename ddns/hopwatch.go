package ddns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// hopPatience is how long a DDNS host may take to answer.
	hopPatience = 2 * time.Second
	// hopsPatience is how long all of those that writing waits for may take. Who
	// then had no full turn is asked first in the next round.
	hopsPatience = 2 * hopPatience
	// hopHeadStart is how long the system's resolver has before public ones are
	// asked beside it.
	hopHeadStart = 700 * time.Millisecond
	// hopsMost bounds the hosts that are watched and remembered.
	hopsMost = 200
	// hopsAtOnce bounds how many of them are asked at the same time.
	hopsAtOnce = 50
	// darkAfter is how often a host must be silent, one time after the other,
	// and darkLeast for how long, before a round may say that it is dark.
	darkAfter = 2
	darkLeast = 30 * time.Second
)

// AskHops asks where the hosts lead, and remembers what they answered: once a
// DDNS host is dark it can no longer be asked.
func (r *Runner) AskHops(ctx context.Context, hosts []string, remembered map[string]HopSeen, now time.Time) (map[string]Hop, map[string]HopSeen) {
	return r.askHopsUnless(ctx, hosts, remembered, now, func(Hop) bool { return false })
}

// askHopsUnless is AskHops; of those that answer, and of which enough is sure,
// no public resolver is asked.
func (r *Runner) askHopsUnless(ctx context.Context, hosts []string, remembered map[string]HopSeen, now time.Time,
	sure func(Hop) bool) (map[string]Hop, map[string]HopSeen) {
	if len(hosts) == 0 {
		return nil, remembered
	}
	ask := func(ctx context.Context, host string) Hop { return r.askHop(ctx, host, sure) }
	longest := func(a, b string) int { return remembered[a].Asked.Compare(remembered[b].Asked) }
	return noteHops(askHops(ctx, slices.SortedStableFunc(slices.Values(hosts), longest), ask), remembered, now)
}

// askHops asks about the hosts, in order, some side by side. Each has its own
// patience: many that are dark do not make the others look so. Those for which
// the context leaves too little time are not asked, and not in the answer.
func askHops(ctx context.Context, hosts []string, ask func(context.Context, string) Hop) []Hop {
	answers := make([]Hop, len(hosts))
	var next atomic.Int64 // in the order of hosts: whoever waited longest has its turn first
	var asking sync.WaitGroup
	for range min(hopsAtOnce, len(hosts)) {
		asking.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(hosts)); i = next.Add(1) - 1 {
				if end, bounded := ctx.Deadline(); bounded && time.Until(end) < hopPatience {
					return
				}
				asked, cancel := context.WithTimeout(ctx, hopPatience)
				answers[i] = ask(asked, hosts[i])
				cancel()
			}
		})
	}
	asking.Wait()
	return slices.DeleteFunc(answers, func(h Hop) bool { return h.Target == "" })
}

// noteHops adds answers to what is remembered.
func noteHops(answers []Hop, remembered map[string]HopSeen, now time.Time) (map[string]Hop, map[string]HopSeen) {
	hops, seen := map[string]Hop{}, cloned(remembered)
	for _, h := range answers {
		last := seen[h.Target]
		h.Last, last.Asked = last, now
		switch {
		case h.Err == nil && h.Unheard == nil:
			// Whose address it was then is still known, also in a round that knows no address.
			same := slices.Equal(last.Addresses, h.Answers)
			last = HopSeen{Addresses: h.Answers, Here: last.Here && same,
				Sure: last.Sure && same || h.confirmed(h.Answers), At: now, Asked: now}
		case h.Err == nil: // it answers, and what it last answered in full is still the best that is known
			last.Silent, last.Since, last.Dark = 0, time.Time{}, false
		}
		seen[h.Target] = last
		hops[h.Target] = h
	}
	return hops, seen
}

// askHop asks the system's resolver, and what public resolvers hold: what one
// plain answer says anybody on the line may have said, and of a host that is
// dark they may remember more. They are spared where it answers, and enough is
// sure of that.
func (r *Runner) askHop(ctx context.Context, host string, sure func(Hop) bool) Hop {
	asked := make(chan Hop, 1)
	go func() { asked <- lookUpHop(ctx, r.Resolver, host) }() // ends with ctx
	headStart := time.NewTimer(hopHeadStart)
	defer headStart.Stop()
	var h Hop
	select {
	case h = <-asked:
		if h.Err != nil || !sure(h) {
			h.Held, h.Heard = r.heldOf(ctx, host)
		}
	case <-headStart.C:
		held, heard := r.heldOf(ctx, host)
		h = <-asked
		h.Held, h.Heard = held, heard
	}
	h.Word = slices.Contains(r.From, host)
	return h
}

// lookUpHop asks for both families: a DDNS host may hold either. A family that
// could not be asked is unknown, not empty.
func lookUpHop(ctx context.Context, resolver Resolver, host string) Hop {
	h := Hop{Target: host}
	var failed, none error
	for _, f := range Families {
		addresses, err := resolver.Lookup(ctx, f, host+".") // what a CNAME leads to is complete
		h.Answers = append(h.Answers, addresses...)
		if gone, ok := errors.AsType[*net.DNSError](err); ok && gone.IsNotFound {
			none = err
		} else if err != nil {
			failed = err
		}
	}
	slices.SortFunc(h.Answers, netip.Addr.Compare)
	switch {
	case len(h.Answers) > 0:
		h.Unheard = failed
	case failed != nil:
		h.Err = failed
	case none != nil:
		h.Err = none
	default:
		h.Err = fmt.Errorf("%s answers no address", host)
	}
	return h
}

// heldOf asks the public resolvers for both families, and returns what they
// hold, each that holds anything once, and how many of them answered.
func (r *Runner) heldOf(ctx context.Context, host string) (held []HeldAnswer, heard int) {
	if r.Prover.Nameservers == nil {
		return nil, 0
	}
	answers := make([]HeldAnswer, len(r.Prover.Resolvers))
	silent := make([]bool, len(answers))
	var asking sync.WaitGroup
	for i, url := range r.Prover.Resolvers {
		asking.Go(func() {
			answers[i].Resolver = url
			for _, f := range Families {
				answer, err := r.Prover.Nameservers.AskDoH(ctx, url, host, f.RecordType())
				answers[i].Addresses = append(answers[i].Addresses, answer.Addresses...)
				silent[i] = silent[i] || err != nil
			}
		})
	}
	asking.Wait()
	for i, a := range answers {
		if len(a.Addresses) > 0 || !silent[i] {
			heard++
		}
	}
	return slices.DeleteFunc(answers, func(a HeldAnswer) bool { return len(a.Addresses) == 0 }), heard
}

// watchHops asks the hosts of those hops that no target stands at, beside the
// writing, which they cannot hold up: all of them in a round that something
// started, else those that are silent, or were not asked for long.
func (r *Runner) watchHops(ctx context.Context, round Round, seen map[string]HopSeen) (map[string]Hop, map[string]HopSeen) {
	hops := round.Hops
	if r.Watch {
		due := slices.DeleteFunc(watchedHops(round.Found), func(host string) bool {
			_, asked := round.Hops[host]
			last := seen[host]
			age := round.Started.Sub(last.Asked)
			return asked || round.Trigger != ByEvent && last.Silent == 0 && !last.Asked.IsZero() && age >= 0 && age < r.Recheck
		})
		sure := func(h Hop) bool { return seen[h.Target].Sure && slices.Equal(seen[h.Target].Addresses, h.Answers) }
		others, all := r.askHopsUnless(ctx, due, seen, round.Started, sure)
		if ctx.Err() != nil {
			return round.Hops, seen // cut short: what was not heard says nothing
		}
		hops, seen = cloned(round.Hops), all
		maps.Copy(hops, others)
	}
	return hops, forgetHops(judgeSilence(round, hops, seen))
}

// judgeSilence says which silent hosts are dark. While the sources do not agree
// either, silence says nothing: it may be our own line.
func judgeSilence(round Round, hops map[string]Hop, seen map[string]HopSeen) map[string]HopSeen {
	up := round.agreed()
	seen = cloned(seen)
	for host, h := range hops {
		last := seen[host]
		switch {
		case h.Err == nil:
			continue
		case !up && !last.Dark:
			last.Silent, last.Since = 0, time.Time{}
		default:
			last = last.silent(round.Started)
			told := last.Dark || up && last.Silent >= darkAfter && round.Started.Sub(last.Since) >= darkLeast
			last.Dark = told && len(h.Held) == 0 // what resolvers still hold, visitors still find
		}
		seen[host] = last
	}
	return seen
}

// agreed reports whether the sources of any family agreed: our line is up.
func (r Round) agreed() bool {
	return slices.ContainsFunc(r.Verdicts, func(v Verdict) bool { return v.State == Agreed })
}

// silent counts one more time without an answer.
func (h HopSeen) silent(now time.Time) HopSeen {
	if h.Silent++; h.Since.IsZero() {
		h.Since = now
	}
	return h
}

// silentOnce reports whether one silence is to be confirmed or refuted soon.
func (h HopSeen) silentOnce() bool { return h.Silent == 1 }

// WatchHops asks the hosts between two rounds, by DNS alone, and
// returns what is then remembered. Those that were silent once go first. With
// look, a round should follow: a host fell silent twice, answers again, or has
// left this home for another address, which may be our own next one.
func (r *Runner) WatchHops(ctx context.Context, hosts []string, last Round, past Past) (after Past, look bool) {
	once := slices.DeleteFunc(slices.Clone(hosts), func(host string) bool { return !past.Memory.Hops[host].silentOnce() })
	if len(once) > 0 {
		hosts = once
	}
	now := r.Clock()
	answers := askHops(ctx, hosts, func(ctx context.Context, host string) Hop { return lookUpHop(ctx, r.Resolver, host) })
	if ctx.Err() != nil {
		return past, false // cut short: what was not heard says nothing
	}
	hops, seen := noteHops(answers, past.Memory.Hops, now)
	for host, h := range hops {
		before, s := past.Memory.Hops[host], seen[host]
		if h.Err != nil {
			s = s.silent(now)
			look = look || s.unsaid()
		} else {
			s.Here = s.Here || s.Sure && slices.ContainsFunc(last.Holdings, func(h Holding) bool {
				return h.Decision == Publish && slices.Contains(s.Addresses, h.Address)
			})
			look = look || before.Dark || before.Here && !s.Here && h.Unheard == nil
		}
		seen[host] = s
	}
	past.Memory = past.Memory.clone()
	past.Memory.Hops = forgetHops(seen)
	return past, look
}

// unsaid reports whether a round should judge the silence: at the second, and
// then less and less often, for as long as it finds the host not to be dark.
func (h HopSeen) unsaid() bool {
	return !h.Dark && h.Silent >= darkAfter && bits.OnesCount(uint(h.Silent)) == 1
}

// watched are the hosts to ask between two rounds: none while the sources do
// not agree, since rounds follow each other quickly then, and ask them.
func (r *Runner) watched(round Round) []string {
	if !r.Watch || !round.agreed() {
		return nil
	}
	return watchedHops(round.Found)
}

// hopsWait is how long to wait until the hosts are asked again.
func hopsWait(hosts []string, seen map[string]HopSeen) time.Duration {
	if slices.ContainsFunc(hosts, func(host string) bool { return seen[host].silentOnce() }) {
		return paceHopAgain
	}
	return jittered(max(paceHops, time.Duration(len(hosts))*paceHopEach))
}

// watchedHops are the hosts that are watched: those of the hops in the zones
// that were read whole.
func watchedHops(found Found) []string {
	hosts := slices.Sorted(maps.Keys(hopsIn(found)))
	return hosts[:min(len(hosts), hopsMost)]
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
