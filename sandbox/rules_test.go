package sandbox

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const (
	entrypointPath = "/rulesets/phases/http_request_firewall_custom/entrypoint"
	skipRule       = `{"ref":"ours","description":"way in","action":"skip","expression":"ip.src eq 45.90.28.4","action_parameters":{"products":["securityLevel"]}%s}`
	blockRule      = `{"action":"block","expression":"http.host eq \"%s.example.com\"","ref":"%[1]s"}`
)

// refsOf are the refs of a ruleset's rules, in order.
func refsOf(t testing.TB, got reaction) string {
	t.Helper()
	var set rulesetView
	got.into(t, &set)
	var refs []string
	for _, r := range set.Rules {
		refs = append(refs, r.Ref)
	}
	return strings.Join(refs, " ")
}

// twoRules makes the ruleset of the first zone, with rules a and b.
func twoRules(t testing.TB, s *Sandbox) rulesetView {
	t.Helper()
	body := fmt.Sprintf(`{"name":"mine","kind":"zone","phase":"http_request_firewall_custom","rules":[%s,%s]}`,
		fmt.Sprintf(blockRule, "a"), fmt.Sprintf(blockRule, "b"))
	var set rulesetView
	callAPI(t, s, "POST", zonePath(s, "/rulesets"), body).into(t, &set)
	return set
}

func TestAZoneHasNoRulesAtFirst(t *testing.T) {
	s := stateOnly(t)
	got := callAPI(t, s, "GET", zonePath(s, entrypointPath), "")
	if got.Status != 404 || got.code() != 10003 || got.Errors[0].Message != "could not find entrypoint ruleset in the http_request_firewall_custom phase" {
		t.Errorf("got %d %s", got.Status, got.Raw)
	}
	if got := callAPI(t, s, "GET", zonePath(s, "/rulesets/phases/http_ratelimit/entrypoint"), ""); got.Status != 404 || got.code() != 10003 {
		t.Errorf("another phase: %d %s", got.Status, got.Raw)
	}
	if got := callAPI(t, s, "GET", zonePath(s, "/rulesets"), ""); string(got.Result) != "[]" {
		t.Errorf("list: %s", got.Raw)
	}
}

func TestRulesAreEditedOneByOne(t *testing.T) {
	s := stateOnly(t)
	set := twoRules(t, s)
	path := zonePath(s, "/rulesets/"+set.ID)
	for _, step := range []struct{ name, position, want string }{
		{"last without a position", "", "a b ours"},
		{"first by index", `,"position":{"index":1}`, "ours a b"},
		{"first by before nothing", `,"position":{"before":""}`, "ours a b"},
		{"last by after nothing", `,"position":{"after":""}`, "a b ours"},
		{"before a rule", `,"position":{"before":"` + set.Rules[1].ID + `"}`, "a ours b"},
		{"after a rule", `,"position":{"after":"` + set.Rules[0].ID + `"}`, "a ours b"},
	} {
		got := callAPI(t, s, "POST", path+"/rules", fmt.Sprintf(skipRule, step.position))
		if refs := refsOf(t, got); refs != step.want {
			t.Errorf("%s: %s", step.name, refs)
		}
		var now rulesetView
		got.into(t, &now)
		for _, r := range now.Rules {
			if r.Ref == "ours" {
				callAPI(t, s, "DELETE", path+"/rules/"+r.ID, "")
			}
		}
	}
	moved := callAPI(t, s, "PATCH", path+"/rules/"+set.Rules[1].ID, `{"position":{"index":1}}`)
	if refs := refsOf(t, moved); refs != "b a" {
		t.Errorf("moved: %s", refs)
	}
	var after rulesetView
	moved.into(t, &after)
	if b := after.Rules[0]; b.Expression != set.Rules[1].Expression || b.Version != "1" || after.Version == set.Version {
		t.Errorf("a move changed the rule: %+v", after)
	}
	if got := callAPI(t, s, "PATCH", path+"/rules/"+set.Rules[1].ID, `{"enabled":false}`); got.Status != 400 {
		t.Errorf("a PATCH without the whole rule: %d %s", got.Status, got.Raw)
	}
	edited := callAPI(t, s, "PATCH", path+"/rules/"+set.Rules[1].ID, fmt.Sprintf(skipRule, ""))
	edited.into(t, &after)
	if b := after.Rules[0]; b.ID != set.Rules[1].ID || b.Ref != "ours" || b.Action != "skip" || b.Version != "2" {
		t.Errorf("edited: %+v", b)
	}
}

