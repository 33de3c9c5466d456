package ddns_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/cfclient"
	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
	"github.com/google/go-cmp/cmp"
)

// freePlan takes every zone for one of the Free plan: an older one may hold
// more records than a new one can.
type freePlan struct{ *cfclient.Client }

func TestARefusedRecordStandsAlone(t *testing.T) {
	targets, records := many(20, oldHome)
	targets[13].TTL = 7 // below what any plan allows
	h := newHouse(t, targets, records...).assume()
	var first, second ddns.Round
	made := h.calls(func() { first = h.round() })
	if made["batch"] > 12 {
		t.Errorf("calls %v", made)
	}
	if first.Exit() != ddns.ExitPartly {
		t.Errorf("exit %d", first.Exit())
	}
	for i, o := range first.Outcomes {
		switch {
		case i == 13 && (o.State != ddns.Refused || o.Code != ddns.CodeRefused || o.Hint == ""):
			t.Errorf("%+v", o)
		case i != 13 && o.State != ddns.Changed:
			t.Errorf("%s %s", o.Target.Key(), o.State)
		}
	}
	if len(first.Receipts) != 20 {
		t.Errorf("%d receipts", len(first.Receipts))
	}
	if made := h.calls(func() { second = h.round() }); made["batch"] != 0 {
		t.Errorf("it was tried again at once: %v", made)
	}
	if second.Exit() != ddns.ExitPartly || second.Outcomes[13].State != ddns.Refused {
		t.Errorf("exit %d, %+v", second.Exit(), second.Outcomes[13])
	}
	h.ahead = 61 * time.Minute
	if made := h.calls(func() { h.round() }); made["batch"] != 2 { // refused, read again, refused alone
		t.Errorf("after an hour: %v", made)
	}
	h.runner.Targets[13].TTL = 120
	h.want(h.round(), ddns.ExitRight, slices.Concat(slices.Repeat([]ddns.TargetState{ddns.Right}, 13), []ddns.TargetState{ddns.Changed}, slices.Repeat([]ddns.TargetState{ddns.Right}, 6))...)
}

func TestWhatDoesNotFitTheQuotaIsLeftOutAndTheRestWritten(t *testing.T) {
	targets, _ := many(12, "")
	var records []sandbox.SeedRecord
	for i := range 190 {
		records = append(records, sandbox.SeedRecord{Type: "TXT", Name: fmt.Sprintf("t%d.example.com", i), Content: "x"})
	}
	h := newHouse(t, targets, records...).assume()
	h.runner.Room, h.runner.Dry = h.client.Room, true
	plan := h.round()
	h.runner.Dry = false
	round := h.round()
	done := 0
	for i, o := range round.Outcomes {
		if p := plan.Outcomes[i]; p.State != o.State || p.Code != o.Code || p.Hint != o.Hint {
			t.Errorf("planned %s (%s, %s), and it is %s (%s, %s)", p.State, p.Code, p.Hint, o.State, o.Code, o.Hint)
		}
		if o.State == ddns.Changed {
			done++
		} else if o.Code != ddns.CodeRefused || !strings.Contains(o.Hint, "as many records as its plan allows") {
			t.Errorf("%+v", o)
		}
	}
	if done != 10 || len(h.records()) != 200 || round.Exit() != ddns.ExitPartly {
		t.Errorf("%d written, %d records, exit %d", done, len(h.records()), round.Exit())
	}
}

func TestOneRefusedOfAThousand(t *testing.T) {
	targets, records := many(1000, oldHome)
	targets[613].TTL = 7
	h := newHouseIn(t, []sandbox.SeedZone{{Name: "example.com", Plan: "pro", Records: records}}, targets).assume()
	h.runner.API = freePlan{h.client}
	h.runner.Prover.Patience = 0
	var round ddns.Round
	made := h.calls(func() { round = h.round() })
	for i, o := range round.Outcomes {
		want := ddns.Changed
		if i == 613 {
			want = ddns.Refused
		}
		if o.State != want {
			t.Errorf("%s is %s (%s), want %s", o.Target.Key(), o.State, o.Why, want)
		}
	}
	right := 0
	for _, record := range h.records() {
		if strings.HasSuffix(record, " "+homeA.String()) {
			right++
		}
	}
	if right != 999 {
		t.Errorf("%d records are right, want 999", right)
	}
	t.Logf("calls %v", made)
	if made["batch"] > 5+2+2*8 || made["list"] > 3 || made["zones"] > 1 {
		t.Errorf("calls %v", made)
	}
}

