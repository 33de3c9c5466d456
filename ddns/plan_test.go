package ddns_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// The addresses of the tables: the home is at homeA, was at oldHome, and
// stranger is somebody else.
const (
	oldHome  = "45.67.80.1"
	stranger = "45.67.70.1"
	home6    = "2a01:4f8:1:2::10"
)

var planTime = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func TestPlanOfAddresses(t *testing.T) {
	off := ddns.Record{Type: "A", Content: stranger, Comment: "camera cfddns:off"}
	for _, row := range []planRow{
		{name: "a name that does not exist is created DNS-only, and that is said", given: newSketch(),
			changes: []string{"create home.example.com: nothing → A 45.67.89.10 ttl 60"}, state: ddns.Changed, why: "becomes public"},
		{name: "a new name can be proxied", given: newSketch(), set: func(s *sketch) { s.edit(func(t *ddns.Target) { t.Proxied = ddns.SetTrue; t.TTL = 300 }) },
			changes: []string{"create home.example.com: nothing → A 45.67.89.10 proxied ttl 1"}, state: ddns.Changed, why: "has no A record"},
		{name: "a new name can have a time to live", given: newSketch(), set: func(s *sketch) { s.edit(func(t *ddns.Target) { t.TTL = 300 }) },
			changes: []string{"create home.example.com: nothing → A 45.67.89.10 ttl 300"}, state: ddns.Changed},
		{name: "a time to live that the plan does not take is the least that it takes", given: newSketch(), set: func(s *sketch) { s.edit(func(t *ddns.Target) { t.TTL = 30 }) },
			changes: []string{"create home.example.com: nothing → A 45.67.89.10 ttl 60"}, state: ddns.Changed},
		{name: "a record that is right stays", given: newSketch(a("45.67.89.10")), state: ddns.Right, why: "holds 45.67.89.10"},
		{name: "a record with an old address gets the address alone", given: newSketch(a(oldHome)),
			changes: []string{"update home.example.com: A 45.67.80.1 ttl 60 → A 45.67.89.10 ttl 60 by content"}, state: ddns.Changed, why: "holds 45.67.80.1, the home is at 45.67.89.10"},
		{name: "proxied is set if the configuration sets it", given: newSketch(a("45.67.89.10")), set: func(s *sketch) { s.edit(func(t *ddns.Target) { t.Proxied = ddns.SetTrue }) },
			changes: []string{"update home.example.com: A 45.67.89.10 ttl 60 → A 45.67.89.10 proxied ttl 1 by proxied"}, state: ddns.Changed, why: "proxied becomes true"},
		{name: "proxied is taken away with the time to live", given: newSketch(ddns.Record{Type: "A", Content: "45.67.89.10", Proxied: true, TTL: 1}),
			set:     func(s *sketch) { s.edit(func(t *ddns.Target) { t.Proxied, t.TTL = ddns.SetFalse, 120 }) },
			changes: []string{"update home.example.com: A 45.67.89.10 proxied ttl 1 → A 45.67.89.10 ttl 120 by proxied, ttl"}, state: ddns.Changed, why: "ttl 1 becomes 120"},
		{name: "the time to live of a proxied record is Cloudflare's", given: newSketch(ddns.Record{Type: "A", Content: "45.67.89.10", Proxied: true, TTL: 1}),
			set: func(s *sketch) { s.edit(func(t *ddns.Target) { t.TTL = 300 }) }, state: ddns.Right},
		{name: "address and settings go in one change", given: newSketch(a(oldHome)), set: func(s *sketch) { s.edit(func(t *ddns.Target) { t.TTL = 300 }) },
			changes: []string{"update home.example.com: A 45.67.80.1 ttl 60 → A 45.67.89.10 ttl 300 by content, ttl"}, state: ddns.Changed},
		{name: "a comment that says off is obeyed and shown", given: newSketch(off), state: ddns.Held, code: ddns.CodeLeftAlone, why: "left alone at 45.67.70.1"},
		{name: "off at one of several records leaves all alone", given: newSketch(a(oldHome), off), state: ddns.Held, code: ddns.CodeLeftAlone, why: "cfddns:off"},
		{name: "off is a word, not a part of one", given: newSketch(ddns.Record{Type: "A", Content: "45.67.89.10", Comment: "xcfddns:off cfddns:offline-not"}),
			state: ddns.Refused, code: ddns.CodeNotOurs, why: "marked cfddns:offline-not", hint: "set owner: offline-not"},
		{name: "off may stand in brackets", given: newSketch(ddns.Record{Type: "A", Content: oldHome, Comment: "hands off (CFDDNS:off)."}), state: ddns.Held, code: ddns.CodeLeftAlone},
		{name: "a record that another cfddns marks is not ours", given: newSketch(ddns.Record{Type: "A", Content: oldHome, Comment: "cfddns:house"}),
			state: ddns.Refused, code: ddns.CodeNotOurs, why: "marked cfddns:house", hint: "set owner: house"},
		{name: "a wildcard is a name like others", given: newSketch(ddns.Record{Type: "A", Name: "*.example.com", Content: oldHome}),
			set:     func(s *sketch) { s.wishes.Targets = []ddns.Target{target("*.example.com", "A")} },
			changes: []string{"update *.example.com: A 45.67.80.1 ttl 60 → A 45.67.89.10 ttl 60 by content"}, state: ddns.Changed},
		{name: "the apex is a name like others, NS records or not", given: newSketch(ddns.Record{Type: "A", Name: "example.com", Content: oldHome}, ddns.Record{Type: "NS", Name: "example.com", Content: "ns.example.net"}),
			set:     func(s *sketch) { s.wishes.Targets = []ddns.Target{target("example.com", "A")} },
			changes: []string{"update example.com: A 45.67.80.1 ttl 60 → A 45.67.89.10 ttl 60 by content"}, state: ddns.Changed},
		{name: "A and AAAA are planned together", given: newSketch(a(oldHome)), set: (*sketch).both,
			changes: []string{"update home.example.com: A 45.67.80.1 ttl 60 → A 45.67.89.10 ttl 60 by content", "create home.example.com: nothing → AAAA 2a01:4f8:1:2::10 ttl 60"}, state: ddns.Changed},
		{name: "IPv6 held does not hold up IPv4", given: newSketch(a(oldHome), aaaa("2a01::1")), set: func(s *sketch) { s.both(); s.wishes.Holdings[ddns.IPv6] = keep(ddns.IPv6) },
			changes: []string{"update home.example.com: A 45.67.80.1 ttl 60 → A 45.67.89.10 ttl 60 by content"}, state: ddns.Held, why: "no usable answer"},
		{name: "IPv4 held does not hold up IPv6", given: newSketch(aaaa("2a01::1")), set: func(s *sketch) { s.both(); s.wishes.Holdings[ddns.IPv4] = keep(ddns.IPv4) },
			changes: []string{"update home.example.com: AAAA 2a01::1 ttl 60 → AAAA 2a01:4f8:1:2::10 ttl 60 by content"}, state: ddns.Changed},
		{name: "without an address nothing changes, whatever stands there", given: newSketch(a(oldHome), a(stranger), cname("x.duckdns.org")),
			set: func(s *sketch) { s.wishes.Holdings[ddns.IPv4] = keep(ddns.IPv4) }, state: ddns.Held, why: "no usable answer"},
		{name: "a family nobody asked about is held", given: newSketch(a(oldHome)), set: func(s *sketch) { s.wishes.Holdings = nil }, state: ddns.Held},
		{name: "a new name in a zone that hides the home is not made public", given: newSketch(ddns.Record{Type: "A", Name: "www.example.com", Content: oldHome, Proxied: true}),
			state: ddns.Refused, code: ddns.CodeProxyUnclear, why: "nothing was created", hint: "set proxied: true"},
		{name: "one public address in the zone makes it public already", given: newSketch(ddns.Record{Type: "A", Name: "www.example.com", Content: oldHome, Proxied: true}, ddns.Record{Type: "A", Name: "ssh.example.com", Content: oldHome}),
			changes: []string{"create home.example.com: nothing → A 45.67.89.10 ttl 60"}, state: ddns.Changed},
		{name: "a large zone of which nobody knows how it serves the rest", given: newSketch(), set: func(s *sketch) { s.zone.Whole = false }, state: ddns.Refused, code: ddns.CodeProxyUnclear, why: "every other address", hint: "set proxied"},
		{name: "a large zone in which all are proxied", given: newSketch(), set: func(s *sketch) {
			s.zone.Whole, s.zone.Habit = false, []ddns.Record{{Type: "CNAME", Name: "www.example.com", Content: "x.duckdns.org", Proxied: true}}
		}, state: ddns.Refused, code: ddns.CodeProxyUnclear, why: "every other address", hint: "set proxied"},
		{name: "a large zone in which some are public", given: newSketch(ddns.Record{Type: "A", Name: "www.example.com", Content: oldHome, Proxied: true}), set: func(s *sketch) {
			s.zone.Whole, s.zone.Habit = false, append(s.zone.Records, ddns.Record{Type: "A", Name: "ssh.example.com", Content: oldHome})
		},
			changes: []string{"create home.example.com: nothing → A 45.67.89.10 ttl 60"}, state: ddns.Changed},
		{name: "a new AAAA is proxied as the A beside it is", given: newSketch(ddns.Record{Type: "A", Content: "45.67.89.10", Proxied: true, TTL: 1}), set: (*sketch).both,
			changes: []string{"create home.example.com: nothing → AAAA 2a01:4f8:1:2::10 proxied ttl 1"}, state: ddns.Changed, why: "has no AAAA record"},
	} {
		t.Run(row.name, row.test)
	}
}

