package notify

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cfddns/cfddns/ddns"
)

var began = time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)

func TestAConditionIsToldAfterItsPatience(t *testing.T) {
	cases := []struct {
		name string
		c    ddns.Condition
		told time.Duration // after which it is due; negative: never
	}{
		{"a refused token at once", raised(ddns.CodeToken, "", began), 0},
		{"a CNAME in the way at once", raised(ddns.CodeCNAME, "a A", began), 0},
		{"a name that is contradicted after a minute", raised(ddns.CodeContradicted, "a A", began), time.Minute},
		{"no quorum after ten minutes", raised(ddns.CodeNoQuorum, "ipv4", began), 10 * time.Minute},
		{"a split after ten minutes", raised(ddns.CodeSplit, "ipv4", began), 10 * time.Minute},
		{"a code of a later release after ten minutes", raised("something-new", "", began), 10 * time.Minute},
		{"an API that does not answer after half an hour", raised(ddns.CodeUnreachable, "", began), 30 * time.Minute},
		{"what was left behind after a day", raised(ddns.CodeLeftBehind, "a A", began), 24 * time.Hour},
		{"a shared name after a day", raised(ddns.CodeShared, "a A", began), 24 * time.Hour},
		{"NAT66 after a day", raised(ddns.CodeNAT66, "ipv6", began), 24 * time.Hour},
		{"a token that ends in two weeks after a day", ddns.Condition{Code: ddns.CodeTokenExpires, Severity: ddns.Warning, Since: began}, 24 * time.Hour},
		{"a token that ends in three days at once", raised(ddns.CodeTokenExpires, "", began), 0},
		{"a thin roster after a day", raised(ddns.CodeRosterThin, "ipv4", began), 24 * time.Hour},
		{"a notice never", ddns.Condition{Code: ddns.CodeToken, Severity: ddns.Notice, Since: began}, -1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			due := func(after time.Duration) bool {
				return len(told{}.raise(roundAt("1", began, c.c), began.Add(after))) > 0
			}
			if c.told < 0 {
				if due(1000 * time.Hour) {
					t.Error("it was told")
				}
				return
			}
			if c.told > 0 && due(c.told-1) || !due(c.told) {
				t.Error("it was told too early, or too late")
			}
			if next := (told{}).next(roundAt("1", began, c.c), began); c.told > 0 && next != min(c.told, time.Hour) {
				t.Errorf("the next look is after %v", next)
			}
		})
	}
}

func TestAConditionIsToldOnceAndClearedOnlyIfTold(t *testing.T) {
	token, split := raised(ddns.CodeToken, "", began), raised(ddns.CodeSplit, "ipv4", began)
	told := told{}
	round := roundAt("1", began, token, split)
	due := told.raise(round, began)
	if diff := cmp.Diff([]ddns.Condition{token}, due); diff != "" {
		t.Fatal(diff)
	}
	told.mark(due, true)
	if due := told.raise(round, began.Add(time.Minute)); len(due) > 0 {
		t.Error("told twice:", due)
	}
	if gone := told.clear(round.Conditions); len(gone) > 0 {
		t.Error("cleared while it stands:", gone)
	}
	if diff := cmp.Diff([]ddns.Condition{token}, told.clear(nil)); diff != "" {
		t.Error("cleared:", diff)
	}
	if gone := told.clear(nil); len(gone) > 0 {
		t.Error("cleared twice:", gone)
	}
	if due := told.raise(round, began.Add(time.Minute)); len(due) != 1 {
		t.Error("it came back and was not told")
	}
}

func TestACommandThatFailsIsTriedThreeTimes(t *testing.T) {
	round, told := roundAt("1", began, raised(ddns.CodeToken, "", began)), told{}
	tries := 0
	for range 10 {
		if due := told.raise(round, began); len(due) > 0 {
			told.mark(due, false)
			tries++
		}
	}
	if tries != triesMost {
		t.Errorf("%d tries", tries)
	}
	if gone := told.clear(nil); len(gone) > 0 {
		t.Error("nobody was told of it, and it was cleared")
	}
}

func TestAHomeThatIsOfflineIsNotToldSo(t *testing.T) {
	silent := []ddns.Verdict{{Observations: []ddns.Observation{{Err: errors.New("no answer")}}}}
	cases := []struct {
		name   string
		change func(*ddns.Round)
		told   int
	}{
		{"everybody is silent", func(*ddns.Round) {}, 0},
		{"one source answered", func(r *ddns.Round) { r.Verdicts = roundAt("", began).Verdicts }, 1},
		{"Cloudflare was read in this round", func(r *ddns.Round) { r.Found.Zones = []ddns.ZoneFacts{{ReadAt: began}} }, 1},
		{"Cloudflare was read in an earlier round", func(r *ddns.Round) { r.Found.Zones = []ddns.ZoneFacts{{ReadAt: began.Add(-1)}} }, 0},
		{"a nameserver answered", func(r *ddns.Round) { r.Proofs = []ddns.Proof{{Outcome: ddns.ProofSeen}} }, 1},
		{"a nameserver could not be asked", func(r *ddns.Round) { r.Proofs = []ddns.Proof{{Outcome: ddns.ProofUnasked}} }, 0},
		{"a refused token stands, which is no matter of the line", func(r *ddns.Round) { r.Conditions = []ddns.Condition{raised(ddns.CodeToken, "", began)} }, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			round := roundAt("1", began, raised(ddns.CodeNoQuorum, "ipv4", began))
			round.Verdicts = silent
			c.change(&round)
			if due := (told{}).raise(round, began.Add(time.Hour)); len(due) != c.told {
				t.Errorf("told: %v", due)
			}
		})
	}
	t.Run("what was told before the line went down is not cleared by it", func(t *testing.T) {
		round := roundAt("1", began, raised(ddns.CodeNoQuorum, "ipv4", began))
		told := told{}
		told.mark(round.Conditions, true)
		round.Verdicts = silent
		if gone := told.clear(round.Conditions); len(gone) > 0 {
			t.Error(gone)
		}
	})
}

func TestManyConditionsOfOneCodeAreOneMessage(t *testing.T) {
	var many []ddns.Condition
	for i := range 7 {
		many = append(many, raised(ddns.CodeRefused, fmt.Sprintf("n%d A", i), began.Add(-time.Duration(i))))
	}
	token := raised(ddns.CodeToken, "", began)
	bundles := bundled(append(many, token))
	if len(bundles) != 2 || len(bundles[0].of) != 7 || len(bundles[1].of) != 1 {
		t.Fatalf("%+v", bundles)
	}
	want := ddns.Condition{Code: ddns.CodeRefused, Severity: ddns.Alarm, Title: "7 names, n0 A, n1 A and others; of the first: title", Hint: "hint", Since: began.Add(-6)}
	if diff := cmp.Diff(want, bundles[0].condition); diff != "" {
		t.Error(diff)
	}
	if got := bundled(many[:bundleOver]); len(got) != bundleOver {
		t.Errorf("%d of them made %d messages", bundleOver, len(got))
	}
}
