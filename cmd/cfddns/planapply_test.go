package main

import (
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cfddns/cfddns/ddns"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A plan is what the apply does: these properties run the program itself on
// random worlds, dry and for good, and compare what it said with what it did.

// said is what a document says of one name: the state, and what explains it.
type said struct {
	Name, Type, State, Why, Hint string
}

// plannedRound is what both documents have, as far as the properties need it.
type plannedRound struct {
	Targets    []said
	Names      []said
	Changes    []ddns.ChangeReport
	Conditions []ddns.Condition
	Exit       int
	Error      string
	Hint       string
}

// outcomes are the conditions that a plan can know, without their beginning.
func (r plannedRound) outcomes() (lines []string) {
	for _, c := range r.Conditions {
		if !slices.Contains([]ddns.Code{ddns.CodeLeftBehind, ddns.CodeTokenExpires}, c.Code) { // what is looked at after writing
			lines = append(lines, fmt.Sprintf("%s %s: %s (%s)", c.Code, c.Name, c.Title, c.Hint))
		}
	}
	return lines
}

// worlds sets how many worlds are drawn, unless a person said it: each runs the
// program several times.
func worlds(t *testing.T, n int) {
	t.Helper()
	if testing.Short() {
		n = 3
	}
	checks := flag.Lookup("rapid.checks")
	if before := checks.Value.String(); before == checks.DefValue {
		t.Cleanup(func() { _ = checks.Value.Set(before) })
		if err := checks.Value.Set(strconv.Itoa(n)); err != nil {
			t.Fatal(err)
		}
	}
}

// holdsAsPlanned fails unless the plan and what was done say the same, and the
// world holds it.
func (s *worldRun) holdsAsPlanned(plan, done plannedRound, word string) {
	if plan.Exit != done.Exit {
		s.Fatalf("%s: the plan ended with %d, the apply with %d\nplan  %+v\napply %+v", word, plan.Exit, done.Exit, plan, done)
	}
	if diff := cmp.Diff(append(plan.Targets, plan.Names...), append(done.Targets, done.Names...)); diff != "" {
		s.Fatalf("%s (-plan +apply):\n%s", word, diff)
	}
	if diff := cmp.Diff(plan.outcomes(), done.outcomes()); diff != "" {
		s.Fatalf("%s: conditions (-plan +apply):\n%s", word, diff)
	}
	stands := s.records()
	for _, c := range done.Changes {
		if c.Receipt != ddns.Confirmed {
			s.Fatalf("%s: %s %s %s is %s: %s", word, c.Op, c.Name, c.Type, c.Receipt, c.Error)
		}
	}
	for _, c := range plan.Changes {
		if c.After == nil {
			continue
		}
		if line := spellRecord(c.Name, c.After.Type, c.After.Content, c.After.Proxied, c.After.TTL, c.After.Comment); !stands[line] {
			s.Fatalf("%s: planned %s, and there stands %v", word, line, stands)
		}
	}
}

func TestOnceDoesWhatItsPlanSays(t *testing.T) {
	worlds(t, 30)
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		s := drawWorld(t).stand(t, dir)
		defer s.close()
		var plan, done plannedRound
		s.asJSON(&plan, "once", "--dry-run")
		s.asJSON(&done, "once")
		s.holdsAsPlanned(plan, done, "once")
	})
}

// drawMigration draws what a person may ask of migrate.
func drawMigration(t *rapid.T) (args []string) {
	switch via := rapid.SampledFrom([]string{"", "", "new.example.com", "*.example.com", "nozone.tld", "name"}).Draw(t, "via"); via {
	case "":
	case "name":
		args = append(args, "--via", rapid.SampledFrom(worldNames).Draw(t, "via name"))
	default:
		args = append(args, "--via", via)
	}
	if len(args) > 0 {
		if p := rapid.SampledFrom([]string{"", "", "--proxied", "--proxied=false"}).Draw(t, "via proxied"); p != "" {
			args = append(args, p)
		}
	}
	for _, host := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"myhome.duckdns.org", "theirs.duckdns.org", "nobody.duckdns.org", "away.duckdns.org"}), 0, 2, rapid.ID).Draw(t, "from") {
		args = append(args, "--from", host)
	}
	if rapid.Bool().Draw(t, "all") {
		return args
	}
	return append(args, rapid.SliceOfNDistinct(rapid.SampledFrom(worldNames), 0, 3, rapid.ID).Draw(t, "names")...)
}

