package ddns_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/cfddns/cfddns/ddns"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const isSaid = "the home's address becomes public"

func proxied(r ddns.Record) ddns.Record {
	r.Proxied, r.TTL = true, 1
	return r
}

func placed(name string, r ddns.Record) ddns.Record {
	r.Name = name
	return r
}

// What a zone is used to decides about a new name of which nobody said whether
// it is proxied.
func TestAZoneThatHidesTheHomeKeepsHidingIt(t *testing.T) {
	const duck = "x.duckdns.org"
	www := placed("www.example.com", proxied(cname(duck)))
	for _, row := range []struct {
		name    string
		records []ddns.Record
		set     func(*sketch)
		hides   bool
	}{
		{"proxied CNAMEs alone", []ddns.Record{www}, nil, true},
		{"proxied addresses alone", []ddns.Record{placed("www.example.com", proxied(a(oldHome)))}, nil, true},
		{"a proxied wildcard", []ddns.Record{placed("*.example.com", proxied(cname(duck)))}, nil, true},
		{"a proxied apex", []ddns.Record{placed("example.com", proxied(aaaa("2a01::1")))}, nil, true},
		{"nothing", nil, nil, false},
		{"texts alone", []ddns.Record{{Type: "TXT", Name: "example.com", Content: "x"}}, nil, false},
		{"a DNS-only CNAME beside", []ddns.Record{www, placed("ssh.example.com", cname(duck))}, nil, false},
		{"a DNS-only address beside", []ddns.Record{www, placed("ssh.example.com", a(oldHome))}, nil, false},
		{"a DNS-only AAAA beside", []ddns.Record{www, placed("ssh.example.com", aaaa("2a01::1"))}, nil, false},
		{"DNS-only records alone", []ddns.Record{placed("ssh.example.com", a(oldHome))}, nil, false},
		{"what proves a name to a service", []ddns.Record{www, placed("_acme-challenge.example.com", cname("x.acme.net"))}, nil, true},
		{"what proves a name below", []ddns.Record{www, placed("s1._domainkey.example.com", cname("s1.sendgrid.net"))}, nil, true},
		{"a certificate's validation", []ddns.Record{www, placed("abc.example.com", cname("xyz.acm-validations.aws"))}, nil, true},
		{"mail by its name", []ddns.Record{www, placed("mail.example.com", a(oldHome)), placed("imap.example.com", cname(duck)), placed("mx2.example.com", a(oldHome))}, nil, true},
		{"mail by an MX record", []ddns.Record{www, placed("post.example.com", a(oldHome)), {Type: "MX", Name: "example.com", Content: "post.example.com"}}, nil, true},
		{"mail's autodiscovery", []ddns.Record{www, placed("autodiscover.example.com", cname("autodiscover.outlook.com"))}, nil, true},
		{"an address of the LAN", []ddns.Record{www, placed("nas.example.com", a("192.168.1.4"))}, nil, true},
		{"a public name of the configuration", []ddns.Record{www, placed("ssh.example.com", a(oldHome))}, func(s *sketch) {
			ssh := target("ssh.example.com", "A")
			ssh.Proxied = ddns.SetFalse
			s.wishes.Targets = append(s.wishes.Targets, ssh)
		}, true},
		{"only mail, which says nothing", []ddns.Record{placed("mail.example.com", a(oldHome))}, nil, false},
	} {
		for _, whole := range []bool{true, false} {
			t.Run(row.name, func(t *testing.T) {
				s := newSketch(row.records...)
				if row.set != nil {
					row.set(s)
				}
				if s.zone.Whole = whole; !whole {
					s.zone.Habit = append([]ddns.Record{}, s.zone.Records...)
					s.zone.Records = nil
				}
				p := s.plan()
				o := p.Outcomes[0]
				if hides := o.Code == ddns.CodeProxyUnclear; hides != row.hides {
					t.Fatalf("%s: %s", o.State, o.Why)
				}
				if row.hides {
					if o.State != ddns.Refused || slices.ContainsFunc(p.Changes, func(c ddns.Change) bool { return c.Target == o.Target }) {
						t.Errorf("%s %v", o.State, spellAll(p.Changes))
					}
					return
				}
				if !strings.Contains(o.Why, isSaid) || !strings.Contains(p.Changes[0].Why, isSaid) {
					t.Errorf("it is not said: %q, %q", o.Why, p.Changes[0].Why)
				}
			})
		}
	}
}

