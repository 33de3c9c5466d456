package ddns_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// Whoever asks wants to know what stands now.
func TestAPersonIsAnsweredByWhatStandsNow(t *testing.T) {
	const strange = "45.67.99.99"
	refused := &ddns.Error{Kind: ddns.TokenRefused, Op: "list records", Status: 401, Err: errors.New("revoked")}
	edit := func(h *littleHome) { h.records[0].Content = strange }
	for _, tt := range []struct {
		name  string
		wish  func(*ddns.Loop, context.Context) (ddns.Round, error)
		is    func(h *littleHome)
		state ddns.TargetState
		reads int
	}{
		{"a person, after an edit by hand", recheck, edit, ddns.Changed, 1},
		{"a person, after the token was revoked", recheck, func(h *littleHome) { h.api = refused }, ddns.Refused, 1},
		{"a person, where all is as it was", recheck, func(*littleHome) {}, ddns.Right, 1},
		{"a hook reads nothing", wake, edit, ddns.Right, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newLittleHome()
				loop, _ := h.live(t, h.every(20*time.Minute))
				after(5 * time.Minute)
				before := h.count(func(h *littleHome) int { return h.reads })
				h.set(tt.is)
				round, err := tt.wish(loop, t.Context())
				if err != nil || round.Outcomes[0].State != tt.state {
					t.Errorf("told %+v, %v, want %s", round.Outcomes, err, tt.state)
				}
				if got := h.count(func(h *littleHome) int { return h.reads }) - before; got != tt.reads {
					t.Errorf("%d readings, want %d", got, tt.reads)
				}
				if old := round.ReadAt().Before(round.Started); tt.state == ddns.Right && old != (tt.reads == 0) {
					t.Errorf("a round of %s says that the records were read at %s", round.Started, round.ReadAt())
				}
			})
		})
	}
}

func recheck(l *ddns.Loop, ctx context.Context) (ddns.Round, error) {
	return l.RecheckOut(ctx, ddns.ByPoke)
}
func wake(l *ddns.Loop, ctx context.Context) (ddns.Round, error) { return l.WakeOut(ctx, ddns.ByPoke) }

// A script that asks in a loop must not use up what Cloudflare allows.
func TestThereAreOnlySoManyReadingsForAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		loop, _ := h.live(t, h.every(20*time.Minute))
		after(5 * time.Minute)
		before, began := h.count(func(h *littleHome) int { return h.reads }), time.Now()
		old := 0
		for time.Since(began) < 50*time.Second {
			round, err := loop.RecheckOut(t.Context(), ddns.ByPoke)
			if err != nil {
				t.Fatal(err)
			}
			if round.ReadAt().Before(round.Started) {
				old++
			}
			loop.Recheck(t.Context(), ddns.BySignal)
		}
		if got := h.count(func(h *littleHome) int { return h.reads }) - before; got != 6 {
			t.Errorf("%d readings within a minute, want 6", got)
		}
		if old == 0 {
			t.Error("no round says that it rests on an older reading")
		}
		after(time.Minute)
		h.set(func(h *littleHome) { h.records[0].Content = "45.67.99.99" })
		if round, err := loop.RecheckOut(t.Context(), ddns.ByPoke); err != nil || round.Outcomes[0].State != ddns.Changed {
			t.Errorf("a minute later: %+v, %v", round.Outcomes, err)
		}
	})
}

