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
each of them said, and what follows. It needs no token and changes nothing.

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
	rosters, err := a.everyFamily(cfg, all)
	if err != nil {
		return exit(ddns.ExitUsage, err)
	}
	stop := a.progress("asking")
	verdicts := ddns.Survey(ctx, rosters, cfg.IP.Timeout)
	stop()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if a.json() {
		err = a.printJSON(map[string]any{"verdicts": ddns.VerdictReports(verdicts)})
	} else {
		a.sayVerdicts(verdicts)
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

// everyFamily builds the rosters of both families, whatever the records want.
func (a *app) everyFamily(cfg configs.Config, all bool) ([]ddns.Roster, error) {
	n := a.network
	if n == nil {
		real, err := newInternet(cfg.TLSRoots)
		if err != nil {
			return nil, err
		}
		n = real
	}
	world, err := a.sourceNetwork(n, cfg.IP.Bind)
	if err != nil {
		return nil, err
	}
	c := cfg.Roster(version())
	if all {
		return ordered(ipsource.Everything(c, world)), nil
	}
	var rosters []ddns.Roster
	var problem error
	for _, f := range ddns.Families {
		c.Families = []ddns.Family{f}
		built, err := ipsource.Build(c, world)
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
