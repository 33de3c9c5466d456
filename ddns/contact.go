package ddns

import (
	"fmt"
	"slices"
)

// firstContact tells, before anything is written, what speaks against the
// address that is about to be: where this installation has published nothing
// yet, the record that stands there, and at any time a router that names
// another public address. It is said once, and holds nothing back.
func (r *Runner) firstContact(round Round, plan Plan, past Past) {
	if r.Before == nil || !slices.ContainsFunc(plan.Changes, Change.moves) {
		return
	}
	var words []string
	if round.WAN.NAT == NATElsewhere {
		words = append(words, round.WAN.Why)
	}
	for _, c := range plan.Changes {
		family, _ := FamilyOfType(c.Target.Type)
		if c.moves() && len(past.Memory.Of(family).Confirmed) == 0 {
			words = append(words, fmt.Sprintf("%s holds %s, which this cfddns has not published as far as it remembers; it becomes %s", c.Target.Key(), c.Before.Content, c.After.Content))
		}
	}
	if len(words) > 0 {
		r.Before(words)
	}
}

// moved reports whether a round changed an address of a family.
func (r Round) moved(f Family) bool {
	return slices.ContainsFunc(r.Receipts, func(rc Receipt) bool {
		return rc.State == Confirmed && rc.Change.moves() && rc.Change.Target.Family() == f
	})
}
