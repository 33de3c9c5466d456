package sandbox

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestFaultsOfTheAPI(t *testing.T) {
	const post = `{"type":"A","name":"www","content":"45.67.89.10"}`
	for _, test := range []struct {
		name, do, value string
		status          int
		retryAfter      string
		done            bool
		start           string // of the body
	}{
		{"an error of the server", "500", "", 500, "", false, `{"result":null`},
		{"the limit is reached", "429", "", 429, "30", false, `{"result":null`},
		{"the limit is reached for a time", "429", "7", 429, "7", false, `{"result":null`},
		{"a page of the edge", "html", "", 502, "", false, "<html>"},
		{"a lie", "lie", "", 200, "", false, "<html>"},
		{"the page of a hotel", "portal", "", 200, "", false, "<html>"},
		{"the connection is cut before anything is done", "drop", "", 0, "", false, ""},
		{"done, and said to have failed", "done-but-500", "", 500, "", true, `{"result":null`},
		{"done, and the answer lost", "done-but-drop", "", 0, "", true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := running(t, Config{Token: testToken})
			s.AddFault(Fault{On: "create", Do: test.do, Value: test.value, Times: 1})
			response, body, err := post1(t, s, post)
			if (test.status == 0) != (err != nil) {
				t.Fatalf("got %v", err)
			}
			if err == nil && (response.StatusCode != test.status || response.Header.Get("Retry-After") != test.retryAfter ||
				!strings.HasPrefix(body, test.start)) {
				t.Errorf("got %d %v %s", response.StatusCode, response.Header, body)
			}
			if n, _ := s.nodeAt("www.example.com"); (len(n.records) == 1) != test.done {
				t.Errorf("the zone holds %v", n.records)
			}
			if _, ok := s.takeFault("create"); ok {
				t.Error("the fault outlived its one time")
			}
		})
	}
}

// post1 creates a record over the wire, once.
func post1(t testing.TB, s *Sandbox, body string) (*http.Response, string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(withDeadline(t), "POST", s.Info().API+zonePath(s, "/dns_records"), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+testToken)
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return response, string(text), err
}

func TestFaultOfTheWholeAPIHitsEveryEffect(t *testing.T) {
	s := stateOnly(t)
	s.AddFault(Fault{On: "api", Do: "500"})
	for _, path := range []string{"/zones", zonePath(s, "/dns_records"), "/user/tokens/verify", "/ips"} {
		if got := callAPI(t, s, "GET", path, ""); got.Status != 500 {
			t.Errorf("%s: %d %s", path, got.Status, got.Raw)
		}
	}
	s.ClearFaults()
	if got := callAPI(t, s, "GET", "/zones", ""); got.Status != 200 {
		t.Errorf("afterwards: %s", got.Raw)
	}
}

func TestHangLastsUntilTheClientGoes(t *testing.T) {
	s := running(t, Config{Token: testToken})
	s.AddFault(Fault{On: "ips", Do: "hang"})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r := getRequest(t, s.Info().API+"/ips").WithContext(ctx)
	if response, err := http.DefaultClient.Do(r); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v %v", response, err)
	}
}

func TestHugeBodyHasNoEnd(t *testing.T) {
	s := running(t, Config{Token: testToken})
	s.AddFault(Fault{On: "ips", Do: "huge"})
	response, err := http.DefaultClient.Do(getRequest(t, s.Info().API+"/ips").WithContext(withDeadline(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if n, err := io.CopyN(io.Discard, response.Body, 20<<20); err != nil {
		t.Errorf("ended after %d bytes: %v", n, err)
	}
}

func TestCallsAreCountedByEffect(t *testing.T) {
	s := stateOnly(t)
	id := create(t, s, `{"type":"A","name":"www","content":"45.67.89.10"}`)
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/zones", ""}, {"GET", zonePath(s, "/dns_records"), ""}, {"GET", zonePath(s, "/dns_records/"+id), ""},
		{"PATCH", zonePath(s, "/dns_records/"+id), "{}"}, {"POST", zonePath(s, "/dns_records/batch"), "{}"},
		{"DELETE", zonePath(s, "/dns_records/"+id), ""}, {"GET", "/user/tokens/verify", ""}, {"GET", "/nothing", ""},
	} {
		callAPI(t, s, c.method, c.path, c.body)
	}
	want := map[string]int{"zones": 1, "list": 2, "create": 1, "edit": 1, "batch": 1, "delete": 1, "verify": 1, "unknown": 1}
	got := s.Calls()
	for effect, n := range want {
		if got[effect] != n {
			t.Errorf("%s: %d, want %d", effect, got[effect], n)
		}
	}
}
