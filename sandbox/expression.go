package sandbox

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// The expressions of Cloudflare's rules are compiled once and evaluated for
// every request of the edge. What is understood is what people write for web
// requests; whatever is not is refused, never ignored.
// https://developers.cloudflare.com/ruleset-engine/rules-language/
//
//	expression = term { ("or" | "xor" | "and") term }, "and" before "xor" before "or"
//	term       = "not" term | "(" expression ")" | any(…) | all(…) | comparison
//	comparison = operand [ operator literal | "in" "{" literals "}" ]
//	operand    = field | function "(" operand ["," text] ")"

// visit is one request as an expression sees it.
type visit struct {
	client    netip.Addr
	host      string // lower case, without port
	method    string
	uri       string // path and query
	path      string
	query     string
	userAgent string
	scheme    string // "http" or "https"
	header    http.Header
	at        time.Time
}

// predicate is a compiled expression.
type predicate func(*visit) bool

// kind is the type of a field or a literal.
type kind int

const (
	kindText kind = iota
	kindNumber
	kindAddress
	kindTruth
)

// datum is a value of one of the kinds.
type datum struct {
	text    string
	number  int64
	address netip.Addr
	truth   bool
}

// operand is the left side of a comparison. An operand that is many has any
// number of values; one that is not has one, or none if the request lacks it.
type operand struct {
	kind kind
	many bool
	of   func(*visit) []datum
}

func textField(of func(*visit) string) operand {
	return operand{kind: kindText, of: func(v *visit) []datum { return []datum{{text: of(v)}} }}
}

func numberField(of func(*visit) int64) operand {
	return operand{kind: kindNumber, of: func(v *visit) []datum { return []datum{{number: of(v)}} }}
}

// fieldNamed returns a field of the request.
// https://developers.cloudflare.com/ruleset-engine/rules-language/fields/reference/
func fieldNamed(name string) (operand, bool) {
	switch name {
	case "http.host":
		return textField(func(v *visit) string { return v.host }), true
	case "http.request.method":
		return textField(func(v *visit) string { return v.method }), true
	case "http.request.uri":
		return textField(func(v *visit) string { return v.uri }), true
	case "http.request.uri.path":
		return textField(func(v *visit) string { return v.path }), true
	case "http.request.uri.query":
		return textField(func(v *visit) string { return v.query }), true
	case "http.request.full_uri":
		return textField(func(v *visit) string { return v.scheme + "://" + v.host + v.uri }), true
	case "http.user_agent":
		return textField(func(v *visit) string { return v.userAgent }), true
	case "http.referer":
		return textField(func(v *visit) string { return v.header.Get("Referer") }), true
	case "http.cookie":
		return textField(func(v *visit) string { return v.header.Get("Cookie") }), true
	case "ip.src.country", "ip.geoip.country":
		return textField(func(*visit) string { return clientCountry }), true
	case "ip.src.asnum", "ip.geoip.asnum":
		return numberField(func(*visit) int64 { return clientASN }), true
	case "cf.threat_score": // always 0 since 2025-03
		return numberField(func(*visit) int64 { return 0 }), true
	case "http.request.timestamp.sec":
		return numberField(func(v *visit) int64 { return v.at.Unix() }), true
	case "ip.src":
		return operand{kind: kindAddress, of: func(v *visit) []datum { return []datum{{address: v.client}} }}, true
	case "ssl":
		return operand{kind: kindTruth, of: func(v *visit) []datum { return []datum{{truth: v.scheme == "https"}} }}, true
	case "cf.client.bot":
		return operand{kind: kindTruth, of: func(v *visit) []datum { return []datum{{truth: strings.Contains(v.userAgent, "Googlebot")}} }}, true
	}
	return operand{}, false
}

// Every visitor of this world comes from one network of one country.
const (
	clientCountry = "DE"
	clientASN     = 64512 // for private use, RFC 6996
)

// headersNamed is http.request.headers["NAME"].
func headersNamed(name string) operand {
	key := http.CanonicalHeaderKey(name)
	return operand{kind: kindText, many: true, of: func(v *visit) []datum {
		var all []datum
		for _, value := range v.header.Values(key) {
			all = append(all, datum{text: value})
		}
		return all
	}}
}

// at makes one value of many: the one at a place, if it is there.
func (o operand) at(place int) operand {
	return operand{kind: o.kind, of: func(v *visit) []datum {
		if all := o.of(v); place < len(all) {
			return all[place : place+1]
		}
		return nil
	}}
}

// mapped applies a function to every value.
func (o operand) mapped(to kind, f func(datum) datum) operand {
	return operand{kind: to, many: o.many, of: func(v *visit) []datum {
		var all []datum
		for _, d := range o.of(v) {
			all = append(all, f(d))
		}
		return all
	}}
}

// some is true if one value passes; every, if none fails.
func (o operand) some(pass func(datum) bool) predicate {
	return func(v *visit) bool {
		for _, d := range o.of(v) {
			if pass(d) {
				return true
			}
		}
		return false
	}
}

func (o operand) every(pass func(datum) bool) predicate {
	fails := o.some(func(d datum) bool { return !pass(d) })
	return func(v *visit) bool { return !fails(v) }
}

// functionNamed applies a function of one argument, or of an argument and a text.
// https://developers.cloudflare.com/ruleset-engine/rules-language/functions/
func functionNamed(name string, o operand, second string) operand {
	switch name {
	case "lower":
		return o.mapped(kindText, func(d datum) datum { return datum{text: strings.ToLower(d.text)} })
	case "upper":
		return o.mapped(kindText, func(d datum) datum { return datum{text: strings.ToUpper(d.text)} })
	case "len":
		return o.mapped(kindNumber, func(d datum) datum { return datum{number: int64(len(d.text))} })
	case "starts_with":
		return o.mapped(kindTruth, func(d datum) datum { return datum{truth: strings.HasPrefix(d.text, second)} })
	default: // ends_with
		return o.mapped(kindTruth, func(d datum) datum { return datum{truth: strings.HasSuffix(d.text, second)} })
	}
}

// wildcard judges a text by a pattern in which * stands for anything; a pattern
// that is not strict minds no case.
func wildcard(pattern string, strict bool) func(datum) bool {
	if !strict {
		pattern = strings.ToLower(pattern)
	}
	parts := strings.Split(pattern, "*")
	return func(d datum) bool {
		rest := d.text
		if !strict {
			rest = strings.ToLower(rest)
		}
		rest, ok := strings.CutPrefix(rest, parts[0])
		if len(parts) == 1 {
			return ok && rest == ""
		}
		for _, part := range parts[1 : len(parts)-1] {
			_, after, found := strings.Cut(rest, part)
			ok = ok && found
			rest = after
		}
		return ok && strings.HasSuffix(rest, parts[len(parts)-1])
	}
}

// syntaxError says where an expression is wrong, as Cloudflare words it.
type syntaxError struct {
	text string
	at   int // bytes before it
	what string
}

func (e *syntaxError) Error() string {
	before := e.text[:e.at]
	line := 1 + strings.Count(before, "\n")
	column := len(before) - strings.LastIndexByte(before, '\n')
	shown, _, _ := strings.Cut(e.text[strings.LastIndexByte(before, '\n')+1:], "\n")
	return fmt.Sprintf("Filter parsing error (%d:%d):\n%s\n%s^ %s", line, column, shown, strings.Repeat(" ", column-1), e.what)
}