func TestPlanWithSeveralRecords(t *testing.T) {
	marked := func(content, comment string) ddns.Record {
		return ddns.Record{Type: "A", Content: content, Comment: comment}
	}
	owner := func(s *sketch) { s.wishes.Owner = "attic" }
	for _, row := range []planRow{
		{name: "several records of which none is known are left alone", given: newSketch(a(oldHome), a(stranger)),
			state: ddns.Refused, code: ddns.CodeShared, why: "none is known to be ours", hint: "set extra: delete"},
		{name: "the record that was last confirmed is changed, and the others are named", given: newSketch(a(stranger), a(oldHome)), set: func(s *sketch) { s.remember("id2", oldHome) },
			changes: []string{"update home.example.com: A 45.67.80.1 ttl 60 → A 45.67.89.10 ttl 60 by content"}, state: ddns.Changed, code: ddns.CodeShared, hint: "other addresses answer here too: 45.67.70.1"},
		{name: "a record with an address that was once ours is ours", given: newSketch(a(stranger), a(oldHome)), set: func(s *sketch) { s.remember("gone", oldHome) },
			changes: []string{"update home.example.com: A 45.67.80.1 ttl 60 → A 45.67.89.10 ttl 60 by content"}, state: ddns.Changed, code: ddns.CodeShared, hint: stranger},
		{name: "beside the right record, one that is known to be ours is deleted", given: newSketch(a("45.67.89.10"), a(oldHome)), set: func(s *sketch) { s.remember("id2", oldHome) },
			changes: []string{"delete home.example.com: A 45.67.80.1 ttl 60 → nothing"}, state: ddns.Changed, why: "known to be ours"},
		{name: "beside the right record, a stranger's stays", given: newSketch(a("45.67.89.10"), a(stranger)),
			state: ddns.Right, code: ddns.CodeShared, hint: "if another machine keeps them, set owner: NAME"},
		{name: "extra: delete deletes what is not known too, in the same plan", given: newSketch(a(oldHome), a(stranger)), set: func(s *sketch) { s.edit(func(t *ddns.Target) { t.DeleteExtra = true }) },
			changes: []string{"update home.example.com: A 45.67.80.1 ttl 60 → A 45.67.89.10 ttl 60 by content", "delete home.example.com: A 45.67.70.1 ttl 60 → nothing"}, state: ddns.Changed},
		{name: "extra: delete does not touch the other family", given: newSketch(a("45.67.89.10"), aaaa("2a01::1")), set: func(s *sketch) { s.edit(func(t *ddns.Target) { t.DeleteExtra = true }) },
			state: ddns.Right},
		{name: "with an owner a new record beside others bears the mark", given: newSketch(a(stranger)), set: owner,
			changes: []string{"create home.example.com: nothing → A 45.67.89.10 ttl 60 cfddns:attic"}, state: ddns.Changed, why: "marked cfddns:attic"},
		{name: "with an owner only the marked record is changed", given: newSketch(a(stranger), marked(oldHome, "mine cfddns:attic")), set: owner,
			changes: []string{"update home.example.com: A 45.67.80.1 ttl 60 mine cfddns:attic → A 45.67.89.10 ttl 60 mine cfddns:attic by content"}, state: ddns.Changed},
		{name: "where another cfddns keeps this very address, ours is not moved onto it", given: newSketch(marked("45.67.89.10", "cfddns:attic"), a(oldHome)),
			state: ddns.Right, code: ddns.CodeShared, why: "cfddns:attic keeps the same address here", hint: "other addresses answer here too: 45.67.80.1"},
		{name: "with an owner another's mark is respected", given: newSketch(marked(stranger, "cfddns:cellar"), marked("45.67.89.10", "cfddns:attic")), set: owner, state: ddns.Right},
		{name: "with an owner a second marked record is deleted, and no other", given: newSketch(marked(oldHome, "cfddns:attic"), marked("45.67.89.10", "cfddns:attic"), a(stranger)), set: owner,
			changes: []string{"delete home.example.com: A 45.67.80.1 ttl 60 cfddns:attic → nothing"}, state: ddns.Changed},
		{name: "with an owner extra: delete does not reach what others keep", given: newSketch(marked("45.67.89.10", "cfddns:attic"), a(stranger)),
			set: func(s *sketch) { owner(s); s.edit(func(t *ddns.Target) { t.DeleteExtra = true }) }, state: ddns.Right},
		{name: "with an owner our address without a mark gets it, since a second one cannot be made", given: newSketch(marked("45.67.89.10", "mine")), set: owner,
			changes: []string{"update home.example.com: A 45.67.89.10 ttl 60 mine → A 45.67.89.10 ttl 60 mine cfddns:attic by comment"}, state: ddns.Changed, why: "marked cfddns:attic"},
		{name: "with an owner set later, the record we kept before gets the mark", given: newSketch(a(oldHome)), set: func(s *sketch) { owner(s); s.remember("id1", oldHome) },
			changes: []string{"update home.example.com: A 45.67.80.1 ttl 60 → A 45.67.89.10 ttl 60 cfddns:attic by comment, content"}, state: ddns.Changed},
		{name: "two owners behind one address share its record", given: newSketch(marked("45.67.89.10", "cfddns:cellar")), set: owner,
			state: ddns.Right, why: "cfddns:cellar keeps the same address"},
		{name: "two owners that come behind one address leave one record", given: newSketch(marked("45.67.89.10", "cfddns:cellar"), marked(oldHome, "cfddns:attic")), set: owner,
			changes: []string{"delete home.example.com: A 45.67.80.1 ttl 60 cfddns:attic → nothing"}, state: ddns.Changed},
		{name: "a comment without room for the mark stays as it is", given: newSketch(marked("45.67.89.10", strings.Repeat("x", 95))), set: owner, state: ddns.Right, code: ddns.CodeShared, hint: "shorten the comment"},
		{name: "a record beside others of the same name is proxied as they are", given: newSketch(ddns.Record{Type: "A", Content: stranger, Proxied: true, TTL: 1}), set: owner,
			changes: []string{"create home.example.com: nothing → A 45.67.89.10 proxied ttl 1 cfddns:attic"}, state: ddns.Changed},
	} {
		t.Run(row.name, row.test)
	}
}

