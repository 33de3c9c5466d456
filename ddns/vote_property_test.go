package ddns

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawRoster draws a roster that may be used: 3 to 7 operators of all classes and
// sizes, some with two sources, now and then a witness and a raised quorum.
func drawRoster(t *rapid.T) Roster {
	return rapid.Custom(someRoster).Filter(func(r Roster) bool { return r.Validate() == nil }).Draw(t, "roster")
}

func someRoster(t *rapid.T) Roster {
	classes := rapid.SliceOfN(rapid.SampledFrom([]Class{Authenticated, Authenticated, Plain}), 3, 7).Draw(t, "classes")
	r := rosterOf(classes...)
	if rapid.IntRange(0, 4).Draw(t, "raised") == 0 {
		r.Quorum = rapid.IntRange(Majority(len(classes)), len(classes)).Draw(t, "quorum")
	}
	for i := range classes {
		r.Members[i].Worldwide = rapid.Bool().Draw(t, "worldwide")
		if rapid.IntRange(0, 4).Draw(t, "second source") == 0 {
			s := r.Members[i]
			s.Name, s.Class = s.Name+"-2", rapid.SampledFrom([]Class{Authenticated, Plain}).Draw(t, "its class")
			r.Members = append(r.Members, s)
		}
	}
	if rapid.Bool().Draw(t, "witness") {
		r.Members = append(r.Members, Source{Name: "router", Operator: "router", Class: Witness})
	}
	return r
}

// drawSpared is drawRoster with up to three spares.
func drawSpared(t *rapid.T) Roster {
	r := drawRoster(t)
	for i, class := range rapid.SliceOfN(rapid.SampledFrom([]Class{Authenticated, Authenticated, Plain}), 0, 3).Draw(t, "spares") {
		r = withSpares(r, 1)
		r.Spares[i].Name, r.Spares[i].Class = fmt.Sprintf("spare%d", i), class
		r.Spares[i].Operator = r.Spares[i].Name
	}
	return r
}

// drawAnswers draws what each source of a roster says: few addresses, so that
// they meet, and errors.
func drawAnswers(t *rapid.T, r Roster) []Observation {
	var said []Observation
	for _, s := range slices.Concat(r.Members, r.Spares) {
		if rapid.IntRange(0, 5).Draw(t, "silent") > 0 {
			said = append(said, say(s, rapid.SampledFrom([]netip.Addr{home, home, home, old, wrong, nothing}).Draw(t, s.Name)))
		}
	}
	return said
}

// outcome is a verdict without the observations that led to it.
func outcome(v Verdict) Verdict {
	v.Observations, v.Why = nil, ""
	return v
}

func TestTheOrderOfObservationsAndMembersDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoster(t)
		said := drawAnswers(t, r)
		shuffled := r
		shuffled.Members = rapid.Permutation(r.Members).Draw(t, "members")
		a, b := Vote(r, said), Vote(shuffled, rapid.Permutation(said).Draw(t, "observations"))
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("%+v\nand in another order\n%+v", a, b)
		}
	})
}

func TestAFinalVerdictSurvivesWhateverIsStillSaid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoster(t)
		said := rapid.Permutation(drawAnswers(t, r)).Draw(t, "order")
		before := said[:rapid.IntRange(0, len(said)).Draw(t, "heard")]
		pending := operatorsIn(said[len(before):])
		firm := slices.DeleteFunc(slices.Clone(before), func(o Observation) bool { return slices.Contains(pending, o.Operator) })
		if v := Vote(r, firm); v.State == Agreed && Vote(r, said).Address != v.Address {
			t.Fatalf("%s became %s", v.Why, Vote(r, said).Why)
		}
	})
}

func operatorsIn(said []Observation) (names []string) {
	for _, o := range said {
		names = append(names, o.Operator)
	}
	return names
}

func TestARepeatedOperatorNeverAddsAVoice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoster(t)
		said := drawAnswers(t, r)
		if len(said) == 0 {
			return
		}
		again := rapid.SampledFrom(said).Draw(t, "again")
		before := Vote(r, said)
		if after := Vote(r, append(slices.Clone(said), again)); !reflect.DeepEqual(outcome(after), outcome(before)) {
			t.Fatalf("the same answer twice: %s became %s", before.Why, after.Why)
		}
		again.Address, again.Err = rapid.SampledFrom([]netip.Addr{home, old, wrong}).Draw(t, "contradicting"), nil
		after := Vote(r, append(slices.Clone(said), again))
		if before.State == Agreed && after.State == Agreed && after.Address != before.Address {
			t.Fatalf("one operator swapped the address: %s became %s", before.Why, after.Why)
		}
	})
}

