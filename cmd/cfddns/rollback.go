package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/journal"
)

// backReport is what `cfddns migrate --rollback --output json` prints.
type backReport struct {
	File    string     `json:"file"`
	Names   []backName `json:"names"`
	Removed []string   `json:"removed"` // from the configuration
	Backup  string     `json:"backup"`  // what the configuration was before
	Stays   []string   `json:"stays"`   // addresses of the home that nobody keeps from now on
	Exit    int        `json:"exit"`
}

type backName struct {
	Name  string           `json:"name"`
	Type  string           `json:"type"`
	To    string           `json:"to"`
	State ddns.TargetState `json:"state"`
	Why   string           `json:"why"`
}

// rollBack puts back what a rollback file holds: first the configuration lets
// the names go, so that no daemon fights, then the records return.
func (a *app) rollBack(ctx context.Context, f migrateFlags) error {
	file, err := journal.OpenRollback(f.rollback)
	if err != nil {
		return exit(ddns.ExitUsage, err)
	}
	m, err := a.newMigration(f, nil)
	if err != nil {
		return err
	}
	a.warn(m.parts.warnings)
	stop := a.progress("reading the zones")
	found := m.parts.runner.Records(ctx, namesOf(file))
	stop()
	backs := ddns.PlanBack(file.Records, found, m.mine(file), file.Via)
	report := backReport{File: f.rollback, Names: []backName{}, Removed: []string{}, Stays: []string{}}
	if !f.noConfig {
		if report.Removed, report.Backup, err = m.letGo(ctx, file, backs); err != nil {
			return exit(ddns.ExitRefused, fmt.Errorf("%w; no record was changed (--no-config leaves the configuration alone)", err))
		}
	}
	count, stop := a.progressOf("rolling back", len(backs))
	outcomes := m.goBack(ctx, backs, found, count)
	stop()
	for i, o := range outcomes {
		report.Names = append(report.Names, backName{backs[i].Record.Name, backs[i].Record.Type, backs[i].Record.Content, o.State, o.Why})
	}
	report.Stays = append(report.Stays, m.unkept(file, found, report.Removed)...)
	report.Exit = ddns.Round{Outcomes: outcomes}.Exit()
	if a.json() {
		if err := a.printJSON(report); err != nil {
			return exit(ddns.ExitUnexpected, err)
		}
	} else {
		a.sayBack(report, outcomes, f.all)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return exit(report.Exit, nil)
}

// namesOf are the names whose records must be known.
func namesOf(file journal.Rollback) (names []string) {
	for _, r := range file.Records {
		names = append(names, r.Name)
	}
	if file.Via != "" {
		names = append(names, file.Via)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// unkept are the addresses that the migration made for names to be pointed at,
// and that stay: something else may use them by now.
func (m *migration) unkept(file journal.Rollback, found ddns.Found, removed []string) (stays []string) {
	mine := m.mine(file)
	before := slices.ContainsFunc(file.Records, func(r ddns.Record) bool { return r.Name == file.Via })
	if before || m.kept[file.Via] && !slices.Contains(removed, file.Via) {
		return nil
	}
	for _, z := range found.Zones {
		for _, r := range z.Records {
			if r.Name == file.Via && r.Address().IsValid() && mine(r.Address()) {
				stays = append(stays, fmt.Sprintf("%s %s %s", m.shownName(r.Name), r.Type, r.Content))
			}
		}
	}
	return stays
}

// mine reports whether an address is one that a migration, or what kept its
// names since, published.
func (m *migration) mine(file journal.Rollback) func(netip.Addr) bool {
	known := m.ours([]journal.Rollback{file})
	kept := map[netip.Addr]bool{}
	for _, k := range m.past.Memory.Kept {
		kept[k.Address] = true
	}
	return func(a netip.Addr) bool { return known(a) || kept[a] }
}

// letGo takes the names that the migration added out of the configuration, and
// tells a running daemon. Names that are not to go back stay in it.
func (m *migration) letGo(ctx context.Context, file journal.Rollback, backs []ddns.Back) (removed []string, backup string, err error) {
	added := map[string]bool{}
	for _, shown := range file.Added {
		if name, err := configs.Name(shown); err == nil {
			added[name] = m.kept[name]
		}
	}
	goes := map[string]bool{file.Via: true}
	for _, b := range backs {
		goes[b.Record.Name] = b.State == ddns.BackReturn || b.State == ddns.BackStands
	}
	removed = []string{}
	for _, name := range slices.Sorted(maps.Keys(added)) {
		if added[name] && goes[name] {
			removed = append(removed, name)
		}
	}
	if len(removed) == 0 {
		return removed, "", nil
	}
	backup, err = configs.EditFile(m.path, m.app.env, configs.Edit{Remove: removed}, m.app.clock())
	if err != nil {
		return removed, "", err
	}
	err = m.app.reloadDaemon(ctx)
	if coded, ok := errors.AsType[*exitError](err); err != nil &&
		(!ok || coded.code != ddns.ExitNoDaemon || errors.Is(err, errOtherConfig) || errors.Is(err, errMute)) {
		m.app.warn([]string{err.Error() + "; where it keeps these names it puts the addresses back: stop it"})
	}
	return removed, backup, nil
}

// goBack writes, zone by zone and batch by batch, and says what came of each
// record. A signal ends it between two batches.
func (m *migration) goBack(ctx context.Context, backs []ddns.Back, found ddns.Found, count func(int)) []ddns.Outcome {
	outcomes := make([]ddns.Outcome, len(backs))
	at := map[string]int{}
	for i, b := range backs {
		t := ddns.Target{Name: b.Record.Name, Shown: m.shownName(b.Record.Name), Type: b.Record.Type}
		outcomes[i] = ddns.Outcome{Target: t, State: ddns.Unreached, Why: "not tried: the run ended before it"}
		at[t.Key()] = i
		switch b.State {
		case ddns.BackStands:
			outcomes[i].State, outcomes[i].Why = ddns.Right, b.Why
		case ddns.BackSkip:
			outcomes[i].State, outcomes[i].Why = ddns.Held, b.Why+"; left so"
		case ddns.BackUnread:
			outcomes[i].State, outcomes[i].Why, outcomes[i].Hint = ddns.StateAfter(b.Err), joinNonEmpty(": ", b.Why, fmt.Sprint(b.Err)), ddns.HintOf(b.Err)
		case ddns.BackReturn:
		}
	}
	for from := 0; from < len(backs) && ctx.Err() == nil; from += backMost {
		part := backs[from:min(from+backMost, len(backs))]
		var changes []ddns.Change
		for _, b := range part {
			changes = append(changes, b.Changes...)
		}
		var made []ddns.Receipt
		made, found = m.parts.runner.Write(context.WithoutCancel(ctx), changes, found)
		m.note(made)
		for _, rc := range made {
			i := at[rc.Change.Target.Key()]
			o := outcomeOf(rc)
			if o.Target = outcomes[i].Target; rc.State == ddns.Confirmed {
				o.Why = backs[i].Why
			}
			outcomes[i] = o
		}
		count(from + len(part))
	}
	return outcomes
}

// backMost is how many records go back before a Ctrl-C is heard: one batch of
// a Free zone, in which each needs up to three changes.
const backMost = 66

// sayBack prints the way back for a person.
func (a *app) sayBack(report backReport, outcomes []ddns.Outcome, all bool) {
	stands := 0
	var back []clean
	var wrong []ddns.Outcome
	for i, o := range outcomes {
		switch o.State {
		case ddns.Changed:
			back = append(back, cleanf("%s %s %s\n              %s", o.Target.Shown, report.Names[i].Type,
				report.Names[i].To, o.Why))
		case ddns.Right:
			stands++
		default:
			wrong = append(wrong, o)
		}
	}
	a.sayList(a.paint("changed", 12)+"  ", back, all)
	a.sayWrong(wrong)
	sayf(a.stdout, "%d put back, %d stood there already, %d left as they are\n", len(back), stands, len(wrong))
	for _, address := range report.Stays {
		sayf(a.stdout, "%s  %s stays, and nobody keeps it from now on: delete it in the dashboard unless something "+
			"uses it\n", a.paint("note", 12), address)
	}
	if len(report.Removed) > 0 {
		shown := make([]string, len(report.Removed))
		for i, name := range report.Removed {
			shown[i] = configs.Shown(name)
		}
		sayf(a.stdout, "no longer kept: %s (the configuration before: %s)\n", someNames(shown), report.Backup)
	}
}
