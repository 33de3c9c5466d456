//go:build unix && !aix && !solaris

package journal

import (
	"os"
	"syscall"
)

// alone does something while no other process that asks for the same directory
// does it. It never waits: if another is at it, nothing is done. Where the file
// system knows no locks (some network ones) it is done all the same. The lock
// ends with the process that has it (flock(2)).
func alone(dir string, do func() error) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close() // unlocks it too
	switch syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) {
	case syscall.EWOULDBLOCK, syscall.EINTR:
		return nil
	default:
		return do()
	}
}
