package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cfddns/cfddns/ddns"
)

// migrateRow is what becomes of one hop.
type migrateRow struct {
	alias    ddns.Alias
	shown    string
	state    ddns.HopState
	evidence string
	targets  []ddns.Target
	outcome  ddns.Outcome  // of all its targets the one that says most
	before   []ddns.Record // what --via overwrites, where no CNAME stands there
	after    []ddns.Record // what would take its place
	follow   []string      // names that follow it by themselves
	notes    []string      // what a person should know of it
	repoint  bool          // it is pointed at --via
	created  bool          // no CNAME stands there: it is --via itself
	waits    bool          // for --via, whose line says why and what to do
	reveals  bool          // an address of the home becomes visible that was not
}

// movable reports whether the row is to be written.
func (r *migrateRow) movable() bool { return r.outcome.State == ddns.Changed }

// makeRows turns the plan into rows, one for each hop and each name given.
func (m *migration) makeRows() {
	planned, outcomes, reveals := map[string][]ddns.Record{}, map[string][]ddns.Outcome{}, map[string]bool{}
	for _, rc := range m.round.Receipts {
		if c := rc.Change; c.After != nil {
			planned[c.Target.Name] = append(planned[c.Target.Name], *c.After)
		}
		reveals[rc.Change.Target.Name] = reveals[rc.Change.Target.Name] || rc.Change.Reveals
	}
	for _, o := range m.round.Outcomes {
		outcomes[o.Target.Name] = append(outcomes[o.Target.Name], o)
	}
	followers := map[string][]string{}
	for _, a := range m.aliases {
		if a.Kind == ddns.AliasFollows {
			followers[a.Last()] = append(followers[a.Last()], m.shownName(a.Record.Name))
		}
	}
	seen := map[string]bool{}
	for _, a := range m.selected() {
		row := m.row(a, outcomes[a.Record.Name])
		m.wayOn(row)
		row.after, row.follow, row.reveals = planned[a.Record.Name], followers[a.Record.Name], reveals[a.Record.Name]
		m.rows, seen[a.Record.Name] = append(m.rows, row), true
	}
	m.makeVia(outcomes, planned, reveals)
	seen[m.flags.via] = seen[m.flags.via] || m.flags.via != ""
	left := map[string]bool{}
	for _, t := range m.left {
		left[t.Name] = true
	}
	for _, name := range m.named {
		if !seen[name] && !left[name] {
			m.rows = append(m.rows, m.rowOfName(name))
		}
	}
	slices.SortFunc(m.rows, func(a, b *migrateRow) int { return strings.Compare(a.alias.Record.Name, b.alias.Record.Name) })
}

// makeVia points the rows at --via, and adds a row for it where no hop stands
// there; not so where nothing would be pointed at what is made for that alone.
func (m *migration) makeVia(outcomes map[string][]ddns.Outcome, planned map[string][]ddns.Record,
	reveals map[string]bool) {
	name := m.flags.via
	if name == "" {
		return
	}
	i := slices.IndexFunc(m.rows, func(r *migrateRow) bool { return r.alias.Record.Name == name })
	var via *migrateRow
	if i >= 0 {
		via = m.rows[i]
	} else {
		via = m.viaRow(outcomes[name], planned[name])
		via.reveals = reveals[name]
	}
	m.pointAtVia(via)
	if i < 0 && (m.pointed(via) || !written(via.outcome)) {
		m.rows = append(m.rows, via)
	}
}

// row is what becomes of a hop.
func (m *migration) row(a ddns.Alias, outcomes []ddns.Outcome) *migrateRow {
	row := &migrateRow{alias: a, shown: m.shownName(a.Record.Name)}
	hop := m.hops[a.Host]
	row.state, row.evidence = hop.State(m.home())
	for _, o := range outcomes {
		row.targets = append(row.targets, o.Target)
		if row.outcome.State == "" || o.State == ddns.Changed {
			row.outcome = o
		}
	}
	if mail := m.mail[a.Record.Name]; len(mail) > 0 {
		row.notes = append(row.notes, fmt.Sprintf("the mail of %s goes by this name, and follows; an MX must not name a CNAME anyway (RFC 2181)", strings.Join(mail, ", ")))
	}
	if foreign := ddns.ForeignIPv6(hop, m.home()); len(foreign) > 0 && row.movable() && row.state == ddns.HopHere {
		row.notes = append(row.notes, fmt.Sprintf("%s also answers %s, which is not known to be this home's%s: the name loses it", a.Host, foreign[0], because(m.noSix)))
	}
	return row
}

// wayOn gives the names that hop over one host the same command, which takes
// them all along: a thousand names are no thousand hints.
func (m *migration) wayOn(row *migrateRow) {
	if row.outcome.State != ddns.Refused || row.outcome.Code != ddns.CodeCNAME || row.outcome.Hint == "" {
		return
	}
	words := append([]string{"--apply"}, m.said()...)
	if row.state == ddns.HopDark {
		words = append(words, "--from", row.alias.Host)
	}
	const few = 3
	names := slices.DeleteFunc(m.selected(), func(a ddns.Alias) bool { return a.Host != row.alias.Host })
	for _, a := range names {
		if len(names) <= few || len(m.named) > 0 {
			words = append(words, m.shownName(a.Record.Name))
		}
	}
	switch row.state {
	case ddns.HopDark:
		row.outcome.Hint = fmt.Sprintf("if %s is this home, say so: %s", row.alias.Host, m.command(words...))
	case ddns.HopElsewhere:
		row.outcome.Hint = fmt.Sprintf("make sure that %s is this home; if it is, update it once, then run: %s", row.alias.Host, m.command(words...))
	case ddns.HopHere, ddns.HopUnknown:
	}
}

// because is a reason in brackets; nothing for none.
func because(err error) string {
	if err == nil {
		return ""
	}
	return fmt.Sprintf(" (%v)", err)
}

// rowOfName says why a name that was given is no hop.
func (m *migration) rowOfName(name string) *migrateRow {
	row := &migrateRow{shown: m.shownName(name)}
	row.alias.Record.Name = name
	refuse := func(why, hint string) *migrateRow {
		row.outcome = ddns.Outcome{Target: ddns.Target{Name: name, Shown: row.shown}, State: ddns.Refused, Why: why, Hint: hint}
		return row
	}
	i := slices.IndexFunc(m.aliases, func(a ddns.Alias) bool { return a.Record.Name == name })
	zone, ok := ownerOf(m.zones, name)
	switch {
	case !ok:
		return refuse("no zone that the token sees holds it", "give the token the permission Zone > Zone > Read for that zone, or correct the name")
	case m.failed[zone.Name] != nil:
		err := m.failed[zone.Name]
		refuse(err.Error(), ddns.HintOf(err))
		row.outcome.State = ddns.StateAfter(err)
		return row
	case i < 0 && m.kept[name]:
		row.outcome = ddns.Outcome{Target: ddns.Target{Name: name, Shown: row.shown}, State: ddns.Right, Why: "no CNAME stands there, and the configuration keeps it"}
		return row
	case i < 0:
		return refuse("no CNAME stands there; nothing was changed", "")
	}
	row.alias = m.aliases[i]
	if a := row.alias; a.Kind == ddns.AliasFollows {
		return refuse(fmt.Sprintf("it follows %s, which hops to %s (%s): only that last link is replaced, and this name goes along by itself", m.shownName(a.Last()), a.Host, a.Service),
			m.command(m.shownName(a.Last())))
	}
	return refuse(row.alias.Why+"; nothing was changed", "")
}
