package ddns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// roundOf is a round whose one target ended in a state.
func roundOf(state TargetState) Round {
	r := Round{Started: start, Outcomes: []Outcome{{State: state}}}
	r.Verdicts = []Verdict{Vote(five(), saying(five(), home, home, home))}
	r.Holdings = []Holding{{Decision: Publish}}
	return r
}

func (r Round) saying(addresses ...netip.Addr) Round {
	r.Verdicts = []Verdict{Vote(five(), saying(five(), addresses...))}
	return r
}

func (r Round) heldUntil(until ...time.Duration) Round {
	r.Holdings = nil
	for _, u := range until {
		r.Holdings = append(r.Holdings, Holding{Decision: Wait, Until: at(u)})
	}
	return r
}

func (r Round) because(code Code, err error) Round {
	r.Outcomes[0].Code, r.Outcomes[0].Err = code, err
	return r
}

// noRoute is the error of a machine that has no route over IPv6.
type noRoute struct{}

func (noRoute) Error() string { return "no default route" }
func (noRoute) NoWayOut()     {}

func TestARoundWithoutAWayOutIsNotForgotten(t *testing.T) {
	p, r := pace{}, roundOf(Held)
	r.Outcomes[0].Target.Type = "AAAA"
	r.Verdicts = append(r.Verdicts, Verdict{Family: IPv6, Observations: []Observation{{Err: noRoute{}}}})
	var soon int
	for range 100 {
		var wait time.Duration
		if p, wait = p.after(r); wait > 0 {
			soon++
		}
	}
	if soon != waylessTries {
		t.Errorf("%d of 100 rounds were followed by one soon, want %d", soon, waylessTries)
	}
}

func TestPace(t *testing.T) {
	dark := roundOf(Held).saying(nothing, nothing, nothing)
	insane := roundOf(Held).saying(nothing, nothing)
	insane.Verdicts[0].Observations[0].Err = Sane(netip.MustParseAddr("104.28.1.1"), IPv4)
	wrongClock := roundOf(Held)
	wrongClock.Conditions = []Condition{{Code: CodeClock}}
	later := roundOf(Held)
	later.Outcomes[0].Until = at(time.Hour)
	translated := roundOf(Held)
	translated.Outcomes[0].Target.Type = "A"
	translated.Holdings = []Holding{{Family: IPv4, Decision: Wait, Guard: CGNATGuard}}
	wayless := roundOf(Held)
	wayless.Outcomes[0].Target.Type = "AAAA"
	wayless.Verdicts = append(wayless.Verdicts, Verdict{Family: IPv6, Observations: []Observation{{Source: "one", Err: noRoute{}}, {Source: "two", Err: fmt.Errorf("no IPv6 here: %w", noRoute{})}}})
	onlyWayless := wayless
	onlyWayless.Verdicts = wayless.Verdicts[1:]
	waylessAndDark := wayless
	waylessAndDark.Verdicts = slices.Concat(dark.Verdicts, onlyWayless.Verdicts)
	waylessAndOdd := wayless
	waylessAndOdd.Outcomes = append(slices.Clone(wayless.Outcomes), Outcome{Target: Target{Type: "A"}, State: Unreached})
	halfWayless := wayless
	halfWayless.Verdicts = []Verdict{{Family: IPv6, Observations: []Observation{{Err: noRoute{}}, {Err: errors.New("no answer")}}}}
	busy := &Error{Kind: Limited, RetryAfter: 90 * time.Second}
	late := roundOf(Unreached)
	late.Receipts = []Receipt{{Err: &Error{Kind: Limited, RetryAfter: time.Hour}}}

	for _, c := range []struct {
		name   string
		before pace
		round  Round
		wait   time.Duration // before jitter
	}{
		{"all is right: the schedule says when", pace{odd: 3}, roundOf(Right), 0},
		{"all was put right", pace{dark: 3}, roundOf(Changed), 0},
		{"the clock is wrong", pace{odd: 9}, wrongClock, paceClock},
		{"nobody was reached once", pace{}, dark, 2 * time.Second},
		{"nobody was reached twice", pace{dark: 1}, dark, 4 * time.Second},
		{"nobody was reached for long", pace{dark: 100}, dark, 20 * time.Second},
		{"nobody was reached, and what stands is right", pace{}, roundOf(Right).saying(nothing, nothing), 0},
		{"everybody told a wrong address", pace{odd: 3}, insane, 16 * time.Second},
		{"no agreement", pace{}, roundOf(Held).saying(home, old), 2 * time.Second},
		{"no agreement for long", pace{odd: 100}, roundOf(Held).saying(home, old), 5 * time.Minute},
		{"Cloudflare could not be reached", pace{odd: 1}, roundOf(Unreached), 4 * time.Second},
		{"Cloudflare could not be reached for some minutes", pace{odd: 20}, roundOf(Unreached), 20 * time.Second},
		{"the token was refused", pace{odd: 1}, roundOf(Refused).because(CodeToken, nil), 4 * time.Second},
		{"the provider translates: the schedule says when", pace{odd: 1, guarded: 1}, translated, 0},
		{"IPv6 has no way out: it may just be coming", pace{}, wayless, 2 * time.Second},
		{"IPv6 has no way out: the kernel tells of one", pace{odd: waylessTries}, wayless, 0},
		{"IPv6 alone is wanted and has no way out", pace{odd: waylessTries}, onlyWayless, 0},
		{"IPv6 has no way out, and IPv4 reaches nobody", pace{dark: 100, odd: waylessTries}, waylessAndDark, 20 * time.Second},
		{"IPv6 has no way out, and Cloudflare could not be reached", pace{odd: 20}, waylessAndOdd, 20 * time.Second},
		{"IPv6 has a way out since a moment ago", pace{dark: 100}, halfWayless, 20 * time.Second},
		{"a person has to mend it", pace{odd: 1}, roundOf(Refused).because(CodeCNAME, nil), 0},
		{"contested until later", pace{}, later, 0},
		{"the nameservers say something else", pace{}, roundOf(Contradicted), 0},
		{"a guard holds a change", pace{}, roundOf(Held).heldUntil(10 * time.Minute), 6 * time.Second},
		{"a guard holds a change for long", pace{guarded: 9}, roundOf(Held).heldUntil(10 * time.Minute), 100 * time.Second},
		{"a guard ends soon", pace{guarded: 9}, roundOf(Held).heldUntil(10*time.Minute, 30*time.Second), 30 * time.Second},
		{"a guard should have ended", pace{guarded: 9}, roundOf(Held).heldUntil(-time.Hour), 6 * time.Second},
		{"Cloudflare asks to wait", pace{}, roundOf(Unreached).because(CodeLimited, busy), 90 * time.Second},
		{"Cloudflare asks to wait while a guard holds a change", pace{}, roundOf(Held).heldUntil(10*time.Minute).because(CodeLimited, busy), 90 * time.Second},
		{"Cloudflare asks to wait an hour", pace{}, late, 10 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, wait := c.before.after(c.round)
			if wait > c.wait || wait < c.wait-c.wait/10 {
				t.Errorf("waits %s, want %s or a little less", wait, c.wait)
			}
		})
	}
}

