package sandbox

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/needs"
	"github.com/miekg/dns"
	"pgregory.net/rapid"
)

// manner is how a question is put; the zero value is over UDP, class IN, RD set.
type manner struct {
	network string
	class   uint16
	edns    uint16
	timeout time.Duration
}

func query53(t testing.TB, server, name string, qtype uint16, how manner) (*dns.Msg, error) {
	t.Helper()
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype)
	if how.class != 0 {
		m.Question[0].Qclass = how.class
	}
	if how.edns != 0 {
		m.SetEdns0(how.edns, false)
	}
	if how.timeout == 0 {
		how.timeout = time.Minute
	}
	client := dns.Client{Net: how.network, Timeout: how.timeout}
	answer, _, err := client.Exchange(m, server)
	return answer, err
}

func mustAsk(t testing.TB, server, name string, qtype uint16, how manner) *dns.Msg {
	t.Helper()
	m, err := query53(t, server, name, qtype, how)
	if err != nil {
		t.Fatalf("%s %s: %v", name, dns.TypeToString[qtype], err)
	}
	return m
}

// lines shows records as "TYPE TTL DATA", sorted.
func lines(rrs []dns.RR) []string {
	var all []string
	for _, rr := range rrs {
		f := strings.Fields(rr.String())
		all = append(all, f[3]+" "+f[1]+" "+strings.Join(f[4:], " "))
	}
	slices.Sort(all)
	return all
}

