package main

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/journal"
)

// keeper keeps what must survive a restart, where there is a state directory.
// That it cannot is no reason to stop: names are kept right all the same, a
// condition says so, and each round tries again.
type keeper struct {
	dir string // empty: everything is kept in memory

	mu      sync.Mutex // guards the following
	journal *journal.Journal
	trouble error    // why the last try did not work
	owed    *leaving // what that was about; nil if it kept everything
}

// leaving is what a round leaves behind.
type leaving struct {
	report ddns.Report
	memory ddns.Memory
}

// remembered loads what was kept, and what to say about it.
func (k *keeper) remembered() (memory ddns.Memory, note string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.open() {
		return ddns.Memory{}, ""
	}
	memory, note, err := k.journal.Memory()
	if err != nil {
		k.trouble = err
		return ddns.Memory{}, ""
	}
	return memory, note
}

// open opens the journal if it is not open; false if there is none.
func (k *keeper) open() bool {
	if k.dir == "" || k.journal != nil {
		return k.journal != nil
	}
	k.journal, k.trouble = journal.Open(k.dir)
	if k.trouble != nil {
		k.journal = nil
	}
	return k.journal != nil
}

// forgets reports whether what a round leaves is gone with this process.
func (k *keeper) forgets() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.open()
}

// save keeps what a round leaves behind.
func (k *keeper) save(round ddns.Round, memory ddns.Memory) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keep(leaving{round.Report(), memory})
}

// note writes down what was done, and nothing of what is to be remembered: that
// is the daemon's, if one runs.
func (k *keeper) note(round ddns.Round) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open() {
		k.trouble = k.journal.Append(round.Report())
	}
}

// keep writes down what a round leaves behind, or owes it.
func (k *keeper) keep(l leaving) {
	if k.open() {
		k.trouble = inOneLine(k.journal.Append(l.report), k.journal.Save(l.memory))
	}
	k.owed = nil
	if k.trouble != nil {
		k.owed = &l
	}
}

// keepOwed tries again where the last try did not work, and says why something
// still cannot be kept: a round that finds the directory writable again says so.
func (k *keeper) keepOwed() error {
	k.mu.Lock()
	switch {
	case k.owed != nil:
		k.keep(*k.owed)
	case k.trouble != nil:
		k.open()
	}
	k.mu.Unlock()
	return k.why()
}

// inOneLine joins two errors for a log and a list, where each has one line.
func inOneLine(first, second error) error {
	if first == nil || second == nil {
		return errors.Join(first, second)
	}
	return fmt.Errorf("%w; %w", first, second)
}

// why says why nothing can be kept; nil if it can, or nothing is to be kept.
func (k *keeper) why() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.trouble == nil {
		return nil
	}
	return fmt.Errorf("state: %w", k.trouble)
}
