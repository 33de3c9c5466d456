package cfclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// TestEveryKnownCode holds the codes that Cloudflare was seen to answer against
// what the program does about them.
func TestEveryKnownCode(t *testing.T) {
	tests := []struct {
		name   string
		status int
		code   int
		want   ddns.Kind
		hint   string
	}{
		{"the record is gone", 404, 81044, ddns.Conflict, "read again"},
		{"the zone is full", 400, 81045, ddns.Rejected, "plan"},
		{"an address stands where a CNAME should go", 400, 81053, ddns.Conflict, "read again"},
		{"a CNAME stands where an address should go", 400, 81054, ddns.Conflict, "set on_cname: replace for the name, then run: cfddns once"},
		{"other records stand there", 400, 81055, ddns.Conflict, "read again"},
		{"the name is delegated", 400, 81056, ddns.Conflict, "NS records"},
		{"the record exists", 400, 81057, ddns.Conflict, "read again"},
		{"an identical record exists", 400, 81058, ddns.Conflict, "read again"},
		{"an unknown type", 400, 9002, ddns.Rejected, "report"},
		{"no IPv4 address", 400, 9005, ddns.Rejected, "report"},
		{"the TTL is out of range", 400, 9021, ddns.Rejected, "ttl"},
		{"the TTL is a string", 400, 9022, ddns.Rejected, "report"},
		{"the name cannot be proxied", 400, 9041, ddns.Rejected, "proxied"},
		{"too many tags", 400, 9300, ddns.Rejected, "tags"},
		{"a long comment", 400, 9313, ddns.Rejected, "100 characters"},
		{"the old wrapper alone", 400, 1004, ddns.Rejected, "configuration"},
		{"an invalid access token", 403, 9109, ddns.TokenRefused, "API Tokens"},
		{"an authentication error", 401, 10000, ddns.TokenRefused, "switched off"},
		{"forbidden", 403, 10000, ddns.NotPermitted, "Zone > DNS > Edit"},
		{"invalid request headers", 400, 6003, ddns.TokenRefused, "malformed"},
		{"an invalid authorization header", 400, 6111, ddns.TokenRefused, "malformed"},
		{"authentication failed", 400, 9106, ddns.TokenRefused, "malformed"},
		{"an invalid API token", 401, 1000, ddns.TokenRefused, "API Tokens"},
		{"nothing for account tokens", 403, 1001, ddns.NotPermitted, "user's API token"},
		{"no route", 404, 7003, ddns.Conflict, "looked up again"},
		{"no route, the older way", 400, 7000, ddns.Conflict, "looked up again"},
		{"the limit, the older way", 429, 10100, ddns.Limited, "shared"},
		{"the limit", 429, 971, ddns.Limited, "shared"},
		{"a known code under 429 is still the limit", 429, 81054, ddns.Limited, "shared"},
		{"the retired firewall API", 403, 10020, ddns.NotPermitted, "no longer"},
		{"a known code under 500 is still no answer", 500, 81054, ddns.Uncertain, "tried again"},
		{"a known code under 200", 200, 81054, ddns.Conflict, "on_cname: replace"},
		{"an unknown 400", 400, 123456, ddns.Rejected, ""},
		{"an unknown 401", 401, 123456, ddns.TokenRefused, "API Tokens"},
		{"an unknown 403", 403, 123456, ddns.Denied, "own words"},
		{"a locked zone", 403, 1104, ddns.Denied, "own words"},
		{"a free top-level domain", 403, 1038, ddns.Denied, "top-level domain"},
		{"an unknown 404", 404, 123456, ddns.Conflict, "read again"},
		{"an unknown 409", 409, 123456, ddns.Conflict, "read again"},
		{"a request that took too long", 408, 123456, ddns.Uncertain, ""},
		{"1000 elsewhere is another error", 404, 1000, ddns.Conflict, ""},
		{"1001 elsewhere is another error", 404, 1001, ddns.Conflict, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			api := serve(t, answering(tt.status, refusalOf(tt.code, "Cloudflare's own words.")))
			_, err := api.client(t).Batch(t.Context(), testZone, ddns.Batch{Deletes: []string{recordID(1)}})
			wantKind(t, err, tt.want)
			e, ok := errors.AsType[*ddns.Error](err)
			if !ok || e.Status != tt.status || e.Code != tt.code || !strings.Contains(e.Hint, tt.hint) {
				t.Errorf("got %+v", e)
			}
			if !strings.Contains(err.Error(), "Cloudflare's own words.") || !strings.Contains(err.Error(), "change records of example.com") {
				t.Errorf("the error does not say what happened to what: %v", err)
			}
		})
	}
}