func TestPlanOfNamesThatOthersKeep(t *testing.T) {
	txt := func(name, text string) ddns.Record { return ddns.Record{Type: "TXT", Name: name, Content: text} }
	for _, row := range []planRow{
		{name: "a name that external-dns marks is its own", given: newSketch(a(oldHome), txt("", `"heritage=external-dns,external-dns/owner=default"`)),
			state: ddns.Refused, code: ddns.CodeNotOurs, why: "external-dns marks this name", hint: "remove the name from external-dns"},
		{name: "so is one that it marks beside the name", given: newSketch(a(oldHome), txt("a-home.example.com", "heritage=external-dns,external-dns/owner=default")),
			state: ddns.Refused, code: ddns.CodeNotOurs, why: "external-dns", hint: "remove the name"},
		{name: "its mark of an AAAA is none of the A", given: newSketch(a("45.67.89.10"), txt("aaaa-home.example.com", "heritage=external-dns")), state: ddns.Right},
		{name: "a record that Terraform's people mark is theirs", given: newSketch(ddns.Record{Type: "A", Content: oldHome, Comment: "Managed by Terraform"}),
			state: ddns.Refused, code: ddns.CodeNotOurs, why: "Terraform marks", hint: "remove the name from Terraform"},
		{name: "Terraform's mail record at the name is no claim on its address", given: newSketch(a("45.67.89.10"), ddns.Record{Type: "MX", Content: "mx.example.net", Comment: "terraform"}), state: ddns.Right},
		{name: "our own mark beside another tool's wins", given: newSketch(ddns.Record{Type: "A", Content: "45.67.89.10", Comment: "terraform cfddns:attic"}), set: func(s *sketch) { s.wishes.Owner = "attic" }, state: ddns.Right},
		{name: "a name that is delegated cannot hold an address", given: newSketch(ddns.Record{Type: "NS", Content: "ns1.example.net"}),
			state: ddns.Refused, code: ddns.CodeConflict, why: "NS records at home.example.com", hint: "delete the NS records"},
		{name: "nor can one below a delegated name", given: newSketch(a(oldHome), ddns.Record{Type: "NS", Name: "lab.example.com", Content: "ns1.example.net"}),
			set:   func(s *sketch) { s.wishes.Targets = []ddns.Target{target("home.lab.example.com", "A")} },
			state: ddns.Refused, code: ddns.CodeConflict, why: "NS records at lab.example.com", hint: "in the zone it is delegated to"},
		{name: "a name that only ends like a delegated one is not below it", given: newSketch(a("45.67.89.10"), ddns.Record{Type: "NS", Name: "me.example.com", Content: "ns1.example.net"}), state: ddns.Right},
		{name: "somebody moved our record: it is put back once", given: newSketch(a(stranger)), set: func(s *sketch) { s.remember("id1", "45.67.89.10") },
			changes: []string{"update home.example.com: A 45.67.70.1 ttl 60 → A 45.67.89.10 ttl 60 by content"}, state: ddns.Changed, why: "put back to 45.67.89.10"},
		{name: "moved again within the day it is contested, with both values", given: newSketch(a(stranger)),
			set: func(s *sketch) {
				s.remember("id1", "45.67.89.10")
				s.memory.Contests = map[string]ddns.Contest{"home.example.com A": {PutBack: 1, LastPut: planTime.Add(-time.Minute)}}
			}, state: ddns.Held, code: ddns.CodeContested, why: "we say 45.67.89.10, somebody else moved it to 45.67.70.1", hint: "find the other updater"},
		{name: "while it is contested nothing beside it is deleted", given: newSketch(a(stranger), a(oldHome)),
			set: func(s *sketch) {
				s.remember("id1", oldHome, "45.67.89.10")
				s.memory.Contests = map[string]ddns.Contest{"home.example.com A": {PutBack: 1, LastPut: planTime.Add(-time.Minute)}}
			}, state: ddns.Held, code: ddns.CodeContested, why: "contested", hint: "find the other updater"},
		{name: "a new address of our own is written at once, contest or not", given: newSketch(a(stranger)),
			set: func(s *sketch) {
				s.remember("id1", oldHome)
				s.memory.Contests = map[string]ddns.Contest{"home.example.com A": {PutBack: 3, LastPut: planTime.Add(-time.Minute), Moved: planTime}}
			}, changes: []string{"update home.example.com: A 45.67.70.1 ttl 60 → A 45.67.89.10 ttl 60 by content"}, state: ddns.Changed},
	} {
		t.Run(row.name, row.test)
	}
}

