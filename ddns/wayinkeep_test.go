package ddns_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/cfclient"
	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
)

// keepsWaysIn makes a house keep ways in, and no name.
func keepsWaysIn(t *testing.T, ways ...ddns.KeptWayIn) *house {
	t.Helper()
	h := newHouse(t, nil)
	h.runner.WaysIn, h.runner.Rules = ways, h.client
	return h
}

func selfWayIn() ddns.KeptWayIn {
	return ddns.KeptWayIn{WayIn: ddns.WayIn{Name: "here", Hosts: []string{"api.example.com"}}, Self: true}
}

// zone is the house's zone.
func (h *house) zone() ddns.Zone {
	h.t.Helper()
	zones, err := h.client.Zones(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return zones[0]
}

// rules are the custom rules that stand, one line each.
func (h *house) rules() (lines []string) {
	h.t.Helper()
	set, err := h.client.Rules(h.t.Context(), h.zone())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, r := range set.Rules {
		w, ours := ddns.ParseWayIn(r)
		switch {
		case ours:
			lines = append(lines, w.String())
		default:
			lines = append(lines, r.Description)
		}
	}
	return lines
}

// blocks adds rules of the user's own, the last one first, as a dashboard would.
func (h *house) blocks(names ...string) {
	h.t.Helper()
	for _, name := range names {
		set, err := h.client.Rules(h.t.Context(), h.zone())
		if err != nil {
			h.t.Fatal(err)
		}
		rule := map[string]any{"description": name, "action": "block", "expression": "(ip.src eq 192.0.2.9)"}
		path, body := "", any(map[string]any{"name": "default", "kind": "zone", "phase": "http_request_firewall_custom", "rules": []any{rule}})
		if set.ID != "" {
			rule["position"] = map[string]any{"index": 1}
			path, body = "/"+set.ID+"/rules", rule
		}
		encoded, err := json.Marshal(body)
		if err != nil {
			h.t.Fatal(err)
		}
		request, err := http.NewRequest("POST", h.world.Info().API+"/zones/"+h.zone().ID+"/rulesets"+path, strings.NewReader(string(encoded)))
		if err != nil {
			h.t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+h.world.Info().Token)
		request.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(request)
		if err != nil || answer.StatusCode != http.StatusOK {
			h.t.Fatalf("%s: %v, %+v", name, err, answer)
		}
		answer.Body.Close()
	}
}

// wantWayIn fails the test unless the round's one way in ended so.
func (h *house) wantWayIn(r ddns.Round, state ddns.TargetState, exit int, says string) {
	h.t.Helper()
	if len(r.WaysIn) != 1 || r.WaysIn[0].State != state || !strings.Contains(r.WaysIn[0].Why, says) || r.Exit() != exit {
		h.t.Fatalf("exit %d, ways in %+v; want %d, %s, %q", r.Exit(), r.WaysIn, exit, state, says)
	}
}

func (h *house) wantRules(want ...string) {
	h.t.Helper()
	if got := h.rules(); !slices.Equal(got, want) {
		h.t.Fatalf("the rules are %q, want %q", got, want)
	}
}

const letsHere = " → api.example.com, past Under Attack mode and the security level"

func TestAWayInOfThisHomeFollowsItsAddress(t *testing.T) {
	h := keepsWaysIn(t, selfWayIn())
	h.blocks("four", "three", "two", "one")
	h.wantWayIn(h.round(), ddns.Changed, 0, "lets in "+homeA.String())
	h.wantRules(homeA.String()+letsHere, "one", "two", "three", "four")
	calls := h.calls(func() { h.wantWayIn(h.round(), ddns.Right, 0, "") })
	if calls["rules"]+calls["zones"]+calls["list"] > 0 {
		t.Errorf("a quiet round made calls: %v", calls)
	}
	h.move(homeB)
	calls = h.calls(func() { h.wantWayIn(h.round(), ddns.Changed, 0, "address: "+homeA.String()+" → "+homeB.String()) })
	h.wantRules(homeB.String()+letsHere, "one", "two", "three", "four")
	if calls["rules"] != 2 || calls["zones"] != 0 {
		t.Errorf("a change is one reading and one write: %v", calls)
	}
	if got := h.past.Memory.IPv4.Confirmed; len(got) != 2 || got[1] != homeB {
		t.Errorf("confirmed %v", got)
	}
}

func TestWithoutWaysInNoRuleIsRead(t *testing.T) {
	h := newHouse(t, []ddns.Target{{Name: "home.example.com", Type: "A", Check: "off"}})
	h.runner.Rules = h.client
	calls := h.calls(func() { h.round() })
	if calls["rules"] != 0 {
		t.Errorf("calls %v", calls)
	}
}

func TestWhatSomebodyDidToTheRulesIsSeenAtTheRecheck(t *testing.T) {
	h := keepsWaysIn(t, selfWayIn())
	h.round()
	h.blocks("new")
	h.wantWayIn(h.round(), ddns.Right, 0, "")
	h.wantRules("new", homeA.String()+letsHere)
	h.ahead = time.Hour
	h.wantWayIn(h.round(), ddns.Changed, 0, "it stood behind other rules")
	h.wantRules(homeA.String()+letsHere, "new")
}

func TestFiveRulesOfTheUsersOwnLeaveNoSlot(t *testing.T) {
	h := keepsWaysIn(t, selfWayIn())
	h.blocks("five", "four", "three", "two", "one")
	r := h.round()
	h.wantWayIn(r, ddns.Refused, ddns.ExitRefused, "5 custom rules, and its plan (free) allows 5; nothing was changed")
	h.wantRules("one", "two", "three", "four", "five")
	if got := codes(r); !slices.Contains(got, "way-in here") {
		t.Errorf("conditions %v", got)
	}
}

func TestAWriteOfARuleInBadWeather(t *testing.T) {
	tests := []struct {
		do    string
		state ddns.TargetState
		exit  int
	}{
		{"done-but-500", ddns.Changed, 0}, // settled by reading
		{"done-but-drop", ddns.Changed, 0},
		{"500", ddns.Unreached, ddns.ExitUnreached},
		{"drop", ddns.Unreached, ddns.ExitUnreached},
		{"html", ddns.Unreached, ddns.ExitUnreached},
		{"429", ddns.Unreached, ddns.ExitUnreached},
	}
	for _, tt := range tests {
		t.Run(tt.do, func(t *testing.T) {
			h := keepsWaysIn(t, selfWayIn())
			h.blocks("mine")
			h.world.AddFault(sandbox.Fault{On: "rules", Do: tt.do, Every: 2, Times: 1, Value: "1"}) // the reading is answered, the write is not
			r := h.round()
			h.wantWayIn(r, tt.state, tt.exit, "")
			h.world.ClearFaults()
			h.patience(10 * time.Second) // a new client, that was not asked to wait
			h.runner.Rules = h.client
			h.round()
			h.wantRules(homeA.String()+letsHere, "mine")
		})
	}
}

func TestAfterAWriteThatNobodyConfirmedTheRulesAreReadAgain(t *testing.T) {
	h := keepsWaysIn(t, selfWayIn())
	h.round()
	h.move(homeB)
	h.world.AddFault(sandbox.Fault{On: "rules", Do: "done-but-500", Every: 2, Times: 1})
	h.world.AddFault(sandbox.Fault{On: "rules", Do: "500", Every: 2, Times: 1}) // the settling fails as well
	h.wantWayIn(h.round(), ddns.Unreached, ddns.ExitUnreached, "")
	h.world.ClearFaults()
	h.wantRules(homeB.String() + letsHere)
	h.move(homeA) // what was last confirmed, and no longer stands
	h.wantWayIn(h.round(), ddns.Changed, 0, "→ "+homeA.String())
	h.wantRules(homeA.String() + letsHere)
}

func TestAReadingThatFailsChangesNothing(t *testing.T) {
	for _, do := range []string{"500", "drop", "html", "lie"} {
		h := keepsWaysIn(t, selfWayIn())
		h.round()
		h.move(homeB)
		h.fault("rules", do, 0)
		h.wantWayIn(h.round(), ddns.Unreached, ddns.ExitUnreached, "")
		h.world.ClearFaults()
		h.wantRules(homeA.String() + letsHere)
		h.wantWayIn(h.round(), ddns.Changed, 0, "→ "+homeB.String())
	}
}

func TestWhileTheAddressIsNotAgreedOnTheRuleStays(t *testing.T) {
	h := keepsWaysIn(t, selfWayIn())
	h.round()
	for _, echo := range []string{"cloudflare", "amazon", "google", "akamai", "identme", "desec", "nsupdate", "ipify"} {
		h.world.AddFault(sandbox.Fault{On: "echo:" + echo, Do: "drop"})
	}
	h.runner.Timeout = 500 * time.Millisecond
	h.wantWayIn(h.round(), ddns.Held, ddns.ExitHeld, "not agreed on; what stands stays")
	h.wantRules(homeA.String() + letsHere)
}

// names is a resolver of one host; a family that is missing is an error.
type names struct {
	answers map[ddns.Family]netip.Addr
	errs    map[ddns.Family]error
}

func (n *names) Lookup(_ context.Context, f ddns.Family, _ string) ([]netip.Addr, error) {
	if a, ok := n.answers[f]; ok {
		return []netip.Addr{a}, nil
	}
	return nil, n.errs[f]
}

func TestAScriptHostIsFollowedByItsName(t *testing.T) {
	none, silent := &net.DNSError{IsNotFound: true}, errors.New("timeout")
	v4, v6 := netip.MustParseAddr("45.67.89.77"), netip.MustParseAddr("2a01:4f8:1:2::7")
	from := ddns.KeptWayIn{WayIn: ddns.WayIn{Name: "monitor", Hosts: []string{"api.example.com"}}, From: "monitor.example.net"}
	h := keepsWaysIn(t, from)
	steps := []struct {
		name    string
		resolve names
		state   ddns.TargetState
		rule    string
	}{
		{"it does not resolve yet", names{errs: map[ddns.Family]error{4: silent, 6: silent}}, ddns.Held, ""},
		{"both families", names{answers: map[ddns.Family]netip.Addr{4: v4, 6: v6}}, ddns.Changed, "45.67.89.77, 2a01:4f8:1:2::/64"},
		{"silence keeps what stands", names{errs: map[ddns.Family]error{4: silent, 6: silent}}, ddns.Right, "45.67.89.77, 2a01:4f8:1:2::/64"},
		{"a name that is gone keeps what stands", names{errs: map[ddns.Family]error{4: none, 6: none}}, ddns.Right, "45.67.89.77, 2a01:4f8:1:2::/64"},
		{"silence of one family keeps its address", names{answers: map[ddns.Family]netip.Addr{4: v4.Next()}, errs: map[ddns.Family]error{6: silent}}, ddns.Changed, "45.67.89.78, 2a01:4f8:1:2::/64"},
		{"a family that the name has no longer leaves", names{answers: map[ddns.Family]netip.Addr{4: v4.Next()}, errs: map[ddns.Family]error{6: none}}, ddns.Changed, "45.67.89.78"},
		{"a private address is refused, and what stands stays", names{answers: map[ddns.Family]netip.Addr{4: netip.MustParseAddr("10.0.0.1")}, errs: map[ddns.Family]error{6: none}}, ddns.Refused, "45.67.89.78"},
	}
	for _, s := range steps {
		h.runner.Resolver = &s.resolve
		if r := h.round(); r.WaysIn[0].State != s.state {
			t.Fatalf("%s: %+v", s.name, r.WaysIn[0])
		}
		var want []string
		if s.rule != "" {
			want = []string{s.rule + letsHere}
		}
		if got := h.rules(); !slices.Equal(got, want) {
			t.Fatalf("%s: the rules are %q, want %q", s.name, got, want)
		}
	}
	h.past = ddns.Past{} // a restart without a state directory: what stands is read back
	h.runner.Resolver = &names{answers: map[ddns.Family]netip.Addr{6: v6}, errs: map[ddns.Family]error{4: silent}}
	h.round()
	h.wantRules("45.67.89.78, 2a01:4f8:1:2::/64" + letsHere)
}

func TestAWayInEndsAndLeavesNothing(t *testing.T) {
	w := selfWayIn()
	w.Until = time.Now().Add(30 * time.Minute).Truncate(time.Second)
	h := keepsWaysIn(t, w)
	h.round()
	h.blocks("mine")
	h.ahead = 31 * time.Minute
	h.wantWayIn(h.round(), ddns.Changed, 0, "its time is over")
	h.wantRules("mine")
	if calls := h.calls(func() { h.wantWayIn(h.round(), ddns.Right, 0, "its time is over, and no rule stands") }); calls["rules"] > 0 {
		t.Errorf("calls %v", calls)
	}
}

func TestAnEntryThatIsTakenAwayLeavesItsRule(t *testing.T) {
	h := keepsWaysIn(t, selfWayIn())
	h.round()
	h.runner.WaysIn = nil
	if r := h.round(); len(r.WaysIn) != 0 {
		t.Errorf("got %+v", r.WaysIn)
	}
	h.wantRules(homeA.String() + letsHere)
}

func TestADryRoundHasCloudflareCheckTheRule(t *testing.T) {
	h := keepsWaysIn(t, selfWayIn())
	h.blocks("mine")
	h.runner.Dry = true
	h.wantWayIn(h.round(), ddns.Changed, 0, "lets in")
	h.wantRules("mine")
	if len(h.past.Memory.WaysIn) != 0 {
		t.Errorf("a dry round is remembered: %+v", h.past.Memory.WaysIn)
	}
}

func TestAWayInBesideNamesCountsInTheExitCode(t *testing.T) {
	h := newHouse(t, []ddns.Target{{Name: "home.example.com", Type: "A", Check: "off", Proxied: ddns.SetFalse}})
	elsewhere := selfWayIn()
	elsewhere.Hosts = []string{"api.example.org"}
	h.runner.WaysIn, h.runner.Rules = []ddns.KeptWayIn{elsewhere}, h.client
	r := h.round()
	if r.Exit() != ddns.ExitPartly || r.WaysIn[0].State != ddns.Refused || r.Outcomes[0].State != ddns.Changed {
		t.Errorf("exit %d, %+v, %+v", r.Exit(), r.WaysIn, r.Outcomes)
	}
	report, err := json.Marshal(r.Report())
	if err != nil || !strings.Contains(string(report), `"ways_in":[{"name":"here","zone":"","state":"refused","why":"find the zone of api.example.org: `) {
		t.Errorf("%s, %v", report, err)
	}
}

func TestOnlyTheScriptHostComesPastUnderAttackMode(t *testing.T) {
	h := newHouse(t, nil, sandbox.SeedRecord{Type: "A", Name: "api.example.com", Content: homeA.String(), Proxied: true})
	script, stranger := netip.MustParseAddr("45.67.89.77"), netip.MustParseAddr("45.67.89.78")
	status := func(client netip.Addr) int {
		t.Helper()
		edge := cfclient.Edge{World: h.world.WorldFrom(client), Address: strings.TrimPrefix(h.world.Info().Edge, "http://")}
		answer, err := edge.Look(t.Context(), "api.example.com", netip.AddrPort{})
		if err != nil {
			t.Fatal(err)
		}
		return answer.Status
	}
	h.world.SetUnderAttack(true)
	if got := status(script); got != http.StatusForbidden {
		t.Fatalf("in Under Attack mode the script gets %d", got)
	}
	w := ddns.WayIn{Name: "backup", Hosts: []string{"api.example.com"}, Addresses: []netip.Prefix{ddns.Admit(script)}}
	if o := ddns.LetIn(t.Context(), h.client, h.zone(), w, false, time.Now()); o.State != ddns.Changed {
		t.Fatalf("got %+v", o)
	}
	if got, others := status(script), status(stranger); got != http.StatusOK || others != http.StatusForbidden {
		t.Errorf("the script gets %d, a stranger %d", got, others)
	}
	if o := ddns.Revoke(t.Context(), h.client, h.zone(), "backup", false); o.State != ddns.Changed {
		t.Fatalf("got %+v", o)
	}
	if got := status(script); got != http.StatusForbidden {
		t.Errorf("after it was revoked the script gets %d", got)
	}
}

func TestARuleThatIsNotNeededAtAnotherPlaceIsNotMoved(t *testing.T) {
	other := selfWayIn()
	other.Name = "other"
	h := keepsWaysIn(t, selfWayIn(), other)
	h.round()
	if calls := h.calls(func() { h.ahead = time.Hour; h.round() }); calls["rules"] != 1 {
		t.Errorf("the rules are read once for both, and not written: %v", calls)
	}
}

// named is a witness that names one address at once, or none.
type named netip.Addr

// WAN implements ddns.WANWitness.
func (n named) WAN(_ context.Context, tell func(ddns.WANFinding)) {
	f := ddns.WANFinding{By: "nat-pmp", Address: netip.Addr(n), Backing: ddns.Repeated}
	if !f.Address.IsValid() {
		f.Err = errors.New("silent")
	}
	tell(f)
}

func TestASharedAddressOfThisHomeIsNotLetIn(t *testing.T) {
	h := keepsWaysIn(t, selfWayIn())
	h.runner.Witness = named(homeA)
	h.wantWayIn(h.round(), ddns.Changed, 0, "")
	h.move(homeB)
	h.runner.Witness = named(shared)
	h.wantWayIn(h.round(), ddns.Refused, ddns.ExitRefused, "shared with other customers of the provider (CGNAT)")
	h.wantRules(homeA.String() + letsHere)
	h.runner.Witness = named{} // silence hinders nothing
	h.wantWayIn(h.round(), ddns.Changed, 0, "")
	h.wantRules(homeB.String() + letsHere)
}
