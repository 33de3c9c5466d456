package main

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

func TestALongWaitIsSaidEachSecondAndClearedAtTheEnd(t *testing.T) {
	tests := []struct {
		name    string
		watched bool
		wait    time.Duration
		want    string
	}{
		{"a short wait is not spoken of", true, 1500 * time.Millisecond, ""},
		{"a long one is, and goes on being", true, 3500 * time.Millisecond,
			"\r\x1b[Kcfddns: asking, for 2 s …\r\x1b[Kcfddns: asking, for 3 s …\r\x1b[K"},
		{"nobody looks", false, 3500 * time.Millisecond, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				a := &app{stderr: &out, watched: tt.watched}
				stop := a.progress("asking")
				<-time.After(tt.wait)
				stop()
				if got := out.String(); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestAFamilyThatIsNotThereIsOneLine(t *testing.T) {
	none, busy := errors.New("no IPv6 here"), errors.New("no answer")
	here := ddns.Observation{Address: netip.MustParseAddr("2a01:4f8::1")}
	for _, tt := range []struct {
		name  string
		said  []ddns.Observation
		lines int
	}{
		{"all say the same", []ddns.Observation{{Err: none}, {Err: none}}, 1},
		{"one says another thing", []ddns.Observation{{Err: none}, {Err: busy}}, 4},
		{"one knows an address", []ddns.Observation{here, {Err: none}}, 4},
		{"two know one", []ddns.Observation{here, here}, 4},
		{"there is one source", []ddns.Observation{{Err: none}}, 3},
	} {
		var out bytes.Buffer
		(&app{stdout: &out}).sayVerdicts([]ddns.Verdict{{Family: ddns.IPv6, State: ddns.Unknown, Why: "why", Observations: tt.said}})
		if got := out.String(); strings.Count(got, "\n") != tt.lines || !strings.HasPrefix(got, "ipv6") || !strings.HasSuffix(got, "unknown  why\n") {
			t.Errorf("%s:\n%s", tt.name, got)
		}
	}
}

// full is a disk with no space left.
type full struct{}

// Write implements io.Writer.
func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestWhatCannotBePrintedIsAnError(t *testing.T) {
	for _, args := range []string{"version", "--version", "version --output json", "help once", "completion bash"} {
		t.Run(args, func(t *testing.T) {
			var said bytes.Buffer
			a := &app{stdout: &output{to: full{}}, stderr: &said}
			if code := cfddns(strings.Fields(args), a); code != 1 || !strings.Contains(said.String(), syscall.ENOSPC.Error()) {
				t.Errorf("exit code %d, said %q", code, said.String())
			}
		})
	}
}

// TestNoConditionIsSilent raises each condition that there is in a round whose
// names are all right, as a write check does that is refused: no line of a name
// says it then, so that it must be said by itself.
func TestNoConditionIsSilent(t *testing.T) {
	home := ddns.Target{Name: "home.example.com", Shown: "home.example.com", Type: "A"}
	codes := allCodes(t)
	if len(codes) < 30 {
		t.Fatalf("only %d codes were found", len(codes))
	}
	for _, code := range codes {
		for _, name := range []string{"", "ipv4", "example.com", "home.example.com"} {
			c := ddns.Condition{Code: code, Severity: ddns.Alarm, Name: name, Title: "what is wrong", Hint: "what to do"}
			r := ddns.Round{Conditions: []ddns.Condition{c},
				Outcomes: []ddns.Outcome{{Target: home, Zone: "example.com", State: ddns.Right, Address: "45.67.89.10"}},
				Holdings: []ddns.Holding{{Family: ddns.IPv4, Decision: ddns.Publish, Address: netip.MustParseAddr("45.67.89.10")}}}
			var out bytes.Buffer
			(&app{stdout: &out, stderr: &out}).sayRound(r, false)
			if !strings.Contains(out.String(), c.Title) || !strings.Contains(out.String(), c.Hint) {
				t.Errorf("once does not say %s of %q: %s", code, name, &out)
			}
			if line := roundLine(r); !strings.Contains(line, c.Title) {
				t.Errorf("the log does not say %s of %q: %s", code, name, line)
			}
		}
	}
}

// allCodes reads the codes of all conditions from where they are defined.
func allCodes(t *testing.T) (codes []ddns.Code) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "..", "ddns", "condition.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 && strings.HasPrefix(v.Names[0].Name, "Code") {
			if text, ok := v.Values[0].(*ast.BasicLit); ok {
				code, _ := strconv.Unquote(text.Value)
				codes = append(codes, ddns.Code(code))
			}
		}
		return true
	})
	return codes
}

// TestARefusedDrillIsSaid has every name right and the write check refused.
func TestARefusedDrillIsSaid(t *testing.T) {
	target := ddns.Target{Name: "home.example.com", Shown: "home.example.com", Type: "A"}
	refused := &ddns.Error{Kind: ddns.NotPermitted, Op: "change records of example.com", Hint: "give the token more", Err: errors.New("forbidden")}
	r := ddns.Round{
		Outcomes: []ddns.Outcome{{Target: target, Zone: "example.com", State: ddns.Right}},
		Receipts: []ddns.Receipt{{Change: ddns.Change{Op: ddns.Update, Zone: ddns.Zone{Name: "example.com"}, Target: target, Drill: true}, State: ddns.RefusedChange, Err: refused}},
	}
	r.Conditions = ddns.Assess(r, nil)
	var out bytes.Buffer
	(&app{stdout: &out, stderr: &out}).sayRound(r, false)
	for _, said := range []string{out.String(), roundLine(r)} {
		if !strings.Contains(said, "the next change of address would be refused") {
			t.Errorf("not said: %s", said)
		}
	}
}
