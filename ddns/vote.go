package ddns

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Observation is what one source said in one round.
type Observation struct {
	Source    string
	Operator  string
	InPlaceOf string // the operator whose place a spare took; empty for a member
	Class     Class
	Transport string
	Family    Family
	Address   netip.Addr // zero if Err is set
	Err       error
	Took      time.Duration
	At        time.Duration // since the round began
	Silent    time.Time     // since when the source gave no usable answer; zero if it did, or was not judged yet
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
	Address   netip.Addr
	Operators []string // sorted
	Plain     []string // those of the operators that TLS did not prove, sorted
	Spares    []string // those of the operators that are no members, sorted
	Weight    int      // operators, all of Plain counted as one
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
	Quorum       int           // voices that must agree
	Spared       int           // voices that must agree where those of spares are counted
	Operators    int           // operators that are configured
	Alone        bool          // one source, believed by itself
	Unfilled     bool          // a spare could have stepped in, and was not asked any more
	NAT66        bool          // nobody heard the address that was asked from, and a quorum heard this one
}

// Vote judges observations. It is pure, and neither the order of the
// observations nor that of the roster matters: the quorum is more than half of
// the configured operators, so at most one address can reach it.
func Vote(r Roster, observations []Observation) Verdict {
	v := count(r, observations)
	if w, ok := v.behindNAT66(r, observations); ok {
		v = w
	}
	v.Observations = sorted(observations)
	v.Why = v.explain()
	return v
}

// count is Vote without the words.
func count(r Roster, observations []Observation) Verdict {
	v := Verdict{Family: r.Family, Quorum: r.Needed(), Spared: r.spared(placesTaken(observations)),
		Operators: r.Operators(), Alone: r.Alone()}
	v.Voices, v.Contradicted = tally(ballotsOf(r, observations))
	v.State, v.Address = v.decide()
	return v
}

// sorted returns the observations by source, so that their order tells nothing.
func sorted(observations []Observation) []Observation {
	in := slices.Clone(observations)
	slices.SortStableFunc(in, func(a, b Observation) int {
		return cmp.Or(strings.Compare(a.Source, b.Source), a.Address.Compare(b.Address), cmp.Compare(a.At, b.At))
	})
	return in
}

// ballot is one operator's word.
type ballot struct {
	address       netip.Addr
	abstains      bool // its sources contradict each other
	authenticated bool // TLS proved who said it
	spare         bool // no member of the roster
}

// ballotsOf makes one ballot of each operator that gave a usable answer.
func ballotsOf(r Roster, observations []Observation) map[string]ballot {
	ballots := map[string]ballot{}
	for _, o := range observations {
		address := unmapped(o.Address)
		if o.Err != nil || !r.votes(o.Operator, o.Class) || Sane(address, r.Family) != nil {
			continue
		}
		b, heard := ballots[o.Operator]
		if !heard {
			b = ballot{address: address, spare: !r.has(o.Operator)}
		}
		b.abstains = b.abstains || b.address != address
		b.authenticated = b.authenticated || o.Class == Authenticated
		ballots[o.Operator] = b
	}
	return ballots
}

// unmapped returns an IPv4 address in IPv6 clothes as the IPv4 address it is. One
// that is bound to a link is returned as it is: no home is reached there.
func unmapped(a netip.Addr) netip.Addr {
	if a.Zone() != "" {
		return a
	}
	return a.Unmap()
}

// tally adds up the ballots, the heaviest address first.
func tally(ballots map[string]ballot) (voices []Voice, contradicted []string) {
	for _, operator := range slices.Sorted(maps.Keys(ballots)) {
		b := ballots[operator]
		if b.abstains {
			contradicted = append(contradicted, operator)
			continue
		}
		i := slices.IndexFunc(voices, func(v Voice) bool { return v.Address == b.address })
		if i < 0 {
			i = len(voices)
			voices = append(voices, Voice{Address: b.address})
		}
		voices[i] = voices[i].with(operator, b)
	}
	slices.SortFunc(voices, func(a, b Voice) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), a.Address.Compare(b.Address))
	})
	return voices, contradicted
}

// with returns the voice joined by one more operator. Who holds the line forges
// at once all that TLS does not prove, so all of that weighs one.
func (v Voice) with(operator string, b ballot) Voice {
	v.Operators = append(v.Operators, operator)
	if !b.authenticated {
		v.Plain = append(v.Plain, operator)
	}
	if b.spare {
		v.Spares = append(v.Spares, operator)
	}
	v.Weight = len(v.Operators) - max(0, len(v.Plain)-1)
	return v
}

// without returns the voice as it is without some operators.
func (v Voice) without(operators ...string) Voice {
	left := func(all []string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(o string) bool { return slices.Contains(operators, o) })
	}
	v.Operators, v.Plain, v.Spares = left(v.Operators), left(v.Plain), left(v.Spares)
	v.Weight = len(v.Operators) - max(0, len(v.Plain)-1)
	return v
}

// proved is how many of the operators TLS proved.
func (v Voice) proved() int { return len(v.Operators) - len(v.Plain) }

// provedLeast is how many operators TLS must have proved in a quorum: a liar
// among them who also holds the line has no more than these two voices.
const provedLeast = 2

