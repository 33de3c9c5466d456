package main

import (
	"context"
	"fmt"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ipsource"
	"github.com/spf13/cobra"
)

func (a *app) ipCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "ip",
		Short: "Show who says what this home's address is",
		Long: `Asks the configured sources for the home's public address and prints what
each of them said, what follows, and what the router says of it: whether it
holds that address, or the provider shares it among many homes (CGNAT). It
needs no token and changes nothing.

Exit code 0 if there is agreement in a family, else 3.`,
		Example: `  cfddns ip
  cfddns ip --all                   ask everybody in the catalogue
  cfddns ip --output json | jq -r '.verdicts[0].address'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.ip(cmd.Context(), all) },
	}
	cmd.Flags().BoolVar(&all, "all", false, "ask every source of the catalogue, not only the configured ones")
	return cmd
}

func (a *app) ip(ctx context.Context, all bool) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	sources, err := a.sources(cfg)
	if err != nil {
		return exit(ddns.ExitUsage, err)
	}
	if all && cfg.OnLoopback() { // their names would be looked up out in the world all the same
		return exit(ddns.ExitUsage, fmt.Errorf("the catalogue was not asked: %w; without --all the configured sources are", errStays))
	}
	rosters, err := a.everyFamily(cfg, all)
	if err != nil {
		return exit(ddns.ExitUsage, err)
	}
	stop := a.progress("asking")
	verdicts, wan := survey(ctx, rosters, routerOn(sources), cfg.IP.Timeout)
	stop()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if a.json() {
		err = a.printJSON(map[string]any{"verdicts": ddns.VerdictReports(verdicts), "wan": wan.Report()})
	} else {
		a.sayVerdicts(verdicts)
		a.sayWAN(wan)
	}
	if err != nil {
		return exit(ddns.ExitUnexpected, err)
	}
	for _, v := range verdicts {
		if v.State == ddns.Agreed {
			return nil
		}
	}
	return exit(ddns.ExitHeld, nil)
}

// sources is the network as the sources use it.
func (a *app) sources(cfg configs.Config) (network, error) {
	n, err := a.networkOf(cfg)
	if err != nil {
		return nil, err
	}
	return a.sourceNetwork(n, cfg.IP.Bind)
}

// everyFamily builds the rosters of both families, whatever the records want.
func (a *app) everyFamily(cfg configs.Config, all bool) ([]ddns.Roster, error) {
	sources, err := a.sources(cfg)
	if err != nil {
		return nil, err
	}
	c := cfg.Roster(version())
	c.Router = routerOn(sources)
	if all {
		return ordered(ipsource.Everything(c, sources)), nil
	}
	var rosters []ddns.Roster
	var problem error
	for _, f := range ddns.Families {
		c.Families = []ddns.Family{f}
		built, err := ipsource.Build(c, sources)
		if err != nil {
			problem = err // a list of sources for one family is no mistake
			continue
		}
		rosters = append(rosters, ordered(built)...)
	}
	if len(rosters) == 0 {
		return nil, fmt.Errorf("ip.sources: %w", problem)
	}
	return rosters, nil
}
