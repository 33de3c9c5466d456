// Package files reads and writes the files that are the program's own: its
// state, its journal, rollback files, and the configuration when it is edited.
//
// Root may run cfddns with a directory that belongs to somebody else, such as
// the service's user. That user is a stranger to root, and may put anything into
// the directory: a link to a file of root's, a pipe that nobody writes into. So a
// directory is opened once and checked, every file is reached through that handle
// (openat(2)), and no link in it is followed. What is made there belongs to the
// directory's owner, or he could not read it afterwards.
package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Dir is a directory that was opened and checked.
type Dir struct {
	path  string
	root  *os.Root
	owner owner
	open  bool // more than its owner may write into it
	alone bool // this user may enter it, and nobody else but root
}

// owner is whom a file belongs to.
type owner struct{ uid, gid int }

// ownerOf is whom a file belongs to, and how many names it has.
func ownerOf(info fs.FileInfo) (o owner, links uint64) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return owner{os.Geteuid(), os.Getegid()}, 1
	}
	return owner{int(stat.Uid), int(stat.Gid)}, uint64(stat.Nlink) //nolint:unconvert // its type differs by system
}

// OpenAtOnce opens by its path what is only read or locked. A pipe in its place,
// which would wait for a writer, is empty instead (fifo(7)).
func OpenAtOnce(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// Open opens a directory. A link on the way to it counts as Resolve says; that
// what is opened is what the way led to is seen by the two handles.
func Open(path string) (*Dir, error) {
	end, want, err := walk(path)
	if err != nil {
		return nil, err
	}
	defer end.close() // so long no other directory can have its number
	if !want.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.ENOTDIR}
	}
	root, err := os.OpenRoot(end.path)
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(".")
	if err == nil && !os.SameFile(want, info) {
		err = &Foreign{end.path, "was exchanged while it was opened"}
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	o, _ := ownerOf(info)
	return &Dir{path: path, root: root, owner: o, open: info.Mode()&0o022 != 0,
		alone: o.uid == os.Geteuid() && info.Mode()&0o077 == 0}, nil
}

