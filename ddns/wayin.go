package ddns

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// WayIn is the way past Cloudflare's defences for one script host: a WAF skip
// rule of a zone, as narrow as it can be. It names the hosts, says who comes
// (by address, by a secret header, or both), until when, and what is skipped.
// https://developers.cloudflare.com/waf/custom-rules/skip/
type WayIn struct {
	Name  string   // ours to give: lower-case letters, digits and hyphens
	Hosts []string // complete, lower case, Punycode; at least one
	// Addresses the host comes from. An IPv6 address is let in with its /64,
	// since hosts change the rest of it at will (RFC 8981).
	Addresses []netip.Prefix
	Header    string // name of a header, lower case; empty: none is asked for
	Secret    Secret // what that header must hold
	Until     time.Time
	// Skips are words of SkipWords. None means SkipLevel alone.
	Skips []string
	// Insist enables a rule that somebody disabled in the dashboard.
	Insist bool
}

// The words for what a way in skips.
const (
	SkipLevel  = "securityLevel" // Under Attack mode and the security level
	SkipCustom = "custom"        // the zone's own custom rules that follow
)

// skip is what a word stands for in a rule.
type skip struct{ word, product, phase, ruleset, means string }

// skips are all words, in the order in which rules list them.
// https://developers.cloudflare.com/waf/custom-rules/skip/options/
func skips() []skip {
	return []skip{
		{SkipLevel, "securityLevel", "", "", "Under Attack mode and the security level"},
		{"bic", "bic", "", "", "the browser integrity check"},
		{"uaBlock", "uaBlock", "", "", "user agent blocking"},
		{"hot", "hot", "", "", "hotlink protection"},
		{"zoneLockdown", "zoneLockdown", "", "", "zone lockdown"},
		{"rateLimit", "rateLimit", "http_ratelimit", "", "rate limiting rules"},
		{"waf", "waf", "http_request_firewall_managed", "", "managed rules"},
		{"sbfm", "", "http_request_sbfm", "", "Super Bot Fight Mode"},
		{SkipCustom, "", "", "current", "your own custom rules"},
	}
}

// SkipWords are the words a way in may list.
func SkipWords() []string {
	var words []string
	for _, s := range skips() {
		words = append(words, s.word)
	}
	return words
}

// wayInMark begins the description of our rules. The ref alone would do if it
// survived every edit in the dashboard; what both say cannot be a coincidence.
const wayInMark = "cfddns: way in of "

func (w WayIn) ref() string         { return "cfddns-" + w.Name }
func (w WayIn) description() string { return wayInMark + w.Name + " (kept by cfddns)" }

// is reports whether a rule is the one of this way in.
func (w WayIn) is(r Rule) bool {
	return r.Ref == w.ref() || r.Description == w.description()
}

// Ours returns the name of the way in that a rule is, if it is one of ours.
func Ours(r Rule) (name string, ours bool) {
	if rest, ok := strings.CutPrefix(r.Description, wayInMark); ok {
		name, _, _ = strings.Cut(rest, " ")
	} else {
		name, ok = strings.CutPrefix(r.Ref, "cfddns-")
		if !ok {
			return "", false
		}
	}
	return name, wayInName(name)
}

// wayInName reports whether a word can name a way in.
func wayInName(name string) bool {
	plain := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' }
	return name != "" && len(name) <= 32 && strings.Trim(name, "-") == name && strings.IndexFunc(name, func(r rune) bool { return !plain(r) }) < 0
}

// CheckWayInName says what is wrong with the name of a way in; nil if nothing is.
func CheckWayInName(name string) error {
	if wayInName(name) {
		return nil
	}
	return fmt.Errorf("%q is no name of a way in: write up to 32 lower-case letters, digits and hyphens", name)
}

// longestExpression is the most that Cloudflare takes.
const longestExpression = 4096

// Validate says what is wrong with a way in; nil if it can be made a rule.
func (w WayIn) Validate() error {
	var wrong []error
	if err := CheckWayInName(w.Name); err != nil {
		wrong = append(wrong, err)
	}
	if len(w.Hosts) == 0 {
		wrong = append(wrong, errors.New("it names no host: a way in is for the hosts that the script calls, and no others"))
	}
	for _, h := range w.Hosts {
		if !plainHost(h) {
			wrong = append(wrong, fmt.Errorf("%q is no host name that a rule can compare", h))
		}
	}
	if len(w.Addresses) == 0 && w.Header == "" {
		wrong = append(wrong, errors.New("it says neither from which address nor with which header the host comes"))
	}
	for _, p := range w.Addresses {
		wrong = append(wrong, Narrow(p))
	}
	if w.Header != "" && (!plainHeader(w.Header) || !plainSecret(w.Secret.Reveal())) {
		wrong = append(wrong, errors.New("its header cannot be compared by a rule: the name is of lower-case letters, digits and hyphens, the secret of 16 to 128 letters, digits, - and _"))
	}
	for _, word := range w.Skips {
		if !slices.Contains(SkipWords(), word) {
			wrong = append(wrong, fmt.Errorf("%q cannot be skipped; write %s", word, strings.Join(SkipWords(), ", ")))
		}
	}
	if n := len(w.expression(w.Secret.Reveal())); n > longestExpression {
		wrong = append(wrong, fmt.Errorf("its rule would be %d characters long, and Cloudflare takes %d: name fewer hosts", n, longestExpression))
	}
	return errors.Join(wrong...)
}