func TestPlanOfCNAMEs(t *testing.T) {
	const duck = "myhome.duckdns.org"
	replace := func(t *ddns.Target) { t.ReplaceHop = true }
	hopped := func(answers ...string) func(*sketch) {
		return func(s *sketch) { s.edit(replace); s.hop(duck, answers, ddns.HopSeen{}) }
	}
	rich := ddns.Record{Type: "CNAME", Content: duck, Proxied: true, TTL: 1, Comment: "the house"}
	for _, row := range []planRow{
		{name: "a CNAME to a name that is kept is right", given: newSketch(cname("base.example.com")),
			set: func(s *sketch) {
				s.wishes.Targets = append(s.wishes.Targets, target("home.example.com", "A"))
				s.wishes.Targets[0].Name = "base.example.com"
			},
			changes: []string{"create base.example.com: nothing → A 45.67.89.10 ttl 60"}, state: ddns.Right, why: "follows base.example.com"},
		{name: "a CNAME to a name that is kept for the other family only is not", given: newSketch(cname("base.example.com")),
			set: func(s *sketch) {
				s.both()
				s.wishes.Targets[0].Name = "base.example.com"
				s.wishes.Targets[1].ReplaceHop = true
			},
			state: ddns.Refused, code: ddns.CodeCNAME, why: "no dynamic DNS host", hint: "by hand",
			changes: []string{"create base.example.com: nothing → A 45.67.89.10 ttl 60"}},
		{name: "a tunnel stays", given: newSketch(cname("x.cfargotunnel.com")), set: hopped(), state: ddns.Refused, code: ddns.CodeCNAME, why: "a Cloudflare Tunnel", hint: "by hand"},
		{name: "pages stay", given: newSketch(cname("mine.pages.dev")), set: hopped(), state: ddns.Refused, code: ddns.CodeCNAME, why: "Cloudflare Pages", hint: "by hand"},
		{name: "a worker stays", given: newSketch(cname("mine.workers.dev")), set: hopped(), state: ddns.Refused, code: ddns.CodeCNAME, why: "a Cloudflare Worker", hint: "by hand"},
		{name: "an unknown host stays", given: newSketch(cname("shop.example.net")), set: hopped(), state: ddns.Refused, code: ddns.CodeCNAME, why: "no dynamic DNS host that is known here", hint: "by hand"},
		{name: "a host that only ends like a known one stays", given: newSketch(cname("myduckdns.org")), set: hopped(), state: ddns.Refused, code: ddns.CodeCNAME, why: "no dynamic DNS host", hint: "by hand"},
		{name: "a validation name stays", given: newSketch(ddns.Record{Type: "CNAME", Name: "_acme-challenge.home.example.com", Content: duck}),
			set: func(s *sketch) {
				hopped("45.67.89.10")(s)
				s.wishes.Targets[0].Name = "_acme-challenge.home.example.com"
			},
			state: ddns.Refused, code: ddns.CodeCNAME, why: "prove something to a service", hint: "by hand"},
		{name: "a name below a validation name stays too", given: newSketch(ddns.Record{Type: "CNAME", Name: "key1._domainkey.example.com", Content: duck}),
			set:   func(s *sketch) { hopped("45.67.89.10")(s); s.wishes.Targets[0].Name = "key1._domainkey.example.com" },
			state: ddns.Refused, code: ddns.CodeCNAME, why: "prove something to a service", hint: "by hand"},
		{name: "a hop is named with the command that replaces it", given: newSketch(cname(duck)), set: func(s *sketch) { s.hop(duck, []string{"45.67.89.10"}, ddns.HopSeen{}) },
			state: ddns.Refused, code: ddns.CodeCNAME, why: "a CNAME to myhome.duckdns.org (Duck DNS) stands here", hint: "cfddns migrate home.example.com; or set on_cname: replace for home.example.com, then run: cfddns once"},
		{name: "a hop that leads here is replaced, and takes over what was set", given: newSketch(rich), set: hopped("45.67.89.10"),
			changes: []string{"replace home.example.com: CNAME myhome.duckdns.org proxied ttl 1 the house → A 45.67.89.10 proxied ttl 1 the house"}, state: ddns.Changed, why: "myhome.duckdns.org answers 45.67.89.10"},
		{name: "upper case and a final dot are the same host", given: newSketch(cname("MyHome.DuckDNS.org.")), set: hopped("45.67.89.10"),
			changes: []string{"replace home.example.com: CNAME MyHome.DuckDNS.org. ttl 60 → A 45.67.89.10 ttl 60"}, state: ddns.Changed},
		{name: "the configuration wins over what is taken over", given: newSketch(rich), set: func(s *sketch) {
			hopped("45.67.89.10")(s)
			s.edit(func(t *ddns.Target) { t.Proxied, t.TTL = ddns.SetFalse, 120 })
			s.wishes.Owner = "attic"
		}, changes: []string{"replace home.example.com: CNAME myhome.duckdns.org proxied ttl 1 the house → A 45.67.89.10 ttl 120 the house cfddns:attic"}, state: ddns.Changed},
		{name: "a hop that leads elsewhere is refused", given: newSketch(cname(duck)), set: hopped(stranger),
			state: ddns.Refused, code: ddns.CodeCNAME, why: "leads elsewhere: myhome.duckdns.org answers 45.67.70.1", hint: "make sure that myhome.duckdns.org is this home"},
		{name: "a hop that leads into the local network is refused", given: newSketch(cname(duck)), set: hopped("192.168.1.10"),
			state: ddns.Refused, code: ddns.CodeCNAME, why: "leads elsewhere", hint: "make sure"},
		{name: "a dark hop without evidence is refused", given: newSketch(cname(duck)), set: hopped(),
			state: ddns.Refused, code: ddns.CodeCNAME, why: "does not answer (server misbehaving), and it was never seen to be this home", hint: "cfddns migrate --apply --from myhome.duckdns.org home.example.com"},
		{name: "a hop that was not asked is refused", given: newSketch(cname(duck)), set: func(s *sketch) { s.edit(replace) },
			state: ddns.Refused, code: ddns.CodeCNAME, why: "was not asked yet", hint: "--from"},
		{name: "a dark hop that last answered the home's address is replaced", given: newSketch(cname(duck)),
			set: func(s *sketch) {
				s.edit(replace)
				s.hop(duck, nil, ddns.HopSeen{Addresses: []netip.Addr{homeA}, At: planTime})
			},
			changes: []string{"replace home.example.com: CNAME myhome.duckdns.org ttl 60 → A 45.67.89.10 ttl 60"}, state: ddns.Changed, why: "is dark, and last answered this home's address"},
		{name: "a dark hop that was this home before the address changed is replaced", given: newSketch(cname(duck)),
			set: func(s *sketch) {
				s.edit(replace)
				s.hop(duck, nil, ddns.HopSeen{Addresses: []netip.Addr{netip.MustParseAddr(oldHome)}, Here: true, At: planTime})
			}, changes: []string{"replace home.example.com: CNAME myhome.duckdns.org ttl 60 → A 45.67.89.10 ttl 60"}, state: ddns.Changed, why: oldHome},
		{name: "a dark hop that last answered another address is refused", given: newSketch(cname(duck)),
			set: func(s *sketch) {
				s.edit(replace)
				s.hop(duck, nil, ddns.HopSeen{Addresses: []netip.Addr{netip.MustParseAddr(stranger)}, At: planTime})
			}, state: ddns.Refused, code: ddns.CodeCNAME, why: "does not answer", hint: "--from"},
		{name: "A and AAAA replace a CNAME together, and it is deleted once", given: newSketch(cname(duck)), set: func(s *sketch) { s.both(); hopped("45.67.89.10")(s) },
			changes: []string{"replace home.example.com: CNAME myhome.duckdns.org ttl 60 → A 45.67.89.10 ttl 60", "create home.example.com: nothing → AAAA 2a01:4f8:1:2::10 ttl 60"}, state: ddns.Changed},
		{name: "an AAAA does not take the CNAME away from IPv4", given: newSketch(cname(duck)), set: func(s *sketch) { s.both(); hopped(home6)(s); s.wishes.Holdings[ddns.IPv4] = keep(ddns.IPv4) },
			state: ddns.Held, why: "stays until an A record can replace it too"},
		{name: "nor while the A that belongs to it is refused", given: newSketch(cname(duck)), set: func(s *sketch) {
			s.both()
			hopped(home6)(s)
			s.memory.Refusals = map[string]ddns.Refusal{"home.example.com A": {Content: `45.67.89.10 proxied=false ttl=60 comment=""`, Until: planTime.Add(time.Hour)}}
		}, state: ddns.Held, why: "stays until an A record can replace it too"},
		{name: "an A may replace it alone while IPv6 is held", given: newSketch(cname(duck)), set: func(s *sketch) { s.both(); hopped("45.67.89.10")(s); s.wishes.Holdings[ddns.IPv6] = keep(ddns.IPv6) },
			changes: []string{"replace home.example.com: CNAME myhome.duckdns.org ttl 60 → A 45.67.89.10 ttl 60"}, state: ddns.Held, why: "no usable answer"},
		{name: "a CNAME whose comment says off is left alone", given: newSketch(ddns.Record{Type: "CNAME", Content: duck, Comment: "cfddns:off"}), set: hopped("45.67.89.10"),
			state: ddns.Held, code: ddns.CodeLeftAlone, why: "left alone at myhome.duckdns.org"},
		{name: "a CNAME that Terraform keeps is left alone", given: newSketch(ddns.Record{Type: "CNAME", Content: duck, Comment: "terraform"}), set: hopped("45.67.89.10"),
			state: ddns.Refused, code: ddns.CodeNotOurs, why: "Terraform", hint: "remove"},
	} {
		t.Run(row.name, row.test)
	}
}

