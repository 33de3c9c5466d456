package main

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

var (
	addressA = netip.MustParseAddr("45.67.89.10")
	addressB = netip.MustParseAddr("45.67.90.77")
	noon     = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
)

func target(name string) ddns.Target { return ddns.Target{Name: name, Shown: name, Type: "A"} }

// roundOf makes a round whose targets all end in a state.
func roundOf(state ddns.TargetState, why string, names ...string) ddns.Round {
	r := ddns.Round{ID: "1", Started: noon, Holdings: []ddns.Holding{{Family: ddns.IPv4, Decision: ddns.Publish, Address: addressB}}}
	for _, name := range names {
		r.Outcomes = append(r.Outcomes, ddns.Outcome{Target: target(name), State: state, Why: why, Address: addressB.String()})
		if state == ddns.Changed {
			r.Receipts = append(r.Receipts, ddns.Receipt{State: ddns.Confirmed, Change: ddns.Change{Op: ddns.Update, Target: target(name),
				Before: &ddns.Record{Type: "A", Content: addressA.String()}, After: &ddns.Record{Type: "A", Content: addressB.String()}}})
		}
	}
	return r
}

func TestARoundThatIsBrokenOffIsNoTroubleOfTheNames(t *testing.T) {
	held, wrote := roundOf(ddns.Held, "45.67.90.77 by google; 3 operators must agree", "a.example.com"), roundOf(ddns.Changed, "", "a.example.com")
	held.BrokenOff, wrote.BrokenOff = true, true
	for _, tt := range []struct {
		round ddns.Round
		want  string
	}{
		{held, `level=INFO msg="ended in the middle of a round, which wrote nothing"`},
		{wrote, `level=INFO msg="a.example.com A: 45.67.89.10 → 45.67.90.77"`},
	} {
		var said bytes.Buffer
		(&talker{log: slog.New(slog.NewTextHandler(&said, nil))}).round(tt.round, ddns.Past{})
		if got := said.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, tt.want) {
			t.Errorf("got  %swant %s", got, tt.want)
		}
	}
}

