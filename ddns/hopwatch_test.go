package ddns_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/google/go-cmp/cmp"
)

func TestWatchedHops(t *testing.T) {
	t.Parallel() // it waits for a dark host
	h := newHouse(t, []ddns.Target{target("home.example.com", "A")})
	h.byHand(func(ddns.Zone, []ddns.Record) ddns.Batch {
		return ddns.Batch{Posts: []ddns.Record{{Name: "www.example.com", Type: "CNAME", Content: "myhome.duckdns.org", Proxied: true}, {Name: "blog.example.com", Type: "CNAME", Content: "myhome.duckdns.org"}}}
	})
	h.runner.Watch = true
	round := h.round()
	if seen := h.past.Memory.Hops["myhome.duckdns.org"]; !seen.Here || len(codes(round)) > 0 {
		t.Fatalf("remembered %+v, conditions %v", seen, codes(round))
	}
	h.world.SetDuckDNS(false)
	h.world.Pass(time.Hour)
	if h.round(); h.past.Memory.Hops["myhome.duckdns.org"].Silent != 0 {
		t.Error("it was asked again before the recheck")
	}
	h.ahead = time.Hour
	if round = h.round(); slices.Contains(codes(round), "hop-dark myhome.duckdns.org") {
		t.Error("said after one round")
	}
	h.ahead += time.Minute
	h.fault("echo:cloudflare", "500", 0)
	round = h.round()
	i := slices.IndexFunc(round.Conditions, func(c ddns.Condition) bool { return c.Code == ddns.CodeHopDark })
	if i < 0 || round.Conditions[i].Severity != ddns.Alarm || !strings.Contains(round.Conditions[i].Title, "blog.example.com, www.example.com 530 with error 1016") ||
		round.Conditions[i].Hint != "cfddns migrate --apply blog.example.com www.example.com" {
		t.Errorf("conditions %+v", round.Conditions)
	}
	h.world.SetDuckDNS(true)
	h.ahead += time.Minute
	if round = h.round(); slices.Contains(codes(round), "hop-dark myhome.duckdns.org") {
		t.Error("it stands although the host answers")
	}
}

// While the sources do not agree either, it may be our own line.
func TestADarkHopOnADarkLineIsNotSaid(t *testing.T) {
	t.Parallel()
	h := newHouse(t, []ddns.Target{target("home.example.com", "A")})
	h.byHand(func(ddns.Zone, []ddns.Record) ddns.Batch {
		return ddns.Batch{Posts: []ddns.Record{{Name: "www.example.com", Type: "CNAME", Content: "myhome.duckdns.org"}}}
	})
	h.runner.Watch = true
	h.round()
	h.world.SetDuckDNS(false)
	h.world.Pass(time.Hour)
	for _, e := range h.world.Info().Echoes {
		h.fault("echo:"+e.Name, "drop", 0)
	}
	for range 3 {
		h.ahead += 2 * time.Hour
		if round := h.round(); slices.ContainsFunc(round.Conditions, func(c ddns.Condition) bool { return c.Code == ddns.CodeHopDark }) {
			t.Errorf("said: %v", codes(round))
		}
	}
}

func TestUnkeptNames(t *testing.T) {
	t.Parallel()
	h := newHouse(t, []ddns.Target{target("home.example.com", "A")})
	h.byHand(func(ddns.Zone, []ddns.Record) ddns.Batch {
		return ddns.Batch{Posts: []ddns.Record{{Name: "www.example.com", Type: "A", Content: "45.67.89.10"}, {Name: "off.example.com", Type: "A", Content: "45.67.89.10", Comment: "cfddns:off"},
			{Name: "theirs.example.com", Type: "A", Content: "45.67.89.10", Comment: "cfddns:attic"}, {Name: "far.example.com", Type: "A", Content: stranger}}}
	})
	h.runner.Watch = true
	if round := h.round(); len(codes(round)) > 0 {
		t.Errorf("an address that was never confirmed says nothing, and it says %v", codes(round))
	}
	round := h.round()
	if diff := cmp.Diff([]string{"unkept example.com"}, codes(round)); diff != "" || !strings.HasSuffix(round.Conditions[0].Title, "not kept by this cfddns: www.example.com") {
		t.Errorf("%s%+v", diff, round.Conditions)
	}
	h.runner.Watch = false
	if round := h.round(); len(codes(round)) > 0 {
		t.Errorf("a one-shot says %v", codes(round))
	}
}
