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

// voices is the most voices that can ever agree: all plain DNS is one.
func (r Roster) voices() int {
	strong := operatorsOf(slices.DeleteFunc(slices.Clone(r.Members), func(s Source) bool { return s.Class == PlainDNS }))
	return min(r.Operators(), len(strong)+1)
}

// Needed returns the quorum in force.
func (r Roster) Needed() int {
	if r.Quorum > 0 {
		return r.Quorum
	}
	return Majority(r.Operators())
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
	n, q := r.Operators(), r.Needed()
	var problems []error
	if n < 3 {
		problems = append(problems, fmt.Errorf("%s has %d operators, and a quorum needs at least 3: add sources of other operators, or keep one source with quorum 1", r.Family, n))
	}
	if q < Majority(n) {
		problems = append(problems, fmt.Errorf("quorum %d is no majority of %d %s operators: %d is the lowest that is safe", q, n, r.Family, Majority(n)))
	}
	if v := r.voices(); q <= n && q > v {
		problems = append(problems, fmt.Errorf("%s sources over plain DNS are one voice together, since one party can forge them all: %d voices can never be %d; add sources over HTTPS or STUN", r.Family, v, q))
	}
	if q > n {
		problems = append(problems, fmt.Errorf("quorum %d can never be reached by %d %s operators: lower it or add sources", q, n, r.Family))
	}
	if !slices.ContainsFunc(r.Members, func(s Source) bool { return s.Class == Authenticated }) {
		problems = append(problems, fmt.Errorf("no %s source proves who it is: add one that answers over HTTPS", r.Family))
	}
	return errors.Join(problems...)
}
