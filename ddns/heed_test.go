package ddns

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// by is what a router, or this machine, says with a backing.
func by(b Backing, address string) []WANFinding {
	f := found("nat-pmp at 192.168.1.1", address)
	f.Backing = b
	return []WANFinding{f}
}

func TestWhatAWitnessHolds(t *testing.T) {
	answers := Still{Answers: true, Name: "www.example.com"}
	shared, dsLite := "100.64.0.1", "192.0.0.2"
	for _, c := range []struct {
		name      string
		findings  []WANFinding
		published []netip.Addr
		waited    time.Duration // since the change was first wanted
		set       func(*WAN)
		decision  Decision
		guard     Guard
		until     time.Duration // from when the change was first wanted; 0 is none
		proxied   bool          // names behind the proxy wait on
	}{
		{"a forged datagram naming CGNAT holds nothing",
			by(Hearsay, shared), addresses(old), 0, nil, Publish, NoGuard, 0, false},
		{"nor does it before a first publication", by(Hearsay, shared), nil, 0, nil, Publish, NoGuard, 0, false},
		{"CGNAT said twice holds a change for two minutes",
			by(Repeated, shared), addresses(old), 0, nil, Wait, CGNATGuard, sharedLongest, false},
		{"until they are over",
			by(Repeated, shared), addresses(old), sharedLongest - time.Second, nil, Wait, CGNATGuard, sharedLongest, false},
		{"and no longer", by(Repeated, shared), addresses(old), sharedLongest, nil, Publish, NoGuard, 0, false},
		{"nor does DS-Lite", by(Repeated, dsLite), addresses(old), sharedLongest, nil, Publish, NoGuard, 0, false},
		{"CGNAT over TCP at the gateway holds a change while it is said",
			by(Connected, shared), addresses(old), time.Hour, nil, Wait, CGNATGuard, 0, false},
		{"so does this machine's own interface",
			by(OwnLine, shared), addresses(old), time.Hour, nil, Wait, CGNATGuard, 0, false},
		{"a first publication is held while CGNAT is said",
			by(Repeated, shared), nil, time.Hour, nil, Wait, CGNATGuard, 0, false},
		{"what TCP says outweighs what a datagram says",
			append(by(Repeated, shared), by(Connected, "192.168.0.2")...), addresses(old), 0, nil, Publish, NoGuard, 0, false},
		{"also where the datagrams agree with the vote",
			append(by(Repeated, home.String()), by(Connected, old.String())...), addresses(old), 0, nil, Wait, RouterGuard, againstLongest, false},
		{"who remembers nothing begins no hold that time would end",
			by(Repeated, shared), addresses(old), 0, func(w *WAN) { w.Forgets = true }, Publish, NoGuard, 0, false},
		{"what needs no time to end is held all the same",
			by(Connected, shared), addresses(old), 0, func(w *WAN) { w.Forgets = true }, Wait, CGNATGuard, 0, false},
		{"a person may publish a shared address",
			by(OwnLine, shared), addresses(old), 0, func(w *WAN) { w.Accepted = true }, Publish, NoGuard, 0, false},

		{"a datagram naming what is published holds nothing",
			by(Hearsay, old.String()), addresses(old), 0, nil, Publish, NoGuard, 0, false},
		{"said twice it holds a change for twenty seconds",
			by(Repeated, old.String()), addresses(old), 0, nil, Wait, RouterGuard, againstLongest, false},
		{"over TCP as well",
			by(Connected, old.String()), addresses(old), againstLongest - time.Second, nil, Wait, RouterGuard, againstLongest, false},
		{"and no longer",
			by(Connected, old.String()), addresses(old), againstLongest, nil, Publish, NoGuard, 0, false},
		{"where the home answers there, it is held as long for all",
			by(Repeated, old.String()), addresses(old), 0, func(w *WAN) { w.Still = answers }, Wait, RouterGuard, againstLongest, false},
		{"and then for the proxied names alone",
			by(Repeated, old.String()), addresses(old), time.Hour, func(w *WAN) { w.Still = answers }, Publish, RouterGuard, 0, true},
		{"who remembers nothing publishes at once",
			by(Repeated, old.String()), addresses(old), 0, func(w *WAN) { w.Forgets = true }, Publish, NoGuard, 0, false},
		{"a router that names what is not published holds nothing",
			by(Connected, other.String()), addresses(old), 0, nil, Publish, NoGuard, 0, false},
		{"where nothing is published there is nothing to contradict",
			by(Connected, other.String()), nil, 0, nil, Publish, NoGuard, 0, false},
		{"one of two published addresses is enough",
			by(Repeated, old.String()), addresses(old, home), 0, nil, Wait, RouterGuard, againstLongest, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := Vote(five(), saying(five(), home, home, home))
			w := JudgeWAN(v, c.findings)
			if c.set != nil {
				c.set(&w)
			}
			now := at(c.waited)
			h, m := Hold(v, c.published, w, FamilyMemory{Wanted: Wanted{Since: start, Seen: now}}, now)
			var until time.Time
			if c.until > 0 {
				until = at(c.until)
			}
			right := h.Decision == c.decision && h.Guard == c.guard && h.ProxiedWait == c.proxied
			if !right || !h.Until.Equal(until) || h.Address != home {
				t.Errorf("%+v", h)
			}
			change := isChange(home, c.published)
			if change != m.Wanted.Since.Equal(start) || !change && m.Wanted != (Wanted{}) {
				t.Errorf("a change is wanted: %v, and remembered %+v", change, m.Wanted)
			}
		})
	}
}

