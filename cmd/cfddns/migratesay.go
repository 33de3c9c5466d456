package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cfddns/cfddns/ddns"
)

// say prints the migration for a person: the plan, or what came of it.
func (m *migration) say() {
	if len(m.rows) == 0 && len(m.left) == 0 && len(m.failed) == 0 {
		sayf(m.app.stdout, "no name hops: none of the %s in %s leads to a dynamic DNS host\n",
			counted(len(m.aliases), "CNAME"), counted(len(m.zones), "zone"))
		m.saySkipped()
		m.sayStrangers()
		return
	}
	m.sayTable()
	m.sayNotes()
	m.saySkipped()
	m.sayFailed()
	if m.flags.apply {
		m.sayDone()
	} else {
		m.sayPrice()
	}
}

// sayNotes prints why names stay, and what else a person should know. What has
// the same reason is said once.
func (m *migration) sayNotes() {
	var wrong []ddns.Outcome
	for _, row := range m.rows {
		o := m.resultOf(row)
		if row.waits {
			o.Hint = ""
		}
		if o.State != ddns.Right && o.State != ddns.Changed {
			wrong = append(wrong, o)
		}
	}
	m.app.sayWrong(wrong)
	evidence := map[string]bool{}
	var notes []clean
	for _, row := range m.rows {
		if row.movable() && !row.created && !evidence[row.evidence] {
			evidence[row.evidence] = true
			sayf(m.app.stdout, "%s  %s: %s\n", m.app.paint(string(row.state), 12), row.alias.Service, row.evidence)
		}
		if row.reveals && written(m.resultOf(row)) {
			notes = append(notes, cleanf("%s: DNS only, and the home's address becomes public", row.shown))
		}
		for _, note := range row.notes {
			notes = append(notes, cleanf("%s: %s", row.shown, note))
		}
		if len(row.follow) > 0 {
			notes = append(notes, cleanf("names that lead to %s follow it by themselves and stay as they are: %s",
				row.shown, someNames(row.follow)))
		}
	}
	m.app.sayList(m.app.paint("note", 12)+"  ", notes, m.flags.all)
	m.sayStrangers()
	if len(m.left) > 0 {
		names := make([]string, len(m.left))
		for i, t := range m.left {
			names[i] = t.Shown
		}
		sayf(m.app.stdout, "%s  migrated before, and kept by nobody: %s\n", m.app.paint("note", 12),
			someNames(slices.Compact(names)))
	}
}

// sayStrangers prints which words of --from were for nothing.
func (m *migration) sayStrangers() {
	for _, note := range m.strangers() {
		sayf(m.app.stdout, "%s  %s\n", m.app.paint("note", 12), note)
	}
}

// someNames names a few, and counts the rest.
func someNames(names []string) string {
	const some = 5
	if more := len(names) - some; more > 0 {
		return fmt.Sprintf("%s, and %d more", strings.Join(names[:some], ", "), more)
	}
	return strings.Join(names, ", ")
}

// saySkipped counts the CNAMEs that are no hops, by what they are.
func (m *migration) saySkipped() {
	if len(m.named) > 0 {
		return
	}
	skipped := 0
	for _, a := range m.aliases {
		if a.Kind == ddns.AliasStays {
			skipped++
			if skipped <= 5 {
				sayf(m.app.stdout, "%s  %s: %s\n", m.app.paint("stays", 12), m.shownName(a.Record.Name), a.Why)
			}
		}
	}
	if skipped > 5 {
		sayf(m.app.stdout, "%s  and %d more CNAMEs that lead to no dynamic DNS host\n",
			m.app.paint("stays", 12), skipped-5)
	}
}

// sayFailed prints which zones could not be read.
func (m *migration) sayFailed() {
	for _, z := range m.zones {
		if err := m.failed[z.Name]; err != nil {
			sayf(m.app.stderr, "%s  %s: %v\n", m.app.paint(string(ddns.StateAfter(err)), 12), z.Name, err)
			sayHint(m.app.stderr, ddns.HintOf(err))
		}
	}
}

