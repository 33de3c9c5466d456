package cfclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/cfddns/cfddns/ddns"
)

// needsWAF is what changes rules. Whoever reads them mostly wants to change one
// next, and is not sent to the dashboard twice.
const needsWAF = "Zone > Zone WAF > Edit"

// customPhase is the phase that holds a zone's custom rules.
// https://developers.cloudflare.com/ruleset-engine/reference/phases-list/
const customPhase = "http_request_firewall_custom"

// codeNoEntryPoint says, under 404, that a zone has no rules in a phase yet.
const codeNoEntryPoint = 10003

// Rules lists the custom rules of a zone in their order. A zone that never had
// any is an empty set, without an ID and without an error.
func (c *Client) Rules(ctx context.Context, zone ddns.Zone) (ddns.RuleSet, error) {
	q := question{op: "read the custom rules of " + zone.Name, needs: needsWAF, least: "Read", ids: []string{zone.ID}, long: true}
	set, err := c.askRules(ctx, q, call{method: http.MethodGet, path: "/zones/" + zone.ID + "/rulesets/phases/" + customPhase + "/entrypoint"})
	if no, ok := errors.AsType[*ddns.Error](err); ok && no.Status == http.StatusNotFound && no.Code == codeNoEntryPoint {
		return ddns.RuleSet{}, nil
	}
	return set, err
}

// ChangeRule makes one change of one rule of the set, and returns the set as
// it then is. With dry Cloudflare checks everything (permission, quota,
// expression) and stores nothing; the set comes back as it was. Rules are only
// ever created, edited and deleted one by one: writing the whole set would wipe
// what somebody else added meanwhile.
// https://developers.cloudflare.com/ruleset-engine/rulesets-api/dry-run/
func (c *Client) ChangeRule(ctx context.Context, zone ddns.Zone, set ddns.RuleSet, change ddns.RuleChange, dry bool) (ddns.RuleSet, error) {
	switch {
	case change.Before == nil:
		return c.CreateRule(ctx, zone, set, *change.After, dry)
	case change.After == nil:
		return c.DeleteRule(ctx, zone, set, *change.Before, dry)
	default:
		return c.EditRule(ctx, zone, set, *change.After, dry)
	}
}

// CreateRule adds a rule, at the first place if its Position is 1. A zone that
// has no custom rules yet gets its set with it.
func (c *Client) CreateRule(ctx context.Context, zone ddns.Zone, set ddns.RuleSet, rule ddns.Rule, dry bool) (ddns.RuleSet, error) {
	q := question{op: fmt.Sprintf("create the rule %q of %s", rule.Description, zone.Name), needs: needsWAF, ids: []string{zone.ID}, long: true, write: true, hide: secretOf(rule)}
	what := call{method: http.MethodPost, path: "/zones/" + zone.ID + "/rulesets"}
	wire := wireOf(rule)
	if set.ID == "" {
		what.body = newRuleSet{Name: "default", Kind: "zone", Phase: customPhase, Rules: []wireRule{wire}}
	} else {
		q.ids = append(q.ids, set.ID)
		wire.Position = placeOf(rule.Position == 1)
		what.path += "/" + set.ID + "/rules"
		what.body = wire
	}
	return c.writeRules(ctx, q, what, set, dry, func(now ddns.RuleSet) bool { return holds(now, rule) })
}

// EditRule gives a rule of the set another definition, and the first place if
// its Position is 1 and it stands elsewhere. All fields are sent, since
// Cloudflare takes what is missing as empty.
// https://developers.cloudflare.com/ruleset-engine/rulesets-api/update-rule/
func (c *Client) EditRule(ctx context.Context, zone ddns.Zone, set ddns.RuleSet, rule ddns.Rule, dry bool) (ddns.RuleSet, error) {
	q := question{op: fmt.Sprintf("edit the rule %q of %s", rule.Description, zone.Name), needs: needsWAF, ids: []string{zone.ID, set.ID, rule.ID}, long: true, write: true, hide: secretOf(rule)}
	wire := wireOf(rule)
	wire.Position = placeOf(rule.Position == 1 && (len(set.Rules) == 0 || set.Rules[0].ID != rule.ID))
	what := call{method: http.MethodPatch, path: "/zones/" + zone.ID + "/rulesets/" + set.ID + "/rules/" + rule.ID, body: wire}
	return c.writeRules(ctx, q, what, set, dry, func(now ddns.RuleSet) bool { return holds(now, rule) })
}

// DeleteRule deletes a rule of the set.
func (c *Client) DeleteRule(ctx context.Context, zone ddns.Zone, set ddns.RuleSet, rule ddns.Rule, dry bool) (ddns.RuleSet, error) {
	q := question{op: fmt.Sprintf("delete the rule %q of %s", rule.Description, zone.Name), needs: needsWAF, ids: []string{zone.ID, set.ID, rule.ID}, long: true, write: true}
	what := call{method: http.MethodDelete, path: "/zones/" + zone.ID + "/rulesets/" + set.ID + "/rules/" + rule.ID}
	return c.writeRules(ctx, q, what, set, dry, func(now ddns.RuleSet) bool {
		return !slices.ContainsFunc(now.Rules, func(r ddns.Rule) bool { return r.ID == rule.ID })
	})
}

