package main

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
)

// checkVia refuses flags of --via that cannot mean anything, whatever stands
// at Cloudflare.
func (f *migrateFlags) checkVia() error {
	switch {
	case f.via == "" && f.proxied != ddns.KeepIt:
		return fmt.Errorf("--proxied says how the name of --via is served; without --via each name keeps the " +
			"setting of its CNAME")
	case f.via == "":
		return nil
	}
	via, err := configs.Name(f.via)
	if err != nil {
		return fmt.Errorf("--via: %w", err)
	}
	if strings.HasPrefix(via, "*.") {
		return fmt.Errorf("--via: %s stands for many names, and a CNAME points at one; write one, such as home.%s",
			f.via, strings.TrimPrefix(f.via, "*."))
	}
	f.via = via
	return nil
}

// viaTargets are those of --via: what its own hop becomes, else one address. How
// it is served is what the flag says, else the configuration that keeps it.
func (m *migration) viaTargets(targets []ddns.Target) []ddns.Target {
	via := m.flags.via
	if via == "" {
		return targets
	}
	hops := false
	for i, t := range targets {
		if t.Name == via {
			targets[i].Proxied, hops = m.viaProxied(t), true
		}
	}
	if hops {
		return targets
	}
	t := m.asKept(ddns.Target{Name: via, Shown: m.shownName(via), Type: ddns.IPv4.RecordType()})
	t.Proxied = m.viaProxied(t)
	return append(targets, t)
}

func (m *migration) viaProxied(t ddns.Target) ddns.Keep {
	if m.flags.proxied != ddns.KeepIt {
		return m.flags.proxied
	}
	return t.Proxied
}

// asKept is a target with what the configuration says of it, if it keeps it
// already: the daemon would write that in the next round.
func (m *migration) asKept(t ddns.Target) ddns.Target {
	for _, k := range m.parts.config.Targets() {
		if k.Key() == t.Key() {
			t.Proxied, t.TTL, t.DeleteExtra, t.Check = k.Proxied, k.TTL, k.DeleteExtra, k.Check
		}
	}
	return t
}

// contradictsConfig says why --proxied cannot last: the configuration says otherwise.
func (m *migration) contradictsConfig() error {
	for _, t := range m.parts.config.Targets() {
		if t.Name == m.flags.via && m.flags.proxied != ddns.KeepIt && t.Proxied != ddns.KeepIt &&
			t.Proxied != m.flags.proxied {
			return fmt.Errorf("--proxied: the configuration keeps %s with proxied: %t, and would set it back; change "+
				"it there, or leave --proxied out", t.Shown, t.Proxied == ddns.SetTrue)
		}
	}
	return nil
}

// viaRow is what becomes of --via where no hop stands there.
func (m *migration) viaRow(outcomes []ddns.Outcome, planned []ddns.Record) *migrateRow {
	row := &migrateRow{shown: m.shownName(m.flags.via), created: true, after: planned}
	row.alias.Record.Name = m.flags.via
	row.alias.Zone, _ = ownerOf(m.zones, m.flags.via)
	for _, o := range outcomes {
		row.outcome = o
		row.targets = append(row.targets, o.Target)
	}
	for _, rc := range m.round.Receipts {
		switch c := rc.Change; {
		case c.Target.Name != m.flags.via:
		case c.Op == ddns.Update:
			row.before = append(row.before, *c.Before)
		case c.Op == ddns.Delete:
			row.notes = append(row.notes, fmt.Sprintf("%s %s is deleted: %s", c.Before.Type, c.Before.Content, c.Why))
		}
	}
	for _, a := range m.aliases {
		if o := &row.outcome; a.Record.Name == m.flags.via &&
			(o.State == ddns.Refused && o.Code == ddns.CodeCNAME || o.State == ddns.Right) {
			to := strings.TrimSuffix(strings.ToLower(a.Record.Content), ".")
			o.State, o.Code, o.Address = ddns.Refused, ddns.CodeCNAME, ""
			o.Why = fmt.Sprintf("a CNAME to %s stands there, and names are pointed at an address; nothing was changed",
				to)
			o.Hint = "name another, which may be new: --via home." + a.Zone.Name
		}
	}
	if row.outcome.Code == ddns.CodeProxyUnclear {
		row.outcome.Hint = fmt.Sprintf("a web site, which is then hidden behind Cloudflare: %s; VPN, ssh, games, and "+
			"the address becomes public: %s",
			m.again("--proxied"), m.again("--proxied=false"))
	}
	return row
}

