package ddns_test

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
)

func TestWhatStillHoldsTheOldAddressIsNamedUntilItIsMended(t *testing.T) {
	h := newHouse(t, []ddns.Target{target("home.example.com", "A")}, sandbox.SeedRecord{Type: "A", Name: "home.example.com", Content: "45.67.89.10"},
		sandbox.SeedRecord{Type: "A", Name: "ssh.example.com", Content: "45.67.89.10"},
		sandbox.SeedRecord{Type: "TXT", Name: "example.com", Content: `"v=spf1 ip4:45.67.89.10 -all"`},
		sandbox.SeedRecord{Type: "A", Name: "else.example.com", Content: "45.67.89.100"})
	h.round()
	h.move(homeB)
	round := h.round()
	h.want(round, ddns.ExitRight, ddns.Changed)
	if diff := cmp.Diff([]string{"left-behind example.com"}, codes(round)); diff != "" {
		t.Fatal(diff)
	}
	title := regexp.MustCompile(`^still holding the old address 45\.67\.89\.10 at \d\d:\d\d UTC: A ssh\.example\.com, TXT example\.com$`)
	if got := round.Conditions[0].Title; !title.MatchString(got) {
		t.Errorf("%q, want %v", got, title)
	}
	since := round.Conditions[0].Since
	if round = h.round(); len(round.Conditions) != 1 || !round.Conditions[0].Since.Equal(since) {
		t.Errorf("it is not said any more, or with another beginning: %+v", round.Conditions)
	}
	h.byHand(func(_ ddns.Zone, records []ddns.Record) (b ddns.Batch) {
		for _, r := range records {
			if r.Type == "TXT" || r.Name == "ssh.example.com" {
				b.Deletes = append(b.Deletes, r.ID)
			}
		}
		return b
	})
	h.ahead += 2 * time.Hour
	if round = h.round(); len(round.Conditions) != 0 {
		t.Errorf("it was mended: %v", codes(round))
	}
}

// TestAnotherUpdatersNamesAreLookedAtAgain has two updaters keep names of one
// zone: what the other one had not changed yet when we changed ours, it has by
// the next round, long before the listing is read again.
func TestAnotherUpdatersNamesAreLookedAtAgain(t *testing.T) {
	h := newHouse(t, []ddns.Target{target("home.example.com", "A")}, sandbox.SeedRecord{Type: "A", Name: "home.example.com", Content: "45.67.89.10"},
		sandbox.SeedRecord{Type: "A", Name: "cron.example.com", Content: "45.67.89.10"})
	h.round()
	h.move(homeB)
	if diff := cmp.Diff([]string{"left-behind example.com"}, codes(h.round())); diff != "" {
		t.Fatal(diff)
	}
	h.setByHand("cron.example.com", homeB.String())
	h.ahead += 20 * time.Minute
	if made := h.calls(func() {
		if round := h.round(); len(round.Conditions) != 0 {
			t.Errorf("still said: %+v", round.Conditions)
		}
	}); made["list"] != 1 {
		t.Errorf("calls %v", made)
	}
	h.ahead += 20 * time.Minute
	if made := h.calls(func() { h.round() }); made["list"] != 0 {
		t.Errorf("it is asked for a third time: %v", made)
	}
}

// TestWhatCannotBeAskedAgainIsNotMended has a zone that is too large to be read
// whole: where the second look fails nobody knows whether anything is mended.
func TestWhatCannotBeAskedAgainIsNotMended(t *testing.T) {
	records := []sandbox.SeedRecord{{Type: "A", Name: "home.example.com", Content: "45.67.89.10"}, {Type: "A", Name: "ssh.example.com", Content: "45.67.89.10"}}
	for i := range 1001 {
		records = append(records, sandbox.SeedRecord{Type: "TXT", Name: fmt.Sprintf("t%d.example.com", i), Content: `"x"`})
	}
	h := newHouseIn(t, []sandbox.SeedZone{{Name: "example.com", Plan: "pro", Records: records}}, []ddns.Target{target("home.example.com", "A")})
	h.round()
	h.move(homeB)
	if diff := cmp.Diff([]string{"left-behind example.com"}, codes(h.round())); diff != "" {
		t.Fatal(diff)
	}
	h.ahead += 5 * time.Minute
	h.fault("list", "500", 0)
	if diff := cmp.Diff([]string{"left-behind example.com"}, codes(h.round())); diff != "" {
		t.Errorf("the API did not answer: %s", diff)
	}
}
