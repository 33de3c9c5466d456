package ddns_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"pgregory.net/rapid"
)

// someAddresses are few, so that records, memory and home often meet.
var someAddresses = []string{"45.67.89.10", "45.67.80.1", "45.67.80.2", "45.67.70.1"}

var someAddresses6 = []string{"2a01:4f8:1:2::10", "2a01:4f8:1:2::11", "2a01:4f8:1:3::1"}

var someNames = []string{"example.com", "home.example.com", "www.example.com", "*.example.com", "_x.example.com", "a.lab.example.com"}

// drawRecord draws a record at one of the names that may stand in a zone.
func drawRecord(t *rapid.T, id string) ddns.Record {
	r := ddns.Record{ID: id, Name: rapid.SampledFrom(someNames).Draw(t, "name"),
		Type: rapid.SampledFrom([]string{"A", "A", "A", "AAAA", "CNAME", "TXT", "NS", "MX"}).Draw(t, "type")}
	r.Proxied = rapid.Bool().Draw(t, "proxied")
	r.TTL = rapid.SampledFrom([]int{1, 60, 300, 3600}).Draw(t, "ttl")
	r.Comment = rapid.SampledFrom([]string{"", "", "mine", "cfddns:attic", "old cfddns:attic", "cfddns:cellar", "cfddns:off", "terraform"}).Draw(t, "comment")
	switch r.Type {
	case "A":
		r.Content = rapid.SampledFrom(someAddresses).Draw(t, "address")
	case "AAAA":
		r.Content = rapid.SampledFrom(someAddresses6).Draw(t, "address")
	case "CNAME":
		r.Content = rapid.SampledFrom([]string{"x.duckdns.org", "home.example.com", "y.cfargotunnel.com", "shop.example.net"}).Draw(t, "host")
	default:
		r.Content, r.Proxied = "something", false
	}
	if r.Proxied {
		r.TTL = 1
	}
	if rapid.Bool().Draw(t, "settings") {
		r.Tags, r.Settings = []string{"house:old"}, json.RawMessage(`{"ipv4_only":true}`)
	}
	return r
}

// drawSketch draws a zone as Cloudflare would allow it, wishes and a memory.
func drawSketch(t *rapid.T) *sketch {
	s := newSketch()
	for i := range rapid.IntRange(0, 8).Draw(t, "records") {
		if r := drawRecord(t, fmt.Sprintf("id%d", i)); allowed(r, s.zone.Records) {
			s.zone.Records = append(s.zone.Records, r)
		}
	}
	s.zone.Whole = rapid.Bool().Draw(t, "whole")
	s.wishes.Targets = nil
	replaced := rapid.SliceOfDistinct(rapid.SampledFrom(someNames), rapid.ID).Draw(t, "replaced")
	for range rapid.IntRange(1, 6).Draw(t, "targets") {
		w := target(rapid.SampledFrom(someNames).Draw(t, "wanted"), rapid.SampledFrom([]string{"A", "AAAA"}).Draw(t, "family"))
		w.Proxied = rapid.SampledFrom([]ddns.Keep{ddns.KeepIt, ddns.KeepIt, ddns.SetTrue, ddns.SetFalse}).Draw(t, "proxy")
		w.TTL = rapid.SampledFrom([]int{0, 0, 60, 300}).Draw(t, "wanted ttl")
		w.ReplaceHop, w.DeleteExtra = slices.Contains(replaced, w.Name), rapid.Bool().Draw(t, "extra")
		s.wishes.Targets = append(s.wishes.Targets, w)
	}
	s.wishes.Targets = ddns.SortTargets(s.wishes.Targets)
	s.wishes.Owner = rapid.SampledFrom([]string{"", "", "attic"}).Draw(t, "owner")
	s.wishes.Holdings[ddns.IPv4] = drawHolding(t, ddns.IPv4, someAddresses[0])
	s.wishes.Holdings[ddns.IPv6] = drawHolding(t, ddns.IPv6, someAddresses6[0])
	hops := map[int][]string{0: {someAddresses[0]}, 1: {someAddresses[1]}, 2: nil}
	s.hop("x.duckdns.org", hops[rapid.IntRange(0, 2).Draw(t, "hop")], ddns.HopSeen{Here: rapid.Bool().Draw(t, "was here")})
	s.memory = drawMemory(t, s.wishes.Targets)
	return s
}

func drawHolding(t *rapid.T, f ddns.Family, address string) ddns.Holding {
	if rapid.IntRange(0, 4).Draw(t, "held") == 0 {
		return keep(f)
	}
	return publish(f, netip.MustParseAddr(address))
}

