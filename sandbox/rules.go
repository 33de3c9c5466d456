package sandbox

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// customPhase is where a zone's own WAF rules run, and the one phase that has
// rules here. https://developers.cloudflare.com/waf/custom-rules/
const customPhase = "http_request_firewall_custom"

// phases are those that a zone's rulesets may belong to.
func phases() []string {
	return []string{"ddos_l7", "http_config_settings", "http_custom_errors", "http_log_custom_fields", "http_ratelimit",
		"http_request_cache_settings", "http_request_dynamic_redirect", customPhase, "http_request_firewall_managed",
		"http_request_late_transform", "http_request_origin", "http_request_redirect", "http_request_sanitize",
		"http_request_sbfm", "http_request_transform", "http_response_cache_settings", "http_response_compression",
		"http_response_firewall_managed", "http_response_headers_transform"}
}

// ruleset is the custom rules of a zone. It is never changed but replaced, so
// whoever holds an old one may go on reading it.
type ruleset struct {
	id          string
	name        string
	description string
	version     int
	updated     time.Time
	rules       []*rule
}

// rule is one of them.
type rule struct {
	id          string
	ref         string
	version     int
	updated     time.Time
	action      string
	parameters  json.RawMessage // as they were written; nil if there are none
	skip        skipParameters
	expression  string
	matches     predicate
	description string
	enabled     bool
	logging     *bool // nil if the rule does not say
}

// skipParameters say what a skip rule skips.
// https://developers.cloudflare.com/waf/custom-rules/skip/options/
type skipParameters struct {
	Ruleset  string   `json:"ruleset"`
	Phase    string   `json:"phase"`
	Phases   []string `json:"phases"`
	Products []string `json:"products"`
}

// ruleBody is a rule as a client writes it.
type ruleBody struct {
	ID          string          `json:"id"`
	Ref         *string         `json:"ref"`
	Action      string          `json:"action"`
	Parameters  json.RawMessage `json:"action_parameters"`
	Expression  *string         `json:"expression"`
	Description string          `json:"description"`
	Enabled     *bool           `json:"enabled"`
	Logging     *struct {
		Enabled bool `json:"enabled"`
	} `json:"logging"`
	Position *position `json:"position"`
}

// position is where a rule goes: at a place, 1 for the first, or beside
// another; before "" is the first place, after "" the last.
type position struct {
	Index  *int    `json:"index"`
	Before *string `json:"before"`
	After  *string `json:"after"`
}

// onlyPosition reports whether a PATCH moves a rule and leaves it as it is.
func (b ruleBody) onlyPosition() bool {
	return b.Position != nil && b.Action == "" && b.Expression == nil && b.Parameters == nil && b.Ref == nil &&
		b.Description == "" && b.Enabled == nil && b.Logging == nil
}

// actionsOf are the actions that a custom rule may take on a plan.
func actionsOf(plan string) []string {
	all := []string{"skip", "block", "managed_challenge", "js_challenge", "challenge"}
	if plan == "enterprise" {
		all = append(all, "log")
	}
	return all
}

// customRules is how many custom rules a plan has.
func customRules(plan string) int {
	switch plan {
	case "pro":
		return 20
	case "business":
		return 100
	case "enterprise":
		return 1000
	}
	return 5
}

// settle makes a rule of what a client wrote; the id is the one it has, or gets.
func (b ruleBody) settle(id, plan string) (*rule, error) {
	r := &rule{id: id, ref: id, action: b.Action, description: b.Description, enabled: b.Enabled == nil || *b.Enabled}
	if b.Ref != nil {
		r.ref = *b.Ref
	}
	switch {
	case r.ref == "":
		return nil, invalid(20120, "'' is not a valid value for ref because it must not be empty")
	case b.Expression == nil || *b.Expression == "":
		return nil, invalid(20121, "'' is not a valid value for expression because it must not be empty")
	case !slices.Contains(actionsOf(plan), b.Action):
		return nil, invalid(20015, "%q is not a valid value for action because it is not one of %s on this plan",
			b.Action, strings.Join(actionsOf(plan), ", "))
	}
	r.expression = *b.Expression
	var err error
	if r.matches, err = compile(r.expression); err != nil {
		return nil, invalid(20127, "'%s' is not a valid value for expression because could not parse filter expression: %s", r.expression, err)
	}
	if b.Logging != nil {
		if b.Action != "skip" {
			return nil, invalid(20122, "logging is not allowed because the action is not skip")
		}
		r.logging = &b.Logging.Enabled
	}
	return r, r.settleParameters(b.Parameters)
}