func TestPuttingTheEntrypointReplacesAllRules(t *testing.T) {
	s := stateOnly(t)
	twoRules(t, s)
	got := callAPI(t, s, "PUT", zonePath(s, entrypointPath), `{"rules":[`+fmt.Sprintf(skipRule, "")+`]}`)
	if refs := refsOf(t, got); refs != "ours" {
		t.Errorf("left: %s", refs)
	}
	var set rulesetView
	got.into(t, &set)
	if got := callAPI(t, s, "DELETE", zonePath(s, "/rulesets/"+set.ID)+"?dry_run=true", ""); got.Status != 200 || string(got.Result) != "null" {
		t.Errorf("delete, dry: %d %s", got.Status, got.Raw)
	}
	if s.zones[0].rules == nil {
		t.Error("a dry run deleted")
	}
}

func TestRulesThatCloudflareRefuses(t *testing.T) {
	s := stateOnly(t)
	set := twoRules(t, s)
	path := zonePath(s, "/rulesets/"+set.ID+"/rules")
	with := func(change string) string { return fmt.Sprintf(skipRule, ","+change) }
	for _, c := range []struct {
		name, body string
		status     int
		code       int
	}{
		{"a wrong expression", `{"action":"block","expression":"http.host is 1"}`, 400, 20127},
		{"no expression", `{"action":"block"}`, 400, 20121},
		{"an unknown action", `{"action":"allow","expression":"ssl"}`, 400, 20015},
		{"log below Enterprise", `{"action":"log","expression":"ssl"}`, 400, 20015},
		{"skip without parameters", `{"action":"skip","expression":"ssl"}`, 400, 20128},
		{"skip of nothing", with(`"action_parameters":{}`), 400, 20128},
		{"a product in other letters", with(`"action_parameters":{"products":["securitylevel"]}`), 400, 20129},
		{"a phase that cannot be skipped", with(`"action_parameters":{"phases":["ddos_l7"]}`), 400, 20129},
		{"a ruleset that is not current", with(`"action_parameters":{"ruleset":"other"}`), 400, 20129},
		{"an unknown parameter", with(`"action_parameters":{"product":"waf"}`), 400, 20128},
		{"logging of a block", `{"action":"block","expression":"ssl","logging":{"enabled":true}}`, 400, 20122},
		{"a ref that is there", `{"action":"block","expression":"ssl","ref":"a"}`, 400, 20123},
		{"a place beyond the end", with(`"position":{"index":9}`), 400, 20124},
		{"two positions", with(`"position":{"index":1,"before":""}`), 400, 20124},
		{"a position beside nobody", with(`"position":{"before":"x"}`), 400, 20124},
	} {
		for _, dry := range []string{"", "?dry_run=true"} {
			if got := callAPI(t, s, "POST", path+dry, c.body); got.Status != c.status || got.code() != c.code {
				t.Errorf("%s%s: %d %s", c.name, dry, got.Status, got.Raw)
			}
		}
	}
	if got := callAPI(t, s, "POST", path+"?dry_run=maybe", fmt.Sprintf(skipRule, "")); got.Status != 400 {
		t.Errorf("dry_run=maybe: %d %s", got.Status, got.Raw)
	}
	body := `{"name":"x","kind":"zone","phase":"http_request_firewall_custom"}`
	if got := callAPI(t, s, "POST", zonePath(s, "/rulesets"), body); got.code() != 20217 {
		t.Errorf("a second ruleset: %s", got.Raw)
	}
}

