package ddns_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

func (h *littleHome) rounds(trigger ddns.Trigger) (n int) {
	for _, r := range h.reported() {
		if r.Trigger == trigger && !r.Again {
			n++
		}
	}
	return n
}

func hintOf(from, says string) ddns.Hint {
	h := ddns.Hint{Trigger: ddns.ByEvent, From: from, Says: says, Witness: true}
	h.Address, _ = netip.ParseAddr(says)
	return h
}

// push is what a router says that waits for an answer.
func push(t *testing.T, loop *ddns.Loop, says string) ddns.Round {
	t.Helper()
	round, err := loop.HearOut(t.Context(), hintOf("the push of router", says))
	if err != nil {
		t.Fatal(err)
	}
	return round
}

func TestAHintInVainIsMuteUntilItSaysSomethingNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		loop, _ := h.live(t, h.every(20*time.Minute))
		after(time.Second)
		tell := func(from, says string, want int) {
			t.Helper()
			loop.Hear(t.Context(), hintOf(from, says))
			after(time.Second)
			if n := h.rounds(ddns.ByEvent); n != want {
				t.Errorf("%d rounds after %q said %q, want %d", n, from, says, want)
			}
		}
		tell("the kernel", "eth0 is up", 1)
		tell("the kernel", "eth0 is up", 1)
		tell("the router", homeB.String(), 2) // another giver
		tell("the router", homeA.String(), 2) // agreed on already
		tell("the router", homeB.String(), 2)
		tell("the kernel", "eth0 is gone", 3)
		tell("the kernel", "eth0 is up", 4) // something new: it had said another thing in between
		h.set(func(h *littleHome) { h.wan = homeC })
		tell("the router", homeC.String(), 5)
		if got := h.content(); got != homeC.String() {
			t.Errorf("the record holds %s, want %s", got, homeC)
		}
		tell("the kernel", "eth0 is up", 6) // after a change everybody is listened to again
		if h.last().Hints[0].From != "the kernel" {
			t.Errorf("the round says it was led to by %+v", h.last().Hints)
		}
	})
}

func TestHintsInVainAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		loop, _ := h.live(t, h.every(20*time.Minute))
		after(time.Second)
		storm := func(d time.Duration, givers ...string) {
			for i := range int(d / (5 * time.Second)) {
				loop.Hear(t.Context(), hintOf(givers[i%len(givers)], fmt.Sprintf("word %d %s", i, time.Now())))
				after(5 * time.Second)
			}
		}
		storm(5*time.Minute-10*time.Second, "the kernel")
		if n := h.rounds(ddns.ByEvent); n != 4 {
			t.Errorf("%d rounds by the hints of one in ten minutes, want 4", n)
		}
		storm(5*time.Minute, "the kernel", "the router", "the push of router")
		if n := h.rounds(ddns.ByEvent); n != 6 {
			t.Errorf("%d rounds by hints in ten minutes, want 6", n)
		}
		storm(5*time.Hour, "the kernel", "the router", "the push of router")
		byHour := map[int]int{}
		began := h.reported()[0].Started
		for _, r := range h.reported() {
			if r.Trigger == ddns.ByEvent {
				byHour[int(r.Started.Sub(began)/time.Hour)]++
			}
		}
		for hour, n := range byHour {
			if n > 12 {
				t.Errorf("%d rounds by hints in hour %d, want at most 12", n, hour)
			}
		}
		h.set(func(h *littleHome) { h.wan = homeB })
		loop.Hear(t.Context(), hintOf("the kernel", "now it is true"))
		after(20 * time.Minute)
		if got := h.content(); got != homeB.String() {
			t.Errorf("the record holds %s: politeness has no end", got)
		}
	})
}

func TestWhoeverWaitsIsToldTheRoundThatFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		loop, _ := h.live(t, h.every(20*time.Minute))
		after(10 * time.Millisecond) // the first round is under way
		if r := push(t, loop, homeA.String()); r.Trigger != ddns.ByEvent || r.Outcomes[0].State != ddns.Right {
			t.Errorf("told of a round by %s with %s, want its own", r.Trigger, r.Outcomes[0].State)
		}
		h.set(func(h *littleHome) { h.wan = homeB })
		if r := push(t, loop, homeB.String()); r.Outcomes[0].State != ddns.Changed || r.Outcomes[0].Address != homeB.String() {
			t.Errorf("told that the name is %s, %s", r.Outcomes[0].State, r.Outcomes[0].Address)
		}
		first := push(t, loop, homeC.String()) // in vain
		if again := push(t, loop, homeC.String()); again.ID != first.ID {
			t.Error("a mute push began a round")
		}
		if h.content() != homeB.String() {
			t.Errorf("the record holds %s, which nobody but a push said", h.content())
		}
		for i := range 20 { // also the one that has to wait is answered
			push(t, loop, fmt.Sprintf("word %d", i))
		}
	})
}

// A router that pushes while nobody can be asked is not held to have been wrong.
func TestAHintIsNotInVainBeforeTheSourcesAgree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		h.line = errors.New("no route")
		loop, _ := h.live(t, h.every(20*time.Minute))
		after(time.Second)
		push(t, loop, homeB.String())
		h.set(func(h *littleHome) { h.line, h.wan = nil, homeB })
		if r := push(t, loop, homeB.String()); r.Outcomes[0].Address != homeB.String() {
			t.Errorf("the same push after the line came: the name is %s", r.Outcomes[0].State)
		}
	})
}

func TestAMutePushDuringARoundIsToldItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		loop, _ := h.live(t, h.every(20*time.Minute))
		after(time.Second)
		push(t, loop, homeB.String()) // in vain: it is mute from now on
		h.set(func(h *littleHome) { h.wan, h.slow = homeB, time.Second })
		loop.Wake(ddns.ByPoke)
		after(100 * time.Millisecond)
		if r := push(t, loop, homeB.String()); r.Outcomes[0].State != ddns.Changed {
			t.Errorf("it was told that the name is %s, want the end of the round that runs", r.Outcomes[0].State)
		}
	})
}

func TestHintsOfOneChangeShareARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		loop, _ := h.live(t, h.every(20*time.Minute))
		after(time.Minute)
		h.set(func(h *littleHome) { h.wan, h.slow = homeB, time.Second })
		loop.Hear(t.Context(), hintOf("the kernel", homeB.String()))
		after(100 * time.Millisecond)
		round, err := loop.HearOut(t.Context(), hintOf("the push of router", homeB.String()))
		if err != nil || len(round.Hints) != 1 || !changedAny(round) {
			t.Errorf("the push was told of %+v, %v", round.Hints, err)
		}
		after(time.Minute)
		if n := h.rounds(ddns.ByEvent); n != 1 {
			t.Errorf("%d rounds, want one for both", n)
		}
	})
}

func changedAny(r ddns.Round) bool { return len(r.Receipts) > 0 }

// What a push names is compared to what the sources said of the line as it then
// was. After a change of address it says nothing any more.
func TestAWrongPushIsNotHeldAgainstTheRightAddress(t *testing.T) {
	for name, play := range map[string]func(*testing.T, *littleHome, *ddns.Loop) ddns.Round{
		"a push that is wrong, in the round that it leads to": func(t *testing.T, h *littleHome, loop *ddns.Loop) ddns.Round {
			h.set(func(h *littleHome) { h.wan = homeB })
			return push(t, loop, homeC.String())
		},
		"a push of the old address": func(t *testing.T, h *littleHome, loop *ddns.Loop) ddns.Round {
			h.set(func(h *littleHome) { h.wan = homeB })
			return push(t, loop, homeA.String())
		},
		"a push that was wrong before": func(t *testing.T, h *littleHome, loop *ddns.Loop) ddns.Round {
			if r := push(t, loop, homeC.String()); r.WAN.NAT != ddns.NATElsewhere || !strings.Contains(r.WAN.Why, "the world sees") {
				t.Errorf("it explains nothing: %+v", r.WAN)
			}
			h.set(func(h *littleHome) { h.wan = homeB })
			return push(t, loop, homeB.String())
		},
		"a push that came too soon": func(t *testing.T, h *littleHome, loop *ddns.Loop) ddns.Round {
			push(t, loop, homeB.String())
			h.set(func(h *littleHome) { h.wan = homeB })
			loop.Wake(ddns.ByPoke)
			after(time.Second)
			return h.last()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newLittleHome()
				s := h.every(20 * time.Minute)
				s.Runner.Witness = noWitness{}
				loop, _ := h.live(t, s)
				after(time.Minute)
				r := play(t, h, loop)
				if h.content() != homeB.String() || !changedAny(r) {
					t.Fatalf("the record holds %s after %+v", h.content(), r.Outcomes)
				}
				after(time.Minute)
				for _, r := range []ddns.Round{r, h.last()} {
					if r.WAN.NAT == ddns.NATElsewhere || strings.Contains(r.WAN.Why, "the world sees") || slices.Contains(codes(r), "router ipv4") {
						t.Errorf("it still says %q, %v", r.WAN.Why, codes(r))
					}
				}
			})
		})
	}
}

func TestWhatARouterPushesExplains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		s := h.every(20 * time.Minute)
		s.Runner.Witness = noWitness{}
		loop, _ := h.live(t, s)
		after(time.Minute)
		round, err := loop.HearOut(t.Context(), hintOf("the push of router", "100.64.3.4"))
		if err != nil || round.WAN.NAT != ddns.NATCarrier || round.WAN.Address.String() != "100.64.3.4" {
			t.Errorf("the router names an address of CGNAT, and the round says %+v, %v", round.WAN, err)
		}
	})
}

type noWitness struct{}

func (noWitness) WAN(context.Context, func(ddns.WANFinding)) {}

func TestWhoeverWishesForARoundIsToldOneThatBeganAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		h.slow = time.Second
		loop, _ := h.live(t, h.every(20*time.Minute))
		after(500 * time.Millisecond) // the first round is under way
		asked := h.clock()
		h.set(func(h *littleHome) { h.offset = -time.Hour }) // a clock that is set holds nobody up
		round, err := loop.WakeOut(t.Context(), ddns.ByPoke)
		if err != nil || round.Trigger != ddns.ByPoke || len(round.Hints) != 0 || !round.Started.Before(asked) {
			t.Errorf("told of a round by %s of %s with hints %v, %v", round.Trigger, round.Started, round.Hints, err)
		}
		gone, enough := context.WithCancel(t.Context())
		enough()
		if _, err := loop.WakeOut(gone, ddns.ByPoke); err == nil {
			t.Error("whoever has no time was told of a round")
		}
	})
}