func TestTheNameserversAnswer(t *testing.T) {
	t.Parallel()
	priority := 10
	s := settled(t, Config{Zones: []SeedZone{
		{Name: "example.com", Records: []SeedRecord{
			{Type: "A", Name: "home", Content: "45.67.89.10", TTL: 120},
			{Type: "AAAA", Name: "home", Content: "2a01:4f8:1:2::10"},
			{Type: "A", Name: "www", Content: "45.67.89.10", Proxied: true},
			{Type: "CNAME", Name: "hop", Content: "myhome.duckdns.org"},
			{Type: "CNAME", Name: "proxied-hop", Content: "myhome.duckdns.org", Proxied: true},
			{Type: "CNAME", Name: "chain", Content: "alias.example.com"},
			{Type: "CNAME", Name: "alias", Content: "home.example.com"},
			{Type: "CNAME", Name: "broken", Content: "nothing.example.net"},
			{Type: "CNAME", Name: "loop", Content: "loop2.example.com"},
			{Type: "CNAME", Name: "loop2", Content: "loop.example.com"},
			{Type: "A", Name: "deep.below.nothing", Content: "45.67.89.10"},
			{Type: "A", Name: "*.wild", Content: "45.67.89.11"},
			{Type: "A", Name: "known.wild", Content: "45.67.89.12"},
			{Type: "TXT", Name: "text", Content: `"v=spf1 -all" "two"`},
			{Type: "TXT", Name: "plain", Content: `a "word" and a \ slash`},
			{Type: "CNAME", Name: "@", Content: "myhome.duckdns.org"},
		}},
		{Name: "inner.example.com", Records: []SeedRecord{{Type: "A", Name: "@", Content: "45.67.89.13"}}},
		{Name: "example.net", Records: []SeedRecord{{Type: "A", Name: "@", Content: "45.67.89.14"}}},
	}})
	s.mu.Lock()
	s.zones[2].Records = append(s.zones[2].Records, &record{Name: "example.net", Type: "MX", Content: "mail.example.net", Priority: &priority, TTL: 1})
	s.zones[2].Records = append(s.zones[2].Records, &record{Name: "_sip._tcp.example.net", Type: "SRV", Content: "5 5060 sip.example.net", Priority: &priority, TTL: 1})
	s.mu.Unlock()
	edge4 := []string{"A 300 104.21.16.1", "A 300 172.67.128.1"}
	edge6 := []string{"AAAA 300 2606:4700:3030::6815:1001", "AAAA 300 2606:4700:3036::ac43:8001"}
	for _, c := range []struct {
		what, name string
		qtype      uint16
		rcode      int
		answer     []string
	}{
		{"an address with its own TTL", "home.example.com", dns.TypeA, 0, []string{"A 120 45.67.89.10"}},
		{"an automatic TTL as five minutes", "home.example.com", dns.TypeAAAA, 0, []string{"AAAA 300 2a01:4f8:1:2::10"}},
		{"no data for another type", "home.example.com", dns.TypeTXT, 0, nil},
		{"the edge for a proxied name", "www.example.com", dns.TypeA, 0, edge4},
		{"the edge over IPv6 for a proxied name without AAAA", "www.example.com", dns.TypeAAAA, 0, edge6},
		{"the edge for a proxied CNAME, without showing it", "proxied-hop.example.com", dns.TypeA, 0, edge4},
		{"no CNAME for a proxied CNAME", "proxied-hop.example.com", dns.TypeCNAME, 0, nil},
		{"a CNAME that leaves, alone", "hop.example.com", dns.TypeA, 0, []string{"CNAME 300 myhome.duckdns.org."}},
		{"a CNAME as itself", "hop.example.com", dns.TypeCNAME, 0, []string{"CNAME 300 myhome.duckdns.org."}},
		{"a whole chain within the zone", "chain.example.com", dns.TypeA, 0, []string{"A 120 45.67.89.10", "CNAME 300 alias.example.com.", "CNAME 300 home.example.com."}},
		{"no such name behind a CNAME into another zone of ours", "broken.example.com", dns.TypeA, dns.RcodeNameError, []string{"CNAME 300 nothing.example.net."}},
		{"no such name", "gone.example.com", dns.TypeA, dns.RcodeNameError, nil},
		{"no data for a name with something below it", "below.nothing.example.com", dns.TypeA, 0, nil},
		{"a wildcard", "anything.wild.example.com", dns.TypeA, 0, []string{"A 300 45.67.89.11"}},
		{"a wildcard many labels down", "a.b.c.wild.example.com", dns.TypeA, 0, []string{"A 300 45.67.89.11"}},
		{"the name itself beside a wildcard", "known.wild.example.com", dns.TypeA, 0, []string{"A 300 45.67.89.12"}},
		{"no wildcard below a name that exists", "x.known.wild.example.com", dns.TypeA, dns.RcodeNameError, nil},
		{"no data of a wildcard for another type", "anything.wild.example.com", dns.TypeAAAA, 0, nil},
		{"text in quotes as its parts", "text.example.com", dns.TypeTXT, 0, []string{`TXT 300 "v=spf1 -all" "two"`}},
		{"text without quotes as it is", "plain.example.com", dns.TypeTXT, 0, []string{`TXT 300 "a \"word\" and a \\ slash"`}},
		{"a CNAME at the apex as addresses", "example.com", dns.TypeA, 0, []string{"A 300 45.67.89.10"}},
		{"no CNAME at the apex", "example.com", dns.TypeCNAME, 0, nil},
		{"the longest zone that holds the name", "inner.example.com", dns.TypeA, 0, []string{"A 300 45.67.89.13"}},
		{"a mail exchanger with its preference", "example.net", dns.TypeMX, 0, []string{"MX 300 10 mail.example.net."}},
		{"a service with its parts", "_sip._tcp.example.net", dns.TypeSRV, 0, []string{"SRV 300 10 5 5060 sip.example.net."}},
		{"little for any type", "home.example.com", dns.TypeANY, 0, []string{`HINFO 3600 "RFC8482" ""`}},
	} {
		for _, network := range []string{"udp", "tcp"} {
			t.Run(c.what+" over "+network, func(t *testing.T) {
				m := mustAsk(t, s.Info().DNS, c.name, c.qtype, manner{network: network})
				slices.Sort(c.answer)
				if m.Rcode != c.rcode || !slices.Equal(lines(m.Answer), c.answer) {
					t.Errorf("got %s %q, want %s %q", dns.RcodeToString[m.Rcode], lines(m.Answer), dns.RcodeToString[c.rcode], c.answer)
				}
				if !m.Authoritative || m.RecursionAvailable {
					t.Errorf("AA %v RA %v, want an authority that does not recurse", m.Authoritative, m.RecursionAvailable)
				}
				if len(c.answer) == 0 && (len(m.Ns) != 1 || m.Ns[0].Header().Rrtype != dns.TypeSOA) {
					t.Errorf("authority section %v, want one SOA", m.Ns)
				}
			})
		}
	}
	t.Run("a loop of CNAMEs ends", func(t *testing.T) {
		if m := mustAsk(t, s.Info().DNS, "loop.example.com", dns.TypeA, manner{}); len(m.Answer) != maxChain {
			t.Errorf("%d CNAMEs, want %d", len(m.Answer), maxChain)
		}
	})
	t.Run("nothing for zones of others", func(t *testing.T) {
		if m := mustAsk(t, s.Info().DNS, "example.org", dns.TypeA, manner{}); m.Rcode != dns.RcodeRefused || m.Authoritative {
			t.Errorf("got %v", m)
		}
	})
	t.Run("the nameservers and the start of authority at the apex", func(t *testing.T) {
		ns := mustAsk(t, s.Info().DNS, "example.com", dns.TypeNS, manner{})
		soa := mustAsk(t, s.Info().DNS, "example.com", dns.TypeSOA, manner{})
		if len(ns.Answer) != 2 || len(soa.Answer) != 1 || !strings.Contains(soa.Answer[0].String(), "dns.cloudflare.com.") {
			t.Errorf("NS %v, SOA %v", ns.Answer, soa.Answer)
		}
	})
	t.Run("SERVFAIL for a CNAME at the apex whose target is dark", func(t *testing.T) {
		s.SetDuckDNS(false)
		defer s.SetDuckDNS(true)
		if m := mustAsk(t, s.Info().DNS, "example.com", dns.TypeA, manner{}); m.Rcode != dns.RcodeServerFailure {
			t.Errorf("got %v", m)
		}
	})
}