// TestNobodyInTheHouseHoldsAChangeForLong is a flood of forged answers: who
// sends it says anything, another thing each time, before the router does or
// where it keeps silent, and from both questions alike. The program may be
// restarted at any time. The truth is published within the two minutes, that
// count from when it was first wanted.
func TestNobodyInTheHouseHoldsAChangeForLong(t *testing.T) {
	tales := []string{"100.64.0.1", "100.100.7.7", "192.0.0.2", "192.168.0.2", old.String(), other.String(), home.String()}
	rapid.Check(t, func(t *rapid.T) {
		v := Vote(five(), saying(five(), home, home, home))
		var m FamilyMemory
		m.Confirmed = addresses(old)
		for lived := time.Duration(0); ; {
			var said []WANFinding
			for range rapid.IntRange(0, 3).Draw(t, "answers") {
				backing := Backing(rapid.IntRange(int(Hearsay), int(Repeated)).Draw(t, "backing"))
				said = append(said, by(backing, rapid.SampledFrom(tales).Draw(t, "tale"))...)
			}
			var h Holding
			h, m = Hold(v, addresses(old), JudgeWAN(v, said), m, at(lived))
			if h.Decision == Publish {
				return
			}
			if lived >= sharedLongest {
				t.Fatalf("held for %s: %s", lived, h.Why)
			}
			if h.Until.IsZero() || h.Until.After(at(sharedLongest)) {
				t.Fatalf("held until %s", h.Until)
			}
			if rapid.Bool().Draw(t, "restarted") {
				m = restarted(t, m)
			}
			gap := time.Duration(rapid.IntRange(1, 40).Draw(t, "gap")) * time.Second
			lived += min(gap, max(time.Second, h.Until.Sub(at(lived))))
		}
	})
}

// restarted is a memory that was written to a file and read again.
func restarted(t *rapid.T, m FamilyMemory) (again FamilyMemory) {
	kept, err := json.Marshal(m)
	if err == nil {
		err = json.Unmarshal(kept, &again)
	}
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func TestProxiedNamesStayWhereVisitorsFindTheHome(t *testing.T) {
	v := Vote(five(), saying(five(), home, home, home))
	w := JudgeWAN(v, by(Repeated, old.String()))
	w.Still = Still{Answers: true, Name: "www.example.com"}
	h, _ := Hold(v, addresses(old), w, FamilyMemory{Wanted: Wanted{Since: start, Seen: start}}, at(time.Minute))
	record := func(id, name string, proxied bool) Record {
		return Record{ID: id, Name: name, Type: "A", Content: old.String(), Proxied: proxied}
	}
	targets := SortTargets([]Target{
		{Name: "ssh.example.com", Type: "A"}, {Name: "www.example.com", Type: "A"},
		{Name: "web.example.com", Type: "A", Proxied: SetTrue}, {Name: "plain.example.com", Type: "A", Proxied: SetFalse},
		{Name: "new.example.com", Type: "A", Proxied: SetTrue}, {Name: "there.example.com", Type: "A"},
	})
	z := ZoneFacts{Zone: Zone{ID: "z", Name: "example.com"}, Whole: true, ReadAt: start}
	right := record("6", "there.example.com", true)
	right.Content = home.String()
	z = z.holding([]Record{record("1", "ssh.example.com", false), record("2", "www.example.com", true),
		record("3", "web.example.com", true), record("4", "plain.example.com", false), right})
	p := Diff(Wishes{Targets: targets, Holdings: map[Family]Holding{IPv4: h}}, Found{Zones: []ZoneFacts{z}}, Memory{}, start)
	want := map[string]TargetState{
		"ssh": Changed, "www": Held, "web": Held, "plain": Changed, "new": Held, "there": Right,
	}
	for _, o := range p.Outcomes {
		name, _, _ := strings.Cut(o.Target.Name, ".")
		told := o.Code == CodeDisagrees && strings.Contains(o.Why, "still reach this home at "+old.String())
		if o.State != want[name] || o.State == Held && !told {
			t.Errorf("%s is %s: %s", name, o.State, o.Why)
		}
	}
	if len(p.Changes) != 2 {
		t.Errorf("%d changes", len(p.Changes))
	}
}

func TestWhatTheRouterSaysAgainstAChangeIsTold(t *testing.T) {
	v := Vote(five(), saying(five(), home, home, home))
	w := JudgeWAN(v, by(Repeated, old.String()))
	round := func(h Holding, w WAN) Round {
		return Round{Started: start, Verdicts: []Verdict{v}, Holdings: []Holding{h}, WAN: w}
	}
	raised := func(r Round, before []Condition) (codes []string) {
		for _, c := range Assess(r, before) {
			if c.Code != CodeRosterThin {
				codes = append(codes, string(c.Code))
			}
		}
		return codes
	}
	published, _ := Hold(v, addresses(old), w, FamilyMemory{Wanted: Wanted{Since: start, Seen: start}}, at(time.Minute))
	first := Assess(round(published, w), nil)
	if got := raised(round(published, w), nil); !slices.Equal(got, []string{"router-disagrees"}) {
		t.Errorf("in the round that published: %v", got)
	}
	after, _ := Hold(v, addresses(home), w, FamilyMemory{}, at(2*time.Minute))
	if got := raised(round(after, w), first); !slices.Equal(got, []string{"router-disagrees"}) {
		t.Errorf("while the router goes on: %v", got)
	}
	if got := raised(round(after, w), nil); !slices.Equal(got, []string{"router"}) {
		t.Errorf("where it never named what was published: %v", got)
	}
	if got := raised(round(after, JudgeWAN(v, by(Repeated, home.String()))), first); len(got) != 0 {
		t.Errorf("once it agrees: %v", got)
	}
	if got := raised(round(after, JudgeWAN(v, by(Hearsay, "100.64.0.1"))), nil); len(got) != 0 {
		t.Errorf("what anybody can say raises %v", got)
	}
}
