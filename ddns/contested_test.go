package ddns_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
	"github.com/google/go-cmp/cmp"
)

func TestARecordThatSomebodyMoves(t *testing.T) {
	h := newHouse(t, []ddns.Target{target("home.example.com", "A")}, atOld)
	h.want(h.round(), ddns.ExitRight, ddns.Changed)
	moved := func(after time.Duration) ddns.Round {
		h.t.Helper()
		h.setByHand("home.example.com", stranger)
		h.ahead += after
		return h.round()
	}
	round := moved(2 * time.Hour)
	h.want(round, ddns.ExitRight, ddns.Changed)
	if !strings.Contains(round.Outcomes[0].Why, "somebody moved it to 45.67.70.1; put back to 45.67.89.10") {
		t.Errorf("why %q", round.Outcomes[0].Why)
	}
	if round.Gap != 0 || len(round.LeftBehind) != 0 {
		t.Errorf("gap %v, left behind %v: the home did not move", round.Gap, round.LeftBehind)
	}
	round = moved(2 * time.Hour)
	h.want(round, ddns.ExitHeld, ddns.Held)
	if diff := cmp.Diff([]string{"contested home.example.com A"}, codes(round)); diff != "" {
		t.Error(diff)
	}
	if c := round.Conditions[0]; !strings.Contains(c.Title, "we say 45.67.89.10, somebody else moved it to 45.67.70.1") || c.Hint == "" {
		t.Errorf("%+v", c)
	}
	h.ahead += 30 * time.Minute
	h.want(h.round(), ddns.ExitHeld, ddns.Held)
	h.ahead += 31 * time.Minute
	h.want(h.round(), ddns.ExitRight, ddns.Changed)
	if diff := cmp.Diff([]string{"home.example.com A 45.67.89.10"}, h.records()); diff != "" {
		t.Error(diff)
	}
	h.want(moved(2*time.Hour), ddns.ExitHeld, ddns.Held)
	h.move(homeB) // a new address of our own is written at once
	h.want(h.round(), ddns.ExitRight, ddns.Changed)
}

func TestAContestThatTheOtherGaveUpIsForgotten(t *testing.T) {
	h := newHouse(t, []ddns.Target{target("home.example.com", "A")}, atOld).assume()
	h.round()
	for range 2 {
		h.setByHand("home.example.com", stranger)
		h.ahead += 2 * time.Hour
		h.round()
	}
	h.setByHand("home.example.com", "45.67.89.10")
	h.ahead += 2 * time.Hour
	h.want(h.round(), ddns.ExitRight, ddns.Right)
	if c := h.past.Memory.Contests["home.example.com A"]; !c.Moved.IsZero() {
		t.Errorf("%+v", c)
	}
	h.setByHand("home.example.com", stranger)
	h.ahead += 30 * 24 * time.Hour
	h.want(h.round(), ddns.ExitRight, ddns.Changed)
}

// What was hidden when somebody deleted it is hidden when it is made anew,
// whether we wrote it or only found it, and however the rest of the zone is
// served; what was public is a new name again.
func TestWhatWasHiddenIsMadeAnewHidden(t *testing.T) {
	record := func(proxied bool, content string) sandbox.SeedRecord {
		return sandbox.SeedRecord{Type: "A", Name: "home.example.com", Content: content, Proxied: proxied}
	}
	for _, row := range []struct {
		name    string
		before  sandbox.SeedRecord
		first   ddns.TargetState
		proxied bool
	}{
		{"found as it should be", record(true, "45.67.89.10"), ddns.Right, true},
		{"changed", record(true, oldHome), ddns.Changed, true},
		{"public", record(false, "45.67.89.10"), ddns.Right, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newHouse(t, []ddns.Target{target("home.example.com", "A")}, row.before,
				sandbox.SeedRecord{Type: "A", Name: "vpn.example.com", Content: "45.67.89.10"}).assume()
			h.want(h.round(), ddns.ExitRight, row.first)
			h.byHand(func(_ ddns.Zone, records []ddns.Record) ddns.Batch {
				i := slices.IndexFunc(records, func(r ddns.Record) bool { return r.Name == "home.example.com" })
				return ddns.Batch{Deletes: []string{records[i].ID}}
			})
			h.ahead = 2 * time.Hour
			round := h.round()
			h.want(round, ddns.ExitRight, ddns.Changed)
			if c := round.Receipts[0].Change; c.Op != ddns.Create || c.After.Proxied != row.proxied || strings.Contains(c.Why, isSaid) == row.proxied {
				t.Errorf("%s proxied=%t: %s", c.Op, c.After.Proxied, c.Why)
			}
		})
	}
}
