package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
)

// keeping is who keeps the names of a migration from now on.
type keeping struct {
	names  []configs.Record // that were to be added to the configuration
	added  bool
	backup string // what the configuration was before
	file   error  // why the configuration could not be edited
	daemon error  // why no running daemon keeps the names
	waited bool   // the running daemon lists them
	idle   bool   // nothing was to be done
}

// missing reports whether names stand there that nobody keeps.
func (k keeping) missing() bool { return !k.idle && !k.waited }

// keepPatience is how long the daemon may take to keep new names: a round, its
// proof counted in.
const keepPatience = 90 * time.Second

// toKeep are the entries that the configuration lacks, for the rows of which
// is says so, and for the names that were left without a keeper.
func (m *migration) toKeep(is func(*migrateRow) bool) (records []configs.Record) {
	targets := slices.Clone(m.left)
	for _, row := range m.rows {
		keeps := row.movable() && !row.repoint || row.created && written(row.outcome)
		if keeps && is(row) {
			targets = append(targets, row.targets...)
		}
	}
	kept := map[string]bool{}
	for _, t := range m.parts.config.Targets() {
		kept[t.Key()] = true
	}
	for _, t := range ddns.SortTargets(targets) {
		if kept[t.Key()] {
			continue
		}
		if n := len(records); n > 0 && records[n-1].Name == t.Shown {
			records[n-1].Types = append(records[n-1].Types, t.Type)
			continue
		}
		r := configs.Record{Name: t.Shown, Types: []string{t.Type}}
		if t.Name == m.flags.via && m.flags.proxied != ddns.KeepIt {
			r.Proxied = &m.flags.proxied // what was said once need not be asked again
		}
		records = append(records, r)
	}
	return records
}

// writtenNames are those that hold an address of ours after the run, and that
// somebody must keep.
func (m *migration) writtenNames() (names []string) {
	for _, row := range m.rows {
		keeps := row.movable() && !row.repoint || row.created
		if keeps && written(m.resultOf(row)) {
			names = append(names, row.alias.Record.Name)
		}
	}
	for _, t := range m.left {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// keepNames adds the names that were written to the configuration, tells a
// running daemon, and waits until it keeps them. A signal ends the waiting alone.
func (m *migration) keepNames(ctx context.Context) {
	names := m.writtenNames()
	if len(names) == 0 || m.flags.noConfig {
		m.keep.idle = true
		return
	}
	m.keep.names = m.toKeep(func(row *migrateRow) bool { return written(m.resultOf(row)) })
	if len(m.keep.names) > 0 {
		m.keep.backup, m.keep.file = configs.EditFile(m.path, m.app.env, configs.Edit{Add: m.keep.names}, m.app.clock())
		if m.keep.file != nil {
			return
		}
		m.keep.added = true
	}
	m.keep.daemon = m.app.reloadDaemon(context.WithoutCancel(ctx))
	if m.keep.daemon != nil {
		return
	}
	stop := m.app.progress("the daemon takes the names over")
	defer stop()
	m.keep.daemon = m.app.waitForDaemon(ctx, names)
	m.keep.waited = m.keep.daemon == nil
}

// reloadDaemon has the running daemon of this configuration read it again.
func (a *app) reloadDaemon(ctx context.Context) error {
	var now InForce
	err := a.ask(ctx, "POST", "/reload", &now)
	if coded, ok := errors.AsType[*exitError](err); err != nil && (!ok || coded.code != ddns.ExitNoDaemon) {
		return fmt.Errorf("the running daemon refuses the new configuration: %w", err)
	}
	return err
}

// waitForDaemon waits until the daemon's last round lists the names as right.
func (a *app) waitForDaemon(ctx context.Context, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, keepPatience)
	defer cancel()
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for {
		var status StatusReport
		err := a.ask(ctx, "GET", "/status", &status)
		switch {
		case err != nil:
		case status.Round == nil:
			err = errors.New("no round ended yet")
		default:
			if err = listed(*status.Round, names); err == nil {
				return nil
			}
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("the running daemon has the new configuration, and does not show all names as right yet (%w); cfddns status shows them", err)
		}
	}
}

// listed reports which name a round does not show as right.
func listed(r ddns.Report, names []string) error {
	state := map[string]ddns.TargetState{}
	for _, t := range r.Targets {
		if state[t.Name] == "" || t.State != ddns.Right && t.State != ddns.Changed {
			state[t.Name] = t.State
		}
	}
	for _, name := range names {
		switch s := state[name]; s {
		case ddns.Right, ddns.Changed, ddns.Contradicted: // what is contradicted is kept, and asked about again
		case "":
			return fmt.Errorf("%s is not listed", name)
		default:
			return fmt.Errorf("%s is %s", name, s)
		}
	}
	return nil
}

// runCommand is the command that starts the keeper.
func (m *migration) runCommand() string {
	return m.app.command("run")
}