func TestTheNameserversEchoTheSpellingOfAQuestion(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone(SeedRecord{Type: "A", Name: "home", Content: "45.67.89.10"}))
	m := mustAsk(t, s.Info().DNS, "hOmE.ExAmPlE.cOm", dns.TypeA, manner{})
	if len(m.Answer) != 1 || m.Question[0].Name != "hOmE.ExAmPlE.cOm." || m.Answer[0].Header().Name != "hOmE.ExAmPlE.cOm." {
		t.Errorf("got %v", m)
	}
}

func TestAPausedZoneShowsItsRecords(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone(SeedRecord{Type: "A", Name: "www", Content: "45.67.89.10", Proxied: true}))
	s.mu.Lock()
	s.zones[0].Paused = true
	s.mu.Unlock()
	m := mustAsk(t, s.Info().DNS, "www.example.com", dns.TypeA, manner{})
	if got := lines(m.Answer); !slices.Equal(got, []string{"A 300 45.67.89.10"}) {
		t.Errorf("got %q", got)
	}
}

func TestLongAnswersAreTruncatedOverUDPAndWholeOverTCP(t *testing.T) {
	t.Parallel()
	var records []SeedRecord
	for i := range 100 {
		records = append(records, SeedRecord{Type: "A", Name: "many", Content: netip.AddrFrom4([4]byte{45, 67, 90, byte(i)}).String()})
	}
	s := settled(t, homeZone(records...))
	for _, c := range []struct {
		how       manner
		truncated bool
		most      int
	}{
		{manner{}, true, 512},
		{manner{edns: 4096}, true, maxUDP},
		{manner{network: "tcp"}, false, dns.MaxMsgSize},
	} {
		m := mustAsk(t, s.Info().DNS, "many.example.com", dns.TypeA, c.how)
		m.Compress = true // as it travelled
		if m.Truncated != c.truncated || m.Len() > c.most || !c.truncated && len(m.Answer) != 100 {
			t.Errorf("%+v: truncated %v, %d bytes, %d answers", c.how, m.Truncated, m.Len(), len(m.Answer))
		}
	}
	addrs, err := s.lookup(context.Background(), "many.example.com", ipv4)
	if err != nil || len(addrs) != 100 {
		t.Errorf("the sandbox's own resolver found %d addresses (%v), want 100", len(addrs), err)
	}
}