func TestHowANameStandsAfterARound(t *testing.T) {
	noon := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	zone := ddns.Zone{ID: "z", Name: "example.com"}
	home := target("home.example.com", "A")
	record := func(content string) *ddns.Record {
		return &ddns.Record{ID: "1", Name: home.Name, Type: "A", Content: content, TTL: 60}
	}
	hop := &ddns.Record{ID: "2", Name: home.Name, Type: "CNAME", Content: "x.duckdns.org", Proxied: true}
	found := func(records ...ddns.Record) ddns.Found {
		return ddns.Found{Zones: []ddns.ZoneFacts{{Zone: zone, Records: records, Whole: true, ReadAt: noon}}}
	}
	unread := ddns.Found{Zones: []ddns.ZoneFacts{{Zone: zone, Records: []ddns.Record{*record("45.67.90.77")}}}}
	kept := ddns.Memory{Kept: map[string]ddns.Kept{home.Key(): {Address: homeA, At: noon.Add(-time.Hour)}}}
	moved := ddns.Memory{Kept: kept.Kept, Contests: map[string]ddns.Contest{home.Key(): {PutBack: 1, LastPut: noon.Add(-time.Hour), Moved: noon.Add(-time.Minute), Theirs: "45.67.99.99"}}}
	changed := func(op ddns.Op, before, after *ddns.Record) []ddns.Receipt {
		return []ddns.Receipt{{State: ddns.Confirmed, Change: ddns.Change{Op: op, Target: home, Before: before, After: after, Why: "holds 45.67.89.10, the home is at 45.67.90.77"}}}
	}
	for _, tt := range []struct {
		name     string
		state    ddns.TargetState
		found    ddns.Found
		memory   ddns.Memory
		receipts []ddns.Receipt
		holds    []string
		known    bool
		asOf     time.Time
		why      string
	}{
		{"right", ddns.Right, found(*record("45.67.89.10")), kept, nil, []string{"45.67.89.10"}, true, noon, "why"},
		{"changed", ddns.Changed, found(*record("45.67.90.77")), kept, changed(ddns.Update, record("45.67.89.10"), record("45.67.90.77")),
			[]string{"45.67.90.77"}, true, noon, "holds 45.67.90.77 now; it held 45.67.89.10"},
		{"made", ddns.Changed, found(*record("45.67.90.77")), kept, changed(ddns.Create, nil, record("45.67.90.77")),
			[]string{"45.67.90.77"}, true, noon, "holds 45.67.90.77 now; there was none; this home's address is public there now"},
		{"in place of a hop", ddns.Changed, found(*record("45.67.90.77")), kept, changed(ddns.Replace, hop, record("45.67.90.77")),
			[]string{"45.67.90.77"}, true, noon, "holds 45.67.90.77 now, in place of CNAME x.duckdns.org; this home's address is public there now"},
		{"refused, and it could be read", ddns.Refused, found(*hop), kept, nil, []string{"CNAME x.duckdns.org"}, true, noon, "why"},
		{"there is nothing", ddns.Held, found(), kept, nil, nil, true, noon, "why"},
		{"it could not be read", ddns.Unreached, unread, kept, nil, []string{"45.67.89.10"}, false, noon.Add(-time.Hour), "why"},
		{"it could not be read, and somebody had moved it", ddns.Unreached, unread, moved, nil, []string{"45.67.99.99"}, false, noon.Add(-time.Minute), "why"},
		{"it was never seen", ddns.Unreached, unread, ddns.Memory{}, nil, nil, false, time.Time{}, "why"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := ddns.Round{Started: noon, Found: tt.found, Receipts: tt.receipts, Outcomes: []ddns.Outcome{{Target: home, State: tt.state, Why: "why"}}}
			s := ddns.Standings(r, ddns.Past{Memory: tt.memory})[0]
			if !slices.Equal(s.Holds, tt.holds) || s.Known != tt.known || !s.AsOf.Equal(tt.asOf) || s.Why != tt.why {
				t.Errorf("got  %+v\nwant %q known %t as of %s: %s", s, tt.holds, tt.known, tt.asOf, tt.why)
			}
			published, known := ddns.Published(ddns.IPv4, []ddns.Standing{s})
			if slices.ContainsFunc(published, func(a netip.Addr) bool { return !slices.Contains(tt.holds, a.String()) }) || known != tt.known {
				t.Errorf("published %s, known %t", published, known)
			}
		})
	}
}
