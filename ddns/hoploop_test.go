package ddns_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const duck = "myhome.duckdns.org"

// newHoppingHome is a little home that watches names which hop over hosts that
// answer its address.
func newHoppingHome(hosts ...string) *littleHome {
	h := newLittleHome()
	h.hops = map[string][]netip.Addr{}
	for i, host := range hosts {
		h.hops[host] = []netip.Addr{homeA}
		h.records = append(h.records, ddns.Record{ID: fmt.Sprint("hop", i), Name: fmt.Sprintf("hop%d.example.com", i), Type: "CNAME", Content: host})
	}
	return h
}

// watching is a daemon's settings with a round every twenty minutes.
func (h *littleHome) watching() ddns.Settings {
	s := h.every(20 * time.Minute)
	s.Runner.Watch = true
	s.Runner.Prover.Resolvers = []string{"https://one", "https://two"}
	return s
}

// goes takes a DDNS host off the net.
func (h *littleHome) goes(hosts ...string) {
	h.set(func(h *littleHome) {
		for _, host := range hosts {
			delete(h.hops, host)
		}
	})
}

// dark are the hosts that the last round called dark.
func (h *littleHome) dark() (hosts []string) {
	for _, c := range h.last().Conditions {
		if c.Code == ddns.CodeHopDark {
			hosts = append(hosts, c.Name)
		}
	}
	return hosts
}

// count is a number that is read while the home lives.
func (h *littleHome) count(what func(*littleHome) int) (n int) {
	h.set(func(h *littleHome) { n = what(h) })
	return n
}

func TestADarkHopIsSaidWithinThreeMinutesAndItsReturnToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHoppingHome(duck)
		h.live(t, h.watching())
		after(47 * time.Minute)
		asked, reads, rounds := h.asked, h.reads, len(h.reported())
		h.goes(duck)
		after(3 * time.Minute)
		if got := h.dark(); !slices.Equal(got, []string{duck}) || h.last().Trigger != ddns.ByEvent {
			t.Fatalf("three minutes later %v are dark, by a round of trigger %s", got, h.last().Trigger)
		}
		if n := len(h.reported()) - rounds; n != 1 || h.reads != reads || h.asked-asked != 3 {
			t.Errorf("%d rounds, %d readings, %d questions to sources; want one round of three questions", n, h.reads-reads, h.asked-asked)
		}
		after(10 * time.Minute)
		if h.set(func(h *littleHome) { h.hops[duck] = []netip.Addr{homeA} }); len(h.dark()) != 1 {
			t.Error("it no longer stands while the host is dark")
		}
		if after(3 * time.Minute); len(h.dark()) != 0 {
			t.Error("it stands three minutes after the host came back")
		}
	})
}

func TestWhatIsNoDarkHop(t *testing.T) {
	down := errors.New("network is unreachable")
	tests := []struct {
		name   string
		happen func(h *littleHome)
		rounds int // at most, in six hours
	}{
		{"nothing happens", func(*littleHome) {}, 21},
		{"it does not answer for a moment, again and again", func(h *littleHome) {
			for range 30 {
				h.goes(duck)
				after(25 * time.Second)
				h.set(func(h *littleHome) { h.hops[duck] = []netip.Addr{homeA} })
				after(5 * time.Minute)
			}
		}, 21},
		{"our own line is dead", func(h *littleHome) {
			h.set(func(h *littleHome) { h.line = down })
			after(time.Hour)
			h.set(func(h *littleHome) { h.line = nil })
		}, 400},
		{"our own line dies and the resolver comes back later than the line", func(h *littleHome) {
			h.set(func(h *littleHome) { h.line, h.hangs = down, true })
			after(10 * time.Minute)
			h.set(func(h *littleHome) { h.line = nil })
			after(25 * time.Second)
			h.set(func(h *littleHome) { h.hangs = false })
		}, 100},
		{"only our own resolver does not know it", func(h *littleHome) {
			h.set(func(h *littleHome) { h.held = []netip.Addr{homeA} })
			h.goes(duck)
		}, 40},
		{"it answers somebody else's address, and another each time", func(h *littleHome) {
			for i := range 60 {
				h.set(func(h *littleHome) { h.hops[duck] = []netip.Addr{netip.AddrFrom4([4]byte{45, 1, 1, byte(i)})} })
				after(2 * time.Minute)
			}
		}, 23},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHoppingHome(duck)
				h.live(t, h.watching())
				after(47 * time.Minute)
				rounds, began := len(h.reported()), time.Now()
				tt.happen(h)
				after(6*time.Hour - time.Since(began))
				said := h.reported()[rounds:]
				for _, r := range said {
					if slices.ContainsFunc(r.Conditions, func(c ddns.Condition) bool { return c.Code == ddns.CodeHopDark }) {
						t.Fatalf("said at %s: %v", r.Started, r.Conditions)
					}
				}
				if len(said) > tt.rounds {
					t.Errorf("%d rounds in six hours, want at most %d", len(said), tt.rounds)
				}
			})
		})
	}
}

// Whoever updates the DDNS host may learn of our next address before we do.
func TestAHopThatLeavesForAnotherAddressStartsARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHoppingHome(duck)
		h.live(t, h.watching())
		after(41 * time.Minute)
		h.set(func(h *littleHome) { h.wan, h.hops[duck] = homeB, []netip.Addr{homeB} })
		after(2*time.Minute + 5*time.Second)
		if got := h.content(); got != homeB.String() {
			t.Errorf("the record holds %s, want %s", got, homeB)
		}
	})
}

func TestWatchingHoldsUpNoRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHoppingHome(duck)
		loop, end := h.live(t, h.watching())
		after(time.Minute)
		h.set(func(h *littleHome) { h.hangs = true })
		for h.count(func(h *littleHome) int { return h.lookups }) == 2 { // until it watches, and hangs
			after(time.Second)
		}
		h.set(func(h *littleHome) { h.wan = homeB })
		loop.Wake(ddns.ByPoke)
		after(500 * time.Millisecond)
		if got := h.content(); got != homeB.String() {
			t.Errorf("the record holds %s half a second after the wake, want %s", got, homeB)
		}
		n := len(h.reported())
		end()
		if len(h.reported()) > n+1 {
			t.Error("the end reported what was reported before")
		}
	})
}

func TestManyDarkHopsDoNotMakeTheOthersLookDark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := manyHosts(150)
		h := newHoppingHome(append(hosts, "myhome.zapto.org")...)
		h.live(t, h.watching())
		after(time.Minute)
		h.goes(hosts...)
		after(2 * time.Hour)
		if got := h.dark(); len(got) != len(hosts) || slices.Contains(got, "myhome.zapto.org") {
			t.Errorf("%d are dark, want those %d of Duck DNS: %v", len(got), len(hosts), got)
		}
	})
}

func TestWatchingIsPolite(t *testing.T) {
	for _, hosts := range []int{0, 1, 10, 100} {
		t.Run(fmt.Sprintf("%d hosts", hosts), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHoppingHome(manyHosts(hosts)...)
				h.live(t, h.watching())
				after(24 * time.Hour)
				if most := 2 * min(hosts*24*34, 6*24*60); h.lookups > most {
					t.Errorf("%d questions in a day, want at most %d", h.lookups, most)
				}
			})
		})
	}
}

func manyHosts(n int) (hosts []string) {
	for i := range n {
		hosts = append(hosts, fmt.Sprintf("h%03d.duckdns.org", i))
	}
	return hosts
}

// halfResolver answers for one family, and cannot ask for the other.
type halfResolver struct{ six netip.Addr }

func (r halfResolver) Lookup(_ context.Context, f ddns.Family, _ string) ([]netip.Addr, error) {
	if f == ddns.IPv6 {
		return []netip.Addr{r.six}, nil
	}
	return nil, errors.New("server misbehaving")
}

func TestAFamilyThatCannotBeAskedIsUnknownNotEmpty(t *testing.T) {
	six := netip.MustParseAddr("2a01:4f8:9:9::9")
	before := ddns.HopSeen{Addresses: []netip.Addr{homeA, six}, Here: true, At: planTime, Asked: planTime, Silent: 2, Dark: true}
	r := ddns.Runner{Resolver: halfResolver{six}}
	hops, seen := r.AskHops(t.Context(), []string{duck}, map[string]ddns.HopSeen{duck: before}, planTime.Add(time.Hour))
	want := ddns.HopSeen{Addresses: before.Addresses, Here: true, At: planTime, Asked: planTime.Add(time.Hour)}
	if diff := cmp.Diff(want, seen[duck], cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Error(diff)
	}
	if state, why := hops[duck].State([]netip.Addr{homeB}); state != ddns.HopHere {
		t.Errorf("%s: %s", state, why)
	}
}

func TestARoundThatIsBrokenOffCountsNoSilence(t *testing.T) {
	h := newHoppingHome(duck)
	r := h.watching().Runner
	_, past := r.Round(t.Context(), ddns.ByStart, ddns.Past{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, past = r.Round(ctx, ddns.ByEvent, past); past.Memory.Hops[duck].Silent != 0 {
		t.Errorf("remembered %+v", past.Memory.Hops[duck])
	}
	if after, look := r.WatchHops(ctx, []string{duck}, ddns.Round{}, past); look || after.Memory.Hops[duck].Silent != 0 {
		t.Errorf("watched %+v", after.Memory.Hops[duck])
	}
}

func TestDarkHopsAtKeptNamesHoldUpWritingForSecondsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHoppingHome(manyHosts(300)...)
		s := h.every(20 * time.Minute)
		for i := range 300 {
			name := fmt.Sprintf("hop%d.example.com", i)
			s.Runner.Targets = append(s.Runner.Targets, ddns.Target{Name: name, Shown: name, Type: "A", ReplaceHop: true})
		}
		h.set(func(h *littleHome) { h.hangs, h.wan = true, homeB })
		began := time.Now()
		_, past := s.Runner.Round(t.Context(), ddns.ByStart, ddns.Past{})
		if took := time.Since(began); took > 5*time.Second || h.content() != homeB.String() {
			t.Errorf("the round took %s, and the record holds %s", took, h.content())
		}
		for rounds := 1; len(past.Memory.Hops) < 200; rounds++ { // no more are remembered
			if rounds > 12 { // whoever waited longest has its turn first
				t.Fatalf("after %d rounds only %d of 300 hosts had their turn", rounds, len(past.Memory.Hops))
			}
			time.Sleep(time.Minute) // of the bubble's clock
			_, past = s.Runner.Round(t.Context(), ddns.BySchedule, past)
		}
	})
}
