package notify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// patience is how long a condition stands before it is told. Told at once is
// what does not pass by itself and lets visitors fail, or the next change be
// missed. What often passes by itself gets the time to. A Notice is never told,
// whatever stands here.
var patience = map[ddns.Code]time.Duration{
	ddns.CodeToken:        0,
	ddns.CodeTokenFilter:  0,
	ddns.CodePermission:   0,
	ddns.CodeNoZone:       0,
	ddns.CodeCNAME:        0,
	ddns.CodeConflict:     0,
	ddns.CodeNotOurs:      0,
	ddns.CodeProxyUnclear: 0,
	ddns.CodeRefused:      0,
	ddns.CodeContested:    0,
	ddns.CodeClock:        0,
	ddns.CodeState:        0,
	ddns.CodeContradicted: time.Minute,     // nameservers learn of a change one after the other
	ddns.CodeHopDark:      2 * time.Minute, // it was silent twice already
	ddns.CodeUnreachable:  30 * time.Minute,
	ddns.CodeLimited:      30 * time.Minute,
	// Nothing fails yet: there is time, and a person may be at it.
	ddns.CodeLeftBehind:   24 * time.Hour,
	ddns.CodeShared:       24 * time.Hour,
	ddns.CodeNAT66:        24 * time.Hour,
	ddns.CodeTokenExpires: 24 * time.Hour, // until it is an Alarm
	ddns.CodeRosterThin:   24 * time.Hour,
}

// usualPatience is that of every code that is not in the table: no quorum, a
// split, a veto, an uncertain write, an inactive zone.
const usualPatience = 10 * time.Minute

// triesMost is how often a condition is given to a command that fails.
const triesMost = 3

// key tells conditions apart; the words may change while one stands.
type key struct {
	code ddns.Code
	name string
}

func keyOf(c ddns.Condition) key { return key{c.Code, c.Name} }

// told is what was told, or tried, of the conditions that stand.
type told map[key]telling

// telling is how the telling of one condition went.
type telling struct {
	condition ddns.Condition
	tries     int
	done      bool
}

// raise returns the conditions of a round that are to be told now.
func (t told) raise(round ddns.Round, now time.Time) (due []ddns.Condition) {
	down := lineDown(round)
	for _, c := range round.Conditions {
		if wait, ok := t.wait(c, down, now); ok && wait <= 0 {
			due = append(due, c)
		}
	}
	return due
}

// next is how long until a condition has stood long enough, an hour at most.
func (t told) next(round ddns.Round, now time.Time) time.Duration {
	next, down := time.Hour, lineDown(round)
	for _, c := range round.Conditions {
		if wait, ok := t.wait(c, down, now); ok && wait > 0 { // those that are due and failed wait for the next round
			next = min(next, wait)
		}
	}
	return next
}

// wait is how long a condition must still stand; ok is false if it is not to
// be told at all: a notice, told already, given up, or the line's own silence.
func (t told) wait(c ddns.Condition, lineDown bool, now time.Time) (wait time.Duration, ok bool) {
	before := t[keyOf(c)]
	if c.Severity == ddns.Notice || before.done || before.tries >= triesMost || lineDown && ofTheLine(c.Code) {
		return 0, false
	}
	return patienceFor(c) - now.Sub(c.Since), true
}

// patienceFor is how long a condition must have stood.
func patienceFor(c ddns.Condition) time.Duration {
	if c.Code == ddns.CodeTokenExpires && c.Severity == ddns.Alarm {
		return 0 // the warnings that had time were not heard
	}
	if long, ok := patience[c.Code]; ok {
		return long
	}
	return usualPatience
}

// mark notes that conditions were given to the command, and whether it took them.
func (t told) mark(conditions []ddns.Condition, taken bool) {
	for _, c := range conditions {
		t[keyOf(c)] = telling{condition: c, tries: t[keyOf(c)].tries + 1, done: taken}
	}
}

// retry gives the conditions that no command took to the next one, as if they
// were new.
func (t told) retry() {
	for k, was := range t {
		if !was.done {
			delete(t, k)
		}
	}
}

// clear forgets the conditions that no longer stand, and returns those of them
// that were told, sorted.
func (t told) clear(stand []ddns.Condition) (gone []ddns.Condition) {
	for k, was := range t {
		if slices.ContainsFunc(stand, func(c ddns.Condition) bool { return keyOf(c) == k }) {
			continue
		}
		if was.done {
			gone = append(gone, was.condition)
		}
		delete(t, k)
	}
	slices.SortFunc(gone, func(a, b ddns.Condition) int {
		return strings.Compare(string(a.Code)+" "+a.Name, string(b.Code)+" "+b.Name)
	})
	return gone
}

// ofTheLine reports whether a condition says nothing more than that the home
// is offline, if it is: then nobody is told, since nobody can do anything here
// and a message would not get out.
func ofTheLine(code ddns.Code) bool {
	return code == ddns.CodeNoQuorum || code == ddns.CodeUnreachable || code == ddns.CodeUncertain
}

// lineDown reports whether everybody who was asked in the round stayed silent:
// sources, Cloudflare's API and the nameservers.
func lineDown(round ddns.Round) bool {
	asked := false
	for _, v := range round.Verdicts {
		for _, o := range v.Observations {
			if o.Err == nil {
				return false
			}
			asked = true
		}
	}
	answered := slices.ContainsFunc(round.Proofs, func(p ddns.Proof) bool { return p.Outcome != ddns.ProofUnasked }) ||
		slices.ContainsFunc(round.Found.Zones, func(z ddns.ZoneFacts) bool { return !z.ReadAt.IsZero() && !z.ReadAt.Before(round.Started) })
	return asked && !answered
}

// bundleOver is how many conditions of one code are told one by one.
const bundleOver = 5

// bundle is a condition to tell, and those it stands for.
type bundle struct {
	condition ddns.Condition
	of        []ddns.Condition
}

// bundled makes one bundle of each condition, or one of all that share a code
// if they are many: a hundred messages at night are read by nobody.
func bundled(conditions []ddns.Condition) (bundles []bundle) {
	byCode := map[ddns.Code][]ddns.Condition{}
	for _, c := range conditions {
		byCode[c.Code] = append(byCode[c.Code], c)
	}
	for _, c := range conditions {
		all := byCode[c.Code]
		switch {
		case len(all) <= bundleOver:
			bundles = append(bundles, bundle{c, []ddns.Condition{c}})
		case all[0] == c:
			bundles = append(bundles, bundle{together(all), all})
		}
	}
	return bundles
}

// together is one condition that counts many of a code.
func together(all []ddns.Condition) ddns.Condition {
	one := all[0]
	one.Title = fmt.Sprintf("%d names, %s, %s and others; of the first: %s", len(all), all[0].Name, all[1].Name, all[0].Title)
	one.Name = ""
	for _, c := range all {
		if c.Since.Before(one.Since) {
			one.Since = c.Since
		}
	}
	return one
}
