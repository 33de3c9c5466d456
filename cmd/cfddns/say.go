package main

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// Rules of speech. What was done goes to standard output; what is wrong, and
// what to do about it, to standard error. A line begins with one word that
// says how it ended, then the name, then why. No capital at the beginning, no
// full stop at the end. Nothing is claimed that was not confirmed, and what
// was kept is said.

// colours of the words that a person looks for first.
var colours = map[string]string{
	"right": "\x1b[32m", "changed": "\x1b[32m", "would change": "\x1b[33m", "held": "\x1b[33m",
	"refused": "\x1b[31m", "unreachable": "\x1b[31m", "contradicted": "\x1b[31m", "agreed": "\x1b[32m", "split": "\x1b[31m", "unknown": "\x1b[31m",
	"cleared": "\x1b[32m", "suspicious": "\x1b[33m", "guilty": "\x1b[31m", "well": "\x1b[32m", "culprit": "\x1b[31m", "unclear": "\x1b[33m",
}

// paint colours a word on a terminal, padded to a width. The colour ends with the
// word: the gap after it shows where the next lines begin (broken).
func (a *app) paint(word string, width int) clean {
	shown := visible(word, "")
	if c := colours[word]; a.colour && c != "" {
		shown = c + shown + "\x1b[0m"
	}
	return clean(padded(shown, width))
}

// printJSON prints one document. The exit code in it is the one that the process
// ends with, also where a signal ends it. What encoding/json does not escape, and
// a terminal would obey, the output escapes.
func (a *app) printJSON(doc any) error {
	if v := reflect.Indirect(reflect.ValueOf(doc)); v.Kind() == reflect.Struct && v.FieldByName("Exit").IsValid() {
		copied := reflect.New(v.Type()).Elem()
		copied.Set(v)
		code := copied.FieldByName("Exit")
		if a.signalled != nil {
			if by, ended := a.signalled(); ended {
				code.SetInt(int64(by))
			}
		}
		a.printed, doc = int(code.Int()), copied.Interface()
	}
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(doc)
}

// pasted makes the commands of a hint work where they are read: with the
// configuration that was named. The code that decides what to do knows no command line.
func (a *app) pasted(hint string) string {
	if hint == "" || a.configFile == "" || strings.Contains(hint, " --config ") {
		return hint
	}
	var pairs []string
	for _, command := range []string{"once", "check", "migrate", "waf allow", "under-attack off",
		"ip", "status", "run"} {
		pairs = append(pairs, "cfddns "+command, "cfddns "+command+" "+ddns.CommandLine("--config", a.configFile))
	}
	return strings.NewReplacer(pairs...).Replace(hint)
}

// withPasted is a round whose hints work where they are read.
func (a *app) withPasted(r ddns.Round) ddns.Round {
	r.Outcomes, r.Conditions = slices.Clone(r.Outcomes), slices.Clone(r.Conditions)
	for i, o := range r.Outcomes {
		r.Outcomes[i].Hint = a.pasted(o.Hint)
	}
	for i, c := range r.Conditions {
		r.Conditions[i].Hint = a.pasted(c.Hint)
	}
	return r
}

// sayRound prints a round for a person. A round in which everything was right
// already says nothing, unless somebody looks: cron would mail it.
func (a *app) sayRound(r ddns.Round, all bool) {
	quiet := !a.terminal && !r.Dry
	said := false
	made, proofs := map[string][]ddns.Receipt{}, map[string][]ddns.Proof{} // by target
	for _, rc := range r.Receipts {
		made[rc.Change.Target.Key()] = append(made[rc.Change.Target.Key()], rc)
	}
	for _, p := range r.Proofs {
		proofs[p.Target.Key()] = append(proofs[p.Target.Key()], p)
	}
	var wrong []ddns.Outcome
	var good []goodRow
	for _, o := range r.Outcomes {
		switch {
		case o.State != ddns.Right && o.State != ddns.Changed:
			wrong = append(wrong, o)
		case o.State == ddns.Changed || !quiet:
			good = append(good, goodRows(o, r.Dry, made[o.Target.Key()], proofs[o.Target.Key()])...)
			said = said || o.State == ddns.Changed
		}
	}
	a.sayGood(good, all)
	a.sayWrong(wrong)
	said = a.sayWaysIn(r, quiet) || said
	if r.Dry {
		a.sayRehearsal(r)
	}
	for _, c := range r.Conditions {
		loud := a.terminal || c.Severity == ddns.Alarm || c.Severity == ddns.Warning && (said || r.Dry || len(wrong) > 0)
		if loud && !fromOutcome(r, c) {
			sayf(a.stderr, "%s  %s\n", a.paint("note", 12), joinNonEmpty(": ", c.Name, c.Title))
			sayHint(a.stderr, c.Hint)
		}
	}
}

