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