// The hint speaks of what the person wrote.
func TestWhereToSayThatANameIsPublic(t *testing.T) {
	s := newSketch(placed("www.example.com", proxied(cname("x.duckdns.org"))))
	if hint := s.plan().Outcomes[0].Hint; !strings.Contains(hint, "set proxied: true for home.example.com") || strings.Contains(hint, "CFDDNS") {
		t.Error(hint)
	}
	s.edit(func(w *ddns.Target) { w.ByVariable = true })
	if hint := s.plan().Outcomes[0].Hint; !strings.Contains(hint, "CFDDNS_PROXIED=true") || !strings.Contains(hint, "CFDDNS_PROXIED=false") || strings.Contains(hint, "all names") {
		t.Error(hint)
	}
	other := target("www.example.com", "A")
	other.ByVariable = true
	s.wishes.Targets = append(s.wishes.Targets, other)
	if hint := s.plan().Outcomes[0].Hint; !strings.Contains(hint, "said of all names of CFDDNS_RECORDS") {
		t.Error(hint)
	}
}

// Whatever makes an address visible that was not says so, in the change and in
// the outcome; what was visible before, or stays hidden, does not.
func TestWhatBecomesPublicIsSaid(t *testing.T) {
	const duck = "x.duckdns.org"
	here := func(s *sketch, answers ...string) {
		s.hop(duck, append([]string{"45.67.89.10"}, answers...), ddns.HopSeen{})
		s.edit(func(w *ddns.Target) { w.ReplaceHop = true })
	}
	public := func(s *sketch) { s.edit(func(w *ddns.Target) { w.Proxied = ddns.SetFalse }) }
	for _, row := range []struct {
		name  string
		given *sketch
		set   func(*sketch)
		said  []string // the changes of which it is said: A, AAAA
	}{
		{"a new DNS-only record", newSketch(), nil, []string{"A"}},
		{"a new proxied record", newSketch(), func(s *sketch) { s.edit(func(w *ddns.Target) { w.Proxied = ddns.SetTrue }) }, nil},
		{"a new proxied record of a paused zone", newSketch(), func(s *sketch) {
			s.edit(func(w *ddns.Target) { w.Proxied = ddns.SetTrue })
			s.zone.Zone.Paused = true
		}, []string{"A"}},
		{"a proxied record made DNS-only", newSketch(proxied(a("45.67.89.10"))), public, []string{"A"}},
		{"a proxied record made DNS-only as it moves", newSketch(proxied(a(oldHome))), public, []string{"A"}},
		{"a record made DNS-only beside a proxied one of the other family", newSketch(proxied(a("45.67.89.10")), proxied(aaaa("2a01::1"))), public, nil},
		{"a DNS-only record that moves", newSketch(a(oldHome)), nil, nil},
		{"a DNS-only record of the LAN that becomes the home's", newSketch(a("192.168.1.9")), nil, []string{"A"}},
		{"a DNS-only placeholder that becomes the home's", newSketch(a("192.0.2.1")), nil, []string{"A"}},
		{"a proxied placeholder that becomes the home's", newSketch(proxied(a("192.0.2.1"))), nil, nil},
		{"a DNS-only placeholder beside a proxied record", newSketch(a("192.0.2.1"), proxied(aaaa("2a01::1"))), nil, nil},
		{"a proxied record that moves", newSketch(proxied(a(oldHome))), nil, nil},
		{"a proxied CNAME replaced by a DNS-only A", newSketch(proxied(cname(duck))), func(s *sketch) { here(s); public(s) }, []string{"A"}},
		{"a proxied CNAME replaced by a proxied A", newSketch(proxied(cname(duck))), func(s *sketch) { here(s) }, nil},
		{"a DNS-only CNAME replaced by a DNS-only A", newSketch(cname(duck)), func(s *sketch) { here(s) }, nil},
		{"a DNS-only CNAME to IPv4 replaced by A and AAAA", newSketch(cname(duck)), func(s *sketch) { s.both(); here(s) }, []string{"AAAA"}},
		{"a DNS-only CNAME to both replaced by both", newSketch(cname(duck)), func(s *sketch) { s.both(); here(s, home6) }, nil},
		{"a DNS-only AAAA beside a DNS-only A", newSketch(a("45.67.89.10")), (*sketch).both, []string{"AAAA"}},
		{"an AAAA beside a proxied A", newSketch(proxied(a("45.67.89.10"))), (*sketch).both, nil},
		{"the record that hid another is deleted, and this is wished for", newSketch(a("45.67.89.10"), proxied(a(oldHome))), func(s *sketch) { s.remember("id2", oldHome); public(s) }, []string{"A"}},
		{"the record that hid another is deleted, and nothing is said of it", newSketch(a("45.67.89.10"), proxied(a(oldHome))), func(s *sketch) { s.remember("id2", oldHome) }, nil},
		{"what hides the address that another keeps stays", newSketch(ddns.Record{Type: "A", Content: "45.67.89.10", Comment: "cfddns:attic"}, proxied(a(oldHome)), a("45.67.70.1")), func(s *sketch) {
			s.remember("id2", oldHome)
			s.edit(func(w *ddns.Target) { w.DeleteExtra = true })
		}, nil},
		{"the records of both families that hid the others are deleted", newSketch(a("45.67.89.10"), proxied(a(oldHome)), aaaa(home6), proxied(aaaa("2a01::1"))), func(s *sketch) {
			s.both()
			s.edit(func(w *ddns.Target) { w.DeleteExtra = true })
		}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.set != nil {
				row.set(row.given)
			}
			p := row.given.plan()
			var said []string
			for _, c := range p.Changes {
				if c.Reveals != strings.Contains(c.Why, isSaid) {
					t.Errorf("%s: %t, %q", spell(c), c.Reveals, c.Why)
				}
				if c.Reveals {
					said = append(said, c.Target.Type)
				}
			}
			if len(p.Changes) == 0 {
				t.Fatal("nothing is planned: ", p.Outcomes)
			}
			if !slices.Equal(said, row.said) {
				t.Errorf("said of %v, want %v: %v", said, row.said, spellAll(p.Changes))
			}
			for _, o := range p.Outcomes {
				if strings.Contains(o.Why, isSaid) != slices.Contains(row.said, o.Target.Type) {
					t.Errorf("%s: %q", o.Target.Key(), o.Why)
				}
			}
		})
	}
}

