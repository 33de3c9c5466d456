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
	// …until a steady majority has said it in vetoRounds rounds over vetoLongest.
	vetoRounds  = 6
	vetoLongest = 10 * time.Minute

	// dampAfter changes within dampWindow damp the next ones, until dampWindow
	// passes without any: each must be said by two rounds, dampApart from each
	// other, and waits at most dampLongest.
	dampAfter   = 3
	dampWindow  = 10 * time.Minute
	dampApart   = 5 * time.Second
	dampLongest = 15 * time.Minute

	// lapseMost is the most that the time between two rounds counts for a
	// guard: no clock that jumps ahead, and no long silence, ends a guard alone.
	lapseMost = vetoLongest / (vetoRounds - 1)
	// lapseUnknown is what it counts when the clock was set back: rounds follow
	// each other no faster while a guard holds.
	lapseUnknown = paceGuard
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
	NoGuard     Guard = ""
	VetoGuard   Guard = "veto"
	DampGuard   Guard = "damping"
	AgreeGuard  Guard = "agreement" // there is no quorum
	CGNATGuard  Guard = "cgnat"     // the provider translates: nobody comes in there
	RouterGuard Guard = "router"    // the router names what is published
)

// Holding is what is done about the verdict of one family, and why.
type Holding struct {
	Family   Family
	Decision Decision
	Address  netip.Addr // what shall be published, now or after the guard
	Guard    Guard
	Why      string
	Hint     string    // what a person can do about the guard; empty: see who says what
	Until    time.Time // when the guard ends at the latest; zero if it depends on answers alone
	// ProxiedWait is set if the address is published for DNS-only names, and the
	// names behind Cloudflare's proxy wait on.
	ProxiedWait bool
	// Against is what a witness says against the address; empty if none does.
	Against string
}

// Veto is a change that operators hold up by still naming what is published.
type Veto struct {
	Said   string    // the address that the majority names
	Since  time.Time // when it was first held up; moved along when the clock is set
	Last   time.Time // when it was last held up
	Rounds int       // in which it was held up
}

// Damped is a change that waits because there were many.
type Damped struct {
	Address   netip.Addr
	Dissent   []string  // operators that said something else when Address was first counted
	Since     time.Time // when damping first held a change; moved along when the clock is set
	Seen      time.Time // the latest round that was damped
	Last      time.Time // when Address was last counted; moved along as Since is
	Confirmed int       // rounds that named Address, dampApart from each other
}

// Hold decides what is done about a verdict. It is pure. Published is the set
// of addresses that our records of the family hold; wan is what a witness found
// in this very round, where an A record is about to be written.
func Hold(v Verdict, published []netip.Addr, wan WAN, m FamilyMemory, now time.Time) (Holding, FamilyMemory) {
	h, m := holdChange(v, published, m, now)
	m.Wanted = m.Wanted.after(v, published, now)
	if h.Decision != Stay && v.Family == IPv4 {
		h = heed(wan, h, published, m.Wanted)
	}
	return h, m
}

// holdChange is Hold without the witness.
func holdChange(v Verdict, published []netip.Addr, m FamilyMemory, now time.Time) (Holding, FamilyMemory) {
	h := Holding{Family: v.Family, Address: v.Address, Why: v.Why}
	if v.State != Agreed {
		h.Guard = AgreeGuard
		return h, m
	}
	h.Decision = Publish
	m.Overruled = stillOverruled(m.Overruled, v)
	if !isChange(v.Address, published) {
		m.Veto, m.Damped = Veto{}, Damped{}
		return h, m
	}
	// Both guards count every round, so that one does not begin where the
	// other ends.
	objectors, proved := opponents(v, published, m.Overruled)
	m = veto(m, v.Address, objectors, voicesOf(len(objectors), len(proved)), now)
	m = damp(m, v, now)
	switch {
	case m.Veto.Rounds > 0:
		h.Decision, h.Guard, h.Until = Wait, VetoGuard, m.Veto.Since.Add(vetoLongest)
		h.Why = fmt.Sprintf("%s; %s still name what is published, so the change waits", v.Why, strings.Join(objectors, ", "))
	case m.Damped.holds():
		h.Decision, h.Guard, h.Until = Wait, DampGuard, m.Damped.Since.Add(dampLongest)
		h.Why = fmt.Sprintf("%s; the address keeps changing, so the change must be said twice", v.Why)
	}
	return h, m
}