func TestPlanWithoutKnowledgeChangesNothing(t *testing.T) {
	failed := func(kind ddns.Kind) error {
		return &ddns.Error{Kind: kind, Op: "list records of example.com", Hint: "do something", Err: errors.New("said no")}
	}
	zone := newSketch(a(oldHome)).zone
	for _, tt := range []struct {
		name  string
		found ddns.Found
		state ddns.TargetState
		code  ddns.Code
	}{
		{"a list that failed is not an empty zone", ddns.Found{Zones: []ddns.ZoneFacts{{Zone: zone.Zone}}, Failed: map[string]error{"example.com": failed(ddns.Unreachable)}}, ddns.Unreached, ddns.CodeUnreachable},
		{"a limit is no answer", ddns.Found{Zones: []ddns.ZoneFacts{zone}, Failed: map[string]error{"example.com": failed(ddns.Limited)}}, ddns.Unreached, ddns.CodeLimited},
		{"a refused token is said", ddns.Found{Missing: map[string]error{"home.example.com": failed(ddns.TokenRefused)}}, ddns.Refused, ddns.CodeToken},
		{"a missing permission is said", ddns.Found{Zones: []ddns.ZoneFacts{zone}, Failed: map[string]error{"example.com": failed(ddns.NotPermitted)}}, ddns.Refused, ddns.CodePermission},
		{"a name without a zone is said", ddns.Found{Missing: map[string]error{"home.example.com": failed(ddns.NoZone)}}, ddns.Refused, ddns.CodeNoZone},
		{"an error that nobody foresaw changes nothing", ddns.Found{Missing: map[string]error{"home.example.com": errors.New("what?")}}, ddns.Unreached, ddns.CodeUnreachable},
		{"a zone that nobody looked for changes nothing", ddns.Found{Missing: map[string]error{}}, ddns.Unreached, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSketch()
			s.found = tt.found
			p := s.plan()
			if o := p.Outcomes[0]; len(p.Changes) != 0 || o.State != tt.state || o.Code != tt.code || o.Why == "" {
				t.Errorf("changes %v, outcome %+v, want %s %q", spellAll(p.Changes), o, tt.state, tt.code)
			}
		})
	}
}

