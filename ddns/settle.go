package ddns

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// apply sends the plan, and settles by reading what came of it. A refused
// batch changed nothing and does not say which change was wrong: the zone is
// read and planned again, and if it is refused again, halved.
func (r *Runner) apply(ctx context.Context, p Plan, round Round, turn []Family, m Memory) Round {
	outcomes, made, found := p.Outcomes, receipts(p.Changes, Planned, nil), round.Found
	switch {
	case r.Dry:
		outcomes, made = r.rehearse(ctx, p)
	case len(p.Changes) > 0:
		outcomes, made, found = r.send(ctx, p, round, turn, m)
	}
	if round.Outcomes = slices.Concat(round.Outcomes, outcomes); len(turn) < len(round.Verdicts) {
		slices.SortFunc(round.Outcomes, func(a, b Outcome) int { return strings.Compare(a.Target.Key(), b.Target.Key()) })
	}
	round.Receipts, round.Found = slices.Concat(round.Receipts, made), found
	return round
}

// send is apply where there is something to send.
func (r *Runner) send(ctx context.Context, p Plan, round Round, turn []Family, m Memory) ([]Outcome, []Receipt, Found) {
	made, found := Apply(ctx, r.API, r.Rollback, p.Changes, round.Found, false)
	if refused := refusedZones(made); len(refused) > 0 {
		now := r.Clock()
		found = Look(ctx, r.API, r.names(), found, r.Recheck, now)
		p = Diff(r.wishes(round, turn), found, m, now)
		inRefused := func(c Change) bool { return refused[c.Zone.Name] }
		made = slices.DeleteFunc(made, func(rc Receipt) bool { return inRefused(rc.Change) && rc.State != Confirmed })
		again := slices.DeleteFunc(slices.Clone(p.Changes), func(c Change) bool { return !inRefused(c) })
		var more []Receipt
		more, found = Apply(ctx, r.API, r.Rollback, again, found, true)
		made = append(made, more...)
	}
	if slices.ContainsFunc(made, func(rc Receipt) bool { return rc.State == Doubtful }) {
		found = Look(ctx, r.API, r.names(), found, r.Recheck, r.Clock())
		made = settleDoubt(made, found)
		for _, rc := range made {
			if rc.State == Doubtful { // the write may still arrive: nothing is built on this reading
				found = found.doubt(rc.Change.Zone.ID)
			}
		}
	}
	return conclude(p.Outcomes, made), made, found
}

// refusedZones are the zones, by name, that refused the content of a batch.
func refusedZones(made []Receipt) map[string]bool {
	zones := map[string]bool{}
	for _, rc := range made {
		if rc.State == RefusedChange && mayHalve(rc.Err) {
			zones[rc.Change.Zone.Name] = true
		}
	}
	return zones
}

// mayHalve reports whether a refusal speaks of the content, not of the token.
func mayHalve(err error) bool {
	return KindOf(err) == Rejected || KindOf(err) == Conflict
}

// conclude says how the targets stand after the changes.
func conclude(outcomes []Outcome, made []Receipt) []Outcome {
	ofTarget := map[targetID][]Receipt{}
	for _, rc := range made {
		if !rc.Change.Drill {
			ofTarget[rc.Change.Target.id()] = append(ofTarget[rc.Change.Target.id()], rc)
		}
	}
	outcomes = slices.Clone(outcomes)
	for i, o := range outcomes {
		sent := ofTarget[o.Target.id()]
		for _, rc := range sent {
			outcomes[i] = concluded(outcomes[i], rc)
		}
		if len(sent) == 0 && o.State == Changed { // it came up after everything was sent
			outcomes[i].State, outcomes[i].Why = Unreached, "not sent before the next round: "+o.Why
		}
	}
	return outcomes
}

// concluded is the outcome of a target after one of its changes.
func concluded(o Outcome, rc Receipt) Outcome {
	if rc.State == Confirmed {
		if o.State == Right { // it was sent before the plan was made again
			o.State, o.Why = Changed, rc.Change.Why
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
		o.State, o.Why = Unreached, words+"; whether it was done is not known"
		o.Hint = cmp.Or(o.Hint, "nothing to do: it is read before anything is written again")
	default:
		o.State, o.Why = Unreached, words
		if forbidden(rc.Err) || KindOf(rc.Err) == Rejected {
			o.State = Refused
		}
	}
	return o
}

// Records reads what stands at the names.
func (r *Runner) Records(ctx context.Context, names []string) Found {
	return Look(ctx, r.API, names, Found{}, 0, r.Clock())
}

// Write sends changes that no target wants, such as those of a way back, and
// settles by reading what came of them.
func (r *Runner) Write(ctx context.Context, changes []Change, found Found) ([]Receipt, Found) {
	made, found := Apply(ctx, r.API, r.Rollback, changes, found, true)
	if slices.ContainsFunc(made, func(rc Receipt) bool { return rc.State == Doubtful }) {
		names := make([]string, len(changes))
		for i, c := range changes {
			names[i] = c.Target.Name
		}
		found = Look(ctx, r.API, slices.Compact(slices.Sorted(slices.Values(names))), found, r.Recheck, r.Clock())
		made = settleDoubt(made, found)
	}
	return made, found
}
