package main

import (
	"cmp"

	"github.com/cfddns/cfddns/ddns"
)

// wayInReport is what allow and revoke print in JSON.
type wayInReport struct {
	Name    string           `json:"name"`
	Zone    string           `json:"zone"`
	State   ddns.TargetState `json:"state"`
	Why     string           `json:"why"`
	Hint    string           `json:"hint"`
	DryRun  bool             `json:"dry_run"`
	Changes []ruleChange     `json:"changes"`
	Skips   []string         `json:"skips"`
	Notes   []string         `json:"notes"`
	Header  string           `json:"header,omitempty"`
	Secret  string           `json:"secret,omitempty"` // shown when it was made, and never again
	Exit    int              `json:"exit"`
}

// ruleChange is a change of a rule of ours, in JSON.
type ruleChange struct {
	Before string `json:"before"`
	After  string `json:"after"`
	Why    string `json:"why"`
}

func reportOf(o ddns.WayInOutcome, dry bool) wayInReport {
	report := wayInReport{Name: o.Name, Zone: o.Zone, State: o.State, Why: o.Why, Hint: o.Hint, DryRun: dry,
		Changes: []ruleChange{}, Skips: []string{}, Notes: []string{}, Exit: exitOfStates(o.State)}
	for _, c := range o.Changes {
		report.Changes = append(report.Changes, ruleChange{Before: letsText(c.Before), After: letsText(c.After), Why: c.Why})
	}
	return report
}

// letsText is what a rule of ours lets in; "" for none.
func letsText(r *ddns.Rule) string {
	if r == nil {
		return ""
	}
	w, ok := ddns.ParseWayIn(*r)
	if !ok {
		return "a rule that was changed by hand"
	}
	if !r.Enabled {
		return w.String() + " (disabled)"
	}
	return w.String()
}

// sayWayIn prints how a way in ended, with what stood before and after.
func (a *app) sayWayIn(r wayInReport) {
	out, word := a.stdout, string(r.State)
	if r.State != ddns.Right && r.State != ddns.Changed {
		out = a.stderr
	}
	if r.DryRun && r.State == ddns.Changed {
		word = "would change"
	}
	why := r.Why
	if r.State == ddns.Right && why == "" {
		why = "as it should be already; nothing was changed"
	}
	sayf(out, "%s  way in %s: %s\n", a.paint(word, 12), joinNonEmpty(" at ", r.Name, r.Zone), why)
	sayHint(out, r.Hint)
	for _, c := range r.Changes {
		if c.Before == "" { // a new rule is in the first line
			continue
		}
		sayf(out, "              before: %s\n", c.Before)
		if c.After != "" {
			sayf(out, "              after:  %s\n", c.After)
		}
	}
	for _, n := range r.Notes {
		sayf(out, "%s  %s\n", a.paint(note, 12), n)
	}
}

// sayWaysIn prints how the ways in stand after a round, and reports whether one
// of them changed.
func (a *app) sayWaysIn(r ddns.Round, quiet bool) (changed bool) {
	for _, o := range r.WaysIn {
		changed = changed || o.State == ddns.Changed
		if o.State == ddns.Right && quiet {
			continue
		}
		report := reportOf(o, r.Dry)
		if o.State == ddns.Right {
			report.Why = cmp.Or(o.Why, "stands")
		}
		a.sayWayIn(report)
	}
	return changed
}

// waysInRight counts them.
func waysInRight(r ddns.Round) (n int) {
	for _, o := range r.WaysIn {
		if o.State == ddns.Right || o.State == ddns.Changed {
			n++
		}
	}
	return n
}

// concludeWayIn prints a report and ends with its code.
func (a *app) concludeWayIn(r wayInReport) error {
	if a.json() {
		if err := a.printJSON(r); err != nil {
			return exit(ddns.ExitUnexpected, err)
		}
	} else {
		a.sayWayIn(r)
	}
	return exit(r.Exit, nil)
}
