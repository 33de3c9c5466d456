package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/cfclient"
	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/files"
	"github.com/spf13/cobra"
)

func (a *app) underAttackCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "under-attack",
		Short: "See and switch Cloudflare's Under Attack mode",
		Long: `Under Attack mode challenges every visitor of a zone, and programs never get
past a challenge: to let one in, cfddns waf allow.

The token needs "Zone > Zone Settings > Read" for status and "Edit" for on and
off, and "Zone > Analytics > Read" to see whom the level challenged.`,
		Example: "  cfddns under-attack status\n  cfddns under-attack off --zone example.com",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	sub := func(word, short string, run levelCommand) *cobra.Command {
		var zones []string
		c := &cobra.Command{Use: word, Short: short, Long: short + ".\n\n" + exitCodes, Example: "  cfddns under-attack " + word + " --zone example.com", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return a.underAttack(cmd.Context(), word, zones, run) }}
		c.Flags().StringSliceVar(&zones, "zone", nil, "`ZONE` that is meant (default: those of the configured names)")
		return c
	}
	cmd.AddCommand(
		sub("status", "Show the mode, and what shows that more is at work", a.levelStatus),
		sub("on", "Switch the mode on", func(ctx context.Context, p *parts, z ddns.Zone) levelReport {
			return setLevel(ctx, p, z, func(string) string { return cfclient.UnderAttack })
		}),
		sub("off", "Switch the mode off: back to the level before, or medium", func(ctx context.Context, p *parts, z ddns.Zone) levelReport {
			return setLevel(ctx, p, z, p.levelBefore(z))
		}))
	return cmd
}

// levelCommand does something about the level of one zone.
type levelCommand func(context.Context, *parts, ddns.Zone) levelReport

// levelReport is how the security level of a zone stands, in JSON.
type levelReport struct {
	Zone        string           `json:"zone"`
	State       ddns.TargetState `json:"state"`
	Before      string           `json:"before"`
	Level       string           `json:"level"` // "" if it is not known
	UnderAttack bool             `json:"under_attack"`
	Challenged  int              `json:"challenged"` // requests in the last hour, by the security level, 1,000 at most; -1: not seen
	Why         string           `json:"why"`
	Hint        string           `json:"hint"`
}

// levelsReport is what the commands print in JSON.
type levelsReport struct {
	Zones []levelReport `json:"zones"`
	Notes []string      `json:"notes"`
	Why   string        `json:"why"` // why there are no zones
	Hint  string        `json:"hint"`
	Exit  int           `json:"exit"`
}

func (a *app) underAttack(ctx context.Context, word string, named []string, run levelCommand) error {
	p, err := a.reach()
	if err != nil {
		return err
	}
	stop := a.progress("asking Cloudflare")
	zones, missing, err := p.zonesFor(ctx, named)
	if n := len(zones); n > 1 && len(named)+len(p.configured()) == 0 && word != "status" {
		stop()
		return exit(ddns.ExitUsage, fmt.Errorf("name the zone to switch: %s; no name is configured, and the token sees %d zones", a.command("under-attack", word, "--zone", zones[0].Name), n))
	}
	report := levelsReport{Zones: []levelReport{}, Notes: []string{}}
	var states []ddns.TargetState
	if err != nil {
		report.Why, report.Hint, states = err.Error(), ddns.HintOf(err), append(states, ddns.StateAfter(err))
	}
	for _, zone := range zones {
		r := run(ctx, p, zone)
		report.Zones, states = append(report.Zones, r), append(states, r.State)
	}
	stop()
	for _, err := range missing {
		report.Notes = append(report.Notes, err.Error())
	}
	report.Exit = exitOfStates(states...)
	if a.json() {
		if err := a.printJSON(report); err != nil {
			return exit(ddns.ExitUnexpected, err)
		}
		return exit(report.Exit, nil)
	}
	a.sayLevels(word, report)
	return exit(report.Exit, err)
}

// failedLevel is the report of an error.
func failedLevel(zone ddns.Zone, err error) levelReport {
	f := failed("", err)
	return levelReport{Zone: zone.Name, State: ddns.TargetState(f.State), Challenged: -1, Why: f.Why, Hint: f.Hint}
}

// levelStatus reads the level of a zone, and asks the events whether requests
// are challenged in spite of it.
func (a *app) levelStatus(ctx context.Context, p *parts, zone ddns.Zone) levelReport {
	level, err := p.client.SecurityLevel(ctx, zone)
	if err != nil {
		return failedLevel(zone, err)
	}
	r := levelReport{Zone: zone.Name, State: ddns.Right, Before: level, Level: level, UnderAttack: level == cfclient.UnderAttack, Challenged: -1}
	now := a.clock()
	events, err := p.client.SecurityEvents(ctx, zone, now.Add(-time.Hour), now, netip.Addr{})
	if err != nil {
		r.Why, r.Hint = fmt.Sprintf("whom it challenged could not be seen: %v", err), ddns.HintOf(err)
		return r
	}
	r.Challenged = 0
	hosts := map[string]bool{}
	for _, e := range events {
		if strings.EqualFold(e.Source, "securitylevel") && e.Action != "skip" {
			r.Challenged++
			hosts[e.Host+e.Path] = true
		}
	}
	if r.Challenged > 0 {
		atLeast := map[bool]string{true: "at least "}[len(events) == cfclient.MostEvents]
		r.Why = fmt.Sprintf("%s%s challenged in the last hour, such as to %s", atLeast, counted(r.Challenged, "request"), slices.Sorted(maps.Keys(hosts))[0])
		if !r.UnderAttack {
			r.Why += ", although the zone's level is " + level
			r.Hint = "look for a Configuration Rule (dashboard > Rules) or an IP Access Rule (dashboard > Security > Security rules): the mode may be on for a path, a country or a network"
		}
	}
	return r
}

