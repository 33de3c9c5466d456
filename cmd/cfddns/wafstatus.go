package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/spf13/cobra"
)

func (a *app) wafStatusCommand() *cobra.Command {
	var zones []string
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show the custom rules in order, and what each way in lets through",
		Long:    "Shows the custom rules of the zones in their order, and what each way in lets\nthrough. It changes nothing.\n\n" + exitCodes,
		Example: "  cfddns waf status\n  cfddns waf status --zone example.com --output json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.wafStatus(cmd.Context(), zones) },
	}
	cmd.Flags().StringSliceVar(&zones, "zone", nil, "`ZONE` to show (default: those of the configured names)")
	return cmd
}

// rulesReport is what status prints in JSON.
type rulesReport struct {
	Zones []zoneRules `json:"zones"`
	Notes []string    `json:"notes"`
	Why   string      `json:"why"` // why there are no zones
	Hint  string      `json:"hint"`
	Exit  int         `json:"exit"`
}

// zoneRules is the rules of a zone, in JSON.
type zoneRules struct {
	Zone  string           `json:"zone"`
	Plan  string           `json:"plan"`
	State ddns.TargetState `json:"state"` // right, refused or unreachable
	Why   string           `json:"why"`
	Hint  string           `json:"hint"`
	Slots int              `json:"slots"`
	Rules []ruleView       `json:"rules"`
}

// ruleView is a rule in JSON. The expressions of your own rules are not shown:
// they may hold secrets.
type ruleView struct {
	Position    int    `json:"position"`
	ID          string `json:"id"`
	Action      string `json:"action"`
	Enabled     bool   `json:"enabled"`
	Description string `json:"description"`
	WayIn       string `json:"way_in"` // its name, if it is ours
	Lets        string `json:"lets"`   // whom it lets in, where, past what
	Until       string `json:"until"`
}

func (a *app) wafStatus(ctx context.Context, named []string) error {
	p, err := a.reach()
	if err != nil {
		return err
	}
	stop := a.progress("reading the rules")
	report := rulesReport{Zones: []zoneRules{}, Notes: []string{}}
	zones, missing, err := p.zonesFor(ctx, named)
	var states []ddns.TargetState
	if err != nil {
		report.Why, report.Hint, states = err.Error(), ddns.HintOf(err), append(states, ddns.StateAfter(err))
	}
	for _, zone := range zones {
		z := a.rulesIn(ctx, p, zone)
		report.Zones, states = append(report.Zones, z), append(states, z.State)
	}
	stop()
	report.Exit = exitOfStates(states...)
	report.Notes = append(report.Notes, a.unmade(p, report.Zones, len(named) > 0)...)
	for _, err := range missing {
		report.Notes = append(report.Notes, err.Error())
	}
	if a.json() {
		if err := a.printJSON(report); err != nil {
			return exit(ddns.ExitUnexpected, err)
		}
		return exit(report.Exit, nil)
	}
	a.sayRules(report)
	return exit(report.Exit, err)
}

// rulesIn reads the rules of a zone.
func (a *app) rulesIn(ctx context.Context, p *parts, zone ddns.Zone) zoneRules {
	z := zoneRules{Zone: zone.Name, Plan: zone.Plan, State: ddns.Right, Slots: zone.RuleSlots(), Rules: []ruleView{}}
	set, err := p.client.Rules(ctx, zone)
	if err != nil {
		z.State, z.Why, z.Hint = ddns.StateAfter(err), err.Error(), ddns.HintOf(err)
		return z
	}
	for _, r := range set.Rules {
		z.Rules = append(z.Rules, a.viewOf(r))
	}
	return z
}

// viewOf is a rule as it is shown.
func (a *app) viewOf(r ddns.Rule) ruleView {
	v := ruleView{Position: r.Position, ID: r.ID, Action: r.Action, Enabled: r.Enabled, Description: r.Description}
	name, ours := ddns.Ours(r)
	if !ours {
		return v
	}
	v.WayIn = name
	w, known := ddns.ParseWayIn(r)
	if !known {
		v.Lets = "changed by hand: look at it in the dashboard, or let the host in again"
		return v
	}
	if v.Lets = w.String(); w.Over(a.clock()) {
		v.Lets += " (over: it lets nobody in any more; to free its slot: " + a.command("waf", "revoke", name) + ")"
	}
	if !w.Until.IsZero() {
		v.Until = w.Until.UTC().Format(time.RFC3339)
	}
	return v
}

// unmade says which configured ways in have no rule, where all was read.
func (a *app) unmade(p *parts, zones []zoneRules, some bool) (notes []string) {
	if some || slices.ContainsFunc(zones, func(z zoneRules) bool { return z.State != ddns.Right }) {
		return nil
	}
	for _, k := range p.config.WaysIn() {
		made := slices.ContainsFunc(zones, func(z zoneRules) bool {
			return slices.ContainsFunc(z.Rules, func(r ruleView) bool { return r.WayIn == k.Name })
		})
		switch {
		case made:
		case k.Over(a.clock()):
			notes = append(notes, fmt.Sprintf("%s is configured, and over since %s: it has no rule any more", k.Name, k.Until.UTC().Format(time.RFC3339)))
		default:
			notes = append(notes, fmt.Sprintf("%s is configured, and has no rule yet; the daemon makes it, or: %s", k.Name, a.command("once")))
		}
	}
	return notes
}

// sayRules prints the rules of all zones.
func (a *app) sayRules(report rulesReport) {
	for _, z := range report.Zones {
		if z.State != ddns.Right {
			sayf(a.stderr, "%s  %s: %s\n", a.paint(string(z.State), 12), z.Zone, z.Why)
			sayHint(a.stderr, z.Hint)
			continue
		}
		sayf(a.stdout, "%s: %s, %d of %d free\n", z.Zone, counted(len(z.Rules), "custom rule"),
			max(0, z.Slots-len(z.Rules)), z.Slots)
		for _, r := range z.Rules {
			off := ""
			if !r.Enabled {
				off = " (disabled)"
			}
			if r.WayIn != "" {
				sayf(a.stdout, "  %2d  way in  %s%s: %s\n", r.Position, r.WayIn, off, r.Lets)
			} else {
				sayf(a.stdout, "  %2d  %s  %q%s\n", r.Position, r.Action, r.Description, off)
			}
		}
	}
	for _, n := range report.Notes {
		sayf(a.stdout, "%s  %s\n", a.paint(note, 12), n)
	}
}