func TestFaultsOfTheNameservers(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone(SeedRecord{Type: "A", Name: "home", Content: "45.67.89.10"}))
	server := s.Info().DNS
	short := manner{timeout: 150 * time.Millisecond}
	for _, do := range []string{"hang", "drop"} {
		s.AddFault(Fault{On: "dns", Do: do, Times: 1})
		if m, err := query53(t, server, "home.example.com", dns.TypeA, short); err == nil {
			t.Errorf("%s: answered %v", do, m)
		}
		s.ClearFaults()
	}
	s.AddFault(Fault{On: "dns", Do: "drop", Times: 1})
	if m, err := query53(t, server, "home.example.com", dns.TypeA, manner{network: "tcp"}); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("drop over TCP: %v, %v; want a connection that is closed, and no silence", m, err)
	}
	for do, rcode := range map[string]int{
		"500": dns.RcodeServerFailure, "html": dns.RcodeServerFailure, "portal": dns.RcodeServerFailure, "huge": dns.RcodeServerFailure,
		"done-but-500": dns.RcodeServerFailure, "429": dns.RcodeRefused, "refused": dns.RcodeRefused,
	} {
		s.AddFault(Fault{On: "dns", Do: do, Times: 1})
		if m := mustAsk(t, server, "home.example.com", dns.TypeA, manner{}); m.Rcode != rcode {
			t.Errorf("%s: %s", do, dns.RcodeToString[m.Rcode])
		}
	}
	s.AddFault(Fault{On: "dns", Do: "lie", Value: "9.8.7.6"})
	for _, name := range []string{"home.example.com", "gone.example.com"} {
		if got := lines(mustAsk(t, server, name, dns.TypeA, manner{}).Answer); !slices.Equal(got, []string{"A 300 9.8.7.6"}) {
			t.Errorf("lie about %s: %q", name, got)
		}
	}
	s.ClearFaults()
	if got := lines(mustAsk(t, server, "home.example.com", dns.TypeA, manner{}).Answer); !slices.Equal(got, []string{"A 300 45.67.89.10"}) {
		t.Errorf("after the faults: %q", got)
	}
}

// TestWhatIsInAZoneAnswersAndNothingElseDoes builds zones at random.
func TestWhatIsInAZoneAnswersAndNothingElseDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		label := rapid.SampledFrom([]string{"a", "b", "*", "c"})
		z := &zone{Name: "example.com", NameServers: []string{"ada.ns.cloudflare.com"}}
		for range rapid.IntRange(0, 6).Draw(t, "records") {
			name := strings.Join(append(rapid.SliceOfN(label, 1, 3).Draw(t, "labels"), z.Name), ".")
			z.Records = append(z.Records, &record{Name: name, Type: "A", Content: "45.67.89.10", TTL: 1})
		}
		s := &Sandbox{zones: []*zone{z}, lifecycle: newLifecycle(Config{})}
		name := strings.Join(append(rapid.SliceOfN(label, 1, 4).Draw(t, "asked"), z.Name), ".")
		q, _ := newQuery(new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA), ipv4, "udp")
		m := s.zoneAnswer(q)
		at, below := 0, false
		for _, r := range z.Records {
			if r.Name == name {
				at++
			}
			below = below || strings.HasSuffix(r.Name, "."+name)
		}
		switch {
		case !m.Authoritative:
			t.Fatalf("%s: not authoritative", name)
		case at > 0 && len(m.Answer) != at:
			t.Fatalf("%s: %d answers, want %d", name, len(m.Answer), at)
		case at == 0 && below && (m.Rcode != dns.RcodeSuccess || len(m.Answer) != 0):
			t.Fatalf("%s has something below it: %v", name, m)
		case m.Rcode == dns.RcodeNameError && (at > 0 || below || len(m.Answer) > 0):
			t.Fatalf("%s exists: %v", name, m)
		case len(m.Answer) == 0 && len(m.Ns) != 1:
			t.Fatalf("%s: no answer and no SOA: %v", name, m)
		}
	})
}