func TestTwoTroublesByTurnsAreNotAskedEverFaster(t *testing.T) {
	p := pace{}
	var wait time.Duration
	for range 60 {
		p, _ = p.after(roundOf(Held).heldUntil(10 * time.Minute))
		p, wait = p.after(roundOf(Held).saying(home, old))
	}
	if wait < 4*time.Minute {
		t.Errorf("waits %s in the end", wait)
	}
	if p, _ = p.after(roundOf(Right)); p != (pace{}) {
		t.Errorf("a round that is right leaves %+v", p)
	}
}

func TestAVetoIsPacedSoThatItEndsInTime(t *testing.T) {
	r := homeIsOld(five())
	p, wait, n := pace{}, time.Duration(0), 0
	for ; r.published[0] == old; n++ {
		h := r.play(wait, home, home, home, old, old)
		p, wait = p.after(Round{Started: r.now, Holdings: []Holding{h}, Outcomes: []Outcome{{State: Held}},
			Verdicts: []Verdict{Vote(five(), saying(five(), home))}})
	}
	if held := r.now.Sub(start); held > vetoLongest+paceGuard || n > 12 {
		t.Errorf("held for %s, %d rounds", held, n)
	}
}

func TestEveryWaitHasItsLongest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := pace{dark: rapid.IntRange(0, 1000).Draw(t, "dark"), guarded: rapid.IntRange(0, 1000).Draw(t, "guarded"), odd: rapid.IntRange(0, 1000).Draw(t, "odd")}
		r := roundOf(rapid.SampledFrom([]TargetState{Right, Changed, Held, Refused, Unreached, Contradicted}).Draw(t, "state"))
		if rapid.Bool().Draw(t, "silence") {
			r = r.saying(nothing, nothing)
		}
		if rapid.Bool().Draw(t, "guarded") {
			r = r.heldUntil(time.Duration(rapid.Int64().Draw(t, "until")))
		}
		r = r.because(rapid.SampledFrom([]Code{"", CodeToken, CodeLimited}).Draw(t, "code"), &Error{RetryAfter: time.Duration(rapid.Int64().Draw(t, "retry after"))})
		next, wait := p.after(r)
		if wait < 0 || wait > retryAfterMost || wait > 0 && wait < time.Second {
			t.Fatalf("waits %s", wait)
		}
		if next.dark > p.dark+1 || next.odd > p.odd+1 || next.guarded > p.guarded+1 {
			t.Fatalf("%+v became %+v", p, next)
		}
	})
}

func TestDoubled(t *testing.T) {
	for _, c := range []struct {
		times int
		want  time.Duration
	}{{0, time.Second}, {1, time.Second}, {2, 2 * time.Second}, {4, 8 * time.Second}, {5, 10 * time.Second}, {1 << 40, 10 * time.Second}, {-1, time.Second}} {
		if got := doubled(time.Second, c.times, 10*time.Second); got != c.want {
			t.Errorf("%d times: %s, want %s", c.times, got, c.want)
		}
	}
}

func TestJitterOnlyShortens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "wait"))
		if got := jittered(d); got > d || got < d-d/10-1 {
			t.Fatalf("%s became %s", d, got)
		}
	})
}

func TestASourceThatToldAnAddressIsNoDarkness(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		dark bool
	}{
		{"no answer in time", context.DeadlineExceeded, true},
		{"something broke", errors.New("status 500"), true},
		{"an address that is not sane", Sane(netip.MustParseAddr("10.0.0.1"), IPv4), false},
		{"an answer", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := roundOf(Held)
			r.Verdicts = []Verdict{{Observations: []Observation{{Err: errBroken}, {Err: c.err}}}}
			if got := r.dark(); got != c.dark {
				t.Errorf("dark: %t", got)
			}
		})
	}
}
