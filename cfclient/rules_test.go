package cfclient

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cfddns/cfddns/ddns"
)

// ours is a rule as ways in make them.
var ours = ddns.Rule{Ref: "cfddns-backup", Description: "cfddns: way in of backup (kept by cfddns)", Action: "skip", Enabled: true,
	Expression: `(http.host in {"api.example.com"} and ip.src in {198.51.100.7})`, Products: []string{"securityLevel", "bic"},
	Phases: []string{"http_ratelimit"}, Ruleset: "current", Position: 1}

// wireSet is a ruleset of the given rules as the API writes it.
func wireSet(t *testing.T, rules ...map[string]any) string {
	t.Helper()
	return resultOf(encode(t, map[string]any{"id": recordID(100), "name": "default", "kind": "zone", "phase": customPhase, "version": "3", "rules": rules}))
}

func wireOurs(n int, change ...func(map[string]any)) map[string]any {
	w := map[string]any{"id": recordID(n), "ref": ours.Ref, "description": ours.Description, "action": "skip", "enabled": true, "expression": ours.Expression,
		"action_parameters": map[string]any{"products": ours.Products, "phases": ours.Phases, "ruleset": "current"}, "version": "1", "logging": map[string]any{"enabled": true}}
	for _, c := range change {
		c(w)
	}
	return w
}

func wireBlock(n int) map[string]any {
	return map[string]any{"id": recordID(n), "ref": recordID(n), "description": "mine", "action": "block", "expression": "(ip.src eq 192.0.2.9)",
		"action_parameters": map[string]any{"response": map[string]any{"status_code": 403}}}
}

func TestRulesAreReadInTheirOrder(t *testing.T) {
	api := serve(t, answering(200, wireSet(t, wireBlock(1), wireOurs(2))))
	set, err := api.client(t).Rules(t.Context(), testZone)
	if err != nil || set.ID != recordID(100) || len(set.Rules) != 2 {
		t.Fatalf("got %+v, %v", set, err)
	}
	want := ours
	want.ID, want.Position = recordID(2), 2
	if got := set.Rules[1]; encode(t, got) != encode(t, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if first := set.Rules[0]; !first.Enabled || first.Position != 1 || first.Products != nil {
		t.Errorf("a rule that does not say so is enabled: %+v", first)
	}
	if r := api.requests()[0]; r.Method != "GET" || r.Body != "" || r.Header.Get("Authorization") != "Bearer "+testToken || r.Header.Get("User-Agent") != "cfddns/test" {
		t.Errorf("sent %+v", r)
	}
}

func TestReadingRules(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   ddns.Kind // Unexpected: an empty set
		says   string
	}{
		{"a zone without custom rules has none", 404, refusalOf(10003, "could not find entrypoint ruleset in the http_request_firewall_custom phase"), ddns.Unexpected, ""},
		{"another 404 is no empty set", 404, refusalOf(7003, "Could not route"), ddns.Conflict, ""},
		{"the code under another status is no empty set", 400, refusalOf(10003, "x"), ddns.Rejected, ""},
		{"a permission that is missing is named", 403, refusalOf(10000, "Authentication error"), ddns.NotPermitted, `"Zone > Zone WAF > Edit" (Read is enough to look)`},
		{"a rule without an ID is not believed", 200, wireSet(t, wireOurs(1, func(w map[string]any) { delete(w, "id") })), ddns.Unreachable, ""},
		{"a set of another phase is not believed", 200, resultOf(`{"id":"` + recordID(1) + `","phase":"http_ratelimit"}`), ddns.Unreachable, ""},
		{"no result is no empty set", 200, resultOf("null"), ddns.Unreachable, ""},
		{"a page is no answer", 200, "<html>", ddns.Unreachable, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set, err := serve(t, answering(tt.status, tt.body)).client(t).Rules(t.Context(), testZone)
			if tt.want == ddns.Unexpected {
				if err != nil || set.ID != "" || len(set.Rules) != 0 {
					t.Errorf("got %+v, %v", set, err)
				}
				return
			}
			wantKind(t, err, tt.want)
			if !strings.Contains(ddns.HintOf(err), tt.says) {
				t.Errorf("the hint %q does not say %q", ddns.HintOf(err), tt.says)
			}
		})
	}
}

