package doctor

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// foreign is an answer under the certificate of another name: a router's page,
// or a proxy on the way that answers for everybody.
func foreign() Fact[Direct] {
	return Known(Direct{At: netip.AddrPortFrom(homeAt, 443), Status: 404, Certificate: OtherName})
}

// served makes Cloudflare remember that pages were served until some time ago.
func (e *Evidence) served(ago time.Duration) {
	var all []ddns.MinuteStatus
	for m := range 60 {
		all = append(all, ddns.MinuteStatus{At: e.At.Add(-ago - time.Duration(m)*time.Minute), Host: host, Status: 200, Requests: 3})
	}
	e.Minutes = Known(all)
}

// subtleCauses are those in which a quick look convicts the wrong party.
func subtleCauses() []cause {
	return []cause{
		{"the server refuses, and a proxy on this line answers in its place", behind, func(e *Evidence, n int) {
			e.AtHome, e.AtRecord = foreign(), foreign()
			e.sees(errorPage(521), n)
		}, "", []Suspect{Origin, Router}, false},
		{"the server refuses, and pages were served an hour ago", behind, func(e *Evidence, n int) {
			e.AtHome, e.AtRecord = foreign(), foreign()
			e.served(time.Hour)
			e.sees(errorPage(521), n)
		}, Origin, nil, false},
		{"the server refuses, and the edge itself answered us in this minute", behind, func(e *Evidence, n int) {
			e.AtHome, e.AtRecord = foreign(), foreign()
			e.Minutes = Known([]ddns.MinuteStatus{{At: e.At.Truncate(time.Minute), Host: host, Status: 200, Requests: 1}})
			e.sees(errorPage(521), n)
		}, "", []Suspect{Origin, Router}, false},
		{"the home is silent, and pages were served an hour ago", behind, func(e *Evidence, n int) {
			e.AtHome, e.AtRecord = foreign(), foreign()
			e.served(time.Hour)
			e.sees(errorPage(522), n)
		}, "", []Suspect{Origin, Router}, false},
		{"connections are refused by a router that this machine is", behind, func(e *Evidence, n int) {
			e.WAN.Value.Findings = []ddns.WANFinding{{By: "interface ppp0", Address: homeAt, Backing: ddns.OwnLine}}
			e.Forwards = Known(true)
			e.direct(Direct{Trouble: Refused})
			e.sees(errorPage(521), n)
		}, "", []Suspect{Origin, Router}, false},
		{"the edge hangs, for itself too", behind, func(e *Evidence, n int) {
			e.Trace = Known([]Look{{Trouble: Waits}})
			e.sees(Look{Trouble: Waits}, n)
		}, "", []Suspect{Cloudflare}, false},
		{"the server itself says 500, which nobody signed", behind, func(e *Evidence, n int) {
			e.AtHome, e.AtRecord = foreign(), foreign()
			e.sees(page(500), n)
		}, Origin, nil, false},
		{"a 502 that nobody signed", behind, func(e *Evidence, n int) {
			e.AtHome, e.AtRecord = foreign(), foreign()
			e.sees(page(502), n)
		}, "", []Suspect{Origin}, false},
		{"an AAAA record leads nowhere, and no IPv6 address of the home is known", []shape{proxiedA}, func(e *Evidence, n int) {
			e.Records.Value = append(e.Records.Value, ddns.Record{Name: host, Type: "AAAA", Content: oldAt6.String(), Proxied: true})
			e.AtHome, e.AtRecord = foreign(), foreign()
			e.sees(errorPage(523), n)
		}, "", []Suspect{Record}, false},
		{"the name leads to another name of the zone, whose record is stale", []shape{proxiedA}, func(e *Evidence, n int) {
			e.holds("CNAME", "home.example.com")
			e.Records.Value = append(e.Records.Value, ddns.Record{Name: "home.example.com", Type: "A", Content: oldAt.String()})
			e.sees(errorPage(522), n)
		}, Record, nil, false},
		{"the zone is paused, and everybody is told the home's address", []shape{proxiedA}, func(e *Evidence, _ int) {
			e.Zone.Value.Paused = true
			e.Authority.Value.Addresses = []netip.Addr{homeAt}
			e.Looks, e.Trace = Unknown[[]Look]("the name is not proxied"), Unknown[[]Look]("the name is not proxied")
		}, Record, nil, true},
		{"the record stands as written, and the edge does not know it", behind, func(e *Evidence, n int) { e.sees(errorPage(1001), n) }, "", []Suspect{Record}, false},
		{"the token may not read the records that it keeps", allShapes, func(e *Evidence, _ int) {
			e.Records, e.Hop = Unknown[[]ddns.Record]("Authentication error"), Unknown[Hop]("Authentication error")
			e.Token.Value.Missing = "Zone > DNS > Edit"
		}, Token, nil, true},
		{"a DNS-only record is stale, and there is no token", []shape{publicA}, func(e *Evidence, _ int) {
			e.Zone, e.Records, e.Hop, e.Token = Unknown[ddns.Zone]("no token"), Unknown[[]ddns.Record]("no token"), Unknown[Hop]("no token"), Unknown[TokenState]("no token")
			e.Authority = Known(Answer{Addresses: []netip.Addr{oldAt}})
		}, Record, nil, true},
		{"the DDoS rules challenge, and nobody is known to storm", behind, func(e *Evidence, n int) {
			e.eventsBy("l7ddos", homeAt, 1)
			e.sees(challenged(), n)
		}, "", []Suspect{Client, Security}, false},
	}
}

