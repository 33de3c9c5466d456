package cfclient

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

var (
	nightEnd   = time.Date(2026, 11, 24, 4, 0, 0, 0, time.UTC)
	nightBegin = nightEnd.Add(-2 * time.Hour)
)

func zoneAnswer(selection string) string {
	return `{"data":{"viewer":{"zones":[{` + selection + `}]}},"errors":null}`
}

const twoEvents = `"firewallEventsAdaptive":[
 {"datetime":"2026-11-24T02:00:01Z","action":"managed_challenge","source":"securitylevel","ruleId":"r1","clientIP":"198.51.100.7","clientRequestHTTPHost":"api.example.com","clientRequestHTTPMethodName":"POST","clientRequestPath":"/x","userAgent":"curl\u001b[2J"},
 {"datetime":"2026-11-24T03:00:00Z","action":"block","source":"firewallCustom","clientIP":"2001:db8::7","clientRequestPath":"/"}]`

func TestSecurityEventsAreReadNewestFirst(t *testing.T) {
	api := serve(t, answering(200, zoneAnswer(twoEvents)))
	events, err := api.client(t).SecurityEvents(t.Context(), testZone, nightBegin, nightEnd, netip.MustParseAddr("198.51.100.7"))
	if err != nil || len(events) != 2 {
		t.Fatalf("got %+v, %v", events, err)
	}
	if e := events[0]; e.Source != "firewallCustom" || e.Client.String() != "2001:db8::7" {
		t.Errorf("got %+v", e)
	}
	if e := events[1]; e.Source != "securitylevel" || e.RuleID != "r1" || e.Host != "api.example.com" || e.Method != "POST" || strings.ContainsRune(e.UserAgent, '\x1b') {
		t.Errorf("got %+v", e)
	}
	want := `query{viewer{zones(filter:{zoneTag:"` + testZone.ID + `"}){firewallEventsAdaptive(filter:{datetime_geq:"2026-11-24T02:00:00Z",datetime_leq:"2026-11-24T04:00:00Z",clientIP:"198.51.100.7"},limit:1000,orderBy:[datetime_DESC]){datetime action source clientIP clientRequestPath userAgent ruleId clientRequestHTTPHost clientRequestHTTPMethodName}}}}`
	r := api.requests()[0]
	if got := queryOf(t, r); got != want || r.Method != "POST" || r.Path != "/client/v4/graphql" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("sent %s\nwant %s", got, want)
	}
}

func queryOf(t *testing.T, r sent) string {
	t.Helper()
	var body map[string]string
	if err := json.Unmarshal([]byte(r.Body), &body); err != nil {
		t.Fatal(err)
	}
	return body["query"]
}

func TestAFieldThatCloudflareDoesNotKnowIsLeftOut(t *testing.T) {
	asked := 0
	api := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked == 1 {
			answer(w, 400, `{"data":null,"errors":[{"message":"unknown field \"clientRequestHTTPHost\"","path":null,"extensions":{"timestamp":"2026-11-24T00:00:00Z"}}]}`)
			return
		}
		answer(w, 200, zoneAnswer(twoEvents))
	})
	events, err := api.client(t).SecurityEvents(t.Context(), testZone, nightBegin, nightEnd, netip.Addr{})
	if err != nil || len(events) != 2 {
		t.Errorf("got %+v, %v", events, err)
	}
	if q := queryOf(t, api.requests()[1]); strings.Contains(q, "HTTPHost") || !strings.Contains(q, "{"+documentedFields+"}") {
		t.Errorf("asked again with %s", q)
	}
}

func TestAnswersOfGraphQLAreSorted(t *testing.T) {
	gone := `{"data":null,"errors":[{"message":"%s","path":["viewer"],"extensions":{"code":"%s"}}]}`
	tests := []struct {
		name   string
		status int
		body   string
		want   ddns.Kind
		says   string
	}{
		{"a 200 with errors is an error", 200, fmt.Sprintf(gone, "cannot request data older than 86400s", "quota"), ddns.Rejected, "24 hours on the Free plan"},
		{"a 200 with errors and data is an error", 200, `{"data":{"viewer":{"zones":[{` + twoEvents + `}]}},"errors":[{"message":"x"}]}`, ddns.Rejected, ""},
		{"not authorised under 200", 200, fmt.Sprintf(gone, "zones are not authorized", "authz"), ddns.NotPermitted, needsAnalytics},
		{"not authorised under 403", 403, fmt.Sprintf(gone, "zones are not authorized", "authz"), ddns.NotPermitted, needsAnalytics},
		{"refused in the way of the other calls", 403, refusalOf(10000, "Authentication error"), ddns.NotPermitted, needsAnalytics},
		{"a token that is unknown", 401, fmt.Sprintf(gone, "Unauthorized", "authn"), ddns.TokenRefused, ""},
		{"a limit", 429, fmt.Sprintf(gone, "rate limiter budget depleted", "budget"), ddns.Limited, "five minutes"},
		{"too much at once", 400, fmt.Sprintf(gone, "time range too large", "x"), ddns.Rejected, "shorter"},
		{"no data", 200, `{"data":null,"errors":null}`, ddns.Unreachable, ""},
		{"no zone is not no events", 200, `{"data":{"viewer":{"zones":[]}},"errors":null}`, ddns.Unreachable, ""},
		{"a page", 200, "<html>", ddns.Unreachable, ""},
		{"a 503", 503, "no", ddns.Unreachable, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			api := serve(t, answering(tt.status, tt.body))
			c := api.client(t)
			_, err := c.SecurityEvents(t.Context(), testZone, nightBegin, nightEnd, netip.Addr{})
			wantKind(t, err, tt.want)
			if !strings.Contains(ddns.HintOf(err), tt.says) {
				t.Errorf("the hint %q does not say %q", ddns.HintOf(err), tt.says)
			}
			_, err = c.Minutes(t.Context(), testZone, "api.example.com", nightBegin, nightEnd)
			wantKind(t, err, tt.want)
		})
	}
}