func TestChangesOfRulesAreSentOneByOneAndWhole(t *testing.T) {
	block := ddns.Rule{ID: recordID(1), Action: "block", Enabled: true, Position: 1}
	behind := ours
	behind.ID, behind.Position = recordID(2), 2
	first := behind
	first.Position = 1
	set := ddns.RuleSet{ID: recordID(100), Rules: []ddns.Rule{block, behind}}
	rule := `"ref":"cfddns-backup","description":"cfddns: way in of backup (kept by cfddns)","expression":"(http.host in {\"api.example.com\"} and ip.src in {198.51.100.7})","action":"skip","action_parameters":{"ruleset":"current","phases":["http_ratelimit"],"products":["securityLevel","bic"]},"enabled":true,"logging":{"enabled":true}`
	tests := []struct {
		name         string
		set          ddns.RuleSet
		change       ddns.RuleChange
		answer       string
		method, path string
		body         string
	}{
		{"the first rule of a zone comes with its set", ddns.RuleSet{}, ddns.RuleChange{After: &ours}, wireSet(t, wireOurs(2)),
			"POST", "", `{"name":"default","kind":"zone","phase":"http_request_firewall_custom","rules":[{` + rule + `}]}`},
		{"a new rule comes first", set, ddns.RuleChange{After: &ours}, wireSet(t, wireOurs(2), wireBlock(1)),
			"POST", "/" + set.ID + "/rules", `{` + rule + `,"position":{"index":1}}`},
		{"an edit carries all fields", set, ddns.RuleChange{Before: &behind, After: &behind}, wireSet(t, wireBlock(1), wireOurs(2)),
			"PATCH", "/" + set.ID + "/rules/" + recordID(2), `{` + rule + `}`},
		{"an edit can put the rule first", set, ddns.RuleChange{Before: &behind, After: &first}, wireSet(t, wireOurs(2), wireBlock(1)),
			"PATCH", "/" + set.ID + "/rules/" + recordID(2), `{` + rule + `,"position":{"index":1}}`},
		{"a deletion names one rule", set, ddns.RuleChange{Before: &behind}, wireSet(t, wireBlock(1)),
			"DELETE", "/" + set.ID + "/rules/" + recordID(2), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			api := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("dry_run") == "true" {
					answer(w, 200, resultOf("null"))
					return
				}
				answer(w, 200, tt.answer)
			})
			c := api.client(t)
			if got, err := c.ChangeRule(t.Context(), testZone, tt.set, tt.change, true); err != nil || encode(t, got) != encode(t, tt.set) {
				t.Errorf("the rehearsal gave %+v, %v", got, err)
			}
			if got, err := c.ChangeRule(t.Context(), testZone, tt.set, tt.change, false); err != nil || got.ID != recordID(100) {
				t.Errorf("got %+v, %v", got, err)
			}
			for _, r := range api.requests() {
				if r.Method != tt.method || r.Path != "/client/v4/zones/"+testZone.ID+"/rulesets"+tt.path || r.Body != tt.body {
					t.Errorf("sent %s %s %s\nwant %s %s", r.Method, r.Path, r.Body, tt.method, tt.body)
				}
			}
		})
	}
}

func TestAChangeOfARuleIsBelievedOnlyIfTheAnswerShowsIt(t *testing.T) {
	set := ddns.RuleSet{ID: recordID(100)}
	tests := []struct {
		name   string
		status int
		body   string
		want   ddns.Kind
	}{
		{"the rule is not there", 200, wireSet(t, wireBlock(1)), ddns.Uncertain},
		{"it is not first", 200, wireSet(t, wireBlock(1), wireOurs(2)), ddns.Uncertain},
		{"it has another expression", 200, wireSet(t, wireOurs(2, func(w map[string]any) { w["expression"] = "(true)" })), ddns.Uncertain},
		{"it is disabled", 200, wireSet(t, wireOurs(2, func(w map[string]any) { w["enabled"] = false })), ddns.Uncertain},
		{"it skips more", 200, wireSet(t, wireOurs(2, func(w map[string]any) {
			w["action_parameters"] = map[string]any{"products": []string{"securityLevel", "bic", "waf"}, "phases": ours.Phases, "ruleset": "current"}
		})), ddns.Uncertain},
		{"a null result is only for rehearsals", 200, resultOf("null"), ddns.Uncertain},
		{"a 500", 500, refusalOf(1, "x"), ddns.Uncertain},
		{"a page", 200, "<html>", ddns.Uncertain},
		{"the set is gone", 404, refusalOf(10001, "x"), ddns.Conflict},
		{"no slot is free", 400, refusalOf(20217, "exceeded maximum number of rules"), ddns.Rejected},
		{"the permission is missing", 403, refusalOf(10000, "x"), ddns.NotPermitted},
		{"a limit", 429, refusalOf(971, "x"), ddns.Limited},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			api := serve(t, answering(tt.status, tt.body))
			_, err := api.client(t).CreateRule(t.Context(), testZone, set, ours, false)
			wantKind(t, err, tt.want)
			if n := len(api.requests()); n != 1 {
				t.Errorf("sent %d times", n)
			}
		})
	}
	api := serve(t, answering(200, wireSet(t, wireOurs(2))))
	_, err := api.client(t).DeleteRule(t.Context(), testZone, set, ddns.Rule{ID: recordID(2)}, false)
	wantKind(t, err, ddns.Uncertain)
}

