package ddns

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Memory is what one round leaves for the next. It holds only what was
// confirmed, never what was wished, and survives a restart where there is a
// state directory. A round returns a new Memory; it never changes the old one.
type Memory struct {
	IPv4, IPv6 FamilyMemory
	// Kept is the last confirmed content of each target, by Target.Key.
	Kept map[string]Kept `json:",omitempty"`
	// Contests are the targets that somebody else keeps moving, by Target.Key.
	Contests map[string]Contest `json:",omitempty"`
	// Refusals are the changes Cloudflare refused, by Target.Key.
	Refusals map[string]Refusal `json:",omitempty"`
	// Hops is what the hosts that CNAMEs hop to last answered, by host.
	Hops map[string]HopSeen `json:",omitempty"`
	// Wrote is when a write was last confirmed, or the zone first read, by zone.
	Wrote map[string]time.Time `json:",omitempty"`
	// WaysIn are the ways in that were confirmed, by name.
	WaysIn map[string]WayInSeen `json:",omitempty"`
	// Token is when the token ends.
	Token TokenEnd
	// QuietUntil is until when Cloudflare asked for no call; zero if it did not.
	QuietUntil time.Time `json:",omitzero"`
	// Origins is what the home's web server last answered through the edge, by
	// Target.Key: the fingerprint of EdgeAnswer.
	Origins map[string]string `json:",omitempty"`
	// RouterAt is when a router of this home last answered.
	RouterAt time.Time `json:",omitzero"`
	// Raised are the conditions that stand.
	Raised []Condition `json:",omitempty"`
}

// FamilyMemory is what is remembered of one family.
type FamilyMemory struct {
	// Confirmed are the addresses this installation has published and seen
	// confirmed, the newest last, at most confirmedMost of them.
	Confirmed []netip.Addr `json:",omitempty"`
	// Since is when the newest of them was first confirmed.
	Since time.Time
	// Changes are the times of the latest confirmed changes of address.
	Changes []time.Time `json:",omitempty"`
	// Veto is the incumbent's veto that stands, if any.
	Veto Veto
	// Overruled are operators that lost their veto, until they agree again.
	Overruled []string `json:",omitempty"`
	// Damped is the change that damping holds, if any.
	Damped Damped
	// Wanted is since when a change is wanted, if one is.
	Wanted Wanted
	// Silent are the sources that gave no usable answer when they were last
	// asked, by name.
	Silent map[string]Silence `json:",omitempty"`
}

// Silence is a source that gives no usable answer.
type Silence struct {
	Since  time.Time
	Rounds int // in which it was silent, silentRounds at most
}

// A source that was silent for silentRounds over silentFor is gone: a spare may
// take the place of its operator, even of one that serves the world.
const (
	silentRounds = 3
	silentFor    = 2 * time.Minute
)

// gone reports whether the source was silent for so long.
func (s Silence) gone(now time.Time) bool {
	return s.Rounds >= silentRounds && now.Sub(s.Since) >= silentFor
}

// silences are the silences after a round. A round in which nobody was heard says
// something of the line, and nothing of the sources.
func (fm FamilyMemory) silences(v Verdict, now time.Time) map[string]Silence {
	if !slices.ContainsFunc(v.Observations, func(o Observation) bool { return o.Err == nil }) {
		return fm.Silent
	}
	silent := map[string]Silence{}
	if !v.full() { // of those that were not asked, what was known still stands
		silent = cloned(fm.Silent)
	}
	for _, o := range v.Observations {
		if o.Err == nil || o.Class == Witness {
			delete(silent, o.Source)
			continue
		}
		silent[o.Source] = fm.Silent[o.Source].again(now)
	}
	return silent
}

// dated returns the observations with when each silence began.
func (fm FamilyMemory) dated(observations []Observation, now time.Time) []Observation {
	for i, o := range observations {
		if o.Err != nil {
			observations[i].Silent = fm.Silent[o.Source].again(now).Since
		}
	}
	return observations
}

// again is the silence after one more round of it.
func (s Silence) again(now time.Time) Silence {
	if s.Rounds == 0 || s.Since.After(now) { // the latter: the clock was set back
		s.Since = now
	}
	s.Rounds = min(s.Rounds+1, silentRounds)
	return s
}

// confirmedMost bounds the history of addresses. A record with an older
// address is simply no longer known to be ours.
const confirmedMost = 50

// Kept is a confirmed content of a target.
type Kept struct {
	Address  netip.Addr
	RecordID string
	At       time.Time // when it was last seen at Cloudflare, or written there
	Proxied  bool      // the name was hidden: made anew, it is so again
}

// HopSeen is what the target of a CNAME answered when it last did.
type HopSeen struct {
	Addresses []netip.Addr
	Here      bool // that was this home's address at the time
	Sure      bool // two operators said the same over HTTPS
	At        time.Time
	Asked     time.Time // when it was last asked, answer or not
	Silent    int       // times since that it did not answer, one after the other
	Since     time.Time // the first of them
	Dark      bool      // a round whose sources agreed found it silent, and said so
}

// Refusal is a change that Cloudflare refused. The same change is left out
// until Until, so that it cannot hold up the others of its zone.
type Refusal struct {
	Content string // what the record should have become, spelled out
	Why     string
	Hint    string
	Until   time.Time
}

// Of returns what is remembered of a family.
func (m Memory) Of(f Family) FamilyMemory {
	if f == IPv6 {
		return m.IPv6
	}
	return m.IPv4
}

// with returns the memory with another memory of a family.
func (m Memory) with(f Family, fm FamilyMemory) Memory {
	if f == IPv6 {
		m.IPv6 = fm
	} else {
		m.IPv4 = fm
	}
	return m
}

// knows reports whether this installation ever confirmed the address.
func (m Memory) knows(a netip.Addr) bool {
	return a.IsValid() && slices.Contains(m.Of(FamilyOf(a)).Confirmed, a)
}

// clone returns a memory whose maps can be changed without changing m's.
func (m Memory) clone() Memory {
	m.Kept, m.Contests, m.Refusals, m.Hops, m.Wrote = cloned(m.Kept), cloned(m.Contests), cloned(m.Refusals), cloned(m.Hops), cloned(m.Wrote)
	m.Origins = cloned(m.Origins)
	return m
}

func cloned[K comparable, V any](in map[K]V) map[K]V {
	if in == nil {
		return map[K]V{}
	}
	return maps.Clone(in)
}

// confirm notes that an address of a family is published.
func (fm FamilyMemory) confirm(a netip.Addr, now time.Time) FamilyMemory {
	if n := len(fm.Confirmed); n > 0 && fm.Confirmed[n-1] == a {
		return fm
	}
	if len(fm.Confirmed) > 0 {
		fm.Changes = changed(fm.Changes, now)
	}
	kept := slices.DeleteFunc(slices.Clone(fm.Confirmed), func(o netip.Addr) bool { return o == a })
	fm.Confirmed = append(kept, a)
	if len(fm.Confirmed) > confirmedMost {
		fm.Confirmed = fm.Confirmed[len(fm.Confirmed)-confirmedMost:]
	}
	fm.Since = now
	fm.Damped = Damped{}
	return fm
}

// recent returns the times that lie less than window before now. Times in the
// future, from before the clock was set back, do not count.
func recent(times []time.Time, now time.Time, window time.Duration) []time.Time {
	return slices.DeleteFunc(slices.Clone(times), func(t time.Time) bool {
		return now.Sub(t) >= window || t.After(now)
	})
}
