package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"

	"github.com/cfddns/cfddns/cfclient"
	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/journal"
	"github.com/cfddns/cfddns/ddns/nameserver"
	"github.com/cfddns/cfddns/ipsource"
)

// parts is everything that rounds need, built from one configuration.
type parts struct {
	config      configs.Config
	network     network
	client      *cfclient.Client
	tokenSource string
	// replaceToken says how a token is replaced there.
	replaceToken string
	fingerprint  string
	runner       *ddns.Runner
	router       ipsource.Router // that explains, and is watched
	keeper       *keeper
	broken       chan struct{} // a kept connection to Cloudflare broke
	memory       ddns.Memory
	warnings     []string
}

// wire builds the parts. Its errors are about the configuration alone.
func (a *app) wire(cfg configs.Config) (*parts, error) {
	p := &parts{config: cfg, keeper: &keeper{dir: cfg.State}, broken: make(chan struct{}, 1)}
	var rosters []ddns.Roster
	var router ipsource.Router
	var probes map[ddns.Family][]ddns.Source
	err := errors.Join(cfg.NeedRecords(), p.connect(a), notifyConfig(cfg).Validate())
	if p.network != nil {
		sources, bindErr := a.sourceNetwork(p.network, cfg.IP.Bind)
		err = errors.Join(err, bindErr)
		if bindErr == nil {
			var rosterErr error
			router = routerOn(sources)
			asked := sourcesOf(cfg, sources)
			rosters, rosterErr = rostersOf(asked, sources)
			err = errors.Join(err, rosterErr)
			probes = ipsource.Probes(asked, sources)
		}
	}
	if err != nil {
		return nil, exit(ddns.ExitUsage, err)
	}
	var note string
	if p.memory, note = p.keeper.remembered(); note != "" {
		p.warnings = append(p.warnings, note)
	}
	p.client.StayQuiet(p.memory.QuietUntil)
	p.runner, p.router = p.newRunner(a, rosters), router
	p.runner.Forgets = p.keeper.forgets()
	p.runner.Witness, p.runner.PublishShared, p.runner.Bound = router, cfg.IP.CGNAT == "publish", cfg.IP.Bind != ""
	p.runner.Probe = ddns.Probe{Every: cfg.Probe, Sources: probes}
	return p, nil
}

// connect builds the way to the network and the client of Cloudflare's API.
func (p *parts) connect(a *app) error {
	var err error
	if p.network, err = a.networkOf(p.config); err != nil {
		return err
	}
	if real, ok := p.network.(*internet); ok {
		p.warn(real.noRoots())
	}
	token, source, warnings, err := configs.Token(p.config, a.env)
	if err != nil {
		return err
	}
	p.warn(warnings...)
	p.tokenSource, p.replaceToken, p.fingerprint = source, configs.SiteOf(a.env).ReplaceToken(source),
		configs.Fingerprint(token)
	c := cfclient.Config{Token: token, BaseURL: p.config.Cloudflare.API, World: p.network, UserAgent: userAgent(),
		TokenSource: source, ReplaceToken: p.replaceToken, Broken: p.breaks}
	if err := c.Validate(); err != nil {
		return fmt.Errorf("the token of %s: %w", source, err)
	}
	p.client = cfclient.New(c)
	return nil
}

// breaks notes that a kept connection to Cloudflare broke.
func (p *parts) breaks() {
	select {
	case p.broken <- struct{}{}:
	default: // that is noted already
	}
}

// warn notes what is odd about the configuration; empty words are none.
func (p *parts) warn(warnings ...configs.Warning) {
	for _, w := range warnings {
		if w != "" {
			p.warnings = append(p.warnings, string(w))
		}
	}
}

// networkOf is the way out that a configuration describes.
func (a *app) networkOf(cfg configs.Config) (network, error) {
	if a.network != nil {
		return a.network, nil
	}
	real, err := newInternet(cfg.TLSRoots)
	if err != nil {
		return nil, err
	}
	real.stays = cfg.OnLoopback()
	if plain := cfg.PlainResolvers(); len(plain) > 0 {
		real.resolver.system = asking(plain)
	}
	if urls := cfg.HTTPSResolvers(); len(urls) > 0 {
		real.resolver.over = ownDoH(urls)
	}
	return real, nil
}

// sourceNetwork is the network as the sources use it.
func (a *app) sourceNetwork(n network, bind string) (network, error) {
	if real, ok := n.(*internet); ok {
		return real.forSources(bind)
	}
	return n, nil
}

