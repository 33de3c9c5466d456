package sandbox

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// stranger is a client without a World, which believes the authority.
func stranger(t testing.TB, s *Sandbox) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.authority.pool()}, DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: 15 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func TestEveryEchoOfTheListTellsTheAddressToAClientWithoutAWorld(t *testing.T) {
	t.Parallel()
	cfg := homeZone()
	cfg.IPv6 = wan6
	s := settled(t, cfg)
	names := map[string]bool{}
	for _, e := range s.echoes() {
		if names[e.Name] {
			t.Errorf("%s is listed twice", e.Name)
		}
		names[e.Name] = true
		want := wan4
		if strings.HasSuffix(e.Name, "-ipv6") {
			want = wan6
		}
		var got string
		switch e.Kind {
		case "https":
			got = strings.TrimSpace(get(t, stranger(t, s), e.Address).body)
		case "stun":
			got = bind(t, e.Address).String()
		case "dns":
			got = whoamiAt(t, e, want)
		}
		if got != want.String() {
			t.Errorf("%s at %s says %q, want %s", e.Name, e.Address, got, want)
		}
	}
	for _, name := range []string{"cloudflare", "amazon", "google", "akamai", "identme", "desec", "nsupdate", "opendns", "google-dns-ipv6"} {
		if !names[name] {
			t.Errorf("%s is not in the list", name)
		}
	}
}

// whoamiAt asks a DNS echo its own question.
func whoamiAt(t *testing.T, e EchoInfo, want netip.Addr) string {
	t.Helper()
	var m *dns.Msg
	switch e.Operator {
	case "cloudflare":
		m = mustAsk(t, e.Address, "whoami.cloudflare", dns.TypeTXT, manner{class: dns.ClassCHAOS})
	case "google":
		m = mustAsk(t, e.Address, "o-o.myaddr.l.google.com", dns.TypeTXT, manner{})
	case "opendns":
		m = mustAsk(t, e.Address, "myip.opendns.com", addressType(familyOf(want)), manner{})
	case "akamai":
		m = mustAsk(t, e.Address, "whoami.akamai.net", addressType(familyOf(want)), manner{})
	}
	if len(m.Answer) != 1 {
		return m.String()
	}
	fields := strings.Fields(m.Answer[0].String())
	return strings.Trim(fields[len(fields)-1], `"`)
}

func TestAnEchoFollowsTheHome(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone())
	client := visitor(t, s, "tcp4")
	s.SetWAN(moved, netip.Addr{})
	if p := get(t, client, "https://checkip.amazonaws.com/"); p.body != "45.67.90.77\n" {
		t.Errorf("got %q", p.body)
	}
}

func TestATraceHasTheLinesOfARealOne(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone(SeedRecord{Type: "A", Name: "www", Content: "45.67.89.10", Proxied: true}))
	for _, host := range []string{"api.cloudflare.com", "www.cloudflare.com", "www.example.com"} {
		p := get(t, visitor(t, s, "tcp4"), "https://"+host+"/cdn-cgi/trace", "User-Agent", "test/1")
		var keys []string
		values := map[string]string{}
		for line := range strings.Lines(p.body) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			keys = append(keys, key)
			values[key] = value
		}
		if got := strings.Join(keys, " "); got != "fl h ip ts visit_scheme uag colo sliver http loc tls sni warp gateway rbi kex" {
			t.Errorf("%s: keys %s", host, got)
		}
		for key, want := range map[string]string{"h": host, "ip": "45.67.89.10", "visit_scheme": "https", "uag": "test/1", "http": "http/1.1", "tls": "TLSv1.3", "sni": "plaintext", "warp": "off", "gateway": "off"} {
			if values[key] != want {
				t.Errorf("%s: %s=%s, want %s", host, key, values[key], want)
			}
		}
	}
	p := get(t, visitor(t, s, "tcp4"), "http://www.example.com/cdn-cgi/trace")
	if !strings.Contains(p.body, "visit_scheme=http\n") || !strings.Contains(p.body, "tls=off\n") {
		t.Errorf("in the clear: %q", p.body)
	}
}

