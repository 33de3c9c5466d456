package ddns

import (
	"errors"
	"fmt"
	"slices"
)

// Roster is who is asked for the address of one family.
type Roster struct {
	Family  Family
	Members []Source // the configured sources
	Spares  []Source // step in for members that give no usable answer
	Quorum  int      // operators that must say the same; 0 means Majority
}

// Majority is the quorum of n operators: more than half of the configured
// ones, and never fewer than two. Counting the configured operators instead of
// those that answered is what keeps two liars from winning when three honest
// ones are silenced.
func Majority(n int) int { return max(2, n/2+1) }

// Operators counts the distinct operators among the members; witnesses do not
// count, since they do not vote.
func (r Roster) Operators() int { return len(operatorsOf(r.Members)) }

// operatorsOf are the operators of the sources that vote, each once.
func operatorsOf(sources []Source) (names []string) {
	for _, s := range sources {
		if s.Class != Witness && !slices.Contains(names, s.Operator) {
			names = append(names, s.Operator)
		}
	}
	return names
}

// proved are the operators of whom a source is proved by TLS.
func (r Roster) proved() []string {
	return operatorsOf(slices.DeleteFunc(slices.Clone(r.Members), func(s Source) bool {
		return s.Class != Authenticated
	}))
}

// voices is the most voices that can ever agree: all that TLS does not prove is one.
func (r Roster) voices() int { return min(r.Operators(), len(r.proved())+1) }

// has reports whether an operator is one of the members.
func (r Roster) has(operator string) bool {
	return slices.ContainsFunc(r.Members, func(s Source) bool { return s.Operator == operator })
}

// Needed returns the quorum in force.
func (r Roster) Needed() int {
	if r.Quorum > 0 {
		return r.Quorum
	}
	return Majority(r.Operators())
}

// sparedMost is how many members may be replaced by spares before one more
// voice is needed: whoever silences members chooses who is asked instead.
const sparedMost = 1

// spared returns the quorum of voices among which there are those of spares,
// where so many members were replaced.
func (r Roster) spared(replaced int) int {
	if replaced > sparedMost {
		return min(r.Needed()+1, max(r.Operators(), r.Needed()))
	}
	return r.Needed()
}

// Alone reports whether the roster is one source that is believed by itself:
// what it says is published without consensus, and is called so.
func (r Roster) Alone() bool { return r.Quorum == 1 && len(r.Members) == 1 }

// votes reports whether what an operator says by a source of the class counts.
func (r Roster) votes(operator string, class Class) bool {
	known := func(s Source) bool { return s.Operator == operator && (s.Class != Witness || r.Alone()) }
	if !slices.ContainsFunc(r.Members, known) && !slices.ContainsFunc(r.Spares, known) {
		return false
	}
	return class != Witness || r.Alone()
}

// Empty reports whether nobody in the roster can be asked.
func (r Roster) Empty() bool { return len(r.Members) == 0 }

// Validate refuses a roster that can never agree safely.
func (r Roster) Validate() error {
	if r.Alone() {
		return nil
	}
	n, q, proved := r.Operators(), r.Needed(), len(r.proved())
	var problems []error
	if n < 3 {
		problems = append(problems, fmt.Errorf("%s has %d of the 3 operators that a quorum needs at least, %d "+
			"of them over HTTPS%s: add sources of other operators, or keep one source with quorum 1", r.Family, n,
			provedLeast, r.silentWitnesses()))
	}
	if q < Majority(n) {
		problems = append(problems, fmt.Errorf("quorum %d is no majority of %d %s operators: %d is the lowest that is safe", q, n, r.Family, Majority(n)))
	}
	if more := r.missing(); n >= 3 && q <= n && more > 0 {
		problems = append(problems, fmt.Errorf("%s has %d of %d operators over HTTPS, and all others are one voice "+
			"together, since who holds the line can forge them all at once: %d in all, and %d must agree, %d "+
			"of them over HTTPS; add %d over HTTPS",
			r.Family, proved, n, r.voices(), q, provedLeast, more))
	}
	if q > n && r.Quorum > 0 {
		problems = append(problems, fmt.Errorf("quorum %d can never be reached by %d %s operators: lower it or add sources", q, n, r.Family))
	}
	return errors.Join(problems...)
}

// silentWitnesses says that some sources have no vote; empty if there are none.
func (r Roster) silentWitnesses() string {
	if slices.ContainsFunc(r.Members, func(s Source) bool { return s.Class == Witness }) {
		return " (the router and interfaces of this machine have no vote, but for one that is the only " +
			"source, with quorum 1)"
	}
	return ""
}

// missing is how many operators over HTTPS must be added until all voices
// together can be a quorum, whose size they change as well.
func (r Roster) missing() (more int) {
	n, v, proved := r.Operators(), r.voices(), len(r.proved())
	for proved+more < provedLeast || v+more < max(r.Quorum, Majority(n+more)) {
		more++
	}
	return more
}

// Thin says why a roster that may be used bears no silence: one operator that
// does not answer leaves no quorum. It is empty if the roster bears one.
func (r Roster) Thin() string {
	v, q, proved := r.voices(), r.Needed(), len(r.proved())
	switch {
	case r.Alone():
		return ""
	case proved == provedLeast:
		return fmt.Sprintf("%s: of %d operators only %d answer over HTTPS, and %d must: one of them that is silent "+
			"leaves no quorum; add one over HTTPS", r.Family, r.Operators(), proved, provedLeast)
	case v == q:
		return fmt.Sprintf("%s: %d operators have %d voices (all that do not answer over HTTPS are one), and %d must "+
			"agree: one that is silent leaves no quorum; add one over HTTPS", r.Family, r.Operators(), v, q)
	default:
		return ""
	}
}
