package ddns_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

var oldHome6 = netip.MustParseAddr("2a01:4f8:9:9::10")

// twoFamilies is a little home with an A and an AAAA record, both wrong, whose
// IPv4 and IPv6 sources take so long.
func twoFamilies(slow4, slow6 time.Duration) (*littleHome, *ddns.Runner) {
	h := newLittleHome()
	h.wan = homeB
	h.records = append(h.records, ddns.Record{ID: "2", Name: "home.example.com", Type: "AAAA", Content: oldHome6.String(), TTL: 60})
	r := h.runner()
	r.Prover = ddns.Prover{}
	r.Targets = append(r.Targets, ddns.Target{Name: "home.example.com", Shown: "home.example.com", Type: "AAAA"})
	r.Rosters = nil
	for f, slow := range map[ddns.Family]time.Duration{ddns.IPv4: slow4, ddns.IPv6: slow6} {
		roster := ddns.Roster{Family: f}
		for _, name := range []string{"one", "two", "three"} {
			roster.Members = append(roster.Members, ddns.Source{Name: name, Operator: name, Class: ddns.Authenticated, Transport: name, Ask: func(ctx context.Context, f ddns.Family) (netip.Addr, error) {
				select {
				case <-time.After(slow):
				case <-ctx.Done():
					return netip.Addr{}, ctx.Err()
				}
				return map[ddns.Family]netip.Addr{ddns.IPv4: homeB, ddns.IPv6: netip.MustParseAddr(home6)}[f], nil
			}})
		}
		r.Rosters = append(r.Rosters, roster)
	}
	if r.Rosters[0].Family == ddns.IPv6 {
		r.Rosters[0], r.Rosters[1] = r.Rosters[1], r.Rosters[0]
	}
	return h, r
}

func TestFamiliesAreWrittenTogetherUnlessOneKeepsTheOtherWaiting(t *testing.T) {
	tests := []struct {
		name         string
		slow4, slow6 time.Duration
		batches      int
		first        time.Duration // when the first is written, at the latest
		states       string
	}{
		{"both answer at once", 20 * time.Millisecond, 20 * time.Millisecond, 1, 25 * time.Millisecond, "changed changed"},
		{"IPv6 is a little slower", 20 * time.Millisecond, 120 * time.Millisecond, 1, 125 * time.Millisecond, "changed changed"},
		{"IPv6 is much slower", 20 * time.Millisecond, 2 * time.Second, 2, 250 * time.Millisecond, "changed changed"},
		{"IPv4 is much slower", 2 * time.Second, 20 * time.Millisecond, 2, 250 * time.Millisecond, "changed changed"},
		{"IPv6 is dead", 20 * time.Millisecond, time.Hour, 1, 250 * time.Millisecond, "changed held"},
		{"IPv4 is dead", time.Hour, 20 * time.Millisecond, 1, 250 * time.Millisecond, "held changed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, r := twoFamilies(tt.slow4, tt.slow6)
				began, written := time.Now(), time.Duration(0)
				done := make(chan ddns.Round)
				go func() {
					round, _ := r.Round(t.Context(), ddns.ByEvent, ddns.Past{})
					done <- round
				}()
				for written == 0 {
					after(5 * time.Millisecond)
					if h.set(func(h *littleHome) {
						if h.writes > 0 {
							written = time.Since(began)
						}
					}); time.Since(began) > time.Minute {
						t.Fatal("nothing was written")
					}
				}
				round := <-done
				if written > tt.first+5*time.Millisecond {
					t.Errorf("first written after %s, want %s at the latest", written, tt.first)
				}
				if h.writes != tt.batches {
					t.Errorf("%d batches, want %d", h.writes, tt.batches)
				}
				if len(round.Outcomes) != 2 || round.Outcomes[0].Target.Type != "A" {
					t.Fatalf("outcomes: %+v", round.Outcomes)
				}
				if got := string(round.Outcomes[0].State + " " + round.Outcomes[1].State); got != tt.states {
					t.Errorf("the names end %s, want %s", got, tt.states)
				}
				if len(round.Receipts) != len(round.Outcomes) && tt.states == "changed changed" {
					t.Errorf("%d receipts", len(round.Receipts))
				}
			})
		})
	}
}

