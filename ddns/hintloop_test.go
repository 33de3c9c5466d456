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

var homeC = netip.MustParseAddr("45.67.91.5")

// probed is the home with probes of two operators every 15 seconds.
func (h *littleHome) probed(ask func(source string) (netip.Addr, error)) (s ddns.Settings, questions *int) {
	s, questions = h.every(20*time.Minute), new(int)
	probe := func(name string) ddns.Source {
		return ddns.Source{Name: name, Operator: name, Class: ddns.Plain, Transport: "stun", Ask: func(ctx context.Context, _ ddns.Family) (netip.Addr, error) {
			h.mu.Lock()
			*questions++
			h.mu.Unlock()
			if ask != nil {
				return ask(name)
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.wan, h.line
		}}
	}
	s.Runner.Probe = ddns.Probe{Every: 15 * time.Second, Sources: map[ddns.Family][]ddns.Source{ddns.IPv4: {probe("google"), probe("cloudflare")}}}
	return s, questions
}

func (h *littleHome) rounds(trigger ddns.Trigger) (n int) {
	for _, r := range h.reported() {
		if r.Trigger == trigger && !r.Again {
			n++
		}
	}
	return n
}

func TestAProbeFindsAChangeWithinItsInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		s, questions := h.probed(nil)
		h.live(t, s)
		after(time.Hour)
		if n := *questions; n < 230 || n > 260 {
			t.Errorf("%d probes in an hour, want one every 15 s", n)
		}
		if reads := h.reads; len(h.reported()) > 5 || reads > 2 {
			t.Errorf("%d rounds and %d readings in a quiet hour: probes that say what is agreed must start none", len(h.reported()), reads)
		}
		for i := range 20 {
			now := []netip.Addr{homeB, homeA}[i%2]
			h.set(func(h *littleHome) { h.wan = now })
			after(16 * time.Second)
			if got := h.content(); got != now.String() {
				t.Fatalf("change %d: the record holds %s 16 s after the home moved to %s", i, got, now)
			}
			after(30*time.Minute + time.Duration(i)*731*time.Millisecond)
		}
		if h.last().ID == "" || h.rounds(ddns.ByProbe) != 20 {
			t.Errorf("%d rounds by probe, want one a change", h.rounds(ddns.ByProbe))
		}
	})
}

// The deviating source is heard once, and then only when it says something else.
func TestAProbeThatIsWrongStartsOneRound(t *testing.T) {
	tests := []struct {
		name string
		ask  func(source string) (netip.Addr, error)
	}{
		{"one source says another address for ever", func(source string) (netip.Addr, error) {
			if source == "google" {
				return homeC, nil
			}
			return homeA, nil
		}},
		{"nobody answers", func(string) (netip.Addr, error) { return netip.Addr{}, errors.New("no answer") }},
		{"a portal answers nonsense", func(string) (netip.Addr, error) { return netip.MustParseAddr("10.0.0.1"), nil }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newLittleHome()
				s, _ := h.probed(tt.ask)
				h.live(t, s)
				after(24 * time.Hour)
				if n := h.rounds(ddns.ByProbe); n != 1 {
					t.Errorf("%d rounds by probe in a day, want 1", n)
				}
				if h.writes != 0 || h.content() != homeA.String() {
					t.Errorf("%d writes, the record holds %s: a probe must never publish", h.writes, h.content())
				}
			})
		})
	}
}

func TestSilentProbesRestUntilTheNextGoodRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		s, questions := h.probed(func(string) (netip.Addr, error) { return netip.Addr{}, context.DeadlineExceeded })
		h.live(t, s)
		after(24 * time.Hour)
		if n := *questions; n > 82*6 {
			t.Errorf("%d probes in a day of silence, want at most three a source after each of 72 rounds", n)
		}
	})
}

func TestALossyLineIsNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		n := 0
		s, _ := h.probed(func(string) (netip.Addr, error) {
			if n++; n%9 < 6 { // six of nine are lost
				return netip.Addr{}, errors.New("no answer")
			}
			return homeA, nil
		})
		h.live(t, s)
		after(24 * time.Hour)
		if n := h.rounds(ddns.ByProbe); n > 2 {
			t.Errorf("%d rounds by probe in a day, want one that finds nothing", n)
		}
	})
}

func TestTheLineThatComesBackIsFoundByAProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		s, _ := h.probed(nil)
		h.live(t, s)
		after(time.Minute)
		h.set(func(h *littleHome) {
			h.api = &ddns.Error{Kind: ddns.TokenRefused, Op: "write", Status: 401}
			h.wan = homeB
		})
		after(2 * time.Hour) // the pace is slow by now
		h.set(func(h *littleHome) { h.wan = homeC; h.api = nil })
		after(16 * time.Second)
		if got := h.content(); got != homeC.String() {
			t.Errorf("the record holds %s, want %s", got, homeC)
		}
	})
}

// Two uplinks in turn: each question may leave by either. What was agreed on
// stays, and neither sources nor Cloudflare are stormed.
func TestADayOfTwoUplinksInTurnIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		turn := 0
		s, questions := h.probed(func(string) (netip.Addr, error) {
			turn++
			return []netip.Addr{homeA, homeA, homeB}[turn%3], nil
		})
		h.live(t, s)
		after(24 * time.Hour)
		rounds := h.rounds(ddns.ByProbe)
		t.Logf("%d probes, %d rounds by probe, %d rounds, %d questions to sources", *questions, rounds, len(h.reported()), h.asked)
		if rounds > 2 {
			t.Errorf("%d rounds by probe in a day, want one a source", rounds)
		}
	})
}

