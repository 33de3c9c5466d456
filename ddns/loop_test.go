package ddns_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

var (
	homeA = netip.MustParseAddr("45.67.89.10")
	homeB = netip.MustParseAddr("45.67.90.77")
)

func TestAQuietDayAsksLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		h.live(t, h.every(20*time.Minute))
		after(24 * time.Hour)
		if got, most := h.reads, 24+1; got > most {
			t.Errorf("records were read %d times in a day, want at most %d", got, most)
		}
		if got := len(h.reports); got < 72 || got > 82 {
			t.Errorf("%d rounds in a day, want about 72", got)
		}
		if most := len(h.reports)*2 + 1; h.asked > most {
			t.Errorf("%d questions to sources, want a quorum a round: at most %d", h.asked, most)
		}
		if h.writes != 0 {
			t.Errorf("%d writes on a quiet day", h.writes)
		}
	})
}

func TestAChangeIsFollowedByTheScheduleAndAtOnceWhenWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		loop, _ := h.live(t, h.every(20*time.Minute))
		after(time.Minute)
		h.set(func(h *littleHome) { h.wan = homeB })
		after(20 * time.Minute)
		if got := h.content(); got != homeB.String() {
			t.Errorf("the record holds %s after the schedule, want %s", got, homeB)
		}
		h.set(func(h *littleHome) { h.wan = homeA })
		loop.Wake(ddns.ByPoke)
		after(time.Second)
		if got := h.content(); got != homeA.String() {
			t.Errorf("the record holds %s after a wake, want %s", got, homeA)
		}
	})
}

func TestItIsRightWithinHalfAMinuteOfTheFirstPacket(t *testing.T) {
	refused := &ddns.Error{Kind: ddns.TokenRefused, Op: "list zones", Status: 401, Err: errors.New("invalid token")}
	tests := []struct {
		name   string
		fail   func(*littleHome)
		outage time.Duration
		within time.Duration
	}{
		{"the line comes up ten minutes after the start", func(h *littleHome) { h.line = errors.New("network is unreachable") }, 10 * time.Minute, 30 * time.Second},
		{"the line comes up after half a day", func(h *littleHome) { h.line = errors.New("network is unreachable") }, 12 * time.Hour, 30 * time.Second},
		{"the API answers 500 for a minute", func(h *littleHome) { h.api = &ddns.Error{Kind: ddns.Unreachable, Op: "list", Status: 500} }, time.Minute, time.Minute},
		{"the API asks to wait 30 seconds, for a minute", func(h *littleHome) {
			h.api = &ddns.Error{Kind: ddns.Limited, Op: "list", Status: 429, RetryAfter: 30 * time.Second}
		}, time.Minute, time.Minute},
		{"the token is refused for a day", func(h *littleHome) { h.api = refused }, 24 * time.Hour, 5*time.Minute + time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newLittleHome()
				h.wan = homeB
				tt.fail(h)
				h.live(t, h.every(20*time.Minute))
				after(tt.outage)
				if h.writes != 0 {
					t.Fatal("written during the outage")
				}
				h.set(func(h *littleHome) { h.line, h.api = nil, nil })
				after(tt.within)
				if got := h.content(); got != homeB.String() {
					t.Errorf("the record holds %s %s after the outage, want %s", got, tt.within, homeB)
				}
			})
		})
	}
}

func TestAClockThatIsSetHoldsNothingUp(t *testing.T) {
	for _, step := range []time.Duration{9 * time.Hour, -9 * time.Hour, -30 * 365 * 24 * time.Hour} {
		for _, schedule := range []string{"an interval", "a calendar"} {
			t.Run(fmt.Sprintf("%s, set by %s", schedule, step), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newLittleHome()
					s := h.every(20 * time.Minute)
					if schedule == "a calendar" {
						s.Every, s.Schedule = 0, everyTwentieth{}
					}
					h.live(t, s)
					after(time.Minute)
					h.set(func(h *littleHome) { h.offset = step; h.wan = homeB })
					after(30 * time.Second)
					if got := h.content(); got != homeB.String() {
						t.Errorf("the record holds %s half a minute after the clock was set, want %s", got, homeB)
					}
					h.set(func(h *littleHome) { h.wan = homeA })
					after(21 * time.Minute)
					if got := h.content(); got != homeA.String() {
						t.Errorf("the schedule stands still after the clock was set: the record holds %s, want %s", got, homeA)
					}
				})
			})
		}
	}
}

// everyTwentieth is the schedule "*/20 * * * *".
type everyTwentieth struct{}

func (everyTwentieth) Next(t time.Time) time.Time {
	return t.Truncate(20 * time.Minute).Add(20 * time.Minute)
}