func drawMemory(t *rapid.T, targets []ddns.Target) (m ddns.Memory) {
	for _, text := range rapid.SliceOfNDistinct(rapid.SampledFrom(someAddresses), 0, 2, rapid.ID).Draw(t, "confirmed") {
		m.IPv4.Confirmed = append(m.IPv4.Confirmed, netip.MustParseAddr(text))
	}
	m.Kept = map[string]ddns.Kept{}
	for _, w := range targets {
		if w.Type == "A" && rapid.Bool().Draw(t, "kept") {
			m.Kept[w.Key()] = ddns.Kept{RecordID: fmt.Sprintf("id%d", rapid.IntRange(0, 8).Draw(t, "kept id")),
				Address: netip.MustParseAddr(rapid.SampledFrom(someAddresses).Draw(t, "kept address"))}
		}
	}
	return m
}

// allowed reports whether Cloudflare would let a record stand beside others.
// https://developers.cloudflare.com/dns/manage-dns-records/troubleshooting/records-with-same-name/
func allowed(r ddns.Record, others []ddns.Record) bool {
	hosts := []string{"A", "AAAA", "CNAME"}
	for _, o := range others {
		switch {
		case o.Name != r.Name:
		case o.Type == r.Type && (o.Content == r.Content || r.Type == "CNAME"),
			r.Type == "CNAME" && slices.Contains(hosts, o.Type), o.Type == "CNAME" && slices.Contains(hosts, r.Type),
			r.Name != "example.com" && r.Type != o.Type && (r.Type == "NS" || o.Type == "NS"):
			return false
		}
	}
	return true
}

// applied is the zone after a plan was written: all of it, or an error if
// Cloudflare would refuse it.
func applied(z ddns.ZoneFacts, changes []ddns.Change) (ddns.ZoneFacts, error) {
	records := slices.Clone(z.Records)
	find := func(id string) int { return slices.IndexFunc(records, func(r ddns.Record) bool { return r.ID == id }) }
	for _, c := range changes { // deletions come first
		if c.Op == ddns.Delete || c.Op == ddns.Replace {
			if find(c.Before.ID) < 0 {
				return z, fmt.Errorf("%s: no such record", spell(c))
			}
			records = slices.Delete(records, find(c.Before.ID), find(c.Before.ID)+1)
		}
	}
	for i, c := range changes {
		var r ddns.Record
		switch c.Op {
		case ddns.Update:
			at := find(c.Patch.ID)
			r = patched(records[at], c.Patch)
			records = slices.Delete(records, at, at+1)
		case ddns.Create, ddns.Replace:
			r = *c.After
			r.ID = fmt.Sprintf("new%d", i)
		default:
			continue
		}
		if !allowed(r, records) {
			return z, fmt.Errorf("%s: cannot stand there", spell(c))
		}
		records = append(records, r)
	}
	z.Records = records
	return z, nil
}

// patched is a record after Cloudflare changed the fields that were sent.
func patched(r ddns.Record, p ddns.Patch) ddns.Record {
	if p.Content != nil {
		r.Content = *p.Content
	}
	if p.Proxied != nil {
		r.Proxied = *p.Proxied
	}
	if p.TTL != nil {
		r.TTL = *p.TTL
	}
	if p.Comment != nil {
		r.Comment = *p.Comment
	}
	if r.Proxied {
		r.TTL = 1
	}
	return r
}

// Cloudflare would accept every plan, what it confirms is what the plan said,
// and after it there is nothing left to do.
func TestAPlanIsEmptyAfterItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSketch(t)
		p := s.plan()
		after, err := applied(s.zone, p.Changes)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range p.Changes {
			if c.Op == ddns.Update && !reflect.DeepEqual(patched(*c.Before, c.Patch), *c.After) {
				t.Fatalf("%s: Cloudflare would make %+v of it, the plan says %+v", spell(c), patched(*c.Before, c.Patch), *c.After)
			}
		}
		s.zone = after
		unclear := func(c ddns.Change) bool { // it waited for what the other names became
			return slices.ContainsFunc(p.Outcomes, func(o ddns.Outcome) bool { return o.Target == c.Target && o.Code == ddns.CodeProxyUnclear })
		}
		if again := s.plan(); len(slices.DeleteFunc(again.Changes, unclear)) > 0 {
			t.Fatalf("first  %v\nsecond %v", spellAll(p.Changes), spellAll(again.Changes))
		}
	})
}

