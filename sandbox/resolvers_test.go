package sandbox

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// askResolver puts a question to a resolver of the world.
func askResolver(t testing.TB, s *Sandbox, resolver, name string, qtype uint16) (*dns.Msg, error) {
	t.Helper()
	raw, err := s.World().Dial(t.Context(), "udp4", resolver+":53")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	client := dns.Client{Timeout: 2 * time.Second}
	m, _, err := client.ExchangeWithConn(new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype), &dns.Conn{Conn: raw})
	return m, err
}

func mustResolve(t testing.TB, s *Sandbox, resolver, name string, qtype uint16) *dns.Msg {
	t.Helper()
	m, err := askResolver(t, s, resolver, name, qtype)
	if err != nil {
		t.Fatalf("%s at %s: %v", name, resolver, err)
	}
	return m
}

func TestResolversRememberAndForget(t *testing.T) {
	t.Parallel()
	cfg := homeZone(SeedRecord{Type: "A", Name: "home", Content: "45.67.89.10", TTL: 120})
	cfg.Token = testToken
	s := settled(t, cfg)
	at := func(resolver string) []string {
		return lines(mustResolve(t, s, resolver, "home.example.com", dns.TypeA).Answer)
	}
	if got := at("1.1.1.1"); !slices.Equal(got, []string{"A 120 45.67.89.10"}) {
		t.Errorf("asked: %q", got)
	}
	id := s.zones[0].Records[0].ID
	callAPI(t, s, "PATCH", zonePath(s, "/dns_records/"+id), `{"content":"45.67.90.77"}`)
	s.Pass(50 * time.Second)
	if got := at("1.0.0.1"); !slices.Equal(got, []string{"A 70 45.67.89.10"}) {
		t.Errorf("remembered: %q", got)
	}
	if got := at("8.8.8.8"); !slices.Equal(got, []string{"A 120 45.67.90.77"}) {
		t.Errorf("another resolver: %q", got)
	}
	s.Pass(70 * time.Second)
	if got := at("1.1.1.1"); !slices.Equal(got, []string{"A 120 45.67.90.77"}) {
		t.Errorf("after the TTL: %q", got)
	}
	callAPI(t, s, "PATCH", zonePath(s, "/dns_records/"+id), `{"content":"45.67.90.78"}`)
	s.FlushResolvers()
	if got := at("8.8.8.8"); !slices.Equal(got, []string{"A 120 45.67.90.78"}) {
		t.Errorf("after forgetting: %q", got)
	}
}

func TestResolversRememberADenialForHalfAnHour(t *testing.T) {
	t.Parallel()
	cfg := homeZone()
	cfg.Token = testToken
	s := settled(t, cfg)
	if m := mustResolve(t, s, "9.9.9.9", "new.example.com", dns.TypeA); m.Rcode != dns.RcodeNameError || !m.RecursionAvailable {
		t.Errorf("got %v", m)
	}
	create(t, s, `{"type":"A","name":"new","content":"45.67.89.10"}`)
	s.Pass(29 * time.Minute)
	m := mustResolve(t, s, "9.9.9.9", "NEW.example.com", dns.TypeA)
	if m.Rcode != dns.RcodeNameError || len(m.Ns) != 1 || m.Ns[0].Header().Ttl > 60 {
		t.Errorf("remembered: %v", m)
	}
	s.Pass(time.Minute)
	if m := mustResolve(t, s, "9.9.9.9", "new.example.com", dns.TypeA); len(m.Answer) != 1 {
		t.Errorf("after half an hour: %v", m)
	}
}

func TestResolversOverHTTPSShareTheMemory(t *testing.T) {
	t.Parallel()
	cfg := homeZone(SeedRecord{Type: "A", Name: "home", Content: "45.67.89.10", TTL: 120})
	s := settled(t, cfg)
	for host, resolver := range map[string]string{"cloudflare-dns.com": "1.1.1.1", "dns.google": "8.8.8.8", "dns.quad9.net": "9.9.9.9"} {
		mustResolve(t, s, resolver, "home.example.com", dns.TypeA)
		s.Pass(10 * time.Second)
		wire, err := new(dns.Msg).SetQuestion("home.example.com.", dns.TypeA).Pack()
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequest("POST", "https://"+host+"/dns-query", bytes.NewReader(wire))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/dns-message")
		answer, err := visitor(t, s, "tcp4").Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		m := new(dns.Msg)
		if err != nil || m.Unpack(body) != nil || !slices.Equal(lines(m.Answer), []string{"A 110 45.67.89.10"}) {
			t.Errorf("%s: %v %v", host, err, m)
		}
	}
}

