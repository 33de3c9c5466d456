package ddns_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
	"github.com/google/go-cmp/cmp"
)

// stuck is an outcome that raises a condition.
func stuck(name, recordType string, code ddns.Code) ddns.Outcome {
	return ddns.Outcome{Target: target(name, recordType), Zone: "example.com", State: ddns.Refused, Code: code, Why: "why", Hint: "hint"}
}

func TestSeverities(t *testing.T) {
	for severity, list := range map[ddns.Severity][]ddns.Code{
		ddns.Alarm: {ddns.CodeNoQuorum, ddns.CodeSplit, ddns.CodeToken, ddns.CodePermission, ddns.CodeNoZone, ddns.CodeCNAME, ddns.CodeConflict,
			ddns.CodeNotOurs, ddns.CodeProxyUnclear, ddns.CodeRefused, ddns.CodeContested, ddns.CodeContradicted, ddns.CodeClock, ddns.CodeState},
		ddns.Warning: {ddns.CodeVeto, ddns.CodeRosterThin, ddns.CodeUnreachable, ddns.CodeLimited, ddns.CodeZonePending, ddns.CodeShared, ddns.CodeUncertain, ddns.CodeLeftBehind},
		ddns.Notice:  {ddns.CodeAlone, ddns.CodeUnproved, ddns.CodeDamped},
	} {
		for _, code := range list {
			o := stuck("home.example.com", "A", code)
			o.Hint = ""
			c := ddns.Assess(ddns.Round{Outcomes: []ddns.Outcome{o}}, nil)[0]
			if c.Severity != severity {
				t.Errorf("%s is %s, want %s", code, c.Severity, severity)
			}
			if c.Severity == ddns.Alarm && c.Hint == "" {
				t.Errorf("%s: an alarm without a hint", code)
			}
		}
	}
}

func TestWhatIsWrongForAllIsSaidOnce(t *testing.T) {
	both := func(code ddns.Code) (outcomes []ddns.Outcome) {
		for i := range 10 {
			name := fmt.Sprintf("n%d.example.com", i)
			outcomes = append(outcomes, stuck(name, "A", code), stuck(name, "AAAA", code))
		}
		return outcomes
	}
	for _, tt := range []struct {
		name string
		code ddns.Code
		want int
		at   string
	}{
		{"a refused token is said once", ddns.CodeToken, 1, ""},
		{"so is an API that does not answer", ddns.CodeUnreachable, 1, ""},
		{"and a limit", ddns.CodeLimited, 1, ""},
		{"a missing permission is said once a zone", ddns.CodePermission, 1, "example.com"},
		{"so is a write that nobody answered", ddns.CodeUncertain, 1, "example.com"},
		{"a CNAME is said once a name", ddns.CodeCNAME, 10, "n0.example.com"},
		{"so is a name in no zone", ddns.CodeNoZone, 10, "n0.example.com"},
		{"a refused record is said for itself", ddns.CodeRefused, 20, "n0.example.com A"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ddns.Assess(ddns.Round{Outcomes: both(tt.code)}, nil)
			if len(got) != tt.want || got[0].Name != tt.at {
				t.Errorf("%d conditions, the first at %q; want %d at %q", len(got), got[0].Name, tt.want, tt.at)
			}
		})
	}
}

func TestAConditionKeepsItsBeginning(t *testing.T) {
	at := func(minute int, codes ...ddns.Code) ddns.Round {
		r := ddns.Round{Started: planTime.Add(time.Duration(minute) * time.Minute)}
		for _, code := range codes {
			r.Outcomes = append(r.Outcomes, stuck("home.example.com", "A", code))
		}
		return r
	}
	first := ddns.Assess(at(0, ddns.CodeCNAME), nil)
	second := ddns.Assess(at(5, ddns.CodeCNAME, ddns.CodeRefused), first)
	if !second[0].Since.Equal(planTime) || !second[1].Since.Equal(planTime.Add(5*time.Minute)) {
		t.Errorf("%+v", second)
	}
	gone := ddns.Assess(at(10), second)
	back := ddns.Assess(at(15, ddns.CodeCNAME), gone)
	if len(gone) != 0 || !back[0].Since.Equal(planTime.Add(15*time.Minute)) {
		t.Errorf("gone %+v, back %+v", gone, back)
	}
	set := ddns.Assess(at(-60, ddns.CodeCNAME), first) // the clock was set back
	if !set[0].Since.Equal(planTime.Add(-60 * time.Minute)) {
		t.Errorf("a condition of the future: %+v", set)
	}
}

