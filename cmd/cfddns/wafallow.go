package main

import (
	"cmp"
	"context"
	"crypto/rand"
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
not known · 2 arguments or configuration`,
		Example: `  cfddns waf allow backup --host api.example.com --address 198.51.100.7
  cfddns waf allow backup --host api.example.com --self --until 2026-12-31
  cfddns waf allow phone --host api.example.com --header`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.wafAllow(cmd.Context(), args[0], f) },
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.hosts, "host", nil, "`HOST` that the script calls; again for more")
	flags.StringSliceVar(&f.addresses, "address", nil, "`ADDRESS` or prefix that it comes from; again for more")
	flags.BoolVar(&f.self, "self", false, "it comes from this home: ask for the address")
	flags.StringVar(&f.header, "header", "", "match a secret header; =`NAME` for another one than "+defaultHeader)
	flags.Lookup("header").NoOptDefVal = defaultHeader
	flags.StringVar(&f.until, "until", "", "a day (2026-12-31) or moment (2026-12-31T18:00:00Z) at which it ends")
	flags.StringVar(&f.zone, "zone", "", "`ZONE` of the hosts, if several could be meant")
	flags.BoolVarP(&f.dry, "dry-run", "n", false, "have Cloudflare check it, and change nothing")
	flags.BoolVar(&f.custom, "include-custom", false, "also past your own custom rules")
	return cmd
}

func (a *app) wafAllow(ctx context.Context, name string, f allowFlags) error {
	w, err := f.wayIn(name)
	if err != nil {
		return exit(ddns.ExitUsage, err)
	}
	p, err := a.reach()
	if err != nil {
		return err
	}
	stop := a.progress("asking Cloudflare")
	report, err := a.allow(ctx, p, w, f)
	stop()
	if err != nil {
		return exitFor(err)
	}
	if err := a.concludeWayIn(report); err != nil || a.json() {
		return err
	}
	a.sayTest(report, w, f)
	return nil
}

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
func (a *app) allow(ctx context.Context, p *parts, w ddns.WayIn, f allowFlags) (wayInReport, error) {
	if w.Over(a.clock()) {
		return wayInReport{}, &ddns.Error{Kind: ddns.Rejected, Op: "let " + w.Name + " in", Err: fmt.Errorf("--until is over already; nothing was changed")}
	}
	zone, err := p.zoneFor(ctx, w, f.zone)
	if err != nil {
		return wayInReport{}, err
	}
	var asked []netip.Addr
	if f.self {
		homes, err := a.homes(ctx, p, w.Name)
		if ddns.KindOf(err) == ddns.Rejected {
			return wayInReport{}, err
		}
		if err != nil { // nobody agrees on an address: the way in waits, and the report says so
			why := err.Error()
			return wayInReport{Name: w.Name, Zone: zone.Name, State: ddns.Held, Why: why, Changes: []ruleChange{}, Skips: []string{}, Notes: []string{}}, nil //nolint:nilerr // it is in the report
		}
		for _, home := range homes {
			w.Addresses, asked = append(w.Addresses, ddns.Admit(home)), append(asked, home)
		}
	}
	set, err := p.client.Rules(ctx, zone)
	if err != nil {
		return wayInReport{}, err
	}
	old := standing(set, w.Name)
	fresh := w.Header != "" && (old.Header != w.Header || old.Secret.IsZero())
	if w.Secret = old.Secret; fresh {
		w.Secret = ddns.NewSecret(rand.Text())
	}
	for _, prefix := range w.Addresses {
		asked = append(asked, prefix.Addr())
	}
	notes := p.judge(ctx, &w, evidenceOf{zone: zone, set: set, asked: asked, had: old.Skips, custom: f.custom}, a.clock())
	o := ddns.LetIn(ctx, p.client, zone, w, true, a.clock()) // Cloudflare checks permission, quota and expression
	if o.State == ddns.Changed && !f.dry {
		o = ddns.LetIn(ctx, p.client, zone, w, false, a.clock())
	}
	report := reportOf(o, f.dry)
	report.Notes, report.Skips = append(report.Notes, notes...), w.Skips
	if p.keeps(w.Name) {
		report.Notes = append(report.Notes, "the configuration lists it too, under waf.allow: the next round makes it as it stands there")
	}
	if w.Header != "" {
		report.Header = w.Header
		if fresh && o.State == ddns.Changed && !f.dry {
			report.Secret = w.Secret.Reveal()
		}
	}
	return report, nil
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
func (a *app) homes(ctx context.Context, p *parts, name string) ([]netip.Addr, error) {
	cfg := p.config
	cfg.WAF.Allow = []configs.WayIn{{Address: "self"}}
	sources, err := a.sourceNetwork(p.network, p.config.IP.Bind)
	if err != nil {
		return nil, err
	}
	rosters, err := a.rosters(cfg, sources)
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
		return nil, fmt.Errorf("this home's address is not agreed on: %s; nothing was changed", strings.Join(why, "; "))
	}
	return homes, nil
}

// sharedHome asks the router whether the provider shares the address among many.
func sharedHome(ctx context.Context, sources network, v ddns.Verdict) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return ddns.JudgeWAN(v, routerOn(sources).WAN(ctx)).NAT.Shared()
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

// evidenceOf is what is known before the events are asked for.
type evidenceOf struct {
	zone   ddns.Zone
	set    ddns.RuleSet
	asked  []netip.Addr
	had    []string // what the rule skips now
	custom bool
}

// judge decides what the way in skips, from what stopped its addresses in the
// last 24 hours, and says what was seen.
func (p *parts) judge(ctx context.Context, w *ddns.WayIn, e evidenceOf, now time.Time) (notes []string) {
	var events []ddns.SecurityEvent
	var seen []netip.Addr
	for _, address := range e.asked {
		if slices.Contains(seen, address) {
			continue
		}
		seen = append(seen, address)
		found, err := p.client.SecurityEvents(ctx, e.zone, now.Add(-24*time.Hour+time.Minute), now, address)
		if err != nil {
			notes = append(notes, fmt.Sprintf("what stopped %s could not be seen (%v); %s", address, err, ddns.HintOf(err)))
			break
		}
		events = append(events, found...)
	}
	evidence := ddns.EvidenceOf(events, e.set, e.zone)
	skips := append(slices.Clone(e.had), evidence.Skips...)
	if evidence.Stopped > 0 {
		notes = append(notes, "stopped in the last 24 hours by "+strings.Join(evidence.Seen, ", "))
	}
	if !e.custom && slices.Contains(evidence.Skips, ddns.SkipCustom) && !slices.Contains(e.had, ddns.SkipCustom) {
		skips = slices.DeleteFunc(skips, func(word string) bool { return word == ddns.SkipCustom })
		notes = append(notes, fmt.Sprintf("a rule of your own stops it (%s): it is not skipped unless you say --include-custom", cmp.Or(strings.Join(evidence.Own, ", "), "no longer there, or not seen")))
	}
	if len(skips) == 0 {
		skips = []string{ddns.SkipLevel}
	}
	if e.custom {
		skips = append(skips, ddns.SkipCustom)
	}
	slices.Sort(skips)
	w.Skips = slices.Compact(skips)
	return append(notes, evidence.Cannot...)
}

// sayTest says how to see that it works, and what keeps it right from now on.
func (a *app) sayTest(r wayInReport, w ddns.WayIn, f allowFlags) {
	if f.dry || r.State != ddns.Changed && r.State != ddns.Right {
		return
	}
	if r.Secret != "" {
		fmt.Fprintf(a.stdout, "\nThe secret is shown this once:\n  %s: %s\n", r.Header, r.Secret)
	} else if r.Header != "" {
		fmt.Fprintf(a.stdout, "\nThe secret stays the one it was, and is not shown; for a new one: cfddns waf revoke %s, then allow again\n", r.Name)
	}
	header := ""
	if r.Header != "" {
		header = fmt.Sprintf("-H '%s: %s' ", r.Header, cmp.Or(r.Secret, "THE SECRET"))
	}
	fmt.Fprintf(a.stdout, "\nTry it on the script host; 403 with `cf-mitigated: challenge` would say no:\n  curl -sI %shttps://%s/\n", header, w.Hosts[0])
	if r.Header != "" {
		return
	}
	fmt.Fprintf(a.stdout, "\nTo have the daemon keep it, put this into the configuration:\n%s", f.configLines(r.Name, r.Skips))
}

// configLines is the entry of the configuration that keeps a way in.
func (f allowFlags) configLines(name string, skips []string) string {
	address := "self"
	if !f.self {
		address = fmt.Sprintf("%q", f.addresses[0])
	}
	more := ""
	if f.until != "" {
		more = fmt.Sprintf(", until: %q", f.until)
	}
	if !slices.Equal(skips, []string{ddns.SkipLevel}) {
		more += ", products: [" + strings.Join(skips, ", ") + "]"
	}
	return fmt.Sprintf("  waf:\n    allow:\n      - {name: %s, hosts: [%s], address: %s%s}\n", name, strings.Join(f.hosts, ", "), address, more)
}