// Make opens a directory, and makes it and those above it, for their owner
// alone, if they are not there. Each new entry is synced: a file is only as safe
// as the directories on the way to it.
func Make(path string) (*Dir, error) {
	d, err := Open(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	parent, err := Make(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	if err := parent.mkdir(filepath.Base(path)); err != nil {
		return nil, err
	}
	return Open(path)
}

// mkdir makes a directory that belongs to the owner of this one.
func (d *Dir) mkdir(name string) error {
	err := d.root.Mkdir(name, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil // somebody else just made it
	}
	if err != nil {
		return err
	}
	made, err := d.root.OpenFile(name, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer made.Close() // it was only read
	if _, err := made.Readdirnames(1); errors.Is(err, io.EOF) {
		err := d.adopt(made) // what holds something is not what was just made
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return d.Sync()
}

// Close gives the directory back. Its files stay open.
func (d *Dir) Close() error { return d.root.Close() }

// Private reports whether the directory is this user's, and nobody else but root
// may enter it.
func (d *Dir) Private() bool { return d.alone }

// Path is the path of a file in the directory, for a person.
func (d *Dir) Path(name string) string { return filepath.Join(d.path, name) }

// Sync returns once the entries of the directory are on disk. A file system
// that knows no such thing (some network ones) is taken at its word.
func (d *Dir) Sync() error {
	f, err := d.root.Open(".")
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, f.Close())
}

// Entries are what the directory holds, sorted by name.
func (d *Dir) Entries() ([]fs.DirEntry, error) { return fs.ReadDir(d.root.FS(), ".") }

// Size is the size of a file; an error if it is not there.
func (d *Dir) Size(name string) (int64, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Rename gives a file another name in the directory.
func (d *Dir) Rename(from, to string) error { return d.root.Rename(from, to) }

// Remove removes a file, or a link itself.
func (d *Dir) Remove(name string) error { return d.root.Remove(name) }

// Open opens a file of ours to read it.
func (d *Dir) Open(name string) (*os.File, error) { return d.existing(name, os.O_RDONLY) }

// Read returns what a file of ours holds, and a byte more than most if it holds more.
func (d *Dir) Read(name string, most int64) ([]byte, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	return io.ReadAll(io.LimitReader(f, most+1))
}

// Append opens a file of ours to read it and to write at its end, and makes it,
// for its owner alone, if it is not there.
func (d *Dir) Append(name string) (*os.File, error) {
	for {
		f, err := d.existing(name, os.O_RDWR|os.O_APPEND)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		f, err = d.create(name, os.O_RDWR|os.O_APPEND)
		if !errors.Is(err, fs.ErrExist) { // else somebody made it in between
			return f, err
		}
	}
}

// create makes a file, for its owner alone, that is not there yet.
func (d *Dir) create(name string, flag int) (*os.File, error) {
	f, err := d.root.OpenFile(name, flag|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := d.adopt(f); err != nil {
		return nil, errors.Join(err, f.Close(), d.root.Remove(name))
	}
	return f, nil
}

// adopt gives what was just made to the directory's owner. Only root can, and
// only root has to.
func (d *Dir) adopt(f *os.File) error {
	if me := os.Geteuid(); me != 0 || d.owner.uid == me {
		return nil
	}
	err := f.Chown(d.owner.uid, d.owner.gid)
	if errors.Is(err, fs.ErrPermission) && !d.used() {
		return nil // a container without capabilities, or a server that maps all users to one
	}
	return err
}

// used reports whether the directory's owner has files there, which he would
// lose if they were replaced by files of ours.
func (d *Dir) used() bool {
	entries, err := d.Entries()
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			continue
		}
		if o, _ := ownerOf(info); o.uid == d.owner.uid {
			return true
		}
	}
	return err != nil
}

// Replace writes a file, in one step and on disk before it has its name, for its
// owner alone. A kill leaves the old file or the new one, and perhaps a temporary
// one that nobody else may read; see Sweep.
func (d *Dir) Replace(name string, content []byte) error {
	return d.write(name, content, d.adopt, d.root.Rename)
}

// New is Replace for a file that must not be there yet (fs.ErrExist).
func (d *Dir) New(name string, content []byte) error {
	return d.write(name, content, d.adopt, d.nameFirst)
}

// nameFirst gives a file a name that is free. Where the file system has no links,
// somebody else could take the name in the same moment.
func (d *Dir) nameFirst(temporary, name string) error {
	err := d.root.Link(temporary, name)
	switch {
	case err == nil:
		return d.root.Remove(temporary)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, errors.ErrUnsupported):
		if _, err := d.root.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return fs.ErrExist
		}
		return d.root.Rename(temporary, name)
	default:
		return err
	}
}

// write writes a file that dress has given its owner and mode; settle gives it
// its name once it is on disk.
func (d *Dir) write(name string, content []byte, dress func(*os.File) error,
	settle func(temporary, name string) error) error {
	f, temporary, err := d.temporary(name)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = dress(f)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = settle(temporary, name)
	}
	if err != nil {
		return errors.Join(err, d.root.Remove(temporary))
	}
	return d.Sync()
}

// temporary makes the file that will be name.
func (d *Dir) temporary(name string) (f *os.File, temporary string, err error) {
	for n := time.Now().UnixNano(); ; n++ {
		temporary = "." + name + strconv.FormatInt(n, 36)
		f, err = d.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			return f, temporary, err
		}
	}
}

// Sweep removes temporary files of a name that a kill left behind. A younger one
// may be another process at work. That it may not is no concern: they only take
// up space.
func (d *Dir) Sweep(name string, older time.Duration) {
	entries, _ := d.Entries()
	for _, entry := range entries {
		info, err := entry.Info()
		left := strings.HasPrefix(entry.Name(), "."+name) && entry.Name() != lockOf(name)
		if left && err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) >= older {
			_ = d.root.Remove(entry.Name())
		}
	}
}

// Write writes a file that a person named. It replaces a regular file and
// follows links as Resolve does; a pipe or a device is written to, if it is this
// user's or root's.
func Write(path string, content []byte, mode fs.FileMode) error {
	err := writeNamed(path, content, mode)
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return fmt.Errorf("%s: %w", path, number) // without the name of a temporary file
	}
	return err
}

func writeNamed(path string, content []byte, mode fs.FileMode) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return writeInto(path, content, info)
	}
	dir, name := filepath.Split(path)
	if err == nil {
		if path, err = Resolve(path); err != nil {
			return err
		}
		dir, name = filepath.Split(path)
	}
	d, err := Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.write(name, content, func(f *os.File) error {
		return errors.Join(d.adopt(f), f.Chmod(mode))
	}, d.root.Rename)
}

// writeInto writes to what is no regular file.
func writeInto(path string, content []byte, info fs.FileInfo) error {
	if o, _ := ownerOf(info); o.uid != os.Geteuid() && o.uid != 0 {
		return &Foreign{path, fmt.Sprintf("belongs to user %d", o.uid)}
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}
