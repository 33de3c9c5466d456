package ipsource

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

const loginPage = `<html><body>Welcome to Hotel WiFi. Your address is 45.67.89.10 <form>…</form></body></html>`

// pages are what comes in the place of an address, and what the person is told.
func pages() []struct {
	name   string
	answer http.HandlerFunc
	says   string
	kind   ddns.Kind
} {
	body := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s) }
	}
	status := func(code int, header, value, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if header != "" {
				w.Header().Set(header, value)
			}
			w.WriteHeader(code)
			fmt.Fprint(w, text)
		}
	}
	return []struct {
		name   string
		answer http.HandlerFunc
		says   string
		kind   ddns.Kind
	}{
		{"a login page that holds one address", body(loginPage), "answered 200 with a page of 93 bytes, not an address: a login page or a challenge?", 0},
		{"a short page that holds one address", body("<p>45.67.89.10</p>"), `"<p>45.67.89.10</p>", not an address`, 0},
		{"a 500 page that is one address", status(500, "", "", "45.67.89.10"), "status 500", ddns.Unreachable},
		{"a cookie that holds an address", status(200, "Set-Cookie", "__cf_bm=x-1.0.1.1-y", ""), "empty body", 0},
		{"a challenge that holds a version like an address", status(403, "Cf-Mitigated", "challenge", "v=1.2.1.1"), "status 403, a challenge for browsers (cf-mitigated: challenge)", ddns.Limited},
		{"a challenge under status 200", status(200, "Cf-Mitigated", "challenge", "1.2.1.1"), "status 200, a challenge", ddns.Limited},
		{"a refusal that asks to wait", status(429, "Retry-After", "60", "45.67.89.10"), "status 429, asks to wait 60 s", ddns.Limited},
		{"a redirect to plain http", status(302, "Location", "http://login.example/?from=1", "45.67.89.10"), `status 302, a redirect to "http://login.example", not followed`, ddns.Unreachable},
		{"a redirect without a place", status(302, "", "", ""), "a redirect to nowhere", ddns.Unreachable},
		{"two addresses, as a proxy in between makes them", body("10.0.0.7, 45.67.89.10"), "not an address", 0},
		{"two addresses on two lines", body("45.67.89.10\n45.67.89.11\n"), "not an address", 0},
		{"an address with a port", body("45.67.89.10:80"), "not an address", 0},
		{"an address with leading zeros", body("045.067.089.010"), "not an address", 0},
		{"an address in one number", body("759388426"), "not an address", 0},
		{"an address with a zone", body("fe80::1%eth0"), "an address of one link only", 0},
		{"an IPv6 address", body("2a01:4f8:1:2::10"), "an ipv6 address, to a question over ipv4", 0},
		{"JSON", body(`{"ip":"45.67.89.10"}`), "not an address", 0},
		{"white space that is not ASCII", body("45.67.89.10\u00a0"), "not an address", 0},
		{"an address in too much white space", body("45.67.89.10" + strings.Repeat(" ", 60)), "page of 71 bytes", 0},
		{"its own address", body("127.0.0.1"), "127.0.0.1, its own address", 0},
		{"ten megabytes", func(w http.ResponseWriter, _ *http.Request) {
			for range 10 << 4 {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, "more than 64 bytes", 0},
		{"a body that breaks off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "20")
			fmt.Fprint(w, "45.67.89.1")
		}, "broke off after 10 bytes", 0},
		{"headers without an end", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 64<<10))
			fmt.Fprint(w, "45.67.89.10")
		}, "exceeded", 0},
	}
}

func TestEchoRefusesEverythingButOneAddress(t *testing.T) {
	for _, page := range pages() {
		t.Run(page.name, func(t *testing.T) {
			world := httpsWorld(t, page.answer)
			got, err := echo{url: "https://example.com/"}.ask(within(t, time.Minute), world, ddns.IPv4)
			wantError(t, got, err, page.says)
			if kind := ddns.KindOf(err); kind != page.kind {
				t.Errorf("kind is %s, want %s", kind, page.kind)
			}
		})
	}
}

func TestEchoTakesOneAddress(t *testing.T) {
	for name, body := range map[string]string{
		"bare":                               "45.67.89.10",
		"with a line break":                  "45.67.89.10\r\n",
		"in spaces":                          " \t45.67.89.10 \n",
		"in IPv6 clothes, which it does not": "::ffff:45.67.89.10",
	} {
		t.Run(name, func(t *testing.T) {
			world := httpsWorld(t, func(w http.ResponseWriter, r *http.Request) {
				if got, want := r.UserAgent(), "cfddns/1.0 (+https://github.com/cfddns/cfddns)"; got != want {
					t.Errorf("User-Agent is %q, want %q", got, want)
				}
				if r.Proto != "HTTP/1.1" || !r.Close {
					t.Errorf("asked over %s, close %t; want HTTP/1.1 and no keep-alive", r.Proto, r.Close)
				}
				fmt.Fprint(w, body)
			})
			source := Config{Version: "1.0"}.source(entry{kind: viaHTTPS, ipv4: "https://example.com/"}, ddns.IPv4, vantage{world: world})
			got, err := source.Ask(within(t, time.Minute), ddns.IPv4)
			if err != nil || got != home4 {
				t.Errorf("got %v, %v; want %s", got, err, home4)
			}
		})
	}
}

