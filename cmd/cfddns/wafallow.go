package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ipsource"
	"github.com/spf13/cobra"
)

// allowFlags are the arguments of `cfddns waf allow`.
type allowFlags struct {
	hosts, addresses []string
	self             bool
	header           string
	until, zone      string
	dry, custom      bool
}

// defaultHeader is the header that --header asks for.
const defaultHeader = "x-cfddns-way-in"

func (a *app) wafAllowCommand() *cobra.Command {
	var f allowFlags
	cmd := &cobra.Command{
		Use:   "allow NAME",
		Short: "Let a script host in, by one narrow skip rule",
		Long: `Makes one skip rule, first in the zone: for these hosts, from this address or
with a secret header, past what was seen to stop the host in the last 24 hours
(without such evidence: past Under Attack mode alone). Your own rules are
neither changed nor moved among themselves, and not skipped unless you say
--include-custom. Cloudflare checks the rule before it is written.

An IPv6 address is let in with its /64. An address that is shared with others
(CGNAT) is refused: use --header.

Exit codes: 0 done · 4 refused · 6 Cloudflare not reached · 3 the address is
not agreed on · 2 arguments or configuration`,
		Example: `  cfddns waf allow backup --host api.example.com --address 198.51.100.7
  cfddns waf allow backup --host api.example.com --self --until 2026-12-31
  cfddns waf allow phone --host api.example.com --header`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error { return a.wafAllow(cmd.Context(), args[0], f) },
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.hosts, "host", nil, "`HOST` that it calls; may be repeated")
	flags.StringSliceVar(&f.addresses, "address", nil, "its `ADDRESS` or prefix; may be repeated")
	flags.BoolVar(&f.self, "self", false, "it comes from this home")
	flags.StringVar(&f.header, "header", "", "match a secret header; =`NAME` for\nanother one than "+defaultHeader)
	flags.Lookup("header").NoOptDefVal = defaultHeader
	flags.StringVar(&f.until, "until", "", "when it ends: a day (2026-12-31),\nor a moment (2026-12-31T18:00:00Z)")
	flags.StringVar(&f.zone, "zone", "", "`ZONE` of the hosts, if it is unclear")
	flags.BoolVarP(&f.dry, "dry-run", "n", false, "have it checked, and change nothing")
	flags.BoolVar(&f.custom, "include-custom", false, "also past your own custom rules")
	return cmd
}

func (a *app) wafAllow(ctx context.Context, name string, f allowFlags) error {
	w, err := f.wayIn(name)
	if err == nil && w.Over(a.clock()) {
		err = fmt.Errorf("--until %s ended at %s; write a later day or moment, or leave it out", f.until,
			w.Until.UTC().Format(time.RFC3339))
	}
	if err != nil {
		return exit(ddns.ExitUsage, err)
	}
	p, err := a.reach()
	if err != nil {
		return err
	}
	stop := a.progress("asking Cloudflare")
	report := a.allow(ctx, p, w, f)
	stop()
	if err := a.concludeWayIn(report); err != nil || a.json() {
		return err
	}
	a.sayTest(report, w, f)
	return nil
}

// errNoHosts and errNoOrigin are what the arguments may lack.
var (
	errNoHosts  = errors.New("name the hosts that the script calls: --host api.example.com")
	errNoOrigin = errors.New("say where the script host comes from: --address 198.51.100.7, --self, or --header for one without a lasting address")
)

// wayIn is what the arguments alone say.
func (f allowFlags) wayIn(name string) (ddns.WayIn, error) {
	w := ddns.WayIn{Name: name, Header: strings.ToLower(f.header), Insist: true}
	for _, h := range f.hosts {
		host, err := configs.HostName(h)
		if err != nil {
			return w, fmt.Errorf("--host %w", err)
		}
		w.Hosts = append(w.Hosts, host)
	}
	for _, text := range f.addresses {
		p, err := netip.ParsePrefix(text)
		if address, notAddress := netip.ParseAddr(text); notAddress == nil {
			p, err = ddns.Admit(address), nil
		}
		if err != nil {
			return w, fmt.Errorf("--address is %q; write an address or a prefix, such as 198.51.100.7", text)
		}
		w.Addresses = append(w.Addresses, p.Masked())
	}
	if f.until != "" {
		until, err := configs.ParseUntil(f.until)
		if err != nil {
			return w, fmt.Errorf("--until: %w", err)
		}
		w.Until = until.Time
	}
	switch {
	case len(w.Hosts) == 0:
		return w, errNoHosts
	case len(w.Addresses) == 0 && !f.self && w.Header == "":
		return w, errNoOrigin
	}
	return w, nil
}

