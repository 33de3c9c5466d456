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

// unseen are nameservers that show an address at which the home no longer is,
// so that the proof of a round lasts.
func (h *littleHome) unseen() { h.shown = []netip.Addr{homeC} }

func TestAChangeBackDuringARoundIsNotLost(t *testing.T) {
	for name, moment := range map[string]time.Duration{
		"while the sources are asked": 900 * time.Millisecond,
		"while the proof is awaited":  3 * time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newLittleHome()
				loop, _ := h.live(t, h.every(20*time.Minute))
				after(time.Minute)
				h.set(func(h *littleHome) { h.wan, h.slow = homeB, time.Second; h.unseen() })
				loop.Hear(t.Context(), hintOf("the kernel", homeB.String()))
				after(moment)
				if moment < time.Second { // they answered a moment ago, and the answer is on its way
					after(time.Second - moment)
				}
				h.set(func(h *littleHome) { h.wan = homeA })
				loop.Hear(t.Context(), hintOf("the kernel", homeA.String()))
				after(1500 * time.Millisecond)
				if got := h.content(); got != homeA.String() {
					t.Errorf("the record holds %s, and the home came back to %s", got, homeA)
				}
			})
		})
	}
}

func TestAStormOfHintsDuringARoundStillLeadsToOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		loop, _ := h.live(t, h.every(20*time.Minute))
		after(time.Minute)
		h.set(func(h *littleHome) { h.slow = time.Second })
		loop.Wake(ddns.ByPoke)
		after(100 * time.Millisecond)
		for i := range 200 {
			loop.Hear(t.Context(), hintOf(fmt.Sprintf("giver %d", i%100), fmt.Sprintf("word %d", i)))
		}
		after(1100 * time.Millisecond) // the round voted before
		h.set(func(h *littleHome) { h.wan = homeB })
		after(5 * time.Second)
		if got := h.content(); got != homeB.String() {
			t.Errorf("the record holds %s: 200 hints during a round led to none after it", got)
		}
	})
}

// The kernel and the router may speak before the line has moved.
func TestAHintDuringARoundThatCouldNotSeeTheChangeYetIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		s := h.every(20 * time.Minute)
		late := h.source("late")
		late.Ask = func(ctx context.Context, _ ddns.Family) (netip.Addr, error) {
			<-ctx.Done()
			return netip.Addr{}, ctx.Err()
		}
		s.Runner.Rosters[0].Members = append(s.Runner.Rosters[0].Members, late)
		loop, _ := h.live(t, s)
		after(time.Minute)
		loop.Hear(t.Context(), hintOf("the router", homeB.String()))
		after(200 * time.Millisecond) // three have said A, and the round waits a moment for the fourth
		h.set(func(h *littleHome) { h.wan = homeB })
		if r := push(t, loop, homeB.String()); r.Outcomes[0].Address != homeB.String() {
			t.Errorf("the push of %s was answered by a round that had voted before: the record holds %s", homeB, r.Outcomes[0].Address)
		}
	})
}

// One giver that never stops must not use up the patience for all.
func TestALiarDoesNotSilenceTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		s, _ := h.probed(nil)
		loop, _ := h.live(t, s)
		for i := range 4 * 3600 / 15 {
			loop.Hear(t.Context(), hintOf("the router", fmt.Sprintf("45.67.%d.%d", 100+i/250, 1+i%250)))
			after(15 * time.Second)
		}
		h.set(func(h *littleHome) { h.wan = homeB })
		after(20 * time.Second)
		if got := h.content(); got != homeB.String() {
			t.Errorf("the record holds %s 20 s after a change: a router that lies for ever silenced the probes", got)
		}
	})
}

// A hook in a loop is followed, and is no storm of questions.
func TestPokesWithoutEndAreFollowedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		loop, _ := h.live(t, h.every(20*time.Minute))
		after(time.Minute)
		for range 6 * 60 * 5 {
			loop.Wake(ddns.ByPoke)
			after(200 * time.Millisecond)
		}
		if n := h.rounds(ddns.ByPoke); n < 60 || n > 90 {
			t.Errorf("%d rounds in six minutes of pokes, want one in five seconds after the first few", n)
		}
		h.set(func(h *littleHome) { h.wan = homeB })
		loop.Wake(ddns.BySignal)
		after(6 * time.Second)
		if got := h.content(); got != homeB.String() {
			t.Errorf("the record holds %s: a poke after many was not followed", got)
		}
		h.set(func(h *littleHome) { h.wan = homeA })
		loop.Wake(ddns.ByPoke)
		after(time.Second)
		if got := h.content(); got != homeA.String() {
			t.Errorf("the record holds %s: after a change a poke is followed at once", got)
		}
		if err := loop.Reload(t.Context(), h.every(time.Hour)); err != nil {
			t.Fatal(err)
		}
		after(time.Second)
		if r := h.last(); r.Trigger != ddns.BySignal {
			t.Errorf("the last round came by %s: a reload waits for nothing", r.Trigger)
		}
	})
}

func TestWhoeverWishesInVainManyTimesIsToldInTheEnd(t *testing.T) {
	for name, line := range map[string]error{"on a line that is well": nil, "while rounds follow each other anyway": errors.New("no route")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newLittleHome()
				h.line = line
				loop, _ := h.live(t, h.every(20*time.Minute))
				for range 30 {
					began := time.Now()
					if _, err := loop.WakeOut(t.Context(), ddns.ByPoke); err != nil {
						t.Fatal(err)
					}
					if took := time.Since(began); took > 6*time.Second {
						t.Errorf("a poke took %s", took)
					}
				}
			})
		})
	}
}

// A router that hears "nothing changed" does not push again for days.
func TestWhatWasNotLookedIntoIsNotAnsweredByAnOldRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		loop, _ := h.live(t, h.every(20*time.Minute))
		after(time.Second)
		for i := range 4 { // in vain
			push(t, loop, fmt.Sprintf("45.67.200.%d", i+1))
		}
		if r := push(t, loop, "45.67.200.4"); r.ID == "" {
			t.Error("what was in vain a moment ago is answered by the round that showed it")
		}
		h.set(func(h *littleHome) { h.wan = homeB })
		if r := push(t, loop, homeB.String()); r.ID != "" {
			t.Errorf("a push that has to wait was answered by a round in which the record held %s", r.Outcomes[0].Address)
		}
		after(10 * time.Minute)
		if r := push(t, loop, homeB.String()); r.ID == "" || r.Outcomes[0].Address != homeB.String() {
			t.Errorf("ten minutes later it was told of %+v", r.Outcomes)
		}
	})
}
