package cfclient

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/google/go-cmp/cmp"
)

func TestTheStatusServiceIsRead(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   []Incident
		kind   ddns.Kind
	}{
		{"nothing is going on", 200, `{"status":{"indicator":"none"},"incidents":[]}`, []Incident{}, 0},
		{"an incident", 200, `{"incidents":[{"name":"DNS errors","impact":"major","status":"investigating","components":[{"name":"Authoritative DNS"}]}]}`,
			[]Incident{{Name: "DNS errors", Impact: "major", Components: []string{"Authoritative DNS"}}}, 0},
		{"names that would steer a terminal", 200, `{"incidents":[{"name":"DNS\u001b[2J","impact":"minor","components":[{"name":"CDN\u001b[31m"}]}]}`,
			[]Incident{{Name: "DNS [2J", Impact: "minor", Components: []string{"CDN [31m"}}}, 0},
		{"one that is over", 200, `{"incidents":[{"name":"DNS errors","status":"resolved"},{"name":"x","resolved_at":"2026-11-24T00:00:00Z"}]}`, []Incident{}, 0},
		{"a page without the list", 200, `{"status":"fine"}`, nil, ddns.Unreachable},
		{"a login page", 200, `<html>`, nil, ddns.Unreachable},
		{"an error", 503, `{"incidents":[]}`, nil, ddns.Unreachable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewTLSServer(answering(tt.status, tt.body))
			defer server.Close()
			roots := x509.NewCertPool()
			roots.AddCert(server.Certificate())
			got, err := Status{World: loopback{roots: roots}, URL: server.URL}.Incidents(t.Context())
			if tt.kind != 0 {
				wantKind(t, err, tt.kind)
				return
			}
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got)\n%s", err, diff)
			}
		})
	}
}

func TestAStatusServiceThatHangsIsNotWaitedForLong(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	_, err := Status{World: loopback{roots: roots}, URL: server.URL, Timeout: 50 * time.Millisecond}.Incidents(t.Context())
	wantKind(t, err, ddns.Unreachable)
}

func TestOnlyIncidentsOfNamesAndPagesTouchUs(t *testing.T) {
	for name, want := range map[string]bool{"Increased DNS errors": true, "Network performance in Frankfurt": true, "Billing page is slow": false, "Workers AI": false,
		"Knowledge base is not served": false, "Edge: 5xx for some sites": true, "CDN/Cache": true} {
		if got := (Incident{Name: name}).Touches(); got != want {
			t.Errorf("%q touches: %t", name, got)
		}
	}
}

func FuzzReadSummary(f *testing.F) {
	f.Add([]byte(`{"incidents":[{"name":"DNS","impact":"minor","components":[{"name":"CDN"}]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		incidents, err := readSummary(body)
		if err != nil && incidents != nil {
			t.Error("an error came with a list")
		}
		for _, i := range incidents {
			if len(i.Name) > 2000 {
				t.Errorf("a title of %d bytes", len(i.Name))
			}
		}
	})
}
