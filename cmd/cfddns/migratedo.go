package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/journal"
)

const (
	// chunkMost is how many names are written before they are proved and the
	// next ones follow, and so before a Ctrl-C is heard.
	chunkMost = 500
	// askAgain is how old the sources' word may get while we write.
	askAgain = time.Minute
)

// apply writes the plan, chunk by chunk, and finds the names a keeper.
func (m *migration) apply(ctx context.Context) error {
	names := 0
	for _, row := range m.rows {
		if row.movable() {
			names++
		}
	}
	if names > 0 {
		m.warnOfConfiguration()
		if err := m.keepOld(); err != nil {
			return err
		}
		count, stop := m.app.progressOf("migrating", names)
		m.write(ctx, count)
		stop()
	}
	m.keepNames(ctx)
	return nil
}

// warnOfConfiguration says before anything is written why the names could not be
// added to the configuration afterwards. They are migrated all the same, and the
// lines to add are shown.
func (m *migration) warnOfConfiguration() {
	if m.flags.noConfig || m.path == "" || len(m.toKeep(func(*migrateRow) bool { return true })) == 0 {
		return
	}
	if err := configs.Replaceable(m.path); err != nil {
		m.app.warn([]string{err.Error() + "; the lines to add by hand are shown at the end"})
	}
}

// checkRollback refuses what could not be taken back: where no rollback file can
// be written nothing is changed, and the plan says so.
func (m *migration) checkRollback() {
	err := journal.RollbackIn(m.rollbackDirs()...).Ready()
	if err == nil {
		return
	}
	for _, row := range m.rows {
		if row.movable() && !row.created {
			o := &row.outcome
			o.State, o.Code, o.Hint = ddns.Refused, ddns.CodeRefused, "set state: to a directory that can be written"
			o.Why = fmt.Sprintf("%v; without the way back nothing was changed", err)
		}
	}
}

// checkQuota refuses the names of zones that have no room for more records
// than are deleted. What Cloudflare does not tell is no reason to refuse.
func (m *migration) checkQuota(ctx context.Context) {
	more := map[string]int{}
	for _, row := range m.rows {
		if row.movable() && !row.repoint {
			more[row.alias.Zone.ID] += row.more()
		}
	}
	for _, zone := range m.zones {
		if more[zone.ID] <= 0 {
			continue
		}
		room, full := m.parts.client.Room(ctx, zone)
		if full == nil || more[zone.ID] <= room {
			continue
		}
		for _, row := range m.rows {
			if row.movable() && !row.repoint && row.alias.Zone.ID == zone.ID && row.more() > 0 {
				o := &row.outcome
				o.State, o.Code, o.Hint = ddns.Refused, ddns.CodeRefused, ddns.HintOf(full)
				o.Why = full.Error() + "; nothing was changed"
			}
		}
	}
	for _, via := range m.viaRows() {
		m.pointAtVia(via)
	}
}

// more is how many records a row needs beyond those that it deletes.
func (r *migrateRow) more() int {
	if r.created {
		return len(r.after)
	}
	return len(r.after) - 1
}

// viaRows is the row of --via, if it has one.
func (m *migration) viaRows() []*migrateRow {
	i := slices.IndexFunc(m.rows, func(r *migrateRow) bool {
		return m.flags.via != "" && r.alias.Record.Name == m.flags.via
	})
	if i < 0 {
		return nil
	}
	return m.rows[i : i+1]
}

// keepOld writes the rollback file of everything that will be written.
func (m *migration) keepOld() error {
	file := journal.Rollback{Addresses: m.home()}
	for _, row := range m.rows {
		if row.movable() && !row.created {
			file.Records = append(file.Records, row.alias.Record)
		}
		if row.movable() && !m.kept[row.alias.Record.Name] { // what was kept already is no address to go back to
			file.Records = append(file.Records, row.before...)
		}
		if row.movable() && row.repoint {
			file.Via = m.flags.via
		}
	}
	if len(file.Records) == 0 {
		return nil
	}
	if !m.flags.noConfig && m.path != "" {
		file.Config = m.path
		for _, r := range m.toKeep(func(*migrateRow) bool { return true }) {
			file.Added = append(file.Added, r.Name)
		}
		file.Added = slices.Compact(file.Added)
	}
	where, err := journal.WriteRollback(m.rollbackDirs(), file)
	if err != nil {
		return exit(ddns.ExitRefused, fmt.Errorf("%w; without the way back nothing was changed", err))
	}
	m.file = where
	m.parts.runner.Rollback = kept{where, file.Records}
	return nil
}

