package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestAFileThatHoldsATokenIsTheOwnersAloneEvenIfItWasThereBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte("older and longer than what comes"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := writeOver(path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(path); info.Mode() != fs.FileMode(0o600) || string(content) != "new" || err != nil {
		t.Errorf("mode %s, content %q, error %v", info.Mode(), content, err)
	}
}
