package files

import (
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// step is where a way has led so far. It is a handle and no path: whoever owns a
// directory on the way may exchange what is in it at any moment, and what was
// looked at must be what is entered (O_PATH in open(2)).
type step struct {
	at   *os.File
	path string
}

// firstStep is the root directory.
func firstStep() (step, error) { return stepTo(unix.AT_FDCWD, "/", "/") }

func stepTo(dir int, name, path string) (step, error) {
	for {
		fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return step{}, &fs.PathError{Op: "open", Path: path, Err: err}
		}
		return step{os.NewFile(uintptr(fd), path), path}, nil
	}
}

// next is what has a name there, which may be a link.
func (s step) next(name string) (step, error) {
	return stepTo(int(s.at.Fd()), name, filepath.Join(s.path, name))
}

// info is about what is there.
func (s step) info() (fs.FileInfo, error) { return s.at.Stat() }

// target is where a link leads.
func (s step) target() (string, error) {
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(s.at.Fd()), "", target)
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: s.path, Err: err}
	}
	return string(target[:n]), nil
}

func (s step) close() { s.at.Close() } // it was only looked at
