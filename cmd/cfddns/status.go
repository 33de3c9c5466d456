package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/spf13/cobra"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Show how the running daemon stands",
		Example: "  cfddns status\n  cfddns status --output json | jq .line",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.status(cmd.Context()) },
	}
}

func (a *app) status(ctx context.Context) error {
	var s StatusReport
	stop := a.progress("asking the daemon")
	err := a.ask(ctx, "GET", "/status", &s)
	stop()
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(s)
	}
	sayf(a.stdout, "%s\n", s.Line)
	if s.Refused != "" {
		sayf(a.stdout, "%s  %s: %s\n", a.paint(string(ddns.Alarm), 12), reloadRefused, s.Refused)
		sayHint(a.stdout, "mend the file, and reload: kill -HUP, or systemctl reload cfddns; a restart would end with it")
	}
	if s.Round != nil {
		a.sayReport(*s.Round)
	}
	next := "a round is under way"
	if !s.Running {
		next = "next round " + relative(s.Next, a.clock())
	}
	sayf(a.stdout, "%s since %s, %s\n", counted(s.Rounds, "round"), s.Started.Local().Format("2006-01-02 15:04"), next)
	return nil
}

// sayReport prints the targets and conditions of a round that another process made.
func (a *app) sayReport(r ddns.Report) {
	for _, t := range r.Targets {
		sayf(a.stdout, "%s  %s %s: %s\n", a.paint(string(t.State), 12), t.Name, t.Type, t.Why)
	}
	for _, w := range r.WaysIn {
		sayf(a.stdout, "%s  way in %s\n", a.paint(string(w.State), 12), joinNonEmpty(": ", w.Name, w.Why))
	}
	for _, c := range r.Conditions {
		sayf(a.stdout, "%s  %s (since %s)\n", a.paint(string(c.Severity), 12), joinNonEmpty(": ", c.Name, c.Title), c.Since.Local().Format("2006-01-02 15:04"))
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
			err := a.ask(cmd.Context(), "GET", "/health", &done)
			stop()
			if err != nil {
				return exit(ddns.ExitUnexpected, err)
			}
			if a.json() {
				return a.printJSON(done)
			}
			return nil
		},
	}
}