func TestFaultsOfAnHTTPSEcho(t *testing.T) {
	t.Parallel()
	cfg := homeZone()
	cfg.IPv6 = wan6
	s := settled(t, cfg)
	for _, c := range []struct {
		fault  Fault
		over   string
		status int
		body   string
		header string
	}{
		{Fault{Do: "lie", Value: "9.8.7.6"}, "tcp4", 200, "9.8.7.6\n", ""},
		{Fault{Do: "lie", Value: "9.8.7.6"}, "tcp6", 200, "2a01:4f8:1:2::10\n", ""},
		{Fault{Do: "lie", Value: "not an address"}, "tcp4", 200, "not an address\n", ""},
		{Fault{Do: "twice"}, "tcp4", 200, "45.67.89.10, 45.67.89.96\n", ""},
		{Fault{Do: "private"}, "tcp4", 200, "10.0.0.7\n", ""},
		{Fault{Do: "private"}, "tcp6", 200, "fd00::7\n", ""},
		{Fault{Do: "wrong-family"}, "tcp4", 200, "2a01:4f8:1:2::96\n", ""},
		{Fault{Do: "wrong-family"}, "tcp6", 200, "45.67.89.96\n", ""},
		{Fault{Do: "500"}, "tcp4", 500, "45.67.89.99", ""},
		{Fault{Do: "429"}, "tcp4", 429, "Too Many", "Retry-After: 60"},
		{Fault{Do: "429", Value: "7"}, "tcp4", 429, "Too Many", "Retry-After: 7"},
		{Fault{Do: "portal"}, "tcp4", 200, "Log in", "Content-Type: text/html; charset=utf-8"},
		{Fault{Do: "html"}, "tcp4", 502, "Bad Gateway", "Server: cloudflare"},
		{Fault{Do: "challenge"}, "tcp4", 403, "Just a moment", "Cf-Mitigated: challenge"},
		{Fault{Do: "redirect"}, "tcp4", 302, "", "Location: http://login.example/"},
	} {
		c.fault.On, c.fault.Times = "echo:amazon", 1
		s.AddFault(c.fault)
		p := get(t, visitor(t, s, c.over), "https://checkip.global.api.aws/")
		if p.status != c.status || !strings.Contains(p.body, c.body) {
			t.Errorf("%+v over %s: %d %q", c.fault, c.over, p.status, p.body)
		}
		if name, value, ok := strings.Cut(c.header, ": "); ok && p.header.Get(name) != value {
			t.Errorf("%+v: %s is %q", c.fault, name, p.header.Get(name))
		}
	}
	s.AddFault(Fault{On: "echo:amazon", Do: "drop", Times: 1})
	if p, err := tryGet(visitor(t, s, "tcp4"), "https://checkip.amazonaws.com/"); err == nil {
		t.Errorf("drop: answered %+v", p)
	}
	s.AddFault(Fault{On: "echo:amazon", Do: "huge", Times: 1})
	if p := get(t, visitor(t, s, "tcp4"), "https://checkip.amazonaws.com/"); len(p.body) != 1<<16 {
		t.Errorf("huge: %d bytes", len(p.body))
	}
	s.AddFault(Fault{On: "echo:amazon", Do: "hang", Times: 1})
	client := visitor(t, s, "tcp4")
	client.Timeout = 100 * time.Millisecond
	if p, err := tryGet(client, "https://checkip.amazonaws.com/"); err == nil {
		t.Errorf("hang: answered %+v", p)
	}
	s.ClearFaults() // a slow machine may have given up before the fault was due
	if p := get(t, visitor(t, s, "tcp4"), "https://checkip.amazonaws.com/"); p.body != "45.67.89.10\n" {
		t.Errorf("after the faults: %q", p.body)
	}
	s.AddFault(Fault{On: "echo:cloudflare", Do: "lie", Value: "104.18.0.0"})
	if p := get(t, visitor(t, s, "tcp4"), "https://api.cloudflare.com/cdn-cgi/trace"); !strings.Contains(p.body, "\nip=104.18.0.0\n") {
		t.Errorf("a lying trace: %q", p.body)
	}
}

func TestFaultsOfADNSWhoami(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone())
	server := s.Info().DNS
	answers := func(fault Fault) []string {
		fault.On, fault.Times = "echo:opendns", 1
		s.AddFault(fault)
		m := mustAsk(t, server, "myip.opendns.com", dns.TypeA, manner{})
		return append([]string{dns.RcodeToString[m.Rcode]}, lines(m.Answer)...)
	}
	for _, c := range []struct {
		fault Fault
		want  []string
	}{
		{Fault{Do: "lie", Value: "9.8.7.6"}, []string{"NOERROR", "A 0 9.8.7.6"}},
		{Fault{Do: "twice"}, []string{"NOERROR", "A 0 45.67.89.10", "A 0 45.67.89.96"}},
		{Fault{Do: "private"}, []string{"NOERROR", "A 0 10.0.0.7"}},
		{Fault{Do: "wrong-family"}, []string{"NOERROR"}},
		{Fault{Do: "500"}, []string{"SERVFAIL"}},
		{Fault{Do: "429"}, []string{"REFUSED"}},
	} {
		if got := answers(c.fault); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.fault, got, c.want)
		}
	}
	s.AddFault(Fault{On: "echo:google-dns-tcp", Do: "500"})
	if m := mustAsk(t, server, "o-o.myaddr.l.google.com", dns.TypeTXT, manner{}); m.Rcode != dns.RcodeSuccess {
		t.Error("a fault of the TCP way struck UDP")
	}
	if m := mustAsk(t, server, "o-o.myaddr.l.google.com", dns.TypeTXT, manner{network: "tcp"}); m.Rcode != dns.RcodeServerFailure {
		t.Error("a fault of the TCP way did not strike")
	}
}

