package nameserver

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func rr(t *testing.T, text string) dns.RR {
	t.Helper()
	record, err := dns.NewRR(text)
	if err != nil {
		t.Fatal(err)
	}
	return record
}

func TestResolveSaysHowLongADenialIsRemembered(t *testing.T) {
	tests := []struct {
		name  string
		rcode int
		soa   string
		gone  bool
		ttl   time.Duration
	}{
		{"no such name", dns.RcodeNameError, "example.com. 3600 IN SOA a. b. 1 2 3 4 1800", true, 30 * time.Minute},
		{"the SOA's own TTL is shorter", dns.RcodeNameError, "example.com. 60 IN SOA a. b. 1 2 3 4 1800", true, time.Minute},
		{"no address of the type", dns.RcodeSuccess, "example.com. 3600 IN SOA a. b. 1 2 3 4 300", false, 5 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := serve(t, func(_ bool, query *dns.Msg) []*dns.Msg {
				if !query.RecursionDesired {
					t.Error("a resolver was asked without recursion")
				}
				reply := new(dns.Msg).SetRcode(query, tt.rcode)
				reply.Ns = []dns.RR{rr(t, tt.soa)}
				return []*dns.Msg{reply}
			})
			got, err := Client{World: loopback{}}.Resolve(t.Context(), server, "www.example.com", "A")
			if err != nil || got.NameError != tt.gone || got.TTL != tt.ttl {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// routed is a world in which names of servers lead to a port of loopback.
type routed struct {
	loopback
	at map[string]string
}

func (w routed) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if to, ok := w.at[address]; ok {
		address = to
	}
	return w.loopback.Dial(ctx, network, address)
}

func TestADelegationIsFoundWhileTheZoneIsDark(t *testing.T) {
	parent := serve(t, func(_ bool, query *dns.Msg) []*dns.Msg {
		reply := new(dns.Msg).SetReply(query)
		reply.Ns = []dns.RR{rr(t, "duckdns.org. 3600 IN NS ns2.duckdns.org."), rr(t, "duckdns.org. 3600 IN NS NS1.duckdns.org."), rr(t, "other.org. 3600 IN NS ns.other.org.")}
		return []*dns.Msg{reply}
	})
	resolver := serve(t, func(_ bool, query *dns.Msg) []*dns.Msg {
		if query.Question[0].Qtype == dns.TypeNS && dns.CountLabel(query.Question[0].Name) == 1 {
			reply := new(dns.Msg).SetReply(query)
			reply.Answer = []dns.RR{rr(t, "org. 3600 IN NS a0.nic.org.")}
			return []*dns.Msg{reply}
		}
		return []*dns.Msg{new(dns.Msg).SetRcode(query, dns.RcodeServerFailure)}
	})
	client := Client{World: routed{at: map[string]string{"a0.nic.org:53": parent}}, Timeout: 2 * time.Second}
	got, err := client.Delegation(t.Context(), resolver, "duckdns.org")
	if want := []string{"ns1.duckdns.org", "ns2.duckdns.org"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

func TestANameThatIsNoZoneHasNoDelegation(t *testing.T) {
	server := serve(t, func(_ bool, query *dns.Msg) []*dns.Msg { return []*dns.Msg{new(dns.Msg).SetReply(query)} })
	got, err := Client{World: loopback{}}.Delegation(t.Context(), server, "www.example.com")
	if err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}
