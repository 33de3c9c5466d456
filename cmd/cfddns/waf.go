package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
	"github.com/spf13/cobra"
)

func (a *app) wafCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "waf",
		Short: "Let a script host past Cloudflare's defences",
		Long: `Under Attack mode and its kin challenge every visitor, and a program never
gets past a challenge. A way in is one WAF skip rule, as narrow as it can be:
these hosts, this address (or a secret header), this product, until then. It
stands before your own rules and touches none of them.

The token needs the permission "Zone > Zone WAF > Edit", and "Zone > Analytics
> Read" to see what stopped the host.`,
		Example: "  cfddns waf status\n  cfddns waf allow backup --host api.example.com --address 198.51.100.7\n  cfddns waf revoke backup",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.wafStatusCommand(), a.wafAllowCommand(), a.wafRevokeCommand())
	return cmd
}

func (a *app) wafStatusCommand() *cobra.Command {
	var zones []string
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show the custom rules in order, and what each way in lets through",
		Example: "  cfddns waf status\n  cfddns waf status --zone example.com --output json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.wafStatus(cmd.Context(), zones) },
	}
	cmd.Flags().StringSliceVar(&zones, "zone", nil, "`ZONE` to show (default: those of the configured names)")
	return cmd
}

func (a *app) wafRevokeCommand() *cobra.Command {
	var zones []string
	var dry bool
	cmd := &cobra.Command{
		Use:     "revoke NAME",
		Short:   "Take a way in away: its rule, and no other",
		Example: "  cfddns waf revoke backup",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.wafRevoke(cmd.Context(), args[0], zones, dry) },
	}
	cmd.Flags().StringSliceVar(&zones, "zone", nil, "`ZONE` to look in (default: those of the configured names)")
	cmd.Flags().BoolVarP(&dry, "dry-run", "n", false, "have Cloudflare check it, and change nothing")
	return cmd
}

// reach builds what a command needs that talks to Cloudflare's API alone.
func (a *app) reach() (*parts, error) {
	cfg, err := a.load()
	if err != nil {
		return nil, err
	}
	p := &parts{config: cfg, keeper: &keeper{dir: cfg.State}}
	if err := p.connect(a); err != nil {
		return nil, exit(ddns.ExitUsage, err)
	}
	a.warn(p.warnings)
	return p, nil
}

// exitFor is the exit code of a command that an error of the API ends.
func exitFor(err error) error {
	switch ddns.KindOf(err) {
	case ddns.TokenRefused, ddns.NotPermitted, ddns.NoZone, ddns.Rejected, ddns.Conflict:
		return exit(ddns.ExitRefused, err)
	case ddns.Unreachable, ddns.Limited, ddns.Uncertain:
		return exit(ddns.ExitUnreached, err)
	default:
		return exit(ddns.ExitUnexpected, err)
	}
}

// exitOfState is the exit code of how a way in ended.
func exitOfState(state ddns.TargetState) error {
	return exit(ddns.Round{WaysIn: []ddns.WayInOutcome{{State: state}}}.Exit(), nil)
}

// zonesFor finds the zones that a command is about: those that are named, else
// those of the configuration, else all that the token sees.
func (p *parts) zonesFor(ctx context.Context, named []string) ([]ddns.Zone, error) {
	all, err := p.client.Zones(ctx)
	if err != nil {
		return nil, err
	}
	names := named
	if len(names) == 0 {
		for _, t := range p.config.Targets() {
			names = append(names, t.Name)
		}
		for _, k := range p.config.WaysIn() {
			names = append(names, k.Hosts...)
		}
	}
	if len(names) == 0 {
		return all, nil
	}
	var zones []ddns.Zone
	for _, name := range names {
		zone, err := ddns.ZoneOf(all, strings.ToLower(strings.TrimSuffix(name, ".")))
		if err == nil && len(named) > 0 && zone.Name != strings.ToLower(name) {
			err = &ddns.Error{Kind: ddns.NoZone, Op: "find the zone " + name, Err: fmt.Errorf("it is a name in the zone %s", zone.Name), Hint: "write --zone " + zone.Name}
		}
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(zones, func(z ddns.Zone) bool { return z.ID == zone.ID }) {
			zones = append(zones, zone)
		}
	}
	return zones, nil
}

