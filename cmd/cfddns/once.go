package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/cfddns/cfddns/ddns"
	"github.com/spf13/cobra"
)

func (a *app) onceCommand() *cobra.Command {
	var dry bool
	var assume string
	cmd := &cobra.Command{
		Use:   "once",
		Short: "Put every name right, once",
		Long: `Asks for the home's address, puts every configured name right, and proves it.
Where everything is right already it prints nothing, unless on a terminal: it
can run from cron.

Exit codes: 0 all right · 3 no address to publish, or held · 4 refused ·
5 some right, some not · 6 Cloudflare not reached · 7 contradicted by the
nameservers · 2 arguments or configuration · 1 unexpected`,
		Example: `  cfddns once
  cfddns once --dry-run                          print the plan, write nothing
  cfddns once --dry-run --assume 198.51.100.7    rehearse a change of address
  */10 * * * * cfddns once                       from cron`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.once(cmd.Context(), dry, assume) },
	}
	cmd.Flags().BoolVarP(&dry, "dry-run", "n", false, "print the plan and write nothing")
	cmd.Flags().StringVar(&assume, "assume", "", "plan as if `ADDRESS` had been agreed on (with --dry-run)")
	return cmd
}

func (a *app) once(ctx context.Context, dry bool, assume string) error {
	address, err := parseAssumed(assume, dry)
	if err != nil {
		return exit(ddns.ExitUsage, err)
	}
	cfg, err := a.load()
	if err != nil {
		return err
	}
	p, err := a.wire(cfg)
	if err != nil {
		return err
	}
	a.warn(p.warnings)
	p.runner.Dry, p.runner.Assume = dry, address
	if a.terminal && !dry {
		p.runner.Before = a.sayBefore // the mail of cron has the change itself
	}
	stop := a.progress("asking, writing and proving")
	round, past := p.runner.Round(ctx, ddns.ByOnce, ddns.Past{Memory: p.memory})
	stop()
	if !dry {
		p.keeper.save(round, past.Memory)
		if err := p.keeper.why(); err != nil {
			fmt.Fprintf(a.stderr, "cfddns: %v\n", err)
		}
	}
	if a.json() {
		if err := a.printJSON(round.Report()); err != nil {
			return exit(ddns.ExitUnexpected, err)
		}
	} else {
		a.sayRound(round)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return exit(round.Exit(), nil)
}

// parseAssumed reads the address of --assume. It is planned with, never written.
func parseAssumed(text string, dry bool) (netip.Addr, error) {
	if text == "" {
		return netip.Addr{}, nil
	}
	if !dry {
		return netip.Addr{}, errors.New("--assume is for rehearsals: add --dry-run; what is written is what was agreed on")
	}
	address, err := netip.ParseAddr(text)
	if err != nil || address.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("--assume is %q; write an IPv4 or IPv6 address", text)
	}
	address = address.Unmap()
	if err := ddns.Sane(address, ddns.FamilyOf(address)); err != nil && !ddns.Documentation(address) {
		return netip.Addr{}, fmt.Errorf("--assume: %w, and would never be published", err)
	}
	return address, nil
}

// warn says what is odd and hinders nothing.
func (a *app) warn(warnings []string) {
	for _, w := range warnings {
		fmt.Fprintf(a.stderr, "cfddns: warning: %s\n", w)
	}
}
