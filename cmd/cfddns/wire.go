package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"

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
	fingerprint string
	runner      *ddns.Runner
	journal     *journal.Journal // nil: everything is kept in memory only
	memory      ddns.Memory
	warnings    []string
}

// wire builds the parts. Its errors are about the configuration alone.
func (a *app) wire(cfg configs.Config) (*parts, error) {
	p := &parts{config: cfg}
	if err := cfg.NeedRecords(); err != nil {
		return nil, exit(ddns.ExitUsage, err)
	}
	if err := p.connect(a); err != nil {
		return nil, exit(ddns.ExitUsage, err)
	}
	sources, err := a.sourceNetwork(p.network, cfg.IP.Bind)
	if err != nil {
		return nil, exit(ddns.ExitUsage, err)
	}
	rosters, err := a.rosters(cfg, sources)
	if err != nil {
		return nil, exit(ddns.ExitUsage, err)
	}
	if err := notifyConfig(cfg).Validate(); err != nil {
		return nil, exit(ddns.ExitUsage, err)
	}
	if err := p.openJournal(a); err != nil {
		return nil, err
	}
	p.runner = p.newRunner(a, rosters)
	return p, nil
}

// connect builds the way to the network and the client of Cloudflare's API.
func (p *parts) connect(a *app) error {
	var err error
	if p.network = a.network; p.network == nil {
		if p.network, err = newInternet(p.config.TLSRoots); err != nil {
			return err
		}
	}
	token, source, warnings, err := configs.Token(p.config, a.env)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		p.warnings = append(p.warnings, string(w))
	}
	p.tokenSource, p.fingerprint = source, configs.Fingerprint(token)
	c := cfclient.Config{Token: token, BaseURL: p.config.Cloudflare.API, World: p.network, UserAgent: userAgent()}
	if err := c.Validate(); err != nil {
		return fmt.Errorf("the token of %s: %w", source, err)
	}
	p.client = cfclient.New(c)
	return nil
}

// sourceNetwork is the network as the sources use it.
func (a *app) sourceNetwork(n network, bind string) (ddns.World, error) {
	if real, ok := n.(*internet); ok {
		return real.forSources(bind)
	}
	return n, nil
}

// rosters builds whom to ask, for each family that a target wants.
func (a *app) rosters(cfg configs.Config, world ddns.World) ([]ddns.Roster, error) {
	byFamily, err := ipsource.Build(cfg.Roster(version()), world)
	if err != nil {
		return nil, fmt.Errorf("ip.sources: %w", err)
	}
	return ordered(byFamily), nil
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

// openJournal loads what was remembered, where there is a state directory.
func (p *parts) openJournal(a *app) error {
	dir := p.config.State
	if dir == "" {
		return nil
	}
	j, err := journal.Open(dir)
	if err != nil {
		return exit(ddns.ExitUsage, fmt.Errorf("state: %w", err))
	}
	memory, note, err := j.Memory()
	if err != nil {
		return exit(ddns.ExitUsage, fmt.Errorf("state: %w", err))
	}
	if note != "" {
		p.warnings = append(p.warnings, note)
	}
	p.journal, p.memory = j, memory
	return nil
}

// rollback is where replaced CNAMEs are kept: the state directory, else the
// places where a person's programs keep such things.
func (p *parts) rollback(a *app) ddns.Rollback {
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
	return journal.RollbackIn(dirs...)
}

// newRunner builds the runner of the rounds.
func (p *parts) newRunner(a *app, rosters []ddns.Roster) *ddns.Runner {
	cfg := p.config
	return &ddns.Runner{
		Targets:  cfg.Targets(),
		Rosters:  rosters,
		API:      p.client,
		Resolver: p.network,
		Rollback: p.rollback(a),
		Owner:    cfg.Owner,
		Drill:    cfg.Cloudflare.Drill,
		Recheck:  cfg.Cloudflare.Recheck,
		Timeout:  cfg.IP.Timeout,
		Built:    released(),
		Clock:    a.clock,
		Calls:    p.client.Calls,
		Prover: ddns.Prover{
			Nameservers: nameserver.Client{World: p.network},
			Edge:        edge{cfclient.Edge{World: p.network, Address: cfg.Cloudflare.Edge, UserAgent: userAgent()}},
			Servers:     cfg.Cloudflare.NameServers,
			Resolvers:   []string{"https://cloudflare-dns.com/dns-query", "https://dns.google/dns-query"},
			Patience:    cfg.Verify,
		},
	}
}

// edge asks the edge at the usual port.
type edge struct{ cfclient.Edge }

// Look implements ddns.EdgeProbe.
func (e edge) Look(ctx context.Context, url string, at netip.Addr) (ddns.EdgeAnswer, error) {
	return e.Edge.Look(ctx, url, netip.AddrPortFrom(at, portOf(url)))
}

// save keeps what a round leaves behind, and says what could not be kept.
func (p *parts) save(round ddns.Round, memory ddns.Memory) error {
	if p.journal == nil {
		return nil
	}
	return errors.Join(p.journal.Append(round.Report()), p.journal.Save(memory))
}