func TestTheQuotaOfRulesIsThePlans(t *testing.T) {
	s := stateOnly(t)
	path := zonePath(s, "/rulesets/"+twoRules(t, s).ID+"/rules")
	for i := range 3 {
		rule := fmt.Sprintf(blockRule, fmt.Sprint("n", i))
		if got := callAPI(t, s, "POST", path+"?dry_run=true", rule); got.Status != 200 || string(got.Result) != "null" {
			t.Errorf("dry run %d: %s", i, got.Raw)
		}
		if got := callAPI(t, s, "POST", path, rule); got.Status != 200 {
			t.Errorf("rule %d: %s", i, got.Raw)
		}
	}
	for _, dry := range []string{"", "?dry_run=true"} {
		got := callAPI(t, s, "POST", path+dry, fmt.Sprintf(blockRule, "more"))
		if got.Status != 400 || got.code() != 50001 || !strings.Contains(got.Raw, "6 out of 5") {
			t.Errorf("a sixth rule%s: %d %s", dry, got.Status, got.Raw)
		}
	}
	if n := len(s.zones[0].rules.rules); n != 5 {
		t.Errorf("%d rules", n)
	}
}

func TestPermissionsOfATokenAreKept(t *testing.T) {
	s := stateOnly(t)
	set := twoRules(t, s)
	calls := map[string][3]string{
		"zone:read":      {"GET", "/zones", ""},
		"dns:read":       {"GET", zonePath(s, "/dns_records"), ""},
		"dns:edit":       {"POST", zonePath(s, "/dns_records"), `{"type":"A","name":"x","content":"45.67.89.10"}`},
		"settings:read":  {"GET", zonePath(s, "/settings/security_level"), ""},
		"settings:edit":  {"PATCH", zonePath(s, "/settings/security_level"), `{"value":"low"}`},
		"waf:read":       {"GET", zonePath(s, entrypointPath), ""},
		"waf:edit":       {"POST", zonePath(s, "/rulesets/"+set.ID+"/rules") + "?dry_run=true", fmt.Sprintf(blockRule, "c")},
		"analytics:read": {"POST", "/graphql", `{"query":"{viewer{zones(filter:{zoneTag:\"` + s.zones[0].ID + `\"}){settings{firewallEventsAdaptive{enabled}}}}}"}`},
	}
	for _, granted := range tokenPermissions() {
		if status, body := command(s, "POST", "/tokens", fmt.Sprintf(`{"permissions":[%q]}`, granted)); status != 200 {
			t.Fatal(body)
		}
		for needed, c := range calls {
			got := callAPI(t, s, c[0], c[1], c[2])
			allowed := granted == needed || strings.Replace(granted, "edit", "read", 1) == needed
			if allowed != (got.Status == 200) || !allowed && (got.Status != 403 || !strings.Contains(got.Raw, "Authentication error")) {
				t.Errorf("with %s a call that needs %s: %d %s", granted, needed, got.Status, got.Raw)
			}
		}
	}
	var z zoneView
	callAPI(t, s, "GET", zonePath(s, ""), "").into(t, &z)
	if fmt.Sprint(z.Permissions) != "[#analytics:read]" {
		t.Errorf("the zone shows %v", z.Permissions)
	}
}

func TestARulesetHasTheShapeOfTheSchema(t *testing.T) {
	s := stateOnly(t)
	set := twoRules(t, s)
	got := callAPI(t, s, "POST", zonePath(s, "/rulesets/"+set.ID+"/rules"), fmt.Sprintf(skipRule, `,"logging":{"enabled":true}`))
	rule := object("id version last_updated action expression ref enabled", map[string]form{
		"id": text(idForm), "version": text(`^\d+$`), "last_updated": instant, "action": text(`^[a-z_]+$`), "expression": text(`.`),
		"description": text(``), "ref": text(`.`), "enabled": boolean, "logging": object("enabled", map[string]form{"enabled": boolean}),
		"action_parameters": func(any) string { return "" },
	})
	shape := object("id name kind phase version last_updated", map[string]form{
		"id": text(idForm), "name": text(`.`), "description": text(``), "kind": text(`^zone$`), "phase": text(`^http_request_firewall_custom$`),
		"version": text(`^\d+$`), "last_updated": instant, "rules": listOf(rule),
	})
	if wrong := envelopeForm(true, shape)(decoded(t, got.Raw)); wrong != "" {
		t.Errorf("%s in %s", wrong, got.Raw)
	}
	var one json.RawMessage
	callAPI(t, s, "GET", zonePath(s, "/rulesets/"+set.ID), "").into(t, &one)
}
