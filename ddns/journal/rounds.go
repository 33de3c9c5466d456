package journal

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

const (
	roundsFile = "journal.jsonl"
	oldRounds  = roundsFile + ".1"
	// turnAt is the size in bytes at which the file is turned over. One old
	// file is kept, so the journal takes at most twice as much.
	turnAt = 4 << 20
	// lineMost bounds a line that is read; a round that changed ten thousand
	// names takes about 10 MB.
	lineMost = 64 << 20
	// sameAgain is how often a round is kept that went wrong just like the one
	// before it. A long outage has a round every few seconds: all of them would
	// push out of the journal what happened before it.
	sameAgain = 10 * time.Minute
)

// mark is what Append remembers of a round, to know news from repetition.
type mark struct {
	id         string
	conditions string    // codes and names
	stands     string    // exit code and the states of the targets
	proofs     string    // what the world was seen to show
	kept       time.Time // when a round like this was last kept
}

func markOf(r ddns.Report) mark {
	var conditions, stands strings.Builder
	for _, c := range r.Conditions {
		fmt.Fprintf(&conditions, "%s %s\n", c.Code, c.Name)
	}
	fmt.Fprintln(&stands, r.Exit)
	for _, t := range r.Targets {
		fmt.Fprintf(&stands, "%s %s %s\n", t.Name, t.Type, t.State)
	}
	var proofs strings.Builder
	for _, p := range r.Proofs {
		fmt.Fprintf(&proofs, "%s %s %s %s\n", p.Name, p.Type, p.By, p.Outcome)
	}
	return mark{id: r.ID, conditions: conditions.String(), stands: stands.String(), proofs: proofs.String(), kept: r.Started}
}

// like reports whether two rounds ended alike.
func (m mark) like(o mark) bool { return m.conditions == o.conditions && m.stands == o.stands }

// worth reports whether a round is kept: it changed something, went wrong, or
// raised or cleared a condition.
func worth(r ddns.Report, m, last mark) bool {
	switch {
	case m.id == last.id && m.like(last) && m.proofs == last.proofs:
		return false // looked at again, and nothing new was seen
	case sent(r) || m.conditions != last.conditions:
		return true
	case r.Exit == 0:
		return false
	default:
		age := m.kept.Sub(last.kept)
		return !m.like(last) || age >= sameAgain || age < 0
	}
}

// sent reports whether anything was written, or may have been.
func sent(r ddns.Report) bool {
	return slices.ContainsFunc(r.Changes, func(c ddns.ChangeReport) bool { return c.Receipt == ddns.Confirmed || c.Receipt == ddns.Doubtful })
}

// Append keeps a round if it changed something, went wrong, or has other
// conditions than the round before. Once it returns nil, what is kept is on
// disk. A round stands twice, with one id, if its proof came later; the last
// one counts.
func (j *Journal) Append(r ddns.Report) error {
	m := markOf(r)
	if !worth(r, m, j.last) {
		m.kept = j.last.kept
		j.last = m
		return nil
	}
	line, err := json.Marshal(r)
	if err == nil {
		err = j.write(append(line, '\n'))
	}
	if err != nil {
		return unwritten(roundsFile, j.dir, err, "round "+r.ID+" is in the log alone")
	}
	j.last = m
	return nil
}

// write appends a line and returns once it is on disk. A last line that a
// power cut or a full disk tore is ended first, in the same write.
func (j *Journal) write(line []byte) error {
	f, err := j.openRounds(int64(len(line)))
	if err != nil {
		return err
	}
	defer f.Close() // Sync has said all that is to be said
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	torn, err := isTorn(f, size)
	if err != nil {
		return err
	}
	if torn {
		line = append([]byte{'\n'}, line...)
	}
	if _, err := f.Write(line); err != nil {
		return err
	}
	if err := f.Sync(); err != nil || size > 0 {
		return err
	}
	return syncDir(j.dir) // the file is new
}

// openRounds opens the file to append more bytes, and turns it over if it
// would grow too long.
func (j *Journal) openRounds(more int64) (*os.File, error) {
	path := filepath.Join(j.dir, roundsFile)
	if isFull(path, more) {
		if err := alone(j.dir, func() error { return j.turnOver(path, more) }); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
}

// isFull reports whether the file would grow too long by more bytes.
func isFull(path string, more int64) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() > 0 && info.Size()+more > turnAt
}

// turnOver makes the file the old one, unless somebody else just did: what was
// begun since must not take the place of all that was before.
func (j *Journal) turnOver(path string, more int64) error {
	if !isFull(path, more) {
		return nil
	}
	return os.Rename(path, filepath.Join(j.dir, oldRounds))
}

// isTorn reports whether the last line has no end.
func isTorn(f io.ReaderAt, size int64) (bool, error) {
	if size == 0 {
		return false, nil
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], size-1); err != nil {
		return false, err
	}
	return last[0] != '\n', nil
}

// Read yields the rounds that started at since or later, in the order in which
// they were kept, the newest last. Lines that a crash tore are skipped. An
// error ends the sequence: the journal could not be read any further.
func (j *Journal) Read(since time.Time) iter.Seq2[ddns.Report, error] {
	return func(yield func(ddns.Report, error) bool) {
		files, err := j.openToRead()
		for _, f := range files {
			defer f.Close() // it was only read
		}
		if err != nil {
			yield(ddns.Report{}, j.unread(err))
			return
		}
		for _, f := range files {
			more, err := eachRound(f, since, yield)
			if err != nil {
				yield(ddns.Report{}, j.unread(err))
			}
			if err != nil || !more {
				return
			}
		}
	}
}

// openToRead opens the old file and the present one, those that exist. The
// present one is opened first: if it is turned over in between it shows up
// twice, which can be seen, where otherwise it would be missed.
func (j *Journal) openToRead() (files []*os.File, err error) {
	for _, name := range []string{roundsFile, oldRounds} {
		f, err := os.Open(filepath.Join(j.dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return files, err
		}
		files = append([]*os.File{f}, files...)
	}
	if len(files) == 2 {
		older, err := files[0].Stat()
		newer, err2 := files[1].Stat()
		if err == nil && err2 == nil && os.SameFile(older, newer) {
			return files[:1], files[1].Close()
		}
	}
	return files, nil
}

// eachRound yields the rounds of one file; more is false if the one who asked
// has had enough.
func eachRound(r io.Reader, since time.Time, yield func(ddns.Report, error) bool) (more bool, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, lineMost)
	for lines.Scan() {
		var report ddns.Report
		if json.Unmarshal(lines.Bytes(), &report) != nil || report.ID == "" || report.Started.Before(since) {
			continue
		}
		if !yield(report, nil) {
			return false, nil
		}
	}
	return true, lines.Err()
}

func (j *Journal) unread(err error) error {
	return fmt.Errorf("the journal in %s could not be read to its end: %w; it is kept as it is: let this user read it", j.dir, cause(err))
}
