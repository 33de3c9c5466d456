package ddns

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// RuleChange is one change of one custom rule of ours: a creation has no
// Before, a deletion no After. If After.Position is 1 and Before's is not, the
// rule is put first.
type RuleChange struct {
	Before, After *Rule
	Why           string
}

// ErrWayInOff is a way in whose rule somebody disabled. That is a person's
// word, and it stays so until a person asks for the way in again.
var ErrWayInOff = errors.New("its rule was disabled in the dashboard, and is left so")

// RuleSlots is how many custom rules a zone of the plan may have.
// https://developers.cloudflare.com/waf/custom-rules/#availability
func (z Zone) RuleSlots() int {
	switch z.Plan {
	case "pro":
		return 20
	case "business":
		return 100
	case "enterprise":
		return 1000
	default:
		return 5
	}
}

// PlanWayIn returns what makes a way in right, one rule at a time, in order. It
// is pure. Rules that are not of this way in are neither changed nor counted
// on; their order stays. A way in that is over loses its rule.
func PlanWayIn(set RuleSet, zone Zone, w WayIn, now time.Time) ([]RuleChange, error) {
	if w.Over(now) {
		return PlanRevoke(set, w.Name, "its time was over on "+w.Until.UTC().Format(time.RFC3339)), nil
	}
	if err := w.Validate(); err != nil {
		return nil, &Error{Kind: Rejected, Op: "let " + w.Name + " in", Err: err, Hint: "nothing was changed"}
	}
	want, mine := w.Rule(), rulesOf(set, w)
	want.Position = 1
	if len(mine) == 0 {
		if err := freeSlot(set, zone, w.Name); err != nil {
			return nil, err
		}
		return []RuleChange{{After: &want, Why: "lets in " + w.String()}}, nil
	}
	at := max(0, slices.IndexFunc(mine, func(r Rule) bool { return r.Enabled })) // a double may be the one that is in force
	first := mine[at]
	doubles := slices.Delete(mine, at, at+1)
	if !first.Enabled && !w.Insist {
		return nil, ErrWayInOff
	}
	var changes []RuleChange
	for _, r := range doubles {
		changes = append(changes, RuleChange{Before: &r, Why: "a second rule of the same way in"})
	}
	if why := differs(set, first, want); why != "" {
		want.ID = first.ID
		if !behindOthers(set, first) {
			want.Position = first.Position
		}
		changes = append(changes, RuleChange{Before: &first, After: &want, Why: why})
	}
	return changes, nil
}

// PlanRevoke returns what takes a way in away: its rules and no others.
func PlanRevoke(set RuleSet, name, why string) (changes []RuleChange) {
	for _, r := range rulesOf(set, WayIn{Name: name}) {
		changes = append(changes, RuleChange{Before: &r, Why: why})
	}
	return changes
}

// rulesOf are the rules of a way in.
func rulesOf(set RuleSet, w WayIn) (mine []Rule) {
	for _, r := range set.Rules {
		if w.is(r) {
			mine = append(mine, r)
		}
	}
	return mine
}

// differs says in what a rule is not as it should be; "" if it is.
func differs(set RuleSet, is, want Rule) string {
	var why []string
	old, known := ParseWayIn(is)
	wanted, _ := ParseWayIn(want)
	switch {
	case sameRule(is, want):
	case !known:
		why = append(why, "it was changed by hand")
	default:
		note := func(what string, before, after []string) {
			if !sameSet(before, after) {
				why = append(why, fmt.Sprintf("%s: %s → %s", what, strings.Join(before, ", "), strings.Join(after, ", ")))
			}
		}
		note("address", prefixWords(old.Addresses), prefixWords(wanted.Addresses))
		note("hosts", old.Hosts, wanted.Hosts)
		note("skips", old.Skips, wanted.Skips)
		if len(why) == 0 {
			why = append(why, "its end or its header changed")
		}
	}
	if !is.Enabled {
		why = append(why, "it was disabled")
	}
	if is.Ref != want.Ref || is.Description != want.Description {
		why = append(why, "its mark was changed")
	}
	if behindOthers(set, is) {
		why = append(why, "it stood behind other rules")
	}
	return strings.Join(why, "; ")
}

// behindOthers reports whether a rule that is not ours comes before one of
// ours: it could challenge the request before the way in is looked at.
func behindOthers(set RuleSet, ours Rule) bool {
	for _, r := range set.Rules {
		if r.ID == ours.ID {
			return false
		}
		if _, mine := Ours(r); !mine {
			return true
		}
	}
	return false
}

// freeSlot refuses a new rule where the plan has no room for it.
func freeSlot(set RuleSet, zone Zone, name string) error {
	if len(set.Rules) < zone.RuleSlots() {
		return nil
	}
	hint := "delete one in the dashboard (Security > Security rules), or join two into one with `or`"
	var idle []string
	for _, r := range set.Rules {
		if !r.Enabled {
			idle = append(idle, fmt.Sprintf("%q", r.Description))
		}
	}
	if len(idle) > 0 {
		hint += "; disabled, and perhaps no longer needed: " + strings.Join(idle, ", ")
	}
	return &Error{Kind: Rejected, Op: "let " + name + " in at " + zone.Name, Hint: hint,
		Err: fmt.Errorf("the zone has %d custom rules, and its plan (%s) allows %d; nothing was changed", len(set.Rules), planName(zone), zone.RuleSlots())}
}

func planName(z Zone) string {
	if z.Plan == "" {
		return "free"
	}
	return z.Plan
}
