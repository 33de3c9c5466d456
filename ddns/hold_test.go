package ddns

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// start is when these tests begin; at is so much later.
var start = time.Unix(1_800_000_000, 0)

func at(d time.Duration) time.Time { return start.Add(d) }

// addresses is a set of published addresses.
func addresses(a ...netip.Addr) []netip.Addr { return a }

func TestHold(t *testing.T) {
	plain := rosterOf(Authenticated, Authenticated, Authenticated, Plain, Plain)
	watched := five()
	watched.Members = append(watched.Members, Source{Name: "router", Operator: "router", Class: Witness})
	fast := FamilyMemory{Changes: []time.Time{at(-9 * time.Minute), at(-8 * time.Minute), at(-7 * time.Minute)}}

	for _, c := range []struct {
		name      string
		verdict   Verdict
		published []netip.Addr
		memory    FamilyMemory
		decision  Decision
		guard     Guard
		until     time.Duration // after start; 0 is none
	}{
		{"without a quorum what stands is kept", Vote(five(), saying(five(), home, home)), addresses(old), FamilyMemory{}, Stay, AgreeGuard, 0},
		{"a split keeps what stands", Vote(five(), saying(five(), home, home, old, old)), addresses(old), FamilyMemory{}, Stay, AgreeGuard, 0},
		{"a first address is published at once", Vote(five(), saying(five(), home, home, home, old, old)), nil, FamilyMemory{}, Publish, NoGuard, 0},
		{"what is published already is published", Vote(five(), saying(five(), home, home, home, old, old)), addresses(home), FamilyMemory{}, Publish, NoGuard, 0},
		{"a change is published at once", Vote(five(), saying(five(), home, home, home)), addresses(old), FamilyMemory{}, Publish, NoGuard, 0},
		{"one voice for what is published does not hold up a change", Vote(five(), saying(five(), home, home, home, home, old)), addresses(old), FamilyMemory{}, Publish, NoGuard, 0},
		{"two voices for what is published do", Vote(five(), saying(five(), home, home, home, old, old)), addresses(old), FamilyMemory{}, Wait, VetoGuard, vetoLongest},
		{"two voices for something that is not published do not", Vote(five(), saying(five(), home, home, home, wrong, wrong)), addresses(old), FamilyMemory{}, Publish, NoGuard, 0},
		{"two voices for two addresses that are published do", Vote(five(), saying(five(), home, home, home, old, other)), addresses(old, other), FamilyMemory{}, Wait, VetoGuard, vetoLongest},
		{"one zone that is right already does not end the veto of the other", Vote(five(), saying(five(), home, home, home, old, old)), addresses(home, old), FamilyMemory{}, Wait, VetoGuard, vetoLongest},
		{"those that TLS does not prove object with one voice", Vote(plain, saying(plain, home, home, home, old, old)), addresses(old), FamilyMemory{}, Publish, NoGuard, 0},
		{"those that TLS does not prove object with one voice, beside one that lost its veto", Vote(rosterOf(Authenticated, Authenticated, Authenticated, Authenticated, Plain, Plain, Plain), saying(rosterOf(Authenticated, Authenticated, Authenticated, Authenticated, Plain, Plain, Plain), home, home, home, home, old, old, old)),
			addresses(old), FamilyMemory{Overruled: []string{"op6"}}, Publish, NoGuard, 0},
		{"a witness cannot object", Vote(watched, append(saying(watched, home, home, home, home, old), say(watched.Members[5], old))), addresses(old), FamilyMemory{}, Publish, NoGuard, 0},
		{"who was overruled cannot object", Vote(five(), saying(five(), home, home, home, old, old)), addresses(old), FamilyMemory{Overruled: []string{"op3"}}, Publish, NoGuard, 0},
		{"who was overruled for an other reason, and agrees now, may object again later", Vote(five(), saying(five(), home, home, home, home)), addresses(home), FamilyMemory{Overruled: []string{"op3"}}, Publish, NoGuard, 0},
		{"after three changes the next one waits", Vote(five(), saying(five(), home, home, home)), addresses(old), fast, Wait, DampGuard, dampLongest},
		{"after three changes what is published stays", Vote(five(), saying(five(), home, home, home)), addresses(home), fast, Publish, NoGuard, 0},
		{"after two changes the next one is published", Vote(five(), saying(five(), home, home, home)), addresses(old), FamilyMemory{Changes: fast.Changes[1:]}, Publish, NoGuard, 0},
		{"ten minutes after the last change nothing is damped", Vote(five(), saying(five(), home, home, home)), addresses(old),
			FamilyMemory{Changes: []time.Time{at(-12 * time.Minute), at(-11 * time.Minute), at(-10 * time.Minute)}}, Publish, NoGuard, 0},
		{"nine minutes after the last of three changes the next one waits", Vote(five(), saying(five(), home, home, home)), addresses(old),
			FamilyMemory{Changes: []time.Time{at(-11 * time.Minute), at(-10 * time.Minute), at(-9 * time.Minute)}}, Wait, DampGuard, dampLongest},
		{"changes of a clock that was ahead damp nothing", Vote(five(), saying(five(), home, home, home)), addresses(old),
			FamilyMemory{Changes: []time.Time{at(time.Hour), at(time.Hour), at(time.Hour)}}, Publish, NoGuard, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, _ := Hold(c.verdict, c.published, WAN{}, c.memory, start)
			if h.Decision != c.decision || h.Guard != c.guard {
				t.Errorf("%s by guard %q (%s), want %s by %q", h.Decision, h.Guard, h.Why, c.decision, c.guard)
			}
			if want := start.Add(c.until); c.until != 0 && !h.Until.Equal(want) || c.until == 0 && !h.Until.IsZero() {
				t.Errorf("until %s, want %s", h.Until, c.until)
			}
			if h.Why == "" || h.Address != c.verdict.Address {
				t.Errorf("it does not say which address and why: %+v", h)
			}
		})
	}
}

