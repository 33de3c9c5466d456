package sandbox

import (
	"net/http"
	"slices"
	"time"
)

// rulesWrite is a write to the custom rules of a zone: it makes a new ruleset
// of the old one, which is nil if the zone has none; nil deletes it.
type rulesWrite func(old *ruleset, plan string, now time.Time) (*ruleset, error)

// writeRules does a write, or only tries it: `?dry_run=true` is checked as the
// write itself is, stores nothing and answers null.
// https://developers.cloudflare.com/ruleset-engine/rulesets-api/dry-run/
func (s *Sandbox) writeRules(c *call, write rulesWrite) answer {
	dry := c.URL.Query().Get("dry_run")
	if !slices.Contains([]string{"", "true", "false"}, dry) {
		return failed(invalid(20130, "'%s' is not a valid value for dry_run because it is neither true nor false", dry))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	z, err := s.zone(c)
	if err != nil {
		return failed(err)
	}
	next, err := write(z.rules, z.Plan, c.now)
	switch {
	case err != nil:
		return failed(err)
	case dry == "true":
		return answer{}
	}
	z.rules = next
	if next == nil {
		return answer{status: http.StatusNoContent}
	}
	return answer{result: next.view(true)}
}

// writeThis is writeRules for a path that names the ruleset, which then is there.
func (s *Sandbox) writeThis(c *call, write rulesWrite) answer {
	return s.writeRules(c, func(old *ruleset, plan string, now time.Time) (*ruleset, error) {
		if err := thisRuleset(c, old); err != nil {
			return nil, err
		}
		return write(old, plan, now)
	})
}

// phase checks the phase of a path.
func (s *Sandbox) phase(c *call) error {
	phase := c.PathValue("phase")
	switch {
	case !slices.Contains(phases(), phase):
		return invalid(20010, "'%s' is not a valid value for phase because it is not a known phase", phase)
	case c.Method != http.MethodGet && phase != customPhase:
		return noOtherPhase(phase)
	}
	return nil
}

func noOtherPhase(phase string) error {
	return refuse(http.StatusForbidden, 20011, "not entitled to the phase %s: in this sandbox only %s has rules", phase, customPhase)
}

func (s *Sandbox) listRulesets(c *call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	z, err := s.zone(c)
	if err != nil {
		return failed(err)
	}
	all := []rulesetView{}
	if z.rules != nil {
		all = append(all, z.rules.view(false))
	}
	return answer{result: all}
}

func (s *Sandbox) getEntrypoint(c *call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	z, err := s.zone(c)
	if err == nil {
		err = s.phase(c)
	}
	phase := c.PathValue("phase")
	switch {
	case err != nil:
		return failed(err)
	case z.rules == nil || phase != customPhase:
		return failed(refuse(http.StatusNotFound, 10003, "could not find entrypoint ruleset in the %s phase", phase))
	}
	return answer{result: z.rules.view(true)}
}

func (s *Sandbox) getRuleset(c *call) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	z, err := s.zone(c)
	if err == nil {
		err = thisRuleset(c, z.rules)
	}
	if err != nil {
		return failed(err)
	}
	return answer{result: z.rules.view(true)}
}

// thisRuleset tells whether the ruleset of a path is the zone's.
func thisRuleset(c *call, rules *ruleset) error {
	if id := c.PathValue("ruleset"); rules == nil || rules.id != id {
		return refuse(http.StatusNotFound, 10003, "could not find ruleset %s", id)
	}
	return nil
}

// rulesetBody is a ruleset as a client writes it.
type rulesetBody struct {
	Name        *string    `json:"name"`
	Description *string    `json:"description"`
	Kind        string     `json:"kind"`
	Phase       string     `json:"phase"`
	Rules       []ruleBody `json:"rules"`
}

// fill makes a ruleset of the body's rules alone. A rule that gives the id of
// one that is there keeps it.
func (b rulesetBody) fill(old ruleset, plan string, now time.Time) (*ruleset, error) {
	if b.Name != nil {
		old.name = *b.Name
	}
	if b.Description != nil {
		old.description = *b.Description
	}
	rules := make([]*rule, 0, len(b.Rules))
	for _, body := range b.Rules {
		id, version := newID(), 0
		if i, err := old.find(body.ID); err == nil {
			id, version = body.ID, old.rules[i].version
		}
		r, err := body.settle(id, plan)
		if err != nil {
			return nil, err
		}
		r.version, r.updated = version+1, now
		rules = append(rules, r)
	}
	return old.with(rules, plan, now)
}

