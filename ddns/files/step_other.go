//go:build !linux

package files

import (
	"io/fs"
	"os"
	"path/filepath"
)

// step is where a way has led so far. Here it is a path: there are no handles
// that need no right to read a directory.
type step struct{ path string }

// firstStep is the root directory.
func firstStep() (step, error) { return step{"/"}, nil }

// next is what has a name there, which may be a link.
func (s step) next(name string) (step, error) {
	to := step{filepath.Join(s.path, name)}
	_, err := to.info()
	return to, err
}

// info is about what is there.
func (s step) info() (fs.FileInfo, error) { return os.Lstat(s.path) }

// target is where a link leads.
func (s step) target() (string, error) { return os.Readlink(s.path) }

func (s step) close() {}