// sayRehearsal prints what a dry round would cost, and what would stay behind.
func (a *app) sayRehearsal(r ddns.Round) {
	changes, calls, behind := ddns.Rehearsal(r)
	if changes > 0 {
		sayf(a.stdout, "%s  %s in %s to Cloudflare\n", a.paint("note", 12), counted(changes, "change"),
			counted(calls, "call"))
	}
	if len(behind) > 0 {
		sayf(a.stdout, "%s  still holding the old address, and not kept: %s\n", a.paint("note", 12),
			strings.Join(behind, ", "))
	}
}

// sayWrong prints the targets that are not right; those with one cause, once.
func (a *app) sayWrong(wrong []ddns.Outcome) {
	const listed = 3
	for len(wrong) > 0 {
		first, rest := wrong[0], wrong[1:]
		names := []string{strings.TrimSpace(first.Target.Shown + " " + first.Target.Type)}
		wrong = nil
		for _, o := range rest {
			if o.State == first.State && o.Why == first.Why && o.Hint == first.Hint {
				names = append(names, o.Target.Shown+" "+o.Target.Type)
			} else {
				wrong = append(wrong, o)
			}
		}
		if more := len(names) - listed; more > 0 {
			names = append(names[:listed], fmt.Sprintf("and %d more", more))
		}
		sayf(a.stderr, "%s  %s: %s\n", a.paint(string(first.State), 12), strings.Join(names, ", "), first.Why)
		sayHint(a.stderr, first.Hint)
	}
}

// fromOutcome reports whether the line of a name or of a way in says the
// condition already. It looks for that line: what no line says is never silent.
func fromOutcome(r ddns.Round, c ddns.Condition) bool {
	switch c.Code {
	case ddns.CodeCGNAT:
		return slices.ContainsFunc(r.Holdings, func(h ddns.Holding) bool {
			return h.Guard == ddns.CGNATGuard && holdsNames(r, h)
		})
	case ddns.CodeDisagrees:
		return slices.ContainsFunc(r.Holdings, func(h ddns.Holding) bool {
			return h.Guard == ddns.RouterGuard && holdsNames(r, h)
		})
	case ddns.CodeNoQuorum, ddns.CodeSplit, ddns.CodeVeto, ddns.CodeDamped: // why names of a family are held
		return slices.ContainsFunc(r.Holdings, func(h ddns.Holding) bool {
			return h.Family.String() == c.Name && h.Decision != ddns.Publish && holdsNames(r, h)
		})
	case ddns.CodeWayIn:
		return slices.ContainsFunc(r.WaysIn, func(o ddns.WayInOutcome) bool { return o.Name == c.Name })
	case ddns.CodeContradicted, ddns.CodeUnproved: // the line of a name says who showed it
		return slices.ContainsFunc(r.Outcomes, func(o ddns.Outcome) bool { return o.Target.Key() == c.Name })
	default:
		return slices.ContainsFunc(r.Outcomes, func(o ddns.Outcome) bool {
			wrong := o.State != ddns.Right && o.State != ddns.Changed
			return wrong && slices.ContainsFunc(o.Conditions(), func(of ddns.Condition) bool {
				return of.Code == c.Code && of.Name == c.Name
			})
		})
	}
}

// holdsNames reports whether a name or a way in has a line that says why its
// family is held.
func holdsNames(r ddns.Round, h ddns.Holding) bool {
	return slices.ContainsFunc(r.Outcomes, func(o ddns.Outcome) bool {
		return o.State == ddns.Held && o.Target.Family() == h.Family
	}) ||
		slices.ContainsFunc(r.WaysIn, func(o ddns.WayInOutcome) bool { return o.State == ddns.Held })
}

// wholeText is all of a record, so that nothing that was deleted is lost.
func wholeText(r ddns.Record) string {
	text := fmt.Sprintf("%s %s, ttl %d, proxied %t", r.Type, r.Content, r.TTL, r.Proxied)
	if r.Comment != "" {
		text += fmt.Sprintf(", comment %q", r.Comment)
	}
	if len(r.Tags) > 0 {
		text += ", tags " + strings.Join(r.Tags, " ")
	}
	return text
}