func newRuleset() ruleset { return ruleset{id: newID(), name: "default"} }

func (s *Sandbox) createRuleset(c *call) answer {
	var body rulesetBody
	if err := c.body(&body); err != nil {
		return failed(err)
	}
	return s.writeRules(c, func(old *ruleset, plan string, now time.Time) (*ruleset, error) {
		switch {
		case body.Kind != "zone":
			return nil, invalid(20021, "'%s' is not a valid value for kind because a zone's own rulesets are of the kind zone", body.Kind)
		case !slices.Contains(phases(), body.Phase):
			return nil, invalid(20010, "'%s' is not a valid value for phase because it is not a known phase", body.Phase)
		case body.Phase != customPhase:
			return nil, noOtherPhase(body.Phase)
		case body.Name == nil || *body.Name == "":
			return nil, invalid(20125, "'' is not a valid value for name because it must not be empty")
		case old != nil:
			return nil, invalid(20217, "'zone' is not a valid value for kind because exceeded maximum number of zone rulesets for phase %s", body.Phase)
		}
		return body.fill(newRuleset(), plan, now)
	})
}

// putEntrypoint replaces all rules of the phase by those of the body.
func (s *Sandbox) putEntrypoint(c *call) answer {
	if err := s.phase(c); err != nil {
		return failed(err)
	}
	var body rulesetBody
	if err := c.body(&body); err != nil {
		return failed(err)
	}
	return s.writeRules(c, func(old *ruleset, plan string, now time.Time) (*ruleset, error) {
		if old == nil {
			return body.fill(newRuleset(), plan, now)
		}
		return body.fill(*old, plan, now)
	})
}

func (s *Sandbox) putRuleset(c *call) answer {
	var body rulesetBody
	if err := c.body(&body); err != nil {
		return failed(err)
	}
	return s.writeThis(c, func(old *ruleset, plan string, now time.Time) (*ruleset, error) {
		return body.fill(*old, plan, now)
	})
}

func (s *Sandbox) deleteRuleset(c *call) answer {
	return s.writeThis(c, func(*ruleset, string, time.Time) (*ruleset, error) { return nil, nil })
}

func (s *Sandbox) createRule(c *call) answer {
	var body ruleBody
	if err := c.body(&body); err != nil {
		return failed(err)
	}
	return s.writeThis(c, func(old *ruleset, plan string, now time.Time) (*ruleset, error) {
		r, err := body.settle(newID(), plan)
		if err != nil {
			return nil, err
		}
		r.version, r.updated = 1, now
		rules, err := place(old.rules, r, body.Position)
		if err != nil {
			return nil, err
		}
		return old.with(rules, plan, now)
	})
}

// patchRule gives a rule a whole new definition, or only another place.
// https://developers.cloudflare.com/ruleset-engine/rulesets-api/update-rule/
func (s *Sandbox) patchRule(c *call) answer {
	var body ruleBody
	if err := c.body(&body); err != nil {
		return failed(err)
	}
	return s.writeThis(c, func(old *ruleset, plan string, now time.Time) (*ruleset, error) {
		i, err := old.find(c.PathValue("rule"))
		if err != nil {
			return nil, err
		}
		r := old.rules[i]
		if !body.onlyPosition() {
			version := r.version
			if r, err = body.settle(r.id, plan); err != nil {
				return nil, err
			}
			r.version, r.updated = version+1, now
		}
		rules := slices.Clone(old.rules)
		rules[i] = r
		if body.Position != nil {
			if rules, err = place(slices.Delete(rules, i, i+1), r, body.Position); err != nil {
				return nil, err
			}
		}
		return old.with(rules, plan, now)
	})
}

func (s *Sandbox) deleteRule(c *call) answer {
	return s.writeThis(c, func(old *ruleset, plan string, now time.Time) (*ruleset, error) {
		i, err := old.find(c.PathValue("rule"))
		if err != nil {
			return nil, err
		}
		return old.with(slices.Delete(slices.Clone(old.rules), i, i+1), plan, now)
	})
}