func TestManyRefusedRecordsDoNotEatTheLimitOfCalls(t *testing.T) {
	targets, records := many(150, oldHome)
	for i := range targets[:120] {
		targets[i].TTL = 7
	}
	h := newHouse(t, targets, records...).assume()
	for range 12 {
		var round ddns.Round
		made := h.calls(func() { round = h.round() })
		if made["batch"] > 100 {
			t.Fatalf("calls of one round %v", made)
		}
		if round.Outcomes[149].State == ddns.Right && !slices.ContainsFunc(round.Outcomes, func(o ddns.Outcome) bool { return o.Until.IsZero() && o.State == ddns.Refused }) {
			return
		}
	}
	t.Error("the good ones were not all written")
}

func TestAConflictIsReadAndPlannedAgain(t *testing.T) {
	targets, records := many(3, oldHome)
	h := newHouse(t, targets, records...).assume()
	h.runner.API = &meddler{Client: h.client, before: func() {
		h.byHand(func(_ ddns.Zone, records []ddns.Record) ddns.Batch {
			return ddns.Batch{Deletes: []string{records[1].ID}}
		})
	}}
	h.want(h.round(), ddns.ExitRight, ddns.Changed, ddns.Changed, ddns.Changed)
	if diff := cmp.Diff([]string{"n000.example.com A 45.67.89.10", "n001.example.com A 45.67.89.10", "n002.example.com A 45.67.89.10"}, h.records()); diff != "" {
		t.Error(diff)
	}
}

// meddler lets something happen between reading and writing, once.
type meddler struct {
	*cfclient.Client
	before func()
}

func TestARefusedADoesNotHoldUpTheAAAA(t *testing.T) {
	a := target("home.example.com", "A")
	a.TTL = 7
	h := newHouse(t, []ddns.Target{a, target("home.example.com", "AAAA")}, atOld).assume()
	h.ask(ddns.IPv4, ddns.IPv6)
	h.world.SetWAN(homeA, netip.MustParseAddr(home6))
	h.runner.Assume = netip.Addr{}
	h.want(h.round(), ddns.ExitPartly, ddns.Refused, ddns.Changed)
	if diff := cmp.Diff([]string{"home.example.com A 45.67.80.1", "home.example.com AAAA 2a01:4f8:1:2::10"}, h.records()); diff != "" {
		t.Error(diff)
	}
}

func TestARefusedUpdateDeletesNothingBesideIt(t *testing.T) {
	home := target("home.example.com", "A")
	home.DeleteExtra, home.TTL = true, 7
	h := newHouse(t, []ddns.Target{home}, atOld, sandbox.SeedRecord{Type: "A", Name: "home.example.com", Content: stranger}).assume()
	for range 2 {
		h.want(h.round(), ddns.ExitRefused, ddns.Refused)
		if diff := cmp.Diff([]string{"home.example.com A 45.67.70.1", "home.example.com A 45.67.80.1"}, h.records()); diff != "" {
			t.Fatal(diff)
		}
	}
}

// lockedZone is Cloudflare while it refuses every write to a zone, for a reason
// that no permission mends.
type lockedZone struct {
	*cfclient.Client
	kind    ddns.Kind
	batches int
}

// Batch implements ddns.API.
func (l *lockedZone) Batch(context.Context, ddns.Zone, ddns.Batch) (ddns.BatchResult, error) {
	l.batches++
	return ddns.BatchResult{}, &ddns.Error{Kind: l.kind, Op: "change records of example.com", Status: 403, Err: errors.New("Cloudflare says: no")}
}

// TestWhatIsRefusedAsAWholeIsNotHalved has Cloudflare refuse the caller, and not
// what it sends: one call finds that out, and one condition says it.
func TestWhatIsRefusedAsAWholeIsNotHalved(t *testing.T) {
	for kind, code := range map[ddns.Kind]string{
		ddns.Denied: "refused example.com", ddns.NotPermitted: "permission example.com", ddns.Filtered: "token-filter", ddns.TokenRefused: "token-refused",
	} {
		targets, records := many(20, oldHome)
		h := newHouse(t, targets, records...).assume()
		locked := &lockedZone{Client: h.runner.API.(*cfclient.Client), kind: kind}
		h.runner.API = locked
		round := h.round()
		if locked.batches != 1 || round.Exit() != ddns.ExitRefused {
			t.Errorf("%v: %d calls, exit %d", kind, locked.batches, round.Exit())
		}
		if diff := cmp.Diff([]string{code}, codes(round)); diff != "" {
			t.Errorf("%v: conditions %s", kind, diff)
		}
	}
}
