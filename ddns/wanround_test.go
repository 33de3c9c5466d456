package ddns_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/google/go-cmp/cmp"
)

// a witness names an address after a while; the zero address is silence.
type witness struct {
	address netip.Addr
	after   time.Duration
	asked   int
}

// WAN implements ddns.WANWitness.
func (w *witness) WAN(ctx context.Context, tell func(ddns.WANFinding)) {
	w.asked++
	wait := time.NewTimer(w.after)
	defer wait.Stop()
	if w.address.IsValid() {
		select {
		case <-wait.C:
			tell(ddns.WANFinding{By: "nat-pmp", Address: w.address, Backing: ddns.Repeated, Took: w.after})
			return
		case <-ctx.Done():
		}
	}
	<-ctx.Done()
	tell(ddns.WANFinding{By: "nat-pmp", Err: ctx.Err()})
}

var shared = netip.MustParseAddr("100.64.1.2")

func TestBehindCGNATNoARecordIsWritten(t *testing.T) {
	t.Parallel()
	h := newHouse(t, []ddns.Target{target("home.example.com", "A"), target("new.example.com", "A")}, atOld)
	w := &witness{address: shared}
	h.runner.Witness = w
	round := h.round()
	h.want(round, ddns.ExitHeld, ddns.Held, ddns.Held)
	if diff := cmp.Diff([]string{"cgnat ipv4"}, codes(round)); diff != "" || round.Conditions[0].Severity != ddns.Alarm {
		t.Errorf("%s\n%+v", diff, round.Conditions)
	}
	if diff := cmp.Diff([]string{"home.example.com A 45.67.80.1"}, h.records()); diff != "" {
		t.Error(diff)
	}
	if got := round.Report().WAN; got.NAT != "carrier" || got.Address != "100.64.1.2" || got.Why == "" {
		t.Errorf("%+v", got)
	}
	w.address = netip.Addr{} // silence publishes
	round = h.round()
	h.want(round, ddns.ExitRight, ddns.Changed, ddns.Changed)
	if diff := cmp.Diff([]string{"cgnat ipv4"}, slices.DeleteFunc(codes(round), func(c string) bool { return c == "left-behind ipv4" })); diff != "" {
		t.Errorf("what was said last still stands: %s", diff)
	}
}

func TestWithPublishCGNATIsAWarning(t *testing.T) {
	t.Parallel()
	h := newHouse(t, []ddns.Target{target("home.example.com", "A")}, atOld)
	h.runner.Witness, h.runner.PublishShared = &witness{address: shared}, true
	round := h.round()
	h.want(round, ddns.ExitRight, ddns.Changed)
	if diff := cmp.Diff([]string{"cgnat ipv4"}, codes(round)); diff != "" || round.Conditions[0].Severity != ddns.Warning {
		t.Errorf("%s\n%+v", diff, round.Conditions)
	}
}

func TestTheWitnessIsHeardAndNotWaitedFor(t *testing.T) {
	t.Parallel()
	h := newHouse(t, []ddns.Target{target("home.example.com", "A")}, atOld)
	w := &witness{address: shared, after: 10 * time.Minute}
	h.runner.Witness = w
	began := time.Now()
	h.want(h.round(), ddns.ExitRight, ddns.Changed) // it came too late
	if took := time.Since(began); took > time.Minute {
		t.Errorf("the round waited %s", took)
	}
	w.after = 0
	quiet, past := h.runner.Round(t.Context(), ddns.BySchedule, h.past)
	if w.asked != 1 || len(quiet.Conditions) != 0 {
		t.Errorf("a quiet round asked %d times; conditions %v", w.asked-1, codes(quiet))
	}
	h.past = past
	round := h.round() // nothing is to be written: nobody is held, and all the same it is told
	h.want(round, ddns.ExitRight, ddns.Right)
	if diff := cmp.Diff([]string{"cgnat ipv4"}, codes(round)); diff != "" {
		t.Error(diff)
	}
	w.address = netip.Addr{}
	if quiet, _ = h.runner.Round(t.Context(), ddns.BySchedule, h.past); w.asked != 3 || !slices.Contains(codes(quiet), "cgnat ipv4") {
		t.Errorf("asked %d times; what was said last still stands: %v", w.asked, codes(quiet))
	}
	h.ahead = 26 * time.Hour
	if round = h.round(); slices.Contains(codes(round), "cgnat ipv4") {
		t.Errorf("it has been silent for a day: %v", codes(round))
	}
}

func TestWhatARouterNamesIsTold(t *testing.T) {
	t.Parallel()
	h := newHouse(t, []ddns.Target{target("home.example.com", "A")}, atOld)
	w := &witness{}
	h.runner.Witness = w
	for _, c := range []struct {
		address string
		want    []string
	}{
		{"192.168.0.2", []string{"double-nat ipv4"}},
		{"45.67.99.99", []string{"router ipv4"}},
		{"45.67.89.10", nil},
	} {
		w.address = netip.MustParseAddr(c.address)
		round := h.round()
		if diff := cmp.Diff(c.want, codes(round)); diff != "" || round.Exit() != 0 {
			t.Errorf("%s: exit %d, %s", c.address, round.Exit(), diff)
		}
	}
}