// carries reports whether a voice is a quorum: of the members alone, or with
// spares, of whom more must agree where several members were replaced.
func (v Verdict) carries(voice Voice) bool {
	members := voice.without(voice.Spares...)
	return v.Alone ||
		voice.Weight >= v.Spared && voice.proved() >= provedLeast ||
		members.Weight >= v.Quorum && members.proved() >= provedLeast
}

// decide turns the tally into a state.
func (v Verdict) decide() (Agreement, netip.Addr) {
	var agreed []netip.Addr
	for _, voice := range v.Voices {
		if v.carries(voice) {
			agreed = append(agreed, voice.Address)
		}
	}
	switch {
	case len(agreed) == 1:
		return Agreed, agreed[0]
	case len(agreed) > 1: // more operators were heard than are configured
		return Split, netip.Addr{}
	case len(v.Voices) > 1 && v.Voices[1].Weight >= 2, len(v.Voices) == 0 && len(v.Contradicted) > 0:
		return Split, netip.Addr{}
	default:
		return Unknown, netip.Addr{}
	}
}

// explain says in one line who said what.
func (v Verdict) explain() string {
	var said []string
	for _, voice := range v.Voices {
		said = append(said, fmt.Sprintf("%s by %s", voice.Address, strings.Join(voice.Operators, ", ")))
	}
	for _, operator := range v.Contradicted {
		said = append(said, operator+" contradicts itself and abstains")
	}
	words := strings.Join(said, "; ")
	switch {
	case v.State == Agreed && v.Alone:
		return words + ", the only source: no consensus"
	case v.State == Agreed && v.NAT66:
		return words + ", heard instead of the address that was asked from (NAT66)"
	case v.State == Agreed:
		return words
	case words == "":
		return fmt.Sprintf("no usable answer from %d sources: %s", len(v.Observations), v.reasons())
	case len(v.Voices) > 0 && v.Voices[0].proved() < provedLeast && len(v.Voices[0].Operators) >= v.Quorum:
		return fmt.Sprintf("%s; %d operators must prove by TLS who they are, and all others are one voice together",
			words, provedLeast)
	case len(v.Voices) > 0 && len(v.Voices[0].Operators) >= v.Quorum && v.Voices[0].Weight < v.Quorum:
		return fmt.Sprintf("%s; those that TLS does not prove are one voice together, and %d voices must agree", words,
			v.Quorum)
	case len(v.Voices) > 0 && len(v.Voices[0].Spares) > 0 && v.Spared > v.Quorum:
		return fmt.Sprintf("%s; %d operators must agree, one more than usual since spares stand in for several", words,
			v.Spared)
	default:
		return fmt.Sprintf("%s; %d operators must agree", words, v.Quorum)
	}
}

// reasons says why no answer is usable: each reason once, with who gave it.
func (v Verdict) reasons() string {
	var reasons []string
	who := map[string][]string{}
	for _, o := range v.Observations {
		if o.Err == nil {
			continue
		}
		reason := o.Err.Error()
		if who[reason] == nil {
			reasons = append(reasons, reason)
		}
		who[reason] = append(who[reason], o.Source)
	}
	for i, reason := range reasons {
		reasons[i] = fmt.Sprintf("%s (%s)", reason, strings.Join(who[reason], ", "))
	}
	const most = 3
	if len(reasons) > most {
		reasons = append(reasons[:most], fmt.Sprintf("and %d more", len(reasons)-most))
	}
	return strings.Join(reasons, "; ")
}

// full reports whether every configured operator was heard of in the whole
// round, those that came after the decision included.
func (v Verdict) full() bool {
	var heard []string
	for _, o := range v.Observations {
		if o.InPlaceOf == "" && (o.Class != Witness || v.Alone) && !slices.Contains(heard, o.Operator) {
			heard = append(heard, o.Operator)
		}
	}
	return len(heard) >= v.Operators
}

// agreeing is the voice of those that said what the verdict says, those that
// came after the decision included.
func (v Verdict) agreeing() Voice {
	ballots := map[string]ballot{}
	for _, o := range v.Observations {
		address := unmapped(o.Address)
		if o.Err != nil || o.Class == Witness && !v.Alone {
			continue
		}
		b, heard := ballots[o.Operator]
		ballots[o.Operator] = ballot{address: v.Address, spare: o.InPlaceOf != "",
			abstains:      heard && b.abstains || address != v.Address,
			authenticated: b.authenticated || o.Class == Authenticated}
	}
	voices, _ := tally(ballots)
	for _, voice := range voices {
		return voice
	}
	return Voice{Address: v.Address}
}

// thin reports whether the verdict would fall if one more operator were silent.
func (v Verdict) thin() bool {
	voice := v.agreeing()
	return slices.ContainsFunc(voice.Operators, func(o string) bool { return !v.carries(voice.without(o)) })
}

// placesTaken is how many operators' places spares took.
func placesTaken(observations []Observation) int {
	var places []string
	for _, o := range observations {
		if o.InPlaceOf != "" && !slices.Contains(places, o.InPlaceOf) {
			places = append(places, o.InPlaceOf)
		}
	}
	return len(places)
}
