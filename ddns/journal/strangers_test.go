package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/needs"
)

// service is the user of a daemon, in whose directory root makes a round.
const service = 65534

func ofService(t *testing.T) (dir, victim string) {
	t.Helper()
	needs.Root(t)
	place := t.TempDir()
	dir, victim = filepath.Join(place, "state"), filepath.Join(place, "victim")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, service, service), os.WriteFile(victim, []byte("root's"), 0o600)); err != nil {
		t.Fatal(err)
	}
	return dir, victim
}

// Were one of the files root's, the service would run on without it.
func TestWhatRootKeepsInTheServicesDirectoryIsTheServices(t *testing.T) {
	dir, _ := ofService(t)
	link := dir + "-link" // as /var/lib/cfddns leads to /var/lib/private/cfddns
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	j := open(t, link)
	save(t, j, memoryOf(1))
	appendAll(t, j, changedRound(1))
	_, err := RollbackIn(link).Keep([]ddns.Record{{ID: "1", Name: "a.example.com", Type: "CNAME", Content: "x.duckdns.org"}})
	if err = errors.Join(err, j.KeepTold(Told{What: "trouble", At: time.Unix(1, 0)})); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 4 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		if stat, _ := info.Sys().(*syscall.Stat_t); stat.Uid != service || stat.Gid != service || info.Mode() != 0o600 {
			t.Errorf("%s belongs to %d:%d, mode %v", entry.Name(), stat.Uid, stat.Gid, info.Mode())
		}
	}
}

func TestNothingThatTheServicePlantsIsFollowed(t *testing.T) {
	for _, file := range []string{stateFile, roundsFile, oldRounds, toldFile, "rollback-20260101T000000.000Z.json"} {
		for name, plant := range map[string]func(path, victim string) error{
			"a link":      func(path, victim string) error { return os.Symlink(victim, path) },
			"a hard link": func(path, victim string) error { return os.Link(victim, path) },
			"a pipe":      func(path, _ string) error { return syscall.Mkfifo(path, 0o666) },
		} {
			t.Run(file+" is "+name, func(t *testing.T) {
				dir, victim := ofService(t)
				if err := plant(filepath.Join(dir, file), victim); err != nil {
					t.Fatal(err)
				}
				j := open(t, dir)
				_, _, memoryErr := j.Memory()
				saveErr, appendErr := j.Save(memoryOf(1)), j.Append(changedRound(1))
				toldErr := j.KeepTold(Told{What: "trouble"})
				_, keepErr := RollbackIn(dir).Keep([]ddns.Record{{ID: "1", Name: "a.example.com", Type: "CNAME", Content: "x.duckdns.org"}})
				var readErr error
				for _, err := range j.Read(time.Time{}) {
					readErr = errors.Join(readErr, err)
				}
				said := map[string][]error{stateFile: {memoryErr, saveErr}, roundsFile: {appendErr, readErr}, oldRounds: {readErr}}
				for _, err := range said[file] {
					if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, file)+" is ") || !strings.Contains(err.Error(), "see who did (ls -ld "+filepath.Join(dir, file)) {
						t.Errorf("it says %v", err)
					}
				}
				if file != stateFile && errors.Join(memoryErr, saveErr, toldErr, keepErr) != nil {
					t.Errorf("what is not concerned: %v", errors.Join(memoryErr, saveErr, toldErr, keepErr))
				}
				if got := read(t, victim); got != "root's" {
					t.Errorf("root's file holds %q", got)
				}
			})
		}
	}
}