// zoneRules is the rules of a zone, in JSON.
type zoneRules struct {
	Zone  string     `json:"zone"`
	Plan  string     `json:"plan"`
	Slots int        `json:"slots"`
	Rules []ruleView `json:"rules"`
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

func viewOf(set ddns.RuleSet, zone ddns.Zone, now time.Time) zoneRules {
	view := zoneRules{Zone: zone.Name, Plan: zone.Plan, Slots: zone.RuleSlots(), Rules: []ruleView{}}
	for _, r := range set.Rules {
		v := ruleView{Position: r.Position, ID: r.ID, Action: r.Action, Enabled: r.Enabled, Description: r.Description}
		if name, ours := ddns.Ours(r); ours {
			v.WayIn, v.Lets = name, "changed by hand: look at it in the dashboard, or let the host in again"
			if w, ok := ddns.ParseWayIn(r); ok {
				v.Lets = w.String()
				if w.Over(now) {
					v.Lets += " (over: it lets nobody in any more, and cfddns waf revoke " + name + " frees its slot)"
				}
				if !w.Until.IsZero() {
					v.Until = w.Until.UTC().Format(time.RFC3339)
				}
			}
		}
		view.Rules = append(view.Rules, v)
	}
	return view
}

func (a *app) wafStatus(ctx context.Context, named []string) error {
	p, err := a.reach()
	if err != nil {
		return err
	}
	stop := a.progress("reading the rules")
	views, err := p.rules(ctx, named, a.clock())
	stop()
	if err != nil {
		return exitFor(err)
	}
	if a.json() {
		return exit(0, a.printJSON(map[string]any{"zones": views}))
	}
	for _, v := range views {
		a.sayRules(v)
	}
	for _, k := range p.config.WaysIn() {
		if !slices.ContainsFunc(views, func(v zoneRules) bool {
			return slices.ContainsFunc(v.Rules, func(r ruleView) bool { return r.WayIn == k.Name })
		}) {
			fmt.Fprintf(a.stdout, "%s  %s is configured, and has no rule yet: cfddns once makes it\n", a.paint("note", 12), k.Name)
		}
	}
	return nil
}

// rules reads the rules of the zones.
func (p *parts) rules(ctx context.Context, named []string, now time.Time) ([]zoneRules, error) {
	zones, err := p.zonesFor(ctx, named)
	if err != nil {
		return nil, err
	}
	views := []zoneRules{}
	for _, zone := range zones {
		set, err := p.client.Rules(ctx, zone)
		if err != nil {
			return nil, err
		}
		views = append(views, viewOf(set, zone, now))
	}
	return views, nil
}

// sayRules prints the rules of a zone.
func (a *app) sayRules(v zoneRules) {
	free := fmt.Sprintf("%d of %d free", max(0, v.Slots-len(v.Rules)), v.Slots)
	fmt.Fprintf(a.stdout, "%s: %s, %s\n", v.Zone, counted(len(v.Rules), "custom rule"), free)
	for _, r := range v.Rules {
		off := ""
		if !r.Enabled {
			off = " (disabled)"
		}
		if r.WayIn != "" {
			fmt.Fprintf(a.stdout, "  %2d  way in  %s%s: %s\n", r.Position, r.WayIn, off, r.Lets)
		} else {
			fmt.Fprintf(a.stdout, "  %2d  %s  %q%s\n", r.Position, r.Action, r.Description, off)
		}
	}
}

// wayInReport is what allow and revoke print in JSON.
type wayInReport struct {
	Name    string           `json:"name"`
	Zone    string           `json:"zone"`
	State   ddns.TargetState `json:"state"`
	Why     string           `json:"why"`
	Hint    string           `json:"hint"`
	DryRun  bool             `json:"dry_run"`
	Changes []ruleChange     `json:"changes"`
	Skips   []string         `json:"skips"`
	Notes   []string         `json:"notes"`
	Header  string           `json:"header,omitempty"`
	Secret  string           `json:"secret,omitempty"` // shown when it was made, and never again
}

// ruleChange is a change of a rule of ours, in JSON.
type ruleChange struct {
	Before string `json:"before"`
	After  string `json:"after"`
	Why    string `json:"why"`
}

func reportOf(o ddns.WayInOutcome, dry bool) wayInReport {
	report := wayInReport{Name: o.Name, Zone: o.Zone, State: o.State, Why: o.Why, Hint: o.Hint, DryRun: dry, Changes: []ruleChange{}, Skips: []string{}, Notes: []string{}}
	for _, c := range o.Changes {
		report.Changes = append(report.Changes, ruleChange{Before: letsText(c.Before), After: letsText(c.After), Why: c.Why})
	}
	return report
}

// letsText is what a rule of ours lets in; "" for none.
func letsText(r *ddns.Rule) string {
	if r == nil {
		return ""
	}
	w, ok := ddns.ParseWayIn(*r)
	if !ok {
		return "a rule that was changed by hand"
	}
	if !r.Enabled {
		return w.String() + " (disabled)"
	}
	return w.String()
}

// sayWayIn prints how a way in ended, with what stood before and after.
func (a *app) sayWayIn(r wayInReport) {
	out, word := a.stdout, string(r.State)
	if r.State != ddns.Right && r.State != ddns.Changed {
		out = a.stderr
	}
	if r.DryRun && r.State == ddns.Changed {
		word = "would change"
	}
	why := r.Why
	if r.State == ddns.Right && why == "" {
		why = "as it should be already; nothing was changed"
	}
	fmt.Fprintf(out, "%s  way in %s: %s\n", a.paint(word, 12), joinNonEmpty(" at ", r.Name, r.Zone), why)
	sayHint(out, r.Hint)
	for _, c := range r.Changes {
		if c.Before != "" {
			fmt.Fprintf(out, "              before: %s\n", c.Before)
		}
		if c.After != "" {
			fmt.Fprintf(out, "              after:  %s\n", c.After)
		}
	}
	for _, n := range r.Notes {
		fmt.Fprintf(out, "%s  %s\n", a.paint("note", 12), n)
	}
}

// sayWaysIn prints how the ways in stand after a round, and reports whether one
// of them changed.
func (a *app) sayWaysIn(r ddns.Round, quiet bool) (changed bool) {
	for _, o := range r.WaysIn {
		changed = changed || o.State == ddns.Changed
		if o.State == ddns.Right && quiet {
			continue
		}
		report := reportOf(o, r.Dry)
		if o.State == ddns.Right {
			report.Why = joinNonEmpty(": ", "stands", o.Why)
		}
		a.sayWayIn(report)
	}
	return changed
}

// waysInRight counts them.
func waysInRight(r ddns.Round) (n int) {
	for _, o := range r.WaysIn {
		if o.State == ddns.Right || o.State == ddns.Changed {
			n++
		}
	}
	return n
}

func (a *app) wafRevoke(ctx context.Context, name string, named []string, dry bool) error {
	p, err := a.reach()
	if err != nil {
		return err
	}
	zones, err := p.zonesFor(ctx, named)
	if err != nil {
		return exitFor(err)
	}
	report := wayInReport{Name: name, State: ddns.Right, Why: "no way in of that name stands there; nothing was changed", DryRun: dry, Changes: []ruleChange{}, Skips: []string{}, Notes: []string{}}
	var looked []string
	for _, zone := range zones {
		looked = append(looked, zone.Name)
		o := ddns.Revoke(ctx, p.client, zone, name, dry)
		if o.State != ddns.Right {
			report = reportOf(o, dry)
		}
		if o.State != ddns.Right && o.State != ddns.Changed {
			break
		}
	}
	if report.Zone == "" {
		report.Zone = strings.Join(looked, ", ")
	}
	if p.keeps(name) {
		report.Notes = append(report.Notes, "the configuration still lists it under waf.allow, and the next round would make it again: take it out there")
	}
	return a.concludeWayIn(report)
}

// keeps reports whether the configuration lists a way in.
func (p *parts) keeps(name string) bool {
	return slices.ContainsFunc(p.config.WAF.Allow, func(w configs.WayIn) bool { return w.Name == name })
}

// concludeWayIn prints a report and ends with its code.
func (a *app) concludeWayIn(r wayInReport) error {
	if a.json() {
		if err := a.printJSON(r); err != nil {
			return exit(ddns.ExitUnexpected, err)
		}
	} else {
		a.sayWayIn(r)
	}
	return exitOfState(r.State)
}

// errNoHosts and its like are what the arguments of allow lack.
var (
	errNoHosts  = errors.New("name the hosts that the script calls: --host api.example.com")
	errNoOrigin = errors.New("say where the script host comes from: --address 198.51.100.7, --self, or --header for one without a lasting address")
)