func TestMigrateDoesWhatItsPlanSays(t *testing.T) {
	worlds(t, 30)
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		s := drawWorld(t).stand(t, dir)
		defer s.close()
		args := append([]string{"migrate", "--no-config"}, drawMigration(t)...)
		var plan, done plannedRound
		s.asJSON(&plan, args...)
		s.asJSON(&done, append(args, "--apply")...)
		for i := range done.Names { // a command of the apply applies
			done.Names[i].Hint = strings.ReplaceAll(done.Names[i].Hint, "migrate --config "+s.config()+" --apply", "migrate --config "+s.config())
		}
		for i := range plan.Names {
			plan.Names[i].Hint = strings.ReplaceAll(plan.Names[i].Hint, "migrate --config "+s.config()+" --apply", "migrate --config "+s.config())
		}
		s.holdsAsPlanned(plan, done, strings.Join(args, " "))
		if plan.Error != done.Error || plan.Hint != done.Hint {
			t.Fatalf("%v: the plan says %q, the apply %q", args, plan.Error, done.Error)
		}
	})
}

// suggested finds the commands that a text tells a person to run.
var suggested = regexp.MustCompile(`cfddns (?:migrate|once|check|ip)(?: --config \S+)?(?: (?:--?[a-z-]+(?:=\S+)?|'[^']*'|[A-Za-z0-9._/:*-]+[A-Za-z0-9]))*`)

// commandsIn are the commands in a text, each once, without those that a person
// can run only later: the way back of a file that is not yet written.
func commandsIn(text string) (commands []string) {
	for _, line := range strings.Split(text, "\n") {
		for _, command := range suggested.FindAllString(line, -1) {
			if !strings.Contains(command, "rollback-TIME") && !strings.Contains(line, "update it once") && !slices.Contains(commands, command) {
				commands = append(commands, command)
			}
		}
	}
	return commands
}

// wordsOf are the arguments of a command, as a shell would give them.
func wordsOf(command string) []string {
	words := strings.Fields(command)[1:]
	for i, word := range words {
		words[i] = strings.Trim(word, "'")
	}
	return words
}

// Every command that a plan suggests is accepted as it is printed, and is not
// answered by the same suggestion again.
func TestSuggestedCommandsWork(t *testing.T) {
	worlds(t, 30)
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		args := append([]string{"migrate"}, drawMigration(t)...)
		if rapid.Bool().Draw(t, "once") {
			args = []string{"once", "--dry-run"}
		}
		s := w.stand(t, dir)
		_, out, wrong := s.run(append(args, "--config", s.config())...)
		s.close()
		for _, command := range commandsIn(out + "\n" + wrong) {
			if !strings.Contains(command, "--config "+s.config()) {
				t.Fatalf("%v suggests %q, which is run with another configuration", args, command)
			}
			s := w.stand(t, dir)
			code, out, wrong := s.run(wordsOf(command)...)
			s.close()
			if code == ddns.ExitUsage || code == ddns.ExitUnexpected {
				t.Fatalf("%v suggests %q, which ends with %d\n%s%s", args, command, code, out, wrong)
			}
			if strings.Contains(command, "--apply") || strings.Contains(command, "--proxied") {
				if slices.Contains(commandsIn(out+"\n"+wrong), command) {
					t.Fatalf("%v suggests %q, which suggests itself\n%s%s", args, command, out, wrong)
				}
			}
		}
	})
}
