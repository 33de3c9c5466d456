package journal

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
)

// toldFile holds what a person was told by the last one-shot that tells only news.
const toldFile = "told.json"

// Told is what a person was told last.
type Told struct {
	Wrong time.Time `json:"wrong"` // since when something is wrong; zero: all is well
	What  string    `json:"what"`  // the trouble that was told; empty: none
	At    time.Time `json:"at"`    // when that was
}

// Told returns what was told last; nothing if nobody knows, so that too much is told
// rather than too little.
func (j *Journal) Told() Told {
	var t Told
	path := filepath.Join(j.dir, toldFile)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return Told{}
	}
	content, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(content, &t) != nil {
		return Told{}
	}
	return t
}

// KeepTold remembers what was told.
func (j *Journal) KeepTold(t Told) error {
	path := filepath.Join(j.dir, toldFile)
	if t == (Told{}) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return unwritten(toldFile, j.dir, err, "the same may be told again")
		}
		return nil
	}
	content, err := json.Marshal(t)
	if err == nil {
		err = renameio.WriteFile(path, append(content, '\n'), 0o600, renameio.WithTempDir(j.dir))
	}
	if err != nil {
		return unwritten(toldFile, j.dir, err, "the same may be told again")
	}
	return nil
}
