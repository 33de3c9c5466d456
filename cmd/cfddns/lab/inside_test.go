//go:build linux

package lab

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/needs"
)

// Most tests here are run twice: by `go test`, and again, by this very test
// binary, where they have a network, a system or a kernel to themselves. What
// the second run printed, and how it ended, is then the outcome of the first.

// onlyTest are the arguments with which this test binary runs one test, by the name
// that t.Name() gives, for no longer than timeout.
func onlyTest(test, timeout string) []string {
	var pattern []string
	for part := range strings.SplitSeq(test, "/") {
		pattern = append(pattern, "^"+regexp.QuoteMeta(part)+"$")
	}
	return []string{"-test.run=" + strings.Join(pattern, "/"), "-test.v", "-test.count=1", "-test.timeout=" + timeout}
}

// labEnd is how a test ended that was run again.
type labEnd struct {
	output string
	took   time.Duration
	err    error
}

// endOf runs a command to its end.
func endOf(again *exec.Cmd) labEnd {
	began := time.Now()
	output, err := again.CombinedOutput()
	return labEnd{output: string(output), took: time.Since(began), err: err}
}

// sideBySide runs scenarios inside, at most so many at once.
func sideBySide(t *testing.T, scenarios []scenario, atOnce int, inside func(s scenario, test string) labEnd) {
	slots := make(chan struct{}, atOnce)
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			if s.hasKernel() {
				needsUML(t)
			}
			ended := make(chan labEnd, 1)
			go func() { // awaited below
				slots <- struct{}{}
				ended <- inside(s, t.Name())
				<-slots
			}()
			// Only the waiting is left to the test's own turn, or no more
			// scenarios would run side by side than there are processors.
			t.Parallel()
			(<-ended).judge(t)
		})
	}
}

// judge makes the outcome of the second run that of the first.
func (e labEnd) judge(t *testing.T) {
	t.Helper()
	t.Logf("took %s", e.took.Round(time.Millisecond))
	needs.Outcome(t, e.output, e.err)
}