func TestAVoiceOnlyGrowsAsMoreOperatorsAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rosterOf(Authenticated, Authenticated, Authenticated, Plain, Plain)
		said := drawAnswers(t, r)
		for i := range said {
			before, after := Vote(r, said[:i]), Vote(r, said[:i+1])
			for _, voice := range before.Voices {
				if heaviness(after, voice.Address) < voice.Weight {
					t.Fatalf("%s lost weight: %+v became %+v", voice.Address, before.Voices, after.Voices)
				}
			}
			if before.State == Agreed && after.Address != before.Address {
				t.Fatalf("%s became %s", before.Why, after.Why)
			}
		}
	})
}

func heaviness(v Verdict, a netip.Addr) int {
	for _, voice := range v.Voices {
		if voice.Address == a {
			return voice.Weight
		}
	}
	return 0
}

func TestOnlyTwoOperatorsWhomTLSProvesCanMakeAQuorum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawSpared(t)
		one := rapid.SampledFrom(append(slices.Clone(r.Members), r.Spares...)).Draw(t, "one").Operator
		said := slices.DeleteFunc(drawAnswers(t, r), func(o Observation) bool { return o.Class == Authenticated && o.Operator != one })
		if v := Vote(r, said); v.State == Agreed {
			t.Fatalf("agreed on the word of %s, and what can be forged: %s", one, v.Why)
		}
	})
}

func TestWhatTLSDoesNotProveIsNeverMoreThanOneVoiceTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoster(t)
		said := drawAnswers(t, r)
		weight := heaviness(Vote(r, said), wrong)
		var strong []string
		for _, o := range said {
			if o.Class != Plain && !slices.Contains(strong, o.Operator) {
				strong = append(strong, o.Operator)
			}
		}
		forged := slices.Clone(said)
		for i, o := range forged {
			if o.Class == Plain && !slices.Contains(strong, o.Operator) {
				forged[i] = say(Source{Name: o.Source, Operator: o.Operator, Class: Plain}, wrong)
			}
		}
		if got := heaviness(Vote(r, forged), wrong); got > weight+1 {
			t.Fatalf("forging them all made %d voices of %d", got, weight)
		}
	})
}

func TestAnAddressThatIsNotSaneIsNeverAgreedOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoster(t)
		r.Family = rapid.SampledFrom(Families).Draw(t, "family")
		a := drawAddress(t)
		var said []Observation
		for _, s := range r.Members {
			said = append(said, say(s, a))
		}
		v := Vote(r, said)
		if sane := Sane(unmapped(a), r.Family) == nil; (v.State == Agreed) != sane {
			t.Fatalf("%s is sane: %t, and the verdict is %s", a, sane, v.State)
		}
	})
}

// drawAddress draws any address, those near the edges of special ranges often.
func drawAddress(t *rapid.T) netip.Addr {
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		return netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "IPv4")))
	case 1:
		return netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "IPv6")))
	case 2:
		return rapid.SampledFrom(ranges).Draw(t, "range").prefix.Addr().Prev()
	default:
		a := rapid.SampledFrom(ranges).Draw(t, "range").prefix.Addr()
		return netip.AddrFrom16(a.As16())
	}
}

func TestClothesOfIPv6ChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoster(t)
		said := drawAnswers(t, r)
		clothed := slices.Clone(said)
		for i, o := range clothed {
			if o.Address.IsValid() && rapid.Bool().Draw(t, "clothed") {
				clothed[i].Address = netip.AddrFrom16(o.Address.As16())
			}
		}
		if a, b := Vote(r, said), Vote(r, clothed); !reflect.DeepEqual(outcome(a), outcome(b)) {
			t.Fatalf("%s, and with IPv6 clothes %s", a.Why, b.Why)
		}
	})
}

func TestWitnessesNeverMoveTheVerdict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoster(t)
		r.Members = append(r.Members, Source{Name: "pppoe", Operator: "pppoe", Class: Witness})
		said := drawAnswers(t, r)
		voting := slices.DeleteFunc(slices.Clone(said), func(o Observation) bool { return o.Class == Witness })
		if a, b := Vote(r, said), Vote(r, voting); !reflect.DeepEqual(outcome(a), outcome(b)) {
			t.Fatalf("%s, and without witnesses %s", a.Why, b.Why)
		}
	})
}

func TestAQuorumOfHonestVoicesAlwaysDecides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoster(t)
		honest := rapid.Permutation(r.Members).Draw(t, "honest")
		if wave := firstWave(r, honest, nil); len(wave) == r.Needed() {
			honest = wave
		}
		var said []Observation
		for _, s := range r.Members {
			switch {
			case slices.ContainsFunc(honest, func(h Source) bool { return h.Name == s.Name }):
				said = append(said, say(s, home))
			case !slices.ContainsFunc(honest, func(h Source) bool { return h.Operator == s.Operator }):
				said = append(said, say(s, rapid.SampledFrom([]netip.Addr{home, old, wrong, nothing}).Draw(t, s.Name)))
			}
		}
		if v := Vote(r, said); v.State != Agreed || v.Address != home {
			t.Fatalf("%d honest voices of %d did not decide: %s", len(honest), r.Needed(), v.Why)
		}
	})
}
