// Command cfddns keeps the names of a home pointed at the home: it learns the
// public address from several independent operators, publishes it through
// Cloudflare's API only when a quorum agrees, and proves that the world sees it.
//
// One file holds one command. wire.go builds everything a command needs out of
// the configuration, and is the only place that knows all parts; say.go holds
// every word a person reads of a round. What is decided, and why, is in package
// ddns: start at ddns/round.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/cfddns/cfddns/ddns"
)

func main() {
	hideMemory()
	os.Exit(cfddns(os.Args[1:], newApp()))
}

// cfddns runs the command that the arguments name, and returns the exit code.
// A one-shot that a signal ends says so by 128 and the signal's number.
func cfddns(args []string, a *app) int {
	ctx, stop := context.WithCancelCause(context.Background())
	defer stop(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() { // ends with the process
		s, _ := (<-signals).(syscall.Signal)
		signal.Stop(signals) // a second one kills
		stop(endedBy{s})
	}()
	a.printed = -1
	a.signalled = func() (int, bool) {
		s, ended := errors.AsType[endedBy](context.Cause(ctx))
		return ddns.ExitSignal + int(s.signal), ended
	}
	root := a.root()
	root.SetArgs(args)
	command, err := root.ExecuteContextC(ctx)
	_, ours := errors.AsType[*exitError](err)
	switch s, ended := errors.AsType[endedBy](context.Cause(ctx)); {
	case a.printed >= ddns.ExitSignal:
		err = exit(a.printed, s)
	case a.printed >= 0: // that is how it ended, whatever came afterwards
	case err != nil && ended:
		err = exit(ddns.ExitSignal+int(s.signal), s)
	case err != nil && !ours: // cobra's own errors are about the arguments
		err = exit(ddns.ExitUsage, fmt.Errorf("%w; what there is: %s --help", err, command.CommandPath()))
		if wantsJSON(args) { // cobra stops at the first flag that it does not know
			a.output = "json"
		}
	}
	return a.conclude(err)
}

// wantsJSON reports whether the arguments ask for a document, for a command
// that cannot make sense of all of them.
func wantsJSON(args []string) bool {
	wants := false
	for i, arg := range args {
		value, joined := strings.CutPrefix(arg, "--output=")
		switch {
		case arg == "--":
			return wants
		case joined:
			wants = value == "json"
		case arg == "--output" && i+1 < len(args):
			wants = args[i+1] == "json"
		}
	}
	return wants
}

// endedBy is why a command ended early.
type endedBy struct{ signal syscall.Signal }

// Error implements error.
func (e endedBy) Error() string {
	return fmt.Sprintf("ended by signal %d (%s)", int(e.signal), e.signal)
}

// exitError carries the exit code of a command. Without a cause everything was
// said already.
type exitError struct {
	code int
	err  error
}

// Error implements error.
func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

// Unwrap returns the cause.
func (e *exitError) Unwrap() error { return e.err }

// exit ends a command with a code; a nil error says nothing more.
func exit(code int, err error) error {
	if code == 0 && err == nil {
		return nil
	}
	return &exitError{code, err}
}

// conclude says the last word about an error, and returns the exit code. What
// could not be printed is an error too, if there is no other.
func (a *app) conclude(err error) int {
	if out, ok := a.stdout.(*output); ok && out.err != nil && (err == nil || errors.Is(err, out.err)) {
		err = exit(ddns.ExitUnexpected, fmt.Errorf("not everything could be printed: %w", out.err))
	}
	if err == nil {
		return ddns.ExitRight
	}
	code := ddns.ExitUsage // cobra's own errors are about the arguments
	if e, ok := errors.AsType[*exitError](err); ok {
		if code = e.code; e.err == nil {
			return code
		}
	}
	hint := ddns.HintOf(err)
	before := clean(programName)
	for _, each := range apart(err) { // all that is wrong with a configuration, a line each
		sayf(a.stderr, "%s%s\n", before, each)
		before = clean(strings.Repeat(" ", len(programName)))
	}
	if hint != "" {
		sayf(a.stderr, "        %s\n", hint)
	}
	if out, ok := a.stdout.(*output); ok && a.json() && !out.begun { // whoever reads JSON gets a document
		_ = a.printJSON(failure{err.Error(), hint, code}) // it is said on standard error already
	}
	return code
}

// failure is the document of a command that ended before it had one.
type failure struct {
	Error string `json:"error"`
	Hint  string `json:"hint"`
	Exit  int    `json:"exit"`
}
