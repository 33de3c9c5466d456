package ddns

import (
	"net/netip"
	"time"
)

// Rule is a WAF custom rule of a zone. Position is its place, 1 for the first.
// https://developers.cloudflare.com/waf/custom-rules/
type Rule struct {
	ID          string
	Ref         string // ours to set; ties a rule to what it is for
	Description string
	Expression  string
	Action      string // "skip", "block", "managed_challenge", …
	Enabled     bool
	Products    []string // what a skip rule skips: "securityLevel", "bic", …
	Phases      []string // which phases it skips
	Ruleset     string   // "current": the remaining custom rules are skipped
	Position    int
}

// RuleSet is the custom rules of a zone, in their order. Without an ID the zone
// has none yet.
type RuleSet struct {
	ID    string
	Rules []Rule
}

// SecurityEvent is what Cloudflare's security did to one request.
// https://developers.cloudflare.com/waf/analytics/security-events/
type SecurityEvent struct {
	At        time.Time
	Action    string // "managed_challenge", "jschallenge", "block", "skip", …
	Source    string // which product: "securitylevel", "firewallCustom", "bic", "botFight", "l7ddos", …
	RuleID    string
	Client    netip.Addr
	Host      string
	Method    string
	Path      string
	UserAgent string
}

// MinuteStatus counts the answers of one host, one minute and one status.
type MinuteStatus struct {
	At       time.Time // the beginning of the minute
	Host     string
	Status   int
	Requests int
}