// sayPrice prints, under a plan, what each way costs and how to go on.
func (m *migration) sayPrice() {
	out := m.app.stdout
	movable := slices.DeleteFunc(slices.Clone(m.rows), func(r *migrateRow) bool { return !r.movable() })
	if len(movable) == 0 {
		if len(m.left) > 0 {
			sayf(out, "\nadd them to the configuration:\n  %s\n", verbatim(m.applyCommand()))
		}
		return
	}
	sayf(out, "\nnothing was written. What it costs:\n")
	if m.flags.via == "" {
		sayf(out, "  replacing: %s. Deleted and made anew in one transaction; a resolver\n"+
			"    that asks in that moment may remember for half an hour that the name is gone\n",
			counted(m.writes(), "write"))
		if len(movable) > 1 {
			sayf(out, "  --via NAME: the others are pointed at NAME. Nothing is deleted, so no gap;\n"+
				"    one hop stays, inside the account\n")
		}
	} else {
		repointed := slices.DeleteFunc(movable, func(r *migrateRow) bool { return !r.repoint })
		sayf(out, "  %s becomes the address, and %s pointed at it: no gap, one hop inside the account\n",
			m.shownName(m.flags.via), counted(len(repointed), "name"))
	}
	if name, why := ddns.FirstToTry(m.aliases, m.mayBeFirst); name != "" && m.flags.via == "" {
		sayf(out, "begin with one (%s):\n  %s\n", why,
			verbatim(m.command(append(append([]string{"--apply"}, m.said()...), m.shownName(name))...)))
	}
	sayf(out, "all of them:\n  %s\n", verbatim(m.applyCommand()))
	sayf(out, "the way back, at any time (the file is written before anything else):\n  %s\n",
		verbatim(m.command("--rollback", filepath.Join(m.rollbackDirs()[0], "rollback-TIME.json"))))
}

// mayBeFirst reports whether a name is one to begin with: mail waits.
func (m *migration) mayBeFirst(name string) bool {
	return len(m.mail[name]) == 0 && slices.ContainsFunc(m.rows, func(r *migrateRow) bool { return r.alias.Record.Name == name && r.movable() })
}

// command is this program's, with the configuration that is in use.
func (m *migration) command(words ...string) string {
	line := []string{"cfddns", "migrate"}
	if m.app.configFile != "" {
		line = append(line, "--config", m.app.configFile)
	}
	return ddns.CommandLine(append(line, words...)...)
}

// applyCommand is this run with --apply.
func (m *migration) applyCommand() string {
	words := append([]string{"--apply"}, m.said()...)
	for _, name := range m.named {
		words = append(words, m.shownName(name))
	}
	return m.command(words...)
}

// sayDone prints what was written, who keeps it, and how to go on. The last
// line is what is left to do.
func (m *migration) sayDone() {
	out := m.app.stdout
	seen, asked := m.proved()
	switch {
	case len(m.results) > 0 && asked > 0:
		sayf(out, "\n%s written, %d of %d seen to answer so\n", counted(m.done(), "name"), seen, asked)
	case len(m.results) > 0:
		sayf(out, "\n%s written\n", counted(m.done(), "name"))
	}
	for _, p := range m.round.Proofs {
		if p.Outcome == ddns.ProofContradicted {
			sayf(m.app.stderr, "%s  %s: %s\n", m.app.paint("contradicted", 12), p.Target.Shown, p.Why)
			sayHint(m.app.stderr, p.Hint)
		}
	}
	if m.file != "" && m.touched() {
		sayf(out, "the old records: %s\nthe way back:    %s\n", verbatim(m.file),
			verbatim(m.command("--rollback", m.file)))
	}
	if hosts := m.oldHosts(); len(hosts) > 0 {
		sayf(out, "leave %s and its updater as they are for a week: resolvers may still hold the CNAME. Then switch "+
			"the updater off\n", strings.Join(hosts, ", "))
	}
	m.sayKeeping()
	if m.ended != nil {
		sayf(m.app.stderr, "%s  not everything was tried: %v\n", m.app.paint("unreachable", 12), m.ended)
		if m.goesOn() {
			sayf(m.app.stderr, "              go on with: %s\n", verbatim(m.applyCommand()))
		}
	}
}