// rounds plays rounds of one roster, the same time apart, each with the
// answers it is given; the last are repeated. What is held to be published is
// written.
type rounds struct {
	roster    Roster
	published []netip.Addr
	memory    FamilyMemory
	now       time.Time
}

func (r *rounds) play(apart time.Duration, answers ...netip.Addr) Holding {
	r.now = r.now.Add(apart)
	var h Holding
	h, r.memory = Hold(Vote(r.roster, saying(r.roster, answers...)), r.published, WAN{}, r.memory, r.now)
	if h.Decision == Publish {
		r.memory = r.memory.confirm(h.Address, r.now)
		r.published = addresses(h.Address)
	}
	return h
}

// until plays rounds until the change is published, and returns how many it
// took and how long.
func (r *rounds) until(t *testing.T, apart time.Duration, answers ...netip.Addr) (n int, took time.Duration) {
	t.Helper()
	began := r.now.Add(apart)
	for n = 1; n <= 1000; n++ {
		if h := r.play(apart, answers...); h.Decision == Publish {
			return n, r.now.Sub(began)
		}
	}
	t.Fatalf("not published after %d rounds in %s", n-1, r.now.Sub(began))
	return n, 0
}

func homeIsOld(r Roster) *rounds {
	return &rounds{roster: r, published: addresses(old), now: start, memory: FamilyMemory{Confirmed: addresses(old)}}
}

func TestTheVetoEndsAfterSixRoundsOverTenMinutes(t *testing.T) {
	for _, c := range []struct {
		name   string
		apart  time.Duration
		rounds int
		took   time.Duration
	}{
		{"rounds six seconds apart", 6 * time.Second, 101, 10 * time.Minute},
		{"rounds two minutes apart", 2 * time.Minute, 6, 10 * time.Minute},
		{"rounds twenty minutes apart", 20 * time.Minute, 6, 100 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := homeIsOld(five())
			n, took := r.until(t, c.apart, home, home, home, old, old)
			if n != c.rounds || took != c.took {
				t.Errorf("published in round %d after %s, want %d after %s", n, took, c.rounds, c.took)
			}
		})
	}
}

func TestWhoWasOverruledHasNoVetoUntilItAgrees(t *testing.T) {
	r := homeIsOld(five())
	r.until(t, time.Minute, home, home, home, old, old)
	if !slices.Equal(r.memory.Overruled, []string{"op3", "op4"}) {
		t.Fatalf("overruled are %v", r.memory.Overruled)
	}
	r.published = addresses(old) // somebody moved it back: the two say what is published, and do not count
	if h := r.play(time.Minute, home, home, home, old, old); h.Decision != Publish {
		t.Errorf("the overruled held it up again: %s", h.Why)
	}
	r.play(time.Minute, home, home, home, home, home)
	if len(r.memory.Overruled) > 0 {
		t.Errorf("still overruled after they agreed: %v", r.memory.Overruled)
	}
	if h := r.play(time.Hour, old, old, old, home, home); h.Guard != VetoGuard {
		t.Errorf("their veto did not come back: %s %s", h.Decision, h.Why)
	}
}

