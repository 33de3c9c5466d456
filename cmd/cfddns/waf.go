package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

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

The token needs the permission "Zone > Zone WAF > Edit" (Read for status), and
"Zone > Analytics > Read" to see what stopped the host.`,
		Example: "  cfddns waf status\n  cfddns waf allow backup --host api.example.com --address 198.51.100.7\n  cfddns waf revoke backup",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.wafStatusCommand(), a.wafAllowCommand(), a.wafRevokeCommand())
	return cmd
}

// exitCodes are those of the commands that ask Cloudflare's API alone.
const exitCodes = `Exit codes: 0 done · 4 refused · 5 some zones done, some not · 6 Cloudflare not
reached · 2 arguments or configuration`

// oneName takes the name of a way in, and says what is odd about anything else.
func oneName(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return fmt.Errorf("name the way in, such as: %s backup", cmd.CommandPath())
	case len(args) == 1:
		return ddns.CheckWayInName(args[0])
	}
	if f := cmd.Flags().Lookup("header"); f != nil && f.Changed && f.Value.String() == defaultHeader {
		return fmt.Errorf("%q is one word too many; for a header of that name write --header=%s", args[1], args[1])
	}
	return fmt.Errorf("%q is one word too many: one way in at a time", args[1])
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

// exitOfStates is the exit code of how several things ended.
func exitOfStates(states ...ddns.TargetState) int {
	var round ddns.Round
	for _, s := range states {
		round.WaysIn = append(round.WaysIn, ddns.WayInOutcome{State: s})
	}
	return round.Exit()
}

// command is a line that does something with the configuration in use.
func (a *app) command(words ...string) string {
	if a.configFile != "" {
		words = append(slices.Clip(words), "--config", a.configFile)
	}
	return ddns.CommandLine(append([]string{"cfddns"}, words...)...)
}

// zonesFor finds the zones that a command is about: those that are named, else
// those of the configuration, else all that the token sees. A configured name
// whose zone is not there is told, and hinders nothing if others are.
func (p *parts) zonesFor(ctx context.Context, named []string) (zones []ddns.Zone, missing []error, err error) {
	all, err := p.client.Zones(ctx)
	if err != nil {
		return nil, nil, err
	}
	if len(named) > 0 {
		zones, err = zonesNamed(all, named)
		return zones, nil, err
	}
	names := p.configured()
	if len(names) == 0 {
		return all, nil, nil
	}
	for _, name := range names {
		zone, err := ddns.ZoneOf(all, name)
		switch {
		case err != nil:
			missing = append(missing, err)
		case !slices.ContainsFunc(zones, sameZone(zone)):
			zones = append(zones, zone)
		}
	}
	if len(zones) == 0 {
		return nil, nil, missing[0]
	}
	return zones, missing, nil
}

// configured are the names that the configuration speaks of.
func (p *parts) configured() (names []string) {
	for _, t := range p.config.Targets() {
		names = append(names, t.Name)
	}
	for _, k := range p.config.WaysIn() {
		names = append(names, k.Hosts...)
	}
	return names
}

// zonesNamed are the zones of these names, which must be those of zones.
func zonesNamed(all []ddns.Zone, named []string) (zones []ddns.Zone, err error) {
	for _, word := range named {
		name := strings.ToLower(strings.TrimSuffix(word, "."))
		zone, err := ddns.ZoneOf(all, name)
		if err != nil {
			return nil, err
		}
		if zone.Name != name {
			return nil, &ddns.Error{Kind: ddns.NoZone, Op: "find the zone " + word, Err: fmt.Errorf("it is a name in the zone %s", zone.Name), Hint: "write --zone " + zone.Name}
		}
		if !slices.ContainsFunc(zones, sameZone(zone)) {
			zones = append(zones, zone)
		}
	}
	return zones, nil
}
