package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"time"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
	"github.com/spf13/cobra"
)

func (a *app) checkCommand() *cobra.Command {
	var write bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Is everything there that is needed?",
		Long: `Checks the configuration, the token and its permissions (for this and for the
other commands), and plans a round without writing anything. It also lists
names of the zones that look like this home and are not kept.

Exit codes are those of cfddns once.`,
		Example: `  cfddns check
  cfddns check --write       also prove that the token may write`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.check(cmd.Context(), write) },
	}
	cmd.Flags().BoolVar(&write, "write", false, "send a kept record its own content (PATCH), as a proof")
	return cmd
}

// finding is one line of a check.
type finding struct {
	What string `json:"what"`
	// State is right, note, refused or unreachable.
	State string `json:"state"`
	Why   string `json:"why"`
	Hint  string `json:"hint"`
}

// note is the state of a finding that hinders nothing.
const note = "note"

// failed is the finding that something could not be done.
func failed(what string, err error) finding {
	return finding{What: what, State: string(ddns.StateAfter(err)), Why: err.Error(), Hint: ddns.HintOf(err)}
}

// checkReport is what `cfddns check` prints.
type checkReport struct {
	Findings   []finding            `json:"findings"`
	Verdicts   []ddns.VerdictReport `json:"verdicts"`
	Targets    []ddns.TargetReport  `json:"targets"`
	Unkept     []string             `json:"unkept"`
	Conditions []ddns.Condition     `json:"conditions"`
	Exit       int                  `json:"exit"`
}

func (a *app) check(ctx context.Context, write bool) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	p, err := a.wire(cfg)
	if err != nil {
		return err
	}
	a.warn(p.warnings)
	p.runner.Dry = true
	stop := a.progress("asking Cloudflare and the sources")
	round, _ := p.runner.Round(ctx, ddns.ByOnce, ddns.Past{Memory: p.memory})
	report := checkReport{Verdicts: ddns.VerdictReports(round.Verdicts), Targets: round.Report().Targets, Unkept: []string{},
		Conditions: append([]ddns.Condition{}, round.Conditions...), Exit: round.Exit()}
	report.Findings = append(report.Findings, p.checkToken(ctx, round), checkZones(round))
	if write {
		report.Findings = append(report.Findings, p.checkWrite(ctx, round))
	} else {
		report.Findings = append(report.Findings, p.checkMayWrite(ctx, round))
	}
	report.Findings = append(report.Findings, checkVisitors(round))
	report.Findings = append(report.Findings, checkPrograms(cfg)...)
	report.Findings = append(report.Findings, p.checkNeeds(ctx, round)...)
	report.Unkept = append(report.Unkept, ddns.LookAlikes(round, p.runner.Targets)...)
	stop()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, f := range report.Findings {
		switch {
		case report.Exit != ddns.ExitRight:
		case f.State == string(ddns.Refused):
			report.Exit = ddns.ExitRefused
		case f.State == string(ddns.Unreached):
			report.Exit = ddns.ExitUnreached
		}
	}
	if a.json() {
		if err := a.printJSON(report); err != nil {
			return exit(ddns.ExitUnexpected, err)
		}
		return exit(report.Exit, nil)
	}
	a.sayCheck(report, round)
	return exit(report.Exit, nil)
}

// checkToken asks Cloudflare about the token itself.
func (p *parts) checkToken(ctx context.Context, round ddns.Round) finding {
	what := fmt.Sprintf("token of %s (fingerprint %s)", p.tokenSource, p.fingerprint)
	token, err := p.client.VerifyToken(ctx, accountOf(round))
	if err != nil {
		return failed(what, err)
	}
	f := finding{What: what, State: string(ddns.Right), Why: token.Status}
	if token.Status != "active" {
		f.State, f.Hint = string(ddns.Refused), "make a new token, or enable this one in the dashboard: My Profile > API Tokens"
	}
	if !token.Expires.IsZero() {
		f.Why = fmt.Sprintf("%s until %s", token.Status, token.Expires.UTC().Format(time.DateOnly))
	}
	if soon := (ddns.TokenEnd{Expires: token.Expires}).Soon(round.Started); soon && f.State == string(ddns.Right) {
		f.State, f.Hint = note, fmt.Sprintf("make a new token before that day; %s", p.replaceToken)
	}
	return f
}

