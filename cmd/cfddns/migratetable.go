package main

import (
	"fmt"
	"strings"

	"github.com/cfddns/cfddns/ddns"
)

// linesMost is how many lines of a list a person is shown who did not ask for all.
const linesMost = 40

// sayList prints one line for each of a list, and counts what it leaves out.
func (a *app) sayList(before clean, lines []clean, all bool) {
	for i, line := range lines {
		if i == linesMost && !all {
			sayf(a.stdout, "%sand %d more; --all shows them\n", before, len(lines)-i)
			return
		}
		sayf(a.stdout, "%s%s\n", before, line)
	}
}

// A tableLine is one line of the table: a name, or the first of several of
// which all else is the same.
type tableLine struct {
	word, name         string
	from, is, to, kept string
	more               int
}

// lines are those of the table: one for each name, or, where these are many,
// one for all that have the same said of them.
func (m *migration) lines() (lines []tableLine) {
	at := map[tableLine]int{}
	together := len(m.rows) > linesMost && !m.flags.all
	for _, row := range m.rows {
		l := tableLine{word: m.word(row), from: dash(row.from()), is: dash(string(row.state)), to: m.toText(row),
			kept: keptText(row)}
		key := l
		l.name = row.shown
		if i, known := at[key]; known && together {
			lines[i].more++
			continue
		}
		at[key] = len(lines)
		lines = append(lines, l)
	}
	return lines
}

// word says what became, or would become, of a row.
func (m *migration) word(row *migrateRow) string {
	o := m.resultOf(row)
	if !m.flags.apply && o.State == ddns.Changed {
		return "would change"
	}
	return string(o.State)
}

// sayTable prints the table of the names.
func (m *migration) sayTable() {
	if len(m.rows) == 0 {
		return
	}
	lines := m.lines()
	t := table{head: []string{"result", "name", "from", "that is", "to", "kept as set"}}
	for _, l := range lines {
		if l.more > 0 {
			l.name = fmt.Sprintf("%s and %d more", l.name, l.more)
		}
		t.add(m.app.paint(l.word, 0), l.name, l.from, l.is, l.to, l.kept)
	}
	head, rows := t.lines(widthOf(m.app.stdout))
	if head != "" {
		sayf(m.app.stdout, "%s\n", head)
	}
	m.app.sayList("", rows, m.flags.all)
	if len(lines) < len(m.rows) {
		sayf(m.app.stdout, "%s in all; --all shows each\n", counted(len(m.rows), "name"))
	}
}

func dash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}

// from is what stands there: the host of the CNAME, or the address that --via overwrites.
func (r *migrateRow) from() string {
	if len(r.before) == 0 {
		return r.alias.Host
	}
	return r.before[0].Type + " " + r.before[0].Content
}

// toText is what takes the place of a CNAME.
func (m *migration) toText(row *migrateRow) string {
	if row.created && !row.movable() {
		return "–"
	}
	if len(row.after) == 0 || !row.movable() {
		return "stays" // at --via another record may be deleted beside it
	}
	var words []string
	for _, r := range row.after {
		words = append(words, r.Type+" "+r.Content)
	}
	return strings.Join(words, ", ")
}

// keptText is what the new record takes over.
func keptText(row *migrateRow) string {
	if !row.movable() {
		return "–"
	}
	if len(row.after) == 0 {
		return "–"
	}
	text := settings(row.after[0]) // --proxied, or the configuration, may say otherwise than the CNAME
	if row.created {
		return text
	}
	if row.alias.Record.Comment != "" {
		text += ", comment"
	}
	if n := len(row.alias.Record.Tags); n > 0 {
		text += ", " + counted(n, "tag")
	}
	return text
}
