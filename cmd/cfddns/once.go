package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/cfddns/cfddns/ddns"
	"github.com/spf13/cobra"
)

func (a *app) onceCommand() *cobra.Command {
	var flags onceFlags
	cmd := &cobra.Command{
		Use:   "once",
		Short: "Put every name right, once",
		Long: `Asks for the home's address, puts every configured name right, and proves it.
Where everything is right already it prints nothing, unless on a terminal: it
can run from cron. With --news it also prints the same trouble only once: when
it begins (a line that is down, or an API that does not answer, if the next run
finds it as well), each day while it lasts, and when it is over.

Exit codes: 0 all right · 3 no address to publish, or held · 4 refused ·
5 some right, some not · 6 Cloudflare not reached · 7 contradicted by the
nameservers · 2 arguments or configuration · 1 unexpected`,
		Example: `  cfddns once
  cfddns once --dry-run                          print the plan, write nothing
  cfddns once --dry-run --assume 198.51.100.7    rehearse a change of address
  */10 * * * * cfddns once --news                from cron; it needs state:`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case flags.news && flags.dry:
				return exit(ddns.ExitUsage, errors.New("--news tells what was done, and --dry-run does nothing: leave one out"))
			case flags.news:
				return a.onceNews(cmd.Context(), flags)
			}
			_, err := a.onceOnly(cmd.Context(), flags)
			return err
		},
	}
	cmd.Flags().BoolVarP(&flags.dry, "dry-run", "n", false, "print the plan and write nothing")
	cmd.Flags().StringVar(&flags.assume, "assume", "", "plan as if `ADDRESS` had been agreed on (with --dry-run)")
	cmd.Flags().BoolVar(&flags.all, "all", false, "show each name, where many have the same said of them")
	cmd.Flags().BoolVar(&flags.news, "news", false, "for cron: print changes, and new or ended trouble")
	return cmd
}

// onceFlags are the flags of once.
type onceFlags struct {
	dry    bool
	assume string
	news   bool
	all    bool // each name is shown
}

// doneOnce is what a one-shot did, as far as it came.
type doneOnce struct {
	state  string // the directory that remembers
	round  ddns.Round
	unkept bool // it could not be remembered
}

func (a *app) onceOnly(ctx context.Context, flags onceFlags) (done doneOnce, err error) {
	address, err := parseAssumed(flags.assume, flags.dry)
	if err != nil {
		return done, exit(ddns.ExitUsage, err)
	}
	cfg, err := a.load()
	if err != nil {
		return done, err
	}
	if done.state = cfg.State; flags.news && cfg.State == "" {
		return done, exit(ddns.ExitUsage, errNewsNowhere)
	}
	p, err := a.wire(cfg)
	if err != nil {
		return done, err
	}
	a.warn(p.warnings)
	p.runner.Dry, p.runner.Assume = flags.dry, address
	if a.terminal && !flags.dry {
		p.runner.Before = a.sayBefore // the mail of cron has the change itself
	}
	stop := a.progress("asking, writing and proving")
	round, past := p.runner.Round(ctx, ddns.ByOnce, ddns.Past{Memory: p.memory})
	stop()
	done.round = round
	if !flags.dry {
		p.keeper.save(round, past.Memory)
		if p.keeper.why() != nil && round.Counting() { // the next run would begin to count anew
			p.runner.Forgets, p.runner.Asked = true, round.Verdicts
			round, past = p.runner.Round(ctx, ddns.ByOnce, past)
			done.round = round
			p.keeper.save(round, past.Memory)
		}
		done.unkept = a.sayUnkept(round, p.keeper.why())
	}
	round = a.withPasted(round)
	if a.json() {
		if err := a.printJSON(round.Report()); err != nil {
			return done, exit(ddns.ExitUnexpected, err)
		}
	} else {
		a.sayRound(round, flags.all)
	}
	if ctx.Err() != nil {
		return done, context.Cause(ctx)
	}
	return done, exit(round.Exit(), nil)
}

// sayUnkept says why what must be remembered could not be kept, unless the
// round has a condition that does. It reports whether there is such a reason.
func (a *app) sayUnkept(r ddns.Round, why error) bool {
	if why != nil && (!saysUnkept(r) || a.json()) {
		sayf(a.stderr, "cfddns: %v\n", why)
	}
	return why != nil
}

// saysUnkept reports whether a round says itself that something cannot be kept.
func saysUnkept(r ddns.Round) bool {
	return slices.ContainsFunc(r.Conditions, func(c ddns.Condition) bool { return c.Code == ddns.CodeState })
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

// warningPrefix begins what is odd and hinders nothing.
const warningPrefix = "cfddns: warning: "

// warn says what is odd and hinders nothing.
func (a *app) warn(warnings []string) {
	for _, w := range warnings {
		sayf(a.stderr, "%s%s\n", warningPrefix, w)
	}
}
