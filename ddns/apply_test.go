package ddns_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/cfclient"
	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
	"github.com/google/go-cmp/cmp"
)

// deed is one kind of change, from what stands there to what shall.
type deed struct {
	name          string
	target        ddns.Target
	before, after []string // as house.records spells them
	seed          []sandbox.SeedRecord
}

func deeds() []deed {
	replace, extra := target("home.example.com", "A"), target("home.example.com", "A")
	replace.ReplaceHop, extra.DeleteExtra = true, true
	return []deed{
		{"create", target("home.example.com", "A"), nil, []string{"home.example.com A 45.67.89.10"}, nil},
		{"update", target("home.example.com", "A"), []string{"home.example.com A 45.67.80.1 mine"}, []string{"home.example.com A 45.67.89.10 mine"},
			[]sandbox.SeedRecord{{Type: "A", Name: "home.example.com", Content: oldHome, Comment: "mine"}}},
		{"delete", extra, []string{"home.example.com A 45.67.80.1", "home.example.com A 45.67.89.10"}, []string{"home.example.com A 45.67.89.10"},
			[]sandbox.SeedRecord{{Type: "A", Name: "home.example.com", Content: oldHome}, {Type: "A", Name: "home.example.com", Content: "45.67.89.10"}}},
		{"replace", replace, []string{"home.example.com CNAME myhome.duckdns.org proxied"}, []string{"home.example.com A 45.67.89.10 proxied"},
			[]sandbox.SeedRecord{{Type: "CNAME", Name: "home.example.com", Content: "myhome.duckdns.org", Proxied: true}}},
	}
}