func TestConditionsOfVerdictsAndZones(t *testing.T) {
	agreed := ddns.Verdict{Family: ddns.IPv4, State: ddns.Agreed, Address: homeA, Quorum: 3, Operators: 5}
	alone := agreed
	alone.Alone = true
	for _, tt := range []struct {
		name    string
		verdict ddns.Verdict
		holding ddns.Holding
		zone    ddns.Zone
		want    []string
	}{
		{"all well", agreed, ddns.Holding{}, ddns.Zone{Name: "example.com", Status: "active"}, nil},
		{"no quorum", ddns.Verdict{Family: ddns.IPv6}, ddns.Holding{Guard: ddns.AgreeGuard}, ddns.Zone{}, []string{"no-quorum ipv6"}},
		{"a split", ddns.Verdict{Family: ddns.IPv4, State: ddns.Split}, ddns.Holding{Guard: ddns.AgreeGuard}, ddns.Zone{}, []string{"split ipv4"}},
		{"a veto", agreed, ddns.Holding{Guard: ddns.VetoGuard}, ddns.Zone{}, []string{"veto ipv4"}},
		{"damping", agreed, ddns.Holding{Guard: ddns.DampGuard}, ddns.Zone{}, []string{"damped ipv4"}},
		{"one source alone", alone, ddns.Holding{}, ddns.Zone{}, []string{"alone ipv4"}},
		{"a paused zone", agreed, ddns.Holding{}, ddns.Zone{Name: "example.com", Paused: true, Status: "active"}, []string{"zone-inactive example.com"}},
		{"a partial zone", agreed, ddns.Holding{}, ddns.Zone{Name: "example.com", Type: "partial", Status: "active"}, []string{"zone-inactive example.com"}},
		{"a pending zone", agreed, ddns.Holding{}, ddns.Zone{Name: "example.com", Status: "pending"}, []string{"zone-inactive example.com"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := ddns.Round{Verdicts: []ddns.Verdict{tt.verdict}, Holdings: []ddns.Holding{tt.holding}, Found: ddns.Found{Zones: []ddns.ZoneFacts{{Zone: tt.zone}}}}
			if tt.zone.Name == "" {
				r.Found.Zones = nil
			}
			r.Conditions = ddns.Assess(r, nil)
			if diff := cmp.Diff(tt.want, codes(r)); diff != "" {
				t.Error(diff)
			}
			for _, c := range r.Conditions {
				if c.Severity != ddns.Notice && c.Hint == "" {
					t.Errorf("%s has no hint", c.Code)
				}
			}
		})
	}
}

func TestAnEdgeThatCouldNotBeAskedIsNoCondition(t *testing.T) {
	r := ddns.Round{Proofs: []ddns.Proof{{Target: target("home.example.com", "A"), By: "edge", Outcome: ddns.ProofUnasked, Why: "the edge answers 522"}}}
	if got := ddns.Assess(r, nil); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestARefusedDrillIsAnAlarm(t *testing.T) {
	err := &ddns.Error{Kind: ddns.NotPermitted, Op: "change records of example.com", Hint: "give the token the permission", Err: errors.New("forbidden")}
	r := ddns.Round{Receipts: []ddns.Receipt{{State: ddns.RefusedChange, Err: err, Change: ddns.Change{Op: ddns.Update, Drill: true, Zone: ddns.Zone{Name: "example.com"}}}}}
	got := ddns.Assess(r, nil)
	if len(got) != 1 || got[0].Code != ddns.CodePermission || got[0].Name != "example.com" || got[0].Hint != err.Hint {
		t.Errorf("%+v", got)
	}
}

func TestAWrongClockIsTheOneThingThatIsSaid(t *testing.T) {
	h := newHouse(t, []ddns.Target{target("home.example.com", "A"), target("www.example.com", "A")}, atOld,
		sandbox.SeedRecord{Type: "CNAME", Name: "www.example.com", Content: "shop.example.net"})
	first := h.round()
	if diff := cmp.Diff([]string{"cname www.example.com"}, codes(first)); diff != "" {
		t.Fatal(diff)
	}
	h.runner.Built = time.Now().Add(24 * time.Hour)
	h.fault("api", "500", 0)
	for range 2 { // the second round keeps the beginning of the first
		for _, name := range []string{"cloudflare", "amazon", "google", "akamai", "identme", "desec", "nsupdate", "ipify"} {
			h.fault("echo:"+name, "500", 1)
		}
		round := h.round()
		if diff := cmp.Diff([]string{"clock", "cname www.example.com"}, codes(round)); diff != "" {
			t.Fatal(diff)
		}
		if len(h.past.Shy[ddns.IPv4])+len(h.past.Memory.IPv4.Silent) != 0 {
			t.Errorf("sources are blamed for the clock: %v", h.past.Shy)
		}
		if first.Conditions[0].Code == ddns.CodeClock && !round.Conditions[0].Since.Equal(first.Conditions[0].Since) {
			t.Errorf("another beginning: %v, %v", round.Conditions[0].Since, first.Conditions[0].Since)
		}
		first = round
	}
}