// allow asks what it must know, has Cloudflare check the rule, and writes it.
func (a *app) allow(ctx context.Context, p *parts, w ddns.WayIn, f allowFlags) wayInReport {
	zone, err := p.zoneFor(ctx, w, f.zone)
	if err != nil {
		return reportOf(ddns.NotLetIn(w.Name, "", err), f.dry)
	}
	asked, err := a.complete(ctx, p, &w, f)
	if err != nil {
		return reportOf(ddns.NotLetIn(w.Name, zone.Name, err), f.dry)
	}
	set, err := p.client.Rules(ctx, zone)
	if err != nil {
		return reportOf(ddns.NotLetIn(w.Name, zone.Name, err), f.dry)
	}
	old := standing(set, w.Name)
	fresh := w.Header != "" && (old.Header != w.Header || old.Secret.IsZero())
	if w.Secret = old.Secret; fresh {
		w.Secret = ddns.NewSecret(rand.Text())
	}
	notes := p.judge(ctx, &w, evidenceOf{zone: zone, set: set, asked: asked, had: old.Skips, custom: f.custom}, a.clock())
	o := ddns.LetIn(ctx, p.client, zone, w, true, a.clock()) // Cloudflare checks permission, quota and expression
	if o.State == ddns.Changed && !f.dry {
		o = ddns.LetIn(ctx, p.client, zone, w, false, a.clock())
	}
	report := reportOf(o, f.dry)
	report.Skips = w.Skips
	if report.Exit == ddns.ExitRight {
		report.Notes = append(report.Notes, p.outside(ctx, zone, w.Hosts)...)
	}
	report.Notes = append(report.Notes, notes...)
	if kept, listed := p.keeps(w.Name); listed && kept.Over(a.clock()) {
		report.Notes = append(report.Notes, "the configuration lists it too, under waf.allow, where its time is "+
			"over: the next round takes it away")
	} else if listed {
		report.Notes = append(report.Notes, "the configuration lists it too, under waf.allow: the next round makes it as it stands there")
	}
	if w.Header != "" {
		report.Header = w.Header
		if fresh && o.State == ddns.Changed && !f.dry {
			report.Secret = w.Secret.Reveal()
		}
	}
	return report
}

// complete adds this home's addresses to a way in, if they are wanted, and
// returns the addresses whose events are of interest.
func (a *app) complete(ctx context.Context, p *parts, w *ddns.WayIn, f allowFlags) (asked []netip.Addr, err error) {
	for _, prefix := range w.Addresses {
		asked = append(asked, prefix.Addr())
	}
	if !f.self {
		return asked, nil
	}
	homes, err := a.homes(ctx, p, w.Name)
	for _, home := range homes {
		w.Addresses, asked = append(w.Addresses, ddns.Admit(home)), append(asked, home)
	}
	return asked, err
}

// standing is the way in as its rule has it now, if it has one.
func standing(set ddns.RuleSet, name string) ddns.WayIn {
	for _, r := range set.Rules {
		if w, ok := ddns.ParseWayIn(r); ok && w.Name == name {
			return w
		}
	}
	return ddns.WayIn{}
}

// zoneFor is the one zone of all hosts of a way in.
func (p *parts) zoneFor(ctx context.Context, w ddns.WayIn, named string) (ddns.Zone, error) {
	zones, err := p.client.Zones(ctx)
	if err != nil {
		return ddns.Zone{}, err
	}
	zone, err := ddns.ZoneOf(zones, strings.ToLower(cmp.Or(named, w.Hosts[0])))
	for _, h := range w.Hosts {
		if err == nil && !zone.Owns(h) {
			err = &ddns.Error{Kind: ddns.NoZone, Op: "let " + w.Name + " in", Err: fmt.Errorf("%s is not in the zone %s", h, zone.Name), Hint: "make one way in for each zone"}
		}
	}
	return zone, err
}

