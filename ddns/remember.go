package ddns

import (
	"net/netip"
	"slices"
	"time"
)

// refusalPause is how long a refused change is left out.
const refusalPause = time.Hour

// Remember keeps what a round confirmed. A dry round leaves nothing.
func Remember(past Past, round Round) Past {
	past.Rounds++
	past.Facts, past.WAN, past.Hints = round.Found, round.WAN, nil
	if !slices.ContainsFunc(round.Verdicts, func(v Verdict) bool { return !v.full() }) {
		past.FullAt = round.Started
	}
	blamed := !hasCode(round.Conditions, CodeClock) && !round.BrokenOff // else who failed was not to blame
	if blamed {
		past.Shy, past.Resting = rememberSources(past, round)
	}
	if round.Dry {
		return past
	}
	m := past.Memory.clone()
	for _, v := range round.Verdicts {
		if fm := m.Of(v.Family); blamed {
			fm.Silent = fm.silences(v, round.Started)
			m = m.with(v.Family, fm)
		}
	}
	if !round.BrokenOff {
		m.Raised, m.Token = round.Conditions, round.TokenEnd
	}
	m.QuietUntil = round.QuietUntil
	past.SeenAt = cloned(past.SeenAt)
	for _, o := range round.Outcomes {
		m = rememberOutcome(m, o, round)
	}
	for _, rc := range round.Receipts {
		m = rememberReceipt(m, rc, round.Started)
	}
	for _, z := range round.Found.Zones { // the drill counts from when a zone was first read
		if _, known := m.Wrote[z.Zone.Name]; !known && !z.ReadAt.IsZero() {
			m.Wrote[z.Zone.Name] = round.Started
		}
	}
	for _, h := range round.Holdings {
		if h.publishedBy(round) {
			m = m.with(h.Family, m.Of(h.Family).confirm(h.Address, round.Started))
			past.SeenAt[h.Family] = round.Started
		}
	}
	m = rememberOrigins(m, round.Proofs)
	if round.WAN.At.Equal(round.Started) && round.WAN.routed() {
		m.RouterAt = round.Started
	}
	m.Hops = rememberHops(m.Hops, round)
	past.Memory, past.Unproved = m, stillUnproved(round, past.Unproved)
	return past
}

// publishedBy reports whether a record is known to hold the address after the round.
func (h Holding) publishedBy(round Round) bool {
	if h.Decision == Publish && len(round.Outcomes) == 0 { // no name is kept: the ways in show it alone
		return slices.ContainsFunc(round.WaysIn, func(o WayInOutcome) bool { return o.right() && slices.Contains(o.Addresses, Admit(h.Address)) })
	}
	return h.Decision == Publish && slices.ContainsFunc(round.Outcomes, func(o Outcome) bool {
		holds := o.State == Right || o.State == Changed || o.State == Contradicted
		return holds && o.Target.Family() == h.Family && o.Address == h.Address.String()
	})
}

// rememberOutcome notes what a target is known to hold, and contests.
func rememberOutcome(m Memory, o Outcome, round Round) Memory {
	key := o.Target.Key()
	if o.Moved != "" && o.State == Held {
		m.Contests[key] = m.Contests[key].moved(o.Moved, round.Started)
	}
	address, err := netip.ParseAddr(o.Address)
	if err == nil && (o.State == Right || o.State == Contradicted) && len(o.Records) > 0 {
		z, _ := round.Found.zoneOf(o.Target.Name)
		m.Kept[key] = Kept{Address: address, RecordID: o.Records[0], At: seenAt(m.Kept[key], address, o.Target, round),
			Proxied: hides(z.at(o.Target.Name), Zone{})}
		if c, contested := m.Contests[key]; contested && o.Moved == "" {
			m.Contests[key] = c.stands()
		}
	}
	return m
}

// rememberOrigins notes how the home's web server answers through the edge.
func rememberOrigins(m Memory, proofs []Proof) Memory {
	for _, p := range proofs {
		if p.Origin != "" {
			m.Origins[p.Target.Key()] = p.Origin
		}
	}
	return m
}

// seenAt is when a content was last seen at Cloudflare: read there, or written since.
func seenAt(before Kept, address netip.Addr, t Target, round Round) time.Time {
	at := round.Started
	if z, ok := round.Found.zoneOf(t.Name); ok && !z.ReadAt.IsZero() {
		at = z.ReadAt
	}
	if before.Address == address && before.At.After(at) && !before.At.After(round.Started) {
		return before.At
	}
	return at
}

// rememberReceipt notes what was confirmed or refused.
func rememberReceipt(m Memory, rc Receipt, now time.Time) Memory {
	c, key := rc.Change, rc.Change.Target.Key()
	switch {
	case rc.State == Confirmed:
		m.Wrote[c.Zone.Name] = now
		delete(m.Refusals, key)
		if c.After != nil && !c.Drill {
			m.Kept[key] = Kept{Address: c.After.Address(), RecordID: c.After.ID, At: now, Proxied: c.After.Proxied}
		}
		if c.PutsBack {
			m.Contests[key] = m.Contests[key].putBack(now)
		}
	case rc.State == RefusedChange && mayHalve(rc.Err) && c.After != nil:
		m.Refusals[key] = Refusal{Content: c.After.wish(), Why: rc.Err.Error(), Hint: HintOf(rc.Err), Until: now.Add(refusalPause)}
	}
	return m
}

// rememberHops notes which hops led to this home when they answered.
func rememberHops(seen map[string]HopSeen, round Round) map[string]HopSeen {
	seen = cloned(seen)
	for host, h := range seen {
		if !h.At.Equal(round.Started) || !h.Sure {
			continue
		}
		for _, holding := range round.Holdings {
			if holding.Decision == Publish && slices.Contains(h.Addresses, holding.Address) {
				h.Here = true
				seen[host] = h
			}
		}
	}
	return seen
}

// rememberSources notes which sources were of no use, and which want a rest.
func rememberSources(past Past, round Round) (map[Family]map[string]int, map[string]time.Time) {
	shy, rest := cloned(past.Shy), cloned(past.Resting)
	for _, v := range round.Verdicts {
		shy[v.Family] = cloned(shy[v.Family])
		for _, o := range v.Observations {
			if o.Err == nil && (v.State != Agreed || o.Address == v.Address) {
				delete(shy[v.Family], o.Source)
				continue
			}
			shy[v.Family][o.Source]++
			if e, ok := asError(o.Err); ok && e.Kind == Limited {
				rest[o.Source] = round.Started.Add(min(max(e.RetryAfter, sourceRest), restMost))
			}
		}
	}
	return shy, rest
}

// sourceRest is how long a source that refuses us as too eager is left alone,
// unless it says longer. restMost is the longest.
const (
	sourceRest = time.Hour
	restMost   = 24 * time.Hour
)
