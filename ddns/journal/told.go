package journal

import (
	"encoding/json"
	"errors"
	"io/fs"
	"time"

	"github.com/cfddns/cfddns/ddns/files"
)

// toldFile holds what a person was told by the last one-shot that tells only news.
const toldFile = "told.json"

// toldMost bounds what is read of it.
const toldMost = 1 << 20

// Told is what a person was told last.
type Told struct {
	Wrong time.Time `json:"wrong"` // since when something is wrong; zero: all is well
	What  string    `json:"what"`  // the trouble that was told; empty: none
	At    time.Time `json:"at"`    // when that was
}

// Told returns what was told last; false if nobody knows, so that too much is told
// rather than too little.
func (j *Journal) Told() (t Told, known bool) {
	err := j.in(func(d *files.Dir) error {
		content, err := d.Read(toldFile, toldMost)
		if err == nil {
			err = json.Unmarshal(content, &t)
		}
		return err
	})
	if err != nil {
		return Told{}, false
	}
	return t, true
}

// KeepTold remembers what was told.
func (j *Journal) KeepTold(t Told) error {
	content, err := json.Marshal(t)
	if err == nil {
		err = j.in(func(d *files.Dir) error { return d.Replace(toldFile, append(content, '\n')) })
	}
	if err != nil {
		return unwritten(toldFile, j.dir, err, "the same may be told again")
	}
	return nil
}

// ForgetTold forgets what was told, if anything was.
func (j *Journal) ForgetTold() error {
	err := j.in(func(d *files.Dir) error { return d.Remove(toldFile) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unwritten(toldFile, j.dir, err, "the same may be told again")
	}
	return nil
}
