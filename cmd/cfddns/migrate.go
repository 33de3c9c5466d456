package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/journal"
	"github.com/spf13/cobra"
)

// migrateFlags are those of `cfddns migrate`.
type migrateFlags struct {
	apply    bool
	via      string
	proxied  ddns.Keep // of via; KeepIt: it was not said
	from     []string
	rollback string
	noConfig bool
	all      bool
}

func (a *app) migrateCommand() *cobra.Command {
	var f migrateFlags
	var proxied bool
	cmd := &cobra.Command{
		Use:   "migrate [NAME…]",
		Short: "Turn CNAMEs to a DDNS host into addresses that cfddns keeps",
		Long: `Finds every name whose CNAME hops over a dynamic DNS host (Duck DNS, No-IP and
the like), in all zones of the token or among the names given, and shows what
would become of each. With --apply it puts address records in their place,
proves them, adds the names to the configuration in use, and waits until the
running daemon keeps them. The old records go to a rollback file first.

A CNAME is replaced only if its host is this home: it answers the home's
address, or it is dark and was seen to be so, or --from says so.

--via NAME points the other CNAMEs at NAME instead, which becomes the one
address record that is kept: nothing is deleted, so there is no gap. Where the
zone hides the home, --proxied says that NAME is to be hidden as well, and
--proxied=false that the home's address becomes public there.

--rollback FILE puts back what a migration replaced, at once. What somebody
changed since stays, and is shown. It may be used again and again.

Exit codes are those of cfddns once; 5 also if the names are right and nobody
keeps them yet.`,
		Example: `  cfddns migrate                                 what would become of every hop?
  cfddns migrate --apply blog.example.com        begin with one name
  cfddns migrate --apply                         all of them
  cfddns migrate --apply --via home.example.com  no gap, one hop inside
  cfddns migrate --rollback rollback-….json      the way back
  cfddns migrate --apply --from myhome.duckdns.org    while Duck DNS is dark`,
		RunE: func(cmd *cobra.Command, names []string) error {
			switch {
			case cmd.Flags().Changed("proxied") && proxied:
				f.proxied = ddns.SetTrue
			case cmd.Flags().Changed("proxied"):
				f.proxied = ddns.SetFalse
			}
			if err := f.check(names); err != nil {
				return exit(ddns.ExitUsage, err)
			}
			if f.rollback != "" {
				return a.rollBack(cmd.Context(), f)
			}
			return a.migrate(cmd.Context(), f, names)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.apply, "apply", false, "do it; without, the plan is shown and nothing is written")
	flags.StringVar(&f.via, "via", "", "keep the address at `NAME` alone; the others point there")
	flags.BoolVar(&proxied, "proxied", false,
		"hide the name of --via behind Cloudflare; with =false it\nshows the home's address")
	flags.StringArrayVar(&f.from, "from", nil, "`HOST` is this home, on your word, though it is dark;\nmay be repeated")
	flags.StringVar(&f.rollback, "rollback", "", "put back what the rollback `FILE` of a migration holds")
	flags.BoolVar(&f.noConfig, "no-config", false, "leave the configuration alone: others keep the names")
	flags.BoolVar(&f.all, "all", false, "show each name, where many have the same said of them")
	_ = cmd.MarkFlagFilename("rollback", "json")
	return cmd
}

// check refuses flags that mean nothing together, and spells names as they are compared.
func (f *migrateFlags) check(names []string) error {
	if f.rollback != "" && (len(names) > 0 || f.via != "" || f.proxied != ddns.KeepIt || len(f.from) > 0) {
		return errors.New("--rollback takes the file alone: it holds the names")
	}
	for i, host := range f.from {
		name, err := configs.Name(host)
		if err != nil {
			return fmt.Errorf("--from: %w", err)
		}
		if _, known := ddns.DDNSService(name); !known {
			return fmt.Errorf("--from: %s is no dynamic DNS host that is known here", host)
		}
		f.from[i] = name
	}
	return f.checkVia()
}

// migration is one run of `cfddns migrate`.
type migration struct {
	app     *app
	flags   migrateFlags
	parts   *parts
	path    string // of the configuration; empty: none
	running bool   // a daemon answers on its socket

	zones   []ddns.Zone             // that were looked at
	failed  map[string]error        // zones, by name, that could not be read
	aliases []ddns.Alias            // every CNAME of them
	mail    map[string][]string     // hops that MX records name, and whose
	shown   map[string]string       // names as the person wrote them
	kept    map[string]bool         // names that the configuration keeps
	named   []string                // the names given; none means all hops
	hops    map[string]ddns.Hop     // by host
	past    ddns.Past               // what the rounds leave
	round   ddns.Round              // the dry one that the plan is made from
	rows    []*migrateRow           // by name
	left    []ddns.Target           // migrated once, and kept by nobody
	results map[string]ddns.Outcome // of what was written, by Target.Key
	file    string                  // the rollback file that was written
	keep    keeping                 // who keeps the names
	noSix   error                   // why nobody is asked for an IPv6 address
	tried   int                     // names that were written, or refused
	asked   time.Time               // when the sources last said where the home is
	ended   error                   // why not everything was tried
}

func (a *app) migrate(ctx context.Context, f migrateFlags, names []string) error {
	m, err := a.newMigration(f, names)
	if err != nil {
		return err
	}
	a.warn(m.parts.warnings)
	stop := a.progress("reading the zones, asking the DDNS hosts and the sources")
	err = m.look(ctx)
	stop()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == nil && f.apply:
		err = m.apply(ctx)
	}
	if err != nil {
		return err
	}
	if a.json() {
		if err := a.printJSON(m.report()); err != nil {
			return exit(ddns.ExitUnexpected, err)
		}
	} else {
		m.say()
	}
	if m.ended != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return exit(m.exit(), nil)
}

