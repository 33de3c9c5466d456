package sandbox

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// night is a zone whose analytics remember: an event a minute ago, an older
// one of another client, and answers of two minutes.
func night(t testing.TB, now time.Time) *Sandbox {
	t.Helper()
	s := stateOnly(t)
	for _, e := range []Event{
		{At: now.Add(-time.Minute), Action: "jschallenge", Source: "securitylevel", Client: netip.MustParseAddr(scriptHost), Host: "www.example.com", Method: "POST", Path: "/hook"},
		{At: now.Add(-time.Hour), Action: "block", Source: "bic", Client: netip.MustParseAddr("45.90.28.9"), Host: "www.example.com", Method: "GET", Path: "/"},
	} {
		if err := s.AddEvent(e); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range []Minute{
		{At: now.Add(-10 * time.Minute), Host: "www.example.com", Status: 530, Requests: 12},
		{At: now.Add(-10 * time.Minute), Host: "blog.example.com", Status: 530, Requests: 1},
		{At: now.Add(-5 * time.Minute), Host: "www.example.com", Status: 200, Requests: 3},
	} {
		if err := s.AddMinute(m); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// askGraphQL sends a query; ZONE, HOUR and DAYS in it stand for the zone's ID,
// the time two hours ago and the time three days ago.
func askGraphQL(t testing.TB, s *Sandbox, query string, variables map[string]any) (status int, body string) {
	t.Helper()
	ago := func(d time.Duration) string { return time.Now().Add(-d).UTC().Format(time.RFC3339) }
	query = strings.NewReplacer("ZONE", s.zones[0].ID, "HOUR", ago(2*time.Hour), "DAYS", ago(72*time.Hour)).Replace(query)
	raw, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	r := request("POST", "/graphql", string(raw))
	r.Header.Set("Authorization", "Bearer "+testToken)
	got := send(t, s, r)
	return got.Status, strings.TrimSpace(got.Raw)
}

const (
	eventsQuery  = `{viewer{zones(filter:{zoneTag:"ZONE"}){firewallEventsAdaptive(filter:{datetime_geq:"HOUR"%s},limit:50,orderBy:[datetime_%s]){%s}}}}`
	minutesQuery = `{viewer{zones(filter:{zoneTag:"ZONE"}){httpRequestsAdaptiveGroups(filter:{datetime_geq:"HOUR"%s},limit:%s,orderBy:[datetimeMinute_ASC]){%s}}}}`
)

func TestTheAnalyticsAnswerWhatIsAsked(t *testing.T) {
	events := func(filter, direction, fields string) string {
		return fmt.Sprintf(eventsQuery, filter, direction, fields)
	}
	minutes := func(filter, limit, fields string) string {
		return fmt.Sprintf(minutesQuery, filter, limit, fields)
	}
	for _, c := range []struct{ name, query, want string }{
		{"the fields asked for, the newest first", events("", "DESC", "source clientIP"), `[{"clientIP":"45.90.28.4","source":"securitylevel"},{"clientIP":"45.90.28.9","source":"bic"}]`},
		{"the oldest first", events("", "ASC", "source"), `[{"source":"bic"},{"source":"securitylevel"}]`},
		{"one client", events(`, clientIP:"45.90.28.9"`, "DESC", "action"), `[{"action":"block"}]`},
		{"nobody's", events(`, clientIP:"45.90.28.1"`, "DESC", "action"), `[]`},
		{"a list of sources", events(`, source_in:["bic","botFight"]`, "DESC", "source"), `[{"source":"bic"}]`},
		{"one of two conditions", events(`, OR:[{source:"bic"},{clientRequestPath_like:"/ho%"}]`, "ASC", "source"), `[{"source":"bic"},{"source":"securitylevel"}]`},
		{"a status at least", events(`, edgeResponseStatus_geq:500`, "ASC", "source"), `[]`},
		{"an alias and a comment", events("", "DESC", "why:source # the product\n"), `[{"why":"securitylevel"},{"why":"bic"}]`},
		{"counts by host", minutes("", "10", "count dimensions{clientRequestHTTPHost edgeResponseStatus}"),
			`[{"count":1,"dimensions":{"clientRequestHTTPHost":"blog.example.com","edgeResponseStatus":530}},{"count":12,"dimensions":{"clientRequestHTTPHost":"www.example.com","edgeResponseStatus":530}},{"count":3,"dimensions":{"clientRequestHTTPHost":"www.example.com","edgeResponseStatus":200}}]`},
		{"counts added up", minutes("", "10", "count dimensions{edgeResponseStatus}"), `[{"count":13,"dimensions":{"edgeResponseStatus":530}},{"count":3,"dimensions":{"edgeResponseStatus":200}}]`},
		{"no more than the limit", minutes("", "1", "count dimensions{edgeResponseStatus}"), `[{"count":13,"dimensions":{"edgeResponseStatus":530}}]`},
		{"of one host", minutes(`, clientRequestHTTPHost:"blog.example.com"`, "10", "count"), `[{"count":1}]`},
		{"of failures", minutes(`, edgeResponseStatus_geq:500, clientRequestHTTPHost_neq:"blog.example.com"`, "10", "count"), `[{"count":12}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, body := askGraphQL(t, night(t, time.Now()), c.query, nil)
			if status != 200 || !strings.Contains(body, `:`+c.want+`}]}},"errors":null}`) {
				t.Errorf("got %d %s\nwant %s", status, body, c.want)
			}
		})
	}
}

func TestTheAnalyticsTakeVariables(t *testing.T) {
	s := night(t, time.Now())
	query := `query Night($z: string!, $h: [string]) { viewer { zones(filter: {zoneTag: $z}) { firewallEventsAdaptive(filter: {clientRequestHTTPHost_in: $h}, limit: 1) { source datetime } } } }`
	status, body := askGraphQL(t, s, query, map[string]any{"z": s.zones[0].ID, "h": []string{"www.example.com"}})
	if status != 200 || !strings.Contains(body, `"source":"bic"`) {
		t.Errorf("got %d %s", status, body)
	}
}

func TestTheAnalyticsRefuse(t *testing.T) {
	for _, c := range []struct {
		name, query string
		status      int
		words       string
	}{
		{"an unknown field", fmt.Sprintf(eventsQuery, "", "DESC", "source clientName"), 400, "unknown field"},
		{"an unknown field where there is nothing", fmt.Sprintf(eventsQuery, `, source:"x"`, "DESC", "clientName"), 400, "unknown field"},
		{"an unknown dataset", `{viewer{zones(filter:{zoneTag:"ZONE"}){other{x}}}}`, 400, "unknown field"},
		{"an unknown condition", fmt.Sprintf(eventsQuery, `, clientName:"x"`, "DESC", "source"), 400, "unknown arg"},
		{"what is too old", `{viewer{zones(filter:{zoneTag:"ZONE"}){firewallEventsAdaptive(filter:{datetime_geq:"DAYS"},limit:5){source}}}}`, 400, "older than 86400s"},
		{"no time", `{viewer{zones(filter:{zoneTag:"ZONE"}){firewallEventsAdaptive(filter:{datetime_geq:"today"},limit:5){source}}}}`, 400, "not a time"},
		{"no limit", `{viewer{zones(filter:{zoneTag:"ZONE"}){firewallEventsAdaptive(filter:{datetime_geq:"HOUR"}){source}}}}`, 400, "limit"},
		{"another zone", `{viewer{zones(filter:{zoneTag:"0000"}){firewallEventsAdaptive(limit:5){source}}}}`, 403, "not authorized"},
		{"what does not end", `{viewer{zones`, 400, "syntax error on line 1"},
		{"a mutation", `mutation{x}`, 400, "only queries"},
		{"a variable without a value", `query($z:string){viewer{zones(filter:{zoneTag:$z}){settings{firewallEventsAdaptive{enabled}}}}}`, 400, "$z has no value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, body := askGraphQL(t, night(t, time.Now()), c.query, nil)
			if status != c.status || !strings.Contains(body, c.words) || !strings.HasPrefix(body, `{"data":null,"errors":[{`) {
				t.Errorf("got %d %s", status, body)
			}
		})
	}
	s := stateOnly(t)
	r := request("POST", "/graphql", `{"query":"{viewer{}}"}`)
	r.Header.Set("Authorization", "Bearer nobody")
	if got := send(t, s, r); got.Status != 401 || !strings.HasPrefix(got.Raw, `{"data":null,"errors":[{`) {
		t.Errorf("an unknown token: %d %s", got.Status, got.Raw)
	}
}

func TestThePlanSaysHowFarBack(t *testing.T) {
	s := stateOnly(t, SeedZone{Name: "example.com", Plan: "business"})
	status, body := askGraphQL(t, s, `{viewer{zones(filter:{zoneTag:"ZONE"}){settings{firewallEventsAdaptive{notOlderThan maxPageSize}}}}}`, nil)
	if status != 200 || !strings.Contains(body, `{"maxPageSize":10000,"notOlderThan":259200}`) {
		t.Errorf("got %d %s", status, body)
	}
}

func TestTheEdgeIsCounted(t *testing.T) {
	t.Parallel()
	cfg := homeZone(SeedRecord{Type: "A", Name: "www", Content: "45.67.89.10", Proxied: true})
	cfg.Token = testToken
	s := settled(t, cfg)
	for range 3 {
		get(t, visitor(t, s, "tcp4"), "https://www.example.com/")
	}
	s.AddFault(Fault{On: "edge", Do: "error", Value: "1016", Times: 2})
	for range 2 {
		get(t, visitor(t, s, "tcp4"), "https://www.example.com/")
	}
	_, body := askGraphQL(t, s, fmt.Sprintf(minutesQuery, "", "10", "count dimensions{clientRequestHTTPHost edgeResponseStatus}"), nil)
	for _, want := range []string{`{"count":3,"dimensions":{"clientRequestHTTPHost":"www.example.com","edgeResponseStatus":200}}`, `{"count":2,"dimensions":{"clientRequestHTTPHost":"www.example.com","edgeResponseStatus":530}}`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
}

func FuzzGraphQL(f *testing.F) {
	f.Add(fmt.Sprintf(eventsQuery, `, a:{b:[1,2,"x\n"],c:$v,d:true}`, "ASC", "x:y{z}"))
	f.Add(`query A($v: string!) { viewer(a: -1.5) { b } # c` + "\n}")
	f.Add(`{{{{`)
	f.Fuzz(func(t *testing.T, text string) {
		fields, err := parseGraphQL(text, map[string]any{"v": 1.0})
		if err == nil && len(fields) == 0 {
			t.Errorf("%q: nothing was asked, and nothing is wrong", text)
		}
	})
}
