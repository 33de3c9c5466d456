package ddns_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/cfddns/cfddns/ddns"
	"github.com/google/go-cmp/cmp"
)

// sketch is a plan's input: one zone, one name, the home agreed on.
type sketch struct {
	wishes ddns.Wishes
	zone   ddns.ZoneFacts
	found  ddns.Found // if not zero, instead of the zone
	memory ddns.Memory
}

func newSketch(records ...ddns.Record) *sketch {
	s := &sketch{
		wishes: ddns.Wishes{
			Targets:  []ddns.Target{target("home.example.com", "A")},
			Holdings: map[ddns.Family]ddns.Holding{ddns.IPv4: publish(ddns.IPv4, homeA)},
		},
		zone: ddns.ZoneFacts{Zone: ddns.Zone{ID: "z1", Name: "example.com", Status: "active", Plan: "free"}, Whole: true, ReadAt: planTime},
	}
	for i, r := range records {
		r.ID = fmt.Sprintf("id%d", i+1)
		if r.Name == "" {
			r.Name = "home.example.com"
		}
		if r.TTL == 0 {
			r.TTL = 60
		}
		s.zone.Records = append(s.zone.Records, r)
	}
	return s
}

func target(name, recordType string) ddns.Target {
	return ddns.Target{Name: name, Shown: name, Type: recordType}
}

func publish(f ddns.Family, a netip.Addr) ddns.Holding {
	return ddns.Holding{Family: f, Decision: ddns.Publish, Address: a, Why: "agreed"}
}

func keep(f ddns.Family) ddns.Holding {
	return ddns.Holding{Family: f, Why: "no usable answer"}
}

func a(content string) ddns.Record     { return ddns.Record{Type: "A", Content: content} }
func aaaa(content string) ddns.Record  { return ddns.Record{Type: "AAAA", Content: content} }
func cname(content string) ddns.Record { return ddns.Record{Type: "CNAME", Content: content} }

func (s *sketch) plan() ddns.Plan {
	found := s.found
	if found.Zones == nil && found.Missing == nil {
		found = ddns.Found{Zones: []ddns.ZoneFacts{s.zone}}
	}
	return ddns.Diff(s.wishes, found, s.memory, planTime)
}

// remember notes what was confirmed of home.example.com A.
func (s *sketch) remember(recordID string, addresses ...string) {
	for _, text := range addresses {
		address := netip.MustParseAddr(text)
		s.memory.IPv4.Confirmed = append(s.memory.IPv4.Confirmed, address)
		s.memory.Kept = map[string]ddns.Kept{"home.example.com A": {Address: address, RecordID: recordID}}
	}
}

// hop sets what the host that a CNAME leads to answers, and answered last.
func (s *sketch) hop(host string, answers []string, last ddns.HopSeen) {
	h := ddns.Hop{Target: host, Last: last}
	for _, text := range answers {
		h.Answers = append(h.Answers, netip.MustParseAddr(text))
	}
	if len(answers) == 0 {
		h.Err = errors.New("server misbehaving")
	} else { // the world hears the same
		h.Held, h.Heard = []ddns.HeldAnswer{{Resolver: "https://dns.google/", Addresses: h.Answers}, {Resolver: "https://cloudflare-dns.com/", Addresses: h.Answers}}, 2
	}
	h.Last.Sure = true
	s.wishes.Hops = map[string]ddns.Hop{host: h}
}

func (s *sketch) edit(change func(*ddns.Target)) {
	for i := range s.wishes.Targets {
		change(&s.wishes.Targets[i])
	}
}

// both wants A and AAAA at the name.
func (s *sketch) both() {
	s.wishes.Targets = []ddns.Target{target("home.example.com", "A"), target("home.example.com", "AAAA")}
	s.wishes.Holdings[ddns.IPv6] = publish(ddns.IPv6, netip.MustParseAddr(home6))
}

// spell writes a change in one line: what becomes what, and which fields are sent.
func spell(c ddns.Change) string {
	side := func(r *ddns.Record) string {
		if r == nil {
			return "nothing"
		}
		text := fmt.Sprintf("%s %s", r.Type, r.Content)
		if r.Proxied {
			text += " proxied"
		}
		return strings.TrimSpace(fmt.Sprintf("%s ttl %d %s", text, r.TTL, r.Comment))
	}
	var sent []string
	for field, set := range map[string]bool{"content": c.Patch.Content != nil, "proxied": c.Patch.Proxied != nil, "ttl": c.Patch.TTL != nil, "comment": c.Patch.Comment != nil} {
		if set {
			sent = append(sent, field)
		}
	}
	slices.Sort(sent)
	text := fmt.Sprintf("%s %s: %s → %s", c.Op, c.Target.Name, side(c.Before), side(c.After))
	if len(sent) > 0 {
		text += " by " + strings.Join(sent, ", ")
	}
	return text
}

func spellAll(changes []ddns.Change) (lines []string) {
	for _, c := range changes {
		lines = append(lines, spell(c))
	}
	return lines
}

// planRow is one state that a name can be in.
type planRow struct {
	name    string
	given   *sketch
	set     func(*sketch)
	changes []string
	state   ddns.TargetState // of the last target
	code    ddns.Code
	why     string // is in Why
	hint    string // is in Hint
}

func (row planRow) test(t *testing.T) {
	t.Helper()
	if row.set != nil {
		row.set(row.given)
	}
	p := row.given.plan()
	if diff := cmp.Diff(row.changes, spellAll(p.Changes)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	o := p.Outcomes[len(p.Outcomes)-1]
	if o.State != row.state || o.Code != row.code || !strings.Contains(o.Why, row.why) || !strings.Contains(o.Hint, row.hint) {
		t.Errorf("outcome %s %q\n why %s\nhint %s\nwant %s %q, %q, %q", o.State, o.Code, o.Why, o.Hint, row.state, row.code, row.why, row.hint)
	}
	if row.hint == "" && o.Hint != "" && o.State != ddns.Held {
		t.Errorf("a hint nobody asked for: %s", o.Hint)
	}
	for _, c := range p.Changes {
		if c.Why == "" {
			t.Errorf("%s: no reason is given", spell(c))
		}
	}
	if again := row.given.plan(); cmp.Diff(spellAll(p.Changes), spellAll(again.Changes)) != "" {
		t.Error("the same input gave another plan")
	}
}