// secretOf is the secret that a rule of ours compares a header with, if it does.
func secretOf(rule ddns.Rule) []ddns.Secret {
	w, _ := ddns.ParseWayIn(rule)
	return []ddns.Secret{w.Secret}
}

// writeRules sends a change and believes it if the answer shows it.
func (c *Client) writeRules(ctx context.Context, q question, what call, before ddns.RuleSet, dry bool, done func(ddns.RuleSet) bool) (ddns.RuleSet, error) {
	if dry {
		q.op, q.write = q.op+" (a rehearsal)", false
		what.path += "?dry_run=true"
	}
	set, err := c.askRules(ctx, q, what)
	switch {
	case dry && (err == nil || errors.Is(err, errNoResult)): // a rehearsal that would have worked has no result
		return before, nil
	case err != nil:
		return ddns.RuleSet{}, err
	case !done(set):
		return ddns.RuleSet{}, untrusted(q, errors.New("the answer does not show the change as it was sent"))
	}
	return set, nil
}

// askRules sends a call that is answered by the rules of the zone.
func (c *Client) askRules(ctx context.Context, q question, what call) (ddns.RuleSet, error) {
	answer, err := askPlain[wireRuleSet](ctx, c, q, what)
	if err != nil {
		return ddns.RuleSet{}, err
	}
	set, err := answer.Result.set()
	if err != nil {
		return ddns.RuleSet{}, untrusted(q, err)
	}
	return set, nil
}

// wireRuleSet is a ruleset as the API spells it.
type wireRuleSet struct {
	ID    string         `json:"id"`
	Phase string         `json:"phase"`
	Rules page[wireRule] `json:"rules"`
}

// newRuleSet is a ruleset to create.
type newRuleSet struct {
	Name  string     `json:"name"`
	Kind  string     `json:"kind"`
	Phase string     `json:"phase"`
	Rules []wireRule `json:"rules"`
}

// wireRule is a rule as the API spells it.
type wireRule struct {
	ID          string         `json:"id,omitempty"`
	Ref         string         `json:"ref,omitempty"`
	Description string         `json:"description"`
	Expression  string         `json:"expression"`
	Action      string         `json:"action"`
	Parameters  *wireSkip      `json:"action_parameters,omitempty"`
	Enabled     *bool          `json:"enabled,omitempty"`
	Logging     *wireLogging   `json:"logging,omitempty"`
	Position    *wireRulePlace `json:"position,omitempty"`
}

// wireSkip is what a skip rule skips; of other rules it stays empty.
type wireSkip struct {
	Ruleset  string   `json:"ruleset,omitempty"`
	Phases   []string `json:"phases,omitempty"`
	Products []string `json:"products,omitempty"`
}

type wireLogging struct {
	Enabled bool `json:"enabled"`
}

type wireRulePlace struct {
	Index int `json:"index"`
}

func placeOf(first bool) *wireRulePlace {
	if !first {
		return nil
	}
	return &wireRulePlace{Index: 1}
}

// wireOf spells a skip rule of ours. What it lets through is logged, so that
// the security events show it at work.
func wireOf(r ddns.Rule) wireRule {
	return wireRule{Ref: r.Ref, Description: r.Description, Expression: r.Expression, Action: r.Action, Enabled: &r.Enabled,
		Parameters: &wireSkip{Ruleset: r.Ruleset, Phases: r.Phases, Products: r.Products}, Logging: &wireLogging{Enabled: true}}
}

// set returns the ruleset in our words.
func (w *wireRuleSet) set() (ddns.RuleSet, error) {
	if w.ID == "" || w.Phase != "" && w.Phase != customPhase {
		return ddns.RuleSet{}, errors.New("the answer is no set of custom rules")
	}
	set := ddns.RuleSet{ID: w.ID, Rules: make([]ddns.Rule, len(w.Rules))}
	for i, r := range w.Rules {
		if r.ID == "" || r.Action == "" {
			return ddns.RuleSet{}, errors.New("the answer holds a rule without ID or action")
		}
		rule := ddns.Rule{ID: r.ID, Ref: r.Ref, Description: r.Description, Expression: r.Expression, Action: r.Action,
			Enabled: r.Enabled == nil || *r.Enabled, Position: i + 1}
		if r.Parameters != nil {
			rule.Products, rule.Phases, rule.Ruleset = r.Parameters.Products, r.Parameters.Phases, r.Parameters.Ruleset
		}
		set.Rules[i] = rule
	}
	return set, nil
}

// holds reports whether a set shows a rule as it was sent.
func holds(set ddns.RuleSet, sent ddns.Rule) bool {
	return slices.ContainsFunc(set.Rules, func(r ddns.Rule) bool {
		return (sent.ID == "" || r.ID == sent.ID) && (sent.Position != 1 || r.Position == 1) &&
			r.Description == sent.Description && strings.Join(strings.Fields(r.Expression), " ") == sent.Expression &&
			r.Action == sent.Action && r.Enabled == sent.Enabled && r.Ruleset == sent.Ruleset &&
			slices.Equal(r.Products, sent.Products) && slices.Equal(r.Phases, sent.Phases)
	})
}
