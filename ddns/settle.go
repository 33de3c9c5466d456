package ddns

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// apply sends the plan, and settles by reading what came of it. A refused
// batch changed nothing and does not say which change was wrong: the zone is
// read and planned again, and if it is refused again, halved.
func (r *Runner) apply(ctx context.Context, p Plan, round Round, m Memory) ([]Outcome, []Receipt, Found) {
	if r.Dry || len(p.Changes) == 0 {
		return p.Outcomes, receipts(p.Changes, Planned, nil), round.Found
	}
	made, found := Apply(ctx, r.API, r.Rollback, p.Changes, round.Found, false)
	if slices.ContainsFunc(made, func(rc Receipt) bool { return rc.State == RefusedChange && mayHalve(rc.Err) }) {
		now := r.Clock()
		found = Look(ctx, r.API, r.names(), found, r.Recheck, now)
		done := slices.DeleteFunc(slices.Clone(made), func(rc Receipt) bool { return rc.State == RefusedChange })
		p = Diff(r.wishes(round), found, m, now)
		made, found = Apply(ctx, r.API, r.Rollback, p.Changes, found, true)
		made = append(done, made...)
	}
	if slices.ContainsFunc(made, func(rc Receipt) bool { return rc.State == Doubtful }) {
		found = Look(ctx, r.API, r.names(), found, r.Recheck, r.Clock())
		made = settleDoubt(made, found)
	}
	return conclude(p.Outcomes, made), made, found
}

// mayHalve reports whether a refusal speaks of the content, not of the token.
func mayHalve(err error) bool {
	return KindOf(err) == Rejected || KindOf(err) == Conflict
}

// conclude says how the targets stand after the changes.
func conclude(outcomes []Outcome, made []Receipt) []Outcome {
	outcomes = slices.Clone(outcomes)
	for i, o := range outcomes {
		for _, rc := range made {
			if rc.Change.Target.Key() == o.Target.Key() && !rc.Change.Drill {
				outcomes[i] = concluded(outcomes[i], rc)
			}
		}
	}
	return outcomes
}

// concluded is the outcome of a target after one of its changes.
func concluded(o Outcome, rc Receipt) Outcome {
	if rc.State == Confirmed {
		if o.State == Right {
			o.State = Changed
		}
		return o
	}
	o.Err, o.Hint, o.Code = rc.Err, HintOf(rc.Err), codeOf(rc.Err)
	words := "nothing was sent"
	if rc.Err != nil {
		words = rc.Err.Error()
	}
	switch rc.State {
	case RefusedChange:
		o.State, o.Why = Refused, words
	case Doubtful:
		o.State, o.Why = Unreached, words+"; whether it was done is not known, and is read before anything is written again"
	default:
		o.State, o.Why = Unreached, words
		if k := KindOf(rc.Err); k == TokenRefused || k == NotPermitted || k == Rejected {
			o.State = Refused
		}
	}
	return o
}

// due are the targets whose proof a round asks for: those that changed, were
// not yet proved, or were read afresh.
func due(round Round, past Past) func(Outcome) bool {
	return func(o Outcome) bool {
		z, _ := round.Found.zoneOf(o.Target.Name)
		return o.State == Changed || z.ReadAt.Equal(round.Started) || slices.Contains(past.Unproved, o.Target.Key())
	}
}

// claims are what the world should show of the targets that are due.
func (r *Runner) claims(round Round, due func(Outcome) bool) (claims []claim) {
	if r.Dry || r.Prover.Nameservers == nil || r.Prover.Patience <= 0 {
		return nil
	}
	for _, o := range round.Outcomes {
		if o.State != Right && o.State != Changed || !due(o) {
			continue
		}
		z, ok := round.Found.zoneOf(o.Target.Name)
		if !ok || z.Zone.Paused || z.Zone.Type == "partial" || z.Zone.Status != "active" && z.Zone.Status != "" {
			continue // the world does not ask this zone; a condition says so
		}
		if c, ok := claimOf(o, z, round); ok {
			claims = append(claims, c)
		}
	}
	return claims
}

// claimOf makes the claim of one target from the record that is there now.
func claimOf(o Outcome, z ZoneFacts, round Round) (claim, bool) {
	address, err := netip.ParseAddr(o.Address)
	if err != nil {
		return claim{}, false // it follows another name, which is claimed itself
	}
	i := slices.IndexFunc(z.Records, func(r Record) bool {
		return r.Name == o.Target.Name && r.Type == o.Target.Type && r.Address() == address
	})
	if i < 0 {
		return claim{}, false
	}
	created := slices.ContainsFunc(round.Receipts, func(rc Receipt) bool {
		return rc.Change.Target.Key() == o.Target.Key() && (rc.Change.Op == Create || rc.Change.Op == Replace)
	})
	return claim{target: o.Target, zone: z.Zone, address: address, proxied: z.Records[i].Proxied, created: created}, true
}