// TestAdviceIsGivenOnlyForWhatIsKnown has Cloudflare forbid a call for several
// reasons, and holds what a person is told to do against the reason.
func TestAdviceIsGivenOnlyForWhatIsKnown(t *testing.T) {
	tests := []struct {
		name, message string
		code          int
		want          ddns.Kind
		hint, not     string
	}{
		{"the token's IP filter bites", "Cannot use the access token from location: 45.67.91.5", 9109, ddns.Filtered, "Client IP Address Filtering", "not for this zone"},
		{"the token is unknown", "Invalid access token", 9109, ddns.TokenRefused, "API Tokens", "Filtering"},
		{"the token has no access", "Unauthorized to access requested resource", 9109, ddns.TokenRefused, "API Tokens", "Filtering"},
		{"the zone is locked", "This zone is locked", 1104, ddns.Denied, "own words", "Zone > DNS > Edit"},
		{"the top-level domain is free", "You cannot use this API for domains with a .tk TLD", 1038, ddns.Denied, "dashboard", "Zone > DNS > Edit"},
		{"nobody knows why", "Not today", 4711, ddns.Denied, "own words", "Zone > DNS > Edit"},
		{"a permission is missing", "Forbidden", 10000, ddns.NotPermitted, "Zone > DNS > Edit", "own words"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			api := serve(t, answering(403, refusalOf(tt.code, tt.message)))
			_, err := api.client(t).Batch(t.Context(), testZone, ddns.Batch{Deletes: []string{recordID(1)}})
			wantKind(t, err, tt.want)
			if !strings.Contains(err.Error(), tt.message) {
				t.Errorf("Cloudflare's words are not shown: %v", err)
			}
			if hint := ddns.HintOf(err); !strings.Contains(hint, tt.hint) || strings.Contains(hint, tt.not) {
				t.Errorf("the hint is %q", hint)
			}
		})
	}
}

// TestARestSaysForHowLong holds that a limit names its end, or that it has none.
func TestARestSaysForHowLong(t *testing.T) {
	for header, want := range map[string]string{"30": "no call is made until ", "": "does not say for how long"} {
		api := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			answer(w, 429, refusalOf(10100, "More than 1200 requests per 300 seconds reached"))
		})
		_, err := api.client(t).Zones(t.Context())
		if hint := ddns.HintOf(err); !strings.Contains(hint, want) {
			t.Errorf("Retry-After %q: %q", header, hint)
		}
	}
}

func TestEveryFormOfError(t *testing.T) {
	tests := []struct {
		name, body string
		code       int
		says       string
	}{
		{"the direct form", `{"success":false,"errors":[{"code":9005,"message":"Content for A record must be a valid IPv4 address.","documentation_url":"https://x","source":{"pointer":"/content"}}]}`, 9005, "valid IPv4"},
		{"the wrapped form", `{"success":false,"errors":[{"code":1004,"message":"DNS Validation Error","error_chain":[{"code":9005,"message":"Content for A record is invalid."}]}]}`, 9005, "DNS Validation Error; Content for A record"},
		{"a chain of one", `{"success":false,"errors":[{"code":6003,"message":"Invalid request headers","error_chain":[{"code":6111,"message":"Invalid format for Authorization header"}]}],"result":null}`, 6111, "Authorization header"},
		{"a bare string", `{"success":false,"errors":["something went wrong"],"result":null}`, 0, "something went wrong"},
		{"several errors", `{"success":false,"errors":[{"code":9021,"message":"TTL."},{"code":9313,"message":"Comment."}]}`, 9021, "TTL.; Comment."},
		{"a word of many lines", `{"success":false,"errors":[{"code":1,"message":"a\r\nb\u001b[31m\u202e"}]}`, 1, "says: a  b [31m  (code"},
		{"a result beside it", `{"success":false,"errors":[{"code":9005,"message":"x"}],"result":{"deletes":"?"}}`, 9005, "x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			api := serve(t, answering(400, tt.body))
			_, err := api.client(t).Zones(t.Context())
			e, ok := errors.AsType[*ddns.Error](err)
			if !ok || e.Code != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v; want code %d, %q", err, tt.code, tt.says)
			}
		})
	}
}