// The line of a round is read by people and by scripts that watch the log.
func TestTheLineOfARound(t *testing.T) {
	gap := roundOf(ddns.Changed, "", "a.example.com")
	gap.Gap = 9100 * time.Millisecond
	left := roundOf(ddns.Right, "", "a.example.com")
	left.Conditions = []ddns.Condition{{Code: ddns.CodeLeftBehind, Severity: ddns.Warning, Name: "example.com", Title: "still holding the old address 45.67.89.10: TXT example.com"}}
	public := roundOf(ddns.Changed, "", "a.b", "c.d", "e.f", "g.h")
	public.Receipts[0].Change.Reveals, public.Receipts[3].Change.Reveals = true, true
	tests := []struct {
		name  string
		round ddns.Round
		want  string
	}{
		{"some become public", public, "4 names changed, first a.b A: 45.67.89.10 → 45.67.90.77 · the home's address becomes public at a.b, g.h"},
		{"all right", roundOf(ddns.Right, "", "a.example.com", "b.example.com"), "all 2 names right at 45.67.90.77"},
		{"the only one right", roundOf(ddns.Right, "", "a.example.com"), "1 name right at 45.67.90.77"},
		{"one changed", roundOf(ddns.Changed, "", "a.example.com"), "a.example.com A: 45.67.89.10 → 45.67.90.77"},
		{"a change and its gap", gap, "a.example.com A: 45.67.89.10 → 45.67.90.77 · visitors may have failed for 9.1s at most"},
		{"many changed", roundOf(ddns.Changed, "", "a.b", "c.d", "e.f", "g.h"), "4 names changed, first a.b A: 45.67.89.10 → 45.67.90.77"},
		{"held", roundOf(ddns.Held, "45.67.90.77 by amazon; 3 operators must agree", "a.example.com"), "a.example.com A held: 45.67.90.77 by amazon; 3 operators must agree"},
		{"left behind", left, "example.com: still holding the old address 45.67.89.10: TXT example.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := roundLine(tt.round); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestTheSameTroubleIsSaidAgainAfterAnHourOnly(t *testing.T) {
	var out bytes.Buffer
	talk := talker{log: slog.New(slog.NewTextHandler(&out, nil))}
	lines := func() int { return strings.Count(out.String(), "\n") }
	again := roundOf(ddns.Changed, "", "a.example.com")
	again.Again = true
	steps := []struct {
		name  string
		after time.Duration
		round ddns.Round
		want  int // lines so far
	}{
		{"the first round is said", 0, roundOf(ddns.Right, "", "a.example.com"), 1},
		{"a quiet one is not", 20 * time.Minute, roundOf(ddns.Right, "", "a.example.com"), 1},
		{"trouble is said", 40 * time.Minute, roundOf(ddns.Unreached, "status 500", "a.example.com"), 2},
		{"the same trouble in other words is not", 41 * time.Minute, roundOf(ddns.Unreached, "status 502", "a.example.com"), 2},
		{"another trouble is", 42 * time.Minute, roundOf(ddns.Refused, "token", "a.example.com"), 3},
		{"the same after an hour is", 103 * time.Minute, roundOf(ddns.Refused, "token", "a.example.com"), 4},
		{"its end is", 104 * time.Minute, roundOf(ddns.Right, "", "a.example.com"), 5},
		{"and then there is quiet", 124 * time.Minute, roundOf(ddns.Right, "", "a.example.com"), 5},
		{"a change is", 130 * time.Minute, roundOf(ddns.Changed, "", "a.example.com"), 6},
		{"and not again when it is seen at last", 131 * time.Minute, again, 6},
	}
	for _, s := range steps {
		s.round.Started = noon.Add(s.after)
		talk.round(s.round, ddns.Past{})
		if got := lines(); got != s.want {
			t.Fatalf("%s: %d lines, want %d:\n%s", s.name, got, s.want, out.String())
		}
	}
}

func TestTheStatusLine(t *testing.T) {
	past := ddns.Past{}
	past.Memory.IPv4 = ddns.FamilyMemory{Confirmed: []netip.Addr{addressA, addressB}, Since: time.Date(2026, 11, 24, 9, 5, 0, 0, time.Local)}
	past.Unproved = []string{"b.example.com A"}
	r := roundOf(ddns.Changed, "", "a.example.com", "b.example.com")
	r.Outcomes = append(r.Outcomes, ddns.Outcome{Target: target("c.example.com"), State: ddns.Refused})
	r.Conditions = []ddns.Condition{{Code: ddns.CodeCNAME, Severity: ddns.Alarm, Name: "c.example.com A", Title: "a CNAME\nstands here"}}
	want := "45.67.90.77 since 2026-11-24 09:05 · 2 of 3 names right, 1 proved · c.example.com A: a CNAME stands here"
	if got := statusLine(r, past); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The line says what is agreed and what is published as they are, whatever
// became of the round.
func TestTheStatusLineTellsBothAddressesWhereTheyDiffer(t *testing.T) {
	agreed := []ddns.Verdict{{Family: ddns.IPv4, State: ddns.Agreed, Address: addressB}}
	none := []ddns.Verdict{{Family: ddns.IPv4, State: ddns.Unknown}}
	publish := []ddns.Holding{{Family: ddns.IPv4, Decision: ddns.Publish, Address: addressB}}
	since := " since 2026-11-24 09:05"
	atA := ddns.FamilyMemory{Confirmed: []netip.Addr{addressA}, Since: time.Date(2026, 11, 24, 9, 5, 0, 0, time.Local)}
	atB := ddns.FamilyMemory{Confirmed: []netip.Addr{addressB}, Since: atA.Since}
	found := func(contents ...string) ddns.Found {
		z := ddns.ZoneFacts{Zone: ddns.Zone{ID: "z", Name: "example.com"}, Whole: true, ReadAt: noon}
		for _, content := range contents {
			z.Records = append(z.Records, ddns.Record{Name: "a.example.com", Type: "A", Content: content})
		}
		return ddns.Found{Zones: []ddns.ZoneFacts{z}}
	}
	for _, tt := range []struct {
		name     string
		verdicts []ddns.Verdict
		holdings []ddns.Holding
		found    ddns.Found
		memory   ddns.FamilyMemory
		want     string
		settled  bool
	}{
		{"published", agreed, publish, found("45.67.90.77"), atB, "45.67.90.77" + since, true},
		{"published, and not by us", agreed, publish, found("45.67.90.77"), ddns.FamilyMemory{}, "45.67.90.77", true},
		{"the token is refused at the start", agreed, publish, ddns.Found{}, ddns.FamilyMemory{}, "45.67.90.77 agreed, what is published is not known", false},
		{"the token is refused after a move", agreed, publish, ddns.Found{}, atA, "45.67.90.77 agreed, 45.67.89.10" + since + " published when it was last seen", false},
		{"the API is down, and nothing moved", agreed, publish, ddns.Found{}, atB, "45.67.90.77" + since, true},
		{"the write is refused", agreed, publish, found("45.67.89.10"), atA, "45.67.90.77 agreed, 45.67.89.10" + since + " published", false},
		{"no record stands", agreed, publish, found(), ddns.FamilyMemory{}, "45.67.90.77 agreed, none published", false},
		{"somebody moved it", agreed, publish, found("45.67.99.99"), atB, "45.67.90.77 agreed, 45.67.99.99 published", false},
		{"a guard holds it", agreed, []ddns.Holding{{Family: ddns.IPv4, Decision: ddns.Wait, Address: addressB}}, found("45.67.89.10"), atA,
			"45.67.90.77 agreed and held back, 45.67.89.10" + since + " published", false},
		{"nobody agrees", none, []ddns.Holding{{Family: ddns.IPv4}}, found("45.67.89.10"), atA, "no agreed address, 45.67.89.10" + since + " published", false},
		{"nothing is known", none, []ddns.Holding{{Family: ddns.IPv4}}, ddns.Found{}, ddns.FamilyMemory{}, "no agreed address, what is published is not known", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := ddns.Round{Started: noon, Verdicts: tt.verdicts, Holdings: tt.holdings, Found: tt.found,
				Outcomes: []ddns.Outcome{{Target: target("a.example.com"), State: ddns.Unreached, Why: "status 500"}}}
			past := ddns.Past{Memory: ddns.Memory{IPv4: tt.memory}}
			if got, _, _ := strings.Cut(statusLine(r, past), " · "); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if line := lineWithHome(r, past); strings.Contains(line, tt.want) == tt.settled {
				t.Errorf("the log says %q", line)
			}
		})
	}
}