// Prove looks again at what the world was not yet seen to show, without
// asking or writing anything else, and returns the round with the new proofs.
func (r *Runner) Prove(ctx context.Context, last Round, past Past) (Round, Past) {
	round := last
	round.Outcomes = slices.Clone(last.Outcomes)
	for i, o := range round.Outcomes {
		if o.State == Contradicted { // until shown otherwise it is as it was written
			round.Outcomes[i].State, round.Outcomes[i].Why, round.Outcomes[i].Hint = Changed, "", ""
		}
	}
	fresh := r.Prover.Verify(ctx, r.claims(round, func(o Outcome) bool { return slices.Contains(past.Unproved, o.Target.Key()) }))
	round.Proofs = slices.DeleteFunc(slices.Clone(last.Proofs), func(p Proof) bool {
		return slices.ContainsFunc(fresh, func(f Proof) bool { return f.Target.Key() == p.Target.Key() })
	})
	round.Proofs = append(round.Proofs, fresh...)
	round.Outcomes = contradict(round.Outcomes, round.Proofs)
	round.Conditions = Assess(round, past.Memory.Raised)
	past.Memory = past.Memory.clone()
	past.Memory.Raised = round.Conditions
	past.Unproved = unproved(round, past.Unproved)
	return round, past
}

// contradict marks the targets that the world sees otherwise.
func contradict(outcomes []Outcome, proofs []Proof) []Outcome {
	outcomes = slices.Clone(outcomes)
	for i, o := range outcomes {
		for _, p := range proofs {
			if p.Target.Key() == o.Target.Key() && p.Outcome == ProofContradicted {
				outcomes[i].State, outcomes[i].Why, outcomes[i].Hint = Contradicted, p.Why, p.Hint
			}
		}
	}
	return outcomes
}

// leftBehind asks, once after a change of address, what else in the zones
// still holds the old one: other records, SPF and the like.
func (r *Runner) leftBehind(ctx context.Context, round Round, m Memory) (raised []Condition) {
	for _, z := range round.Found.Zones {
		for _, old := range replacedIn(round.Receipts, z.Zone.ID) {
			records, err := r.API.Holding(ctx, z.Zone, old)
			if err != nil {
				continue // the change itself is confirmed; this was a courtesy
			}
			if words := others(records, round, old); len(words) > 0 {
				raised = append(raised, condition(CodeLeftBehind, z.Zone.Name, fmt.Sprintf("still holding the old address %s: %s", old, strings.Join(words, ", ")),
					"add these names to records:, or change them by hand"))
			}
		}
	}
	if len(raised) == 0 { // said once, and kept until the next change
		for _, c := range m.Raised {
			if c.Code == CodeLeftBehind && !changedAny(round) {
				raised = append(raised, c)
			}
		}
	}
	return raised
}

// replacedIn are the old addresses of confirmed changes in a zone.
func replacedIn(made []Receipt, zoneID string) (old []string) {
	for _, rc := range made {
		c := rc.Change
		if rc.State == Confirmed && c.Zone.ID == zoneID && c.Op == Update && !c.PutsBack && c.Before.Content != c.After.Content && !slices.Contains(old, c.Before.Content) {
			old = append(old, c.Before.Content)
		}
	}
	return old
}

// others names the records that hold the old address and are no target's.
func others(records []Record, round Round, old string) (words []string) {
	for _, rec := range records {
		ours := slices.ContainsFunc(round.Outcomes, func(o Outcome) bool { return o.Target.Name == rec.Name && o.Target.Type == rec.Type })
		if !ours && strings.Contains(rec.Content, old) {
			words = append(words, rec.Type+" "+rec.Name)
		}
	}
	slices.Sort(words)
	return words
}

func changedAny(round Round) bool {
	return slices.ContainsFunc(round.Receipts, func(rc Receipt) bool { return rc.State == Confirmed })
}

// gap is how long visitors could have failed at most: from when the address
// was last seen to be the published one until the change was confirmed.
func gap(round Round, past Past) time.Duration {
	var longest time.Duration
	for _, rc := range round.Receipts {
		c := rc.Change
		seen, ok := past.SeenAt[c.Target.Family()]
		if rc.State == Confirmed && c.Op == Update && !c.PutsBack && !c.Drill && c.Before.Content != c.After.Content && ok {
			longest = max(longest, round.Started.Sub(seen))
		}
	}
	return longest
}

// assessClock adds what a wrong clock means: certificates look invalid, and
// nothing else that went wrong says anything.
func (r *Runner) assessClock(conditions []Condition, now time.Time) []Condition {
	if r.Built.IsZero() || !now.Before(r.Built) {
		return conditions
	}
	c := condition(CodeClock, "", fmt.Sprintf("the clock says %s, before this program was built: certificates look invalid, and nothing can be published", now.UTC().Format(time.DateOnly)),
		"set the clock (systemctl status systemd-timesyncd); cfddns goes on by itself once it is right")
	c.Since = now
	return append([]Condition{c}, conditions...)
}