func TestALimitIsObeyed(t *testing.T) {
	limited := func(header, value string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(header, value)
			answer(w, 429, refusalOf(10100, "More than 1200 requests per 300 seconds reached"))
		}
	}
	spent := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Ratelimit", `"default";r=0;t=30`)
		w.Header().Set("Ratelimit-Policy", `"default";q=1200;w=300`)
		answer(w, 200, `{"success":true,"result":[],"result_info":{"total_count":0}}`)
	}
	tests := []struct {
		name    string
		handler http.HandlerFunc
		first   ddns.Kind // Unexpected: no error
		wait    time.Duration
		calls   int
	}{
		{"a 429 that says when", limited("Retry-After", "300"), ddns.Limited, 300 * time.Second, 1},
		{"a 429 that says far too long", limited("Retry-After", "86400"), ddns.Limited, 10 * time.Minute, 1},
		{"a 429 that gives a date", limited("Retry-After", time.Now().Add(2*time.Minute).UTC().Format(http.TimeFormat)), ddns.Limited, 2 * time.Minute, 1},
		{"a 429 that says nothing", limited("X", "y"), ddns.Limited, 0, 2},
		{"a 429 with a spent budget", limited("Ratelimit", `"default";r=0;t=42`), ddns.Limited, 42 * time.Second, 1},
		{"an answer that spent the budget", spent, ddns.Unexpected, 30 * time.Second, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			api := serve(t, tt.handler)
			c := api.client(t)
			if _, err := c.Zones(t.Context()); tt.first != ddns.Unexpected {
				wantKind(t, err, tt.first)
			} else if err != nil {
				t.Fatal(err)
			}
			_, err := c.Zones(t.Context())
			wantKind(t, err, ddns.Limited)
			e, _ := errors.AsType[*ddns.Error](err)
			if e.RetryAfter > tt.wait || e.RetryAfter < tt.wait-5*time.Second {
				t.Errorf("wait %v, want %v", e.RetryAfter, tt.wait)
			}
			if n := len(api.requests()); n != tt.calls {
				t.Errorf("%d requests, want %d", n, tt.calls)
			}
		})
	}
}

// TestNoErrorShowsTheToken has the server say the token back in every place
// that ends up in an error.
func TestNoErrorShowsTheToken(t *testing.T) {
	echo := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			said := r.Header.Get("Authorization")
			w.Header().Set("X-Echo", said)
			w.Header().Set("Location", "https://example.com/?"+said)
			answer(w, status, strings.ReplaceAll(body, "TOKEN", said))
		}
	}
	bodies := []string{
		`{"success":false,"errors":[{"code":9109,"message":"Invalid TOKEN"}]}`,
		`{"success":false,"errors":[{"code":1004,"message":"x","error_chain":[{"code":1,"message":"TOKEN"}]}]}`,
		`{"success":false,"errors":["TOKEN"]}`, `TOKEN`, `<html>TOKEN`, `{"TOKEN":`,
		`{"success":true,"result":[{"id":"TOKEN"}],"result_info":{"total_count":1}}`,
	}
	var errs []error
	for _, status := range []int{200, 302, 400, 401, 403, 404, 429, 500, 530} {
		for _, body := range bodies {
			c := serve(t, echo(status, body)).client(t)
			_, e1 := c.Zones(t.Context())
			_, e2 := c.Records(t.Context(), testZone, []string{"a.example.com"})
			_, e3 := c.Batch(t.Context(), testZone, ddns.Batch{Deletes: []string{recordID(1)}})
			_, e4 := c.VerifyToken(t.Context(), testZone.AccountID)
			_, e5 := c.Records(t.Context(), ddns.Zone{ID: "\x7f", Name: "x"}, []string{"a"})
			errs = append(errs, e1, e2, e3, e4, e5)
		}
	}
	for _, world := range []ddns.World{loopback{to: closedPort(t)}, unresolved{}} {
		_, err := New(Config{Token: ddns.NewSecret(testToken), World: world}).Zones(t.Context())
		errs = append(errs, err)
	}
	bad := ddns.NewSecret(testToken + "\n")
	_, err := New(Config{Token: bad, World: loopback{}}).Zones(t.Context())
	errs = append(errs, err)
	for _, err := range errs {
		if err == nil {
			t.Error("a case without an error")
			continue
		}
		for unwrapped := err; unwrapped != nil; unwrapped = errors.Unwrap(unwrapped) {
			encoded, _ := json.Marshal(unwrapped)
			if text := fmt.Sprintf("%v %+v %#v %q %s", unwrapped, unwrapped, unwrapped, unwrapped, encoded); strings.Contains(text, testToken[5:]) {
				t.Errorf("shows the token: %s", text)
			}
		}
	}
}