// settleParameters checks what a skip rule skips. Names of products are those
// of the documentation to the letter.
func (r *rule) settleParameters(raw json.RawMessage) error {
	if len(raw) == 0 || string(raw) == "null" {
		if r.action == "skip" {
			return invalid(20128, "action_parameters is required because the action is skip")
		}
		return nil
	}
	r.parameters = raw
	if r.action != "skip" {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&r.skip) != nil {
		return invalid(20128, "action_parameters is not valid: a skip rule has ruleset, phase, phases and products")
	}
	wrong := func(word, field string, allowed ...string) error {
		if word == "" || slices.Contains(allowed, word) {
			return nil
		}
		return invalid(20129, "'%s' is not a valid value for %s because it is not one of %s", word, field, strings.Join(allowed, ", "))
	}
	if err := wrong(r.skip.Ruleset, "ruleset", "current"); err != nil {
		return err
	}
	if err := wrong(r.skip.Phase, "phase", "current"); err != nil {
		return err
	}
	for _, phase := range r.skip.Phases {
		if err := wrong(phase, "phases", "http_ratelimit", "http_request_sbfm", "http_request_firewall_managed"); err != nil {
			return err
		}
	}
	for _, product := range r.skip.Products {
		if err := wrong(product, "products", "zoneLockdown", "uaBlock", "bic", "hot", "securityLevel", "rateLimit", "waf"); err != nil {
			return err
		}
	}
	if r.skip.Ruleset == "" && r.skip.Phase == "" && len(r.skip.Phases)+len(r.skip.Products) == 0 {
		return invalid(20128, "action_parameters is not valid: nothing is skipped")
	}
	return nil
}

// with returns the ruleset as a write leaves it, if the plan has room for it.
func (s *ruleset) with(rules []*rule, plan string, now time.Time) (*ruleset, error) {
	if quota := customRules(plan); len(rules) > quota && len(rules) > len(s.rules) {
		return nil, invalid(50001, "exceeded the maximum number of rules in the phase %s: %d out of %d", customPhase, len(rules), quota)
	}
	refs := make(map[string]bool, len(rules))
	for _, r := range rules {
		if refs[r.ref] {
			return nil, invalid(20123, "'%s' is not a valid value for ref because it is not unique in the ruleset", r.ref)
		}
		refs[r.ref] = true
	}
	next := *s
	next.rules, next.version, next.updated = rules, s.version+1, now
	return &next, nil
}

// find returns the place of a rule, or that it is not there.
func (s *ruleset) find(id string) (int, error) {
	i := slices.IndexFunc(s.rules, func(r *rule) bool { return r.id == id })
	if i < 0 {
		return 0, refuse(http.StatusNotFound, 20026, "could not find rule %s", id)
	}
	return i, nil
}

// place puts a rule among others; without a position it goes last.
func place(rules []*rule, r *rule, at *position) ([]*rule, error) {
	i := len(rules)
	if at != nil {
		var err error
		if i, err = at.among(rules); err != nil {
			return nil, err
		}
	}
	return slices.Insert(slices.Clone(rules), i, r), nil
}

func (p position) among(rules []*rule) (int, error) {
	beside := func(id string, usual int) (int, error) {
		if id == "" {
			return usual, nil
		}
		if i := slices.IndexFunc(rules, func(r *rule) bool { return r.id == id }); i >= 0 {
			return i, nil
		}
		return 0, invalid(20124, "'%s' is not a valid value for position because there is no such rule", id)
	}
	switch {
	case p.Index != nil && p.Before == nil && p.After == nil:
		if *p.Index < 1 || *p.Index > len(rules)+1 {
			return 0, invalid(20124, "%s is not a valid value for index because the ruleset has %d rules", strconv.Itoa(*p.Index), len(rules))
		}
		return *p.Index - 1, nil
	case p.Before != nil && p.Index == nil && p.After == nil:
		return beside(*p.Before, 0)
	case p.After != nil && p.Index == nil && p.Before == nil:
		i, err := beside(*p.After, len(rules)-1)
		return i + 1, err
	}
	return 0, invalid(20124, "position needs exactly one of index, before and after")
}

// rulesetView and ruleView are what the API shows.
type rulesetView struct {
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	Description string     `json:"description"`
	Kind        string     `json:"kind"`
	Version     string     `json:"version"`
	LastUpdated string     `json:"last_updated"`
	Phase       string     `json:"phase"`
	Rules       []ruleView `json:"rules,omitempty"`
}

type ruleView struct {
	ID          string          `json:"id"`
	Version     string          `json:"version"`
	Action      string          `json:"action"`
	Parameters  json.RawMessage `json:"action_parameters,omitempty"`
	Expression  string          `json:"expression"`
	Description string          `json:"description"`
	LastUpdated string          `json:"last_updated"`
	Ref         string          `json:"ref"`
	Enabled     bool            `json:"enabled"`
	Logging     *loggingView    `json:"logging,omitempty"`
}

type loggingView struct {
	Enabled bool `json:"enabled"`
}

func (s *ruleset) view(withRules bool) rulesetView {
	v := rulesetView{ID: s.id, Name: s.name, Description: s.description, Kind: "zone", Version: strconv.Itoa(s.version),
		LastUpdated: showTime(s.updated), Phase: customPhase}
	if !withRules {
		return v
	}
	for _, r := range s.rules {
		one := ruleView{ID: r.id, Version: strconv.Itoa(r.version), Action: r.action, Parameters: r.parameters, Expression: r.expression,
			Description: r.description, LastUpdated: showTime(r.updated), Ref: r.ref, Enabled: r.enabled}
		if r.logging != nil {
			one.Logging = &loggingView{*r.logging}
		}
		v.Rules = append(v.Rules, one)
	}
	return v
}
