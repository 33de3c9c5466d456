package ddns

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// Asking says how a round asks a roster.
type Asking struct {
	// All asks every member at once: a first round, or one that was woken.
	// Otherwise the cheapest healthy quorum is asked, and the others only when
	// something is odd.
	All bool
	// Expected is what the records hold; any other answer is odd. Unset means
	// that nothing is known yet.
	Expected []netip.Addr
	// Shy counts the rounds since a source last gave a usable answer; shy
	// sources are asked last.
	Shy map[string]int
	// Resting sources are not asked: they said that we ask too much.
	Resting map[string]bool
	// Gone are sources of operators that serve the world which were silent for
	// so long that spares may take their places.
	Gone map[string]bool
	// Forgets: no silence is remembered, so a spare takes any place at once.
	Forgets bool
}

// slate is who was asked in one round, who may be, and what was said. It only
// decides: its methods return whom to ask now.
type slate struct {
	roster Roster
	asking Asking

	waiting      []Source // may be asked in this round, and were not yet
	spares       []Source // that were not called
	asked        []Source
	observations []Observation
}

// newSlate returns a slate, and whom to ask first.
func newSlate(r Roster, a Asking) (slate, []Source) {
	r.Members = slices.Clone(r.Members)
	q := slate{roster: r, asking: a}
	for i, s := range r.Members {
		s.Stays = s.Worldwide && !a.Gone[s.Name] && !a.Forgets
		r.Members[i] = s
		if a.Resting[s.Name] {
			q.observations = append(q.observations, observationOf(s, r.Family, netip.Addr{}, errResting))
		} else {
			q.waiting = append(q.waiting, s)
		}
	}
	q.spares = slices.DeleteFunc(slices.Clone(r.Spares), func(s Source) bool {
		return a.Resting[s.Name] || r.has(s.Operator)
	})
	q.callSpares()
	wave := firstWave(r, q.waiting, a.Shy)
	if a.All || wave == nil { // fewer voices could not agree
		wave = q.waiting
	}
	return q, q.take(wave)
}

var errResting = errors.New("not asked: it wants to be left alone for a while")

func observationOf(s Source, f Family, address netip.Addr, err error) Observation {
	return Observation{Source: s.Name, Operator: s.Operator, InPlaceOf: s.InPlaceOf, Class: s.Class,
		Transport: s.Transport, Family: f, Address: address, Err: err}
}

// take notes that sources are asked now.
func (q *slate) take(sources []Source) []Source {
	q.asked = append(q.asked, sources...)
	q.waiting = slices.DeleteFunc(slices.Clone(q.waiting), func(s Source) bool { return named(q.asked, s.Name) })
	return sources
}

func named(sources []Source, name string) bool {
	return slices.ContainsFunc(sources, func(s Source) bool { return s.Name == name })
}

// hear takes in one answer. One that is odd brings in all who were not asked yet.
func (q *slate) hear(o Observation) []Source {
	q.observations = append(q.observations, o)
	if q.odd(o) {
		return q.askAll()
	}
	return nil
}

// odd reports whether an answer is an error, is not what is published, or
// differs from another. (No witness is asked before something is odd.)
func (q *slate) odd(o Observation) bool {
	return o.Err != nil || !slices.Contains(q.asking.Expected, o.Address) ||
		slices.ContainsFunc(q.observations, func(other Observation) bool {
			return other.Err == nil && other.Address != o.Address
		})
}

// askAll asks everybody who was not asked yet.
func (q *slate) askAll() []Source {
	q.callSpares()
	return q.take(q.waiting)
}

// goAround returns those members to ask again, once, that this machine's
// resolver denies or leads astray; they are then found without it. Who denies an
// echo on purpose is respected while that costs nothing: nobody is asked again
// where the others agree, or where a spare has answered in the member's place.
func (q *slate) goAround() (again []Source) {
	if count(q.roster, q.observations).State == Agreed {
		return nil
	}
	for i, s := range q.asked {
		filled := slices.ContainsFunc(q.observations, func(o Observation) bool {
			return o.Err == nil && o.InPlaceOf == s.Operator
		})
		astray := slices.ContainsFunc(q.observations, func(o Observation) bool {
			return o.Source == s.Name && misnamed(o.Err)
		})
		if s.Around == nil || s.InPlaceOf != "" || filled || !astray {
			continue
		}
		s.Ask, s.Around = s.Around, nil
		q.asked[i], again = s, append(again, s)
	}
	q.observations = slices.DeleteFunc(q.observations, func(o Observation) bool { return named(again, o.Source) })
	return again
}

