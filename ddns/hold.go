package ddns

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// The guards of this file, and when each ends. ARCHITECTURE.md lists them all.
const (
	// vetoVoices still naming what is published hold up a change…
	vetoVoices = 2
	// …until the same operators have said the same in vetoRounds rounds over vetoLongest.
	vetoRounds  = 6
	vetoLongest = 10 * time.Minute

	// dampAfter changes within dampWindow damp the next one: it must be said
	// by two rounds, dampApart from each other, and waits at most dampLongest.
	dampAfter   = 3
	dampWindow  = 10 * time.Minute
	dampApart   = 5 * time.Second
	dampLongest = 15 * time.Minute
)

// Decision is what is done about a verdict.
type Decision int

// The decisions. The zero Decision changes nothing.
const (
	// Stay keeps what stands: there is no address to publish.
	Stay Decision = iota
	// Wait: there is one, and a guard holds it back for now.
	Wait
	// Publish: the records shall hold the address.
	Publish
)

// String returns the word of the JSON output.
func (d Decision) String() string {
	switch d {
	case Publish:
		return "publish"
	case Wait:
		return "wait"
	default:
		return "keep"
	}
}

// Guard names what holds back a change.
type Guard string

// The guards of a family.
const (
	NoGuard    Guard = ""
	VetoGuard  Guard = "veto"
	DampGuard  Guard = "damping"
	AgreeGuard Guard = "agreement" // there is no quorum
)

// Holding is what is done about the verdict of one family, and why.
type Holding struct {
	Family   Family
	Decision Decision
	Address  netip.Addr // what shall be published, now or after the guard
	Guard    Guard
	Why      string
	Until    time.Time // when the guard ends at the latest; zero if it depends on answers alone
}

// Veto is a change that operators hold up by still naming what is published.
type Veto struct {
	Said   string // the change and its opponents, spelled out
	Since  time.Time
	Rounds int
}

// Damped is a change that waits because there were many.
type Damped struct {
	Address   netip.Addr
	Dissent   []string  // operators that said something else at the first time
	Since     time.Time // when damping first held a change of this run
	Last      time.Time // when Address was last counted
	Confirmed int       // rounds that named Address, dampApart from each other
}

// Hold decides what is done about a verdict. It is pure. Published is the set
// of addresses that our records of the family hold.
func Hold(v Verdict, published []netip.Addr, m FamilyMemory, now time.Time) (Holding, FamilyMemory) {
	h := Holding{Family: v.Family, Address: v.Address, Why: v.Why}
	if v.State != Agreed {
		h.Guard = AgreeGuard
		return h, m
	}
	m.Overruled = stillOverruled(m.Overruled, v)
	if !isChange(v.Address, published) {
		h.Decision = Publish
		m.Veto, m.Damped = Veto{}, Damped{}
		return h, m
	}
	if h, m = holdVeto(h, v, published, m, now); h.Guard != NoGuard {
		return h, m
	}
	if h, m = holdDamped(h, v, m, now); h.Guard != NoGuard {
		return h, m
	}
	h.Decision = Publish
	return h, m
}

// isChange reports whether publishing the address changes what visitors get.
func isChange(a netip.Addr, published []netip.Addr) bool {
	return slices.ContainsFunc(published, func(p netip.Addr) bool { return p != a })
}

// opponents are the operators, in good standing, that still name what is
// published instead of the verdict's address, and their weight.
func opponents(v Verdict, published []netip.Addr, overruled []string) (names []string, weight int) {
	for _, voice := range v.Voices {
		if voice.Address == v.Address || !slices.Contains(published, voice.Address) {
			continue
		}
		loud := slices.DeleteFunc(slices.Clone(voice.Operators), func(o string) bool { return slices.Contains(overruled, o) })
		names = append(names, loud...)
		weight = max(weight, min(len(loud), voice.Weight))
	}
	slices.Sort(names)
	return names, weight
}

