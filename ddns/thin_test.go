package ddns_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

func TestAThinRosterIsSaidUntilAFullRoundDisprovesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		s := h.every(20 * time.Minute)
		members := s.Runner.Rosters[0].Members
		quiet := members[2].Ask
		silent := true
		members[2].Cost = 100 // the last to be asked
		members[2].Ask = func(ctx context.Context, f ddns.Family) (netip.Addr, error) {
			h.mu.Lock()
			hush := silent
			h.mu.Unlock()
			if hush {
				return netip.Addr{}, errors.New("silent")
			}
			return quiet(ctx, f)
		}
		h.live(t, s)
		thin := func() bool {
			return slices.ContainsFunc(h.last().Conditions, func(c ddns.Condition) bool { return c.Code == ddns.CodeRosterThin })
		}
		after(time.Minute)
		if !thin() {
			t.Error("one of three is silent, and it is not said")
		}
		after(3 * time.Hour)
		if !thin() {
			t.Error("quiet rounds, which do not ask it, took it back")
		}
		h.set(func(*littleHome) { silent = false })
		after(3 * time.Hour)
		if !thin() {
			t.Error("a quiet round took it back")
		}
		after(24 * time.Hour)
		if thin() {
			t.Error("a day later it was not asked again")
		}
	})
}

// Who never answers is cut off in rounds in which the others agree early. Once a
// day a round waits for him, when nothing hurries any more.
func TestAnOperatorThatHangsIsFoundOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		s := h.every(20 * time.Minute)
		members := s.Runner.Rosters[0].Members
		members[2].Cost = 100 // the last to be asked
		members[2].Ask = func(ctx context.Context, _ ddns.Family) (netip.Addr, error) {
			<-ctx.Done()
			return netip.Addr{}, ctx.Err()
		}
		h.live(t, s)
		after(time.Second)
		if took := h.last().Took; took > time.Second {
			t.Errorf("the first round waited %s for it", took)
		}
		after(21 * time.Minute)
		thin := slices.IndexFunc(h.last().Conditions, func(c ddns.Condition) bool { return c.Code == ddns.CodeRosterThin })
		if thin < 0 || !strings.Contains(h.last().Conditions[thin].Title, "three, silent since 2000-01-01 00:") {
			t.Fatalf("it is not said: %v", h.last().Conditions)
		}
		for range 60 { // rounds of a day
			after(20 * time.Minute)
			if took := h.last().Took; took > time.Second {
				t.Fatalf("a round waited %s for it again", took)
			}
		}
	})
}
