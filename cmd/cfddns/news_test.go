package main

import (
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/journal"
)

// A night of cron, every ten minutes: which of its runs are mailed?
func TestOnlyNewsAreMailed(t *testing.T) {
	type run struct {
		trouble string
		code    int
		told    string // "begun", "over", or nothing
	}
	const down, refused = "held A", "refused A"
	again := func(n int, r run) (runs []run) {
		for range n {
			runs = append(runs, r)
		}
		return runs
	}
	well := run{"", ddns.ExitRight, ""}
	tests := map[string][]run{
		"all is well":                             again(10, well),
		"a line that is down for one run":         {well, {down, ddns.ExitHeld, ""}, well, {down, ddns.ExitUnreached, ""}, well},
		"a line that is down for longer":          {{down, ddns.ExitHeld, ""}, {down, ddns.ExitHeld, "begun"}, {down, ddns.ExitHeld, ""}, {"", 0, "over"}, well},
		"what passes is another thing each time":  {{"a", ddns.ExitHeld, ""}, {"b", ddns.ExitUnreached, "begun"}, {"c", ddns.ExitHeld, "begun"}},
		"a refusal is told at once":               {{refused, ddns.ExitRefused, "begun"}, {refused, ddns.ExitRefused, ""}, {"", 0, "over"}},
		"a warning while all is right":            {{"warning", ddns.ExitRight, "begun"}, {"warning", ddns.ExitRight, ""}, {"", 0, "over"}},
		"one trouble after another":               {{refused, ddns.ExitRefused, "begun"}, {"usage", ddns.ExitUsage, "begun"}, {"usage", ddns.ExitUsage, ""}},
		"a day of it, and ten minutes":            append(append([]run{{refused, ddns.ExitRefused, "begun"}}, again(143, run{refused, ddns.ExitRefused, ""})...), run{refused, ddns.ExitRefused, "begun"}, run{refused, ddns.ExitRefused, ""}),
		"a line that is down when it was refused": {{refused, ddns.ExitRefused, "begun"}, {down, ddns.ExitHeld, "begun"}, {"", 0, "over"}},
	}
	for name, runs := range tests {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2026, 11, 24, 22, 0, 0, 0, time.UTC)
			var told journal.Told
			for i, r := range runs {
				next, begun, over := tell(told, r.trouble, r.code, now)
				got := map[[2]bool]string{{true, false}: "begun", {false, true}: "over", {true, true}: "both"}[[2]bool{begun, over}]
				if got != r.told {
					t.Fatalf("run %d (%q) told %q, want %q", i, r.trouble, got, r.told)
				}
				told, now = next, now.Add(10*time.Minute)
			}
		})
	}
}

func TestAClockThatWasSetBackHidesNoNews(t *testing.T) {
	now := time.Date(2026, 11, 24, 22, 0, 0, 0, time.UTC)
	told, _, _ := tell(journal.Told{}, "refused A", ddns.ExitRefused, now)
	if _, begun, _ := tell(told, "refused A", ddns.ExitRefused, now.Add(-time.Hour)); !begun {
		t.Error("what was told in the future is not told now")
	}
}
