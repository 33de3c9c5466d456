package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cfddns/cfddns/ddns"
	"github.com/spf13/cobra"
)

func (a *app) wafRevokeCommand() *cobra.Command {
	var zones []string
	var dry bool
	cmd := &cobra.Command{
		Use:   "revoke NAME",
		Short: "Take a way in away: its rule, and no other",
		Long: `Deletes the rule of a way in, wherever the token sees it: first in the zones of
the configured names, and if it is in none of them, in the others. Your own
rules stay as and where they are.

` + exitCodes,
		Example: "  cfddns waf revoke backup\n  cfddns waf revoke backup --zone example.com --dry-run",
		Args:    oneName,
		RunE:    func(cmd *cobra.Command, args []string) error { return a.wafRevoke(cmd.Context(), args[0], zones, dry) },
	}
	cmd.Flags().StringSliceVar(&zones, "zone", nil, "`ZONE` to look in, and in no other")
	cmd.Flags().BoolVarP(&dry, "dry-run", "n", false, "have Cloudflare check it, and change nothing")
	return cmd
}

// mostOthers is how many zones of no configured name are looked through.
const mostOthers = 50

func (a *app) wafRevoke(ctx context.Context, name string, named []string, dry bool) error {
	p, err := a.reach()
	if err != nil {
		return err
	}
	stop := a.progress("looking for its rule")
	report := p.revoke(ctx, name, named, dry)
	stop()
	if kept, listed := p.keeps(name); listed && kept.Over(a.clock()) {
		report.Notes = append(report.Notes, "the configuration still lists it under waf.allow; its time is over, so "+
			"no round makes it again, and it may be taken out there")
	} else if listed {
		report.Notes = append(report.Notes, "the configuration still lists it under waf.allow, and the next round makes it again: take it out there")
	}
	return a.concludeWayIn(report)
}

// revoke takes a way in away, wherever it is.
func (p *parts) revoke(ctx context.Context, name string, named []string, dry bool) wayInReport {
	zones, _, err := p.zonesFor(ctx, named)
	if err != nil {
		return reportOf(ddns.NotLetIn(name, "", err), dry)
	}
	outcomes := p.revokeIn(ctx, name, zones, dry)
	if len(named) > 0 || slices.ContainsFunc(outcomes, func(o ddns.WayInOutcome) bool { return o.State != ddns.Right }) {
		return revoked(name, outcomes, dry)
	}
	all, err := p.client.Zones(ctx)
	if err != nil {
		return reportOf(ddns.NotLetIn(name, "", err), dry)
	}
	others := slices.DeleteFunc(all, func(z ddns.Zone) bool { return slices.ContainsFunc(zones, sameZone(z)) })
	left := max(0, len(others)-mostOthers)
	for _, o := range p.revokeIn(ctx, name, others[:len(others)-left], dry) {
		if o.State != ddns.Refused { // a zone whose rules the token may not touch is not the one that was meant
			outcomes = append(outcomes, o)
		}
	}
	report := revoked(name, outcomes, dry)
	if left > 0 && report.State == ddns.Right {
		report.Notes = append(report.Notes, counted(left, "more zone")+" not looked through; name it: --zone example.com")
	}
	return report
}

func (p *parts) revokeIn(ctx context.Context, name string, zones []ddns.Zone, dry bool) (outcomes []ddns.WayInOutcome) {
	for _, zone := range zones {
		outcomes = append(outcomes, ddns.Revoke(ctx, p.client, zone, name, dry))
	}
	return outcomes
}

// revoked is the report over all zones that were looked through: what was
// changed and what failed, and if neither, where it is not.
func revoked(name string, outcomes []ddns.WayInOutcome, dry bool) wayInReport {
	var looked []string
	var states []ddns.TargetState
	var told []wayInReport
	for _, o := range outcomes {
		looked = append(looked, o.Zone)
		if o.State != ddns.Right {
			told, states = append(told, reportOf(o, dry)), append(states, o.State)
		}
	}
	if len(told) == 0 {
		r := reportOf(ddns.WayInOutcome{Name: name, Zone: strings.Join(looked, ", "), State: ddns.Right}, dry)
		r.Why = "no way in of that name stands there; nothing was changed"
		return r
	}
	slices.SortStableFunc(told, func(a, b wayInReport) int { return b.Exit - a.Exit }) // what failed first
	r := told[0]
	for _, more := range told[1:] {
		r.Changes = append(r.Changes, more.Changes...)
		r.Notes = append(r.Notes, fmt.Sprintf("%s at %s: %s", more.State, more.Zone, more.Why))
	}
	r.Exit = exitOfStates(states...)
	return r
}

// keeps reports whether the configuration lists a way in.
func (p *parts) keeps(name string) (kept ddns.KeptWayIn, listed bool) {
	for _, w := range p.config.WaysIn() {
		if w.Name == name {
			return w, true
		}
	}
	return kept, false
}