func TestEchoIgnoresTheProxyOfTheEnvironment(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	world := httpsWorld(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, home4) })
	if got, err := (echo{url: "https://example.com/"}).ask(within(t, time.Minute), world, ddns.IPv4); got != home4 {
		t.Errorf("got %v, %v; want %s", got, err, home4)
	}
}

func TestEchoRefusesAServerThatCannotProveItsName(t *testing.T) {
	world := httpsWorld(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, home4) })
	world.hosts["another.test:443"] = world.hosts["example.com:443"]
	got, err := echo{url: "https://another.test/"}.ask(within(t, time.Minute), world, ddns.IPv4)
	wantError(t, got, err, "certificate")
	world.roots = nil // the system's
	got, err = echo{url: "https://example.com/"}.ask(within(t, time.Minute), world, ddns.IPv4)
	wantError(t, got, err, "certificate")
}

func TestEchoDialsTheFamilyItIsAskedFor(t *testing.T) {
	world := httpsWorld(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, home6) })
	world.dialled = new(record)
	got, err := echo{url: "https://example.com/"}.ask(within(t, time.Minute), world, ddns.IPv6)
	wantError(t, got, err, "") // the server is on 127.0.0.1
	if n := world.dialled.networks; len(n) != 1 || n[0] != "tcp6" {
		t.Errorf("dialled %v, want tcp6 once", n)
	}
}

func TestEchoHangsUpOnAServerThatHangs(t *testing.T) {
	hang := make(chan struct{})
	silent := httpsWorld(t, func(http.ResponseWriter, *http.Request) { <-hang })
	defer close(hang)
	listener, err := net.Listen("tcp4", "127.0.0.1:0") // accepts, and never shakes hands
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	deaf := loopback{hosts: map[string]string{"example.com:443": listener.Addr().String()}}
	for name, world := range map[string]loopback{"before the handshake": deaf, "before the answer": silent} {
		t.Run(name, func(t *testing.T) {
			world.open = new(sync.WaitGroup)
			got, err := bounded(t.Context(), 200*time.Millisecond, func(ctx context.Context) (netip.Addr, error) {
				return echo{url: "https://example.com/"}.ask(ctx, world, ddns.IPv4)
			})
			wantError(t, got, err, "no answer within ")
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("came back with %v", err)
			}
			world.open.Wait() // or the test hangs
		})
	}
}

// simulation is a world whose connections count as authenticated.
type simulation struct{ loopback }

func (s simulation) DialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	return s.Dial(ctx, network, address)
}

func TestEchoAsksASimulatedWorldWithoutAHandshake(t *testing.T) {
	plain := plainHTTP(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, home4) })
	world := simulation{loopback{hosts: map[string]string{"example.com:443": plain}}}
	if got, err := (echo{url: "https://example.com/"}).ask(within(t, time.Minute), world, ddns.IPv4); got != home4 {
		t.Errorf("got %v, %v; want %s", got, err, home4)
	}
}

func TestRetryAfterIsReadAsSecondsOrAsADate(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"120":                           2 * time.Minute,
		"-5":                            0,
		"soon":                          0,
		"4294967295":                    24 * time.Hour,
		"99999999999999":                0,
		"Tue, 24 Nov 2026 12:01:00 GMT": time.Minute,
		"Tue, 24 Nov 2026 11:00:00 GMT": 0,
		"Tue, 24 Nov 2036 11:00:00 GMT": 24 * time.Hour,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("Retry-After %q: got %s, want %s", header, got, want)
		}
	}
}

// plainHTTP starts a server without TLS.
func plainHTTP(t *testing.T, handler http.HandlerFunc) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(listener)
	}()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	return listener.Addr().String()
}

func FuzzEcho(f *testing.F) {
	for _, seed := range []string{"45.67.89.10", " 2a01:4f8::1\n", "::ffff:1.2.3.4", "fe80::1%eth0", "010.1.1.1", loginPage, "1.2.3.4 5.6.7.8", ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, family := range ddns.Families {
			address, err := parseEcho(body, family)
			if err != nil {
				if address.IsValid() {
					t.Fatalf("%q: both %s and %v", body, address, err)
				}
				continue
			}
			if ddns.FamilyOf(address) != family || address.Zone() != "" || address.Is4In6() {
				t.Fatalf("%q: %s is no %s address", body, address, family)
			}
			whole, err := netip.ParseAddr(strings.TrimSpace(string(body)))
			if err != nil || whole.Unmap() != address {
				t.Fatalf("%q: %s is not the whole of it", body, address)
			}
		}
	})
}