func TestAVetoStartsAgainWhenTheMajorityChangesItsMind(t *testing.T) {
	for _, c := range []struct {
		name    string
		between []netip.Addr
		again   bool
	}{
		{"the majority said what is published", []netip.Addr{old, old, old, home, home}, true},
		{"the majority said something third", []netip.Addr{other, other, other, old, old}, true},
		{"one of the two who object was silent", []netip.Addr{home, home, old, old, nothing}, false},
		{"nobody answered", []netip.Addr{nothing, nothing, nothing, nothing, nothing}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := homeIsOld(five())
			for range 9 {
				r.play(time.Minute, home, home, home, old, old)
			}
			r.play(time.Minute, c.between...)
			n, _ := r.until(t, time.Minute, home, home, home, old, old)
			if again := n > 3; again != c.again {
				t.Errorf("published %d rounds later", n)
			}
		})
	}
}

func TestTwoOfManyCannotHoldUpAChangeByTurns(t *testing.T) {
	r := homeIsOld(rosterOf(Authenticated, Authenticated, Authenticated, Authenticated, Authenticated, Authenticated, Plain))
	var h Holding
	for i := 0; i < 100 && h.Decision != Publish; i++ {
		answers := []netip.Addr{home, home, home, home, old, old, old}
		answers[4+i%3] = nothing
		h = r.play(10*time.Second, answers...)
	}
	if held := r.now.Sub(start); h.Decision != Publish || held > vetoLongest+20*time.Second {
		t.Errorf("%s after %s: %s", h.Decision, held, h.Why)
	}
}

func TestAGuardSurvivesAClockThatIsSet(t *testing.T) {
	t.Run("a veto does not end because the clock jumps ahead", func(t *testing.T) {
		r := homeIsOld(five())
		r.play(0, home, home, home, old, old)
		r.play(9*time.Hour, home, home, home, old, old)
		for range 5 {
			if h := r.play(6*time.Second, home, home, home, old, old); h.Guard != VetoGuard {
				t.Fatalf("%s: %s", h.Decision, h.Why)
			}
		}
	})
	t.Run("a veto does not begin again because the clock is set back", func(t *testing.T) {
		r := homeIsOld(five())
		for range 9 {
			r.play(time.Minute, home, home, home, old, old)
		}
		r.play(-9*time.Hour, home, home, home, old, old)
		if n, _ := r.until(t, time.Minute, home, home, home, old, old); n > 2 {
			t.Errorf("held for %d rounds more", n)
		}
	})
	t.Run("a veto ends though the clock is set back in every round", func(t *testing.T) {
		if n, _ := homeIsOld(five()).until(t, -time.Minute, home, home, home, old, old); n != 101 {
			t.Errorf("published in round %d, want what takes ten minutes", n)
		}
	})
	t.Run("a damped change is confirmed though the clock was set back", func(t *testing.T) {
		r := homeIsOld(five())
		r.memory.Changes = []time.Time{at(-9 * time.Minute), at(-8 * time.Minute), at(-7 * time.Minute)}
		r.play(0, home, home, home, home, home)
		if h := r.play(-time.Minute, home, home, home, home, home); h.Decision != Publish {
			t.Errorf("%s: %s", h.Decision, h.Why)
		}
	})
}

func TestFlappingEndsTenMinutesAfterTheLastChange(t *testing.T) {
	var changes []time.Time
	for _, c := range []struct {
		minute float64 // of a change
		after  bool    // flapping then
		quiet  bool    // flapping nine minutes later
	}{{0, false, false}, {6, false, false}, {12, false, false}, {15, true, true}, {24, true, true}, {33, true, true}, {43, false, false}, {44, false, false}, {45, true, true}} {
		now := at(time.Duration(c.minute * float64(time.Minute)))
		changes = changed(changes, now)
		if got := flapping(changes, now); got != c.after {
			t.Errorf("minute %v: flapping is %t", c.minute, got)
		}
		if got := flapping(changes, now.Add(9*time.Minute)); got != c.quiet {
			t.Errorf("nine minutes after minute %v: flapping is %t", c.minute, got)
		}
		if flapping(changes, now.Add(10*time.Minute)) {
			t.Errorf("ten minutes after minute %v: flapping", c.minute)
		}
	}
}

