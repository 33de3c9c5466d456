package ddns_test

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// atOld is home.example.com where the home was before.
var atOld = sandbox.SeedRecord{Type: "A", Name: "home.example.com", Content: oldHome}

func TestRoundsWithSourcesInTrouble(t *testing.T) {
	troubles := []sandbox.Fault{
		{On: "echo:amazon", Do: "lie", Value: stranger},
		{On: "echo:akamai", Do: "portal"},
		{On: "echo:identme", Do: "hang"},
		{On: "echo:cloudflare", Do: "500"},
	}
	type sky struct {
		name   string
		faults []sandbox.Fault
	}
	skies := []sky{{name: "all well"}}
	for i, one := range troubles {
		skies = append(skies, sky{one.On + " " + one.Do, []sandbox.Fault{one}})
		for _, other := range troubles[i+1:] {
			skies = append(skies, sky{one.On + " " + one.Do + " and " + other.On + " " + other.Do, []sandbox.Fault{one, other}})
		}
	}
	for _, s := range skies {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, []ddns.Target{target("home.example.com", "A")}, atOld)
			for _, f := range s.faults {
				h.world.AddFault(f)
			}
			h.want(h.round(), ddns.ExitRight, ddns.Changed)
			if diff := cmp.Diff([]string{"home.example.com A 45.67.89.10"}, h.records()); diff != "" {
				t.Error(diff)
			}
			h.want(h.round(), ddns.ExitRight, ddns.Right)
		})
	}
}

