package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/netip"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"pgregory.net/rapid"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/doctor"
)

func TestWhatATerminalWouldObeyIsShown(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"plain words", "home.example.com → 45.67.89.10", "home.example.com → 45.67.89.10"},
		{"a colour", "\x1b[32mright\x1b[0m", `\x1b[32mright\x1b[0m`},
		{"a title of the window", "\x1b]0;x\x07", `\x1b]0;x\x07`},
		{"lines", "a\r\nright  b\tc", `a\r\nright  b\tc`},
		{"C1", "\u009b31m", `\u009b31m`},
		{"C1 that is no UTF-8", "\x9b31m", `\x9b31m`},
		{"DEL and NUL", "a\x7f\x00", `a\u007f\x00`},
		{"the direction of writing", "\u202egnp\u202c \u2066x\u2069 \u200f", `\u202egnp\u202c \u2066x\u2069 \u200f`},
		{"other lines", "a\u2028b\u2029c", `a\u2028b\u2029c`},
		{"what nobody sees", "a\u200bb\ufeff\U000e0041", `a\u200bb\ufeff\udb40\udc41`},
		{"Persian, Hindi and Korean", "می\u200cخواهم क्\u200dष 한국어", "می\u200cخواهم क्\u200dष 한국어"},
	} {
		var out bytes.Buffer
		sayf(&out, "%s|%v|%-1s", tt.text, errors.New(tt.text), tt.text)
		if want := tt.want + "|" + tt.want + "|" + tt.want; out.String() != want {
			t.Errorf("%s: got %q, want %q", tt.name, out.String(), want)
		}
	}
}

// ours are the sequences that this program itself prints.
var ours = regexp.MustCompile("\x1b\\[(3[123]|0)m")

// obeyed finds what a terminal would obey in what was printed, newlines apart.
func obeyed(printed string) string {
	rest := strings.ReplaceAll(ours.ReplaceAllString(printed, ""), "\n", "")
	if i := strings.IndexFunc(rest, ddns.Unseen); i >= 0 || !utf8.ValidString(rest) {
		return printed
	}
	return ""
}

// hostile are texts of anybody.
var hostile = rapid.Custom(func(t *rapid.T) string {
	parts := rapid.SliceOfN(rapid.OneOf(
		rapid.SampledFrom([]string{"\x1b[2J", "\x1b]0;x\a", "\u009b1m", "\x9b", "\r", "\n", "\t", "\x7f", "\x00", "\u202e", "\u2066", "\u2028", "\u200b", "'", "$(x)", " ", "a", "\xff"}),
		rapid.StringN(0, 6, -1),
	), 0, 6).Draw(t, "parts")
	return strings.Join(parts, "")
})

// filled puts texts into every field of a value.
func filled(t *rapid.T, texts *rapid.Generator[string], v reflect.Value, depth int) {
	if stood := v.CanSet() && v.Type() == reflect.TypeFor[error](); stood {
		v.Set(reflect.ValueOf(errors.New(texts.Draw(t, "error"))))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(texts.Draw(t, "text"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "yes"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64Range(0, 3).Draw(t, "number"))
	case reflect.Pointer:
		if depth > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			filled(t, texts, v.Elem(), depth-1)
		}
	case reflect.Slice:
		if depth > 0 {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			for i := range v.Len() {
				filled(t, texts, v.Index(i), depth-1)
			}
		}
	case reflect.Map:
		if depth > 0 && v.Type().Key().Kind() == reflect.String {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			filled(t, texts, key, depth-1)
			filled(t, texts, value, depth-1)
			v.Set(reflect.MakeMap(v.Type()))
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() || v.Type() == reflect.TypeFor[netip.Addr]() {
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				filled(t, texts, v.Field(i), depth-1)
			}
		}
	default: // numbers of other kinds, and functions
	}
}

// some is a value of which every field holds a text.
func some[T any](t *rapid.T, texts *rapid.Generator[string]) (v T) {
	filled(t, texts, reflect.ValueOf(&v).Elem(), 6)
	return v
}