// goesOn reports whether the same command goes on where this run ended: not so
// where what ended it was refused, and a line says what to do about it.
func (m *migration) goesOn() bool {
	for _, o := range m.results {
		if o.State == ddns.Refused && o.Hint != "" {
			return false
		}
	}
	return true
}

// done counts the names that stand otherwise than before, and as planned.
func (m *migration) done() (n int) {
	names := map[string]bool{}
	for _, o := range m.results {
		names[o.Target.Name] = names[o.Target.Name] || written(o) && o.State != ddns.Right
	}
	for _, good := range names {
		if good {
			n++
		}
	}
	return n
}

// touched reports whether anything was, or may have been, changed.
func (m *migration) touched() bool {
	for _, o := range m.results {
		if o.State != ddns.Refused {
			return true
		}
	}
	return false
}

// proved counts the names that were seen to answer as they should, and those asked about.
func (m *migration) proved() (seen, asked int) {
	state := map[string]bool{}
	for _, p := range m.round.Proofs {
		if p.By == "edge" && p.Outcome != ddns.ProofContradicted {
			continue // it can only contradict
		}
		good, known := state[p.Target.Name]
		state[p.Target.Name] = p.Outcome == ddns.ProofSeen && (good || !known)
	}
	for _, good := range state {
		if good {
			seen++
		}
	}
	return seen, len(state)
}

// oldHosts are the DDNS hosts that names hopped over until now.
func (m *migration) oldHosts() (hosts []string) {
	for _, row := range m.rows {
		if row.movable() && !row.created && written(m.resultOf(row)) {
			hosts = append(hosts, row.alias.Host)
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// sayByHand prints what a person has to write where the configuration could not
// be edited: where a variable lists the names, it wins over any file.
func (m *migration) sayByHand() {
	k, c, out := m.keep, m.parts.config, m.app.stderr
	sayf(out, "%s  nobody keeps the names yet: %v\n", m.app.paint("note", 12), k.file)
	switch line, sayable := c.InVariable(k.names); {
	case !c.ByVariable && m.path != "":
		sayf(out, "              add to records:\n")
		sayLines(out, c.Entries(nil, k.names))
	case sayable:
		sayf(out, "              set, wherever it is set now:\n")
		sayLines(out, "  "+line+"\n")
	default:
		sayf(out, "              a variable cannot say that of them: unset CFDDNS_RECORDS, and list all names in a "+
			"file, below records:\n")
		sayLines(out, c.Entries(c.Records, k.names))
	}
}

// sayKeeping prints who keeps the names from now on.
func (m *migration) sayKeeping() {
	k, out := m.keep, m.app.stdout
	switch {
	case k.idle && m.flags.noConfig && len(m.writtenNames()) > 0:
		sayf(out, "the configuration was left alone: the names are right now, and nobody follows the home's address "+
			"until they are kept\n")
		return
	case k.idle:
		return
	case k.added:
		sayf(out, "added to %s: %s (what it was: %s)\n", m.path, counted(len(k.names), "name"), k.backup)
	case k.file != nil:
		m.sayByHand()
		return
	}
	switch {
	case k.waited:
		sayf(out, "the running daemon keeps them\n")
	case k.daemon != nil && !errors.Is(k.daemon, errNoDaemon):
		sayf(m.app.stderr, "%s  %v\n", m.app.paint("note", 12), k.daemon)
		if coded, ok := errors.AsType[*exitError](k.daemon); ok && coded.code == ddns.ExitNoDaemon {
			sayf(out, "so nobody follows the home's address for them yet; start one that does:\n  %s\n",
				verbatim(m.runCommand()))
		}
	default:
		sayf(out, "no daemon runs here, so nobody follows the home's address yet; start it:\n  %s\n",
			verbatim(m.runCommand()))
	}
}
