package doctor

import (
	"net/netip"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// The places of every world here.
var (
	homeAt  = netip.MustParseAddr("45.67.89.10")
	oldAt   = netip.MustParseAddr("45.67.88.3")
	homeAt6 = netip.MustParseAddr("2a01:4f8:c17::10")
	oldAt6  = netip.MustParseAddr("2a01:4f8:c17::99")
	edgeAt  = []netip.Addr{netip.MustParseAddr("104.21.16.1"), netip.MustParseAddr("172.67.128.1")}
	script  = netip.MustParseAddr("46.4.100.4")
	at      = time.Date(2026, 11, 24, 1, 30, 0, 0, time.UTC)
)

const (
	host     = "www.example.com"
	duckHost = "myhome.duckdns.org"
)

// A shape is how a name is set up: proxied or not, by a hop or by an address.
type shape struct{ proxied, hop bool }

func (s shape) String() string {
	words := map[shape]string{
		{true, true}: "a proxied name that hops over Duck DNS", {true, false}: "a proxied name with an A record",
		{false, true}: "a DNS-only name that hops over Duck DNS", {false, false}: "a DNS-only name with an A record",
	}
	return words[s]
}

var (
	proxiedHop = shape{true, true}
	proxiedA   = shape{true, false}
	publicHop  = shape{false, true}
	publicA    = shape{false, false}
)

// healthy is the evidence of a world in which nothing is wrong.
func healthy(s shape) *Evidence {
	e := &Evidence{
		Host: host, URL: "https://" + host + "/", Kept: []string{"A"}, At: at,
		IPv4: Known(homeAt), IPv6: Unknown[netip.Addr]("no IPv6 here"), Incidents: Known[[]Incident](nil),
		Strangers: Known([]Look{page(200), page(200)}), Forwards: Known(false),
		AtHome:     Known(Direct{At: netip.AddrPortFrom(homeAt, 443), Status: 200, Named: true}),
		Here:       Known(Direct{At: netip.MustParseAddrPort("127.0.0.1:443"), Trouble: Refused}),
		Zone:       Known(ddns.Zone{ID: "z", Name: "example.com", Status: "active", Type: "full", NameServers: []string{"ada.ns.cloudflare.com", "bob.ns.cloudflare.com"}}),
		Delegation: Known(Delegation{Servers: []string{"ada.ns.cloudflare.com", "bob.ns.cloudflare.com"}}),
		WAN:        Known(ddns.WAN{NAT: ddns.NATSingle, Address: homeAt, Why: "the router holds " + homeAt.String()}),
		Token:      Known(TokenState{Status: "active", Source: "CLOUDFLARE_API_TOKEN"}), SecurityLevel: Known("medium"), Events: Known[[]ddns.SecurityEvent](nil),
		ClockAhead: Known(time.Second), Daemon: Known(Daemon{Running: true, LastRound: at.Add(-time.Minute)}), Past: Known(Past{Ours: []netip.Addr{oldAt, homeAt}}),
		Hop: Known(Hop{}),
	}
	e.AtRecord = e.AtHome
	record := ddns.Record{Name: host, Type: "A", Content: homeAt.String(), Proxied: s.proxied}
	if s.hop {
		record.Type, record.Content = "CNAME", duckHost
		e.Hop = Known(Hop{Host: duckHost, Service: "Duck DNS", Servers: []HopServer{{Server: "ns1.duckdns.org", Addresses: []netip.Addr{homeAt}}, {Server: "ns2.duckdns.org", Addresses: []netip.Addr{homeAt}}}})
	}
	e.Records = Known([]ddns.Record{record})
	said := Answer{Addresses: []netip.Addr{homeAt}, TTL: time.Minute}
	e.Looks = Unknown[[]Look]("the name is not proxied")
	if s.proxied {
		said.Addresses = edgeAt
		e.Looks, e.Trace = Known(looks(12, page(200))), Known([]Look{page(200)})
	}
	e.Authority = Known(said)
	for _, name := range []string{"1.1.1.1", "8.8.8.8", "9.9.9.9"} {
		e.Resolvers = append(e.Resolvers, Resolver{name, Known(said)})
	}
	return e
}

func page(status int) Look {
	return Look{At: edgeAt[0], Answer: ddns.EdgeAnswer{Status: status, Cloudflare: true}}
}

func errorPage(code int) Look {
	status := code
	if code >= 1000 {
		status = 530
	}
	return Look{At: edgeAt[0], Answer: ddns.EdgeAnswer{Status: status, CloudflareError: code, Cloudflare: true}}
}

func challenged() Look {
	return Look{At: edgeAt[0], Answer: ddns.EdgeAnswer{Status: 403, Challenge: true, Cloudflare: true}}
}

func looks(n int, l Look) []Look {
	all := make([]Look, n)
	for i := range all {
		all[i] = l
	}
	return all
}

// sees makes the edge answer so: of twelve looks as many as are wrong.
func (e *Evidence) sees(l Look, share int) {
	if e.Looks.Known {
		e.Looks.Value = append(looks(share, l), looks(12-share, page(200))...)
	}
}

func (e *Evidence) hopServers(servers ...HopServer) {
	e.Hop.Value.Servers = servers
}

func dark(server string) HopServer { return HopServer{Server: server, Dark: true} }

func says(server string, a netip.Addr) HopServer {
	return HopServer{Server: server, Addresses: []netip.Addr{a}}
}

func (e *Evidence) direct(d Direct) {
	d.At, d.Named = netip.AddrPortFrom(homeAt, 443), d.Status != 0
	e.AtHome, e.AtRecord = Known(d), Known(d)
}

func (e *Evidence) holds(recordType, content string) {
	e.Records.Value[0].Type, e.Records.Value[0].Content = recordType, content
}

// events are n of them, one a second, in which the client was turned away.
func (e *Evidence) eventsBy(source string, client netip.Addr, n int) {
	var all []ddns.SecurityEvent
	for i := range n {
		all = append(all, ddns.SecurityEvent{At: at.Add(time.Duration(i-n) * time.Second), Action: "managed_challenge", Source: source, Client: client, Host: host})
	}
	e.Events = Known(all)
}