// refusalPause is how long a refused change is left out.
const refusalPause = time.Hour

// Remember keeps what a round confirmed. A dry round leaves nothing.
func Remember(past Past, round Round) Past {
	past.Rounds++
	past.Facts = round.Found
	past.Shy, past.Resting = rememberSources(past, round)
	if round.Dry {
		return past
	}
	m := past.Memory.clone()
	m.Raised = round.Conditions
	past.SeenAt = cloned2(past.SeenAt)
	for _, o := range round.Outcomes {
		m = rememberOutcome(m, o, round)
	}
	for _, rc := range round.Receipts {
		m = rememberReceipt(m, rc, round.Started)
	}
	for _, h := range round.Holdings {
		if h.Decision == Publish && slices.ContainsFunc(round.Outcomes, func(o Outcome) bool {
			return o.Target.Family() == h.Family && o.Address == h.Address.String() && (o.State == Right || o.State == Changed || o.State == Contradicted)
		}) {
			m = m.with(h.Family, m.Of(h.Family).confirm(h.Address, round.Started))
			past.SeenAt[h.Family] = round.Started
		}
	}
	m.Hops = rememberHops(m.Hops, round)
	past.Memory, past.Unproved = m, unproved(round, past.Unproved)
	return past
}

func cloned2(in map[Family]time.Time) map[Family]time.Time {
	out := map[Family]time.Time{}
	for k, v := range in {
		out[k] = v
	}
	return out
}

// rememberOutcome notes what a target is known to hold, and contests.
func rememberOutcome(m Memory, o Outcome, round Round) Memory {
	key := o.Target.Key()
	if o.Moved != "" && o.State == Held {
		m.Contests[key] = m.Contests[key].moved(o.Moved, round.Started)
	}
	address, err := netip.ParseAddr(o.Address)
	if err == nil && (o.State == Right || o.State == Contradicted) && len(o.Records) > 0 {
		m.Kept[key] = Kept{Address: address, RecordID: o.Records[0], At: round.Started}
	}
	return m
}

// rememberReceipt notes what was confirmed or refused.
func rememberReceipt(m Memory, rc Receipt, now time.Time) Memory {
	c, key := rc.Change, rc.Change.Target.Key()
	switch {
	case rc.State == Confirmed:
		m.Wrote[c.Zone.Name] = now
		delete(m.Refusals, key)
		if c.After != nil && !c.Drill {
			m.Kept[key] = Kept{Address: c.After.Address(), RecordID: c.After.ID, At: now}
		}
		if c.PutsBack {
			m.Contests[key] = m.Contests[key].putBack(now)
		}
	case rc.State == RefusedChange && mayHalve(rc.Err) && c.After != nil:
		m.Refusals[key] = Refusal{Content: c.After.Content, Why: rc.Err.Error(), Hint: HintOf(rc.Err), Until: now.Add(refusalPause)}
	}
	return m
}

// rememberHops notes which hops led to this home when they answered.
func rememberHops(seen map[string]HopSeen, round Round) map[string]HopSeen {
	seen = cloned(seen)
	for host, h := range seen {
		if !h.At.Equal(round.Started) {
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
func rememberSources(past Past, round Round) (map[string]int, map[string]time.Time) {
	shy, rest := cloned(past.Shy), cloned(past.Resting)
	for _, v := range round.Verdicts {
		for _, o := range v.Observations {
			if o.Err == nil && (v.State != Agreed || o.Address == v.Address) {
				delete(shy, o.Source)
				continue
			}
			shy[o.Source]++
			if e, ok := asError(o.Err); ok && e.Kind == Limited {
				rest[o.Source] = round.Started.Add(max(e.RetryAfter, sourceRest))
			}
		}
	}
	return shy, rest
}

// sourceRest is how long a source that refuses us as too eager is left alone,
// unless it says longer.
const sourceRest = time.Hour

// unproved are the targets that the world was not seen to show.
func unproved(round Round, before []string) (keys []string) {
	proved := map[string]bool{}
	for _, p := range round.Proofs {
		if p.Outcome != ProofSeen && p.By != "edge" || p.Outcome == ProofContradicted {
			proved[p.Target.Key()] = false
		} else if _, known := proved[p.Target.Key()]; !known {
			proved[p.Target.Key()] = true
		}
	}
	for _, o := range round.Outcomes {
		seen, asked := proved[o.Target.Key()]
		if asked && !seen || !asked && slices.Contains(before, o.Target.Key()) {
			keys = append(keys, o.Target.Key())
		}
	}
	return keys
}