func FuzzReadEnvelope(f *testing.F) {
	f.Add(200, []byte(resultOf(`[{"id":"a","name":"b","type":"A","ttl":1}]`)))
	f.Add(400, []byte(refusalOf(81054, "A CNAME record with that host already exists.")))
	f.Add(400, []byte(`{"errors":["x",{"code":1,"error_chain":[{"code":2}]}]}`))
	f.Add(530, []byte("error code: 1016"))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		env, err := readEnvelope[[]wireRecord](status, body)
		if (env == nil) == (err == nil) {
			t.Fatal("neither an answer nor an error, or both")
		}
		if err == nil {
			if status < 200 || status > 299 || env.Result == nil {
				t.Error("a failure became a result")
			}
			return
		}
		if text := err.Error(); len(text) > 2000 || strings.ContainsAny(text, "\r\n\x1b") {
			t.Errorf("not fit to print: %q", text)
		}
	})
}

func FuzzLimit(f *testing.F) {
	f.Add(`"default";r=50;t=30`, "120")
	f.Add(`"burst";r=0;t=60, "default";r=0;t=999999999999`, "Fri, 31 Dec 1999 23:59:59 GMT")
	f.Add(`r=-1;t=-1`, "-5")
	f.Fuzz(func(t *testing.T, budget, after string) {
		now := time.Now()
		answer := &http.Response{StatusCode: 429, Header: http.Header{"Ratelimit": {budget}, "Ratelimit-Policy": {budget}, "Retry-After": {after}}}
		var l limit
		wait, ok := l.learn(now, answer), false
		if wait < 0 || wait > longestWait {
			t.Errorf("wait %v", wait)
		}
		for _, write := range []bool{false, true} {
			if wait, ok = l.take(now, write, limitPatience); wait < 0 || wait > longestWait || ok != (wait <= limitPatience) {
				t.Errorf("a call waits %v, %v", wait, ok)
			}
		}
	})
}

func TestBudgets(t *testing.T) {
	tests := []struct {
		name    string
		headers []string
		want    time.Duration
	}{
		{"none", nil, 0},
		{"some are left", []string{`"default";r=50;t=30`}, 0},
		{"none are left", []string{`"default";r=0;t=30`}, 30 * time.Second},
		{"one of two is spent", []string{`"burst";r=0;t=5, "default";r=900;t=300`}, 5 * time.Second},
		{"in two headers", []string{`"a";r=0;t=5`, `"b"; r=0; t=7`}, 7 * time.Second},
		{"no time is said", []string{`"default";r=0`}, 0},
		{"nonsense", []string{`;;=,r=x;t`}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer := &http.Response{StatusCode: 200, Header: http.Header{"Ratelimit": tt.headers}}
			if got := new(limit).learn(time.Now(), answer); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

func TestTheHintOfARefusedTokenSaysWhereItCameFrom(t *testing.T) {
	for _, tt := range []struct{ source, replace, want string }{
		{"CLOUDFLARE_API_TOKEN", "set the new one there", "; it came from CLOUDFLARE_API_TOKEN: set the new one there"},
		{"cloudflare.token", "", "; it came from cloudflare.token"},
	} {
		api := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			answer(w, 401, `{"success":false,"errors":[{"code":1000,"message":"Invalid API Token"}],"messages":[],"result":null}`)
		})
		c := api.client(t)
		c.source, c.replace = tt.source, tt.replace
		_, err := c.Zones(t.Context())
		if hint := ddns.HintOf(err); ddns.KindOf(err) != ddns.TokenRefused || !strings.HasSuffix(hint, tt.want) {
			t.Errorf("%s: the hint is %q, want %q at its end", tt.source, hint, tt.want)
		}
	}
}