// FuzzDNSMessage feeds the nameservers what comes off the wire.
func FuzzDNSMessage(f *testing.F) {
	for _, name := range []string{"www.example.com.", "example.com.", "gone.example.com.", "whoami.cloudflare.", "myip.opendns.com."} {
		wire, err := new(dns.Msg).SetQuestion(name, dns.TypeA).Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	s, err := newSandbox(homeZone(SeedRecord{Type: "A", Name: "www", Content: "45.67.89.10"}, SeedRecord{Type: "A", Name: "*", Content: "45.67.89.10"}))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		m := new(dns.Msg)
		if m.Unpack(wire) != nil {
			return
		}
		q, ok := newQuery(m, ipv4, "udp")
		if !ok {
			return
		}
		answer := s.answerAuthority(q)
		if answer == nil {
			t.Fatalf("silence to %v", m)
		}
		q.finish(answer)
		if !answer.Response || answer.Id != m.Id || answer.Question[0] != m.Question[0] {
			t.Fatalf("%v is no answer to %v", answer, m)
		}
	})
}

// FuzzRecordOnTheWire turns content that somebody wrote into DNS records.
func FuzzRecordOnTheWire(f *testing.F) {
	f.Add("A", "45.67.89.10")
	f.Add("TXT", `"v=spf1 -all" "x"`)
	f.Add("TXT", strings.Repeat("é\\", 300))
	f.Add("SRV", "10 5 5060 sip.example.com")
	f.Add("CAA", `0 issue "letsencrypt.org"`)
	f.Add("MX", "mail.example.com")
	f.Fuzz(func(t *testing.T, rrtype, content string) {
		rr, ok := record{Type: rrtype, Content: content, TTL: 60}.wire("x.example.com.")
		if !ok {
			return
		}
		if h := rr.Header(); h.Name != "x.example.com." || h.Class != dns.ClassINET {
			t.Fatalf("%s %q became %s", rrtype, content, rr)
		}
		for _, text := range textParts(content) {
			if len(text) > 2*255 {
				t.Fatalf("a string of %d bytes cannot be sent", len(text))
			}
		}
	})
}

func TestDigReadsEverything(t *testing.T) {
	t.Parallel()
	dig := needs.Program(t, "dig")
	s := settled(t, homeZone(
		SeedRecord{Type: "A", Name: "home", Content: "45.67.89.10"},
		SeedRecord{Type: "CNAME", Name: "www", Content: "home.example.com"},
		SeedRecord{Type: "TXT", Name: "text", Content: "hello"},
	))
	host, port, err := net.SplitHostPort(s.Info().DNS)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, want string }{
		{"home.example.com A +short", "45.67.89.10\n"},
		{"home.example.com A +short +tcp", "45.67.89.10\n"},
		{"www.example.com A +short", "home.example.com.\n45.67.89.10\n"},
		{"text.example.com TXT +short", "\"hello\"\n"},
		{"gone.example.com A", "status: NXDOMAIN"},
		{"home.example.com AAAA", "status: NOERROR"},
		{"home.example.com A +norec", "flags: qr aa;"},
		{"example.org A", "status: REFUSED"},
		{"whoami.cloudflare CH TXT +short", "\"45.67.89.10\"\n"},
		{"o-o.myaddr.l.google.com TXT +norec", "flags: qr aa;"},
		{"o-o.myaddr.l.google.com TXT +short", "\"45.67.89.10\"\n"},
		{"myip.opendns.com A +short", "45.67.89.10\n"},
		{"whoami.akamai.net A +short", "45.67.89.10\n"},
	} {
		args := append([]string{"@" + host, "-p", port, "+tries=1", "+time=2"}, strings.Fields(c.args)...)
		out, err := exec.Command(dig, args...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("dig %s: %v\n%s\nwant %q", c.args, err, out, c.want)
		}
		if strings.Contains(string(out), "WARNING") && !strings.Contains(string(out), "recursion requested but not available") {
			t.Errorf("dig %s warns:\n%s", c.args, out)
		}
	}
}