// printers print what commands print, each with texts in every field.
func printers(texts *rapid.Generator[string]) map[string]func(*rapid.T, *app) {
	return map[string]func(*rapid.T, *app){
		"once": func(t *rapid.T, a *app) {
			r := some[ddns.Round](t, texts)
			for i := range r.Outcomes {
				r.Outcomes[i].State = rapid.SampledFrom([]ddns.TargetState{ddns.Right, ddns.Changed, ddns.Refused, ddns.Outcome{}.State}).Draw(t, "state")
			}
			for i := range r.Receipts {
				r.Receipts[i].Change.Target = r.Outcomes[i%len(r.Outcomes)].Target
			}
			a.sayRound(r, false)
			a.sayBefore([]string{r.ID})
		},
		"check": func(t *rapid.T, a *app) { a.sayCheck(some[checkReport](t, texts), some[ddns.Round](t, texts)) },
		"status": func(t *rapid.T, a *app) {
			s := some[StatusReport](t, texts)
			sayf(a.stdout, "%s\n", s.Line)
			a.sayReport(some[ddns.Report](t, texts))
		},
		"ip": func(t *rapid.T, a *app) {
			a.sayVerdicts([]ddns.Verdict{some[ddns.Verdict](t, texts)})
			a.sayWAN(some[ddns.WAN](t, texts))
		},
		"doctor": func(t *rapid.T, a *app) {
			d := some[doctor.Diagnosis](t, texts)
			a.pasteable(&d)
			a.sayFindings(d)
			a.sayNight(d, time.UTC)
			a.sayDiagnosis(d)
		},
		"waf": func(t *rapid.T, a *app) {
			a.sayWayIn(some[wayInReport](t, texts))
			a.sayRules(some[rulesReport](t, texts))
			a.sayLevels("status", some[levelsReport](t, texts))
			a.sayTest(wayInReport{Name: texts.Draw(t, "name"), Header: texts.Draw(t, "header")}, some[ddns.WayIn](t, texts), some[allowFlags](t, texts))
		},
		"migrate": func(t *rapid.T, a *app) {
			m := &migration{app: a, parts: &parts{}, flags: migrateFlags{apply: rapid.Bool().Draw(t, "apply")}, named: some[[]string](t, texts), file: texts.Draw(t, "file")}
			m.round = some[ddns.Round](t, texts)
			for _, state := range []ddns.TargetState{ddns.Changed, ddns.Refused} {
				row := &migrateRow{alias: some[ddns.Alias](t, texts), shown: texts.Draw(t, "shown"), evidence: texts.Draw(t, "evidence"),
					outcome: some[ddns.Outcome](t, texts), after: some[[]ddns.Record](t, texts), follow: some[[]string](t, texts), notes: some[[]string](t, texts)}
				row.outcome.State = state
				m.rows = append(m.rows, row)
			}
			m.keep.names, m.path = nil, texts.Draw(t, "path")
			m.say()
		},
		"a failure": func(t *rapid.T, a *app) {
			a.conclude(errors.Join(some[error](t, texts), errors.New(texts.Draw(t, "error"))))
			a.warn(some[[]string](t, texts))
		},
	}
}

func TestNothingOfAnybodyElseReachesTheTerminalAsAControlCharacter(t *testing.T) {
	says := printers(hostile)
	says["JSON"] = func(t *rapid.T, a *app) {
		doc := map[string]string{"a": strings.ToValidUTF8(hostile.Draw(t, "text"), "")}
		if err := a.printJSON(doc); err != nil {
			t.Fatal(err)
		}
		var read map[string]string
		if err := json.Unmarshal(a.stdout.(*output).to.(*bytes.Buffer).Bytes(), &read); err != nil || read["a"] != doc["a"] {
			t.Fatalf("%v: %q was read as %q", err, doc["a"], read["a"])
		}
	}
	for name, say := range says {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				var out, problems bytes.Buffer
				width := rapid.SampledFrom([]int{0, 40, 80}).Draw(t, "width")
				a := &app{stdout: &output{to: &out, width: width}, stderr: &output{to: &problems, width: width}, clock: time.Now, output: "text",
					terminal: rapid.Bool().Draw(t, "terminal"), colour: rapid.Bool().Draw(t, "colour"), configFile: hostile.Draw(t, "config")}
				say(t, a)
				if text := obeyed(out.String()) + obeyed(problems.String()); text != "" {
					t.Fatalf("%q", text)
				}
			})
		})
	}
}

// The log is read on terminals as well, and as JSON by programs.
func TestTheLogObeysNobody(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		rapid.Check(t, func(t *rapid.T) {
			var out bytes.Buffer
			a := &app{stderr: &output{to: &out}}
			a.logger(slog.LevelInfo, format).Info(hostile.Draw(t, "message"), "key", hostile.Draw(t, "value"), "err", some[error](t, hostile))
			if text := obeyed(out.String()); text != "" {
				t.Fatalf("%q", text)
			}
			if format == "json" && !json.Valid(out.Bytes()) {
				t.Fatalf("no JSON: %s", out.String())
			}
		})
	}
}