// isChange reports whether publishing the address changes what visitors get.
func isChange(a netip.Addr, published []netip.Addr) bool {
	return slices.ContainsFunc(published, func(p netip.Addr) bool { return p != a })
}

// opponents are the operators, in good standing, that still name what is
// published instead of the verdict's address, and those of them that TLS proved.
// All others are one voice together.
func opponents(v Verdict, published []netip.Addr, overruled []string) (names, proved []string) {
	for _, voice := range v.Voices {
		if voice.Address == v.Address || !slices.Contains(published, voice.Address) {
			continue
		}
		voice = voice.without(overruled...)
		names = append(names, voice.Operators...)
		proved = append(proved, voice.without(voice.Plain...).Operators...)
	}
	slices.Sort(names)
	return names, proved
}

// voicesOf is how many voices operators are of whom TLS proved some.
func voicesOf(operators, proved int) int { return proved + min(1, operators-proved) }

// veto lets the incumbent object: while two voices still name what is
// published, something is odd about the line, and a change waits. A majority
// that stays with its answer is believed in the end, and who held it up loses
// the veto until it agrees. It does not matter whether those who object are the
// same every time, or two of many could hold up a change by turns for ever.
func veto(m FamilyMemory, address netip.Addr, objectors []string, weight int, now time.Time) FamilyMemory {
	if weight < vetoVoices {
		m.Veto = Veto{}
		return m
	}
	if m.Veto.Said != address.String() {
		m.Veto = Veto{Said: address.String(), Since: now, Last: now}
	}
	m.Veto.Since = began(m.Veto.Since, m.Veto.Last, now)
	m.Veto.Last = now
	m.Veto.Rounds++
	if m.Veto.Rounds >= vetoRounds && now.Sub(m.Veto.Since) >= vetoLongest {
		m.Overruled = append(slices.Clone(m.Overruled), objectors...)
		m.Veto = Veto{}
	}
	return m
}

// began moves the beginning of a hold along by the part of the time between
// two rounds that counts for no guard.
func began(since, last, now time.Time) time.Time {
	gap := now.Sub(last)
	lived := min(gap, lapseMost)
	if gap < 0 {
		lived = lapseUnknown
	}
	if since = since.Add(gap - lived); since.After(now) {
		return now
	}
	return since
}

// stillOverruled gives operators their veto back once they agree.
func stillOverruled(overruled []string, v Verdict) []string {
	return slices.DeleteFunc(slices.Clone(overruled), func(o string) bool {
		return slices.ContainsFunc(v.Voices, func(voice Voice) bool {
			return voice.Address == v.Address && slices.Contains(voice.Operators, o)
		})
	})
}

// damp slows down an address that flaps between two lines. A true change is
// written after two rounds that say so, and after dampLongest whatever is said.
func damp(m FamilyMemory, v Verdict, now time.Time) FamilyMemory {
	if !flapping(m.Changes, now) {
		m.Damped = Damped{}
		return m
	}
	d, dissent := m.Damped, dissenters(v)
	if d.Confirmed <= 0 {
		d = Damped{Since: now, Seen: now}
	}
	d.Since, d.Last, d.Seen = began(d.Since, d.Seen, now), began(d.Last, d.Seen, now), now
	switch {
	case d.Address != v.Address || !subset(dissent, d.Dissent):
		d.Address, d.Dissent, d.Last, d.Confirmed = v.Address, dissent, now, 1
	case now.Sub(d.Last) >= dampApart:
		d.Last, d.Confirmed = now, d.Confirmed+1
	}
	m.Damped = d
	return m
}

// holds reports whether the change has to wait on.
func (d Damped) holds() bool {
	return d.Confirmed == 1 && d.Seen.Sub(d.Since) < dampLongest
}

// flapping reports whether the next change is damped: dampAfter of them came
// within dampWindow, and since then no dampWindow passed without one.
func flapping(changes []time.Time, now time.Time) bool {
	if len(changes) < dampAfter {
		return false
	}
	last := changes[len(changes)-1]
	return !last.After(now) && now.Sub(last) < dampWindow
}

// changed returns the changes with one more, now. At most dampAfter of them are
// kept: fewer than that are no flapping, and once it began the last one says
// when it ends.
func changed(changes []time.Time, now time.Time) []time.Time {
	if !flapping(changes, now) {
		changes = recent(changes, now, dampWindow)
	}
	changes = append(slices.Clone(changes), now)
	return changes[max(0, len(changes)-dampAfter):]
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
