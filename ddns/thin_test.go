package ddns_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
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