// seeminglyBroken is what looks odd, and is as it should be.
func seeminglyBroken() []cause {
	return []cause{
		{"this machine's resolver leads to the server inside the home", allShapes, func(e *Evidence, _ int) {
			e.Resolvers = append(e.Resolvers, Resolver{system, Known(Answer{Addresses: []netip.Addr{netip.MustParseAddr("192.168.1.10")}})})
		}, "nobody", nil, true},
		{"this machine's resolver blocks the name", allShapes, func(e *Evidence, _ int) {
			e.Resolvers = append(e.Resolvers, Resolver{system, Known(Answer{Addresses: []netip.Addr{netip.IPv4Unspecified()}})})
		}, "nobody", nil, true},
		{"the zone's nameservers were heard of IPv6 alone, a resolver of IPv4 alone", []shape{publicA}, func(e *Evidence, _ int) {
			e.IPv6 = Known(homeAt6)
			e.Records.Value = append(e.Records.Value, ddns.Record{Name: host, Type: "AAAA", Content: homeAt6.String()})
			e.Authority = Known(Answer{Addresses: []netip.Addr{homeAt6}, Unasked: []ddns.Family{ddns.IPv4}})
			e.Resolvers[0].Said = Known(Answer{Addresses: []netip.Addr{homeAt}, Unasked: []ddns.Family{ddns.IPv6}})
		}, "nobody", nil, true},
		{"the zone's nameservers have names of one's own", allShapes, func(e *Evidence, _ int) {
			e.Delegation = Known(Delegation{Servers: []string{"ns1.example.com"}, AsZone: true})
		}, "nobody", nil, true},
		{"no web server answers at a DNS-only name, and nobody asked for one", []shape{publicA, publicHop}, func(e *Evidence, _ int) {
			e.direct(Direct{Trouble: Refused})
		}, "nobody", nil, true},
		{"the name of another name of the zone is right", []shape{proxiedA}, func(e *Evidence, _ int) {
			e.holds("CNAME", "home.example.com")
			e.Records.Value = append(e.Records.Value, ddns.Record{Name: "home.example.com", Type: "A", Content: homeAt.String()})
		}, "nobody", nil, true},
	}
}

// Whoever answers under another name's certificate is not taken for the server.
func TestAStrangersAnswerIsNeverTheServers(t *testing.T) {
	for _, code := range []int{521, 522, 525, 526} {
		e := healthy(proxiedA)
		e.AtHome, e.AtRecord = foreign(), foreign()
		e.sees(errorPage(code), 12)
		d := Judge(*e)
		i := slices.IndexFunc(d.Findings, func(f Finding) bool { return f.Suspect == Origin })
		if f := d.Findings[i]; f.State == Cleared || strings.Contains(f.Sentence, "another name") || strings.Contains(f.Evidence, "404") {
			t.Errorf("%d: %+v", code, f)
		}
	}
	e := healthy(publicA)
	e.AtHome, e.AtRecord = foreign(), foreign()
	if d := Judge(*e); d.Exit != ExitWell {
		t.Errorf("exit %d: %s", d.Exit, d.Summary)
	}
}

func TestAPageThatSomebodyNamedHasToBeThere(t *testing.T) {
	e := healthy(publicA)
	e.Asked = true
	e.direct(Direct{Trouble: Refused})
	if d := Judge(*e); d.Exit != ExitUnclear || !slices.Contains(d.Between, Origin) {
		t.Errorf("exit %d, between %v: %s", d.Exit, d.Between, d.Summary)
	}
}

// An error page is named by the status it came with.
func TestAnErrorPageIsNamedByItsStatus(t *testing.T) {
	l := errorPage(1001)
	l.Answer.Status = 409
	if text := answerOf("", l).text(); text != "409 error 1001" {
		t.Error(text)
	}
}
