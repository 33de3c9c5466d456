package main

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/journal"
)

// look finds the hops, asks where they lead and where the home is, and plans.
func (m *migration) look(ctx context.Context) error {
	if err := m.findAliases(ctx); err != nil {
		return err
	}
	m.askDaemon(ctx)
	now := m.app.clock()
	m.hops, m.past.Memory.Hops = m.parts.runner.AskHops(ctx, ddns.HopHosts(m.selected()), m.past.Memory.Hops, now)
	six := func(h ddns.Hop) bool {
		return slices.ContainsFunc(h.Addresses(), func(a netip.Addr) bool { return ddns.FamilyOf(a) == ddns.IPv6 })
	}
	if slices.ContainsFunc(slices.Collect(maps.Values(m.hops)), six) {
		// Where no source serves IPv6, none of it is known to be the home's.
		if err := m.equip(ddns.Families...); err != nil {
			m.noSix = err
		}
	}
	m.plan(ctx)
	m.findLeft(ctx)
	m.makeRows()
	m.checkRollback()
	m.checkQuota(ctx)
	m.round.Receipts = m.planned()
	return nil
}

// findAliases lists the CNAMEs of the zones: of all, or of those that the
// names and what they lead to lie in.
func (m *migration) findAliases(ctx context.Context) error {
	all, err := m.parts.client.Zones(ctx)
	if err != nil {
		return exit(exitAfter(err), err)
	}
	var facts []ddns.ZoneFacts
	wanted := m.firstZones(all)
	for len(wanted) > 0 && ctx.Err() == nil {
		zone := wanted[0]
		wanted = wanted[1:]
		m.zones = append(m.zones, zone)
		cnames, err := m.parts.client.OfType(ctx, zone, "CNAME")
		if err != nil {
			m.failed[zone.Name] = err
			continue
		}
		facts = append(facts, ddns.ZoneFacts{Zone: zone, Records: cnames})
		for _, r := range cnames {
			if next, ok := ownerOf(all, r.Content); ok && !slices.ContainsFunc(slices.Concat(m.zones, wanted), sameZone(next)) {
				wanted = append(wanted, next)
			}
		}
	}
	m.aliases = ddns.Aliases(facts)
	return m.findMail(ctx)
}

// firstZones are those to begin with.
func (m *migration) firstZones(all []ddns.Zone) (zones []ddns.Zone) {
	names := slices.Clone(m.named)
	if m.flags.via != "" {
		names = append(names, m.flags.via)
	}
	for _, name := range names {
		if zone, ok := ownerOf(all, name); ok && !slices.ContainsFunc(zones, sameZone(zone)) {
			zones = append(zones, zone)
		}
	}
	if len(m.named) > 0 {
		return zones
	}
	return all
}

// ownerOf is the deepest zone that holds a name.
func ownerOf(zones []ddns.Zone, name string) (owner ddns.Zone, ok bool) {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	for _, z := range zones {
		if z.Owns(name) && len(z.Name) > len(owner.Name) {
			owner, ok = z, true
		}
	}
	return owner, ok
}

func sameZone(zone ddns.Zone) func(ddns.Zone) bool {
	return func(other ddns.Zone) bool { return other.ID == zone.ID }
}

// findMail notes which hops MX records name. That it cannot be told hinders nothing.
func (m *migration) findMail(ctx context.Context) error {
	hopped := map[string]ddns.Zone{}
	for _, a := range m.selected() {
		hopped[a.Zone.ID] = a.Zone
	}
	var mx []ddns.Record
	for _, id := range slices.Sorted(maps.Keys(hopped)) {
		records, err := m.parts.client.OfType(ctx, hopped[id], "MX")
		if err != nil && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		mx = append(mx, records...)
	}
	for _, a := range m.selected() {
		if mail := ddns.MailAt(mx, a.Record.Name); len(mail) > 0 {
			m.mail[a.Record.Name] = mail
		}
	}
	return nil
}

// selected are the hops that this run is about.
func (m *migration) selected() (hops []ddns.Alias) {
	for _, a := range m.aliases {
		_, named := m.shown[a.Record.Name]
		if a.Kind == ddns.AliasHop && (len(m.named) == 0 || named || a.Record.Name == m.flags.via) {
			hops = append(hops, a)
		}
	}
	return hops
}