// kept is a rollback file that holds the records already.
type kept struct {
	where   string
	records []ddns.Record
}

// Ready implements ddns.Rollback.
func (kept) Ready() error { return nil }

// Keep implements ddns.Rollback.
func (k kept) Keep(records []ddns.Record) (string, error) {
	held := map[string]string{}
	for _, r := range k.records {
		held[r.ID] = r.Content
	}
	for _, r := range records {
		if content, ok := held[r.ID]; !ok || content != r.Content {
			return "", fmt.Errorf("%s changed since the plan was made", r.Name)
		}
	}
	return k.where, nil
}

// write makes a round of each chunk, or points CNAMEs at --via. A signal ends
// it between two chunks, never within one.
func (m *migration) write(ctx context.Context, count func(int)) {
	runner := m.parts.runner
	runner.Dry = false
	if !m.running { // a daemon remembers by itself, and only one may write its state
		runner.Applied = func(round ddns.Round, past ddns.Past) { m.parts.keeper.save(round, past.Memory) }
	} else {
		runner.Applied = nil
	}
	for _, chunk := range m.chunks() {
		if m.ended = ctx.Err(); m.ended != nil {
			return
		}
		if m.ended = m.writeChunk(ctx, chunk); m.ended != nil {
			return
		}
		count(m.tried)
	}
	for _, via := range m.viaRows() {
		m.writeVia(ctx, via, count)
	}
}

// chunks are the targets that are written and proved one after the other.
func (m *migration) chunks() [][]ddns.Target {
	var targets []ddns.Target
	zones := map[string]ddns.Zone{}
	for _, row := range m.rows {
		if row.movable() && !row.repoint {
			targets = append(targets, row.targets...)
			zones[row.alias.Record.Name] = row.alias.Zone
		}
	}
	return ddns.Chunks(targets, func(name string) ddns.Zone { return zones[name] }, chunkMost)
}

// writes is how many calls the chunks need: one for each zone of each.
func (m *migration) writes() (n int) {
	for _, chunk := range m.chunks() {
		zones := map[string]bool{}
		for _, t := range chunk {
			zone, _ := ownerOf(m.zones, t.Name)
			zones[zone.ID] = true
		}
		n += len(zones)
	}
	return n
}

// writeChunk makes the round of one chunk. An error means that the next makes
// no sense now.
func (m *migration) writeChunk(ctx context.Context, chunk []ddns.Target) error {
	runner := m.parts.runner
	runner.Targets = chunk
	if m.app.clock().Sub(m.asked).Abs() > askAgain {
		runner.Asked = nil
	}
	var round ddns.Round
	round, m.past = runner.RoundUntil(context.WithoutCancel(ctx), ctx, ddns.ByOnce, m.past)
	if runner.Asked == nil {
		runner.Asked, m.asked = round.Verdicts, m.app.clock()
	}
	if m.running {
		m.parts.keeper.note(round)
	} else {
		m.parts.keeper.save(round, m.past.Memory)
	}
	m.round.Proofs = append(m.round.Proofs, round.Proofs...)
	m.round.Receipts = slices.DeleteFunc(m.round.Receipts, func(rc ddns.Receipt) bool { return rc.State == ddns.Planned })
	m.round.Receipts = append(m.round.Receipts, round.Receipts...)
	good := false
	last := ""
	for _, o := range round.Outcomes {
		m.results[o.Target.Key()] = o
		good = good || written(o)
		if o.Target.Name != last {
			last = o.Target.Name
			m.tried++
		}
	}
	if !good && len(round.Outcomes) > 0 {
		return errors.New(round.Outcomes[0].Why)
	}
	return nil
}

// written reports whether a target holds what it should after a round,
// whatever the world was seen to show yet.
func written(o ddns.Outcome) bool {
	return o.State == ddns.Right || o.State == ddns.Changed || o.State == ddns.Contradicted
}

