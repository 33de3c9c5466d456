package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/journal"
	"github.com/cfddns/cfddns/needs"
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

// Whoever made the spare directory could keep all news from us.
func TestASpareDirectoryOfAStrangerTellsNothing(t *testing.T) {
	needs.Root(t)
	for name, row := range map[string]struct {
		uid   int
		mode  os.FileMode
		heard bool
	}{
		"this user's, and closed":   {0, 0o700, true},
		"this user's, open to all":  {0, 0o777, false},
		"another user's":            {65534, 0o700, false},
		"another user's, to be fed": {65534, 0o777, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := newsMemory{state: "/dev/null", spare: filepath.Join(t.TempDir(), "spare")}
			trouble := journal.Told{Wrong: time.Unix(1, 0).UTC(), What: "trouble", At: time.Unix(1, 0).UTC()}
			content := `{"wrong":"1970-01-01T00:00:01Z","what":"trouble","at":"1970-01-01T00:00:01Z"}`
			file := filepath.Join(m.spare, "told.json")
			err := errors.Join(os.Mkdir(m.spare, 0o700), os.WriteFile(file, []byte(content), 0o600),
				os.Chown(file, row.uid, row.uid), os.Chmod(m.spare, row.mode), os.Chown(m.spare, row.uid, row.uid))
			if err != nil {
				t.Fatal(err)
			}
			if got := m.told(); (got == trouble) != row.heard {
				t.Errorf("it is told %v", got)
			}
			if err := m.keep(journal.Told{}); (err == nil) != row.heard {
				t.Errorf("to remember there says %v", err)
			}
			if after, err := os.ReadFile(file); err != nil || (string(after) == content) == row.heard {
				t.Errorf("the file holds %s, %v", after, err)
			}
		})
	}
}