func TestPlanLeavesOutWhatWasRefused(t *testing.T) {
	refuse := func(content string, until time.Time) func(*sketch) {
		return func(s *sketch) {
			s.memory.Refusals = map[string]ddns.Refusal{"home.example.com A": {Content: content, Why: "Cloudflare says: no", Hint: "ask", Until: until}}
		}
	}
	const same = `45.67.89.10 proxied=false ttl=60 comment=""`
	update := []string{"update home.example.com: A 45.67.80.1 ttl 60 → A 45.67.89.10 ttl 60 by content"}
	for _, row := range []planRow{
		{name: "the same change is left out until the hour is over", given: newSketch(a(oldHome)), set: refuse(same, planTime.Add(time.Minute)),
			state: ddns.Refused, code: ddns.CodeRefused, why: "Cloudflare says: no; not tried again before 2026-11-24T12:01:00Z", hint: "ask"},
		{name: "after the hour it is tried again", given: newSketch(a(oldHome)), set: refuse(same, planTime), changes: update, state: ddns.Changed},
		{name: "a clock that was set back holds nothing up", given: newSketch(a(oldHome)), set: refuse(same, planTime.Add(2*time.Hour)), changes: update, state: ddns.Changed},
		{name: "another address is another change", given: newSketch(a(oldHome)), set: refuse("45.67.89.9 proxied=false ttl=60", planTime.Add(time.Minute)), changes: update, state: ddns.Changed},
		{name: "a corrected setting is another change", given: newSketch(a(oldHome)), set: refuse(`45.67.89.10 proxied=false ttl=30 comment=""`, planTime.Add(time.Minute)), changes: update, state: ddns.Changed},
		{name: "a record that somebody put right is right", given: newSketch(a("45.67.89.10")), set: refuse(same, planTime.Add(time.Minute)), state: ddns.Right},
		{name: "with the change, the deletions that belong to it are left out", given: newSketch(a(oldHome), a(stranger)),
			set: func(s *sketch) {
				refuse(same, planTime.Add(time.Minute))(s)
				s.edit(func(t *ddns.Target) { t.DeleteExtra = true })
			},
			state: ddns.Refused, code: ddns.CodeRefused, why: "not tried again", hint: "ask"},
	} {
		t.Run(row.name, row.test)
	}
}

