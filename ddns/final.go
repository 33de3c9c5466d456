package ddns

import (
	"net/netip"
	"slices"
	"time"
)

// Final reports whether vote and hold can no longer come out otherwise,
// whatever the outstanding sources may still say, and whichever spares may be
// called in the places of those that fail. It relies on the rule that no more
// operators are heard than the roster has.
func Final(r Roster, observations []Observation, outstanding []Source, published []netip.Addr, m FamilyMemory,
	now time.Time) bool {
	if r.Alone() {
		return len(observations) > 0
	}
	operators := operatorsOf(outstanding)
	firm := slices.DeleteFunc(slices.Clone(observations), func(o Observation) bool {
		return slices.Contains(operators, o.Operator) // it may yet contradict itself
	})
	v := count(r, firm)
	if v.State != Agreed {
		return false
	}
	p := pendingOf(r, observations, outstanding)
	v.Spared = r.spared(p.replaced)
	if v.State, v.Address = v.decide(); v.State != Agreed {
		return false
	}
	if !isChange(v.Address, published) {
		return true
	}
	return p.objections(v, published, m.Overruled) < vetoVoices && !flapping(m.Changes, now)
}

// pending is what may still be said in a round.
type pending struct {
	operators []string // of whom something may still be heard
	proved    []string // those of them, or in whose place spares, may be proved by TLS
	spared    []string // those of them in whose places spares may be called
	replaced  int      // the most operators that spares will have replaced
}

func pendingOf(r Roster, observations []Observation, outstanding []Source) pending {
	p := pending{operators: operatorsOf(outstanding)}
	unasked := slices.ContainsFunc(r.Spares, func(s Source) bool {
		return !named(outstanding, s.Name) && !slices.ContainsFunc(observations, func(o Observation) bool {
			return o.Source == s.Name
		})
	})
	places := observations
	for _, s := range outstanding {
		places = append(slices.Clip(places), Observation{InPlaceOf: s.InPlaceOf})
	}
	for _, operator := range p.operators {
		spared := unasked && !stays(operator, outstanding)
		if spared {
			p.spared = append(p.spared, operator)
			if r.has(operator) {
				places = append(slices.Clip(places), Observation{InPlaceOf: operator})
			}
		}
		if spared || provable(operator, observations, outstanding) {
			p.proved = append(p.proved, operator)
		}
	}
	p.replaced = placesTaken(places)
	return p
}

// provable reports whether TLS proves a source of an operator that was asked.
func provable(operator string, observations []Observation, outstanding []Source) bool {
	return slices.ContainsFunc(outstanding, func(s Source) bool {
		return s.Operator == operator && s.Class == Authenticated
	}) ||
		slices.ContainsFunc(observations, func(o Observation) bool {
			return o.Operator == operator && o.Class == Authenticated
		})
}

// objections is the most voices that may name what is published in the end. An
// operator that lost its veto has none, but a spare in its place has one.
func (p pending) objections(v Verdict, published []netip.Addr, overruled []string) int {
	objectors, proved := opponents(v, published, overruled)
	operators, sure := len(objectors), len(proved)
	for _, operator := range p.operators {
		if slices.Contains(overruled, operator) && !slices.Contains(p.spared, operator) {
			continue
		}
		operators++
		if slices.Contains(p.proved, operator) {
			sure++
		}
	}
	return voicesOf(operators, sure)
}
