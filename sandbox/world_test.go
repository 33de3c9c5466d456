package sandbox

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/needs"
	"github.com/miekg/dns"
)

func TestMain(m *testing.M) { os.Exit(needs.Main(m)) }

// settled starts a sandbox that ends with the test.
func settled(t testing.TB, cfg Config) *Sandbox {
	t.Helper()
	s, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// homeZone is example.com with these records.
func homeZone(records ...SeedRecord) Config {
	return Config{Zones: []SeedZone{{Name: "example.com", Records: records}}}
}

var (
	wan4  = netip.MustParseAddr("45.67.89.10")
	wan6  = netip.MustParseAddr("2a01:4f8:1:2::10")
	moved = netip.MustParseAddr("45.67.90.77")
)

// visitor is an HTTP client that lives in the sandbox's world.
func visitor(t testing.TB, s *Sandbox, network string) *http.Client {
	t.Helper()
	return clientOf(t, s.World(), network)
}

// clientOf is an HTTP client in a world.
func clientOf(t testing.TB, world ddns.World, network string) *http.Client {
	t.Helper()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return world.Dial(ctx, network, address)
		},
		TLSClientConfig:   &tls.Config{RootCAs: world.Roots()},
		DisableKeepAlives: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: 2 * time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// page is an answer, read whole.
type page struct {
	status int
	header http.Header
	body   string
}

func get(t testing.TB, client *http.Client, url string, header ...string) page {
	t.Helper()
	p, err := tryGet(client, url, header...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func tryGet(client *http.Client, url string, header ...string) (page, error) {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return page{}, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	answer, err := client.Do(request)
	if err != nil {
		return page{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	return page{answer.StatusCode, answer.Header, string(body)}, err
}

// TestAVisitorSees walks through the states of a home whose name is proxied.
func TestAVisitorSees(t *testing.T) {
	t.Parallel()
	hop := SeedRecord{Type: "CNAME", Name: "www", Content: "myhome.duckdns.org", Proxied: true}
	address := SeedRecord{Type: "A", Name: "www", Content: "45.67.89.10", Proxied: true}
	cases := []struct {
		name   string
		record SeedRecord
		change func(*Sandbox)
		status int
		body   string
		header string // "Name: value" that must be there
	}{
		{"the home through a hop while Duck DNS is up", hop, func(*Sandbox) {}, 200, "hello from home", "Server: cloudflare"},
		{"530 with error 1016 through a hop while Duck DNS is dark", hop, func(s *Sandbox) { s.SetDuckDNS(false) }, 530, "error code: 1016", "Cf-Error-Type: 1016"},
		{"522 through a hop that was not updated", hop, func(s *Sandbox) { s.SetWAN(moved, netip.Addr{}) }, 522, "error code: 522", "Cf-Error-Type: 522"},
		{"the home behind an A record while Duck DNS is dark", address, func(s *Sandbox) { s.SetDuckDNS(false) }, 200, "hello from home", "Server: cloudflare"},
		{"522 behind a stale A record", address, func(s *Sandbox) { s.SetWAN(moved, netip.Addr{}) }, 522, "error code: 522", "Cf-Error-Origin: edge"},
		{"a challenge in Under Attack mode", address, func(s *Sandbox) { s.SetUnderAttack(true) }, 403, "Just a moment", "Cf-Mitigated: challenge"},
		{"521 while the origin refuses", address, func(s *Sandbox) { s.AddFault(Fault{On: "origin", Do: "refuse"}) }, 521, "error code: 521", "Cf-Error-Type: 521"},
		{"524 while the origin hangs", address, func(s *Sandbox) { s.AddFault(Fault{On: "origin", Do: "hang"}) }, 524, "error code: 524", "Cf-Error-Type: 524"},
		{"the origin's own 500", address, func(s *Sandbox) { s.AddFault(Fault{On: "origin", Do: "500"}) }, 500, "unwell", "Server: cloudflare"},
		{"the edge's own 500", address, func(s *Sandbox) { s.AddFault(Fault{On: "edge", Do: "500"}) }, 500, "error code: 500", "Cf-Error-Type: 500"},
		{"1000 for a record that points at Cloudflare", SeedRecord{Type: "A", Name: "www", Content: "104.18.0.1", Proxied: true}, func(*Sandbox) {}, 403, "error code: 1000", "Cf-Error-Type: 1000"},
		{"the home directly while its name is DNS-only", SeedRecord{Type: "A", Name: "www", Content: "45.67.89.10"}, func(*Sandbox) {}, 200, "hello from home", ""},
		{"the home directly through a DNS-only hop", SeedRecord{Type: "CNAME", Name: "www", Content: "myhome.duckdns.org"}, func(*Sandbox) {}, 200, "hello from home", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := settled(t, homeZone(c.record))
			c.change(s)
			for _, url := range []string{"https://www.example.com/", "http://www.example.com/"} {
				p := get(t, visitor(t, s, "tcp"), url)
				if p.status != c.status || !strings.Contains(p.body, c.body) {
					t.Errorf("%s: %d %q, want %d %q", url, p.status, p.body, c.status, c.body)
				}
				name, value, _ := strings.Cut(c.header, ": ")
				if name != "" && p.header.Get(name) != value {
					t.Errorf("%s: header %s is %q, want %q", url, name, p.header.Get(name), value)
				}
			}
		})
	}
}

func TestAVisitorOfADarkOrStaleNameWithoutTheEdgeGetsAnErrorOfTheNetwork(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone(
		SeedRecord{Type: "CNAME", Name: "hop", Content: "myhome.duckdns.org"},
		SeedRecord{Type: "A", Name: "stale", Content: "45.67.90.77"},
	))
	s.SetDuckDNS(false)
	var dnsErr *net.DNSError
	if _, err := tryGet(visitor(t, s, "tcp4"), "https://hop.example.com/"); !errors.As(err, &dnsErr) || !dnsErr.IsTimeout {
		t.Errorf("a dark hop: %v, want a DNS timeout", err)
	}
	var netErr net.Error
	if _, err := tryGet(visitor(t, s, "tcp4"), "https://stale.example.com/"); !errors.As(err, &netErr) || !netErr.Timeout() {
		t.Errorf("a stale address: %v, want a timeout", err)
	}
}

func TestTheWorldHasTheRealNamesWithVerifiedTLS(t *testing.T) {
	t.Parallel()
	cfg := homeZone()
	cfg.IPv6 = wan6
	s := settled(t, cfg)
	for _, c := range []struct{ url, over, want string }{
		{"https://checkip.amazonaws.com/", "tcp4", "45.67.89.10\n"},
		{"https://checkip.global.api.aws/", "tcp4", "45.67.89.10\n"},
		{"https://checkip.global.api.aws/", "tcp6", "2a01:4f8:1:2::10\n"},
		{"https://whatismyip.akamai.com/", "tcp4", "45.67.89.10\n"},
		{"https://v4.ident.me/", "tcp4", "45.67.89.10\n"},
		{"https://v6.ident.me/", "tcp6", "2a01:4f8:1:2::10\n"},
		{"https://checkipv4.dedyn.io/", "tcp4", "45.67.89.10\n"},
		{"https://checkipv6.dedyn.io/", "tcp6", "2a01:4f8:1:2::10\n"},
		{"https://ipv4.nsupdate.info/myip", "tcp4", "45.67.89.10\n"},
		{"https://ipv6.nsupdate.info/myip", "tcp6", "2a01:4f8:1:2::10\n"},
		{"https://api4.ipify.org/", "tcp4", "45.67.89.10\n"},
		{"https://api6.ipify.org/", "tcp6", "2a01:4f8:1:2::10\n"},
		{"https://ipv4.icanhazip.com/", "tcp4", "45.67.89.10\n"},
		{"https://ipv6.icanhazip.com/", "tcp6", "2a01:4f8:1:2::10\n"},
		{"https://api.cloudflare.com/cdn-cgi/trace", "tcp4", "\nip=45.67.89.10\n"},
		{"https://api.cloudflare.com/cdn-cgi/trace", "tcp6", "\nip=2a01:4f8:1:2::10\n"},
		{"https://www.cloudflare.com/cdn-cgi/trace", "tcp", "\nip=45.67.89.10\n"},
		{"https://connectivity.cloudflareclient.com/cdn-cgi/trace", "tcp4", "\nh=connectivity.cloudflareclient.com\n"},
		{"https://www.duckdns.org/update?domains=myhome&token=t", "tcp4", "OK"},
		{"https://duckdns.org/update?domains=myhome&token=t&ip=", "tcp4", "OK"},
	} {
		p := get(t, visitor(t, s, c.over), c.url)
		if p.status != 200 || !strings.Contains(p.body, c.want) {
			t.Errorf("%s over %s: %d %q, want %q", c.url, c.over, p.status, p.body, c.want)
		}
	}
}

func TestTheWorldRefusesAsTheInternetWould(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone())
	dial := func(network, address string) error {
		conn, err := s.World().Dial(context.Background(), network, address)
		if err == nil {
			conn.Close()
		}
		return err
	}
	for _, address := range []string{"nowhere.test:443", "missing.example.com:443", "gone.duckdns.org:80", "api.cloudflare.com:22", "checkip.amazonaws.com:53"} {
		var dnsErr *net.DNSError
		if err := dial("tcp4", address); !errors.As(err, &dnsErr) || !dnsErr.IsNotFound {
			t.Errorf("%s: %v, want no such host", address, err)
		}
	}
	for _, network := range []string{"tcp6", "udp6"} {
		if err := dial(network, "api.cloudflare.com:443"); !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("%s without IPv6: %v, want network is unreachable", network, err)
		}
	}
	if err := dial("tcp4", "45.67.89.10:22"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a closed port of the home: %v, want connection refused", err)
	}
	var unknown net.UnknownNetworkError
	if err := dial("unix", "api.cloudflare.com:443"); !errors.As(err, &unknown) {
		t.Errorf("a strange network: %v", err)
	}
	if err := dial("tcp4", "no port"); err == nil {
		t.Error("an address without a port was dialled")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.World().Dial(ctx, "tcp4", "9.8.7.6:443"); !errors.Is(err, context.Canceled) {
		t.Errorf("a dial that was given up: %v", err)
	}
}

func TestTheWorldLeadsToEveryPlaceByNameAndAddress(t *testing.T) {
	t.Parallel()
	cfg := homeZone(SeedRecord{Type: "A", Name: "www", Content: "45.67.89.10", Proxied: true})
	cfg.IPv6 = wan6
	s := settled(t, cfg)
	for _, c := range []struct {
		network, address string
		question         string
		qtype, qclass    uint16
		want             string
	}{
		{"udp4", "1.1.1.1:53", "whoami.cloudflare.", dns.TypeTXT, dns.ClassCHAOS, `"45.67.89.10"`},
		{"udp6", "[2606:4700:4700::1111]:53", "whoami.cloudflare.", dns.TypeTXT, dns.ClassCHAOS, `"2a01:4f8:1:2::10"`},
		{"tcp4", "one.one.one.one:53", "whoami.cloudflare.", dns.TypeTXT, dns.ClassCHAOS, `"45.67.89.10"`},
		{"udp4", "ns1.google.com:53", "o-o.myaddr.l.google.com.", dns.TypeTXT, dns.ClassINET, `"45.67.89.10"`},
		{"tcp6", "[2001:4860:4802:32::a]:53", "o-o.myaddr.l.google.com.", dns.TypeTXT, dns.ClassINET, `"2a01:4f8:1:2::10"`},
		{"udp4", "208.67.222.222:53", "myip.opendns.com.", dns.TypeA, dns.ClassINET, "45.67.89.10"},
		{"udp6", "[2620:119:35::35]:53", "myip.opendns.com.", dns.TypeAAAA, dns.ClassINET, "2a01:4f8:1:2::10"},
		{"udp4", "ns1-1.akamaitech.net:53", "whoami.akamai.net.", dns.TypeA, dns.ClassINET, "45.67.89.10"},
		{"udp4", s.zones[0].NameServers[0] + ":53", "www.example.com.", dns.TypeA, dns.ClassINET, "104.21.16.1"},
		{"tcp6", s.zones[0].NameServers[1] + ":53", "www.example.com.", dns.TypeA, dns.ClassINET, "104.21.16.1"},
		{"udp4", "8.8.8.8:53", "www.example.com.", dns.TypeA, dns.ClassINET, "104.21.16.1"},
		{"udp4", "8.8.8.8:53", "o-o.myaddr.l.google.com.", dns.TypeTXT, dns.ClassINET, `"172.70.100.1"`},
		{"udp4", "ns3.duckdns.org:53", "myhome.duckdns.org.", dns.TypeA, dns.ClassINET, "45.67.89.10"},
	} {
		raw, err := s.World().Dial(context.Background(), c.network, c.address)
		if err != nil {
			t.Errorf("%s %s: %v", c.network, c.address, err)
			continue
		}
		m := new(dns.Msg).SetQuestion(c.question, c.qtype)
		m.Question[0].Qclass = c.qclass
		client := dns.Client{Timeout: 2 * time.Second}
		answer, _, err := client.ExchangeWithConn(m, &dns.Conn{Conn: raw})
		raw.Close()
		if err != nil || len(answer.Answer) == 0 || !strings.HasSuffix(answer.Answer[0].String(), "\t"+c.want) {
			t.Errorf("%s %s %s: %v %v, want %s", c.network, c.address, c.question, answer, err, c.want)
		}
	}
	for _, address := range []string{"104.21.16.1:443", "172.67.128.1:80"} {
		conn, err := s.World().Dial(context.Background(), "tcp4", address)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		if got, want := conn.RemoteAddr().String(), s.places.find(placeEdge, ipv4); got != want {
			t.Errorf("%s leads to %s, want the edge at %s", address, got, want)
		}
	}
	if w := s.World(); w.From(wan4) != w {
		t.Error("the world looks different from another address of the home")
	}
}
