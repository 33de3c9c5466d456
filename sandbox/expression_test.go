package sandbox

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// aVisit is a request of a script host.
func aVisit() *visit {
	return &visit{
		client: netip.MustParseAddr("45.90.28.4"), host: "api.example.com", method: "POST",
		uri: "/v1/hook?x=1", path: "/v1/hook", query: "x=1", userAgent: "script/1.0", scheme: "https",
		header: http.Header{"X-Key": {"one", "two"}, "Cookie": {"a=b"}}, at: time.Unix(1_800_000_000, 0),
	}
}

func TestExpressionsAreTrueOrFalse(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]bool{
		`true`: true, `false`: false, `not false`: true, `!true`: false, ` ( true )`: true,
		`http.host eq "api.example.com"`:                                         true,
		`http.host == "www.example.com"`:                                         false,
		`http.host in {"www.example.com" "api.example.com"}`:                     true,
		`(http.host eq "api.example.com" and ip.src in {45.90.28.4 2a01::/64})`:  true,
		`ip.src in {45.90.28.0/24}`:                                              true,
		`ip.src in {45.90.28.0..45.90.28.3}`:                                     false,
		`ip.src in {45.90.28.0..45.90.28.9}`:                                     true,
		`ip.src eq 45.90.28.4`:                                                   true,
		`ip.src ne 45.90.28.4`:                                                   false,
		`ip.src in {2a01:4f8::/32}`:                                              false,
		`not ip.src in {45.90.28.4} and true`:                                    false,
		`http.request.method ne "GET" && http.request.uri.path contains "/hook"`: true,
		`starts_with(http.request.uri.path, "/v1/")`:                             true,
		`ends_with(lower(http.host), ".COM")`:                                    false,
		`starts_with(upper(http.host), "API") xor ssl`:                           false,
		`len(http.request.uri.query) eq 3`:                                       true,
		`http.request.timestamp.sec lt 1800000001`:                               true,
		`http.request.timestamp.sec ge 1800000001`:                               false,
		`any(http.request.headers["x-key"][*] eq "two")`:                         true,
		`all(http.request.headers["x-key"][*] eq "two")`:                         false,
		`any(http.request.headers["x-none"][*] eq "two")`:                        false,
		`any(upper(http.request.headers["x-key"][*]) eq "TWO")`:                  true,
		`http.request.headers["x-key"][0] eq "one"`:                              true,
		`http.request.headers["x-key"][7] eq "one"`:                              false,
		`ssl`: true, `not ssl`: false, `ssl eq false`: false, `cf.client.bot`: false,
		`cf.threat_score gt 10`:                                   false,
		`ip.geoip.asnum in {1..9 64512}`:                          true,
		`http.user_agent contains "script" or false`:              true,
		`http.request.uri.path wildcard "/V1/*"`:                  true,
		`http.request.uri.path strict wildcard "/V*"`:             false,
		`http.host wildcard "a*.example.*m"`:                      true,
		`http.cookie eq r"a=b" and ip.src.country in {"DE" "AT"}`: true,
		// "and" binds closer than "or", "not" closest.
		`true or false and false`:     true,
		`not false or true and false`: true,
		`http.host eq "a\"b\\c"`:      false,
	} {
		pass, err := compile(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
		} else if got := pass(aVisit()); got != want {
			t.Errorf("%s is %v", expression, got)
		}
	}
}

func TestWrongExpressionsAreRefusedWithThePlace(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{
		``:                                    "(1:1)",
		`http.hots eq "a"`:                    "(1:1)",
		`http.host eq a`:                      "(1:14)",
		`http.host eq "a`:                     "(1:16)",
		`http.host`:                           "(1:10)",
		`http.host eq "a" or`:                 "(1:20)",
		"ssl and\n http.host is 1":            "(2:12)",
		`(ssl`:                                "(1:5)",
		`ssl)`:                                "(1:4)",
		`ip.src in {}`:                        "(1:13)",
		`ip.src in {1.2.3}`:                   "(1:12)",
		`ip.src in {"a"}`:                     "(1:12)",
		`ip.src in $office`:                   "(1:12)",
		`ip.src in {45.90.28.4`:               "(1:22)",
		`ip.src lt 45.90.28.0/24`:             "(1:24)",
		`ssl gt true`:                         "(1:12)",
		`http.host matches "x"`:               "(1:18)",
		`http.request.headers["a"][*] eq "b"`: "(1:1)",
		`any(http.host eq "b")`:               "(1:5)",
		`len(ip.src) eq 1`:                    "(1:5)",
		`cf.threat_score eq "1"`:              "(1:20)",
		strings.Repeat("(", 100) + "ssl":      "(1:65)",
		`http.host eq "` + strings.Repeat("a", 5000) + `"`: "(1:1)",
	} {
		_, err := compile(expression)
		var wrong *syntaxError
		if !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), "Filter parsing error "+want) {
			t.Errorf("%.60s: %v, want %s", expression, err, want)
		}
	}
}

// TestLogicOfExpressions builds expressions at random, and knows what they are.
func TestLogicOfExpressions(t *testing.T) {
	t.Parallel()
	var build func(t *rapid.T, depth int) (text string, truth bool)
	build = func(t *rapid.T, depth int) (string, bool) {
		form := rapid.IntRange(0, 5).Draw(t, "form")
		if depth == 0 {
			form %= 2
		}
		switch form {
		case 0:
			return "ssl", true
		case 1:
			return "cf.client.bot", false
		case 2:
			text, truth := build(t, depth-1)
			return "not (" + text + ")", !truth
		}
		left, a := build(t, depth-1)
		right, b := build(t, depth-1)
		word := []string{"and", "or", "xor"}[form-3]
		return "(" + left + ") " + word + " (" + right + ")", []bool{a && b, a || b, a != b}[form-3]
	}
	rapid.Check(t, func(t *rapid.T) {
		text, truth := build(t, 5)
		pass, err := compile(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if pass(aVisit()) != truth {
			t.Fatalf("%s is %v", text, !truth)
		}
	})
}

func FuzzExpression(f *testing.F) {
	for _, seed := range []string{
		`http.host in {"a" "b"} and not ip.src in {1.2.3.4 2a01::/64 1.1.1.1..1.1.1.9} or ssl`,
		`any(http.request.headers["x"][*] eq "v") xor starts_with(lower(http.host), r"x\")`,
		`http.request.timestamp.sec lt 18 && cf.threat_score in {1..5}`, `((((`, `http.host wildcard "*a*"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		pass, err := compile(text)
		if err == nil {
			pass(aVisit())
			return
		}
		var wrong *syntaxError
		if !errors.As(err, &wrong) || err.Error() == "" {
			t.Errorf("%q: %v", text, err)
		}
	})
}
