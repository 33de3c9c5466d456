package doctor

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// A cause is something that breaks a world. share is how many of twelve looks
// show it.
type cause struct {
	name    string
	shapes  []shape
	breaks  func(e *Evidence, share int)
	culprit Suspect   // empty: nobody may be convicted
	between []Suspect // those that must be named instead
	steady  bool      // it has no intermittent form
}

var (
	allShapes = []shape{proxiedHop, proxiedA, publicHop, publicA}
	behind    = []shape{proxiedHop, proxiedA}
	hops      = []shape{proxiedHop, publicHop}
	plain     = []shape{proxiedA, publicA}
)

func causes() []cause {
	return slices.Concat(hopCauses(), recordCauses(), originCauses(), securityCauses(), quietCauses(), subtleCauses(), seeminglyBroken())
}

func hopCauses() []cause {
	return []cause{
		{"Duck DNS is dark", hops, func(e *Evidence, n int) {
			e.hopServers(dark("ns1.duckdns.org"), dark("ns2.duckdns.org"))
			e.sees(errorPage(1016), n)
		}, DDNSHost, nil, false},
		{"the host is gone from Duck DNS", hops, func(e *Evidence, n int) {
			e.hopServers(HopServer{Server: "ns1.duckdns.org", NameError: true}, HopServer{Server: "ns2.duckdns.org", NameError: true})
			e.sees(errorPage(1016), n)
		}, DDNSHost, nil, false},
		{"one of Duck DNS's nameservers is dark", []shape{proxiedHop}, func(e *Evidence, n int) {
			e.hopServers(dark("ns1.duckdns.org"), says("ns2.duckdns.org", homeAt))
			e.sees(errorPage(1016), n)
		}, DDNSHost, nil, false},
		{"Duck DNS was dark a moment ago and answers again", []shape{proxiedHop}, func(e *Evidence, n int) { e.sees(errorPage(1016), n) }, DDNSHost, nil, false},
		{"Cloudflare cannot resolve Duck DNS, and its nameservers could not be asked", []shape{proxiedHop}, func(e *Evidence, n int) {
			e.hopServers()
			e.sees(errorPage(1016), n)
		}, DDNSHost, nil, false},
		{"Duck DNS is stale", hops, func(e *Evidence, n int) {
			e.hopServers(says("ns1.duckdns.org", oldAt), says("ns2.duckdns.org", oldAt))
			e.sees(errorPage(522), n)
		}, DDNSHost, nil, false},
		{"the CNAME leads to a host that does not exist", []shape{proxiedHop}, func(e *Evidence, n int) {
			e.holds("CNAME", "gone.example.net")
			e.Hop = Known(Hop{Host: "gone.example.net", Servers: []HopServer{{Server: "9.9.9.9", NameError: true}}})
			e.sees(errorPage(1016), n)
		}, Record, nil, false},
	}
}

func recordCauses() []cause {
	return []cause{
		{"the A record is stale", plain, func(e *Evidence, n int) {
			e.holds("A", oldAt.String())
			e.AtRecord = Known(Direct{At: netip.AddrPortFrom(oldAt, 443), Trouble: Silent})
			e.sees(errorPage(522), n)
		}, Record, nil, false},
		{"the A record is stale, and the edge is asked for less time than it waits", []shape{proxiedA}, func(e *Evidence, n int) {
			e.holds("A", oldAt.String())
			e.sees(Look{Trouble: Waits}, n)
		}, Record, nil, false},
		{"the A record of a name that is not kept leads to an address that nobody knows", []shape{proxiedA}, func(e *Evidence, n int) {
			e.Kept = nil
			e.holds("A", "45.67.77.77")
			e.sees(errorPage(522), n)
		}, "", []Suspect{Record}, false},
		{"a second A record holds the old address", []shape{proxiedA}, func(e *Evidence, n int) {
			e.Records.Value = append(e.Records.Value, ddns.Record{Name: host, Type: "A", Content: oldAt.String(), Proxied: true})
			e.sees(errorPage(522), n)
		}, Record, nil, false},
		{"an AAAA record leads nowhere", []shape{proxiedA}, func(e *Evidence, n int) {
			e.IPv6 = Known(homeAt6)
			e.Records.Value = append(e.Records.Value, ddns.Record{Name: host, Type: "AAAA", Content: oldAt6.String(), Proxied: true})
			e.sees(errorPage(523), n)
		}, Record, nil, false},
		{"the record holds an address of Cloudflare", []shape{proxiedA}, func(e *Evidence, n int) {
			e.holds("A", "104.21.16.1")
			e.sees(errorPage(1000), n)
		}, Record, nil, false},
		{"the record holds a private address", []shape{proxiedA}, func(e *Evidence, n int) {
			e.holds("A", "192.168.1.10")
			e.sees(errorPage(522), n)
		}, Record, nil, false},
		{"the name does not exist", allShapes, func(e *Evidence, n int) {
			e.Records, e.Authority = Known[[]ddns.Record](nil), Known(Answer{NameError: true})
			e.Looks, e.Hop = Unknown[[]Look]("no address"), Known(Hop{})
		}, Record, nil, true},
		{"the registrar names other nameservers", allShapes, func(e *Evidence, _ int) {
			e.Delegation = Known(Delegation{Servers: []string{"ns1.registrar.example"}})
		}, Record, nil, true},
		{"the zone is pending", allShapes, func(e *Evidence, _ int) { e.Zone.Value.Status = "pending" }, Record, nil, true},
		{"the zone is paused and not served", behind, func(e *Evidence, n int) {
			e.Zone.Value.Paused = true
			e.sees(errorPage(1001), n)
		}, Record, nil, false},
		{"an NS record sends the name away", plain, func(e *Evidence, _ int) {
			e.Records.Value = append(e.Records.Value, ddns.Record{Name: host, Type: "NS", Content: "ns.elsewhere.example"})
		}, Record, nil, true},
		{"the CNAME leads into another account", []shape{proxiedHop}, func(e *Evidence, n int) { e.sees(errorPage(1014), n) }, Record, nil, false},
		{"another client fights over the record", []shape{proxiedA}, func(e *Evidence, n int) {
			e.holds("A", "45.67.77.77")
			e.Past.Value.Contests = []ddns.Contest{{PutBack: 3, Theirs: "45.67.77.77"}}
			e.sees(errorPage(522), n)
		}, Record, nil, false},
	}
}

