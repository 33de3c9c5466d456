package ipsource

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// traceOf writes a trace as Cloudflare does, with some lines replaced.
func traceOf(host, ip string, replace ...string) string {
	lines := strings.Join([]string{"fl=1f1", "h=" + host, "ip=" + ip, "ts=1764000000.123", "visit_scheme=https", "uag=cfddns/1.0",
		"colo=FRA", "sliver=none", "http=http/1.1", "loc=DE", "tls=TLSv1.3", "sni=plaintext", "warp=off", "gateway=off", "rbi=off", "kex=X25519"}, "\n") + "\n"
	return strings.NewReplacer(replace...).Replace(lines)
}

func TestTraceRefusesWhatIsNotAboutThisHomeAndThisHost(t *testing.T) {
	good := traceOf("example.com", "45.67.89.10")
	for _, c := range []struct{ name, body, says string }{
		{"a trace of another host", traceOf("evil.example", "45.67.89.10"), `host "evil.example", not of example.com`},
		{"WARP", traceOf("example.com", "104.28.1.1", "warp=off", "warp=on"), `warp="on"`},
		{"WARP+", traceOf("example.com", "104.28.1.1", "warp=off", "warp=plus"), "leaves through Cloudflare's VPN"},
		{"a Zero Trust gateway", traceOf("example.com", "45.67.89.10", "gateway=off", "gateway=on"), `gateway="on"`},
		{"no address", traceOf("example.com", ""), `ip="", not an address`},
		{"two addresses", traceOf("example.com", "45.67.89.10, 10.0.0.1"), "not an address"},
		{"an address said twice", good + "ip=45.67.89.11\n", `says "ip" twice`},
		{"an IPv6 address", traceOf("example.com", "2a01:4f8::1"), "an ipv6 address, to a question over ipv4"},
		{"a login page", loginPage, "no trace"},
		{"nothing", "", `host ""`},
		{"a trace without an end", good + strings.Repeat("x=y\n", 2000), "a page of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			world := httpsWorld(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, c.body) })
			got, err := trace{url: "https://example.com" + tracePath}.ask(within(t, time.Minute), world, ddns.IPv4)
			wantError(t, got, err, c.says)
		})
	}
}

func TestTraceTakesTheAddress(t *testing.T) {
	for name, body := range map[string]string{
		"of a whole trace":                      traceOf("example.com", "45.67.89.10"),
		"of one with carriage returns":          traceOf("example.com", "45.67.89.10", "\n", "\r\n"),
		"of one that does not know the gateway": traceOf("example.com", "45.67.89.10", "gateway=off\n", ""),
	} {
		t.Run(name, func(t *testing.T) {
			world := httpsWorld(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
			got, err := trace{url: "https://example.com" + tracePath}.ask(within(t, time.Minute), world, ddns.IPv4)
			if err != nil || got != home4 {
				t.Errorf("got %v, %v; want %s", got, err, home4)
			}
		})
	}
}

func FuzzTrace(f *testing.F) {
	f.Add([]byte(traceOf("example.com", "45.67.89.10")))
	f.Add([]byte(traceOf("example.com", "2a01:4f8::1", "warp=off", "warp=on")))
	f.Add([]byte("h=example.com\nip=1.2.3.4"))
	f.Add([]byte(loginPage))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, family := range ddns.Families {
			address, err := parseTrace(body, "example.com", family)
			if err != nil {
				if address.IsValid() {
					t.Fatalf("%q: both %s and %v", body, address, err)
				}
				continue
			}
			said := 0
			for line := range strings.Lines(string(body)) {
				line = strings.TrimRight(line, "\r\n")
				if text, ok := strings.CutPrefix(line, "ip="); ok {
					said++
					if a, err := netip.ParseAddr(text); err != nil || a.Unmap() != address {
						t.Fatalf("%q: %s was not said", body, address)
					}
				}
				if strings.HasPrefix(line, "warp=") && line != "warp=off" {
					t.Fatalf("%q: an address of WARP", body)
				}
			}
			if said != 1 || ddns.FamilyOf(address) != family {
				t.Fatalf("%q: %s, said %d times", body, address, said)
			}
		}
	})
}
