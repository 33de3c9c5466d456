package ddns_test

import (
	"context"
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