// Narrow refuses addresses that are shared with strangers, or are so many that
// the rule would be a hole: everybody there would walk past the defences.
func Narrow(p netip.Prefix) error {
	a := p.Addr()
	if !p.IsValid() {
		return errors.New("no address")
	}
	if least := map[bool]int{true: 24, false: 48}[a.Is4()]; p.Bits() < least {
		return fmt.Errorf("%s is too wide for a way in: a /%d is the most, the one address is best", p, least)
	}
	if err := Sane(a, FamilyOf(a)); err != nil && !Documentation(a) {
		return fmt.Errorf("%w: whoever shares it would come in as well, or nobody would", err)
	}
	return nil
}

// Admit returns the prefix by which an address is let in: IPv4 as it is, IPv6
// with its /64.
func Admit(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return netip.PrefixFrom(a, 32)
	}
	return netip.PrefixFrom(a, 64).Masked()
}

// plainHost, plainHeader and plainSecret let through only what needs no
// quoting in an expression.
func plainHost(host string) bool {
	return host != "" && len(host) <= 253 && strings.IndexFunc(host, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	}) < 0
}

func plainHeader(name string) bool {
	return plainHost(name) && !strings.ContainsAny(name, "._") && len(name) <= 64
}

func plainSecret(secret string) bool {
	return len(secret) >= 16 && len(secret) <= 128 && strings.IndexFunc(secret, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}) < 0
}

// expression is the rule's condition, with a given word for the secret.
// https://developers.cloudflare.com/ruleset-engine/rules-language/
func (w WayIn) expression(secret string) string {
	hosts := slices.Sorted(slices.Values(w.Hosts))
	quoted := make([]string, 0, len(hosts))
	for _, h := range slices.Compact(hosts) {
		quoted = append(quoted, strconv.Quote(h))
	}
	parts := []string{"http.host in {" + strings.Join(quoted, " ") + "}"}
	if len(w.Addresses) > 0 {
		parts = append(parts, "ip.src in {"+strings.Join(prefixWords(w.Addresses), " ")+"}")
	}
	if w.Header != "" {
		parts = append(parts, fmt.Sprintf("any(http.request.headers[%q][*] eq %q)", w.Header, secret))
	}
	if !w.Until.IsZero() {
		parts = append(parts, fmt.Sprintf("http.request.timestamp.sec lt %d", w.Until.Unix()))
	}
	return "(" + strings.Join(parts, " and ") + ")"
}

// prefixWords spells prefixes, each once and in order; that of one address as
// the address.
func prefixWords(prefixes []netip.Prefix) []string {
	sorted := slices.Clone(prefixes)
	slices.SortFunc(sorted, func(a, b netip.Prefix) int { return cmp.Or(a.Addr().Compare(b.Addr()), a.Bits()-b.Bits()) })
	var words []string
	for _, p := range slices.Compact(sorted) {
		if p.IsSingleIP() {
			words = append(words, p.Addr().String())
		} else {
			words = append(words, p.String())
		}
	}
	return words
}

// Rule is the way in as a rule.
func (w WayIn) Rule() Rule {
	r := Rule{Ref: w.ref(), Description: w.description(), Expression: w.expression(w.Secret.Reveal()), Action: "skip", Enabled: true}
	wanted := w.Skips
	if len(wanted) == 0 {
		wanted = []string{SkipLevel}
	}
	for _, s := range skips() {
		if !slices.Contains(wanted, s.word) {
			continue
		}
		if s.product != "" {
			r.Products = append(r.Products, s.product)
		}
		if s.phase != "" {
			r.Phases = append(r.Phases, s.phase)
		}
		r.Ruleset = cmp.Or(r.Ruleset, s.ruleset)
	}
	return r
}

// Over reports whether the way in has ended.
func (w WayIn) Over(now time.Time) bool { return !w.Until.IsZero() && !now.Before(w.Until) }

// String says whom the way in lets in, where and past what. The secret is not
// shown.
func (w WayIn) String() string {
	var who []string
	if len(w.Addresses) > 0 {
		who = append(who, strings.Join(prefixWords(w.Addresses), ", "))
	}
	if w.Header != "" {
		who = append(who, "whoever sends the right "+w.Header)
	}
	text := fmt.Sprintf("%s → %s", strings.Join(who, " with "), strings.Join(w.Hosts, ", "))
	wanted := w.Skips
	if len(wanted) == 0 {
		wanted = []string{SkipLevel}
	}
	var past []string
	for _, s := range skips() {
		if slices.Contains(wanted, s.word) {
			past = append(past, s.means)
		}
	}
	text += ", past " + strings.Join(past, ", ")
	if !w.Until.IsZero() {
		text += ", until " + w.Until.UTC().Format(time.RFC3339)
	}
	return text
}
