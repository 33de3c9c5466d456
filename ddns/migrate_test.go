package ddns_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/cfddns/cfddns/ddns"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// zoneOfCNAMEs is a zone whose records are written "name target".
func zoneOfCNAMEs(name string, lines ...string) ddns.ZoneFacts {
	z := ddns.ZoneFacts{Zone: ddns.Zone{ID: name, Name: name, AccountID: "us", Plan: "free"}, Whole: true, ReadAt: planTime}
	for _, line := range lines {
		from, to, _ := strings.Cut(line, " ")
		z.Records = append(z.Records, ddns.Record{ID: from, Name: from, Type: "CNAME", Content: to, TTL: 1})
	}
	return z
}

func TestWhereCNAMEsLead(t *testing.T) {
	for _, row := range []struct {
		name  string
		zones []ddns.ZoneFacts
		want  []string // name kind host by via
	}{
		{"one hop", []ddns.ZoneFacts{zoneOfCNAMEs("example.com", "www.example.com My.DuckDNS.org.")}, []string{"www.example.com hop my.duckdns.org"}},
		{"a name that follows stays", []ddns.ZoneFacts{zoneOfCNAMEs("example.com", "a.example.com b.example.com", "b.example.com x.ddns.net")},
			[]string{"a.example.com follows x.ddns.net by b.example.com", "b.example.com hop x.ddns.net"}},
		{"a chain over zones of the account", []ddns.ZoneFacts{zoneOfCNAMEs("example.com", "a.example.com b.example.net"), zoneOfCNAMEs("example.net", "b.example.net c.example.net", "c.example.net x.dedyn.io")},
			[]string{"a.example.com follows x.dedyn.io by b.example.net c.example.net", "b.example.net follows x.dedyn.io by c.example.net", "c.example.net hop x.dedyn.io"}},
		{"a circle ends", []ddns.ZoneFacts{zoneOfCNAMEs("example.com", "a.example.com b.example.com", "b.example.com a.example.com", "c.example.com c.example.com", "d.example.com a.example.com")},
			[]string{"a.example.com stays: in a circle", "b.example.com stays: in a circle", "c.example.com stays: in a circle", "d.example.com stays: in a circle"}},
		{"an apex and a wildcard hop too", []ddns.ZoneFacts{zoneOfCNAMEs("example.com", "example.com x.duckdns.org", "*.example.com x.duckdns.org")},
			[]string{"*.example.com hop x.duckdns.org", "example.com hop x.duckdns.org"}},
		{"services stay, each with its reason", []ddns.ZoneFacts{zoneOfCNAMEs("example.com", "a.example.com shops.myshopify.com", "b.example.com me.github.io", "c.example.com x.cfargotunnel.com", "d.example.com host.example.net",
			"e.example.com x.eu-west-1.elb.amazonaws.com", "_acme-challenge.example.com x.duckdns.org", "k._domainkey.example.com x.duckdns.org")},
			[]string{"_acme-challenge.example.com stays: prove something", "a.example.com stays: Shopify", "b.example.com stays: GitHub Pages", "c.example.com stays: Tunnel", "d.example.com stays: no dynamic DNS host",
				"e.example.com stays: serves another machine, not a home", "k._domainkey.example.com stays: prove something"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var got []string
			for i, a := range ddns.Aliases(row.zones) {
				line := fmt.Sprintf("%s %s", a.Record.Name, a.Kind)
				if a.Host != "" {
					line += " " + a.Host
				}
				if len(a.Via) > 0 && a.Kind == ddns.AliasFollows {
					line += " by " + strings.Join(a.Via, " ")
				}
				if _, why, ok := strings.Cut(row.want[min(i, len(row.want)-1)], ": "); ok && strings.Contains(a.Why, why) {
					line += ": " + why
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFamiliesOfAHop(t *testing.T) {
	here4, here6, other6 := homeA, netip.MustParseAddr(home6), netip.MustParseAddr("2a01:4f8:9:9::9")
	home := []netip.Addr{here4, here6}
	for _, row := range []struct {
		name string
		hop  ddns.Hop
		want string
	}{
		{"an IPv4 host becomes an A", ddns.Hop{Answers: []netip.Addr{here4}}, "A"},
		{"a host with the home's IPv6 becomes both", ddns.Hop{Answers: []netip.Addr{here4, here6}}, "A AAAA"},
		{"an IPv6 address of another machine is no reason for an AAAA", ddns.Hop{Answers: []netip.Addr{here4, other6}}, "A"},
		{"a host with IPv6 alone becomes an AAAA", ddns.Hop{Answers: []netip.Addr{here6}}, "AAAA"},
		{"a dark host is what it last answered", ddns.Hop{Last: ddns.HopSeen{Addresses: []netip.Addr{here4, here6}}}, "A AAAA"},
		{"or what is still held of it", ddns.Hop{Held: []ddns.HeldAnswer{{Addresses: []netip.Addr{here4}}}}, "A"},
		{"of a host that nobody knows nothing but an A is made", ddns.Hop{}, "A"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var types []string
			for _, target := range ddns.HopTargets(ddns.Alias{Record: ddns.Record{Name: "a.example.com"}}, row.hop, home, "a.example.com") {
				types = append(types, target.Type)
				if !target.ReplaceHop {
					t.Error("the hop may not be replaced")
				}
			}
			if got := strings.Join(types, " "); got != row.want {
				t.Errorf("%s, want %s", got, row.want)
			}
		})
	}
}

func TestStatesOfAHop(t *testing.T) {
	old := netip.MustParseAddr(oldHome)
	world := func(addresses ...netip.Addr) (both []ddns.HeldAnswer) {
		for i, a := range addresses {
			both = append(both, ddns.HeldAnswer{Resolver: []string{"https://cloudflare-dns.com/dns-query", "https://dns.google/dns-query"}[i], Addresses: []netip.Addr{a}})
		}
		return both
	}
	foreign := netip.MustParseAddr(stranger)
	held := func(a netip.Addr) []ddns.HeldAnswer {
		return []ddns.HeldAnswer{{Resolver: "https://dns.google/dns-query", Addresses: []netip.Addr{a}}}
	}
	errDark := fmt.Errorf("server misbehaving")
	for _, row := range []struct {
		name  string
		hop   ddns.Hop
		state ddns.HopState
		why   string
	}{
		{"it answers the home", ddns.Hop{Answers: []netip.Addr{homeA}, Held: world(homeA, homeA), Heard: 2}, ddns.HopHere, "answers 45.67.89.10"},
		{"this machine's resolver alone answers the home", ddns.Hop{Answers: []netip.Addr{homeA}, Held: world(foreign, foreign), Heard: 2}, ddns.HopElsewhere, "cloudflare-dns.com answers"},
		{"one operator of two answers the home", ddns.Hop{Answers: []netip.Addr{homeA}, Held: world(homeA, foreign), Heard: 2}, ddns.HopElsewhere, "dns.google answers"},
		{"to two operators it does not exist", ddns.Hop{Answers: []netip.Addr{homeA}, Heard: 2}, ddns.HopElsewhere, "does not exist"},
		{"it answers the home, and nobody can be asked over HTTPS", ddns.Hop{Answers: []netip.Addr{homeA}}, ddns.HopUnknown, "could not be asked over HTTPS"},
		{"it answers the home, and one operator can be asked", ddns.Hop{Answers: []netip.Addr{homeA}, Held: world(homeA), Heard: 1}, ddns.HopUnknown, "could not be asked over HTTPS"},
		{"it answers the home, nobody can be asked, and a person says that it is here", ddns.Hop{Answers: []netip.Addr{homeA}, Word: true}, ddns.HopHere, "answers 45.67.89.10"},
		{"this machine's resolver alone still answers where the home was", ddns.Hop{Answers: []netip.Addr{old}, Held: world(foreign, foreign), Heard: 2, Last: ddns.HopSeen{Addresses: []netip.Addr{old}, Here: true, Sure: true}}, ddns.HopElsewhere, "dns.google answers"},
		{"it is dark, and one plain answer was the home's", ddns.Hop{Err: errDark, Last: ddns.HopSeen{Addresses: []netip.Addr{homeA}}}, ddns.HopDark, "misbehaving"},
		{"it answers another", ddns.Hop{Answers: []netip.Addr{old}}, ddns.HopElsewhere, "answers"},
		{"it still answers where the home was", ddns.Hop{Answers: []netip.Addr{old}, Held: world(old, old), Heard: 2, Last: ddns.HopSeen{Addresses: []netip.Addr{old}, Here: true}}, ddns.HopHere, "still answers"},
		{"it is dark and a resolver holds the home", ddns.Hop{Held: held(homeA)}, ddns.HopHere, "dns.google still holds"},
		{"it is dark and a resolver holds another", ddns.Hop{Held: held(old)}, ddns.HopElsewhere, "still holds"},
		{"it is dark and last answered the home", ddns.Hop{Err: errDark, Last: ddns.HopSeen{Addresses: []netip.Addr{homeA}, Sure: true}}, ddns.HopHere, "last answered this home's"},
		{"it is dark, and resolvers hold what it last answered", ddns.Hop{Err: errDark, Held: held(old), Last: ddns.HopSeen{Addresses: []netip.Addr{old}, Here: true}}, ddns.HopHere, "last answered this home's"},
		{"it was the home once, and resolvers hold another address since", ddns.Hop{Err: errDark, Held: held(netip.MustParseAddr(stranger)), Last: ddns.HopSeen{Addresses: []netip.Addr{homeA}, Here: true}}, ddns.HopElsewhere, "still holds"},
		{"one family answers the home, the other nothing", ddns.Hop{Answers: []netip.Addr{homeA}, Unheard: errDark, Held: world(homeA, homeA), Heard: 2}, ddns.HopHere, "answers 45.67.89.10"},
		{"one family answers another address, and the other cannot be asked", ddns.Hop{Answers: []netip.Addr{old}, Unheard: errDark}, ddns.HopDark, "misbehaving"},
		{"one family is unknown, and a person says that it is here", ddns.Hop{Answers: []netip.Addr{old}, Unheard: errDark, Word: true}, ddns.HopHere, "does not answer in full, and you say"},
		{"one family answers another address, and both were the home", ddns.Hop{Answers: []netip.Addr{old}, Unheard: errDark, Last: ddns.HopSeen{Addresses: []netip.Addr{homeA, old}, Here: true}}, ddns.HopHere, "last answered"},
		{"it is dark and a person says that it is here", ddns.Hop{Word: true}, ddns.HopHere, "you say"},
		{"a person's word does not outweigh an answer", ddns.Hop{Word: true, Answers: []netip.Addr{old}}, ddns.HopElsewhere, "answers"},
		{"it is dark and nobody knows", ddns.Hop{Err: fmt.Errorf("server misbehaving")}, ddns.HopDark, "server misbehaving"},
	} {
		t.Run(row.name, func(t *testing.T) {
			state, why := row.hop.State([]netip.Addr{homeA})
			if state != row.state || !strings.Contains(why, row.why) {
				t.Errorf("%s (%s), want %s (%s)", state, why, row.state, row.why)
			}
		})
	}
}

func TestWithoutAHomeNoHopLeadsElsewhere(t *testing.T) {
	for _, hop := range []ddns.Hop{
		{Answers: []netip.Addr{homeA}},
		{Err: fmt.Errorf("server misbehaving"), Held: []ddns.HeldAnswer{{Resolver: "https://dns.google/dns-query", Addresses: []netip.Addr{homeA}}}},
	} {
		if state, why := hop.State(nil); state != ddns.HopUnknown {
			t.Errorf("%s (%s)", state, why)
		}
	}
}

func TestTheFirstToTry(t *testing.T) {
	all := func(string) bool { return true }
	aliases := ddns.Aliases([]ddns.ZoneFacts{zoneOfCNAMEs("example.com", "example.com x.duckdns.org", "www.example.com x.duckdns.org", "b.example.com x.duckdns.org", "a.example.com x.duckdns.org", "z.example.com a.example.com")})
	for i := range aliases {
		aliases[i].Record.Proxied = true
	}
	if name, why := ddns.FirstToTry(aliases, all); name != "b.example.com" {
		t.Errorf("%s (%s): neither the apex nor www, nor what another name follows", name, why)
	}
	aliases[1].Record.Proxied = false
	if name, why := ddns.FirstToTry(aliases, all); name != aliases[1].Record.Name || !strings.Contains(why, "DNS only") {
		t.Errorf("%s (%s)", name, why)
	}
	apex := ddns.Aliases([]ddns.ZoneFacts{zoneOfCNAMEs("example.com", "example.com x.duckdns.org", "www.example.com x.duckdns.org", "z.example.com www.example.com")})
	if name, why := ddns.FirstToTry(apex, all); name != "www.example.com" {
		t.Errorf("%s (%s): an apex is an odd beginning", name, why)
	}
	if name, _ := ddns.FirstToTry(aliases[:1], all); name != "" {
		t.Errorf("of one there is no first, and it is %s", name)
	}
}

// back is what stands at a name and what stood there.
func TestTheWayBack(t *testing.T) {
	before := ddns.Record{ID: "old", Name: "www.example.com", Type: "CNAME", Content: "x.duckdns.org", Proxied: true, TTL: 1, Comment: "site", Tags: []string{"b:1", "a:1"}}
	at := func(records ...ddns.Record) ddns.Found {
		z := zoneOfCNAMEs("example.com")
		for i, r := range records {
			r.Name = "www.example.com"
			if r.ID == "" {
				r.ID = fmt.Sprint(i)
			}
			z.Records = append(z.Records, r)
		}
		return ddns.Found{Zones: []ddns.ZoneFacts{z}}
	}
	stands := before
	stands.ID, stands.Tags = "new", []string{"a:1", "b:1"}
	changed := stands
	changed.Comment = "mine"
	pointed := before
	pointed.Content = "home.example.com"
	for _, row := range []struct {
		name    string
		found   ddns.Found
		state   ddns.BackState
		why     string
		changes []string
	}{
		{"an address of ours makes room", at(a("45.67.89.10")), ddns.BackReturn, "comes back", []string{"delete A", "create CNAME"}},
		{"both families make room", at(a("45.67.89.10"), aaaa(home6)), ddns.BackReturn, "comes back", []string{"delete A", "delete AAAA", "create CNAME"}},
		{"it stands already", at(stands), ddns.BackStands, "as it stood", nil},
		{"somebody changed its comment", at(changed), ddns.BackSkip, "somebody changed it", nil},
		{"somebody pointed it elsewhere", at(cname("y.example.net")), ddns.BackSkip, "CNAME y.example.net", nil},
		{"somebody gave it another address", at(a(stranger)), ddns.BackSkip, "A " + stranger, nil},
		{"somebody added an address to ours", at(a("45.67.89.10"), a(stranger)), ddns.BackSkip, stranger, nil},
		{"mail and text beside it stay", at(a("45.67.89.10"), ddns.Record{Type: "TXT", Content: "x"}, ddns.Record{Type: "MX", Content: "mx.example.net"}), ddns.BackReturn, "comes back", []string{"delete A", "create CNAME"}},
		{"only mail and text are left", at(ddns.Record{Type: "TXT", Content: "x"}), ddns.BackSkip, "deleted", nil},
		{"somebody made a zone of it", at(ddns.Record{Type: "NS", Content: "ns.example.net"}), ddns.BackSkip, "NS ns.example.net", nil},
		{"a comment that somebody wrote since is shown", at(ddns.Record{Type: "A", Content: "45.67.89.10", Comment: "new"}), ddns.BackReturn, `the comment "new"`, []string{"delete A", "create CNAME"}},
		{"somebody deleted it", at(), ddns.BackSkip, "deleted", nil},
		{"somebody wants it left alone", at(ddns.Record{Type: "A", Content: "45.67.89.10", Comment: "cfddns:off"}), ddns.BackSkip, "cfddns:off", nil},
		{"it was pointed at the kept name", at(pointed), ddns.BackReturn, "pointed back", []string{"update CNAME"}},
		{"its zone could not be read", ddns.Found{Missing: map[string]error{"www.example.com": fmt.Errorf("no")}}, ddns.BackUnread, "could not be read", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			ours := func(x netip.Addr) bool { return x == homeA || x.String() == home6 }
			b := ddns.PlanBack([]ddns.Record{before}, row.found, ours, "home.example.com")[0]
			var changes []string
			for _, c := range b.Changes {
				r := c.After
				if c.Op == ddns.Delete {
					r = c.Before
				}
				changes = append(changes, string(c.Op)+" "+r.Type)
				if c.Target.Key() != "www.example.com CNAME" {
					t.Errorf("%s is not of the unit", c.Target.Key())
				}
			}
			if diff := cmp.Diff(row.changes, changes); b.State != row.state || !strings.Contains(b.Why, row.why) || diff != "" {
				t.Errorf("%s (%s), want %s (%s)\n%s", b.State, b.Why, row.state, row.why, diff)
			}
		})
	}
}

func TestWhoIsLeftWithoutAKeeper(t *testing.T) {
	z := zoneOfCNAMEs("example.com", "back.example.com x.duckdns.org")
	z.Records = append(z.Records, ddns.Record{Name: "a.example.com", Type: "A", Content: "45.67.89.10"}, ddns.Record{Name: "a.example.com", Type: "AAAA", Content: home6},
		ddns.Record{Name: "kept.example.com", Type: "A", Content: "45.67.89.10"}, ddns.Record{Name: "moved.example.com", Type: "A", Content: stranger},
		ddns.Record{Name: "off.example.com", Type: "A", Content: "45.67.89.10", Comment: "cfddns:off"}, ddns.Record{Name: "never.example.com", Type: "A", Content: "45.67.89.10"})
	var before []ddns.Record
	for _, name := range []string{"a", "back", "kept", "moved", "off", "gone", "a"} {
		before = append(before, ddns.Record{Name: name + ".example.com", Type: "CNAME", Content: "x.duckdns.org"})
	}
	ours := func(x netip.Addr) bool { return x == homeA || x.String() == home6 }
	var got []string
	for _, o := range ddns.Orphans(before, ddns.Found{Zones: []ddns.ZoneFacts{z}}, ours, []ddns.Target{target("kept.example.com", "A")}, strings.ToUpper) {
		got = append(got, o.Key()+" "+o.Shown)
	}
	if diff := cmp.Diff([]string{"a.example.com A A.EXAMPLE.COM", "a.example.com AAAA A.EXAMPLE.COM"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhoMayBePointedElsewhere(t *testing.T) {
	us := ddns.Zone{Name: "example.com", AccountID: "us"}
	for comment, want := range map[string]string{"": "", "cfddns:off": "cfddns:off", "managed by terraform": "Terraform", "cfddns:attic": "cfddns:attic"} {
		err := ddns.MayRepoint(ddns.Alias{Zone: us, Record: ddns.Record{Comment: comment}}, us, "")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", comment, err)
		}
	}
	if err := ddns.MayRepoint(ddns.Alias{Zone: us}, ddns.Zone{AccountID: "them"}, ""); err == nil || !strings.Contains(err.Error(), "1014") {
		t.Errorf("across accounts: %v", err)
	}
}

// drawnZone is a zone of CNAMEs that lead to each other, to hops and elsewhere.
func drawnZone(t *rapid.T) ddns.ZoneFacts {
	names := []string{"example.com", "*.example.com", "a.example.com", "b.example.com", "c.example.com", "_d.example.com"}
	ends := append([]string{"x.duckdns.org", "y.duckdns.org", "shops.myshopify.com", "host.example.net"}, names...)
	var lines []string
	for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID[string]).Draw(t, "names") {
		lines = append(lines, name+" "+rapid.SampledFrom(ends).Draw(t, "to"))
	}
	z := zoneOfCNAMEs("example.com", lines...)
	for i := range z.Records {
		z.Records[i].Comment = rapid.SampledFrom([]string{"", "", "", "cfddns:off", "terraform"}).Draw(t, "comment")
		z.Records[i].Proxied = rapid.Bool().Draw(t, "proxied")
	}
	return z
}

// A migration never touches a CNAME that is no hop, and planned again after it
// was applied it is empty.
func TestMigrationsTouchHopsOnlyAndOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := drawnZone(t)
		hops := map[string]ddns.Hop{
			"x.duckdns.org": {Target: "x.duckdns.org", Answers: []netip.Addr{homeA}},
			"y.duckdns.org": {Target: "y.duckdns.org", Answers: []netip.Addr{rapid.SampledFrom([]netip.Addr{homeA, netip.MustParseAddr(stranger)}).Draw(t, "y")}},
		}
		plan := func(z ddns.ZoneFacts) (ddns.Plan, map[string]bool) {
			w := ddns.Wishes{Holdings: map[ddns.Family]ddns.Holding{ddns.IPv4: publish(ddns.IPv4, homeA)}, Hops: hops}
			isHop := map[string]bool{}
			for _, a := range ddns.Aliases([]ddns.ZoneFacts{z}) {
				if a.Kind == ddns.AliasHop {
					isHop[a.Record.Name] = true
					w.Targets = append(w.Targets, ddns.HopTargets(a, hops[a.Host], []netip.Addr{homeA}, a.Record.Name)...)
				}
			}
			w.Targets = ddns.SortTargets(w.Targets)
			return ddns.Diff(w, ddns.Found{Zones: []ddns.ZoneFacts{z}}, ddns.Memory{}, planTime), isHop
		}
		p, isHop := plan(zone)
		after := zone
		after.Records = slices.Clone(zone.Records)
		for _, c := range p.Changes {
			if c.Op != ddns.Replace || !isHop[c.Before.Name] || c.Before.Content == "y.duckdns.org" && hops["y.duckdns.org"].Answers[0] != homeA || c.Before.Comment != "" {
				t.Fatalf("%s", spell(c))
			}
			if c.After.Proxied != c.Before.Proxied || c.After.Comment != c.Before.Comment || c.After.TTL != c.Before.TTL {
				t.Fatalf("not all is taken over: %s", spell(c))
			}
			after.Records = slices.DeleteFunc(after.Records, func(r ddns.Record) bool { return r.ID == c.Before.ID })
			after.Records = append(after.Records, *c.After)
		}
		if again, _ := plan(after); len(again.Changes) > 0 {
			t.Fatalf("planned again: %v", spellAll(again.Changes))
		}
	})
}

// The way back of a migration ends where it began, whatever part of it was done.
func TestTheWayBackEndsWhereItBegan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := drawnZone(t)
		now := zone
		now.Records = nil
		for _, r := range zone.Records {
			if rapid.Bool().Draw(t, "done") {
				r = ddns.Record{ID: "new " + r.ID, Name: r.Name, Type: "A", Content: homeA.String(), Proxied: r.Proxied, TTL: r.TTL}
			}
			now.Records = append(now.Records, r)
		}
		ours := func(x netip.Addr) bool { return x == homeA }
		back := func(z ddns.ZoneFacts) ([]ddns.Back, ddns.ZoneFacts) {
			backs := ddns.PlanBack(zone.Records, ddns.Found{Zones: []ddns.ZoneFacts{z}}, ours, "")
			for _, b := range backs {
				for _, c := range b.Changes {
					if c.Before != nil {
						z.Records = slices.DeleteFunc(slices.Clone(z.Records), func(r ddns.Record) bool { return r.ID == c.Before.ID })
					}
					if c.After != nil {
						z.Records = append(z.Records, *c.After)
					}
				}
			}
			return backs, z
		}
		_, then := back(now)
		lines := func(z ddns.ZoneFacts) (lines []string) {
			for _, r := range z.Records {
				lines = append(lines, fmt.Sprint(r.Name, r.Type, r.Content, r.Proxied, r.TTL, r.Comment))
			}
			slices.Sort(lines)
			return lines
		}
		if diff := cmp.Diff(lines(zone), lines(then)); diff != "" {
			t.Fatal(diff)
		}
		backs, _ := back(then)
		for _, b := range backs {
			if b.State != ddns.BackStands {
				t.Fatalf("done twice: %s %s", b.Record.Name, b.State)
			}
		}
	})
}
