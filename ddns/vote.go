package ddns

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Observation is what one source said in one round.
type Observation struct {
	Source    string
	Operator  string
	Class     Class
	Transport string
	Family    Family
	Address   netip.Addr // zero if Err is set
	Err       error
	Took      time.Duration
	At        time.Duration // since the round began
}

// Agreement is what the observations of a family add up to.
type Agreement int

// The agreements. The zero value changes nothing.
const (
	Unknown Agreement = iota // too few usable answers
	Split                    // answers that contradict each other
	Agreed                   // a quorum says the same
)

// String returns the word of the JSON output.
func (a Agreement) String() string {
	switch a {
	case Agreed:
		return "agreed"
	case Split:
		return "split"
	default:
		return "unknown"
	}
}

// Voice is the weight behind one address.
type Voice struct {
	Address       netip.Addr
	Operators     []string // sorted
	Weight        int      // operators, all plain DNS counted as one
	Authenticated bool     // TLS proved at least one of them
}

// Verdict is what the observations of one family add up to, and why.
type Verdict struct {
	Family       Family
	State        Agreement
	Address      netip.Addr // set only if State is Agreed
	Why          string
	Voices       []Voice       // heaviest first
	Contradicted []string      // operators whose sources contradict each other: they abstain
	Observations []Observation // sorted by source
	Quorum       int           // operators that must agree
	Operators    int           // operators that are configured
	Alone        bool          // one source, believed by itself
}

// Vote judges observations. It is pure, and the order of the observations
// does not matter: two addresses can never both reach the quorum, since it is
// more than half of the configured operators.
func Vote(r Roster, observations []Observation) Verdict {
	v := Verdict{Family: r.Family, Quorum: r.Needed(), Operators: r.Operators(), Alone: r.Alone(), Observations: sorted(observations)}
	ballots, contradicted := ballotsOf(r, v.Observations)
	v.Contradicted = contradicted
	v.Voices = voicesOf(ballots)
	v.State, v.Address = v.decide()
	v.Why = v.explain()
	return v
}

// sorted returns the observations by source, so that their order tells nothing.
func sorted(observations []Observation) []Observation {
	in := slices.Clone(observations)
	slices.SortStableFunc(in, func(a, b Observation) int {
		return cmp.Or(strings.Compare(a.Source, b.Source), a.Address.Compare(b.Address))
	})
	return in
}

// ballot is one operator's word.
type ballot struct {
	operator      string
	address       netip.Addr
	authenticated bool
	plainDNSOnly  bool
}

// ballotsOf makes one ballot of each operator. An operator whose sources
// contradict each other abstains.
func ballotsOf(r Roster, observations []Observation) (ballots []ballot, contradicted []string) {
	byOperator := map[string]*ballot{}
	var order []string
	for _, o := range observations {
		if o.Err != nil || o.Class == Witness && !r.Alone() || Sane(o.Address, r.Family) != nil {
			continue
		}
		b, seen := byOperator[o.Operator]
		if !seen {
			byOperator[o.Operator] = &ballot{operator: o.Operator, address: o.Address, authenticated: o.Class == Authenticated, plainDNSOnly: o.Class == PlainDNS}
			order = append(order, o.Operator)
			continue
		}
		if b.address != o.Address && !slices.Contains(contradicted, o.Operator) {
			contradicted = append(contradicted, o.Operator)
		}
		b.authenticated = b.authenticated || o.Class == Authenticated
		b.plainDNSOnly = b.plainDNSOnly && o.Class == PlainDNS
	}
	slices.Sort(order)
	slices.Sort(contradicted)
	for _, operator := range order {
		if !slices.Contains(contradicted, operator) {
			ballots = append(ballots, *byOperator[operator])
		}
	}
	return ballots, contradicted
}

// voicesOf tallies the ballots, the heaviest address first.
func voicesOf(ballots []ballot) []Voice {
	var voices []Voice
	plainDNS := map[netip.Addr]bool{}
	for _, b := range ballots {
		i := slices.IndexFunc(voices, func(v Voice) bool { return v.Address == b.address })
		if i < 0 {
			i = len(voices)
			voices = append(voices, Voice{Address: b.address})
		}
		voices[i].Operators = append(voices[i].Operators, b.operator)
		voices[i].Authenticated = voices[i].Authenticated || b.authenticated
		if b.plainDNSOnly && plainDNS[b.address] {
			continue // whoever holds the line forges all of port 53 at once: one voice
		}
		plainDNS[b.address] = plainDNS[b.address] || b.plainDNSOnly
		voices[i].Weight++
	}
	slices.SortFunc(voices, func(a, b Voice) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), a.Address.Compare(b.Address))
	})
	return voices
}

// decide turns the tally into a state.
func (v Verdict) decide() (Agreement, netip.Addr) {
	if len(v.Voices) == 0 {
		if len(v.Contradicted) > 0 {
			return Split, netip.Addr{}
		}
		return Unknown, netip.Addr{}
	}
	top := v.Voices[0]
	if v.Alone || top.Weight >= v.Quorum && top.Authenticated {
		return Agreed, top.Address
	}
	if len(v.Voices) > 1 && v.Voices[1].Weight >= 2 {
		return Split, netip.Addr{}
	}
	return Unknown, netip.Addr{}
}

// explain says in one line who said what.
func (v Verdict) explain() string {
	said := make([]string, 0, len(v.Voices))
	for _, voice := range v.Voices {
		said = append(said, fmt.Sprintf("%s by %s", voice.Address, strings.Join(voice.Operators, ", ")))
	}
	tally := strings.Join(said, "; ")
	for _, operator := range v.Contradicted {
		tally = joinNonEmpty("; ", tally, operator+" contradicts itself and abstains")
	}
	switch {
	case v.Alone && v.State == Agreed:
		return fmt.Sprintf("%s, the only source: no consensus", tally)
	case v.State == Agreed:
		return tally
	case tally == "":
		return fmt.Sprintf("no usable answer from %d sources, %d operators must agree", len(v.Observations), v.Quorum)
	case v.Voices != nil && v.Voices[0].Weight >= v.Quorum:
		return fmt.Sprintf("%s; none of them proves who it is", tally)
	default:
		return fmt.Sprintf("%s; %d operators must agree", tally, v.Quorum)
	}
}

// Support returns the weight of the voices for an address.
func (v Verdict) Support(a netip.Addr) int {
	for _, voice := range v.Voices {
		if voice.Address == a {
			return voice.Weight
		}
	}
	return 0
}

// heard counts the operators that answered or failed, and those of them whose
// answer counted.
func (v Verdict) heard() (all, usable int) {
	seen := map[string]bool{}
	for _, o := range v.Observations {
		seen[o.Operator] = seen[o.Operator] || o.Err == nil
	}
	for _, ok := range seen {
		if ok {
			usable++
		}
	}
	return len(seen), usable
}

func joinNonEmpty(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}
