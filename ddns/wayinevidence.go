package ddns

import (
	"fmt"
	"slices"
	"strings"
)

// Evidence is what the security events of one client say about the way in it
// needs: no more is skipped than what was seen to stop it.
type Evidence struct {
	Skips   []string // words of SkipWords, in their order
	Seen    []string // who stopped it, how often
	Own     []string // descriptions of the zone's own rules that stopped it
	Cannot  []string // what stopped it and no rule can skip, and what else can be done
	Stopped int      // events in which it was stopped
}

// evident says which word skips the source of an event.
// https://developers.cloudflare.com/waf/custom-rules/skip/options/
func evident(source string, zone Zone) (word string, known bool) {
	switch strings.ToLower(source) {
	case "securitylevel":
		return SkipLevel, true
	case "bic":
		return "bic", true
	case "firewallmanaged", "waf", "waf_attack_score":
		return "waf", true
	case "ratelimit":
		return "rateLimit", true
	case "uablock":
		return "uaBlock", true
	case "hot":
		return "hot", true
	case "zonelockdown":
		return "zoneLockdown", true
	case "firewallcustom", "firewallrules":
		return SkipCustom, true
	case "botfight", "sbfm", "botmanagement":
		if planName(zone) != "free" {
			return "sbfm", true
		}
	}
	return "", false
}

// stops reports whether an action keeps a program out.
func stops(action string) bool {
	a := strings.ToLower(action)
	for _, passed := range []string{"skip", "allow", "log", "bypass", "simulate", "rewrite"} {
		if a == passed {
			return false
		}
	}
	return !strings.HasSuffix(a, "_solved") && !strings.HasSuffix(a, "_bypassed") && !strings.HasSuffix(a, "_bypass")
}

// EvidenceOf judges the events of one client. It is pure.
func EvidenceOf(events []SecurityEvent, set RuleSet, zone Zone) Evidence {
	var e Evidence
	count := map[string]int{}
	found := map[string]bool{}
	for _, event := range events {
		if !stops(event.Action) {
			continue
		}
		e.Stopped++
		count[event.Source]++
		if word, ok := evident(event.Source, zone); ok {
			found[word] = true
		}
		if i := slices.IndexFunc(set.Rules, func(r Rule) bool { return r.ID == event.RuleID && event.RuleID != "" }); i >= 0 {
			if own := set.Rules[i].Description; !slices.Contains(e.Own, own) {
				e.Own = append(e.Own, own)
			}
		}
	}
	for _, word := range SkipWords() {
		if found[word] {
			e.Skips = append(e.Skips, word)
		}
	}
	for source, n := range count {
		e.Seen = append(e.Seen, fmt.Sprintf("%s %d×", source, n))
		if _, ok := evident(source, zone); !ok {
			e.Cannot = append(e.Cannot, unskippable(source))
		}
	}
	slices.Sort(e.Seen)
	slices.Sort(e.Cannot)
	slices.Sort(e.Own)
	return e
}

// unskippable says what can be done about a product that no rule skips.
func unskippable(source string) string {
	switch strings.ToLower(source) {
	case "botfight", "sbfm", "botmanagement":
		return "Bot Fight Mode stopped it, and no rule of the Free plan skips that: switch it off (dashboard > Security > Settings > Bot Fight Mode)"
	case "l7ddos":
		return "Cloudflare's HTTP DDoS protection stopped it, and no rule skips that: send fewer requests at a time (retries too), or lower its sensitivity (dashboard > Security > Settings > HTTP DDoS attack protection)"
	default:
		return fmt.Sprintf("%s stopped it, and it is not known here how that is skipped: look at the event in the dashboard (Security > Analytics > Events)", source)
	}
}