func TestFaultsOfResolvers(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone(SeedRecord{Type: "A", Name: "home", Content: "45.67.89.10"}))
	s.AddFault(Fault{On: "resolver:8.8.8.8", Do: "servfail", Times: 1})
	if m := mustResolve(t, s, "8.8.8.8", "home.example.com", dns.TypeA); m.Rcode != dns.RcodeServerFailure {
		t.Errorf("servfail: %v", m)
	}
	s.AddFault(Fault{On: "resolver:8.8.8.8", Do: "lie", Value: "9.8.7.6", Times: 1})
	if got := lines(mustResolve(t, s, "8.8.8.8", "home.example.com", dns.TypeA).Answer); !slices.Equal(got, []string{"A 300 9.8.7.6"}) {
		t.Errorf("lie: %q", got)
	}
	if got := lines(mustResolve(t, s, "8.8.8.8", "home.example.com", dns.TypeA).Answer); !slices.Equal(got, []string{"A 300 45.67.89.10"}) {
		t.Errorf("afterwards: %q", got)
	}
	s.AddFault(Fault{On: "resolver:1.1.1.1", Do: "hang"})
	if m, err := askResolver(t, s, "1.1.1.1", "home.example.com", dns.TypeA); err == nil {
		t.Errorf("hang: %v", m)
	}
}

func TestResolversKnowWhoAnswersForAZone(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone(SeedRecord{Type: "A", Name: "www", Content: "45.67.89.10"}))
	nameservers := func(name string) []string { return lines(mustResolve(t, s, "8.8.8.8", name, dns.TypeNS).Answer) }
	if got := nameservers("example.com"); !slices.Equal(got, []string{"NS 86400 ada.ns.cloudflare.com.", "NS 86400 bob.ns.cloudflare.com."}) {
		t.Errorf("example.com: %q", got)
	}
	s.SetDuckDNS(false)
	if got := nameservers("duckdns.org"); len(got) != 3 {
		t.Errorf("duckdns.org while it is dark: %q", got)
	}
	s.SetDuckDNS(true)
	for _, host := range []string{"ns1.duckdns.org", "ada.ns.cloudflare.com"} {
		m := mustResolve(t, s, "8.8.8.8", host, dns.TypeA)
		if len(m.Answer) != 1 {
			t.Fatalf("%s: %v", host, m)
		}
		asked := map[string]string{"ns1.duckdns.org": "myhome.duckdns.org", "ada.ns.cloudflare.com": "www.example.com"}[host]
		if m := mustResolve(t, s, m.Answer[0].(*dns.A).A.String(), asked, dns.TypeA); !m.Authoritative || len(m.Answer) != 1 {
			t.Errorf("%s at the address of %s: %v", asked, host, m)
		}
	}
	if err := s.SetDelegation("example.com", "NS1.other.net."); err != nil {
		t.Fatal(err)
	}
	s.FlushResolvers()
	if got := nameservers("example.com"); !slices.Equal(got, []string{"NS 86400 ns1.other.net."}) {
		t.Errorf("delegated elsewhere: %q", got)
	}
	if m := mustResolve(t, s, "8.8.8.8", "www.example.com", dns.TypeA); m.Rcode != dns.RcodeServerFailure {
		t.Errorf("a name of a zone that nobody asks Cloudflare for: %v", m)
	}
	if err := s.SetDelegation("example.com"); err != nil {
		t.Fatal(err)
	}
	if m := mustResolve(t, s, "8.8.8.8", "www.example.com", dns.TypeA); len(m.Answer) != 1 {
		t.Errorf("delegated back: %v", m)
	}
}

func TestSomeNameserversOfDuckDNSMayBeDark(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone())
	s.AddFault(Fault{On: "duckdns", Do: "hang", At: "ns1.duckdns.org"})
	s.AddFault(Fault{On: "duckdns", Do: "stale", At: "35.182.183.211"})
	if m, err := askResolver(t, s, "ns1.duckdns.org", "myhome.duckdns.org", dns.TypeA); err == nil {
		t.Errorf("the dark one: %v", m)
	}
	if got := lines(mustResolve(t, s, "ns2.duckdns.org", "myhome.duckdns.org", dns.TypeA).Answer); !slices.Equal(got, []string{"A 60 45.67.12.34"}) {
		t.Errorf("the stale one: %q", got)
	}
	if got := lines(mustResolve(t, s, "ns3.duckdns.org", "myhome.duckdns.org", dns.TypeA).Answer); !slices.Equal(got, []string{"A 60 45.67.89.10"}) {
		t.Errorf("the good one: %q", got)
	}
	if got := lines(mustResolve(t, s, "1.1.1.1", "myhome.duckdns.org", dns.TypeA).Answer); !slices.Equal(got, []string{"A 60 45.67.12.34"}) {
		t.Errorf("a resolver goes on to the next: %q", got)
	}
	if m := mustResolve(t, s, "ns3.duckdns.org", "duckdns.org", dns.TypeSOA); len(m.Answer) != 1 {
		t.Errorf("SOA: %v", m)
	}
}