// newMigration loads the configuration, which need not name anything to keep,
// and builds what a migration needs of it.
func (a *app) newMigration(f migrateFlags, names []string) (*migration, error) {
	cfg, err := a.load()
	if err != nil {
		return nil, err
	}
	p := &parts{config: cfg, keeper: &keeper{dir: cfg.State}}
	if err := p.connect(a); err != nil {
		return nil, exit(ddns.ExitUsage, err)
	}
	var note string
	if p.memory, note = p.keeper.remembered(); note != "" {
		p.warnings = append(p.warnings, note)
	}
	m := &migration{app: a, flags: f, parts: p, path: absolute(configs.Find(a.configFile, a.env)), failed: map[string]error{},
		mail: map[string][]string{}, shown: map[string]string{}, results: map[string]ddns.Outcome{}, kept: map[string]bool{}}
	for _, shown := range names {
		name, err := configs.Name(shown)
		if err != nil {
			return nil, exit(ddns.ExitUsage, err)
		}
		m.shown[name] = shown
		m.named = append(m.named, name)
	}
	slices.Sort(m.named)
	m.named = slices.Compact(m.named)
	for _, t := range cfg.Targets() {
		m.kept[t.Name] = true
	}
	if err := m.contradictsConfig(); err != nil {
		return nil, exit(ddns.ExitUsage, err)
	}
	m.past = ddns.Past{Memory: p.memory}
	if err := m.equip(ddns.IPv4); err != nil {
		return nil, exit(ddns.ExitUsage, err)
	}
	return m, nil
}

// absolute is a path that means the same from anywhere.
func absolute(path string) string {
	if whole, err := filepath.Abs(path); path != "" && err == nil {
		return whole
	}
	return path
}

// equip builds the runner, which asks for the addresses of the families.
func (m *migration) equip(families ...ddns.Family) error {
	wanted := m.parts.config
	wanted.Records = nil
	for _, f := range families {
		wanted.Records = append(wanted.Records, configs.Record{Types: []string{f.RecordType()}})
	}
	sources, err := m.app.sourceNetwork(m.parts.network, wanted.IP.Bind)
	if err != nil {
		return err
	}
	rosters, err := rostersOf(sourcesOf(wanted, sources), sources)
	if err != nil {
		return err
	}
	m.parts.runner = m.parts.newRunner(m.app, rosters)
	m.parts.runner.From, m.parts.runner.Dry, m.parts.runner.Drill = m.flags.from, true, 0
	m.parts.runner.Forgets = m.parts.keeper.forgets()
	return nil
}

// shownName is a name as the person wrote it, else as people do.
func (m *migration) shownName(name string) string {
	if shown, ok := m.shown[name]; ok {
		return shown
	}
	return configs.Shown(name)
}

// rollbackDirs are where rollback files are written, and looked for.
func (m *migration) rollbackDirs() []string { return m.parts.rollbackDirs(m.app) }

// ours reports whether an address is, or was, this home's.
func (m *migration) ours(files []journal.Rollback) func(netip.Addr) bool {
	known := map[netip.Addr]bool{}
	for _, file := range files {
		for _, a := range file.Addresses {
			known[a] = true
		}
	}
	for _, f := range ddns.Families {
		for _, a := range m.past.Memory.Of(f).Confirmed {
			known[a] = true
		}
	}
	for _, a := range m.home() {
		known[a] = true
	}
	return func(a netip.Addr) bool { return known[a] }
}