func TestCloudflaresWordsDoNotShowTheSecret(t *testing.T) {
	w := ddns.WayIn{Name: "phone", Hosts: []string{"api.example.com"}, Header: "x-way-in", Secret: ddns.NewSecret("ABCDEFGHIJKLMNOPQRSTUVWXYZ")}
	rule := w.Rule()
	far := strings.Repeat("x", 290) // the words are cut off after 300: half a secret is one too
	for _, words := range []string{"could not parse filter expression: " + rule.Expression, far + w.Secret.Reveal(), testToken} {
		quoted, err := json.Marshal(words)
		if err != nil {
			t.Fatal(err)
		}
		api := serve(t, answering(400, `{"success":false,"errors":[{"code":20127,"message":"x","error_chain":[{"code":1,"message":`+string(quoted)+`}]}],"result":null}`))
		_, err = api.client(t).CreateRule(t.Context(), testZone, ddns.RuleSet{ID: recordID(100)}, rule, true)
		wantKind(t, err, ddns.Rejected)
		if strings.Contains(err.Error(), "ABCDEFGH") || strings.Contains(err.Error(), testToken) || !strings.Contains(err.Error(), "[hidden") {
			t.Errorf("got %v", err)
		}
	}
}

func TestRulesAgainstTheSandbox(t *testing.T) {
	_, c, zone := startSandbox(t)
	set, err := c.Rules(t.Context(), zone)
	if err != nil || set.ID != "" {
		t.Fatalf("a new zone has no rules: %+v, %v", set, err)
	}
	if _, err := c.CreateRule(t.Context(), zone, set, ours, true); err != nil {
		t.Fatal(err)
	}
	if set, err = c.CreateRule(t.Context(), zone, set, ours, false); err != nil || len(set.Rules) != 1 {
		t.Fatalf("got %+v, %v", set, err)
	}
	edited := set.Rules[0]
	edited.Expression = `(http.host in {"api.example.com"} and ip.src in {198.51.100.8 2001:db8:1:2::/64})`
	if set, err = c.EditRule(t.Context(), zone, set, edited, false); err != nil || set.Rules[0].Expression != edited.Expression || set.Rules[0].Ref != ours.Ref {
		t.Fatalf("got %+v, %v", set, err)
	}
	wrong := edited
	wrong.Expression = "(http.host in {"
	_, err = c.EditRule(t.Context(), zone, set, wrong, true)
	wantKind(t, err, ddns.Rejected)
	if set, err = c.DeleteRule(t.Context(), zone, set, edited, false); err != nil || len(set.Rules) != 0 {
		t.Fatalf("got %+v, %v", set, err)
	}
	if set, err = c.Rules(t.Context(), zone); err != nil || set.ID == "" {
		t.Errorf("an empty set stands: %+v, %v", set, err)
	}
}

func TestTheSecurityLevelIsReadAndSet(t *testing.T) {
	_, c, zone := startSandbox(t)
	before, err := c.SecurityLevel(t.Context(), zone)
	if err != nil || !slices.Contains(SecurityLevels(), before) {
		t.Fatalf("got %q, %v", before, err)
	}
	if err := c.SetSecurityLevel(t.Context(), zone, UnderAttack); err != nil {
		t.Fatal(err)
	}
	if now, err := c.SecurityLevel(t.Context(), zone); err != nil || now != UnderAttack {
		t.Errorf("got %q, %v", now, err)
	}
	wantKind(t, c.SetSecurityLevel(t.Context(), zone, "paranoid"), ddns.Rejected)
}

func TestTheAnswerMustShowTheLevel(t *testing.T) {
	api := serve(t, answering(200, resultOf(`{"id":"security_level","value":"medium","editable":true}`)))
	c := api.client(t)
	wantKind(t, c.SetSecurityLevel(t.Context(), testZone, UnderAttack), ddns.Uncertain)
	if r := api.requests()[0]; r.Method != "PATCH" || r.Body != `{"value":"under_attack"}` || r.Path != "/client/v4/zones/"+testZone.ID+"/settings/security_level" {
		t.Errorf("sent %+v", r)
	}
	_, err := serve(t, answering(200, resultOf(`{"id":"security_level"}`))).client(t).SecurityLevel(t.Context(), testZone)
	wantKind(t, err, ddns.Unreachable)
	err = serve(t, answering(403, refusalOf(10000, "x"))).client(t).SetSecurityLevel(t.Context(), testZone, "medium")
	wantKind(t, err, ddns.NotPermitted)
	if !strings.Contains(ddns.HintOf(err), needsSettings) {
		t.Errorf("hint %q", ddns.HintOf(err))
	}
}

// FuzzRuleSet: whatever comes, a set that is believed has an ID, and its rules
// IDs, actions and places.
func FuzzRuleSet(f *testing.F) {
	f.Add(`{"id":"a","phase":"http_request_firewall_custom","rules":[{"id":"b","action":"skip","action_parameters":{"products":["bic"]}}]}`)
	f.Add(`{"id":"a","rules":null}`)
	f.Add(`{"id":"a","rules":[{"action_parameters":{"products":"x"}}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		var wire wireRuleSet
		if json.Unmarshal([]byte(body), &wire) != nil {
			return
		}
		set, err := wire.set()
		if err != nil {
			return
		}
		for i, r := range set.Rules {
			if set.ID == "" || r.ID == "" || r.Action == "" || r.Position != i+1 {
				t.Errorf("believed %+v", set)
			}
		}
	})
}
