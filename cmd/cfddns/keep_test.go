package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

func TestWhatCannotBeKeptIsSaidInOneLineForBothFiles(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{"state.json", "journal.jsonl"} {
		if err := os.Mkdir(filepath.Join(dir, file), 0o700); err != nil { // and so no file
			t.Fatal(err)
		}
	}
	k := &keeper{dir: dir}
	k.save(ddns.Round{ID: "1", Outcomes: []ddns.Outcome{{State: ddns.Held}}}, ddns.Memory{})
	err := k.why()
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "journal.jsonl") || !strings.Contains(err.Error(), "state.json") {
		t.Errorf("got %v", err)
	}
}

// The round that finds the directory writable again is the one that says so:
// on a quiet line the next one is twenty minutes away.
func TestTheAlarmOfAStateEndsWithTheTryThatWorks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // it is no directory
		t.Fatal(err)
	}
	k := &keeper{dir: dir}
	k.remembered()
	k.save(ddns.Round{ID: "1", Outcomes: []ddns.Outcome{{State: ddns.Held}}}, ddns.Memory{Wrote: map[string]time.Time{"example.com": {}}})
	if err := k.keepOwed(); err == nil {
		t.Error("a file is taken for a directory")
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := k.keepOwed(); err != nil {
		t.Errorf("it can be written, and the alarm stands: %v", err)
	}
	for file, holds := range map[string]string{"state.json": "example.com", "journal.jsonl": `"id":"1"`} {
		if content, err := os.ReadFile(filepath.Join(dir, file)); err != nil || !strings.Contains(string(content), holds) {
			t.Errorf("%s: %v: %s", file, err, content)
		}
	}
}