func originCauses() []cause {
	return []cause{
		{"nothing listens on the machine that holds the address", behind, func(e *Evidence, n int) {
			e.WAN.Value.Findings = []ddns.WANFinding{{By: "interface ppp0", Address: homeAt, Backing: ddns.OwnLine}}
			e.direct(Direct{Trouble: Refused})
			e.sees(errorPage(521), n)
		}, Origin, nil, false},
		{"connections are refused, by the router or by the server", behind, func(e *Evidence, n int) {
			e.direct(Direct{Trouble: Refused})
			e.sees(errorPage(521), n)
		}, "", []Suspect{Router, Origin}, false},
		{"the home is silent, and cannot reach itself", behind, func(e *Evidence, n int) {
			e.direct(Direct{Trouble: Silent})
			e.sees(errorPage(522), n)
		}, "", []Suspect{Router, Origin}, false},
		{"a firewall keeps Cloudflare out", behind, func(e *Evidence, n int) { e.sees(errorPage(522), n) }, Router, nil, false},
		{"the port is not forwarded to this machine", behind, func(e *Evidence, n int) {
			e.direct(Direct{Trouble: Silent})
			e.Here = Known(Direct{At: netip.MustParseAddrPort("127.0.0.1:443"), Status: 200, Named: true})
			e.sees(errorPage(522), n)
		}, Router, nil, false},
		{"the home's address leads to the router's own page, seen from inside", behind, func(e *Evidence, n int) {
			e.AtHome = Known(Direct{At: netip.AddrPortFrom(homeAt, 443), Status: 200, Certificate: OtherName})
			e.sees(errorPage(522), n)
		}, "", []Suspect{Router, Origin}, false},
		{"the provider translates", behind, func(e *Evidence, n int) {
			e.WAN = Known(ddns.WAN{NAT: ddns.NATCarrier, Why: "the router's own address is 100.64.3.7"})
			e.direct(Direct{Trouble: Silent})
			e.sees(errorPage(522), n)
		}, Router, nil, false},
		{"the certificate has expired", behind, func(e *Evidence, n int) {
			e.direct(Direct{Status: 200, Certificate: Expired})
			e.sees(errorPage(526), n)
		}, Origin, nil, false},
		{"the server speaks no TLS", behind, func(e *Evidence, n int) {
			e.direct(Direct{Trouble: BadTLS})
			e.sees(errorPage(525), n)
		}, Origin, nil, false},
		{"the server is slow", behind, func(e *Evidence, n int) { e.sees(errorPage(524), n) }, Origin, nil, false},
		{"the server answers nonsense", behind, func(e *Evidence, n int) { e.sees(errorPage(520), n) }, Origin, nil, false},
		{"the tunnel has no connector", []shape{proxiedHop}, func(e *Evidence, n int) { e.sees(errorPage(1033), n) }, Origin, nil, false},
		{"the server itself says 403", behind, func(e *Evidence, n int) {
			e.direct(Direct{Status: 403})
			e.sees(page(403), n)
		}, Origin, nil, false},
		{"the server itself says 500", behind, func(e *Evidence, n int) {
			e.direct(Direct{Status: 500})
			e.sees(page(500), n)
		}, Origin, nil, false},
		{"a 403 that nobody signed", behind, func(e *Evidence, n int) { e.sees(page(403), n) }, "", []Suspect{Origin, Security}, false},
		{"the page redirects to itself", behind, func(e *Evidence, n int) {
			loop := page(301)
			loop.Answer.Location = "https://" + host + "/"
			e.sees(loop, n)
		}, Origin, nil, false},
		{"the server of a DNS-only name says 503", []shape{publicA}, func(e *Evidence, _ int) { e.direct(Direct{Status: 503}) }, Origin, nil, true},
		{"the certificate of a DNS-only name has expired", []shape{publicA}, func(e *Evidence, _ int) { e.direct(Direct{Status: 200, Certificate: Expired}) }, Origin, nil, true},
		{"Cloudflare fails for everybody", behind, func(e *Evidence, n int) {
			e.Strangers = Known(looks(2, errorPage(500)))
			e.sees(errorPage(500), n)
		}, Cloudflare, nil, false},
		{"Cloudflare fails for us alone", behind, func(e *Evidence, n int) { e.sees(errorPage(502), n) }, "", []Suspect{Cloudflare}, false},
	}
}

