package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
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
}

// paint colours a word on a terminal, padded to a width.
func (a *app) paint(word string, width int) string {
	padded := fmt.Sprintf("%-*s", width, word)
	if c := colours[word]; a.colour && c != "" {
		return c + padded + "\x1b[0m"
	}
	return padded
}

// printJSON prints one document.
func (a *app) printJSON(doc any) error {
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(doc)
}

// sayRound prints a round for a person. A round in which everything was right
// already says nothing, unless somebody looks.
func (a *app) sayRound(r ddns.Round) {
	quiet := !a.terminal && !r.Dry
	for _, o := range r.Outcomes {
		switch {
		case o.State == ddns.Right && quiet && o.Code == "":
		case o.State == ddns.Right || o.State == ddns.Changed:
			a.sayGood(r, o)
		default:
			fmt.Fprintf(a.stderr, "%s  %s %s: %s\n", a.paint(string(o.State), 12), o.Target.Shown, o.Target.Type, o.Why)
			sayHint(a.stderr, o.Hint)
		}
	}
	for _, c := range r.Conditions {
		if !fromOutcome(c) {
			fmt.Fprintf(a.stderr, "%s  %s\n", a.paint("note", 12), joinNonEmpty(": ", c.Name, c.Title))
			sayHint(a.stderr, c.Hint)
		}
	}
}

// fromOutcome reports whether the line of a target says the condition already.
func fromOutcome(c ddns.Condition) bool {
	switch c.Code {
	case ddns.CodeShared, ddns.CodeLeftBehind, ddns.CodeClock, ddns.CodeZonePending, ddns.CodeState, ddns.CodeRosterThin, ddns.CodeAlone:
		return false
	default:
		return true
	}
}

// sayGood prints the line of a target that is right.
func (a *app) sayGood(r ddns.Round, o ddns.Outcome) {
	word, what := string(o.State), o.Address
	for _, rc := range r.Receipts {
		if rc.Change.Target.Key() == o.Target.Key() && !rc.Change.Drill {
			what = changeText(rc.Change)
		}
	}
	if r.Dry && o.State == ddns.Changed {
		word = "would change"
	}
	fmt.Fprintf(a.stdout, "%s  %s %s  %s%s\n", a.paint(word, 12), o.Target.Shown, o.Target.Type, what, proofText(r, o))
	if o.State == ddns.Changed {
		fmt.Fprintf(a.stdout, "              %s\n", o.Why)
	}
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
func proofText(r ddns.Round, o ddns.Outcome) string {
	var by, open []string
	for _, p := range r.Proofs {
		if p.Target.Key() != o.Target.Key() {
			continue
		}
		switch p.Outcome {
		case ddns.ProofSeen:
			by = append(by, p.By)
		case ddns.ProofUnasked:
			open = append(open, fmt.Sprintf("%s not asked: %s", p.By, p.Why))
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
		fmt.Fprintf(w, "              %s\n", hint)
	}
}

// sayVerdicts prints the table of who said what, and what follows from it.
func (a *app) sayVerdicts(verdicts []ddns.Verdict) {
	for i, v := range verdicts {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintf(t, "%s\toperator\tkind\tanswer\ttook\n", v.Family)
		for _, o := range v.Observations {
			answer := o.Address.String()
			if o.Err != nil {
				answer = "– " + o.Err.Error()
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d ms\n", o.Source, o.Operator, o.Class, answer, o.Took.Milliseconds())
		}
		_ = t.Flush()
		if v.State == ddns.Agreed {
			fmt.Fprintf(a.stdout, "%s  %s\n", a.paint(v.State.String(), 0), v.Address)
		} else {
			fmt.Fprintf(a.stdout, "%s  %s\n", a.paint(v.State.String(), 0), v.Why)
		}
	}
}

// progress says on a terminal what a command is waiting for, once it has
// waited for two seconds.
func (a *app) progress(what string) (stop func()) {
	if !a.terminal || a.json() {
		return func() {}
	}
	timer := time.AfterFunc(2*time.Second, func() { fmt.Fprintf(a.stderr, "cfddns: %s …\n", what) })
	return func() { timer.Stop() }
}

func joinNonEmpty(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}
