// Package journal keeps what must survive a restart, in one directory:
//
//   - state.json, what the next round must know (ddns.Memory);
//   - journal.jsonl and the older journal.jsonl.1, the rounds that changed
//     something or went wrong, one JSON line each;
//   - rollback-TIME.json, the records that were about to be replaced.
//
// All of it is written so that a power cut, a full disk or a kill at any
// instant loses nothing that was acknowledged and leaves files that load. What
// cannot be read is set aside or skipped, never deleted: a person may want it.
// And it writes little, since many of these directories lie on a flash card.
package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/cfddns/cfddns/ddns/files"
)

// Journal is a directory that remembers. Save and Append belong to one
// goroutine; Keep and Read may be called by any, and by other processes too.
type Journal struct {
	dir   string
	last  mark // of the last round that Append took, at first that of the last one kept
	doubt bool // the last Save failed: what the file shows may not be on disk
}

// Open returns the journal in a directory, and makes the directory, for its
// owner alone, if it is not there. A one-shot may run beside the daemon: every
// file is replaced or appended to in one step, and one of them at a time turns
// the journal over.
func Open(dir string) (*Journal, error) {
	d, err := files.Make(dir)
	if err != nil {
		return nil, fmt.Errorf("the directory %s cannot be used: %w; nothing is remembered over a restart: %s", dir,
			cause(err), remedy(err))
	}
	defer d.Close()
	for _, name := range []string{stateFile, toldFile} {
		d.Sweep(name, leftover)
	}
	j := &Journal{dir: dir}
	if last, ok := lastKept(d); ok {
		j.last = markOf(last)
	}
	return j, nil
}

// leftover is how old a temporary file must be before it is taken for what a
// kill left behind; a younger one may be another process at work.
const leftover = time.Hour

// in does something in the directory. It is opened anew each time: a volume may
// have been mounted there since.
func (j *Journal) in(do func(d *files.Dir) error) error {
	d, err := files.Open(j.dir)
	if err != nil {
		return err
	}
	return errors.Join(do(d), d.Close())
}

// unwritten says that a file could not be written, what was kept all the same,
// and what a person should do.
func unwritten(file, dir string, err error, kept string) error {
	return fmt.Errorf("%s could not be written to %s: %w; %s: %s", file, dir, cause(err), kept, remedy(err))
}

// cause is the reason without the names of files around it: they are
// temporary ones, which nobody will find.
func cause(err error) error {
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number
	}
	return err
}

// remedy says what a person should do about a directory.
func remedy(err error) string {
	foreign, isForeign := errors.AsType[*files.Foreign](err)
	switch {
	case isForeign:
		return foreign.Remedy()
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "free space there (df says how much is left, df -i how many files)"
	case errors.Is(err, syscall.EROFS):
		return "mount it so that it can be written, in a container as a volume"
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("let the user that cfddns runs as write there: chown %d, of a container's volume on the host", os.Getuid())
	case errors.Is(err, syscall.ENOTDIR):
		return "it is a file: set state: to a directory"
	case errors.Is(err, syscall.EIO):
		return "check the disk (dmesg says more)"
	default:
		return "set state: to a directory that can be written"
	}
}