// accountOf is the account of the zones that were found; a token of an
// account is verified there.
func accountOf(round ddns.Round) string {
	for _, z := range round.Found.Zones {
		return z.Zone.AccountID
	}
	return ""
}

// checkZones says whether the zones and their records could be read.
func checkZones(round ddns.Round) finding {
	f := finding{What: "zones and records can be read", State: string(ddns.Right)}
	for _, z := range round.Found.Zones {
		f.Why = joinNonEmpty(", ", f.Why, fmt.Sprintf("%s (%s, %s)", z.Zone.Name, z.Zone.Plan, z.Zone.Status))
		if err := round.Found.Failed[z.Zone.Name]; err != nil {
			return failed(f.What, err)
		}
	}
	for _, o := range round.Outcomes {
		if err := round.Found.Missing[o.Target.Name]; err != nil {
			return failed(fmt.Sprintf("%s, for %s", f.What, o.Target.Shown), err)
		}
	}
	return f
}

// canWrite is what both ways to look at writing answer.
const canWrite = "records can be written"

// checkMayWrite asks of each zone whether its records may be written, without
// writing.
func (p *parts) checkMayWrite(ctx context.Context, round ddns.Round) finding {
	f := finding{What: canWrite, State: note, Why: whyNoZone(round)}
	for _, z := range round.Found.Zones {
		if err := p.client.MayWrite(ctx, z.Zone); err != nil {
			return failed(f.What, err)
		}
		f.State, f.Why = string(ddns.Right), "the token may; cfddns check --write proves it with a kept record"
	}
	return f
}

// whyNoZone says why no zone can be looked at.
func whyNoZone(round ddns.Round) string {
	for _, o := range round.Outcomes {
		if err := round.Found.Missing[o.Target.Name]; err != nil {
			return "not tried: " + err.Error()
		}
	}
	return "not tried: no zone was found"
}

// checkPrograms looks whether the programs of notify: can be started.
func checkPrograms(cfg configs.Config) (findings []finding) {
	for _, program := range []struct {
		key     string
		command []string
	}{{"notify.command", cfg.Notify.Command}, {"notify.on_change", cfg.Notify.OnChange}} {
		if len(program.command) == 0 {
			continue
		}
		f := finding{What: program.key, State: string(ddns.Right), Why: "it can be started: " + program.command[0]}
		if _, err := exec.LookPath(program.command[0]); err != nil {
			f.State, f.Why = note, "it cannot be started: "+err.Error()
			f.Hint = "names are kept all the same, and no message is sent; write the whole path of a " +
				"program that may be run"
		}
		findings = append(findings, f)
	}
	return findings
}

// checkWrite proves the way to write with one record of each zone.
func (p *parts) checkWrite(ctx context.Context, round ddns.Round) finding {
	f := finding{What: canWrite, State: note, Why: "no kept record stands there yet to prove it with"}
	if len(round.Found.Zones) == 0 {
		f.Why = whyNoZone(round)
	}
	for _, z := range round.Found.Zones {
		r, ok := keptRecord(round, z)
		if !ok {
			continue
		}
		if _, err := p.client.Touch(ctx, z.Zone, r); err != nil {
			return failed(f.What, err)
		}
		f.State, f.Why = string(ddns.Right), fmt.Sprintf("%s %s took its own content again", r.Name, r.Type)
	}
	return f
}

func keptRecord(round ddns.Round, z ddns.ZoneFacts) (ddns.Record, bool) {
	for _, o := range round.Outcomes {
		for _, r := range z.Records {
			if slices.Contains(o.Records, r.ID) && o.State != ddns.Refused {
				return r, true
			}
		}
	}
	return ddns.Record{}, false
}

// sayCheck prints a check for a person.
func (a *app) sayCheck(report checkReport, round ddns.Round) {
	for _, f := range report.Findings {
		sayf(a.stdout, "%s  %s\n", a.paint(f.State, 12), joinNonEmpty(": ", f.What, f.Why))
		sayHint(a.stdout, f.Hint)
	}
	for _, v := range round.Verdicts {
		sayf(a.stdout, "%s  %s %s\n", a.paint(v.State.String(), 12), v.Family, v.Why)
	}
	a.sayRound(round, false)
	if len(report.Unkept) > 0 {
		sayf(a.stdout, "%s  these names look like this home and are not kept:\n", a.paint("note", 12))
		for _, name := range report.Unkept {
			sayf(a.stdout, "              %s\n", name)
		}
	}
}
