package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cfddns/cfddns/ddns"
)

// spokenTexts are texts as people and servers write them: words of some length, in
// scripts of one and of two columns.
var spokenTexts = rapid.Custom(func(t *rapid.T) string {
	words := rapid.SliceOfN(rapid.SampledFrom([]string{"the", "home.example.com", "does", "not", "answer", "45.67.89.10", "이름은", "집입니다", "ウェブ", "e\u0301te\u0301", "2a01:4f8:c17:1::2", "it", "(Duck", "DNS);"}), 0, 30).Draw(t, "words")
	return strings.Join(words, " ")
})

// mayBeWide reports whether a line has no place at which it could be broken: it
// holds a command, or one word after its margin.
func mayBeWide(line string) bool {
	return commands.MatchString(line) || !strings.Contains(strings.TrimSpace(line), " ") || strings.Contains(line, "name: ") && strings.Contains(line, "hosts: [")
}

func TestEveryCommandFitsTheTerminal(t *testing.T) {
	for name, say := range printers(spokenTexts) {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				var out bytes.Buffer
				width := rapid.SampledFrom([]int{40, 60, 80, 132}).Draw(t, "width")
				screen := &output{to: &out, width: width}
				a := &app{stdout: screen, stderr: screen, clock: time.Now, output: "text", terminal: true, colour: rapid.Bool().Draw(t, "colour"), configFile: "/etc/cfddns/cfddns.yaml"}
				say(t, a)
				for line := range strings.Lines(out.String()) {
					if line = strings.TrimRight(line, "\n"); wide(line) > width && !mayBeWide(line) {
						t.Fatalf("%d columns of %d: %s\n%s", wide(line), width, line, out.String())
					}
				}
			})
		})
	}
}