// changeText says what a change does to a record.
func changeText(c ddns.Change) string {
	switch {
	case c.After == nil:
		return fmt.Sprintf("%s → deleted", c.Before.Content)
	case c.Before == nil:
		return fmt.Sprintf("new: %s (%s)", c.After.Content, settings(*c.After))
	case c.Before.Type != c.After.Type:
		return fmt.Sprintf("%s %s → %s %s (%s)", c.Before.Type, c.Before.Content, c.After.Type, c.After.Content, settings(*c.After))
	case c.Before.Content != c.After.Content:
		return fmt.Sprintf("%s → %s", c.Before.Content, c.After.Content)
	default:
		return fmt.Sprintf("%s (%s)", c.After.Content, settings(*c.After))
	}
}

// settings says how a record is served.
func settings(r ddns.Record) string {
	if r.Proxied {
		return "proxied"
	}
	if r.TTL == 1 {
		return "DNS only, ttl auto"
	}
	return fmt.Sprintf("DNS only, ttl %d s", r.TTL)
}

// proofText says who was seen to answer so.
func proofText(proofs []ddns.Proof) string {
	var by, open []string
	for _, p := range proofs {
		switch p.Outcome {
		case ddns.ProofSeen:
			by = append(by, p.By)
		case ddns.ProofUnasked:
			open = append(open, fmt.Sprintf("not proved by the %s: %s", p.By, p.Why))
		case ddns.ProofContradicted:
		}
	}
	slices.Sort(by)
	text := ""
	if by = slices.Compact(by); len(by) > 0 {
		text = ", seen by " + strings.Join(by, " and ")
	}
	if len(open) > 0 {
		text += " (" + strings.Join(open, "; ") + ")"
	}
	return text
}

func sayHint(w io.Writer, hint string) {
	if hint != "" {
		sayf(w, "              %s\n", hint)
	}
}

// sayVerdicts prints the table of who said what, and what follows from it.
func (a *app) sayVerdicts(verdicts []ddns.Verdict) {
	for i, v := range verdicts {
		if i > 0 {
			sayf(a.stdout, "\n")
		}
		if allSaidTheSame(v.Observations) {
			sayf(a.stdout, "%s: %s  %s\n", v.Family, a.paint(v.State.String(), 0), v.Why)
			continue
		}
		t := table{head: []string{v.Family.String(), "operator", "kind", "answer", "took"}}
		for _, o := range v.Observations {
			answer := o.Address.String()
			if o.Err != nil {
				answer = "– " + oneLine(o.Err)
			}
			t.add(o.Source, o.Operator, o.Class, answer, fmt.Sprintf("%d ms", o.Took.Milliseconds()))
		}
		sayTable(a.stdout, t)
		if v.State == ddns.Agreed {
			sayf(a.stdout, "%s  %s\n", a.paint(v.State.String(), 0), v.Address)
		} else {
			sayf(a.stdout, "%s  %s\n", a.paint(v.State.String(), 0), v.Why)
		}
	}
}

// allSaidTheSame reports whether all sources failed with the same words, which
// the verdict repeats: the family is not there.
func allSaidTheSame(observations []ddns.Observation) bool {
	return len(observations) > 1 && !slices.ContainsFunc(observations, func(o ddns.Observation) bool {
		return o.Err == nil || observations[0].Err == nil || o.Err.Error() != observations[0].Err.Error()
	})
}

// progress says on a terminal what a command is waiting for, once it has
// waited for two seconds, and for how long: one line, drawn anew each second
// and gone when stop returns.
func (a *app) progress(what string) (stop func()) {
	return a.progressing(func() string { return what })
}

// progressOf is progress over a number of things, of which count says how many
// are done.
func (a *app) progressOf(what string, total int) (count func(done int), stop func()) {
	const width = 20
	var done atomic.Int64
	stop = a.progressing(func() string {
		n := min(int(done.Load()), total)
		full := width * n / max(total, 1)
		return fmt.Sprintf("%s [%s%s] %d of %d", what, strings.Repeat("#", full), strings.Repeat(".", width-full), n, total)
	})
	return func(n int) { done.Store(int64(n)) }, stop
}

// clearLine takes away what was drawn in this line.
const clearLine = "\r\x1b[K"

// progressing draws what a command says that it is doing.
func (a *app) progressing(what func() string) (stop func()) {
	if !a.watched {
		return func() {}
	}
	over := make(chan struct{})
	var drawing sync.WaitGroup
	drawing.Go(func() {
		second := time.NewTicker(time.Second)
		defer second.Stop()
		for waited := 1; ; waited++ {
			select {
			case <-second.C:
			case <-over:
				if waited > 2 {
					sayf(a.stderr, clearLine)
				}
				return
			}
			if waited >= 2 {
				sayf(a.stderr, "\r\x1b[Kcfddns: %s, for %d s …", what(), waited)
			}
		}
	})
	return func() {
		close(over)
		drawing.Wait()
	}
}

func joinNonEmpty(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}