// rostersOf builds whom to ask, for each family that a target wants.
func rostersOf(asked ipsource.Config, sources network) ([]ddns.Roster, error) {
	byFamily, err := ipsource.Build(asked, sources)
	if err != nil {
		return nil, fmt.Errorf("ip.sources: %w", err)
	}
	return ordered(byFamily), nil
}

// sourcesOf is what a configuration says of the sources, on this machine.
func sourcesOf(cfg configs.Config, sources network) ipsource.Config {
	c := cfg.Roster(version())
	if _, real := sources.(*internet); real && cfg.WantsSelf() && !slices.Contains(c.Families, ddns.IPv6) && hasIPv6(cfg.IP.Bind) {
		c.Families = append(c.Families, ddns.IPv6) // this machine calls over IPv6 where it can
	}
	c.Router, c.Standing = routerOn(sources), &ipsource.Standing{}
	return c
}

// ordered puts rosters into the order in which families are shown.
func ordered(byFamily map[ddns.Family]ddns.Roster) []ddns.Roster {
	var rosters []ddns.Roster
	for _, f := range ddns.Families {
		if r, ok := byFamily[f]; ok && !r.Empty() {
			rosters = append(rosters, r)
		}
	}
	return rosters
}

// rollback is where replaced CNAMEs are kept: the state directory, else the
// places where a person's programs keep such things.
func (p *parts) rollback(a *app) ddns.Rollback { return journal.RollbackIn(p.rollbackDirs(a)...) }

// rollbackDirs are the directories of rollback files, the best first.
func (p *parts) rollbackDirs(a *app) []string {
	dirs := []string{p.config.State}
	if dirs[0] == "" {
		dirs = dirs[:0]
		if base := a.getenv("XDG_STATE_HOME"); filepath.IsAbs(base) {
			dirs = append(dirs, filepath.Join(base, "cfddns"))
		} else if home := a.getenv("HOME"); filepath.IsAbs(home) {
			dirs = append(dirs, filepath.Join(home, ".local", "state", "cfddns"))
		}
		dirs = append(dirs, "/var/lib/cfddns")
	}
	return dirs
}

// newRunner builds the runner of the rounds.
func (p *parts) newRunner(a *app, rosters []ddns.Roster) *ddns.Runner {
	cfg := p.config
	runner := &ddns.Runner{
		Targets:  cfg.Targets(),
		Rosters:  rosters,
		API:      p.client,
		Resolver: p.network,
		Rollback: p.rollback(a),
		WaysIn:   cfg.WaysIn(),
		Rules:    p.client,
		Owner:    cfg.Owner,
		Drill:    cfg.Cloudflare.Drill,
		Recheck:  cfg.Cloudflare.Recheck,
		Timeout:  cfg.IP.Timeout,
		Built:    released(),
		Clock:    a.clock,
		Calls:    p.client.Calls,
		Quiet:    p.client.QuietUntil,
		Room:     p.client.Room,
		Connect:  p.client.Connect,
		Keep:     p.keeper.keepOwed,
		Applied:  func(round ddns.Round, past ddns.Past) { p.keeper.save(round, past.Memory) },
		Prover: ddns.Prover{
			Nameservers: nameserver.Client{World: zoneServers(cfg, p.network)},
			Edge:        edge{cfclient.Edge{World: p.network, Address: cfg.Cloudflare.Edge, UserAgent: userAgent()}},
			Servers:     cfg.Cloudflare.NameServers,
			Resolvers:   dohURLs(cfg.HTTPSResolvers()),
			Patience:    cfg.Verify,
		},
	}
	if real, ok := p.network.(*internet); ok {
		runner.Names = real.resolver.found
	}
	return runner
}

// zoneServers is the world in which nameservers are found: the names that a zone
// has for its own are complete, those that a person wrote are as written.
func zoneServers(cfg configs.Config, n network) ddns.World {
	if len(cfg.Cloudflare.NameServers) > 0 {
		return n
	}
	return ddns.Named(n, ddns.Complete)
}

// edge asks the edge at the usual port.
type edge struct{ cfclient.Edge }

// Look implements ddns.EdgeProbe.
func (e edge) Look(ctx context.Context, url string, at netip.Addr) (ddns.EdgeAnswer, error) {
	return e.Edge.Look(ctx, url, netip.AddrPortFrom(at, portOf(url)))
}