// outstanding are the sources that were asked and have not answered.
func (q *slate) outstanding() []Source {
	return slices.DeleteFunc(slices.Clone(q.asked), func(s Source) bool {
		return slices.ContainsFunc(q.observations, func(o Observation) bool { return o.Source == s.Name })
	})
}

// callSpares lets spares take the places that are vacant. No more operators are
// ever heard than the roster has, since its quorum is a majority of that many.
func (q *slate) callSpares() {
	for len(q.spares) > 0 {
		place, ok := q.vacant()
		if !ok || q.roster.Alone() {
			return
		}
		s := q.spares[0]
		s.InPlaceOf = place
		q.spares, q.waiting = q.spares[1:], append(q.waiting, s)
	}
}

// unfilled reports whether a spare could step in and was not called.
func (q *slate) unfilled() bool {
	_, vacant := q.vacant()
	return vacant && len(q.spares) > 0
}

// vacant is an operator of whom nothing usable can be heard in this round, who
// yields to a spare, and in whose place there is none that can be heard.
func (q *slate) vacant() (operator string, ok bool) {
	for _, operator := range operatorsOf(q.roster.Members) {
		if q.yields(operator) && !slices.ContainsFunc(slices.Concat(q.asked, q.waiting), func(s Source) bool {
			return (s.InPlaceOf == operator || s.InPlaceOf == "" && s.Operator == operator &&
				s.Class != Witness) && !q.failed(s)
		}) {
			return operator, true
		}
	}
	return "", false
}

// yields reports whether a spare may take the place of an operator that is
// silent: of a small one at once. One that serves the world is seldom gone, and
// to silence it for a moment is easy for who holds the line: only after a while.
func (q *slate) yields(operator string) bool { return !stays(operator, q.roster.Members) }

// stays reports whether one of some sources of an operator stays.
func stays(operator string, sources []Source) bool {
	return slices.ContainsFunc(sources, func(s Source) bool {
		return s.Operator == operator && s.Class != Witness && s.Stays
	})
}

// failed reports whether a source gave an error.
func (q *slate) failed(s Source) bool {
	return slices.ContainsFunc(q.observations, func(o Observation) bool { return o.Source == s.Name && o.Err != nil })
}

// firstWave picks a quorum of voices: the cheapest healthy sources, as many of
// them proved by TLS as must be, over two transports where there are two that are
// healthy (one that the line blocks would make every round a full one). It is nil
// if there is no quorum among the sources.
func firstWave(r Roster, members []Source, shy map[string]int) []Source {
	order := slices.DeleteFunc(slices.Clone(members), func(s Source) bool { return !r.votes(s.Operator, s.Class) })
	slices.SortStableFunc(order, func(a, b Source) int {
		return cmp.Or(cmp.Compare(shy[a.Name], shy[b.Name]), cmp.Compare(a.Cost, b.Cost),
			strings.Compare(a.Name, b.Name))
	})
	var wave []Source
	take := func(wanted func(Source) bool) bool {
		i := slices.IndexFunc(order, func(s Source) bool {
			return wanted(s) && !slices.ContainsFunc(wave, func(w Source) bool { return sameVoice(w, s) })
		})
		if i < 0 || len(wave) >= r.Needed() {
			return false
		}
		wave = append(wave, order[i])
		return true
	}
	proved := func(s Source) bool { return s.Class == Authenticated }
	for len(wave) < provedLeast && !r.Alone() {
		if !take(proved) {
			return nil
		}
	}
	take(func(s Source) bool { return len(wave) > 0 && s.Transport != wave[0].Transport && shy[s.Name] == 0 })
	for take(func(Source) bool { return true }) {
	}
	if len(wave) < r.Needed() {
		return nil
	}
	return wave
}

// sameVoice reports whether two sources together are no more than one voice.
func sameVoice(a, b Source) bool {
	return a.Operator == b.Operator || a.Class == Plain && b.Class == Plain
}