// setLevel sets the level of a zone to what follows from the one that stands,
// and reads it back. An uncertain write is settled by reading.
func setLevel(ctx context.Context, p *parts, zone ddns.Zone, to func(now string) string) levelReport {
	before, err := p.client.SecurityLevel(ctx, zone)
	if err != nil {
		return failedLevel(zone, err)
	}
	want := to(before)
	r := levelReport{Zone: zone.Name, State: ddns.Right, Before: before, Level: before, UnderAttack: before == cfclient.UnderAttack, Challenged: -1}
	if want == before {
		return r
	}
	if err := p.client.SetSecurityLevel(ctx, zone, want); err != nil {
		if now, readErr := p.client.SecurityLevel(ctx, zone); ddns.KindOf(err) != ddns.Uncertain || readErr != nil || now != want {
			r := failedLevel(zone, err)
			r.Before = before
			return r
		}
	}
	r.State, r.Level, r.UnderAttack = ddns.Changed, want, want == cfclient.UnderAttack
	if r.UnderAttack {
		if err := p.rememberLevel(zone, before); err != nil && before != levelUsual {
			r.Why = fmt.Sprintf("that it was %s could not be kept (%v): off will set %s", before, err, levelUsual)
		}
	}
	return r
}

// levelUsual is what off sets where nothing else is known: Cloudflare's default.
const levelUsual = "medium"

// levelBefore returns what off sets: the level that on replaced, if it was
// kept. A zone whose mode is off keeps its level.
func (p *parts) levelBefore(zone ddns.Zone) func(string) string {
	return func(now string) string {
		if now != cfclient.UnderAttack {
			return now
		}
		if level := p.levels()[zone.Name]; slices.Contains(cfclient.SecurityLevels(), level) && level != cfclient.UnderAttack {
			return level
		}
		return levelUsual
	}
}

// levels are the levels that on replaced, by zone. They stand in a file of
// their own: the state belongs to the daemon.
func (p *parts) levels() map[string]string {
	levels := map[string]string{}
	if p.config.State == "" {
		return levels
	}
	dir, err := files.Open(p.config.State)
	if err != nil {
		return levels
	}
	defer dir.Close()
	if data, err := dir.Read(levelsFile, levelsMost); err != nil || json.Unmarshal(data, &levels) != nil {
		return map[string]string{}
	}
	return levels
}

// levelsFile is in the state directory, and levelsMost bounds what is read of it.
const (
	levelsFile = "security-levels.json"
	levelsMost = 1 << 20
)

func (p *parts) rememberLevel(zone ddns.Zone, level string) error {
	if p.config.State == "" {
		return errors.New("there is no state directory")
	}
	levels := p.levels()
	levels[zone.Name] = level
	data, err := json.Marshal(levels)
	if err != nil {
		return err
	}
	dir, err := files.Make(p.config.State)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Replace(levelsFile, data)
}

// sayLevels prints how all zones stand, and what may come next.
func (a *app) sayLevels(word string, report levelsReport) {
	for _, r := range report.Zones {
		a.sayLevel(r)
	}
	for _, n := range report.Notes {
		sayf(a.stderr, "%s  %s\n", a.paint(note, 12), n)
	}
	off := []string{"under-attack", "off"}
	for _, r := range report.Zones {
		if r.State == ddns.Changed && r.UnderAttack {
			off = append(off, "--zone", r.Zone)
		}
	}
	if len(off) > 2 {
		sayf(a.stdout, "\nTo let a script host in all the same:\n  %s\nTo end it:\n  %s\n",
			verbatim(a.command("waf", "allow", "NAME", "--host", "HOST", "--address", "ADDRESS")),
			verbatim(a.command(off...)))
	}
	calm := func(r levelReport) bool { return r.State == ddns.Right && !r.UnderAttack && r.Why == "" }
	if word == "status" && slices.ContainsFunc(report.Zones, calm) {
		sayHint(a.stdout, "this does not show what a Configuration Rule sets for a path, or an IP Access Rule for a country or network")
	}
}

// sayLevel prints how a zone stands.
func (a *app) sayLevel(r levelReport) {
	mode := "Under Attack mode is off for the zone as a whole"
	if r.UnderAttack {
		mode = "Under Attack mode is on: every visitor is challenged, and programs do not get in"
	}
	switch r.State {
	case ddns.Right:
		sayf(a.stdout, "%s  %s: %s (security level %s)\n", a.paint("right", 12), r.Zone, mode, r.Level)
	case ddns.Changed:
		sayf(a.stdout, "%s  %s: %s → %s; %s\n", a.paint("changed", 12), r.Zone, r.Before, r.Level, mode)
	default:
		sayf(a.stderr, "%s  %s: %s\n", a.paint(string(r.State), 12), r.Zone, r.Why)
		sayHint(a.stderr, r.Hint)
		return
	}
	if r.Why != "" {
		sayf(a.stdout, "%s  %s: %s\n", a.paint(note, 12), r.Zone, r.Why)
		sayHint(a.stdout, r.Hint)
	}
}
