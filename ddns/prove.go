package ddns

import (
	"context"
	"net/netip"
	"slices"
)

// due are the targets whose proof a round asks for: those that changed, were
// not yet proved, or were read afresh.
func due(round Round, past Past) func(Outcome) bool {
	unproved := setOf(past.Unproved)
	return func(o Outcome) bool {
		z, _ := round.Found.zoneOf(o.Target.Name)
		return o.State == Changed || !z.ReadAt.Before(round.Started) || len(unproved) > 0 && unproved[o.Target.Key()]
	}
}

// setOf is a list as a set.
func setOf(list []string) map[string]bool {
	set := make(map[string]bool, len(list))
	for _, s := range list {
		set[s] = true
	}
	return set
}

// claims are what the world should show of the targets that are due.
func (r *Runner) claims(round Round, due func(Outcome) bool) (claims []claim) {
	if r.Dry || r.Prover.Nameservers == nil || r.Prover.Patience <= 0 {
		return nil
	}
	created := map[targetID]bool{}
	for _, rc := range round.Receipts {
		if rc.Change.Op == Create || rc.Change.Op == Replace {
			created[rc.Change.Target.id()] = true
		}
	}
	for _, o := range round.Outcomes {
		if o.State != Right && o.State != Changed || !due(o) {
			continue
		}
		z, ok := round.Found.zoneOf(o.Target.Name)
		if !ok || !z.serves() {
			continue // the world does not ask this zone; a condition says so
		}
		if c, ok := claimOf(o, z); ok {
			c.created = created[o.Target.id()]
			claims = append(claims, c)
		}
	}
	return claims
}

// claimOf makes the claim of one target from the record that is there now.
func claimOf(o Outcome, z ZoneFacts) (claim, bool) {
	address, err := netip.ParseAddr(o.Address)
	if err != nil {
		return claim{}, false // it follows another name, which is claimed itself
	}
	records := z.at(o.Target.Name)
	i := slices.IndexFunc(records, func(r Record) bool { return r.Type == o.Target.Type && r.Address() == address })
	if i < 0 {
		return claim{}, false
	}
	return claim{target: o.Target, zone: z.Zone, address: address, proxied: records[i].Proxied}, true
}

// ProvePointed asks whether the world sees the CNAMEs of confirmed changes lead
// to the name, and the address, that they were pointed at.
func (r *Runner) ProvePointed(ctx context.Context, made []Receipt, address netip.Addr) []Proof {
	if r.Prover.Nameservers == nil || r.Prover.Patience <= 0 {
		return nil
	}
	var claims []claim
	for _, rc := range made {
		if c := rc.Change; rc.State == Confirmed && c.After != nil && (ZoneFacts{Zone: c.Zone}).serves() {
			target := Target{Name: c.Target.Name, Shown: c.Target.Shown, Type: FamilyOf(address).RecordType()}
			claims = append(claims, claim{target: target, zone: c.Zone, address: address, proxied: c.After.Proxied, follows: pointsTo(*c.After)})
		}
	}
	return r.Prover.Verify(ctx, claims)
}

// Prove looks again at what the world was not yet seen to show, without
// asking or writing anything else, and returns the round with the new proofs.
func (r *Runner) Prove(ctx context.Context, last Round, past Past) (Round, Past) {
	round := last
	round.Again, round.Outcomes = true, slices.Clone(last.Outcomes)
	for i, o := range round.Outcomes {
		if o.State == Contradicted { // until shown otherwise it is as it was written
			round.Outcomes[i] = o.believed(last.Receipts)
		}
	}
	unproved := setOf(past.Unproved)
	fresh := r.Prover.Verify(ctx, r.claims(round, func(o Outcome) bool { return unproved[o.Target.Key()] }))
	again := map[targetID]bool{}
	for _, p := range fresh {
		again[p.Target.id()] = true
	}
	round.Proofs = slices.DeleteFunc(slices.Clone(last.Proofs), func(p Proof) bool { return again[p.Target.id()] })
	round.Proofs = append(round.Proofs, fresh...)
	round.Outcomes = contradict(round.Outcomes, round.Proofs)
	round.Conditions = r.assess(round, past.Memory.Raised, r.keep())
	past.Memory = rememberOrigins(past.Memory.clone(), fresh)
	past.Memory.Raised = round.Conditions
	past.Unproved = stillUnproved(round, past.Unproved)
	return round, past
}

// believed is a contradicted outcome as it was before the world was asked.
func (o Outcome) believed(made []Receipt) Outcome {
	o.State, o.Why, o.Hint = Right, "holds "+o.Address, ""
	for _, rc := range made {
		if rc.Change.Target.Key() == o.Target.Key() && rc.State == Confirmed && !rc.Change.Drill {
			o.State, o.Why = Changed, rc.Change.Why
		}
	}
	return o
}

// contradict marks the targets that the world sees otherwise.
func contradict(outcomes []Outcome, proofs []Proof) []Outcome {
	against := map[targetID]Proof{}
	for _, p := range proofs {
		if p.Outcome == ProofContradicted {
			against[p.Target.id()] = p
		}
	}
	outcomes = slices.Clone(outcomes)
	for i, o := range outcomes {
		if p, ok := against[o.Target.id()]; ok {
			outcomes[i].State, outcomes[i].Why, outcomes[i].Hint = Contradicted, p.Why, p.Hint
		}
	}
	return outcomes
}

// stillUnproved are the targets that the world was not seen to show.
func stillUnproved(round Round, before []string) (keys []string) {
	pending, proved := setOf(before), map[targetID]bool{}
	for _, p := range round.Proofs {
		if p.Outcome != ProofSeen && p.By != "edge" || p.Outcome == ProofContradicted {
			proved[p.Target.id()] = false
		} else if _, known := proved[p.Target.id()]; !known {
			proved[p.Target.id()] = true
		}
	}
	for _, o := range round.Outcomes {
		seen, asked := proved[o.Target.id()]
		if asked && !seen || !asked && len(before) > 0 && pending[o.Target.Key()] {
			keys = append(keys, o.Target.Key())
		}
	}
	return keys
}
