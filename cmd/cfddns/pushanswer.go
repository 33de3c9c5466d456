package main

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/cfddns/cfddns/ddns"
)

// pushTold is what a push of a target was last answered: "good" is said once
// for each change, and whoever asks again hears that nothing changed.
type pushTold struct{ address, round string }

// answer says how targets stand after a round: "good" and their addresses if
// that is new, "nochg" if it is not, "911" if one of them is not right. What
// was pushed chooses the family alone.
func (p *pushes) answer(round ddns.Round, targets []ddns.Target, pushed []netip.Addr) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var right []ddns.Outcome
	for _, t := range meant(targets, pushed) {
		at := slices.IndexFunc(round.Outcomes, func(o ddns.Outcome) bool { return o.Target.Key() == t.Key() })
		if at < 0 {
			return pushTrouble // a reload came in between, or there was no round yet
		}
		o := round.Outcomes[at]
		if o.State != ddns.Right && o.State != ddns.Changed || o.Address == "" {
			return pushTrouble
		}
		right = append(right, o)
	}
	word := "nochg"
	var held []string
	for _, o := range right {
		if p.news(o, round) {
			word = "good"
		}
		if !slices.Contains(held, o.Address) {
			held = append(held, o.Address)
		}
	}
	return word + " " + strings.Join(held, ",")
}

// news reports whether the address of a target is news to those who push, and
// notes that they are told. A record that the kernel's word or a probe put
// right a moment before the router pushed is news as well.
func (p *pushes) news(o ddns.Outcome, round ddns.Round) bool {
	before, now := p.told[o.Target.Key()], pushTold{o.Address, round.ID}
	p.told[o.Target.Key()] = now
	changed := o.State == ddns.Changed && before.round != now.round
	return changed || before.address != "" && before.address != now.address
}

// meant are the targets of the families that were pushed; all of them, if
// there are none.
func meant(targets []ddns.Target, pushed []netip.Addr) []ddns.Target {
	other := func(t ddns.Target) bool {
		return !slices.ContainsFunc(pushed, func(a netip.Addr) bool { return ddns.FamilyOf(a) == t.Family() })
	}
	if left := slices.DeleteFunc(slices.Clone(targets), other); len(left) > 0 {
		return left
	}
	return targets
}