func TestRoundsWithoutAQuorumChangeNothing(t *testing.T) {
	lie := func(names ...string) (faults []sandbox.Fault) {
		for i, name := range names {
			faults = append(faults, sandbox.Fault{On: "echo:" + name, Do: "lie", Value: fmt.Sprintf("45.67.70.%d", i+1)})
		}
		return faults
	}
	all := []string{"cloudflare", "amazon", "google", "akamai", "identme", "desec", "nsupdate", "ipify"}
	for _, tt := range []struct {
		name   string
		faults []sandbox.Fault
		code   string
	}{
		{"everybody says something else", lie(all...), "no-quorum ipv4"},
		{"two against two", append(lie("cloudflare"), sandbox.Fault{On: "echo:amazon", Do: "lie", Value: "45.67.70.1"},
			sandbox.Fault{On: "echo:identme", Do: "500"}, sandbox.Fault{On: "echo:desec", Do: "500"}, sandbox.Fault{On: "echo:nsupdate", Do: "500"}, sandbox.Fault{On: "echo:ipify", Do: "500"}), "split ipv4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, []ddns.Target{target("home.example.com", "A"), target("new.example.com", "A")}, atOld)
			for _, f := range tt.faults {
				h.world.AddFault(f)
			}
			var round ddns.Round
			if made := h.calls(func() { round = h.round() }); made["batch"] != 0 {
				t.Errorf("calls %v", made)
			}
			h.want(round, ddns.ExitHeld, ddns.Held, ddns.Held)
			if diff := cmp.Diff([]string{tt.code}, codes(round)); diff != "" {
				t.Errorf("%s\n%s", diff, round.Verdicts[0].Why)
			}
			if diff := cmp.Diff([]string{"home.example.com A 45.67.80.1"}, h.records()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCallsOfARound(t *testing.T) {
	targets, records := many(10, oldHome)
	h := newHouse(t, targets, records...)
	step := func(what string, want map[string]int) {
		t.Helper()
		var round ddns.Round
		made := h.calls(func() { round = h.round() })
		if diff := cmp.Diff(want, made); diff != "" {
			t.Errorf("%s: calls (-want +got):\n%s", what, diff)
		}
		sum := 0
		for _, n := range made {
			sum += n
		}
		if round.Calls != int64(sum) || round.Exit() != 0 {
			t.Errorf("%s: the round says %d calls, exit %d", what, round.Calls, round.Exit())
		}
	}
	step("cold, and wrong", map[string]int{"zones": 1, "list": 2, "batch": 1}) // the second list is what still holds the old address
	step("quiet", map[string]int{})
	h.move(homeB)
	step("a change of address", map[string]int{"batch": 1, "list": 1})
	step("quiet again", map[string]int{})
	h.ahead = 61 * time.Minute
	step("after the recheck", map[string]int{"list": 1})
	h.ahead = 25 * time.Hour
	step("after a day the zone is looked at too", map[string]int{"zones": 1, "list": 1})
}

func TestAZoneThatChangesIsSeen(t *testing.T) {
	h := newHouse(t, []ddns.Target{target("home.example.com", "A")}, sandbox.SeedRecord{Type: "A", Name: "home.example.com", Content: "45.67.89.10"}).assume()
	h.runner.Prover.Patience = 3 * time.Second
	h.runner.API = zoneAs{h.client, func(z *ddns.Zone) { z.Status = "pending" }}
	round := h.round()
	h.want(round, ddns.ExitRight, ddns.Right)
	if diff := cmp.Diff([]string{"zone-inactive example.com"}, codes(round)); diff != "" || len(round.Proofs) != 0 {
		t.Errorf("%s, proofs %v", diff, proofs(round))
	}
	h.runner.API, h.ahead = h.client, 61*time.Minute
	round = h.round()
	if len(round.Conditions) != 0 || len(round.Proofs) != 1 {
		t.Errorf("it became active: conditions %v, proofs %v", codes(round), proofs(round))
	}
}

func TestAZoneThatWasMadeAnewIsFound(t *testing.T) {
	h := newHouse(t, []ddns.Target{target("home.example.com", "A")}, atOld).assume()
	h.runner.API = zoneAs{h.client, func(z *ddns.Zone) { z.ID = strings.Repeat("0", 32) }}
	h.want(h.round(), ddns.ExitRefused, ddns.Refused)
	h.runner.API = h.client
	h.want(h.round(), ddns.ExitRight, ddns.Changed)
}

func TestACNAMEIsReplacedWithEvidence(t *testing.T) {
	t.Parallel() // it waits for a dark host
	www := target("www.example.com", "A")
	www.ReplaceHop = true
	h := newHouse(t, []ddns.Target{www}, sandbox.SeedRecord{Type: "CNAME", Name: "www.example.com", Content: "myhome.duckdns.org", Proxied: true, Comment: "the house"})
	h.runner.Targets[0].ReplaceHop = false
	round := h.round()
	h.want(round, ddns.ExitRefused, ddns.Refused)
	if diff := cmp.Diff([]string{"cname www.example.com"}, codes(round)); diff != "" || len(h.past.Memory.Hops) != 1 {
		t.Errorf("%s, hops %+v", diff, h.past.Memory.Hops)
	}
	h.world.Pass(time.Hour)   // resolvers forget
	h.world.SetDuckDNS(false) // the address moves while Duck DNS is dark: only what was seen before can tell
	h.move(homeB)
	h.want(h.round(), ddns.ExitRefused, ddns.Refused)
	h.runner.Targets[0].ReplaceHop = true
	round = h.round()
	h.want(round, ddns.ExitRight, ddns.Changed)
	if diff := cmp.Diff([]string{"www.example.com A 45.67.90.77 proxied the house"}, h.records()); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(round.Outcomes[0].Why, "is dark, and last answered this home's address, 45.67.89.10") {
		t.Errorf("why %q", round.Outcomes[0].Why)
	}
	if diff := cmp.Diff([]string{"www.example.com nameserver seen 104.21.16.1, 172.67.128.1", "www.example.com edge seen 200"}, proofs(round)); diff != "" {
		t.Error(diff)
	}
	h.want(h.round(), ddns.ExitRight, ddns.Right)
}

func TestWhatAHopWasIsNotForgottenInARoundWithoutAnAddress(t *testing.T) {
	www := target("www.example.com", "A")
	h := newHouse(t, []ddns.Target{www}, sandbox.SeedRecord{Type: "CNAME", Name: "www.example.com", Content: "myhome.duckdns.org"})
	h.round()
	for _, name := range []string{"cloudflare", "amazon", "google", "akamai", "identme", "desec", "nsupdate", "ipify"} {
		h.fault("echo:"+name, "500", 0)
	}
	h.want(h.round(), ddns.ExitHeld, ddns.Held)
	if seen := h.past.Memory.Hops["myhome.duckdns.org"]; !seen.Here {
		t.Errorf("%+v", seen)
	}
}

func TestTheGapIsHowLongVisitorsCouldFail(t *testing.T) {
	h := newHouse(t, []ddns.Target{target("home.example.com", "A")}, atOld)
	if round := h.round(); round.Gap != 0 {
		t.Errorf("gap %v of a first round, which knows of no time before", round.Gap)
	}
	h.ahead += 20 * time.Minute
	h.round()
	h.move(homeB)
	h.ahead += 9 * time.Second
	round := h.round()
	h.want(round, ddns.ExitRight, ddns.Changed)
	if round.Gap < 9*time.Second || round.Gap > 15*time.Second {
		t.Errorf("gap %v", round.Gap)
	}
	if round := h.round(); round.Gap != 0 {
		t.Errorf("gap %v of a round that changed nothing", round.Gap)
	}
}

func TestIPv4AndIPv6AreKeptApart(t *testing.T) {
	targets := []ddns.Target{target("home.example.com", "A"), target("home.example.com", "AAAA")}
	t.Run("without a route of IPv6, IPv4 is right", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, targets, atOld)
		h.ask(ddns.IPv4, ddns.IPv6)
		round := h.round()
		h.want(round, ddns.ExitPartly, ddns.Changed, ddns.Held)
		if diff := cmp.Diff([]string{"no-quorum ipv6"}, codes(round)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("without a quorum for IPv4, IPv6 is right", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, targets)
		h.ask(ddns.IPv4, ddns.IPv6)
		h.world.SetWAN(homeA, netip.MustParseAddr(home6))
		for _, name := range []string{"akamai", "identme", "desec", "nsupdate", "google"} {
			h.world.AddFault(sandbox.Fault{On: "echo:" + name, Do: "lie", Value: "45.67.70." + fmt.Sprint(len(name))})
		}
		h.want(h.round(), ddns.ExitPartly, ddns.Held, ddns.Changed)
	})
	t.Run("both are written", func(t *testing.T) { // in how many batches depends on the clock: families_test.go has its own
		t.Parallel()
		h := newHouse(t, targets, atOld)
		h.ask(ddns.IPv4, ddns.IPv6)
		h.world.SetWAN(homeA, netip.MustParseAddr(home6))
		h.want(h.round(), ddns.ExitRight, ddns.Changed, ddns.Changed)
		if diff := cmp.Diff([]string{"home.example.com A 45.67.89.10", "home.example.com AAAA 2a01:4f8:1:2::10"}, h.records()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAFirstRoundWithoutNetworkIsFollowedByAGoodOne(t *testing.T) {
	h := newHouse(t, []ddns.Target{target("home.example.com", "A")}, atOld)
	f4, f6 := h.world.WAN()
	h.world.SetWAN(netip.Addr{}, netip.Addr{})
	round := h.round()
	h.want(round, ddns.ExitHeld, ddns.Held)
	h.world.SetWAN(f4, f6)
	h.want(h.round(), ddns.ExitRight, ddns.Changed)
}

func TestATokenThatIsMendedIsUsed(t *testing.T) {
	h := newHouse(t, []ddns.Target{target("home.example.com", "A"), target("www.example.com", "A")}, atOld)
	h.post("/tokens", map[string]any{"status": "disabled"})
	round := h.round()
	h.want(round, ddns.ExitRefused, ddns.Refused, ddns.Refused)
	if diff := cmp.Diff([]string{"token-refused"}, codes(round)); diff != "" || round.Conditions[0].Hint == "" {
		t.Errorf("%s, %+v", diff, round.Conditions)
	}
	h.post("/tokens", map[string]any{})
	h.want(h.round(), ddns.ExitRight, ddns.Changed, ddns.Changed)
}

func TestASystemResolverThatLiesDecidesNothing(t *testing.T) {
	www := target("www.example.com", "A")
	www.ReplaceHop = true
	h := newHouse(t, []ddns.Target{target("home.example.com", "A"), www}, atOld, sandbox.SeedRecord{Type: "CNAME", Name: "www.example.com", Content: "myhome.duckdns.org"})
	h.runner.Resolver = router{}
	round := h.round()
	h.want(round, ddns.ExitPartly, ddns.Changed, ddns.Refused)
	if o := round.Outcomes[1]; !strings.Contains(o.Why, "leads elsewhere: myhome.duckdns.org answers 192.168.1.1") {
		t.Errorf("%+v", o)
	}
	for range 2 {
		if made := h.calls(func() { h.round() }); len(made) != 0 {
			t.Errorf("it updates for ever: %v", made)
		}
	}
}

// router answers every name with its own address, as many do.
type router struct{}

func (router) Lookup(_ context.Context, f ddns.Family, _ string) ([]netip.Addr, error) {
	if f == ddns.IPv6 {
		return nil, nil
	}
	return []netip.Addr{netip.MustParseAddr("192.168.1.1")}, nil
}

func TestWhatIsSetBesideTheAddressStaysAtCloudflareToo(t *testing.T) {
	h := newHouseIn(t, []sandbox.SeedZone{{Name: "example.com", Plan: "pro", Records: []sandbox.SeedRecord{
		{Type: "A", Name: "home.example.com", Content: oldHome, TTL: 3600, Comment: "the house", Tags: []string{"room:attic"}},
		{Type: "A", Name: "www.example.com", Content: oldHome, Proxied: true, Comment: "shop"},
	}}}, []ddns.Target{target("home.example.com", "A"), target("www.example.com", "A")}).assume()
	read := func() (records []ddns.Record) {
		h.byHand(func(_ ddns.Zone, all []ddns.Record) ddns.Batch { records = all; return ddns.Batch{} })
		return records
	}
	before := read()
	h.want(h.round(), ddns.ExitRight, ddns.Changed, ddns.Changed)
	for i := range before {
		before[i].Content = "45.67.89.10"
	}
	if diff := cmp.Diff(before, read()); diff != "" {
		t.Error(diff)
	}
}

func TestALargeZoneIsReadByName(t *testing.T) {
	var records []sandbox.SeedRecord
	for i := range 1200 {
		records = append(records, sandbox.SeedRecord{Type: "TXT", Name: fmt.Sprintf("t%d.example.com", i), Content: "x"})
	}
	records = append(records, atOld, sandbox.SeedRecord{Type: "A", Name: "home.example.com", Content: stranger},
		sandbox.SeedRecord{Type: "A", Name: "kept.example.com", Content: oldHome}, sandbox.SeedRecord{Type: "TXT", Name: "a-kept.example.com", Content: "heritage=external-dns,external-dns/owner=me"},
		sandbox.SeedRecord{Type: "NS", Name: "sub.example.com", Content: "ns1.example.net"})
	h := newHouseIn(t, []sandbox.SeedZone{{Name: "example.com", Plan: "pro", Records: records}}, []ddns.Target{target("home.example.com", "A"), target("kept.example.com", "A"), target("new.example.com", "A"), target("w.sub.example.com", "A")}).assume()
	round := h.round()
	h.want(round, ddns.ExitPartly, ddns.Refused, ddns.Refused, ddns.Changed, ddns.Refused) // whose they are is seen here too
	if round.Outcomes[0].Code != ddns.CodeShared {
		t.Errorf("%+v", round.Outcomes[0])
	}
	if made := h.calls(func() { h.want(h.round(), ddns.ExitPartly, ddns.Refused, ddns.Refused, ddns.Right, ddns.Refused) }); len(made) != 0 {
		t.Errorf("a CNAME or a shared name is no reason to ask again and again: %v", made)
	}
}