func TestWritesInBadWeather(t *testing.T) {
	for _, weather := range []struct {
		do      string
		receipt ddns.ReceiptState
		state   ddns.TargetState
		code    ddns.Code
		exit    int
		done    bool // Cloudflare has done it all the same
	}{
		{"500", ddns.Doubtful, ddns.Unreached, ddns.CodeUncertain, ddns.ExitUnreached, false},
		{"html", ddns.Doubtful, ddns.Unreached, ddns.CodeUncertain, ddns.ExitUnreached, false},
		{"drop", ddns.Doubtful, ddns.Unreached, ddns.CodeUncertain, ddns.ExitUnreached, false},
		{"hang", ddns.Doubtful, ddns.Unreached, ddns.CodeUncertain, ddns.ExitUnreached, false},
		{"429", ddns.Planned, ddns.Unreached, ddns.CodeLimited, ddns.ExitUnreached, false},
		{"read-only", ddns.RefusedChange, ddns.Refused, ddns.CodePermission, ddns.ExitRefused, false},
		{"done-but-500", ddns.Confirmed, ddns.Changed, "", ddns.ExitRight, true},
		{"done-but-drop", ddns.Confirmed, ddns.Changed, "", ddns.ExitRight, true},
	} {
		for _, d := range deeds() {
			t.Run(d.name+" and "+weather.do, func(t *testing.T) {
				t.Parallel()
				h := newHouse(t, []ddns.Target{d.target}, d.seed...).assume()
				switch weather.do {
				case "read-only":
					h.post("/tokens", map[string]any{"read_only": true})
				case "hang":
					h.patience(3 * time.Second)
					fallthrough
				default:
					h.world.AddFault(sandbox.Fault{On: "batch", Do: weather.do, Value: "0", Times: 1})
				}
				var first, second ddns.Round
				if made := h.calls(func() { first = h.round() }); made["batch"] != 1 {
					t.Errorf("calls %v, want one batch", made)
				}
				h.want(first, weather.exit, weather.state)
				if rc := first.Receipts; len(rc) != 1 || rc[0].State != weather.receipt || (rc[0].Err == nil) != (weather.receipt == ddns.Confirmed) {
					t.Errorf("receipts %+v, want %s", rc, weather.receipt)
				}
				if o := first.Outcomes[0]; o.Code != weather.code || o.Code != "" && o.Hint == "" {
					t.Errorf("code %q, hint %q, want %q", o.Code, o.Hint, weather.code)
				}
				stands := d.before
				if weather.done {
					stands = d.after
				}
				if diff := cmp.Diff(stands, h.records()); diff != "" && len(stands)+len(h.records()) > 0 {
					t.Errorf("at Cloudflare (-want +got):\n%s", diff)
				}
				h.post("/tokens", map[string]any{})
				h.patience(time.Minute)
				made := h.calls(func() { second = h.round() })
				if want := map[bool]int{true: 0, false: 1}[weather.done]; made["batch"] != want {
					t.Errorf("calls of the next round %v, want %d batches", made, want)
				}
				h.want(second, ddns.ExitRight, map[bool]ddns.TargetState{true: ddns.Right, false: ddns.Changed}[weather.done])
				if diff := cmp.Diff(d.after, h.records()); diff != "" {
					t.Errorf("in the end (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestNoReadingNoWriting(t *testing.T) {
	for _, on := range []string{"list", "zones"} {
		for _, do := range []string{"500", "429", "hang", "drop", "html", "huge"} {
			t.Run(on+" and "+do, func(t *testing.T) {
				t.Parallel()
				d := deeds()[1]
				h := newHouse(t, []ddns.Target{d.target, target("new.example.com", "A")}, d.seed...).assume()
				h.world.AddFault(sandbox.Fault{On: on, Do: do, Value: "0"})
				if do == "hang" || do == "huge" {
					h.patience(3 * time.Second)
				}
				var first ddns.Round
				if made := h.calls(func() { first = h.round() }); made["batch"]+made["create"]+made["delete"]+made["edit"] != 0 {
					t.Errorf("something was written: %v", made)
				}
				h.want(first, ddns.ExitUnreached, ddns.Unreached, ddns.Unreached)
				if diff := cmp.Diff(d.before, h.records()); diff != "" {
					t.Errorf("at Cloudflare (-want +got):\n%s", diff)
				}
				if len(first.Conditions) != 1 || first.Conditions[0].Name != "" {
					t.Errorf("conditions %v, want one for all names", codes(first))
				}
				h.world.ClearFaults()
				h.patience(time.Minute)
				h.want(h.round(), ddns.ExitRight, ddns.Changed, ddns.Changed)
			})
		}
	}
}

func TestAReadingThatFailsLaterKeepsWhatIsKnown(t *testing.T) {
	h := newHouse(t, []ddns.Target{target("home.example.com", "A")}, sandbox.SeedRecord{Type: "A", Name: "home.example.com", Content: "45.67.89.10"}).assume()
	h.want(h.round(), ddns.ExitRight, ddns.Right)
	h.ahead = 2 * time.Hour
	h.fault("list", "500", 1)
	h.want(h.round(), ddns.ExitUnreached, ddns.Unreached)
	if diff := cmp.Diff([]string{"home.example.com A 45.67.89.10"}, h.records()); diff != "" {
		t.Error(diff)
	}
	if kept := h.past.Memory.Kept["home.example.com A"]; kept.Address != homeA {
		t.Errorf("kept %+v", kept)
	}
	h.want(h.round(), ddns.ExitRight, ddns.Right)
}

// many are names in the zone, and the records that they have.
func many(n int, content string) (targets []ddns.Target, records []sandbox.SeedRecord) {
	for i := range n {
		name := fmt.Sprintf("n%03d.example.com", i)
		targets = append(targets, target(name, "A"))
		if content != "" {
			records = append(records, sandbox.SeedRecord{Type: "A", Name: name, Content: content})
		}
	}
	return targets, records
}

func TestBatchesKeepToThePlansLimit(t *testing.T) {
	targets, records := many(450, oldHome)
	h := newHouseIn(t, []sandbox.SeedZone{{Name: "example.com", Plan: "pro", Records: records}}, targets).assume()
	h.runner.API = freePlan{h.client}
	var round ddns.Round
	made := h.calls(func() { round = h.round() })
	if made["batch"] != 3 || made["zones"] != 1 || made["list"] != 2 { // the second list is what still holds the old address
		t.Errorf("calls %v", made)
	}
	if round.Exit() != ddns.ExitRight || len(round.Receipts) != 450 {
		t.Errorf("exit %d, %d receipts", round.Exit(), len(round.Receipts))
	}
	for _, line := range h.records() {
		if !strings.HasSuffix(line, " 45.67.89.10") {
			t.Errorf("left: %s", line)
		}
	}
}

func (f freePlan) Zones(ctx context.Context) ([]ddns.Zone, error) {
	zones, err := f.Client.Zones(ctx)
	for i := range zones {
		zones[i].Plan = "free"
	}
	return zones, err
}

func (m *meddler) Batch(ctx context.Context, z ddns.Zone, b ddns.Batch) (ddns.BatchResult, error) {
	if m.before != nil {
		m.before()
		m.before = nil
	}
	return m.Client.Batch(ctx, z, b)
}

func TestAZoneInTroubleDoesNotHoldUpAnother(t *testing.T) {
	zones := []sandbox.SeedZone{
		{Name: "example.com", Records: []sandbox.SeedRecord{{Type: "A", Name: "home.example.com", Content: oldHome}}},
		{Name: "example.net", Records: []sandbox.SeedRecord{{Type: "A", Name: "home.example.net", Content: oldHome}}},
	}
	targets := []ddns.Target{target("home.example.com", "A"), target("home.example.net", "A"), target("home.example.org", "A")}
	h := newHouseIn(t, zones, targets).assume()
	h.post("/tokens", map[string]any{"zones": []string{"example.net"}})
	round := h.round()
	h.want(round, ddns.ExitPartly, ddns.Refused, ddns.Changed, ddns.Refused)
	if diff := cmp.Diff([]string{"no-zone home.example.com", "no-zone home.example.org"}, codes(round)); diff != "" {
		t.Error(diff)
	}
	h.post("/tokens", map[string]any{})
	h.want(h.round(), ddns.ExitPartly, ddns.Changed, ddns.Right, ddns.Refused)
}

func TestARefusedBatchOfOneZoneAndASilentOtherAreKeptApart(t *testing.T) {
	zones := []sandbox.SeedZone{
		{Name: "example.com", Records: []sandbox.SeedRecord{{Type: "A", Name: "a.example.com", Content: oldHome}, {Type: "A", Name: "b.example.com", Content: oldHome}}},
		{Name: "example.net", Records: []sandbox.SeedRecord{{Type: "A", Name: "home.example.net", Content: oldHome}}},
	}
	bad := target("b.example.com", "A")
	bad.TTL = 7
	h := newHouseIn(t, zones, []ddns.Target{target("a.example.com", "A"), bad, target("home.example.net", "A")}).assume()
	h.runner.API = silentFor{h.client, "example.net"}
	round := h.round()
	h.want(round, ddns.ExitPartly, ddns.Changed, ddns.Refused, ddns.Unreached)
	if len(round.Receipts) != 3 {
		t.Errorf("receipts %+v", round.Receipts)
	}
	h.runner.API = h.client
	h.want(h.round(), ddns.ExitPartly, ddns.Right, ddns.Refused, ddns.Changed)
}

// silentFor gives no answer to the batches of one zone.
type silentFor struct {
	*cfclient.Client
	zone string
}

func (s silentFor) Batch(ctx context.Context, z ddns.Zone, b ddns.Batch) (ddns.BatchResult, error) {
	if z.Name == s.zone {
		return ddns.BatchResult{}, &ddns.Error{Kind: ddns.Uncertain, Op: "change records of " + z.Name, Hint: "it is read"}
	}
	return s.Client.Batch(ctx, z, b)
}

func TestWithoutARollbackFileTheCNAMEStaysAndTheRestIsWritten(t *testing.T) {
	d := deeds()[3]
	h := newHouse(t, []ddns.Target{d.target, target("zz.example.com", "A")}, append(d.seed, sandbox.SeedRecord{Type: "A", Name: "zz.example.com", Content: oldHome})...).assume()
	h.cellar.full, h.runner.Dry = true, true
	h.want(h.round(), ddns.ExitPartly, ddns.Refused, ddns.Changed)
	h.runner.Dry = false
	round := h.round()
	h.want(round, ddns.ExitPartly, ddns.Refused, ddns.Changed)
	if o := round.Outcomes[0]; !strings.Contains(o.Why, "no space left on device; it stays as it is") || !strings.Contains(o.Hint, "state:") {
		t.Errorf("why %q, hint %q", o.Why, o.Hint)
	}
	if diff := cmp.Diff([]string{d.before[0], "zz.example.com A 45.67.89.10"}, h.records()); diff != "" {
		t.Error(diff)
	}
	h.runner.Rollback = nil
	h.want(h.round(), ddns.ExitPartly, ddns.Refused, ddns.Right)
	h.runner.Rollback, h.cellar.full = h.cellar, false
	h.want(h.round(), ddns.ExitRight, ddns.Changed, ddns.Right)
	if len(h.cellar.kept) != 1 || h.cellar.kept[0].Content != "myhome.duckdns.org" || !h.cellar.kept[0].Proxied {
		t.Errorf("kept %+v", h.cellar.kept)
	}
}

func TestTheOldRecordIsKeptBeforeTheFirstWrite(t *testing.T) {
	d := deeds()[3]
	h := newHouse(t, []ddns.Target{d.target}, d.seed...).assume()
	kept := 0
	h.runner.API = &meddler{Client: h.client, before: func() { kept = len(h.cellar.kept) }}
	h.want(h.round(), ddns.ExitRight, ddns.Changed)
	if kept != 1 {
		t.Error("the batch was sent before the old record was kept")
	}
}

func TestADryRoundWritesNothing(t *testing.T) {
	for _, d := range deeds() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, []ddns.Target{d.target}, d.seed...).assume()
			h.runner.Dry = true
			before := h.past.Memory
			var round ddns.Round
			if made := h.calls(func() { round = h.round() }); made["batch"] != 0 || len(h.cellar.kept) != 0 {
				t.Errorf("calls %v, kept %v", made, h.cellar.kept)
			}
			h.want(round, ddns.ExitRight, ddns.Changed)
			if len(round.Receipts) != 1 || round.Receipts[0].State != ddns.Planned {
				t.Errorf("receipts %+v", round.Receipts)
			}
			if after := h.past.Memory; len(after.Kept) != len(before.Kept) || len(after.IPv4.Confirmed) != 0 {
				t.Errorf("a dry round is remembered: %+v", after)
			}
		})
	}
}

func TestATokenThatMayNoLongerWriteShowsInTheDrill(t *testing.T) {
	h := newHouse(t, []ddns.Target{target("home.example.com", "A")}, sandbox.SeedRecord{Type: "A", Name: "home.example.com", Content: "45.67.89.10"}).assume()
	h.runner.Drill = 30 * 24 * time.Hour
	drill := func(want ...string) {
		t.Helper()
		round := h.round()
		h.want(round, ddns.ExitRight, ddns.Right)
		if diff := cmp.Diff(want, codes(round)); diff != "" {
			t.Error(diff)
		}
	}
	drill()
	h.ahead = 31 * 24 * time.Hour
	h.post("/tokens", map[string]any{"read_only": true})
	drill("permission example.com")
	h.fault("batch", "drop", 1)
	drill()
	drill("permission example.com") // what nobody answered proved nothing
	h.post("/tokens", map[string]any{})
	if made := h.calls(func() { drill() }); made["batch"] != 1 {
		t.Errorf("calls %v", made)
	}
	if made := h.calls(func() { drill() }); made["batch"] != 0 {
		t.Errorf("a drill that was proved is repeated: %v", made)
	}
}

func TestAnEndedContextEndsTheRoundAndKeepsTheDoubt(t *testing.T) {
	d := deeds()[1]
	h := newHouse(t, []ddns.Target{d.target}, d.seed...).assume()
	h.patience(10 * time.Minute)
	h.fault("batch", "hang", 1)
	ctx, stop := context.WithCancel(t.Context())
	h.runner.API = &meddler{Client: h.client, before: func() { time.AfterFunc(50*time.Millisecond, stop) }}
	began := time.Now()
	h.want(h.roundIn(ctx), ddns.ExitUnreached, ddns.Unreached)
	if took := time.Since(began); took > time.Minute {
		t.Errorf("ended after %v", took)
	}
	h.patience(time.Minute)
	h.want(h.round(), ddns.ExitRight, ddns.Changed)
}

func TestAnAAndAnAAAATakeACNAMEsPlaceInOneTransaction(t *testing.T) {
	a, aaaa := target("www.example.com", "A"), target("www.example.com", "AAAA")
	a.ReplaceHop, aaaa.ReplaceHop = true, true
	aaaa.TTL = 7
	h := newHouse(t, []ddns.Target{target("home.example.com", "A"), a, aaaa}, atOld, sandbox.SeedRecord{Type: "CNAME", Name: "www.example.com", Content: "myhome.duckdns.org"})
	h.ask(ddns.IPv4, ddns.IPv6)
	h.world.SetWAN(homeA, netip.MustParseAddr(home6))
	h.want(h.round(), ddns.ExitPartly, ddns.Changed, ddns.Refused, ddns.Refused)
	if diff := cmp.Diff([]string{"home.example.com A 45.67.89.10", "www.example.com CNAME myhome.duckdns.org"}, h.records()); diff != "" {
		t.Error(diff)
	}
	h.runner.Targets[2].TTL = 0
	h.ahead = time.Hour + time.Minute
	h.want(h.round(), ddns.ExitRight, ddns.Right, ddns.Changed, ddns.Changed)
}

// liar is a resolver that answers one address for every host.
type liar struct{ says netip.Addr }

func (l liar) Lookup(_ context.Context, f ddns.Family, _ string) ([]netip.Addr, error) {
	if f != ddns.FamilyOf(l.says) {
		return nil, nil
	}
	return []netip.Addr{l.says}, nil
}

func TestAResolverThatLiesReplacesNoCNAME(t *testing.T) {
	replaced := target("www.example.com", "A")
	replaced.ReplaceHop = true
	h := newHouse(t, []ddns.Target{replaced}, sandbox.SeedRecord{Type: "CNAME", Name: "www.example.com", Content: "somebody.duckdns.org"})
	h.runner.Assume, h.runner.Resolver = homeA, liar{homeA}
	round := h.round()
	h.want(round, ddns.ExitRefused, ddns.Refused)
	if why := round.Outcomes[0].Why; !strings.Contains(why, "leads elsewhere") || !strings.Contains(why, "does not exist") {
		t.Error(why)
	}
	h.runner.Prover.Resolvers = nil // nobody can be asked over HTTPS
	round = h.round()
	h.want(round, ddns.ExitHeld, ddns.Held)
	if why := round.Outcomes[0].Why; !strings.Contains(why, "could not be asked over HTTPS") {
		t.Error(why)
	}
	if len(round.Receipts) > 0 {
		t.Error("something was written")
	}
}