// hidden reports whether visitors of a name find Cloudflare, and none whether
// they find nothing.
func hidden(z ddns.ZoneFacts, name string) (hidden, none bool) {
	none = true
	for _, r := range z.Records {
		if r.Name == name && slices.Contains([]string{"A", "AAAA", "CNAME"}, r.Type) {
			hidden, none = hidden || r.Proxied, false
		}
	}
	return hidden, none
}

// No name that was hidden is shown unless proxied: false was said of it, and
// none is shown at all without a word.
func TestNothingBecomesPublicUnaskedAndUnsaid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSketch(t)
		before := s.zone
		p := s.plan()
		after, err := applied(s.zone, p.Changes)
		if err != nil {
			t.Fatal(err)
		}
		asked := func(name string) bool {
			return slices.ContainsFunc(s.wishes.Targets, func(w ddns.Target) bool { return w.Name == name && w.Proxied == ddns.SetFalse })
		}
		for _, name := range someNames {
			was, nothing := hidden(before, name)
			is, gone := hidden(after, name)
			if gone || is || !was && !nothing {
				continue
			}
			said := slices.ContainsFunc(p.Changes, func(c ddns.Change) bool { return c.Target.Name == name && strings.Contains(c.Why, isSaid) })
			if !said {
				t.Fatalf("%s is shown without a word: %v", name, spellAll(p.Changes))
			}
			if was && !asked(name) {
				t.Fatalf("%s is shown unasked: %v", name, spellAll(p.Changes))
			}
		}
	})
}

