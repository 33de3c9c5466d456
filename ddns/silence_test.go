package ddns

import (
	"testing"
	"time"
)

func TestASourceIsGoneAfterThreeRoundsOverTwoMinutes(t *testing.T) {
	type round struct {
		at     time.Duration
		silent bool
	}
	for _, c := range []struct {
		name   string
		rounds []round
		at     time.Duration
		gone   bool
	}{
		{"two rounds are too few", []round{{0, true}, {time.Minute, true}}, time.Hour, false},
		{"three within two minutes are too", []round{{0, true}, {time.Minute, true}, {119 * time.Second, true}}, 119 * time.Second, false},
		{"three over two minutes are not", []round{{0, true}, {time.Minute, true}, {2 * time.Minute, true}}, 2 * time.Minute, true},
		{"an answer in between begins anew", []round{{0, true}, {time.Minute, true}, {2 * time.Minute, false}, {3 * time.Minute, true}}, 3 * time.Minute, false},
		{"it is back with its first answer", []round{{0, true}, {time.Minute, true}, {2 * time.Minute, true}, {3 * time.Minute, false}}, 3 * time.Minute, false},
		{"a clock that was ahead counts from when it was set back", []round{{9 * time.Hour, true}, {9*time.Hour + time.Minute, true}, {0, true}}, time.Minute, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var fm FamilyMemory
			for _, r := range c.rounds {
				answers := addresses(home, home, home, home, home)
				if r.silent {
					answers[0] = nothing
				}
				fm.Silent = fm.silences(Vote(five(), saying(five(), answers...)), at(r.at))
			}
			if got := fm.Silent["op0"].gone(at(c.at)); got != c.gone || len(fm.Silent) > 1 {
				t.Errorf("gone: %t, of %v", got, fm.Silent)
			}
		})
	}
}

func TestSilencesAreOfThoseWhoWereAsked(t *testing.T) {
	silent := Silence{Since: start, Rounds: 3}
	fm := FamilyMemory{Silent: map[string]Silence{"op3": silent, "left the configuration": silent}}
	watched := five()
	watched.Members = append(watched.Members, Source{Name: "router", Operator: "router", Class: Witness})
	for _, c := range []struct {
		name string
		said []Observation
		want []string
	}{
		{"a quiet round says nothing of the others", saying(five(), home, home, home), []string{"op3", "left the configuration"}},
		{"a full one forgets those that are no more", saying(five(), home, home, home, nothing, nothing), []string{"op3", "op4"}},
		{"a round in which nobody is heard says something of the line alone", saying(five(), nothing, nothing, nothing, nothing, nothing), []string{"op3", "left the configuration"}},
		{"a witness that is silent is no voice less", saying(watched, home, home, home, home, home, nothing), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := fm.silences(Vote(watched, c.said), at(time.Hour))
			if len(got) != len(c.want) {
				t.Fatalf("%v, want %v", got, c.want)
			}
			for _, name := range c.want {
				if got[name].Rounds == 0 {
					t.Errorf("%v lacks %s", got, name)
				}
			}
			if s, ok := got["op3"]; ok && !s.Since.Equal(start) {
				t.Errorf("op3 is silent since %s", s.Since)
			}
		})
	}
}
