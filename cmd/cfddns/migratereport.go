package main

import (
	"slices"

	"github.com/cfddns/cfddns/ddns"
)

// migrateReport is what `cfddns migrate --output json` prints.
type migrateReport struct {
	Applied  bool                `json:"applied"`
	Names    []migrateName       `json:"names"`
	Stays    []migrateStays      `json:"stays"`
	Left     []string            `json:"left"`  // migrated before, and kept by nobody
	Notes    []string            `json:"notes"` // of the run as a whole
	First    string              `json:"first"`
	Rollback string              `json:"rollback"`
	Keeping  migrateKeeping      `json:"keeping"`
	Changes  []ddns.ChangeReport `json:"changes"`
	Proofs   []ddns.ProofReport  `json:"proofs"`
	Exit     int                 `json:"exit"`
}

type migrateName struct {
	Zone     string           `json:"zone"`
	Name     string           `json:"name"`
	Host     string           `json:"host"`
	Service  string           `json:"service"`
	Leads    ddns.HopState    `json:"leads"` // here, elsewhere, dark
	Evidence string           `json:"evidence"`
	To       []migrateTo      `json:"to"`
	Follow   []string         `json:"follow"`
	Notes    []string         `json:"notes"`
	State    ddns.TargetState `json:"state"`
	Why      string           `json:"why"`
	Hint     string           `json:"hint"`
}

type migrateTo struct {
	Type    string `json:"type"`
	Content string `json:"content"`
	Proxied bool   `json:"proxied"`
	TTL     int    `json:"ttl"`
}

type migrateStays struct {
	Name string `json:"name"`
	To   string `json:"to"`
	Why  string `json:"why"`
}

type migrateKeeping struct {
	Added  []string `json:"added"`
	Config string   `json:"config"`
	Backup string   `json:"backup"`
	Kept   bool     `json:"kept"` // the running daemon shows the names as right
	Error  string   `json:"error"`
	Set    string   `json:"set"` // the variable to set instead, where one lists the names
}

func (m *migration) report() migrateReport {
	round := m.round.Report()
	r := migrateReport{Applied: m.flags.apply, Names: []migrateName{}, Stays: []migrateStays{}, Left: []string{},
		Notes: []string{}, Rollback: m.file,
		Changes: round.Changes, Proofs: round.Proofs, Exit: m.exit()}
	for _, row := range m.rows {
		o := m.resultOf(row)
		n := migrateName{Zone: row.alias.Zone.Name, Name: row.alias.Record.Name, Host: row.alias.Host, Service: row.alias.Service,
			Leads: row.state, Evidence: row.evidence, To: []migrateTo{}, Follow: append([]string{}, row.follow...), Notes: append([]string{}, row.notes...),
			State: o.State, Why: o.Why, Hint: o.Hint}
		for _, after := range row.after {
			n.To = append(n.To, migrateTo{after.Type, after.Content, after.Proxied, after.TTL})
		}
		r.Names = append(r.Names, n)
	}
	for _, a := range m.aliases {
		if a.Kind == ddns.AliasStays && len(m.named) == 0 {
			r.Stays = append(r.Stays, migrateStays{a.Record.Name, a.Record.Content, a.Why})
		}
	}
	for _, t := range m.left {
		r.Left = append(r.Left, t.Name)
	}
	r.Left = slices.Compact(r.Left)
	r.First, _ = ddns.FirstToTry(m.aliases, m.mayBeFirst)
	r.Keeping = m.keep.report(m.path)
	if line, sayable := m.parts.config.InVariable(m.keep.names); sayable && m.keep.file != nil &&
		(m.parts.config.ByVariable || m.path == "") {
		r.Keeping.Set = line
	}
	r.Notes = append(r.Notes, m.strangers()...)
	return r
}

func (k keeping) report(path string) migrateKeeping {
	doc := migrateKeeping{Added: []string{}, Config: path, Backup: k.backup, Kept: k.waited}
	for _, n := range k.names {
		if k.added {
			doc.Added = append(doc.Added, n.Name)
		}
	}
	for _, err := range []error{k.file, k.daemon} {
		if err != nil {
			doc.Error = err.Error()
		}
	}
	return doc
}
