package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/files"
)

const (
	stateFile    = "state.json"
	stateVersion = 1
	// stateMost bounds what is read; ten thousand names take about 3 MB.
	stateMost = 64 << 20
	// asideTime is the form of a time in a file name, UTC.
	asideTime = "20060102T150405.000Z"
)

// state is state.json: the fields of the memory, and a version beside them. A
// field that is added keeps the version; one whose meaning changes raises it.
type state struct {
	Version int `json:"version"`
	ddns.Memory
}

// Memory returns what was last saved. A missing file is an empty memory. The
// note, if there is one, is for the log: the file is of another version, or
// could not be understood and was set aside as state.json.aside-TIME.
//
// An error means that there is a file and nobody knows what it says. The
// daemon can go on with an empty memory: Save leaves such a file alone.
func (j *Journal) Memory() (m ddns.Memory, note string, err error) {
	content, err := j.readState()
	if errors.Is(err, fs.ErrNotExist) {
		return ddns.Memory{}, "", nil
	}
	if err != nil {
		return ddns.Memory{}, "", fmt.Errorf("%s in %s could not be read: %w; the file is kept as it is, and cfddns "+
			"goes on without memory: %s", stateFile, j.dir, cause(err), j.readable(err, stateFile))
	}
	s, err := decodeState(content)
	switch {
	case err != nil:
		note, err = j.setAside(err)
		return ddns.Memory{}, note, err
	case s.Version != stateVersion:
		return s.Memory, fmt.Sprintf("%s in %s is of version %d, and was read as version %d", stateFile, j.dir, s.Version, stateVersion), nil
	default:
		return s.Memory, "", nil
	}
}

// Save writes the memory, so that a kill at any instant leaves the old file or
// the new one. It writes only what differs from the file: a quiet daemon must
// not wear out a flash card. When things were last seen counts by the day.
func (j *Journal) Save(m ddns.Memory) error {
	const kept = "what Cloudflare confirmed is remembered until cfddns ends"
	content, err := json.MarshalIndent(state{stateVersion, m}, "", " ")
	if err != nil {
		return unwritten(stateFile, j.dir, err, kept)
	}
	content = append(content, '\n')
	before, err := j.readState()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s in %s could not be read, so it is not overwritten: %w; %s: %s", stateFile, j.dir,
			cause(err), kept, j.readable(err, stateFile))
	}
	if err == nil && !j.doubt && sameState(before, content) {
		return nil
	}
	err = j.in(func(d *files.Dir) error { return d.Replace(stateFile, content) })
	j.doubt = err != nil
	if err != nil {
		return unwritten(stateFile, j.dir, err, kept)
	}
	return nil
}

// readState reads the file up to a byte more than a state may have, which then
// does not decode.
func (j *Journal) readState() (content []byte, err error) {
	err = j.in(func(d *files.Dir) error {
		content, err = d.Read(stateFile, stateMost)
		return err
	})
	return content, err
}

// readable says what makes a file readable. Mostly root wrote the file, and the
// directory's owner may not read it. A user that systemd made up has no lasting
// name, so that the command names the directory and not the user.
func (j *Journal) readable(err error, name string) string {
	if !errors.Is(err, fs.ErrPermission) {
		return remedy(err)
	}
	return fmt.Sprintf("give it to the owner of the directory: sudo chown --reference=%s %s", j.dir,
		filepath.Join(j.dir, name))
}

// decodeState understands a file of any version that looks like ours.
func decodeState(content []byte) (state, error) {
	var s state
	if len(content) > stateMost {
		return state{}, fmt.Errorf("it is larger than %d MiB", stateMost>>20)
	}
	if err := json.Unmarshal(content, &s); err != nil {
		return state{}, err
	}
	if s.Version < 1 {
		return state{}, errors.New("it names no version")
	}
	return s, nil
}

// setAside moves a file that cannot be understood out of the way, where a
// person still finds it.
func (j *Journal) setAside(why error) (note string, err error) {
	aside := stateFile + ".aside-" + time.Now().UTC().Format(asideTime)
	if err := j.in(func(d *files.Dir) error { return d.Rename(stateFile, aside) }); err != nil {
		return "", fmt.Errorf("%s in %s could not be understood (%w) and not be set aside (%w); cfddns goes on without memory: %s", stateFile, j.dir, why, cause(err), remedy(err))
	}
	return fmt.Sprintf("%s in %s could not be understood (%v); it was set aside as %s, and cfddns goes on without memory", stateFile, j.dir, why, aside), nil
}

// sameState reports whether writing b over a would only renew times at which
// something was seen that is still the same.
func sameState(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	old, errOld := decodeState(a)
	fresh, errFresh := decodeState(b)
	if errOld != nil || errFresh != nil || old.Version != fresh.Version {
		return false
	}
	a, errOld = json.Marshal(byDay(old.Memory))
	b, errFresh = json.Marshal(byDay(fresh.Memory))
	return errOld == nil && errFresh == nil && bytes.Equal(a, b)
}

// byDay returns the memory with the times of the last sight cut to days. It
// changes m's own maps, which its caller decoded for this alone.
func byDay(m ddns.Memory) ddns.Memory {
	const day = 24 * time.Hour
	for key, k := range m.Kept {
		k.At = k.At.Truncate(day)
		m.Kept[key] = k
	}
	for host, h := range m.Hops {
		h.At = h.At.Truncate(day)
		m.Hops[host] = h
	}
	return m
}
