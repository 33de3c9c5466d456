package ddns_test

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
)

// hours makes rounds as the schedule does, every 20 minutes, and returns the
// calls about rules that they made.
func (h *house) hours(n int) (calls int) {
	h.t.Helper()
	return h.calls(func() {
		for range 3 * n {
			h.ahead += 20 * time.Minute
			_, h.past = h.runner.Round(h.t.Context(), ddns.BySchedule, h.past)
		}
	})["rules"]
}

// custom sends a call about the zone's custom rules as the dashboard would, and
// returns the rules as they then are.
func (h *house) custom(method, path string, body any) {
	h.t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		h.t.Fatal(err)
	}
	set, err := h.client.Rules(h.t.Context(), h.zone())
	if err != nil {
		h.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(h.t.Context(), method, h.world.Info().API+"/zones/"+h.zone().ID+"/rulesets/"+set.ID+path, strings.NewReader(string(encoded)))
	if err != nil {
		h.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+h.world.Info().Token)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		h.t.Fatalf("%s %s: %s", method, path, answer.Status)
	}
}

// our is the rule of the way in "here".
func (h *house) our() ddns.Rule {
	h.t.Helper()
	set, err := h.client.Rules(h.t.Context(), h.zone())
	if err != nil {
		h.t.Fatal(err)
	}
	i := slices.IndexFunc(set.Rules, func(r ddns.Rule) bool { name, _ := ddns.Ours(r); return name == "here" })
	if i < 0 {
		h.t.Fatalf("no rule of ours among %+v", set.Rules)
	}
	return set.Rules[i]
}

func TestHowSomebodyLeftTheRuleTheRecheckFindsAndMends(t *testing.T) {
	skip := func(r ddns.Rule) map[string]any {
		return map[string]any{"action": "skip", "action_parameters": map[string]any{"products": []string{"securityLevel"}},
			"expression": r.Expression, "description": r.Description, "ref": r.Ref, "enabled": true}
	}
	tests := []struct {
		name string
		by   func(h *house, r ddns.Rule)
		says string
	}{
		{"deleted", func(h *house, r ddns.Rule) { h.custom("DELETE", "/rules/"+r.ID, nil) }, "lets in"},
		{"opened to everybody", func(h *house, r ddns.Rule) {
			wide := skip(r)
			wide["expression"] = "(true)"
			h.custom("PATCH", "/rules/"+r.ID, wide)
		}, "it was changed by hand"},
		{"another product skipped", func(h *house, r ddns.Rule) {
			more := skip(r)
			more["action_parameters"] = map[string]any{"products": []string{"securityLevel", "waf"}}
			h.custom("PATCH", "/rules/"+r.ID, more)
		}, "it was changed by hand"},
		{"given another name", func(h *house, r ddns.Rule) {
			renamed := skip(r)
			renamed["description"] = "the backup of the cellar"
			h.custom("PATCH", "/rules/"+r.ID, renamed)
		}, "its mark was changed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := keepsWaysIn(t, selfWayIn())
			h.round()
			tt.by(h, h.our())
			h.ahead += time.Hour
			h.wantWayIn(h.round(), ddns.Changed, 0, tt.says)
			h.wantRules(homeA.String() + letsHere)
		})
	}
}

func TestAQuietHourAsksForTheRulesOnce(t *testing.T) {
	over := selfWayIn()
	over.Until = time.Now().Add(time.Hour)
	tests := []struct {
		name  string
		kept  ddns.KeptWayIn
		first func(h *house)
	}{
		{"of a way in that stands", selfWayIn(), func(*house) {}},
		{"of one that is over", over, func(h *house) { h.ahead = 2 * time.Hour; h.round() }},
		{"of one that a person switched off", selfWayIn(), func(h *house) {
			r := h.our()
			h.custom("PATCH", "/rules/"+r.ID, map[string]any{"action": "skip", "action_parameters": map[string]any{"products": []string{"securityLevel"}},
				"expression": r.Expression, "description": r.Description, "ref": r.Ref, "enabled": false})
		}},
		{"of one that the token may not keep", selfWayIn(), func(h *house) {
			h.post("/tokens", map[string]any{"permissions": []string{"zone:read", "dns:edit"}})
		}},
		{"of one that has no slot", selfWayIn(), func(h *house) {
			h.custom("DELETE", "/rules/"+h.our().ID, nil)
			h.blocks("five", "four", "three", "two", "one")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := keepsWaysIn(t, tt.kept)
			h.round()
			tt.first(h)
			h.hours(1)
			if calls := h.hours(6); calls > 6 {
				t.Errorf("%d calls in 6 hours", calls)
			}
			last, _ := h.runner.Round(t.Context(), ddns.BySchedule, h.past)
			again, _ := h.runner.Round(t.Context(), ddns.ByPoke, h.past)
			if last.WaysIn[0].State != again.WaysIn[0].State || last.WaysIn[0].Why != again.WaysIn[0].Why || last.WaysIn[0].Hint != again.WaysIn[0].Hint {
				t.Errorf("what is not asked again is said otherwise: %+v, %+v", last.WaysIn[0], again.WaysIn[0])
			}
		})
	}
}