func TestALineIsBrokenBetweenWordsAndNeverInACommand(t *testing.T) {
	for _, tt := range []struct {
		name, line string
		width      int
		want       string
	}{
		{"a short line stays", "right  all is well", 40, "right  all is well"},
		{"no width, no break", strings.Repeat("word ", 40), 0, strings.Repeat("word ", 40)},
		{"under the text", "refused       home.example.com A: a CNAME stands here", 40,
			"refused       home.example.com A: a\n              CNAME stands here"},
		{"a hint keeps its margin", "              one two three four five six seven", 34,
			"              one two three four\n              five six seven"},
		{"a command stays whole", "note  to free its slot: cfddns waf revoke backup --config /etc/cfddns/cfddns.yaml", 40,
			"note  to free its slot:\n      cfddns waf revoke backup --config /etc/cfddns/cfddns.yaml"},
		{"a sentence about it does not", "the running cfddns is older than this one and does not wait", 40,
			"the running cfddns is older than this\n  one and does not wait"},
		{"what is explained goes below where it has no room beside", "  cfddns migrate --apply --via home.example.com  no gap, one hop inside", 40,
			"  cfddns migrate --apply --via home.example.com\n      no gap, one hop inside"},
		{"a sentence that begins with the name of the program", "cfddns learns the public address of this home", 24, "cfddns learns the public\n  address of this home"},
		{"wide letters count twice", "note  이름은 집입니다 이름은 집입니다 이름은", 30, "note  이름은 집입니다 이름은\n      집입니다 이름은"},
		{"colours count nothing", "\x1b[31mrefused\x1b[0m  one two three", 22, "\x1b[31mrefused\x1b[0m  one two three"},
		{"a word is never broken", "note  https://example.com/a/very/long/path/indeed", 30, "note  https://example.com/a/very/long/path/indeed"},
	} {
		var out bytes.Buffer
		sayf(&output{to: &out, width: tt.width}, "%s\n", clean(tt.line))
		if got := strings.TrimSuffix(out.String(), "\n"); got != tt.want {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

func TestAColouredWordIsAsWideAsAPlainOne(t *testing.T) {
	said := map[bool]string{}
	for _, colour := range []bool{false, true} {
		var out bytes.Buffer
		a := &app{stdout: &output{to: &out, width: 40}, colour: colour}
		sayf(a.stdout, "%s  %s\n", a.paint("refused", 12), "home.example.com A: a CNAME stands here")
		said[colour] = out.String()
	}
	if !strings.Contains(said[true], "\x1b[31m") {
		t.Fatal("no colour")
	}
	if got := colourMarks.ReplaceAllString(said[true], ""); got != said[false] {
		t.Errorf("in colour:\n%s\nwithout:\n%s", got, said[false])
	}
}

func TestTheHelpIsBrokenAnewWhereThereAreFewerColumnsThanItWasWrittenFor(t *testing.T) {
	text := "One paragraph of the help,\nwritten in two lines.\n\nFlags:\n  -n  one   two\n"
	for width, want := range map[int]string{0: text, 80: text, 30: "One paragraph of the help,\nwritten in two lines.\n\nFlags:\n  -n  one   two\n", 20: "One paragraph of the\nhelp, written in two\nlines.\n\nFlags:\n  -n  one   two\n"} {
		if got := reflowed(text, width); got != want {
			t.Errorf("%d columns:\ngot\n%s\nwant\n%s", width, got, want)
		}
	}
}

// manyErrors are eight errors, of which three are shown.
func manyErrors() error {
	errs := make([]error, 8)
	for i := range errs {
		errs[i] = fmt.Errorf("%d", i)
	}
	return ddns.JoinErrors(errs...)
}

// All that is wrong with a configuration stands in lines of their own.
func TestWhatIsWrongIsALineEach(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"one", errors.New("a\nb"), "cfddns: a\\nb\n"},
		{"several", exit(2, errors.Join(errors.New("one"), errors.Join(errors.New("two"), errors.New("three\x1b")))), "cfddns: one\n        two\n        three\\x1b\n"},
		{"several within one", fmt.Errorf("c.yaml was not changed: %w", errors.Join(errors.New("one"), errors.New("two"))), "cfddns: c.yaml was not changed: one; two\n"},
		{"words between two stay", fmt.Errorf("%w; not asked, for %w", errors.Join(errors.New("one"), errors.New("two")), errors.New("three")), "cfddns: one; two; not asked, for three\n"},
		{"a few of many stay a few", fmt.Errorf("dial: %w", manyErrors()), "cfddns: dial: 0; 1; 2; and 5 more\n"},
		{"nor are they a line each", manyErrors(), "cfddns: 0; 1; 2; and 5 more\n"},
		{"too wide", errors.New("one two three four five six seven eight nine"), "cfddns: one two three four five six seven\n        eight nine\n"},
	} {
		var out bytes.Buffer
		(&app{stderr: &output{to: &out, width: 45}, output: "text"}).conclude(tt.err)
		if out.String() != tt.want {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", tt.name, out.String(), tt.want)
		}
	}
}

func TestATableIsMadeForTheWidth(t *testing.T) {
	tab := table{head: []string{"source", "answer", "took"}}
	tab.add("amazon", "– no answer within the time that it was given", "4000 ms")
	tab.add("identme", "45.67.89.10", "12 ms")
	for _, tt := range []struct {
		width int
		want  string
	}{
		{0, "source   answer                                         took\namazon   – no answer within the time that it was given  4000 ms\nidentme  45.67.89.10                                    12 ms\n"},
		{44, "source   answer                      took\namazon   – no answer within the      4000 ms\n         time that it was given\nidentme  45.67.89.10                 12 ms\n"},
		{30, "amazon      – no answer within\n            the time that it\n            was given\n    took: 4000 ms\nidentme     45.67.89.10\n    took: 12 ms\n"},
	} {
		var out bytes.Buffer
		sayTable(&output{to: &out, width: tt.width}, tab)
		if out.String() != tt.want {
			t.Errorf("%d columns:\ngot\n%s\nwant\n%s", tt.width, out.String(), tt.want)
		}
	}
}

func TestColumnsAreThoseThatThePersonSaysElseThoseOfTheTerminal(t *testing.T) {
	for wanted, want := range map[string]int{"": 0, "100": 100, "0": 0, "-5": 0, "wide": 0, "3": narrowest} {
		if got := columns(-1, wanted); got != want {
			t.Errorf("COLUMNS=%q where no terminal is: %d, want %d", wanted, got, want)
		}
	}
}

// A change of address is one line for each name, and one for all beyond forty.
func TestWhatIsChangedIsARowForEachNameAndSaidOnce(t *testing.T) {
	many := roundOf(ddns.Changed, "")
	for i := range 150 {
		name := string(rune('a'+i/10)) + string(rune('a'+i%10)) + ".example.com"
		one := roundOf(ddns.Changed, "", name)
		one.Receipts[0].Change.Why = "holds 45.67.89.10, the home is at 45.67.90.77"
		many.Outcomes, many.Receipts = append(many.Outcomes, one.Outcomes...), append(many.Receipts, one.Receipts...)
	}
	few := many
	few.Outcomes, few.Receipts = many.Outcomes[:2], many.Receipts[:2]
	odd := few
	odd.Receipts = []ddns.Receipt{few.Receipts[0], {Change: few.Receipts[1].Change, State: ddns.Confirmed}}
	odd.Receipts[1].Change.Why += "; proxied becomes true"
	for _, tt := range []struct {
		name  string
		round ddns.Round
		all   bool
		want  string
	}{
		{"a row each", few, false, "changed       aa.example.com A  45.67.89.10 → 45.67.90.77\nchanged       ab.example.com A  45.67.89.10 → 45.67.90.77\n"},
		{"what the row does not say is below", odd, false,
			"changed       aa.example.com A  45.67.89.10 → 45.67.90.77\nchanged       ab.example.com A  45.67.89.10 → 45.67.90.77\n              proxied becomes true\n"},
		{"many in one", many, false, "changed       aa.example.com A and 149 more  45.67.89.10 → 45.67.90.77\nnote          150 in all; cfddns once --all shows each\n"},
	} {
		var out bytes.Buffer
		(&app{stdout: &out, stderr: &out}).sayRound(tt.round, tt.all)
		if out.String() != tt.want {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", tt.name, out.String(), tt.want)
		}
	}
	var out bytes.Buffer
	(&app{stdout: &out, stderr: &out}).sayRound(many, true)
	if n := strings.Count(out.String(), "\n"); n != 150 {
		t.Errorf("--all prints %d lines, want 150", n)
	}
}
