package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/files"
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
	if ctx.Err() != nil {
		show()
		return failure
	}
	memory := a.newsMemory(done.state)
	last, now := memory.told(), a.clock()
	next, begun, over := tell(last, trouble, code, now)
	if next != last {
		if err := memory.keep(next); err != nil {
			begun = true
			sayf(&errs, "cfddns: %v\n", err)
		}
	}
	if begun || changed(done.round) {
		show()
	}
	if over {
		lasted := max(now.Sub(last.Wrong).Round(time.Minute), time.Minute)
		sayf(a.stdout, "%s  everything is right again; the trouble lasted %s\n", a.paint("right", 12),
			strings.TrimSuffix(lasted.String(), "0s"))
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

// newsMemory remembers what was told: in the state directory, or, where that
// cannot be written or none is named, in a directory of this user's among the
// temporary ones. A trouble of the state itself would be mailed every ten minutes
// otherwise.
type newsMemory struct {
	state string // "" if none is named
	spare string
}

func (a *app) newsMemory(state string) newsMemory {
	state = cmp.Or(state, a.getenv("CFDDNS_STATE")) // a broken configuration names none
	which := sha256.Sum256([]byte(strings.Join([]string{state, a.configFile, a.getenv("CFDDNS_CONFIG"),
		a.getenv("CFDDNS_RECORDS")}, "\n")))
	return newsMemory{state, filepath.Join(os.TempDir(), fmt.Sprintf("cfddns-news-%d-%x", os.Geteuid(), which[:8]))}
}

// told is what was told last. The spare one is there only while it is the newer.
func (m newsMemory) told() journal.Told {
	if j := m.spareJournal(); j != nil {
		if t, known := j.Told(); known {
			return t
		}
	}
	if j, err := m.stateJournal(); err == nil {
		t, _ := j.Told()
		return t
	}
	return journal.Told{}
}

// keep remembers what is told now. The error is that it will be told again.
func (m newsMemory) keep(t journal.Told) error {
	j, err := m.stateJournal()
	if err == nil {
		err = j.KeepTold(t)
	}
	if err == nil {
		if spare := m.spareJournal(); spare != nil {
			err = spare.ForgetTold()
		}
		return err
	}
	if _, there := os.Stat(filepath.Dir(m.spare)); there == nil { // an image may have none
		if dir, made := files.Make(m.spare); made == nil {
			dir.Close()
		}
	}
	if spare := m.spareJournal(); spare != nil {
		return spare.KeepTold(t)
	}
	return err
}

// stateJournal is that of the state directory.
func (m newsMemory) stateJournal() (*journal.Journal, error) {
	if m.state == "" {
		return nil, errNewsNowhere
	}
	return journal.Open(m.state)
}

// spareJournal is that of the spare directory; nil if it is not there. Anybody may
// have made one of that name, and might keep news from us.
func (m newsMemory) spareJournal() *journal.Journal {
	dir, err := files.Open(m.spare)
	if err != nil {
		return nil
	}
	defer dir.Close()
	if !dir.Private() {
		return nil
	}
	j, err := journal.Open(m.spare)
	if err != nil {
		return nil
	}
	return j
}
