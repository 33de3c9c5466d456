package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/miekg/dns"
)

// nameServer is a DNS server on loopback that answers every question for A with
// what is set for its name, and notes the questions.
type nameServer struct {
	mu      sync.Mutex // guards the following
	answers map[string][]string
	asked   []string
}

func newNameServer(t *testing.T, answers map[string][]string) (*nameServer, *net.Resolver) {
	t.Helper()
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &nameServer{answers: answers}
	server := &dns.Server{PacketConn: packets, Handler: n}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.ActivateAndServe() })
	t.Cleanup(func() {
		packets.Close()
		serving.Wait()
	})
	return n, asking([]string{packets.LocalAddr().String()})
}

// ServeDNS implements dns.Handler.
func (n *nameServer) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	n.mu.Lock()
	defer n.mu.Unlock()
	name := q.Question[0].Name
	n.asked = append(n.asked, name)
	m := new(dns.Msg).SetReply(q)
	answers, known := n.answers[name]
	if !known {
		m.Rcode = dns.RcodeNameError
	}
	for _, a := range answers {
		if q.Question[0].Qtype == dns.TypeA {
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.ParseIP(a)})
		}
	}
	_ = w.WriteMsg(m)
}

func TestAFewAddressesAreDialledAlwaysTheSame(t *testing.T) {
	address := netip.MustParseAddr
	var many []netip.Addr
	for i := range 3500 {
		many = append(many, netip.AddrFrom4([4]byte{23, 7, byte(i >> 8), byte(i)}))
	}
	six := []netip.Addr{address("2a02::1"), address("2a02::2"), address("2a02::3"), address("2a02::4")}
	for _, c := range []struct {
		name string
		all  []netip.Addr
		want string
	}{
		{"none", nil, "[]"},
		{"one", many[:1], "[23.7.0.0]"},
		{"thousands", many, "[23.7.0.0 23.7.0.1 23.7.0.2 23.7.0.3 23.7.0.4 23.7.0.5]"},
		{"two families in turn, IPv4 first", slices.Concat(six, many), "[23.7.0.0 2a02::1 23.7.0.1 2a02::2 23.7.0.2 2a02::3]"},
		{"few of one family", slices.Concat(many[:1], six), "[23.7.0.0 2a02::1 2a02::2 2a02::3 2a02::4]"},
	} {
		if got := fmt.Sprint(few(c.all)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// A name of our own is asked for as it is; what a person wrote, as any program does.
func TestANameOfOurOwnIsOneHost(t *testing.T) {
	server, system := newNameServer(t, map[string][]string{
		"api.cloudflare.com.": {"23.0.0.1"}, "checkip.amazonaws.com.": {"10.1.1.1"}, "nas.lan.": {"10.1.1.1"}, "echo.example.net.": {"198.18.0.9"}, "stun.l.google.com.": {"10.1.1.2"}})
	n, err := newInternet("")
	if err != nil {
		t.Fatal(err)
	}
	n.resolver.system = system
	n.resolver.doh = func(context.Context, dohServer, ddns.Family, string) ([]netip.Addr, error) {
		return nil, errors.New("others were asked")
	}
	find := func(how ddns.Naming, host string) ([]netip.Addr, error) {
		return n.Named(how).(*internet).addresses(t.Context(), []ddns.Family{ddns.IPv4}, host)
	}
	for _, c := range []struct {
		how  ddns.Naming
		host string
		want string // the addresses, or words of the error
	}{
		{ddns.Complete, "api.cloudflare.com", "[23.0.0.1]"},
		{ddns.Public, "api.cloudflare.com", "[23.0.0.1]"},
		{ddns.AsWritten, "nas.lan", "[10.1.1.1]"},
		{ddns.Written, "nas.lan", "[10.1.1.1]"}, // a source in the home
		{ddns.AsWritten, "echo.example.net", "[198.18.0.9]"},
		{ddns.Complete, "checkip.amazonaws.com", "[10.1.1.1]"}, // TLS decides
		{ddns.Public, "checkip.amazonaws.com", "an address that is not out in the world"},
		{ddns.Public, "stun.l.google.com", "a proxy makes up"}, // another one, for another name
		{ddns.Written, "echo.example.net", "echo.example.net is answered 198.18.0.9, an address that a proxy makes up"},
		{ddns.Public, "v4.ident.me", "knows no address of v4.ident.me"},
		{ddns.Around, "v4.ident.me", "a proxy makes up"},
		{ddns.Complete, "cloudflare-dns.com", "[1.1.1.1 1.0.0.1]"},
		{ddns.Complete, "www.cloudflarestatus.com", "knows no address of www.cloudflarestatus.com"},
	} {
		got, err := find(c.how, c.host)
		said := fmt.Sprint(got)
		if err != nil {
			said = err.Error()
		}
		if !strings.Contains(said, c.want) {
			t.Errorf("%s, %d: %s, want %s", c.host, c.how, said, c.want)
		}
	}
	server.mu.Lock()
	defer server.mu.Unlock()
	for _, name := range server.asked {
		if !slices.Contains([]string{"api.cloudflare.com.", "checkip.amazonaws.com.", "nas.lan.", "echo.example.net.", "stun.l.google.com.", "v4.ident.me.", "www.cloudflarestatus.com."}, name) {
			t.Errorf("asked for %s", name)
		}
	}
}

// What stands at the one address of several operators is on the way of all.
func TestOneAddressForSeveralOperatorsIsNoPlaceToAsk(t *testing.T) {
	_, system := newNameServer(t, map[string][]string{
		"checkip.amazonaws.com.": {"23.0.0.9", "23.0.0.8"}, "v4.ident.me.": {"23.0.0.8"}, "api.cloudflare.com.": {"23.0.0.8"},
		"ip4.nnev.de.": {"23.0.0.7"}, "ipv4.icanhazip.com.": {"104.16.0.1"}, "api4.ipify.org.": {"104.16.0.1"}})
	n, err := newInternet("")
	if err != nil {
		t.Fatal(err)
	}
	n.resolver.system = system
	for _, c := range []struct {
		how  ddns.Naming
		host string
		want string // words of the error; "": it is found
	}{
		{ddns.Public, "checkip.amazonaws.com", ""}, // nothing is known yet: one voice at most
		{ddns.Complete, "api.cloudflare.com", ""},  // TLS decides, and nobody is heard there
		{ddns.Public, "v4.ident.me", "v4.ident.me is answered 23.0.0.8, and so are the names of other operators"},
		{ddns.Public, "checkip.amazonaws.com", "so are the names of other operators"},
		{ddns.Public, "ip4.nnev.de", ""},
		{ddns.Public, "ipv4.icanhazip.com", ""},
		{ddns.Public, "api4.ipify.org", ""}, // Cloudflare has many customers at one address
	} {
		_, err := n.Named(c.how).(*internet).addresses(t.Context(), []ddns.Family{ddns.IPv4}, c.host)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.host, err, c.want)
		}
	}
}

// Others answer in their own time: who asked first may have had enough, and the
// next finds the answer there.
func TestOthersHaveTimeOfTheirOwn(t *testing.T) {
	n, err := newInternet("")
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	var asked sync.Map
	n.resolver.doh = func(_ context.Context, s dohServer, _ ddns.Family, host string) ([]netip.Addr, error) {
		if _, again := asked.LoadOrStore(s.host+" "+host, true); again {
			t.Errorf("%s was asked for %s again", s.host, host)
		}
		<-release
		return []netip.Addr{netip.MustParseAddr("23.0.0.1")}, nil
	}
	failed := errors.New("the system's resolver is silent")
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if got, err := n.resolver.overHTTPS(ctx, []ddns.Family{ddns.IPv4}, "api.cloudflare.com", failed); !errors.Is(err, failed) {
		t.Errorf("nobody has answered yet: %v, %v", got, err)
	}
	close(release)
	got, err := n.resolver.overHTTPS(t.Context(), []ddns.Family{ddns.IPv4}, "api.cloudflare.com", failed)
	if err != nil || len(got) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
}