func TestALimitOfGraphQLDoesNotHoldUpTheOtherCalls(t *testing.T) {
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/graphql") {
			w.Header().Set("Retry-After", "300")
			answer(w, 429, refusalOf(971, "x"))
			return
		}
		answer(w, 200, wireSet(t))
	})
	c := api.client(t)
	_, err := c.SecurityEvents(t.Context(), testZone, nightBegin, nightEnd, netip.Addr{})
	wantKind(t, err, ddns.Limited)
	if _, err := c.Rules(t.Context(), testZone); err != nil {
		t.Error(err)
	}
}

func TestMinutesAreCounted(t *testing.T) {
	api := serve(t, answering(200, zoneAnswer(`"httpRequestsAdaptiveGroups":[
		{"count":3,"dimensions":{"datetimeMinute":"2026-11-24T02:01:00Z","edgeResponseStatus":530}},
		{"count":2,"dimensions":{"datetimeMinute":"2026-11-24T02:00:00Z","edgeResponseStatus":200}}]`)))
	minutes, err := api.client(t).Minutes(t.Context(), testZone, "api.example.com", nightBegin, nightEnd)
	if err != nil || len(minutes) != 2 || minutes[0].Status != 200 || minutes[1].Requests != 3 || minutes[1].Host != "api.example.com" {
		t.Errorf("got %+v, %v", minutes, err)
	}
	if q := queryOf(t, api.requests()[0]); !strings.Contains(q, `clientRequestHTTPHost:"api.example.com"`) {
		t.Errorf("sent %s", q)
	}
}

// FuzzHostInAQuery: no host can break out of its place in the query.
func FuzzHostInAQuery(f *testing.F) {
	f.Add("api.example.com")
	f.Add(`x"},limit:1){count}}}}mutation{`)
	f.Add("a\nb")
	api := Config{Token: ddns.NewSecret(testToken), BaseURL: "http://127.0.0.1:1", World: loopback{}}
	f.Fuzz(func(t *testing.T, host string) {
		_, err := New(api).Minutes(t.Context(), testZone, host, nightBegin, nightEnd)
		clean := host != "" && strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789-_.*") == ""
		if refused := ddns.KindOf(err) == ddns.Rejected; refused == (clean && len(host) <= 253) {
			t.Errorf("%q: %v", host, err)
		}
	})
}

func TestATimeThatEndsBeforeItBeginsIsNotSent(t *testing.T) {
	api := serve(t, answering(200, "{}"))
	_, err := api.client(t).SecurityEvents(t.Context(), testZone, nightEnd, nightBegin, netip.Addr{})
	wantKind(t, err, ddns.Rejected)
	if n := len(api.requests()); n != 0 {
		t.Errorf("sent %d times", n)
	}
}

func TestEventsAgainstTheSandbox(t *testing.T) {
	_, c, zone := startSandbox(t)
	now := time.Now()
	if events, err := c.SecurityEvents(t.Context(), zone, now.Add(-time.Hour), now, netip.MustParseAddr("198.51.100.7")); err != nil || len(events) != 0 {
		t.Errorf("got %+v, %v", events, err)
	}
	if minutes, err := c.Minutes(t.Context(), zone, "home.example.com", now.Add(-time.Hour), now); err != nil || len(minutes) != 0 {
		t.Errorf("got %+v, %v", minutes, err)
	}
}

// FuzzGraphQL: no answer makes a panic, and one with errors is none.
func FuzzGraphQL(f *testing.F) {
	f.Add(200, `{"data":{"viewer":{"zones":[{"firewallEventsAdaptive":[{"datetime":"2026-11-24T03:00:00Z","action":"block","clientIP":"::1"}]}]}},"errors":null}`)
	f.Add(200, `{"data":null,"errors":[{"message":"x","extensions":{"code":"authz"}}]}`)
	f.Add(200, `{"data":{"viewer":{"zones":[]}},"errors":["x"]}`)
	f.Add(502, `<html>`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		answer, err := readGraphQL[wireEvents](status, []byte(body))
		if (err == nil) == (answer == nil) {
			t.Fatalf("%v, %v", answer, err)
		}
		if err == nil {
			for _, w := range answer.Events {
				w.event()
			}
		}
	})
}
