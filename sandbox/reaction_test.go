package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// stateOnly makes a sandbox of which nothing listens: its API is called
// without sockets.
func stateOnly(t testing.TB, zones ...SeedZone) *Sandbox {
	t.Helper()
	s, err := newSandbox(Config{Token: testToken, Zones: zones})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// reaction is what came back from one call.
type reaction struct {
	Status   int             `json:"-"`
	Header   http.Header     `json:"-"`
	Raw      string          `json:"-"`
	Success  bool            `json:"success"`
	Errors   []message       `json:"errors"`
	Messages []message       `json:"messages"`
	Result   json.RawMessage `json:"result"`
	Info     *resultInfo     `json:"result_info"`
}

func (r reaction) code() int {
	if len(r.Errors) == 0 {
		return 0
	}
	return r.Errors[0].Code
}

// into decodes the result.
func (r reaction) into(t testing.TB, v any) {
	t.Helper()
	if !r.Success {
		t.Fatalf("refused: %s", r.Raw)
	}
	if err := json.Unmarshal(r.Result, v); err != nil {
		t.Fatalf("%v in %s", err, r.Raw)
	}
}

// callAPI calls the API; the path starts after /client/v4.
func callAPI(t testing.TB, s *Sandbox, method, path, body string) reaction {
	t.Helper()
	r := request(method, path, body)
	r.Header.Set("Authorization", "Bearer "+testToken)
	return send(t, s, r)
}

func request(method, path, body string) *http.Request {
	r := httptest.NewRequest(method, "http://127.0.0.1/client/v4"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

func send(t testing.TB, s *Sandbox, r *http.Request) reaction {
	t.Helper()
	w := httptest.NewRecorder()
	s.api().ServeHTTP(w, r)
	got := reaction{Status: w.Code, Header: w.Header(), Raw: w.Body.String()}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%s %s: %v in %q", r.Method, r.URL, err, got.Raw)
	}
	return got
}

func zonePath(s *Sandbox, rest string) string { return "/zones/" + s.zones[0].ID + rest }

// create makes a record of the first zone and returns its ID.
func create(t testing.TB, s *Sandbox, body string) string {
	t.Helper()
	var r recordView
	callAPI(t, s, "POST", zonePath(s, "/dns_records"), body).into(t, &r)
	return r.ID
}

func contents(t testing.TB, s *Sandbox) []string {
	t.Helper()
	lines := []string{}
	for _, r := range s.zones[0].Records {
		lines = append(lines, fmt.Sprintf("%s %s %s ttl=%d proxied=%v %q %v", r.Name, r.Type, r.Content, r.TTL, r.Proxied, r.Comment, r.Tags))
	}
	return lines
}

func manyRecords(n int) []SeedRecord {
	records := make([]SeedRecord, n)
	for i := range records {
		records[i] = SeedRecord{Type: "A", Name: fmt.Sprintf("host-%d", i), Content: "45.67.89.10"}
	}
	return records
}