func TestAClockBeforeTheBuildIsSaidAndTriedEveryFewSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		s := h.every(20 * time.Minute)
		s.Runner.Built = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) // the bubble begins in 2000
		h.line = errors.New("certificate is not yet valid")
		h.wan = homeB
		h.live(t, s)
		after(time.Minute)
		if n := len(h.reports); n < 10 {
			t.Errorf("%d rounds in a minute with a wrong clock, want one every 5 s", n)
		}
		if c := h.reports[0].Conditions[0]; c.Code != ddns.CodeClock || c.Hint == "" {
			t.Errorf("the first condition is %s (%s), want %s with a hint", c.Code, c.Title, ddns.CodeClock)
		}
		h.set(func(h *littleHome) { h.offset = 27 * 365 * 24 * time.Hour; h.line = nil })
		after(30 * time.Second)
		if got := h.content(); got != homeB.String() {
			t.Errorf("the record holds %s after the clock was set right, want %s", got, homeB)
		}
	})
}

func TestRoundsNeverOverlapAndAskedForOnesAreNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		h.slow = 3 * time.Second
		loop, _ := h.live(t, h.every(20*time.Minute))
		after(time.Second) // the first round is under way
		for range 10 {
			loop.Wake(ddns.ByPoke)
		}
		after(30 * time.Second)
		if n := len(h.reports); n != 2 {
			t.Errorf("%d rounds, want the first and one for all that asked meanwhile", n)
		}
		for i := 1; i < len(h.reports); i++ {
			if end := h.reports[i-1].Started.Add(h.reports[i-1].Took); h.reports[i].Started.Before(end) {
				t.Error("a round began before the one before it ended")
			}
		}
	})
}

func TestItEndsAtOnceInTheMiddleOfARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		h.slow = time.Hour
		_, end := h.live(t, h.every(20*time.Minute))
		after(time.Second)
		began := time.Now()
		end()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("ending took %s, want less than 2 s", took)
		}
	})
}

func TestAReloadTakesEffectAfterTheRoundThatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		h.slow = time.Second
		loop, _ := h.live(t, h.every(20*time.Minute))
		after(500 * time.Millisecond)
		other := h.every(time.Minute)
		other.Runner.Targets = nil
		if err := loop.Reload(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		after(10 * time.Second)
		if n := len(h.reports); n != 2 || len(h.reports[0].Outcomes) != 1 || len(h.reports[1].Outcomes) != 0 {
			t.Errorf("%d rounds; the first must be of the old settings, the second of the new", n)
		}
	})
}

func TestWhatIsNotSeenYetIsLookedForAgainWithoutWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		loop, _ := h.live(t, h.every(20*time.Minute))
		after(time.Minute)
		h.set(func(h *littleHome) { h.wan, h.shown = homeB, []netip.Addr{homeA} }) // the nameservers lag
		loop.Wake(ddns.ByPoke)
		after(time.Minute)
		last := h.last()
		if last.Outcomes[0].State != ddns.Contradicted || last.Exit() != ddns.ExitContradicted {
			t.Errorf("the name is %s with exit %d, want contradicted", last.Outcomes[0].State, last.Exit())
		}
		writes, asked := h.writes, h.asked
		h.set(func(h *littleHome) { h.shown = nil })
		after(30 * time.Second)
		last = h.last()
		if last.Outcomes[0].State != ddns.Changed || last.Proofs[0].Outcome != ddns.ProofSeen {
			t.Errorf("the name is %s, its proof %s, after the nameservers caught up", last.Outcomes[0].State, last.Proofs[0].Outcome)
		}
		if h.writes != writes || h.asked != asked {
			t.Error("looking again wrote or asked sources")
		}
	})
}

func TestStatusAnswersWhileARoundHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		h.slow = time.Hour
		loop, _ := h.live(t, h.every(20*time.Minute))
		after(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s, err := loop.Status(ctx)
		if err != nil || !s.Running {
			t.Errorf("status is %+v, %v; want one that says a round runs", s, err)
		}
	})
}

func TestTheWatchdogIsFedWhileARoundHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		h.slow = time.Hour
		loop := ddns.NewLoop(h.clock, func(ddns.Round, ddns.Past) {})
		turns := 0
		loop.Turn, loop.TurnEvery = func() { turns++ }, time.Second
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		loop.Run(ctx, h.every(20*time.Minute), ddns.Past{})
		if turns < 3 {
			t.Errorf("the loop turned %d times in 3.5 s, want 3", turns)
		}
	})
}

func TestAYearOfRoundsPassesQuietly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		h.turnEvery = 10 * time.Minute // a watchdog's turns are most of a year
		h.live(t, h.every(2*time.Hour))
		for day := range 365 {
			if day%30 == 7 {
				h.set(func(h *littleHome) { h.wan = []netip.Addr{homeA, homeB}[day/30%2] })
			}
			after(24 * time.Hour)
			if got, want := h.content(), h.wan.String(); got != want {
				t.Fatalf("day %d ends with %s in the record, want %s", day, got, want)
			}
		}
		for _, r := range h.reports {
			if r.Exit() != ddns.ExitRight {
				t.Fatalf("a round of a good year ended with %d", r.Exit())
			}
		}
	})
}