func TestDamping(t *testing.T) {
	flap := func(r *rounds) {
		for i := range 3 {
			r.play(time.Minute, slices.Repeat(addresses(addresses(home, old)[i%2]), 5)...)
		}
	}
	t.Run("the first three changes are published at once", func(t *testing.T) {
		r := homeIsOld(five())
		flap(r)
		if len(r.memory.Changes) != 3 {
			t.Errorf("changes at %v", r.memory.Changes)
		}
	})
	t.Run("the fourth is published when a second round says it", func(t *testing.T) {
		r := homeIsOld(five())
		flap(r)
		if n, took := r.until(t, 6*time.Second, old, old, old, old, old); n != 2 || took != 6*time.Second {
			t.Errorf("published in round %d after %s", n, took)
		}
	})
	t.Run("two rounds within five seconds are one", func(t *testing.T) {
		r := homeIsOld(five())
		flap(r)
		if n, took := r.until(t, 2*time.Second, old, old, old, old, old); n != 4 || took != 6*time.Second {
			t.Errorf("published in round %d after %s", n, took)
		}
	})
	t.Run("new dissent starts the count again", func(t *testing.T) {
		r := homeIsOld(five())
		flap(r)
		r.play(6*time.Second, old, old, old, old, old)
		if h := r.play(6*time.Second, old, old, old, old, other); h.Decision != Wait {
			t.Errorf("%s: %s", h.Decision, h.Why)
		}
		if h := r.play(6*time.Second, old, old, old, old, other); h.Decision != Publish {
			t.Errorf("%s: %s", h.Decision, h.Why)
		}
	})
	t.Run("dissent that is new every time ends with the longest hold", func(t *testing.T) {
		r := homeIsOld(five())
		flap(r)
		began := r.now
		var h Holding
		for i := 0; h.Decision != Publish && i < 1000; i++ {
			answers := []netip.Addr{old, old, old, nothing, nothing}
			answers[3+i%2] = other
			h = r.play(10*time.Second, answers...)
			if i%30 == 29 { // keeps the family flapping for ever
				r.memory.Changes = []time.Time{r.now, r.now, r.now}
			}
		}
		if held := r.now.Sub(began); held < dampLongest || held > dampLongest+time.Minute {
			t.Errorf("held for %s", held)
		}
	})
	t.Run("it goes on until ten minutes pass without a change", func(t *testing.T) {
		r := homeIsOld(five())
		flap(r)
		r.until(t, time.Minute, old, old, old, old, old) // the fourth
		if h := r.play(9*time.Minute, home, home, home, home, home); h.Guard != DampGuard {
			t.Errorf("nine minutes later: %s %s", h.Decision, h.Why)
		}
		if h := r.play(time.Minute, home, home, home, home, home); h.Decision != Publish {
			t.Errorf("ten minutes later: %s %s", h.Decision, h.Why)
		}
	})
	t.Run("a return to what is published ends the wait", func(t *testing.T) {
		r := homeIsOld(five())
		flap(r)
		r.play(6*time.Second, old, old, old, old, old)
		r.play(6*time.Second, home, home, home, home, home)
		if h := r.play(6*time.Second, old, old, old, old, old); h.Guard != DampGuard {
			t.Errorf("%s: %s", h.Decision, h.Why)
		}
	})
}

func TestWhatIsHeldIsSaidInWords(t *testing.T) {
	h, _ := Hold(Vote(five(), saying(five(), home, home, home, old, old)), addresses(old), WAN{}, FamilyMemory{}, start)
	if want := "op3, op4 still name what is published, so the change waits"; !strings.Contains(h.Why, want) {
		t.Errorf("%q does not say %q", h.Why, want)
	}
	for d, want := range map[Decision]string{Stay: "keep", Wait: "wait", Publish: "publish"} {
		if got := d.String(); got != want {
			t.Errorf("%d is %q, want %q", int(d), got, want)
		}
	}
	for a, want := range map[Agreement]string{Unknown: "unknown", Split: "split", Agreed: "agreed"} {
		if got := a.String(); got != want {
			t.Errorf("%d is %q, want %q", int(a), got, want)
		}
	}
}

func BenchmarkHold(b *testing.B) {
	v := Vote(five(), saying(five(), home, home, home, old, old))
	b.ReportAllocs()
	for b.Loop() {
		Hold(v, addresses(old), WAN{}, FamilyMemory{}, start)
	}
}
