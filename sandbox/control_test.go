package sandbox

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// command calls the control address.
func command(s *Sandbox, method, path, body string, headers ...string) (int, string) {
	r := httptest.NewRequest(method, "http://127.0.0.1:4000"+path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.control().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestControlChangesTheWorld(t *testing.T) {
	s := stateOnly(t)
	for _, c := range []struct{ path, body string }{
		{"/wan", `{"ipv4":"45.67.89.11","ipv6":"2a02::7"}`},
		{"/duckdns", `{"up":false}`},
		{"/security", `{"under_attack":true}`},
		{"/security", `{"bic":true,"bot_fight":true,"managed_rule":"ssl","flood":20,"under_attack_path":"/api"}`},
		{"/home", `{"hairpin":false}`},
		{"/zones", `{"name":"example.com","paused":true,"status":"pending","type":"partial","delegation":["ns1.other.net"]}`},
		{"/history", `{"events":[{"at":"2026-11-24T03:00:00Z","action":"block","source":"bic","client":"45.90.28.4","host":"www.example.com"}],"minutes":[{"at":"2026-11-24T03:00:00Z","host":"www.example.com","status":530,"requests":3}]}`},
		{"/status", `{"incidents":[{"name":"x","components":["API"]}]}`},
		{"/resolvers", `{"flush":true,"pass":"30m"}`},
		{"/duckdns", `{"host":"other","addresses":["45.67.90.5"]}`},
		{"/faults", `{"on":"edge","do":"error","value":"1016","every":3,"at":"104.21.16.1"}`},
		{"/tokens", `{"value":"another","permissions":["dns:edit"]}`},
		{"/faults", `{"on":"batch","do":"500","value":"","times":1}`},
		{"/faults", `[{"on":"echo:amazon","do":"lie","value":"45.67.89.99"},{"on":"api","do":"429","value":"5"}]`},
		{"/tokens", `{"read_only":true,"zones":["example.com"],"status":"active","expires_on":"2099-01-01T00:00:00Z"}`},
	} {
		if status, body := command(s, "POST", c.path, c.body); status != 200 || body != "{\"ok\":true}\n" {
			t.Errorf("POST %s %s: %d %s", c.path, c.body, status, body)
		}
	}
	_, body := command(s, "GET", "/world", "")
	var w worldView
	if err := json.Unmarshal([]byte(body), &w); err != nil {
		t.Fatal(err)
	}
	if w.WAN != (WANInfo{IPv4: "45.67.89.11", IPv6: "2a02::7"}) || w.DuckDNS.Up || !w.Security.UnderAttack || len(w.Faults) != 4 || w.Events != 1 || !w.Security.BIC {
		t.Errorf("got %s", body)
	}
	if !s.tokens[testToken].readOnly {
		t.Error("the token may write")
	}
	command(s, "DELETE", "/faults", "")
	if _, ok := s.takeFault("batch"); ok {
		t.Error("a fault was left")
	}
}

func TestWorldShowsRecordsAndCalls(t *testing.T) {
	s := stateOnly(t)
	create(t, s, `{"type":"A","name":"www","content":"45.67.89.10"}`)
	_, body := command(s, "GET", "/world", "")
	var w worldView
	if err := json.Unmarshal([]byte(body), &w); err != nil {
		t.Fatal(err)
	}
	if r := w.Records["example.com"]; len(r) != 1 || r[0].Content != "45.67.89.10" || w.Calls["create"] != 1 {
		t.Errorf("got %s", body)
	}
	if strings.Contains(body, testToken) {
		t.Error("the token is shown")
	}
}

func TestWANIsChangedByFamily(t *testing.T) {
	s := stateOnly(t)
	s.SetWAN(netip.MustParseAddr("45.67.89.10"), netip.MustParseAddr("2a02::7"))
	command(s, "POST", "/wan", `{"ipv6":"2a02::8"}`)
	if f4, f6 := s.WAN(); f4.String() != "45.67.89.10" || f6.String() != "2a02::8" {
		t.Errorf("got %s %s", f4, f6)
	}
	command(s, "POST", "/wan", `{"ipv4":"","ipv6":"2a02::8"}`)
	if f4, f6 := s.WAN(); f4.IsValid() || !f6.IsValid() {
		t.Errorf("got %s %s", f4, f6)
	}
}

func TestControlRefusesInWords(t *testing.T) {
	s := stateOnly(t)
	for _, test := range []struct{ path, body, words string }{
		{"/wan", `{"ipv4":"2a02::7"}`, "ipv4"},
		{"/wan", `{"ipv6":"45.67.89.10"}`, "ipv6"},
		{"/wan", `{}`, "nothing to change"},
		{"/wan", `{"ipv5":"x"}`, "ipv5"},
		{"/wan", `{"ipv4":5}`, "body"},
		{"/wan", `{"ipv4":"45.67.89.10"} {}`, "more"},
		{"/wan", ``, "body"},
		{"/duckdns", `{}`, "up is missing"},
		{"/duckdns", `{"up":"no"}`, "body"},
		{"/security", `{}`, "nothing to change"},
		{"/security", `{"managed_rule":"http.hots"}`, "unknown identifier"},
		{"/home", `{}`, "hairpin is missing"},
		{"/zones", `{"name":"example.org","paused":true}`, "is not there"},
		{"/zones", `{"name":"example.com","status":"odd"}`, "status"},
		{"/zones", `{"name":"example.com","type":"odd"}`, "type"},
		{"/history", `{"events":[{"host":"www.example.org"}]}`, "no zone holds"},
		{"/history", `{"minutes":[{"host":"www.example.org"}]}`, "no zone holds"},
		{"/status", `{"incidents":[{"name":"x","impact":"huge"}]}`, "impact"},
		{"/resolvers", `{"pass":"-1s"}`, "pass"},
		{"/tokens", `{"permissions":["waf:write"]}`, "waf:edit"},
		{"/faults", `{"on":"edge","do":"error","value":"1099"}`, "1016"},
		{"/faults", `{"on":"edge","do":"500","every":-1}`, "every"},
		{"/faults", `{"on":"origin","do":"500","at":"104.21.16.1"}`, "leave out at"},
		{"/faults", `{"on":"resolver:8.8.8.8","do":"lie"}`, "not an address"},
		{"/faults", `{"on":"resolver:8.8.4.4","do":"hang"}`, "no such thing"},
		{"/faults", `{"on":"duckdns","do":"stale","value":"x"}`, "old address"},
		{"/faults", `{"on":"batches","do":"500"}`, "no such thing"},
		{"/faults", `{"on":"echo:","do":"500"}`, "no such thing"},
		{"/faults", `{"on":"list","do":"nonsense"}`, "it can do"},
		{"/faults", `{"on":"list","do":"500","times":-1}`, "times"},
		{"/faults", `{"on":"echo:x","do":"500"}`, "no such thing"},
		{"/faults", `{"on":"echo:amazon","do":"lie"}`, "lie"},
		{"/faults", `{"on":"dns","do":"lie","value":"big"}`, "lie"},
		{"/faults", `[{"on":"list","do":"500"},{"on":"x","do":"500"}]`, "no such thing"},
		{"/faults", `{"on":"list","do":"500","when":"now"}`, "when"},
		{"/tokens", `{"status":"lost"}`, "status"},
		{"/tokens", `{"value":"a b"}`, "value"},
		{"/tokens", `{"expires_on":"soon"}`, "body"},
	} {
		status, body := command(s, "POST", test.path, test.body)
		if status != 400 || !strings.Contains(body, test.words) {
			t.Errorf("POST %s %s: %d %s", test.path, test.body, status, body)
		}
	}
	if len(s.faults) != 0 {
		t.Errorf("a refused list of faults left %v", s.faults)
	}
}

func TestControlIsForLocalProgramsOnly(t *testing.T) {
	s := stateOnly(t)
	for _, test := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"a name that somebody points here", []string{"Host", "evil.example:4000"}, http.StatusForbidden},
		{"a page of another site", []string{"Origin", "https://evil.example"}, http.StatusForbidden},
		{"a page without an origin", []string{"Origin", "null"}, http.StatusForbidden},
		{"its own page", []string{"Origin", "http://127.0.0.1:4000"}, http.StatusOK},
		{"localhost", []string{"Host", "localhost:4000"}, http.StatusOK},
		{"IPv6", []string{"Host", "[::1]"}, http.StatusOK},
	} {
		if status, body := command(s, "GET", "/world", "", test.headers...); status != test.status {
			t.Errorf("%s: %d %s", test.name, status, body)
		}
	}
}

func TestControlExplainsItself(t *testing.T) {
	s := stateOnly(t)
	status, body := command(s, "GET", "/", "")
	for _, word := range []string{"/world", "/wan", "/duckdns", "/security", "/faults", "/tokens", "done-but-500", "echo:NAME"} {
		if status != 200 || !strings.Contains(body, word) {
			t.Errorf("%d, %s is missing in %s", status, word, body)
		}
	}
	if status, _ := command(s, "GET", "/nothing", ""); status != 404 {
		t.Errorf("got %d", status)
	}
}

// Whoever plays every fault everywhere must not be told that some do not exist.
func TestEveryFaultCanBePlayedEverywhere(t *testing.T) {
	for _, on := range []string{"batch", "list", "create", "edit", "delete", "zones", "verify", "echo:amazon", "echo:google", "dns", "edge", "origin", "duckdns"} {
		for _, do := range []string{"500", "429", "hang", "drop", "html", "done-but-500", "lie", "portal", "huge"} {
			if err := (Fault{On: on, Do: do, Value: "45.67.1.2"}).check(); err != nil {
				t.Error(err)
			}
		}
	}
}