// homes asks for this home's addresses, as a round would.
// Where nobody agrees on one, the way in waits.
func (a *app) homes(ctx context.Context, p *parts, name string) ([]netip.Addr, error) {
	cfg := p.config
	cfg.WAF.Allow = []configs.WayIn{{Address: "self"}}
	sources, err := a.sourceNetwork(p.network, p.config.IP.Bind)
	if err != nil {
		return nil, err
	}
	rosters, err := rostersOf(sourcesOf(cfg, sources), sources)
	if err != nil {
		return nil, err
	}
	var homes []netip.Addr
	var why []string
	for _, v := range ddns.Survey(ctx, rosters, p.config.IP.Timeout) {
		if v.State == ddns.Agreed {
			homes = append(homes, v.Address)
			if v.Family == ddns.IPv4 && sharedHome(ctx, sources, v) {
				return nil, ddns.RefuseShared(name, v.Address)
			}
		} else {
			why = append(why, v.Why)
		}
	}
	if len(homes) == 0 {
		return nil, fmt.Errorf("%w (%s)", ddns.ErrNoAddress, strings.Join(why, "; "))
	}
	return homes, nil
}

// sharedHome asks the router whether the provider shares the address among many.
func sharedHome(ctx context.Context, sources network, v ddns.Verdict) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return ddns.JudgeWAN(v, ddns.FindingsOf(ctx, routerOn(sources))).NAT.Shared()
}

// hasIPv6 reports whether this machine has a lasting address by which it may
// leave over IPv6.
func hasIPv6(bind string) bool {
	if _, err := netip.ParseAddr(bind); err == nil {
		bind = ""
	}
	_, err := ipsource.Candidate(bind)
	return err == nil
}

// sayTest says how to see that it works, and what keeps it right from now on.
func (a *app) sayTest(r wayInReport, w ddns.WayIn, f allowFlags) {
	if f.dry || r.Exit != ddns.ExitRight {
		return
	}
	if r.Secret != "" {
		sayf(a.stdout, "\nThe secret is shown this once:\n  %s\n", verbatim(r.Header+": "+r.Secret))
	} else if r.Header != "" {
		sayf(a.stdout, "\nThe secret stays the one it was, and is not shown; for a new one take the way in away "+
			"first:\n  %s\n", verbatim(a.command("waf", "revoke", r.Name)))
	}
	curl := []string{"curl", "-sI"}
	if r.Header != "" {
		curl = append(curl, "-H", fmt.Sprintf("%s: %s", r.Header, cmp.Or(r.Secret, "THE SECRET")))
	}
	sayf(a.stdout, "\nTry it on the script host; 403 with `cf-mitigated: challenge` would say no:\n")
	for _, host := range w.Hosts {
		sayf(a.stdout, "  %s\n", verbatim(ddns.CommandLine(append(slices.Clip(curl), "https://"+host+"/")...)))
	}
	if r.Header == "" {
		sayf(a.stdout, "\nTo have the daemon keep it, put this into the configuration:\n")
		sayLines(a.stdout, f.configLines(r.Name, r.Skips))
	}
}

// configLines is the entry of the configuration that keeps a way in, as it is
// pasted: a key of the file begins its line.
func (f allowFlags) configLines(name string, skips []string) string {
	words := slices.Clone(f.addresses)
	if f.self {
		words = append(words, "self")
	}
	line := fmt.Sprintf("name: %s, hosts: [%s], address: %q", name, strings.Join(f.hosts, ", "), strings.Join(words, ", "))
	if f.zone != "" {
		line += ", zone: " + f.zone
	}
	if f.until != "" {
		line += fmt.Sprintf(", until: %q", f.until)
	}
	if !slices.Equal(skips, []string{ddns.SkipLevel}) {
		line += ", products: [" + strings.Join(skips, ", ") + "]"
	}
	return fmt.Sprintf("waf:\n  allow:\n    - {%s}\n", line)
}
