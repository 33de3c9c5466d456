package cfclient

import (
	"crypto/rand"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestLookSaysWhatKindOfAnswerCame(t *testing.T) {
	page := func(status int, body string, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	ray := []string{"Cf-Ray", "8f1-FRA", "Server", "cloudflare"}
	with := func(more ...string) []string { return append(append([]string(nil), ray...), more...) }
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    ddns.EdgeAnswer
	}{
		{"a page of the origin", page(200, "hello", ray...), ddns.EdgeAnswer{Status: 200, Cloudflare: true}},
		{"a page that did not come through Cloudflare", page(200, "hello"), ddns.EdgeAnswer{Status: 200}},
		{"a login", page(302, "", with("Location", "https://login.example.com/")...), ddns.EdgeAnswer{Status: 302, Cloudflare: true, Location: "https://login.example.com/"}},
		{"1016 in a header", page(530, "", with("Cf-Error-Type", "1016")...), ddns.EdgeAnswer{Status: 530, CloudflareError: 1016, Cloudflare: true}},
		{"1016 in JSON", page(530, `{"error_code":1016,"cloudflare_error":true,"status":530}`, ray...), ddns.EdgeAnswer{Status: 530, CloudflareError: 1016, Cloudflare: true}},
		{"1016 in a line", page(530, "error code: 1016\n", ray...), ddns.EdgeAnswer{Status: 530, CloudflareError: 1016, Cloudflare: true}},
		{"522 in JSON", page(522, `{"error_code":522,"cloudflare_error":true}`, ray...), ddns.EdgeAnswer{Status: 522, CloudflareError: 522, Cloudflare: true}},
		{"JSON of the origin that looks alike", page(530, `{"error_code":1016}`, ray...), ddns.EdgeAnswer{Status: 530, Cloudflare: true}},
		{"a line of the origin under 200", page(200, "error code: 1016", ray...), ddns.EdgeAnswer{Status: 200, Cloudflare: true}},
		{"a challenge", page(403, "<html>", with("Cf-Mitigated", "challenge")...), ddns.EdgeAnswer{Status: 403, Challenge: true, Cloudflare: true}},
		{"a block page for browsers", page(403, `<div id="cf-wrapper"><div id="cf-error-details">`, ray...), ddns.EdgeAnswer{Status: 403, Blocked: true, Cloudflare: true}},
		{"522 in the title of a page for browsers", page(522, `<title>example.com | 522: Connection timed out</title><div id="cf-wrapper">`, ray...), ddns.EdgeAnswer{Status: 522, CloudflareError: 522, Cloudflare: true}},
		{"1016 in the markup of a page for browsers", page(530, `<title>Origin DNS error | example.com | Cloudflare</title><h1 id="cf-wrapper"><span data-translate="error">Error</span> <span>1016</span>`, ray...), ddns.EdgeAnswer{Status: 530, CloudflareError: 1016, Cloudflare: true}},
		{"1020 in older markup", page(403, `<span class="cf-error-code">1020</span><div id="cf-error-details">`, ray...), ddns.EdgeAnswer{Status: 403, CloudflareError: 1020, Cloudflare: true}},
		{"a bare page with Cloudflare's name", page(502, `<center><h1>502 Bad Gateway</h1></center><hr><center>cloudflare</center>`, ray...), ddns.EdgeAnswer{Status: 502, CloudflareError: 502, Cloudflare: true}},
		{"a title of the origin's own", page(503, `<title>shop | 503: closed</title>`, ray...), ddns.EdgeAnswer{Status: 503, Cloudflare: true}},
		{"a 403 of the origin", page(403, "no", ray...), ddns.EdgeAnswer{Status: 403, Cloudflare: true}},
		{"a page from the cache", page(200, "x", with("Cf-Cache-Status", "HIT", "Age", "3600")...), ddns.EdgeAnswer{Status: 200, Cloudflare: true, Cache: "HIT", Age: time.Hour}},
		{"a number beyond all", page(530, `{"error_code":99999999999999999999,"cloudflare_error":true}`), ddns.EdgeAnswer{Status: 530}},
		{"a page without end", page(500, strings.Repeat("x", 1<<20)), ddns.EdgeAnswer{Status: 500}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Host != "example.com" || r.TLS.ServerName != "example.com" || r.Header.Get("Accept") != "application/json" || r.URL.Path != "/" {
					t.Errorf("asked %s %s for %s, %v", r.TLS.ServerName, r.Host, r.URL, r.Header)
				}
				tt.handler(w, r)
			}))
			defer server.Close()
			roots := x509.NewCertPool()
			roots.AddCert(server.Certificate())
			got, err := Edge{World: loopback{roots: roots}}.Look(t.Context(), "example.com", netip.MustParseAddrPort(server.Listener.Addr().String()))
			if err != nil {
				t.Fatal(err)
			}
			if got.Date.IsZero() {
				t.Error("the edge's clock was not read")
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(ddns.EdgeAnswer{}, "Date", "Origin")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			ofOrigin := got.Cloudflare && got.CloudflareError == 0 && !got.Challenge && !got.Blocked && got.Cache != "HIT"
			if (got.Origin != "") != ofOrigin {
				t.Errorf("the fingerprint of the web server is %q", got.Origin)
			}
		})
	}
}