// The way back shows what the CNAME showed, and says so where it was hidden since.
func TestTheWayBackSaysWhatItShows(t *testing.T) {
	before := placed("home.example.com", cname("x.duckdns.org"))
	for _, row := range []struct {
		name  string
		was   ddns.Record
		now   ddns.Record
		shows bool
	}{
		{"hidden since", before, proxied(a("45.67.89.10")), true},
		{"never hidden", before, a("45.67.89.10"), false},
		{"hidden before and now", proxied(before), proxied(a("45.67.89.10")), false},
		{"hidden before", proxied(before), a("45.67.89.10"), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSketch(row.now)
			ours := func(netip.Addr) bool { return true }
			b := ddns.PlanBack([]ddns.Record{row.was}, ddns.Found{Zones: []ddns.ZoneFacts{s.zone}}, ours, "")[0]
			if said := strings.Contains(b.Why, isSaid); b.State != ddns.BackReturn || said != row.shows {
				t.Errorf("%s: %q", b.State, b.Why)
			}
		})
	}
}

// A name that was pointed at one that is hidden shows the home again.
func TestPointingBackSaysWhatItShows(t *testing.T) {
	const via = "home.example.com"
	for _, row := range []struct {
		name    string
		proxied bool // the name
		via     ddns.Record
		paused  bool
		shows   bool
	}{
		{"from a hidden name", false, proxied(a("45.67.89.10")), false, true},
		{"from a public name", false, a("45.67.89.10"), false, false},
		{"hidden itself", true, proxied(a("45.67.89.10")), false, false},
		{"in a zone that is paused", true, proxied(a("45.67.89.10")), true, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSketch(placed(via, row.via), placed("ssh.example.com", cname(via)))
			s.zone.Zone.Paused = row.paused
			s.zone.Records[1].Proxied = row.proxied
			before := s.zone.Records[1]
			before.Content = "x.duckdns.org"
			b := ddns.PlanBack([]ddns.Record{before}, ddns.Found{Zones: []ddns.ZoneFacts{s.zone}}, func(netip.Addr) bool { return true }, via)[0]
			if said := strings.Contains(b.Why, isSaid) && strings.Contains(b.Changes[0].Why, isSaid); b.State != ddns.BackReturn || said != row.shows {
				t.Errorf("%s: %q", b.State, b.Why)
			}
		})
	}
}

// An address that was overwritten, to point others at its name, comes back whole.
func TestTheWayBackOfAnAddress(t *testing.T) {
	before := ddns.Record{ID: "id1", Name: "home.example.com", Type: "A", Content: "192.0.2.1", Proxied: true, TTL: 1, Comment: "old"}
	now := before
	now.Content, now.Proxied, now.TTL = "45.67.89.10", false, 60
	moved, off := now, now
	moved.Content, off.Comment = stranger, "cfddns:off"
	for _, row := range []struct {
		name    string
		records []ddns.Record
		state   ddns.BackState
	}{
		{"it holds the home", []ddns.Record{now}, ddns.BackReturn},
		{"it stands already", []ddns.Record{before}, ddns.BackStands},
		{"somebody gave it another address", []ddns.Record{moved}, ddns.BackSkip},
		{"somebody wants it left alone", []ddns.Record{off}, ddns.BackSkip},
		{"somebody made a CNAME of it", []ddns.Record{placed("home.example.com", cname("x.example.net"))}, ddns.BackSkip},
		{"somebody deleted it", nil, ddns.BackSkip},
	} {
		t.Run(row.name, func(t *testing.T) {
			zone := ddns.ZoneFacts{Zone: ddns.Zone{ID: "z1", Name: "example.com"}, Whole: true, Records: row.records}
			b := ddns.PlanBack([]ddns.Record{before}, ddns.Found{Zones: []ddns.ZoneFacts{zone}}, func(x netip.Addr) bool { return x == homeA }, "home.example.com")[0]
			if b.State != row.state || (b.State == ddns.BackReturn) != (len(b.Changes) == 1) {
				t.Fatalf("%s: %s, %v", b.State, b.Why, b.Changes)
			}
			if row.state != ddns.BackReturn {
				return
			}
			after, err := applied(zone, b.Changes)
			if diff := cmp.Diff([]ddns.Record{before}, after.Records); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
	}
}