func TestAWhoamiKnowsTheFamilyThatAsks(t *testing.T) {
	t.Parallel()
	cfg := homeZone()
	cfg.IPv6 = wan6
	s := settled(t, cfg)
	m := mustAsk(t, s.Info().DNS, "myip.opendns.com", dns.TypeAAAA, manner{})
	if m.Rcode != dns.RcodeSuccess || len(m.Answer) != 0 {
		t.Errorf("AAAA over IPv4: %v, want no data", m)
	}
	s.SetWAN(wan4, netip.Addr{})
	if m, err := query53(t, s.places.find(placeDNS, ipv6), "myip.opendns.com", dns.TypeAAAA, manner{timeout: 150 * time.Millisecond}); err == nil {
		t.Errorf("over an IPv6 that is gone: %v", m)
	}
}

func TestDNSOverHTTPS(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone(
		SeedRecord{Type: "A", Name: "home", Content: "45.67.89.10"},
		SeedRecord{Type: "CNAME", Name: "hop", Content: "myhome.duckdns.org"},
	))
	client := visitor(t, s, "tcp4")
	ask := func(where, name string, qtype, class uint16) *dns.Msg {
		t.Helper()
		m := new(dns.Msg).SetQuestion(name, qtype)
		m.Question[0].Qclass = class
		wire, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Post(where, "application/dns-message", bytes.NewReader(wire))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "application/dns-message" || m.Unpack(body) != nil {
			t.Fatalf("%s %s: %d %q %v", where, name, answer.StatusCode, body, err)
		}
		return m
	}
	const cloudflare, google = "https://cloudflare-dns.com/dns-query", "https://dns.google/dns-query"
	for _, c := range []struct {
		where, name  string
		qtype, class uint16
		want         []string
	}{
		{cloudflare, "whoami.cloudflare.", dns.TypeTXT, dns.ClassCHAOS, []string{`TXT 0 "45.67.89.10"`}},
		{google, "home.example.com.", dns.TypeA, dns.ClassINET, []string{"A 300 45.67.89.10"}},
		{cloudflare, "hop.example.com.", dns.TypeA, dns.ClassINET, []string{"A 60 45.67.89.10", "CNAME 300 myhome.duckdns.org."}},
		{google, "whoami.akamai.net.", dns.TypeA, dns.ClassINET, []string{"A 180 172.70.100.1"}},
	} {
		m := ask(c.where, c.name, c.qtype, c.class)
		if got := lines(m.Answer); !slices.Equal(got, c.want) || !m.RecursionAvailable {
			t.Errorf("%s %s: %q, want %q", c.where, c.name, got, c.want)
		}
	}
	if m := ask(google, "gone.example.com.", dns.TypeA, dns.ClassINET); m.Rcode != dns.RcodeNameError || len(m.Ns) != 1 {
		t.Errorf("a name that is not there: %v", m)
	}
	if m := ask(google, "whoami.cloudflare.", dns.TypeTXT, dns.ClassCHAOS); m.Rcode != dns.RcodeNotImplemented {
		t.Errorf("Google asked for Cloudflare's whoami: %v", m)
	}
	s.AddFault(Fault{On: "echo:cloudflare-doh", Do: "lie", Value: "9.8.7.6", Times: 1})
	if m := ask(cloudflare, "whoami.cloudflare.", dns.TypeTXT, dns.ClassCHAOS); !slices.Equal(lines(m.Answer), []string{`TXT 0 "9.8.7.6"`}) {
		t.Errorf("a lie: %v", m)
	}
	s.SetDuckDNS(false)
	if m := ask(google, "hop.example.com.", dns.TypeA, dns.ClassINET); m.Rcode != dns.RcodeServerFailure {
		t.Errorf("a dark hop: %v", m)
	}
	wire, err := new(dns.Msg).SetQuestion("home.example.com.", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	if p := get(t, client, google+"?dns="+base64.RawURLEncoding.EncodeToString(wire)); p.status != 200 {
		t.Errorf("by GET: %+v", p)
	}
	if p := get(t, client, google+"?dns=junk!"); p.status != 400 {
		t.Errorf("junk: %+v", p)
	}
}
