package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestWhereTheJournalReadsLinesBeginWithAPriorityAndHaveNoTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var stat syscall.Stat_t
	if err := syscall.Fstat(int(file.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	a := &app{stderr: file, env: []string{fmt.Sprintf("JOURNAL_STREAM=%d:%d", stat.Dev, stat.Ino)}}
	log := a.logger(slog.LevelDebug, "auto").With("a", 1)
	log.Error("e")
	log.Warn("w")
	log.Info("i")
	log.Debug("d")
	a.logger(slog.LevelInfo, "json").Warn("w")
	a.env = []string{"JOURNAL_STREAM=8:1"} // inherited, and this is not it
	a.logger(slog.LevelInfo, "auto").Warn("elsewhere")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, found := strings.CutPrefix(string(text), "<3>msg=e a=1\n<4>msg=w a=1\n<6>msg=i a=1\n<7>msg=d a=1\n<4>{\"msg\":\"w\"}\n")
	if !found || !strings.HasPrefix(got, "time=") {
		t.Errorf("got %q", text)
	}
}