// holdVeto lets the incumbent object: while two voices still name what is
// published, something is odd about the line, and a change waits. Two stale
// operators cannot hold it for ever.
func holdVeto(h Holding, v Verdict, published []netip.Addr, m FamilyMemory, now time.Time) (Holding, FamilyMemory) {
	names, weight := opponents(v, published, m.Overruled)
	if weight < vetoVoices {
		m.Veto = Veto{}
		return h, m
	}
	said := fmt.Sprintf("%s against %s", v.Address, strings.Join(names, ", "))
	if m.Veto.Said != said || now.Before(m.Veto.Since) {
		m.Veto = Veto{Said: said, Since: now}
	}
	m.Veto.Rounds++
	if m.Veto.Rounds >= vetoRounds && now.Sub(m.Veto.Since) >= vetoLongest {
		m.Overruled = append(slices.Clone(m.Overruled), names...)
		m.Veto = Veto{}
		return h, m
	}
	h.Decision, h.Guard, h.Until = Wait, VetoGuard, m.Veto.Since.Add(vetoLongest)
	h.Why = fmt.Sprintf("%s; %s still name what is published, so the change waits", v.Why, strings.Join(names, ", "))
	return h, m
}

// stillOverruled gives operators their veto back once they agree.
func stillOverruled(overruled []string, v Verdict) []string {
	return slices.DeleteFunc(slices.Clone(overruled), func(o string) bool {
		return slices.ContainsFunc(v.Voices, func(voice Voice) bool {
			return voice.Address == v.Address && slices.Contains(voice.Operators, o)
		})
	})
}

// holdDamped slows down an address that flaps between two lines. A true change
// is written after two rounds that say so, and after dampLongest whatever is said.
func holdDamped(h Holding, v Verdict, m FamilyMemory, now time.Time) (Holding, FamilyMemory) {
	if len(recent(m.Changes, now, dampWindow)) < dampAfter {
		m.Damped = Damped{}
		return h, m
	}
	dissent := dissenters(v)
	d := m.Damped
	if d.Since.IsZero() || now.Before(d.Since) {
		d.Since = now
	}
	switch {
	case d.Address != v.Address || !subset(dissent, d.Dissent) || now.Before(d.Last):
		d = Damped{Address: v.Address, Dissent: dissent, Since: d.Since, Last: now, Confirmed: 1}
	case now.Sub(d.Last) >= dampApart:
		d.Last, d.Confirmed = now, d.Confirmed+1
	}
	m.Damped = d
	if d.Confirmed >= 2 || now.Sub(d.Since) >= dampLongest {
		return h, m
	}
	h.Decision, h.Guard, h.Until = Wait, DampGuard, d.Since.Add(dampLongest)
	h.Why = fmt.Sprintf("%s; the address changed %d times within %s, so the change must be said twice", v.Why, len(recent(m.Changes, now, dampWindow)), dampWindow)
	return h, m
}

// dissenters are the operators that named another address than the verdict's.
func dissenters(v Verdict) (names []string) {
	for _, voice := range v.Voices {
		if voice.Address != v.Address {
			names = append(names, voice.Operators...)
		}
	}
	slices.Sort(names)
	return names
}

func subset(a, b []string) bool {
	return !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}

// Final reports whether vote and hold can no longer come out otherwise,
// whatever the outstanding sources may still say.
func Final(r Roster, observations []Observation, outstanding []Source, published []netip.Addr, m FamilyMemory, now time.Time) bool {
	if r.Alone() {
		return len(observations) > 0
	}
	pending := operatorsOf(outstanding)
	firm := slices.DeleteFunc(slices.Clone(observations), func(o Observation) bool {
		return slices.Contains(pending, o.Operator) // it may yet contradict itself
	})
	v := Vote(r, firm)
	if v.State != Agreed {
		return false
	}
	if !isChange(v.Address, published) {
		return true
	}
	_, weight := opponents(v, published, m.Overruled)
	loud := slices.DeleteFunc(pending, func(o string) bool { return slices.Contains(m.Overruled, o) })
	return weight+len(loud) < vetoVoices && len(recent(m.Changes, now, dampWindow)) < dampAfter
}

func operatorsOf(sources []Source) (names []string) {
	for _, s := range sources {
		if s.Class != Witness && !slices.Contains(names, s.Operator) {
			names = append(names, s.Operator)
		}
	}
	return names
}