func hintOf(from, says string) ddns.Hint {
	h := ddns.Hint{Trigger: ddns.ByEvent, From: from, Says: says, Witness: true}
	h.Address, _ = netip.ParseAddr(says)
	return h
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
		storm := func(d time.Duration) {
			for i := range int(d / (5 * time.Second)) {
				loop.Hear(t.Context(), hintOf("the kernel", fmt.Sprintf("word %d %s", i, time.Now())))
				after(5 * time.Second)
			}
		}
		storm(10*time.Minute - 10*time.Second)
		if n := h.rounds(ddns.ByEvent); n != 6 {
			t.Errorf("%d rounds by hints in ten minutes, want 6", n)
		}
		storm(5 * time.Hour)
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
		push := func(says string) ddns.Round {
			t.Helper()
			round, err := loop.HearOut(t.Context(), hintOf("the push of router", says))
			if err != nil {
				t.Fatal(err)
			}
			return round
		}
		if r := push(homeA.String()); r.Trigger != ddns.ByEvent || r.Outcomes[0].State != ddns.Right {
			t.Errorf("told of a round by %s with %s, want its own", r.Trigger, r.Outcomes[0].State)
		}
		h.set(func(h *littleHome) { h.wan = homeB })
		if r := push(homeB.String()); r.Outcomes[0].State != ddns.Changed || r.Outcomes[0].Address != homeB.String() {
			t.Errorf("told that the name is %s, %s", r.Outcomes[0].State, r.Outcomes[0].Address)
		}
		first := push(homeC.String()) // in vain
		if again := push(homeC.String()); again.ID != first.ID {
			t.Error("a mute push began a round")
		}
		if h.content() != homeB.String() {
			t.Errorf("the record holds %s, which nobody but a push said", h.content())
		}
		for i := range 20 { // also the one that has to wait is answered
			push(fmt.Sprintf("word %d", i))
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
		push := func() ddns.Round {
			t.Helper()
			round, err := loop.HearOut(t.Context(), hintOf("the push of router", homeB.String()))
			if err != nil {
				t.Fatal(err)
			}
			return round
		}
		push()
		h.set(func(h *littleHome) { h.line, h.wan = nil, homeB })
		if r := push(); r.Outcomes[0].Address != homeB.String() {
			t.Errorf("the same push after the line came: the name is %s", r.Outcomes[0].State)
		}
	})
}

func TestAMutePushDuringARoundIsToldItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		loop, _ := h.live(t, h.every(20*time.Minute))
		after(time.Second)
		push := func() ddns.Round {
			t.Helper()
			round, err := loop.HearOut(t.Context(), hintOf("the push of router", homeB.String()))
			if err != nil {
				t.Fatal(err)
			}
			return round
		}
		push() // in vain: it is mute from now on
		h.set(func(h *littleHome) { h.wan, h.slow = homeB, time.Second })
		loop.Wake(ddns.ByPoke)
		after(100 * time.Millisecond)
		if r := push(); r.Outcomes[0].State != ddns.Changed {
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

func (noWitness) WAN(context.Context) []ddns.WANFinding { return nil }

// A day of the worst line: two uplinks in turn, a portal for some hours, UDP
// dropped for some, events that mean nothing all the time. It stays polite, and
// nothing wrong is written.
func TestADayOfTheWorstLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		turn := 0
		s, questions := h.probed(func(string) (netip.Addr, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			if turn++; h.shown != nil { // a portal, and no UDP
				return netip.Addr{}, errors.New("no answer")
			}
			return []netip.Addr{homeA, homeB}[turn%2], h.line
		})
		members := s.Runner.Rosters[0].Members
		for i, m := range members {
			ask := m.Ask
			members[i].Ask = func(ctx context.Context, f ddns.Family) (netip.Addr, error) {
				h.mu.Lock()
				turn++
				by := []netip.Addr{homeA, homeB}[turn%2]
				h.mu.Unlock()
				if _, err := ask(ctx, f); err != nil {
					return netip.Addr{}, err
				}
				return by, nil
			}
		}
		loop, _ := h.live(t, s)
		for hour := range 24 {
			h.set(func(h *littleHome) {
				h.line, h.shown = nil, nil
				if hour%6 == 5 {
					h.line, h.shown = errors.New("answered a login page"), []netip.Addr{homeA}
				}
			})
			for minute := range 60 {
				loop.Hear(t.Context(), hintOf("the kernel", fmt.Sprintf("flap %d %d", hour, minute)))
				after(time.Minute)
			}
		}
		t.Logf("%d rounds, %d questions to sources, %d probes, %d readings, %d writes", len(h.reported()), h.asked, *questions, h.reads, h.writes)
		if n := len(h.reported()); n > 24*60 {
			t.Errorf("%d rounds in a day, want less than one a minute", n)
		}
		if h.writes > 200 {
			t.Errorf("%d writes in a day, want flapping to be damped", h.writes)
		}
		for _, r := range h.reported() {
			for _, rc := range r.Receipts {
				if a := rc.Change.After.Address(); a != homeA && a != homeB {
					t.Errorf("wrote %s", a)
				}
			}
		}
	})
}