// What is copied is one command, whatever the words in it hold.
func TestACommandToCopyIsOneCommand(t *testing.T) {
	words := []string{"a b", "it's", `"`, "$(touch x)", "`touch x`", "a;touch x", "a\\", "*", "~", "!x", "#x", "", "{a,b}", "a&b", "한국.example", "a=b"}
	line := ddns.CommandLine(append([]string{"printf", `%s\n`}, words...)...)
	said, err := exec.CommandContext(t.Context(), "sh", "-c", line).Output()
	if err != nil || string(said) != strings.Join(words, "\n")+"\n" {
		t.Errorf("%v: %s\ngave %q", err, line, said)
	}
	for _, word := range []string{"a\nb", "\x1b[2J", "\u202e", "\xff", "\u009b"} {
		if line := ddns.CommandLine("cfddns", "migrate", word); strings.Contains(line, "cfddns") {
			t.Errorf("%q is offered: %q", word, line)
		}
	}
}

// The shells' completions and the manual are texts, too, and go through whole.
func TestWhatIsNoControlCharacterGoesThrough(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		var direct, through bytes.Buffer
		root := (&app{stdout: &direct, stderr: &direct}).root()
		write := map[string]func() error{
			"bash": func() error { return root.GenBashCompletionV2(&direct, true) }, "zsh": func() error { return root.GenZshCompletion(&direct) },
			"fish": func() error { return root.GenFishCompletion(&direct, true) }, "powershell": func() error { return root.GenPowerShellCompletionWithDesc(&direct) },
		}
		if err := write[shell](); err != nil {
			t.Fatal(err)
		}
		cfddns([]string{"completion", shell}, &app{stdout: &output{to: &through, width: 40}, stderr: &through})
		if direct.Len() == 0 || through.String() != direct.String() {
			t.Errorf("the completion of %s is changed, or broken into lines", shell)
		}
	}
}

// No file of the program prints past print.go. Whoever writes a new command
// needs no more than sayf, sayTable and printJSON.
func TestEverythingIsPrintedThroughOnePlace(t *testing.T) {
	allowed := map[string][]string{
		"print.go": {"Fprintf", "WriteString"}, // into memory, and the two doors
		"root.go":  {"Stdout", "Stderr"},       // the app's own, made once
	}
	names, err := filepath.Glob("*.go")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	printer := func(x ast.Expr) bool { // a.stdout, m.app.stderr
		s, ok := x.(*ast.SelectorExpr)
		return ok && (s.Sel.Name == "stdout" || s.Sel.Name == "stderr")
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || name == "man.go" { // which builds the manual, and is in no program
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				pkg, ok := n.X.(*ast.Ident)
				direct := ok && (pkg.Name == "os" && (n.Sel.Name == "Stdout" || n.Sel.Name == "Stderr") || pkg.Name == "fmt" && strings.HasPrefix(n.Sel.Name, "Print"))
				if direct && !slices.Contains(allowed[name], n.Sel.Name) {
					t.Errorf("%s prints by %s.%s: use sayf, which cleans what comes from elsewhere", name, pkg.Name, n.Sel.Name)
				}
			case *ast.CallExpr:
				f, ok := n.Fun.(*ast.SelectorExpr)
				if ok && len(n.Args) > 0 && printer(n.Args[0]) && strings.HasPrefix(f.Sel.Name, "Fprint") {
					t.Errorf("%s prints by %s: use sayf, which cleans what comes from elsewhere", name, f.Sel.Name)
				}
			}
			return true
		})
	}
}

// helpOf visits the help of every command.
func helpOf(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, sub := range c.Commands() {
		helpOf(sub, visit)
	}
}

func TestEveryHelpFitsIn80ColumnsAsItIsWritten(t *testing.T) {
	var out bytes.Buffer
	a := &app{stdout: &output{to: &out}, stderr: &out}
	helpOf(a.root(), func(c *cobra.Command) {
		out.Reset()
		cfddns(append(strings.Fields(c.CommandPath())[1:], "--help"), a)
		for line := range strings.Lines(out.String()) {
			if wide(strings.TrimRight(line, "\n")) > 80 && !strings.HasPrefix(c.CommandPath(), "cfddns completion") {
				t.Errorf("%s: %s", c.CommandPath(), line)
			}
		}
	})
}
