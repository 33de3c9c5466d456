package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cfddns/cfddns/ddns"
)

func TestWhatCannotBeKeptIsSaidInOneLineForBothFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	k := &keeper{dir: file} // which is no directory
	k.save(ddns.Round{ID: "1", Outcomes: []ddns.Outcome{{State: ddns.Held}}}, ddns.Memory{})
	err := k.why()
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "journal.jsonl") || !strings.Contains(err.Error(), "state.json") {
		t.Errorf("got %v", err)
	}
}
