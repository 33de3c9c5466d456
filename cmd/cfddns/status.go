package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
	"github.com/spf13/cobra"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show how the running daemon stands",
		Long: `Shows how the running daemon of this configuration stands: what is agreed on
and what is published, what each name holds, and since when that is known.
Exit code 10 if no daemon of this configuration answers.`,
		Example: "  cfddns status\n  cfddns status --output json | jq .line",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.status(cmd.Context()) },
	}
}

func (a *app) status(ctx context.Context) error {
	var s StatusReport
	stop := a.progress("asking the daemon")
	note, err := a.askWithin(ctx, controlTimeout, "GET", "/status", &s)
	stop()
	if err != nil {
		return err
	}
	s.Pending = note
	if a.json() {
		return a.printJSON(s)
	}
	sayf(a.stdout, "%s\n", s.Line)
	if s.Refused == "" && note != "" {
		sayf(a.stdout, "%s  %s\n", a.paint("note", 12), note)
	}
	if s.Refused != "" {
		sayf(a.stdout, "%s  %s: %s\n", a.paint(string(ddns.Alarm), 12), reloadRefused, s.Refused)
		sayHint(a.stdout, "mend the file, and reload: "+configs.SiteOf(a.env).Reload(0)+"; a restart would end with it")
	}
	if s.Round != nil {
		a.sayNames(s)
		a.sayReport(*s.Round)
	}
	next := "a round is under way"
	if !s.Running {
		next = "next round " + relative(s.Next, a.clock())
	}
	sayf(a.stdout, "%s since %s, %s%s\n", counted(s.Rounds, "round"),
		s.Started.Local().Format("2006-01-02 15:04"), a.knownSince(s), next)
	return nil
}

// knownSince says of when the knowledge of a status is.
func (a *app) knownSince(s StatusReport) string {
	text := ""
	if s.Round != nil {
		text = "the last one " + ago(s.Round.Started, a.clock()) + ", "
	}
	if s.ReadAt != nil {
		text += "the records read " + ago(*s.ReadAt, a.clock()) + ", "
	}
	return text
}

// ago says how long a time is over.
func ago(t, now time.Time) string {
	if d := now.Sub(t).Round(time.Second); d > 0 {
		return d.String() + " ago"
	}
	return "just now"
}

// sayNames prints how each name stands now.
func (a *app) sayNames(s StatusReport) {
	for _, n := range s.Names {
		holds := ""
		switch words := strings.Join(n.Holds, " and "); {
		case words == "" && n.Known:
			holds = "holds no address"
		case words == "":
		case !n.Known:
			holds = fmt.Sprintf("held %s when it was last seen, %s", words, ago(n.AsOf, a.clock()))
		default:
			holds = "holds " + words
		}
		if strings.HasPrefix(n.Why, holds) {
			holds = "" // as after a change
		}
		sayf(a.stdout, "%s  %s %s: %s\n", a.paint(string(n.State), 12), n.Name, n.Type,
			joinNonEmpty("; ", n.Why, holds))
	}
}

// sayReport prints the ways in and conditions of a round that another process made.
func (a *app) sayReport(r ddns.Report) {
	for _, w := range r.WaysIn {
		sayf(a.stdout, "%s  way in %s\n", a.paint(string(w.State), 12), joinNonEmpty(": ", w.Name, w.Why))
	}
	for _, c := range r.Conditions {
		sayf(a.stdout, "%s  %s (since %s)\n", a.paint(string(c.Severity), 12), joinNonEmpty(": ", c.Name, c.Title),
			c.Since.Local().Format("2006-01-02 15:04"))
		sayHint(a.stdout, c.Hint)
	}
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// relative says how far off a time is.
func relative(t, now time.Time) string {
	if d := t.Sub(now).Round(time.Second); d > 0 {
		return "in " + d.String()
	}
	return "now"
}

func (a *app) healthcheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask whether the running daemon's loop turns",
		Long: `Asks whether the running daemon's loop turns, for containers. An outage, a
refused token or sources that disagree are conditions that cfddns status
shows; they are no ill health, and a restart would not mend them.`,
		Example: "  HEALTHCHECK CMD [\"/cfddns\", \"healthcheck\"]",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var done map[string]bool
			stop := a.progress("asking the daemon")
			note, err := a.askWithin(cmd.Context(), controlTimeout, "GET", "/health", &done)
			stop()
			if coded, ok := errors.AsType[*exitError](err); ok && coded.code == ddns.ExitUsage {
				return err
			}
			if err == nil && !done["healthy"] {
				err = errors.New("the running cfddns does not say that it is healthy")
			}
			if err != nil {
				return exit(ddns.ExitUnexpected, err)
			}
			a.sayPending(note)
			if a.json() {
				return a.printJSON(done)
			}
			return nil
		},
	}
}
