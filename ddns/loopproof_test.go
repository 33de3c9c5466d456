package ddns_test

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// lagging makes the nameservers show the old address for ever.
func (h *littleHome) lagging() { h.shown = []netip.Addr{netip.MustParseAddr("45.67.80.1")} }

func TestAProofHoldsUpNoRound(t *testing.T) {
	tests := []struct {
		name   string
		woken  bool
		within time.Duration
	}{
		{"that is due by the schedule", false, 20 * time.Second},
		{"that is asked for", true, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newLittleHome()
				h.set((*littleHome).lagging)
				h.set(func(h *littleHome) { h.wan = homeB })
				loop, _ := h.live(t, h.every(10*time.Second)) // less than the proof's patience
				after(2 * time.Second)                        // written, and being looked for in vain
				h.set(func(h *littleHome) { h.wan = homeA })
				if tt.woken {
					loop.Wake(ddns.ByPoke)
				}
				after(tt.within)
				if got := h.content(); got != homeA.String() {
					t.Errorf("the record holds %s %s later, want %s", got, tt.within, homeA)
				}
				after(10 * time.Minute)
				if got, most := len(h.reported()), 200; got > most {
					t.Errorf("%d rounds and proofs in ten minutes", got)
				}
			})
		})
	}
}

func TestWhatWasWrittenIsToldBeforeItIsProved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		h.set((*littleHome).lagging)
		h.set(func(h *littleHome) { h.wan = homeB })
		s := h.every(20 * time.Minute)
		var told ddns.Memory
		s.Runner.Applied = func(_ ddns.Round, past ddns.Past) { told = past.Memory }
		_, end := h.live(t, s)
		after(2 * time.Second) // in the middle of the proof
		if n := len(told.IPv4.Confirmed); n == 0 || told.IPv4.Confirmed[n-1] != homeB {
			t.Errorf("the confirmed addresses are %v in the middle of the proof, want %s among them", told.IPv4.Confirmed, homeB)
		}
		end()
		rounds := h.reported()
		if len(rounds) != 1 || !rounds[0].BrokenOff || len(rounds[0].Receipts) != 1 || rounds[0].Receipts[0].State != ddns.Confirmed {
			t.Errorf("the round that was broken off was not told with what it wrote: %d rounds", len(rounds))
		}
	})
}

func TestABrokenOffRoundRaisesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		h.slow = time.Hour
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		past := ddns.NewLoop(h.clock, func(ddns.Round, ddns.Past) {}).Run(ctx, h.every(20*time.Minute), ddns.Past{})
		if len(past.Memory.Raised) != 0 {
			t.Errorf("remembered as wrong: %v", past.Memory.Raised)
		}
	})
}
