package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cfddns/cfddns/ddns"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
)

// rollbacks [DIR] goes the way back of every rollback file of a directory, or
// below HOME, the newest first. What that printed is in the file back.
func rollbacks(ts *testscript.TestScript, _ bool, args []string) {
	dir := append(args, ".local/state/cfddns")[0]
	files, err := filepath.Glob(filepath.Join(ts.MkAbs(dir), "rollback-*.json"))
	ts.Check(err)
	var said strings.Builder
	for _, file := range slices.Backward(files) {
		err := ts.Exec("cfddns", "migrate", "--config", "c.yaml", "--rollback", file)
		said.WriteString(ts.ReadFile("stdout") + ts.ReadFile("stderr"))
		ts.Check(err)
	}
	ts.Check(os.WriteFile(ts.MkAbs("back"), []byte(said.String()), 0o600))
}

// sameworld FILE fails unless the records are those of an earlier answer, but
// for who made them and when, and those of home.example.com, which is kept.
func sameWorld(ts *testscript.TestScript, _ bool, args []string) {
	control(ts, false, []string{"GET", "/world"})
	if diff := cmp.Diff(fieldByField(ts.ReadFile(args[0])), fieldByField(ts.ReadFile("answer"))); diff != "" {
		ts.Fatalf("the records differ (-before +now):\n%s", diff)
	}
}

// fieldByField are the records of a world, one line each, sorted, but for the
// one that the daemon of the test keeps.
func fieldByField(world string) (lines []string) {
	var w struct{ Records map[string][]map[string]any }
	if err := json.Unmarshal([]byte(world), &w); err != nil {
		return []string{err.Error()}
	}
	for _, zone := range w.Records {
		for _, r := range zone {
			for _, field := range []string{"id", "created_on", "modified_on", "comment_modified_on", "tags_modified_on"} {
				delete(r, field)
			}
			if text, err := json.Marshal(r); err == nil && r["name"] != "home.example.com" {
				lines = append(lines, string(text))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func TestFlagsOfAMigration(t *testing.T) {
	for _, row := range []struct {
		name  string
		flags migrateFlags
		names []string
		want  string // in the error; empty: none
	}{
		{"nothing", migrateFlags{}, nil, ""},
		{"a known host", migrateFlags{from: []string{"MyHome.DuckDNS.org."}}, nil, ""},
		{"a host of another kind", migrateFlags{from: []string{"shops.myshopify.com"}}, nil, "no dynamic DNS host"},
		{"no host", migrateFlags{from: []string{"1.2.3.4"}}, nil, "--from"},
		{"no name to point at", migrateFlags{via: "home"}, nil, "--via"},
		{"many names to point at", migrateFlags{via: "*.example.com"}, nil, "write one, such as home.example.com"},
		{"how one is served", migrateFlags{via: "home.example.com", proxied: ddns.SetFalse}, nil, ""},
		{"how nothing is served", migrateFlags{proxied: ddns.SetTrue}, nil, "without --via"},
		{"the way back, served otherwise", migrateFlags{rollback: "f", proxied: ddns.SetTrue}, nil, "--rollback takes the file alone"},
		{"the way back of some names", migrateFlags{rollback: "f"}, []string{"a.example.com"}, "--rollback takes the file alone"},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := row.flags.check(row.names)
			if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
				t.Errorf("%v, want %q", err, row.want)
			}
		})
	}
}

// The rollback file was written for all names at once: what a round is about
// to replace must be in it as it stands.
func TestTheRollbackFileHoldsWhatIsReplaced(t *testing.T) {
	r := ddns.Record{ID: "1", Name: "a.example.com", Content: "x.duckdns.org"}
	k := kept{"file", []ddns.Record{r}}
	if where, err := k.Keep([]ddns.Record{r}); where != "file" || err != nil {
		t.Errorf("%s, %v", where, err)
	}
	r.Content = "y.duckdns.org"
	if _, err := k.Keep([]ddns.Record{r}); err == nil {
		t.Error("a record that changed since is not in the file")
	}
}

func TestWhatTheDaemonMustShow(t *testing.T) {
	report := ddns.Report{Targets: []ddns.TargetReport{{Name: "a", Type: "A", State: ddns.Right}, {Name: "a", Type: "AAAA", State: ddns.Refused}, {Name: "b", State: ddns.Changed}, {Name: "c", State: ddns.Contradicted}}}
	for name, want := range map[string]string{"a": "a is refused", "b": "", "c": "", "d": "d is not listed"} {
		got := ""
		if err := listed(report, []string{name}); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestExitCodesOfAMigration(t *testing.T) {
	row := func(state ddns.TargetState) *migrateRow { return &migrateRow{outcome: ddns.Outcome{State: state}} }
	for _, c := range []struct {
		name string
		m    migration
		want int
	}{
		{"nothing hops", migration{}, ddns.ExitRight},
		{"a plan", migration{rows: []*migrateRow{row(ddns.Changed)}}, ddns.ExitRight},
		{"a plan with a refusal", migration{rows: []*migrateRow{row(ddns.Changed), row(ddns.Refused)}}, ddns.ExitPartly},
		{"all refused", migration{rows: []*migrateRow{row(ddns.Refused)}}, ddns.ExitRefused},
		{"no address", migration{rows: []*migrateRow{row(ddns.Held)}}, ddns.ExitHeld},
		{"a zone that cannot be read", migration{failed: map[string]error{"z": errors.New("no")}}, ddns.ExitUnreached},
		{"all right, and nobody keeps it", migration{flags: migrateFlags{apply: true}, rows: []*migrateRow{row(ddns.Right)}}, ddns.ExitPartly},
		{"all right, and kept", migration{flags: migrateFlags{apply: true}, rows: []*migrateRow{row(ddns.Right)}, keep: keeping{waited: true}}, ddns.ExitRight},
	} {
		if got := c.m.exit(); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