// askDaemon takes over what a running daemon remembers of the hosts: it has
// watched them, and its memory may be where this user cannot read.
func (m *migration) askDaemon(ctx context.Context) {
	var seen map[string]ddns.HopSeen
	if m.running = m.app.ask(ctx, "GET", "/hops", &seen) == nil; !m.running {
		return
	}
	known := maps.Clone(seen)
	if known == nil {
		known = map[string]ddns.HopSeen{}
	}
	for host, h := range m.past.Memory.Hops {
		if h.At.After(known[host].At) {
			known[host] = h
		}
	}
	m.past.Memory.Hops = known
}

// plan makes a dry round over what the hops would become.
func (m *migration) plan(ctx context.Context) {
	runner := m.parts.runner
	runner.Targets = m.targets(nil)
	if len(runner.Targets) == 0 {
		return // nobody needs to be asked
	}
	m.round, m.past = runner.Round(ctx, ddns.ByOnce, m.past)
	m.asked = m.app.clock()
	if targets := m.targets(m.home()); !slices.Equal(targets, runner.Targets) {
		runner.Targets, runner.Asked = targets, m.round.Verdicts
		m.round, m.past = runner.Round(ctx, ddns.ByOnce, m.past)
	}
	runner.Asked = m.round.Verdicts
}

// planned are the changes that the rows stand for: the dry round knows nothing
// of what is pointed at --via, or is refused for another reason than its own.
func (m *migration) planned() (receipts []ddns.Receipt) {
	for _, row := range m.rows {
		if !row.movable() {
			continue
		}
		if row.repoint {
			receipts = append(receipts, ddns.Receipt{Change: m.repointing(row), State: ddns.Planned})
			continue
		}
		for _, rc := range m.round.Receipts {
			if rc.Change.Target.Name == row.alias.Record.Name {
				receipts = append(receipts, rc)
			}
		}
	}
	return receipts
}

// home is the addresses that may be published.
func (m *migration) home() (home []netip.Addr) {
	for _, h := range m.round.Holdings {
		if h.Decision == ddns.Publish {
			home = append(home, h.Address)
		}
	}
	return home
}

// targets are those that the hops become, and --via.
func (m *migration) targets(home []netip.Addr) (targets []ddns.Target) {
	for _, a := range m.selected() {
		for _, t := range ddns.HopTargets(a, m.hops[a.Host], home, m.shownName(a.Record.Name)) {
			targets = append(targets, m.asKept(t))
		}
	}
	return ddns.SortTargets(m.viaTargets(targets))
}

// findLeft finds names that an earlier run migrated and that nobody keeps: it
// was ended before it could add them.
func (m *migration) findLeft(ctx context.Context) {
	files := journal.Rollbacks(m.rollbackDirs()...)
	aliased := map[string]bool{}
	for _, a := range m.aliases {
		aliased[a.Record.Name] = true
	}
	var before []ddns.Record
	var names []string
	for _, file := range files {
		records := file.Records
		if m.pointedAt(file.Via) {
			records = append(slices.Clone(records), ddns.Record{Name: file.Via, Type: "CNAME"})
		}
		for _, r := range records {
			_, named := m.shown[r.Name]
			if !aliased[r.Name] && (len(m.named) == 0 || named) {
				before, names = append(before, r), append(names, r.Name)
			}
		}
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	runner := m.parts.runner
	found := ddns.Look(ctx, runner.API, slices.Compact(names), m.past.Facts, runner.Recheck, m.app.clock())
	m.left = ddns.Orphans(before, found, m.ours(files), m.parts.config.Targets(), m.shownName)
}

// pointedAt reports whether a CNAME leads to a name.
func (m *migration) pointedAt(name string) bool {
	return name != "" && slices.ContainsFunc(m.aliases, func(a ddns.Alias) bool { return strings.TrimSuffix(strings.ToLower(a.Record.Content), ".") == name })
}

// exitAfter is the exit code of a run that an error of Cloudflare's API ends.
func exitAfter(err error) int {
	var e *ddns.Error
	if !errors.As(err, &e) {
		return ddns.ExitUnexpected
	}
	return ddns.Round{Outcomes: []ddns.Outcome{{State: ddns.StateAfter(err)}}}.Exit()
}