// pointAtVia makes the rows ones that are pointed at --via: a row of which that
// cannot be is refused, and all of them are where --via is to become no address.
func (m *migration) pointAtVia(via *migrateRow) {
	_, err := netip.ParseAddr(via.outcome.Address)
	holds := err == nil && written(via.outcome)
	for _, row := range m.rows {
		if row == via {
			continue
		}
		m.repoint(row)
		if row.movable() && !holds {
			o := &row.outcome
			o.State, o.Code, o.Hint, row.waits = via.outcome.State, via.outcome.Code, via.outcome.Hint, true
			o.Why = fmt.Sprintf("nothing is pointed at %s, which does not become an address", via.shown)
		}
	}
}

// repoint makes the row one that is pointed at --via.
func (m *migration) repoint(row *migrateRow) {
	row.repoint, row.reveals = true, false
	if !row.movable() {
		return
	}
	zone, ok := ownerOf(m.zones, m.flags.via)
	if err := ddns.MayRepoint(row.alias, zone, m.parts.config.Owner); err != nil && ok {
		row.outcome.State, row.outcome.Why = ddns.Refused, err.Error()+"; nothing was changed"
		return
	}
	after := row.alias.Record
	after.Content = m.flags.via
	row.after = []ddns.Record{after}
	row.outcome.Why = fmt.Sprintf("follows %s instead of %s (%s)", m.flags.via, row.alias.Host, row.evidence)
}

// repointing is the change that points a row at --via.
func (m *migration) repointing(row *migrateRow) ddns.Change {
	c := ddns.Repointing(row.alias, m.flags.via)
	c.Why = row.outcome.Why
	return c
}

// pointed reports whether any row is to be pointed at --via: else it is not made.
func (m *migration) pointed(via *migrateRow) bool {
	for _, row := range m.rows {
		if row != via && row.repoint && row.movable() {
			return true
		}
	}
	return false
}

// again is this run's command, with more words: what was said stays said.
func (m *migration) again(more ...string) string {
	var words []string
	if m.flags.apply {
		words = append(words, "--apply")
	}
	words = append(words, m.said()...)
	words = append(words, more...)
	for _, name := range m.named {
		words = append(words, m.shownName(name))
	}
	return m.command(words...)
}

// said are the flags of this run that say what is to be done, and not whether.
func (m *migration) said() (words []string) {
	if m.flags.via != "" {
		words = append(words, "--via", m.shownName(m.flags.via))
	}
	switch m.flags.proxied {
	case ddns.SetTrue:
		words = append(words, "--proxied")
	case ddns.SetFalse:
		words = append(words, "--proxied=false")
	case ddns.KeepIt:
	}
	for _, host := range m.flags.from {
		words = append(words, "--from", host)
	}
	if m.flags.noConfig {
		words = append(words, "--no-config")
	}
	return words
}

// strangers are the hosts of --from that no CNAME of this run leads to.
func (m *migration) strangers() (notes []string) {
	for _, host := range m.flags.from {
		led, selected := false, false
		for _, a := range m.aliases {
			led = led || a.Host == host
		}
		for _, a := range m.selected() {
			selected = selected || a.Host == host
		}
		switch {
		case selected:
		case led:
			notes = append(notes, fmt.Sprintf("--from %s changes nothing: none of the names given leads there", host))
		default:
			notes = append(notes, fmt.Sprintf("--from %s changes nothing: no CNAME in %s leads there", host,
				counted(len(m.zones), "zone")))
		}
	}
	return notes
}