// What was refused for the quick family is not sent again with the slow one.
func TestARefusalOfOneFamilyIsNotRepeatedWithTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, r := twoFamilies(20*time.Millisecond, 2*time.Second)
		refusing := &refusesA{littleHome: h}
		r.API = refusing
		round, past := r.Round(t.Context(), ddns.ByEvent, ddns.Past{})
		if got := string(round.Outcomes[0].State + " " + round.Outcomes[1].State); got != "refused changed" {
			t.Errorf("the names end %s, want refused changed", got)
		}
		if refusing.sent != 2 { // once, and once more after reading
			t.Errorf("the refused change was sent %d times", refusing.sent)
		}
		if again := ddns.Diff(ddns.Wishes{Targets: r.Targets, Holdings: holdingsOf(round)}, round.Found, past.Memory, round.Started); len(again.Changes) != 0 {
			t.Errorf("the plan after the round is not empty: %+v", again.Changes)
		}
	})
}

func holdingsOf(round ddns.Round) map[ddns.Family]ddns.Holding {
	holdings := map[ddns.Family]ddns.Holding{}
	for _, h := range round.Holdings {
		holdings[h.Family] = h
	}
	return holdings
}

// refusesA is a Cloudflare that refuses every batch that touches the A record.
type refusesA struct {
	*littleHome
	sent int
}

func (a *refusesA) Batch(ctx context.Context, z ddns.Zone, b ddns.Batch) (ddns.BatchResult, error) {
	for _, p := range b.Patches {
		if p.ID == "1" {
			a.sent++
			return ddns.BatchResult{}, &ddns.Error{Kind: ddns.Rejected, Op: "change records", Status: 400, Err: errors.New("no")}
		}
	}
	return a.littleHome.Batch(ctx, z, b)
}

// While the slower family is waited for, a kill loses nothing of the quicker one.
func TestWhatTheQuickFamilyWroteIsKeptBeforeTheSlowOneIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, r := twoFamilies(20*time.Millisecond, 3*time.Second)
		began := time.Now()
		var kept []time.Duration
		r.Applied = func(round ddns.Round, past ddns.Past) {
			if past.Memory.Of(ddns.IPv4).Confirmed[0] == homeB {
				kept = append(kept, time.Since(began))
			}
		}
		r.Round(t.Context(), ddns.ByEvent, ddns.Past{})
		if len(kept) < 2 || kept[0] > time.Second {
			t.Errorf("kept after %v, want the first long before the other family answers", kept)
		}
	})
}

func TestTheWayToCloudflareIsOpenedDuringTheVoteWhereAWriteIsLikely(t *testing.T) {
	for _, tt := range []struct {
		name    string
		trigger ddns.Trigger
		moved   bool
		want    bool
	}{
		{"an event", ddns.ByEvent, true, true},
		{"a quiet schedule", ddns.BySchedule, false, false},
		{"a schedule, and an answer that is not what is published", ddns.BySchedule, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newLittleHome()
				r := h.runner()
				_, past := r.Round(t.Context(), ddns.ByStart, ddns.Past{})
				if tt.moved {
					h.wan = homeB
				}
				opened, ended := 0, 0
				r.Connect = func(ctx context.Context) {
					opened++
					<-ctx.Done() // never comes up
					ended++
				}
				began := time.Now()
				round, _ := r.Round(t.Context(), tt.trigger, past)
				if (opened == 1) != tt.want || opened != ended {
					t.Errorf("opened %d times, ended %d", opened, ended)
				}
				if took := time.Since(began); took > 2*time.Second || round.Exit() != ddns.ExitRight {
					t.Errorf("a way that never opens held the round up: %s", took)
				}
			})
		})
	}
}