// No record is touched whose name and type the configuration does not name,
// none deleted that is not known to be ours, none that a person or another
// tool keeps.
func TestWhatIsNotOursIsNotTouched(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSketch(t)
		for _, c := range s.plan().Changes {
			if c.Before == nil {
				continue
			}
			i := slices.IndexFunc(s.wishes.Targets, func(w ddns.Target) bool { return w.Key() == c.Target.Key() })
			if i < 0 || c.Before.Name != c.Target.Name {
				t.Fatalf("%s: the configuration does not name it", spell(c))
			}
			w, r := s.wishes.Targets[i], *c.Before
			marked := strings.Contains(r.Comment, "cfddns:attic")
			switch {
			case strings.Contains(r.Comment, "cfddns:off"), strings.Contains(r.Comment, "terraform"),
				s.wishes.Owner != "" && strings.Contains(r.Comment, "cfddns:cellar"):
				t.Fatalf("%s: somebody else keeps it", spell(c))
			case c.Op == ddns.Replace && (r.Type != "CNAME" || !w.ReplaceHop || r.Content != "x.duckdns.org"):
				t.Fatalf("%s: not to be replaced", spell(c))
			case c.Op != ddns.Replace && r.Type != w.Type:
				t.Fatalf("%s: another type", spell(c))
			case c.Op == ddns.Delete && s.wishes.Owner != "" && !marked:
				t.Fatalf("%s: it does not bear our mark", spell(c))
			case c.Op == ddns.Delete && s.wishes.Owner == "" && !w.DeleteExtra && !slices.Contains(s.memory.Of(w.Family()).Confirmed, r.Address()):
				t.Fatalf("%s: it is not known to be ours", spell(c))
			}
		}
	})
}

// A change of address sends the address. What else the record has stays.
func TestAChangeOfAddressKeepsEverythingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSketch(t)
		s.wishes.Owner = ""
		s.edit(func(w *ddns.Target) { w.Proxied, w.TTL = ddns.KeepIt, 0 })
		changes := s.plan().Changes
		for _, c := range changes {
			if c.Op != ddns.Update {
				continue
			}
			heir := func(other ddns.Change) bool { // of the record that made the whole name a proxied one
				return other.Op == ddns.Delete && other.Before.Name == c.Before.Name && other.Before.Proxied
			}
			if c.Patch.Proxied != nil && *c.Patch.Proxied && slices.ContainsFunc(changes, heir) {
				continue
			}
			if c.Patch.Content == nil || c.Patch.Proxied != nil || c.Patch.TTL != nil || c.Patch.Comment != nil {
				t.Fatalf("%s sends more than the address", spell(c))
			}
			moved := *c.Before
			moved.Content = c.After.Content
			if !reflect.DeepEqual(moved, *c.After) {
				t.Fatalf("before %+v\nafter %+v", *c.Before, *c.After)
			}
		}
	})
}

// The order in which Cloudflare lists records changes nothing.
func TestTheOrderOfRecordsChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSketch(t)
		first := s.plan()
		s.zone.Records = rapid.Permutation(s.zone.Records).Draw(t, "order")
		second := s.plan()
		if !slices.Equal(spellAll(first.Changes), spellAll(second.Changes)) {
			t.Fatalf("first  %v\nsecond %v", spellAll(first.Changes), spellAll(second.Changes))
		}
	})
}

// Without an agreed address, or without an answer of Cloudflare's, no change
// is ever planned.
func TestNothingFollowsFromNotKnowing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSketch(t)
		s.wishes.Drill = rapid.SampledFrom([]time.Duration{0, time.Hour}).Draw(t, "drill")
		s.memory.Wrote = map[string]time.Time{"example.com": planTime.Add(-2 * time.Hour)}
		if rapid.Bool().Draw(t, "no address") {
			for _, f := range ddns.Families {
				s.wishes.Holdings[f] = ddns.Holding{Family: f, Decision: rapid.SampledFrom([]ddns.Decision{ddns.Stay, ddns.Wait}).Draw(t, "decision"), Address: homeA}
			}
		} else {
			err := &ddns.Error{Kind: ddns.Kind(rapid.IntRange(0, 8).Draw(t, "kind")), Op: "list", Err: errors.New("no")}
			s.found = ddns.Found{Zones: []ddns.ZoneFacts{s.zone}, Failed: map[string]error{"example.com": err}}
		}
		if p := s.plan(); len(p.Changes) > 0 {
			t.Fatalf("planned %v", spellAll(p.Changes))
		}
	})
}

// A plan of many names, all of which change.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{10, 1000, 10000} {
		b.Run(fmt.Sprintf("%d names", n), func(b *testing.B) {
			s := newSketch()
			s.wishes.Targets = nil
			for i := range n {
				name := fmt.Sprintf("n%05d.example.com", i)
				s.wishes.Targets = append(s.wishes.Targets, target(name, "A"))
				s.zone.Records = append(s.zone.Records, ddns.Record{ID: name, Name: name, Type: "A", Content: oldHome, TTL: 60})
			}
			api := &shelf{zones: []ddns.Zone{s.zone.Zone}, whole: true, records: s.zone.Records}
			s.found = ddns.Look(b.Context(), api, []string{"n00000.example.com"}, ddns.Found{}, 0, planTime)
			for b.Loop() {
				if p := s.plan(); len(p.Changes) != n {
					b.Fatal(len(p.Changes))
				}
			}
		})
	}
}
