package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Named is a file that a person named and may own, such as the configuration:
// what takes its place keeps its owner, group, mode and access list.
type Named struct {
	Data []byte
	Mode fs.FileMode
	info fs.FileInfo
	list []attribute
}

// ReadNamed reads a regular file, whoever's it is, and a byte more than most if
// it holds more.
func (d *Dir) ReadNamed(name string, most int64) (Named, error) {
	f, info, err := d.regular(name, os.O_RDONLY)
	if err != nil {
		return Named{}, err
	}
	defer f.Close() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	return Named{data, info.Mode(), info, attributes(f)}, err
}

// Keepable reports why nothing could take a file's place that keeps its owner,
// or that it lies on a mount of its own, which nothing can replace; nil if
// nothing speaks against it.
func (d *Dir) Keepable(name string, like Named) error {
	if mounted(d, name) {
		return errors.New("it is mounted by itself, so that no other file can take its place: mount its " +
			"directory instead")
	}
	o, _ := ownerOf(like.info)
	groups, err := os.Getgroups()
	// where the groups are not known nothing is refused
	member := err != nil || o.gid == os.Getegid() || slices.Contains(groups, o.gid)
	switch me := os.Geteuid(); {
	case me == 0 || o.uid == me && member:
		return nil
	default:
		return fmt.Errorf("it belongs to user %d and group %d, and this user may not give them another: run this "+
			"with sudo", o.uid, o.gid)
	}
}

// Makeable reports why no file could be made in a directory, which may have to be
// made as well; nil if one could. It leaves nothing behind.
func Makeable(path string) error {
	for {
		d, err := Open(path)
		up := filepath.Dir(path)
		if errors.Is(err, fs.ErrNotExist) && up != path {
			path = up
			continue
		}
		if err != nil {
			return err
		}
		defer d.Close()
		return d.Writable("new")
	}
}

// Writable reports why no file can be made in the directory; nil if one can.
func (d *Dir) Writable(name string) error {
	f, temporary, err := d.temporary(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), d.root.Remove(temporary))
}

// ReplaceLike writes a file that keeps what like was given, in one step.
func (d *Dir) ReplaceLike(name string, content []byte, like Named) error {
	return d.write(name, content, func(f *os.File) error {
		o, _ := ownerOf(like.info)
		now, err := f.Stat()
		if err != nil {
			return err
		}
		if is, _ := ownerOf(now); is != o {
			if err := f.Chown(o.uid, o.gid); err != nil {
				return fmt.Errorf("its owner (user %d, group %d) could not be kept: %w", o.uid, o.gid, err)
			}
		}
		// a mode that is set later would change the list
		return errors.Join(f.Chmod(like.Mode.Perm()), setAttributes(f, like.list))
	}, d.root.Rename)
}

// Unchanged reports whether a name still stands for what was read of it.
func (d *Dir) Unchanged(name string, like Named) bool {
	now, err := d.root.Lstat(name)
	return err == nil && os.SameFile(now, like.info) && now.Size() == like.info.Size() &&
		now.ModTime().Equal(like.info.ModTime())
}

// FreeName is a name that nothing has yet, made of a time and the next ones.
// Its caller holds a lock.
func (d *Dir) FreeName(at time.Time, name func(time.Time) string) string {
	for ; ; at = at.Add(time.Millisecond) {
		if _, err := d.root.Lstat(name(at)); err != nil {
			return name(at)
		}
	}
}

// attribute is an extended attribute of a file, such as its access list.
type attribute struct {
	name  string
	value []byte
}
