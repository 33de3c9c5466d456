package cfclient

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

const testToken = "cfut_abcdefghijklmnopqrstuvwxyz0123456789ABCDxyz"

// loopback is a world of real sockets. Every dial goes to the address given,
// if there is one.
type loopback struct {
	to    string
	roots *x509.CertPool
}

func (l loopback) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if l.to != "" {
		address = l.to
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}
func (l loopback) From(netip.Addr) ddns.World { return l }
func (l loopback) Roots() *x509.CertPool      { return l.roots }

// sent is a request that arrived.
type sent struct {
	Method string
	Path   string
	Query  map[string][]string
	Header http.Header
	Body   string
}

// fake is an API that does as the test says, and remembers what came.
type fake struct {
	*httptest.Server
	mu   sync.Mutex
	sent []sent
}

func serve(t *testing.T, handler http.HandlerFunc) *fake {
	t.Helper()
	f := &fake{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		f.mu.Lock()
		f.sent = append(f.sent, sent{r.Method, r.URL.Path, r.URL.Query(), r.Header, string(body)})
		f.mu.Unlock()
		handler(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) requests() []sent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]sent(nil), f.sent...)
}

// client makes a client of the fake.
func (f *fake) client(t *testing.T) *Client {
	t.Helper()
	config := Config{Token: ddns.NewSecret(testToken), BaseURL: f.URL + "/client/v4", World: loopback{}, UserAgent: "cfddns/test"}
	if err := config.Validate(); err != nil {
		t.Fatal(err)
	}
	c := New(config)
	t.Cleanup(c.CloseIdle)
	return c
}

// answer writes JSON.
func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { answer(w, status, body) }
}

// listOf is the envelope of a list that has total entries altogether.
func listOf(t testing.TB, total int, entries any) string {
	t.Helper()
	result, err := json.Marshal(entries)
	if err != nil {
		t.Error(err)
	}
	return fmt.Sprintf(`{"success":true,"errors":[],"messages":[],"result":%s,"result_info":{"total_count":%d}}`, result, total)
}

func resultOf(result string) string {
	return `{"success":true,"errors":[],"messages":[],"result":` + result + `}`
}

func refusalOf(code int, message string) string {
	return fmt.Sprintf(`{"success":false,"errors":[{"code":%d,"message":%q}],"messages":[],"result":null}`, code, message)
}

var testZone = ddns.Zone{ID: "023e105f4ecef8ad9ca31a8372d0c353", Name: "example.com", Plan: "free"}

// recordID makes an ID in Cloudflare's form.
func recordID(n int) string { return fmt.Sprintf("%032x", n) }

// wire is a record as the API writes it.
func wire(n int, name, recordType, content string) map[string]any {
	return map[string]any{
		"id": recordID(n), "name": name, "type": recordType, "content": content, "proxied": false, "ttl": 60,
		"proxiable": true, "comment": nil, "tags": []string{}, "settings": map[string]any{}, "meta": map[string]any{},
		"created_on": "2024-01-01T05:20:00.12345Z", "modified_on": "2024-01-01T05:20:00.12345Z",
	}
}

// wantKind checks the kind of an error, and that it is worth reading.
func wantKind(t *testing.T, err error, want ddns.Kind) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %v", want)
	}
	if got := ddns.KindOf(err); got != want {
		t.Errorf("%v is %v, want %v", err, got, want)
	}
}

func withTimeout(c *Client, d time.Duration) *Client {
	c.timeout = d
	return c
}

func ptr[T any](v T) *T { return &v }

func encode(t *testing.T, v any) string {
	t.Helper()
	encoded, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}