func securityCauses() []cause {
	return []cause{
		{"Under Attack mode is on", behind, func(e *Evidence, n int) {
			e.SecurityLevel = Known("under_attack")
			e.sees(challenged(), n)
		}, Security, nil, false},
		{"Under Attack mode is on and our own retries feed it", behind, func(e *Evidence, n int) {
			e.SecurityLevel = Known("under_attack")
			e.eventsBy("securitylevel", homeAt, 20)
			e.sees(challenged(), n)
		}, Security, nil, false},
		{"a configuration rule challenges a path", behind, func(e *Evidence, n int) {
			e.eventsBy("securitylevel", homeAt, 3)
			e.sees(challenged(), n)
		}, Security, nil, false},
		{"Bot Fight Mode challenges", behind, func(e *Evidence, n int) {
			e.eventsBy("botFight", homeAt, 3)
			e.sees(challenged(), n)
		}, Security, nil, false},
		{"our own retries set off the DDoS rules", behind, func(e *Evidence, n int) {
			e.eventsBy("l7ddos", homeAt, 30)
			e.sees(challenged(), n)
		}, Client, nil, false},
		{"a challenge whose cause the token may not see", behind, func(e *Evidence, n int) {
			e.SecurityLevel, e.Events = Unknown[string]("not permitted"), Unknown[[]ddns.SecurityEvent]("not permitted")
			e.sees(challenged(), n)
		}, "", []Suspect{Security}, false},
		{"a WAF rule blocks", behind, func(e *Evidence, n int) { e.sees(errorPage(1020), n) }, Security, nil, false},
		{"the Browser Integrity Check blocks", behind, func(e *Evidence, n int) { e.sees(errorPage(1010), n) }, Security, nil, false},
		{"too many requests, by whom nobody knows", behind, func(e *Evidence, n int) { e.sees(errorPage(1015), n) }, "", []Suspect{Security, Client}, false},
		{"the script host is challenged, and this machine is not", behind, func(e *Evidence, _ int) {
			e.Client = script
			e.eventsBy("securitylevel", script, 3)
		}, Security, nil, true},
		{"the script host storms", behind, func(e *Evidence, _ int) {
			e.Client = script
			e.eventsBy("l7ddos", script, 40)
		}, Client, nil, true},
	}
}

func quietCauses() []cause {
	return []cause{
		{"the token is disabled", allShapes, func(e *Evidence, _ int) { e.Token.Value.Status = "disabled" }, Token, nil, true},
		{"the clock is nine hours off", allShapes, func(e *Evidence, _ int) { e.ClockAhead = Known(9 * time.Hour) }, Clock, nil, true},
		{"the clock is years off, and nothing over TLS is believed", allShapes, func(e *Evidence, _ int) {
			e.ClockAhead, e.OutOfTime = Unknown[time.Duration]("no answer bore a date"), Known(4)
			e.sees(Look{Trouble: Silent, Why: "certificate has expired"}, 12)
		}, Clock, nil, true},
		{"a resolver still says the old address", []shape{publicA}, func(e *Evidence, _ int) {
			e.Resolvers[1].Said = Known(Answer{Addresses: []netip.Addr{oldAt}, TTL: 4 * time.Minute})
		}, Resolvers, nil, true},
		{"a resolver remembers that the name does not exist", allShapes, func(e *Evidence, _ int) {
			e.Resolvers[2].Said = Known(Answer{NameError: true, TTL: 20 * time.Minute})
		}, Resolvers, nil, true},
		{"strangers are challenged all the time, and nobody of ours", behind, func(e *Evidence, _ int) {
			e.eventsBy("firewallManaged", netip.MustParseAddr("45.155.1.1"), 50)
		}, "nobody", nil, true},
	}
}

