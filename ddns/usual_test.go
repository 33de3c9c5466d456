package ddns_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// TestTheDefaultRosterAgreesInUsualTimes silences operators of the default roster,
// google's alone where a line has no UDP, and says in which round it agrees. The
// rounds are a minute apart.
func TestTheDefaultRosterAgreesInUsualTimes(t *testing.T) {
	for _, c := range []struct {
		name    string
		family  ddns.Family
		silent  string
		forgets bool
		agrees  int // in which round; 0: in none of five
		thin    bool
	}{
		{"everybody answers", ddns.IPv4, "", false, 1, false},
		{"no UDP", ddns.IPv4, "google", false, 1, false},
		{"no UDP, and a small one is silent", ddns.IPv4, "google identme", false, 1, false},
		{"no UDP, and a large one is", ddns.IPv4, "google amazon", false, 1, true},
		{"two large ones are silent", ddns.IPv4, "cloudflare amazon", false, 1, true},
		{"no UDP, and two large ones are silent", ddns.IPv4, "google cloudflare amazon", false, 4, false},
		{"no UDP, and two large ones are silent, once", ddns.IPv4, "google cloudflare amazon", true, 1, false},
		{"no UDP, and a large and a small one are silent", ddns.IPv4, "google amazon identme", false, 1, true},
		{"no UDP, and all small ones but one spare are silent", ddns.IPv4, "google identme desec nsupdate", false, 1, false},
		{"no UDP, and all small ones are silent", ddns.IPv4, "google identme desec nsupdate ipify", false, 1, true},
		{"two small ones answer, and nobody else", ddns.IPv4, "cloudflare amazon google akamai identme nsupdate", true, 0, false},
		{"IPv6, and everybody answers", ddns.IPv6, "", false, 1, false},
		{"IPv6 without UDP", ddns.IPv6, "google", false, 1, false},
		{"IPv6, and both small ones are silent", ddns.IPv6, "identme desec", false, 1, false},
		{"IPv6 without UDP, and both small ones are silent", ddns.IPv6, "google identme desec", false, 1, true},
		{"IPv6 without UDP, and both large ones are silent", ddns.IPv6, "google cloudflare amazon", false, 4, false},
		{"IPv6 without UDP, and both large ones are silent, once", ddns.IPv6, "google cloudflare amazon", true, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, []ddns.Target{target("home.example.com", c.family.RecordType())})
			h.ask(c.family)
			h.world.SetWAN(homeA, netip.MustParseAddr(home6))
			h.runner.Forgets = c.forgets
			for _, name := range strings.Fields(c.silent) {
				h.fault("echo:"+name, "drop", 0)
			}
			agreed := 0
			for n := 1; n <= 5 && agreed == 0; n++ {
				if round := h.round(); round.Verdicts[0].State == ddns.Agreed {
					agreed = n
				}
				h.ahead += time.Minute
			}
			if agreed != c.agrees {
				t.Errorf("agreed in round %d, want %d", agreed, c.agrees)
			}
			if c.agrees == 0 {
				return
			}
			h.past.Facts = ddns.Found{}
			round, _ := h.runner.Round(t.Context(), ddns.BySchedule, h.past) // it waits for everybody
			if thin := slices.ContainsFunc(round.Conditions, func(c ddns.Condition) bool { return c.Code == ddns.CodeRosterThin }); thin != c.thin {
				t.Errorf("thin: %t, want %t: %v", thin, c.thin, round.Conditions)
			}
		})
	}
}
