package sandbox

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Defences are Cloudflare's switches, beside the zones' own rules and Under
// Attack mode, that turn away visitors. The zero value lets everybody in.
type Defences struct {
	// UnderAttackPath is the path of a Configuration Rule that switches Under
	// Attack mode on for what begins so; the zone setting does not show it.
	UnderAttackPath string `json:"under_attack_path"`
	// BIC is the Browser Integrity Check: whatever is no browser is blocked
	// with error 1010. A rule may skip it ("bic").
	BIC bool `json:"bic"`
	// BotFight is Bot Fight Mode of the Free plan: whatever is no browser is
	// challenged. No rule can skip it.
	BotFight bool `json:"bot_fight"`
	// ManagedRule is the expression of a managed rule that blocks. A rule may
	// skip its phase or the product "waf".
	ManagedRule string `json:"managed_rule"`
	// Flood is how many requests one client may make within ten seconds
	// before an HTTP DDoS rule challenges it; 0 means any number. No rule can
	// skip it.
	Flood int `json:"flood"`
}

// SetDefences sets the switches. It is an error if the managed rule's
// expression cannot be read.
func (s *Sandbox) SetDefences(d Defences) error {
	managed := predicate(nothing)
	if d.ManagedRule != "" {
		var err error
		if managed, err = compile(d.ManagedRule); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.defences, s.managed = d, managed
	s.floods = nil
	return nil
}

// Defences returns the switches as they are.
func (s *Sandbox) Defences() Defences {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.defences
}

// sanction is one thing that security did to a request.
type sanction struct {
	action string // as events call it
	source string
	rule   string // the rule's ID, or the name of what has none
}

// final reports whether the request ends there.
func (d sanction) final() bool { return d.action != "skip" && d.action != "log" && d.action != "" }

// defend decides what becomes of a request: all that is noted of it, in order.
// Only the last may be final.
// https://developers.cloudflare.com/waf/feature-interoperability/
func (s *Sandbox) defend(v *visit, rules *ruleset) []sanction {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flooding(v) {
		return []sanction{{"managed_challenge", "l7ddos", "http-flood"}}
	}
	done, skipped := rules.run(v)
	if n := len(done); n > 0 && done[n-1].final() {
		return done
	}
	machine := !strings.Contains(v.userAgent, "Mozilla/")
	attack := s.underAttack || s.defences.UnderAttackPath != "" && strings.HasPrefix(v.path, s.defences.UnderAttackPath)
	switch {
	case attack && !slices.Contains(skipped, "securityLevel"):
		done = append(done, sanction{"jschallenge", "securitylevel", "iuam"})
	case s.defences.BIC && machine && !slices.Contains(skipped, "bic"):
		done = append(done, sanction{"block", "bic", "bic"})
	case s.defences.BotFight && machine:
		done = append(done, sanction{"managed_challenge", "botFight", "bot_fight_mode"})
	case s.managed != nil && s.managed(v) && !slices.Contains(skipped, "waf") && !slices.Contains(skipped, "http_request_firewall_managed"):
		done = append(done, sanction{"block", "firewallManaged", idOf("managed rule")})
	}
	return done
}

// run runs the custom rules in their order, up to the one that ends the
// request or says that the rest is skipped. skipped are the products and
// phases that come later and shall not see the request.
func (s *ruleset) run(v *visit) (done []sanction, skipped []string) {
	if s == nil {
		return nil, nil
	}
	for _, r := range s.rules {
		if !r.enabled || !r.matches(v) {
			continue
		}
		d := sanction{r.action, "firewallCustom", r.id}
		if r.action == "js_challenge" {
			d.action = "jschallenge"
		}
		if r.action != "skip" || r.logging != nil && *r.logging {
			done = append(done, d)
		}
		skipped = append(append(skipped, r.skip.Products...), r.skip.Phases...)
		if d.final() || r.skip.Ruleset != "" || r.skip.Phase != "" {
			return done, skipped
		}
	}
	return done, skipped
}

// flood counts the requests of a client in the present ten seconds.
type flood struct {
	since    time.Time
	requests int
}

const (
	floodWindow = 10 * time.Second
	maxFloods   = 1000 // clients that are counted
)

// flooding counts a request, and reports whether its client made too many. The
// caller holds s.mu.
func (s *Sandbox) flooding(v *visit) bool {
	if s.defences.Flood <= 0 {
		return false
	}
	if s.floods == nil || len(s.floods) > maxFloods {
		s.floods = make(map[netip.Addr]flood)
	}
	f := s.floods[v.client]
	if v.at.Sub(f.since) >= floodWindow {
		f = flood{since: v.at}
	}
	f.requests++
	s.floods[v.client] = f
	return f.requests > s.defences.Flood
}

// turnAway answers a request that security ended.
func (s *Sandbox) turnAway(w http.ResponseWriter, r *http.Request, d sanction) {
	switch {
	case d.action != "block":
		challenge(w)
	case d.source == "bic":
		s.edgeError(w, r, troubleOf(1010))
	case d.source == "firewallManaged":
		say(w, http.StatusForbidden, "text/html; charset=UTF-8", blockedPage)
	default:
		s.edgeError(w, r, troubleOf(1020))
	}
}

// blockedPage is what a managed rule shows to whom it blocks.
const blockedPage = `<!DOCTYPE html>
<html lang="en-US"><head><title>Attention Required! | Cloudflare</title></head>
<body><h1>Sorry, you have been blocked</h1><h2>You are unable to access this site</h2></body></html>
`