// writeVia points the CNAMEs at --via, which must hold an address by now.
func (m *migration) writeVia(ctx context.Context, via *migrateRow, count func(int)) {
	o := m.resultOf(via)
	if !m.pointed(via) {
		return
	}
	if !written(o) {
		m.ended = fmt.Errorf("%s did not become an address, so nothing was pointed at it: %s", m.flags.via, o.Why)
		return
	}
	var changes []ddns.Change
	for _, row := range m.rows {
		if row.movable() && row.repoint {
			changes = append(changes, m.repointing(row))
		}
	}
	for len(changes) > 0 {
		if m.ended = ctx.Err(); m.ended != nil {
			return
		}
		n := min(len(changes), changes[0].Zone.BatchLimit(), chunkMost)
		var made []ddns.Receipt
		made, m.past.Facts = m.parts.runner.Write(context.WithoutCancel(ctx), changes[:n], m.past.Facts)
		m.note(made)
		for _, rc := range made {
			m.results[rc.Change.Target.Name+" CNAME"] = outcomeOf(rc)
			m.round.Receipts = append(m.round.Receipts, rc)
		}
		if address, err := netip.ParseAddr(o.Address); err == nil {
			m.round.Proofs = append(m.round.Proofs, m.parts.runner.ProvePointed(ctx, made, address)...)
		}
		changes, m.tried = changes[n:], m.tried+n
		count(m.tried)
	}
}

// note writes changes that no round made into the journal, as one.
func (m *migration) note(made []ddns.Receipt) {
	now := m.app.clock()
	round := ddns.Round{ID: fmt.Sprintf("%x", now.UnixNano()), Started: now, Trigger: ddns.ByOnce, Receipts: made}
	for _, rc := range made {
		round.Outcomes = append(round.Outcomes, outcomeOf(rc))
	}
	m.parts.keeper.note(round)
}

// outcomeOf is how a target stands after a change that no round made.
func outcomeOf(rc ddns.Receipt) ddns.Outcome {
	o := ddns.Outcome{Target: rc.Change.Target, Zone: rc.Change.Zone.Name, State: ddns.Changed, Why: rc.Change.Why}
	if rc.Change.After != nil {
		o.Address = rc.Change.After.Content
	}
	switch {
	case rc.State == ddns.Confirmed:
	case rc.Err != nil:
		o.State, o.Why, o.Hint, o.Err = ddns.StateAfter(rc.Err), rc.Err.Error(), ddns.HintOf(rc.Err), rc.Err
	default:
		o.State, o.Why = ddns.Unreached, "not sent"
	}
	return o
}

// resultOf is what became of a row, once something was tried.
func (m *migration) resultOf(row *migrateRow) ddns.Outcome {
	o := m.becameOf(row)
	o.Hint = m.app.pasted(o.Hint)
	return o
}

func (m *migration) becameOf(row *migrateRow) ddns.Outcome {
	if !row.movable() || !m.flags.apply {
		return row.outcome
	}
	keys := make([]string, 0, 2)
	for _, t := range row.targets {
		keys = append(keys, t.Key())
	}
	if row.repoint {
		keys = []string{row.alias.Record.Name + " CNAME"}
	}
	result := ddns.Outcome{Target: row.outcome.Target, Zone: row.outcome.Zone, State: ddns.Unreached, Why: "not tried: the run ended before it"}
	for _, key := range keys {
		o, ok := m.results[key]
		if ok && (result.State == ddns.Unreached || !written(o) || strings.HasSuffix(key, " A")) {
			result = o
		}
	}
	return result
}

// exit is the exit code of the run, as that of a round; 5 too if all is
// written and nobody keeps it.
func (m *migration) exit() int {
	round := ddns.Round{}
	for _, row := range m.rows {
		round.Outcomes = append(round.Outcomes, m.resultOf(row))
	}
	for _, err := range m.failed {
		round.Outcomes = append(round.Outcomes, ddns.Outcome{State: ddns.StateAfter(err)})
	}
	code := round.Exit()
	if m.flags.apply && code == ddns.ExitRight && m.keep.missing() {
		return ddns.ExitPartly
	}
	return code
}