// Every cause in every shape that it can have, always and now and then.
func TestEveryBrokenWorldIsJudged(t *testing.T) {
	worlds := 0
	for _, c := range causes() {
		for _, s := range c.shapes {
			for share, when := range map[int]string{12: "always", 7: "seven times of twelve", 1: "once"} {
				if share != 12 && (c.steady || !s.proxied) {
					continue
				}
				worlds++
				t.Run(c.name+", "+when+", at "+s.String(), func(t *testing.T) {
					e := healthy(s)
					c.breaks(e, share)
					c.expect(t, Judge(*e))
				})
			}
		}
	}
	if worlds < 60 {
		t.Errorf("only %d worlds", worlds)
	}
}

func (c cause) expect(t *testing.T, d Diagnosis) {
	t.Helper()
	switch {
	case c.culprit == "nobody":
		if d.Exit != ExitWell {
			t.Errorf("exit %d: %s; findings: %+v", d.Exit, d.Summary, d.Findings)
		}
	case c.culprit != "":
		if d.Culprit == nil || d.Culprit.Suspect != c.culprit || d.Exit != ExitCulprit || d.Summary == "" || d.Mend == "" {
			t.Errorf("convicted %+v (exit %d: %s), want %s", d.Culprit, d.Exit, d.Summary, c.culprit)
		}
	case d.Culprit != nil || d.Exit != ExitUnclear || d.Mend == "":
		t.Errorf("convicted %+v (exit %d: %s, mend %q), want nobody", d.Culprit, d.Exit, d.Summary, d.Mend)
	default:
		for _, s := range c.between {
			if !slices.Contains(d.Between, s) {
				t.Errorf("it is between %v, want %s among them", d.Between, s)
			}
		}
	}
}

func TestAWorldInWhichNothingIsWrongIsCalledWell(t *testing.T) {
	for _, s := range allShapes {
		d := Judge(*healthy(s))
		if d.Exit != ExitWell || d.Culprit != nil {
			t.Errorf("%s: exit %d, %+v", s, d.Exit, d.Findings)
		}
		for _, f := range d.Findings {
			if f.State == Guilty || f.State == Suspicious {
				t.Errorf("%s: %+v", s, f)
			}
		}
	}
}

func TestWithoutATokenOnlyWhatShowsFromOutsideConvicts(t *testing.T) {
	blind := func(e *Evidence) {
		e.Zone, e.Records, e.Hop = Unknown[ddns.Zone]("no token"), Unknown[[]ddns.Record]("no token"), Unknown[Hop]("no token")
		e.Token, e.SecurityLevel, e.Events = Unknown[TokenState]("no token"), Unknown[string]("no token"), Unknown[[]ddns.SecurityEvent]("no token")
	}
	tests := []struct {
		name    string
		code    int
		culprit Suspect
	}{
		{"1016 may be the record or the host it leads to", 1016, ""},
		{"522 may be anything behind the edge", 522, ""},
		{"526 is the origin's only if the record leads there", 526, ""},
		{"1033 is the tunnel's", 1033, Origin},
		{"1014 is the record's", 1014, Record},
		{"1020 is a rule's", 1020, Security},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := healthy(proxiedA)
			blind(e)
			e.sees(errorPage(tt.code), 12)
			c := cause{culprit: tt.culprit}
			c.expect(t, Judge(*e))
		})
	}
	t.Run("and a page that works works", func(t *testing.T) {
		e := healthy(proxiedA)
		blind(e)
		if d := Judge(*e); d.Exit != ExitWell {
			t.Errorf("exit %d: %s", d.Exit, d.Summary)
		}
	})
}

func TestNothingKnownConvictsNobody(t *testing.T) {
	d := Judge(Evidence{Host: host})
	if d.Exit != ExitUnclear || d.Culprit != nil {
		t.Errorf("exit %d, %+v", d.Exit, d.Culprit)
	}
	for _, f := range d.Findings {
		if f.State != CannotTell {
			t.Errorf("%+v", f)
		}
	}
}

func TestPagesFromTheCacheAreSaidToBeSo(t *testing.T) {
	e := healthy(proxiedA)
	e.Looks.Value[3].Answer.Cache, e.Looks.Value[3].Answer.Age = "HIT", time.Hour
	if said := Judge(*e).Findings[1].Evidence; !strings.Contains(said, "1 came from its cache, up to 1h0m0s old") {
		t.Error(said)
	}
}
