package main

import (
	"bytes"
	"errors"
	"net/netip"
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