func TestWhoAsksForARoundIsAnsweredAfresh(t *testing.T) {
	h := keepsWaysIn(t, selfWayIn())
	h.post("/tokens", map[string]any{"permissions": []string{"zone:read", "dns:edit"}})
	r := h.round()
	h.wantWayIn(r, ddns.Refused, ddns.ExitRefused, "read the custom rules of example.com")
	if hint := r.WaysIn[0].Hint; !strings.Contains(hint, `"Zone > Zone WAF > Edit"`) {
		t.Errorf("who only reads would be refused again: %s", hint)
	}
	h.post("/tokens", map[string]any{})
	h.wantWayIn(h.round(), ddns.Changed, 0, "lets in")
}

func TestAHostOfAnotherZoneIsRefusedAlsoLater(t *testing.T) {
	h := keepsWaysIn(t, selfWayIn())
	h.round()
	h.runner.WaysIn[0].Hosts = []string{"api.example.com", "api.example.org"}
	h.wantWayIn(h.round(), ddns.Refused, ddns.ExitRefused, "api.example.org is not in the zone example.com")
	h.wantRules(homeA.String() + letsHere)
}

func TestBehindTheProvidersNATTheReasonIsSaid(t *testing.T) {
	h := newHouse(t, []ddns.Target{{Name: "home.example.com", Type: "A", Check: "off", Proxied: ddns.SetFalse}})
	h.runner.WaysIn, h.runner.Rules = []ddns.KeptWayIn{selfWayIn()}, h.client
	h.runner.Witness = named(shared)
	r := h.round()
	if o := r.WaysIn[0]; o.State != ddns.Refused || !strings.Contains(o.Why, "(CGNAT)") || !strings.Contains(o.Hint, "--header") {
		t.Errorf("got %+v", o)
	}
	h.wantRules()
}

func TestAFamilyThatNobodyAsksForIsNoLongerLetIn(t *testing.T) {
	h := keepsWaysIn(t, selfWayIn())
	h.world.SetWAN(homeA, netip.MustParseAddr(home6))
	h.ask(ddns.IPv4, ddns.IPv6)
	h.round()
	if rules := h.rules(); len(rules) != 1 || !strings.Contains(rules[0], "::/64") {
		t.Fatalf("the rules are %q", rules)
	}
	h.ask(ddns.IPv4)
	h.ahead = time.Hour
	h.wantWayIn(h.round(), ddns.Changed, 0, "address: ")
	h.wantRules(homeA.String() + letsHere)
}

func TestNothingThatIsRememberedHoldsTheSecret(t *testing.T) {
	w := selfWayIn()
	w.Header, w.Secret = "x-way-in", ddns.NewSecret("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	h := keepsWaysIn(t, w)
	h.wantWayIn(h.round(), ddns.Changed, 0, "")
	data, err := json.Marshal(h.past.Memory)
	if err != nil || strings.Contains(string(data), w.Secret.Reveal()) || !strings.Contains(string(data), "here") {
		t.Errorf("%s, %v", data, err)
	}
}

func TestARuleThatIsNotOursIsLeftAsItIs(t *testing.T) {
	h := keepsWaysIn(t, selfWayIn())
	h.blocks("four", "three", "two", "one")
	before := h.foreign()
	same := func(what string) {
		t.Helper()
		if now := h.foreign(); now != before {
			t.Fatalf("%s: the rules were\n%s\nand are\n%s", what, before, now)
		}
	}
	for _, do := range []string{"", "500", "done-but-500", "done-but-drop", "drop", "html", "lie"} {
		for _, every := range []int{1, 2} {
			if do != "" {
				h.world.AddFault(sandbox.Fault{On: "rules", Do: do, Every: every, Times: 2})
			}
			h.move(netip.AddrFrom4([4]byte{45, 67, 89, byte(100 + len(do)*3 + every)}))
			h.round()
			h.world.ClearFaults()
			same("following, with " + do)
			h.round()
			same("following again after " + do)
			if do != "" {
				h.world.AddFault(sandbox.Fault{On: "rules", Do: do, Every: every, Times: 2})
			}
			ddns.Revoke(t.Context(), h.client, h.zone(), "here", false)
			h.world.ClearFaults()
			same("revoked, with " + do)
			h.past.Memory.WaysIn = nil
		}
	}
}

// foreign are the rules that are not ours, as the API shows them.
func (h *house) foreign() string {
	h.t.Helper()
	answer, err := http.Get(h.world.Info().Control + "/world")
	if err != nil {
		h.t.Fatal(err)
	}
	defer answer.Body.Close()
	var world struct {
		Rules map[string][]json.RawMessage `json:"rules"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&world); err != nil {
		h.t.Fatal(err)
	}
	var lines []string
	for _, rule := range world.Rules["example.com"] {
		if !strings.Contains(string(rule), `"ref":"cfddns-`) {
			lines = append(lines, string(rule))
		}
	}
	return strings.Join(lines, "\n")
}