func TestDrill(t *testing.T) {
	const month = 30 * 24 * time.Hour
	drill := func(wrote time.Duration) func(*sketch) {
		return func(s *sketch) {
			s.wishes.Drill = month
			s.memory.Wrote = map[string]time.Time{"example.com": planTime.Add(-wrote)}
		}
	}
	for _, row := range []planRow{
		{name: "after a month without a write, a record's own content is written", given: newSketch(a("45.67.89.10")), set: drill(month),
			changes: []string{"update home.example.com: A 45.67.89.10 ttl 60 → A 45.67.89.10 ttl 60 by content"}, state: ddns.Right},
		{name: "not before", given: newSketch(a("45.67.89.10")), set: drill(month - 1), state: ddns.Right},
		{name: "a change of its own proves as much", given: newSketch(a(oldHome)), set: drill(2 * month),
			changes: []string{"update home.example.com: A 45.67.80.1 ttl 60 → A 45.67.89.10 ttl 60 by content"}, state: ddns.Changed},
		{name: "a name that is left alone is not drilled with", given: newSketch(ddns.Record{Type: "A", Content: "45.67.89.10", Comment: "cfddns:off"}), set: drill(month), state: ddns.Held, code: ddns.CodeLeftAlone, why: "off"},
		{name: "a zone that was never seen before is not drilled in", given: newSketch(a("45.67.89.10")), set: func(s *sketch) { s.wishes.Drill = month }, state: ddns.Right},
	} {
		t.Run(row.name, row.test)
	}
}
