package ddns

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestFinalIsNeverContradicted asks as rounds do, hears in any order, calls spares
// as they are called, and whenever Final says that nothing can change, compares the
// decision with those after each of many ways in which the rest may answer.
func TestFinalIsNeverContradicted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawSpared(t)
		m := drawMemory(t, r)
		published := rapid.SliceOfDistinct(rapid.SampledFrom(addresses(home, old, other)), rapid.ID).Draw(t, "published")
		q, _ := newSlate(r, Asking{All: rapid.Bool().Draw(t, "all"), Expected: published, Forgets: rapid.Bool().Draw(t, "forgetful"),
			Gone: map[string]bool{"op0": rapid.Bool().Draw(t, "op0 is gone"), "op1": rapid.Bool().Draw(t, "op1 is gone")}})
		for !Final(r, q.observations, q.outstanding(), published, m, start) {
			if len(q.outstanding()) == 0 {
				return
			}
			q.answer(t, home, home, home, old, nothing)
		}
		now, _ := Hold(Vote(r, q.observations), published, WAN{}, m, start)
		for range 10 {
			rest := q
			rest.asked, rest.observations = slices.Clone(q.asked), slices.Clone(q.observations)
			for len(rest.outstanding()) > 0 {
				rest.answer(t, home, old, old, other, wrong, nothing)
				later, _ := Hold(Vote(r, rest.observations), published, WAN{}, m, start)
				if later.Decision != now.Decision || later.Address != now.Address {
					t.Fatalf("final %s %s became %s %s: %s", now.Decision, now.Address, later.Decision, later.Address, later.Why)
				}
			}
		}
	})
}

// answer lets one of those who are asked say one of some addresses.
func (q *slate) answer(t *rapid.T, answers ...netip.Addr) {
	s := rapid.SampledFrom(q.outstanding()).Draw(t, "who")
	q.hear(say(s, rapid.SampledFrom(answers).Draw(t, s.Name)))
}

func TestFinal(t *testing.T) {
	twin := five()
	twin.Members = append(twin.Members, Source{Name: "op0-dns", Operator: "op0", Class: Plain})
	witness := Source{Name: "router", Operator: "router", Class: Witness}
	alone := Roster{Family: IPv4, Quorum: 1, Members: five().Members[:1]}
	for _, c := range []struct {
		name        string
		roster      Roster
		said        []Observation
		outstanding []Source
		published   []netip.Addr
		memory      FamilyMemory
		final       bool
	}{
		{"two of three answers are not", five(), saying(five(), home, home), five().Members[2:3], addresses(home), FamilyMemory{}, false},
		{"a quorum for what is published is", five(), saying(five(), home, home, home), five().Members[3:], addresses(home), FamilyMemory{}, true},
		{"a quorum for a first address is", five(), saying(five(), home, home, home), five().Members[3:], nil, FamilyMemory{}, true},
		{"a quorum for a change is not while two may object", five(), saying(five(), home, home, home), five().Members[3:], addresses(old), FamilyMemory{}, false},
		{"a quorum for a change is when one is left", five(), saying(five(), home, home, home, home), five().Members[4:], addresses(old), FamilyMemory{}, true},
		{"a quorum for a change is when one failed", five(), saying(five(), home, home, home, nothing), five().Members[4:], addresses(old), FamilyMemory{}, true},
		{"a quorum for a change is not when one objects and one is left", five(), saying(five(), home, home, home, old), five().Members[4:], addresses(old), FamilyMemory{}, false},
		{"a quorum for a change is when those who are left have no veto", five(), saying(five(), home, home, home), five().Members[3:], addresses(old), FamilyMemory{Overruled: []string{"op3"}}, true},
		{"a quorum is not while one of it may contradict itself", twin, saying(twin, home, home, home), twin.Members[5:], addresses(home), FamilyMemory{}, false},
		{"a witness is not waited for", five(), saying(five(), home, home, home, home, home), []Source{witness}, addresses(old), FamilyMemory{}, true},
		{"a damped change is not before all have answered", five(), saying(five(), home, home, home, home), five().Members[4:], addresses(old),
			FamilyMemory{Changes: []time.Time{start, start, start}}, false},
		{"one source alone is not before it answers", alone, nil, alone.Members, nil, FamilyMemory{}, false},
		{"one source alone is when it answered", alone, saying(alone, home), nil, addresses(old), FamilyMemory{}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if final := Final(c.roster, c.said, c.outstanding, c.published, c.memory, start); final != c.final {
				t.Errorf("final is %t", final)
			}
		})
	}
}

func BenchmarkFinal(b *testing.B) {
	r := five()
	said := saying(r, home, home, home, home)
	published := addresses(old)
	b.ReportAllocs()
	for b.Loop() {
		Final(r, said, r.Members[4:], published, FamilyMemory{}, start)
	}
}