func TestAWebServerIsKnownAgainByWhatStaysTheSame(t *testing.T) {
	print := func(status int, header ...string) string {
		response := &http.Response{StatusCode: status, Header: http.Header{"Server": {"cloudflare"}, "Cf-Ray": {rand.Text()}, "Content-Type": {"text/html"}}}
		for i := 0; i < len(header); i += 2 {
			response.Header.Set(header[i], header[i+1])
		}
		return edgeAnswer(response, nil).Origin
	}
	usual := print(200, "X-Frame-Options", "DENY")
	for _, c := range []struct {
		name string
		got  string
		same bool
	}{
		{"another page of it", print(200, "X-Frame-Options", "SAMEORIGIN", "Etag", `"2"`, "Content-Length", "9", "Set-Cookie", "a=b", "Cf-Cache-Status", "DYNAMIC"), true},
		{"an error of it", print(503, "X-Frame-Options", "DENY"), false},
		{"a server without its headers", print(200), false},
		{"a server with others", print(200, "X-Frame-Options", "DENY", "X-Powered-By", "PHP/8.3"), false},
		{"another kind of page", print(200, "X-Frame-Options", "DENY", "Content-Type", "application/json"), false},
		{"a page from a cache", print(200, "X-Frame-Options", "DENY", "Cf-Cache-Status", "HIT"), false},
		{"an old page from a cache that was asked whether it still holds", print(200, "X-Frame-Options", "DENY", "Cf-Cache-Status", "REVALIDATED"), false},
		{"a page with an age", print(200, "X-Frame-Options", "DENY", "Age", "0"), false},
		{"a challenge", print(403, "X-Frame-Options", "DENY", "Cf-Mitigated", "challenge"), false},
	} {
		if (c.got == usual) != c.same {
			t.Errorf("%s: %q, and the usual one is %q", c.name, c.got, usual)
		}
	}
}

func TestLookAsksTheAddressItIsTold(t *testing.T) {
	server := httptest.NewServer(answering(200, "x"))
	defer server.Close()
	edge := Edge{World: loopback{}, Address: server.Listener.Addr().String()}
	got, err := edge.Look(t.Context(), "http://www.example.com/healthz", netip.MustParseAddrPort("192.0.2.1:80"))
	if err != nil || got.Status != 200 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAnEdgeThatDoesNotAnswer(t *testing.T) {
	server := httptest.NewTLSServer(answering(200, "x"))
	defer server.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())
	hanging := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer hanging.Close()
	at := netip.MustParseAddrPort(server.Listener.Addr().String())
	tests := []struct {
		name  string
		edge  Edge
		page  string
		at    netip.AddrPort
		kind  ddns.Kind
		wants string
	}{
		{"a certificate of nobody", Edge{World: loopback{roots: x509.NewCertPool()}}, "example.com", at, ddns.Unreachable, "not trusted"},
		{"a certificate of another", Edge{World: loopback{roots: trusted}}, "other.example.net", at, ddns.Unreachable, "another name"},
		{"nobody listens", Edge{World: loopback{roots: trusted}}, "example.com", netip.MustParseAddrPort(closedPort(t)), ddns.Unreachable, "refused"},
		{"it hangs", Edge{World: loopback{roots: trusted}, Timeout: 200 * time.Millisecond}, "example.com", netip.MustParseAddrPort(hanging.Listener.Addr().String()), ddns.Unreachable, "timeout"},
		{"no web address", Edge{World: loopback{}}, "gopher://example.com/", at, ddns.Unexpected, "web address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.edge.Look(t.Context(), tt.page, tt.at)
			wantKind(t, err, tt.kind)
			if waits := tt.name == "it hangs"; errors.Is(err, ddns.ErrEdgeWaits) != waits {
				t.Errorf("%v; that the edge waits for the origin is to be %t", err, waits)
			}
			if !strings.Contains(err.Error(), tt.wants) {
				t.Errorf("%v; want %q", err, tt.wants)
			}
		})
	}
}

func FuzzEdgeError(f *testing.F) {
	f.Add(530, "1016", []byte(""))
	f.Add(530, "", []byte(`{"error_code":1016,"cloudflare_error":true}`))
	f.Add(530, "", []byte("error code: 1016"))
	f.Fuzz(func(t *testing.T, status int, header string, body []byte) {
		if code := edgeError(status, header, body); code != 0 && (code < 100 || code > 9999 || status < 400) {
			t.Errorf("status %d: code %d", status, code)
		}
	})
}
