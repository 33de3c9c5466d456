package ddns

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestNoGuardIsWithoutAnEnd lets anything be remembered, anything be said by
// those who may lie, and the clock be set while it happens. A majority that
// goes on saying the truth is published within the longest hold.
func TestNoGuardIsWithoutAnEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rosterOf(Authenticated, Authenticated, Authenticated, Authenticated, Authenticated, Plain, Plain)
		m := drawMemory(t, r)
		published := rapid.SliceOfNDistinct(rapid.SampledFrom(addresses(old, other, home)), 1, 2, rapid.ID).Draw(t, "published")
		now, lived := start, time.Duration(0)
		longest := dampLongest + time.Minute
		for rounds := 1; ; rounds++ {
			gap := time.Duration(rapid.IntRange(1, 100).Draw(t, "gap")) * time.Second
			now, lived = now.Add(gap), lived+gap
			if rapid.IntRange(0, 9).Draw(t, "set") == 0 {
				now = now.Add(time.Duration(rapid.IntRange(-600, 600).Draw(t, "by")) * time.Minute)
				longest += gap // what was lived through meanwhile may count for little
			}
			answers := addresses(home, home, home, home)
			for range 3 {
				answers = append(answers, rapid.SampledFrom(addresses(old, old, other, home, wrong, nothing)).Draw(t, "answer"))
			}
			var h Holding
			v := Vote(r, saying(r, answers...))
			tale := rapid.SampledFrom([]string{"100.64.0.1", old.String(), other.String(), home.String()}).Draw(t, "tale")
			h, m = Hold(v, published, JudgeWAN(v, by(Repeated, tale)), m, now) // the router, or whoever speaks in its name
			if len(m.Overruled) > len(r.Members) || len(m.Changes) > dampAfter || len(m.Damped.Dissent) > len(r.Members) {
				t.Fatalf("memory grew: %+v", m)
			}
			if h.Decision == Publish {
				return
			}
			if !h.Until.IsZero() && h.Until.Sub(now) > dampLongest {
				t.Fatalf("waits until %s, in %s", h.Until, h.Until.Sub(now))
			}
			if lived > longest && rounds > vetoRounds {
				t.Fatalf("held for %s and %d rounds: %s", lived, rounds, h.Why)
			}
			if rapid.IntRange(0, 5).Draw(t, "another") == 0 { // the family goes on flapping
				m.Changes = changed(m.Changes, now)
			}
		}
	})
}

// drawMemory draws a memory that may come from another time, clock and roster.
func drawMemory(t *rapid.T, r Roster) FamilyMemory {
	moment := rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.IntRange(0, 3).Draw(t, "none") == 0 {
			return time.Time{}
		}
		return at(time.Duration(rapid.IntRange(-100_000, 100_000).Draw(t, "seconds")) * time.Second)
	})
	operator := rapid.SampledFrom(operatorsOf(r.Members))
	address := rapid.SampledFrom(addresses(home, old, other))
	return FamilyMemory{
		Wanted:    Wanted{Since: moment.Draw(t, "wanted since"), Seen: moment.Draw(t, "wanted")},
		Changes:   rapid.SliceOfN(moment, 0, dampAfter).Draw(t, "changes"),
		Overruled: rapid.SliceOfDistinct(operator, rapid.ID).Draw(t, "overruled"),
		Veto:      Veto{Said: address.Draw(t, "said").String(), Since: moment.Draw(t, "since"), Last: moment.Draw(t, "last"), Rounds: rapid.IntRange(0, 10).Draw(t, "rounds")},
		Damped: Damped{Address: address.Draw(t, "damped"), Dissent: rapid.SliceOfDistinct(operator, rapid.ID).Draw(t, "dissent"),
			Since: moment.Draw(t, "damped since"), Seen: moment.Draw(t, "seen"), Last: moment.Draw(t, "counted"), Confirmed: rapid.IntRange(0, 3).Draw(t, "confirmed")},
	}
}

func TestHoldChangesNothingItIsGiven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoster(t)
		m := drawMemory(t, r)
		before := fmt.Sprintf("%+v", m)
		Hold(Vote(r, drawAnswers(t, r)), addresses(old), WAN{}, m, start)
		if after := fmt.Sprintf("%+v", m); after != before {
			t.Fatalf("%s became %s", before, after)
		}
	})
}
