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
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/files"
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
		err = j.in(func(d *files.Dir) error { return appendLine(d, append(line, '\n')) })
	}
	if err != nil {
		return unwritten(roundsFile, j.dir, err, "round "+r.ID+" is in the log alone")
	}
	j.last = m
	return nil
}

// appendLine appends a line and returns once it is on disk. A last line that a
// power cut or a full disk tore is ended first, in the same write.
func appendLine(d *files.Dir, line []byte) error {
	f, err := openRounds(d, int64(len(line)))
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
	return d.Sync() // the file is new
}

// openRounds opens the file to append more bytes, and turns it over if it
// would grow too long.
func openRounds(d *files.Dir, more int64) (*os.File, error) {
	f, err := d.Append(roundsFile)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil || info.Size() == 0 || info.Size()+more <= turnAt {
		return f, err
	}
	defer f.Close() // and with it the lock
	if err := turnOver(d, f); err != nil {
		return nil, err
	}
	return d.Append(roundsFile)
}

// turnOver makes an open file the old one, unless somebody else is at it or just
// did: what was begun since must not take the place of all that was before. It
// waits for nobody. The lock is on the file, which its owner alone can open: one
// on the directory could be held by any user who may read that.
func turnOver(d *files.Dir, f *os.File) error {
	if !files.TryLock(f) || !d.Is(roundsFile, f) {
		return nil
	}
	return d.Rename(roundsFile, oldRounds)
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
		var opened []*os.File
		err := j.in(func(d *files.Dir) (err error) {
			opened, err = openToRead(d)
			return err
		})
		for _, f := range opened {
			defer f.Close() // it was only read
		}
		if err != nil {
			yield(ddns.Report{}, j.unread(err))
			return
		}
		for _, f := range opened {
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
func openToRead(d *files.Dir) (opened []*os.File, err error) {
	for _, name := range []string{roundsFile, oldRounds} {
		f, err := d.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return opened, err
		}
		opened = append([]*os.File{f}, opened...)
	}
	if len(opened) == 2 {
		older, err := opened[0].Stat()
		newer, err2 := opened[1].Stat()
		if err == nil && err2 == nil && os.SameFile(older, newer) {
			return opened[:1], opened[1].Close()
		}
	}
	return opened, nil
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
	return fmt.Errorf("the journal in %s could not be read to its end: %w; it is kept as it is: %s", j.dir, cause(err),
		j.readable(err, roundsFile))
}
