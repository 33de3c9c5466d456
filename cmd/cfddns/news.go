package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/journal"
)

// newsAgain is how long trouble that was told is not told again.
const newsAgain = 24 * time.Hour

// troubleOfOnce tells the trouble of a one-shot apart from another, whatever its
// words: they may hold an address, a count, a duration. Empty: all is well.
func troubleOfOnce(done doneOnce, printed string) string {
	var words []string
	for line := range strings.Lines(printed) {
		if strings.HasPrefix(line, warningPrefix) {
			words = append(words, line)
		}
	}
	if done.unkept {
		words = append(words, string(ddns.CodeState))
	}
	for _, c := range done.round.Conditions {
		if c.Severity == ddns.Alarm {
			words = append(words, string(c.Code)+" "+c.Name)
		}
	}
	for _, o := range done.round.Outcomes {
		if o.State != ddns.Right && o.State != ddns.Changed {
			words = append(words, string(o.State)+" "+o.Target.Key())
		}
	}
	for _, o := range done.round.WaysIn {
		if o.State != ddns.Right && o.State != ddns.Changed {
			words = append(words, string(o.State)+" "+o.Name)
		}
	}
	return strings.Join(words, "\n")
}

// passes reports whether trouble may well be over at the next try, without
// anybody doing anything: a line that is down, an API that does not answer.
func passes(code int) bool { return code == ddns.ExitHeld || code == ddns.ExitUnreached }

// tell decides what of a one-shot is news, at a time: begun says that its
// trouble is told now, over that trouble which was told has ended.
func tell(last journal.Told, trouble string, code int, now time.Time) (next journal.Told, begun, over bool) {
	next = last
	switch {
	case trouble == "":
		return journal.Told{}, false, last.What != ""
	case last.Wrong.IsZero():
		next.Wrong = now
		if passes(code) {
			return next, false, false // told if the next run finds it as well
		}
	case trouble == last.What && now.Sub(last.At) < newsAgain && !now.Before(last.At):
		return next, false, false
	}
	next.What, next.At = trouble, now
	return next, true, false
}

// errNewsForPrograms is said to a script, which reads a document each time.
var errNewsForPrograms = errors.New("--news is for people, and prints nothing most of the time; leave it out where --output json is")

// errNewsNowhere is said where nothing is remembered from one run to the next.
var errNewsNowhere = errors.New("--news needs a place to remember what was told: set state: or CFDDNS_STATE to a directory")

// onceNews makes a round, and prints what is news: what was changed, trouble
// when it begins and each day while it lasts, and its end. Cron mails whatever
// is printed, and nobody reads the same mail every ten minutes.
func (a *app) onceNews(ctx context.Context, flags onceFlags) error {
	if a.json() {
		return exit(ddns.ExitUsage, errNewsForPrograms)
	}
	var out, errs bytes.Buffer
	quiet := *a
	quiet.stdout, quiet.stderr, quiet.terminal, quiet.watched = &out, &errs, false, false
	done, failure := quiet.onceOnly(ctx, flags)
	code, trouble := endCode(failure), troubleOfOnce(done, errs.String())
	if failure != nil {
		trouble = cmp.Or(trouble, failure.Error())
	}
	show := func() {
		sayf(a.stdout, "%s", clean(out.String()))
		sayf(a.stderr, "%s", clean(errs.String()))
	}
	j := newsJournal(cmp.Or(done.state, a.getenv("CFDDNS_STATE"))) // a broken configuration names none
	if j == nil || ctx.Err() != nil {
		show()
		return failure
	}
	last, now := j.Told(), a.clock()
	next, begun, over := tell(last, trouble, code, now)
	if next != last {
		if err := j.KeepTold(next); err != nil {
			begun = true
			sayf(&errs, "cfddns: %v\n", err)
		}
	}
	if begun || changed(done.round) {
		show()
	}
	if over {
		sayf(a.stdout, "%s  everything, after %s in which it was not\n", a.paint("right", 12), now.Sub(last.Wrong).Round(time.Minute))
	}
	if !begun {
		return exit(code, nil)
	}
	return failure
}

// endCode is the exit code that the end of a one-shot bears.
func endCode(failure error) int {
	if failure == nil {
		return ddns.ExitRight
	}
	if e, ok := errors.AsType[*exitError](failure); ok {
		return e.code
	}
	return ddns.ExitUnexpected
}

// newsJournal is where it is remembered what was told; nil if that is nowhere.
func newsJournal(state string) *journal.Journal {
	if state == "" {
		return nil
	}
	j, err := journal.Open(state)
	if err != nil {
		return nil // the round has said so
	}
	return j
}
