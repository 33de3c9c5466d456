package files

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrBusy says that another process holds a lock.
var ErrBusy = errors.New("another cfddns is at work on it")

// lockOf is the lock of a name. It is a file of its own, since a lock on the
// file itself would be lost when another takes its place; and one that its owner
// alone may open, since whoever may open a file may lock it (flock(2)).
func lockOf(name string) string { return "." + name + ".lock" }

// Lock waits until no other process has the lock of a name, until the context
// ends. A kill ends the lock; the file that it leaves is used again.
func (d *Dir) Lock(ctx context.Context, name string) (release func(), err error) {
	again := time.NewTicker(10 * time.Millisecond) // flock(2) has no timeout
	defer again.Stop()
	for {
		f, err := d.Append(lockOf(name))
		if err != nil {
			return nil, err
		}
		if TryLock(f) && d.Is(lockOf(name), f) { // else its last holder has just removed it
			return func() {
				_ = d.root.Remove(lockOf(name))
				f.Close() // and with it the lock
			}, nil
		}
		f.Close()
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, ErrBusy
		}
	}
}

// TryLock locks an open file until it is closed; false if another process has
// it. Where the file system knows no locks (some network ones) it is taken as had.
func TryLock(f *os.File) bool {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			return !errors.Is(err, unix.EWOULDBLOCK)
		}
	}
}

// Is reports whether a name still stands for an open file.
func (d *Dir) Is(name string, f *os.File) bool {
	now, err := d.root.Lstat(name)
	if err != nil {
		return false
	}
	var info fs.FileInfo
	info, err = f.Stat()
	return err == nil && os.SameFile(now, info)
}
