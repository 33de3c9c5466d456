package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Foreign says that something is no file of ours. It is neither read nor written.
type Foreign struct{ Path, Why string }

// Error implements error.
func (f *Foreign) Error() string { return f.Path + " " + f.Why }

// Remedy says what a person should do.
func (f *Foreign) Remedy() string {
	return fmt.Sprintf("cfddns follows nothing that others may have put there; see who did (ls -ld %s), and remove it", f.Path)
}

// existing opens a file that is there, if it is ours.
func (d *Dir) existing(name string, flag int) (*os.File, error) {
	f, info, err := d.regular(name, flag)
	if err != nil {
		return nil, err
	}
	if why := d.strange(info); why != "" {
		return nil, errors.Join(&Foreign{d.Path(name), why}, f.Close())
	}
	return f, nil
}

// exchanges is how often a file may be exchanged while it is opened. Another
// process of ours does so when it replaces its state or turns the journal over.
const exchanges = 100

// regular opens a regular file. It is looked at first, since to open a pipe would
// wait, and to open a device may do something; and afterwards again, since os.Root
// follows a link to another file in the directory.
func (d *Dir) regular(name string, flag int) (*os.File, fs.FileInfo, error) {
	for range exchanges {
		before, err := d.root.Lstat(name)
		if err != nil {
			return nil, nil, err
		}
		if kind := oddKind(before.Mode()); kind != "" {
			return nil, nil, &Foreign{d.Path(name), kind}
		}
		f, err := d.root.OpenFile(name, flag|syscall.O_NONBLOCK, 0)
		if err != nil {
			return nil, nil, err
		}
		info, err := f.Stat()
		if err == nil && os.SameFile(before, info) {
			return f, info, nil
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, &Foreign{d.Path(name), "is exchanged again and again"}
}

// oddKind says what something is that is no regular file.
func oddKind(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return ""
	case mode.IsDir():
		return "is a directory"
	case mode&fs.ModeSymlink != 0:
		return "is a symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "is a pipe"
	default:
		return "is a device or a socket"
	}
}

// strange says why an open file is none of ours. A file is ours if it is this
// user's, root's, or the directory owner's. One with two names may be somebody's
// elsewhere (link(2)): it is ours only if it is the owner's of a directory into
// which nobody else writes, as where snapshots are made of links.
func (d *Dir) strange(info fs.FileInfo) string {
	o, links := ownerOf(info)
	switch {
	case links > 1 && (o.uid != d.owner.uid || d.open):
		return "is one file with another name elsewhere (a hard link)"
	case o.uid != os.Geteuid() && o.uid != 0 && o.uid != d.owner.uid && !d.makes(o.uid):
		return fmt.Sprintf("belongs to user %d, who is neither this user, root, nor the owner of the directory", o.uid)
	}
	return ""
}

// makes reports whether a file that is made here belongs to that user: a server
// may map all users to one (exports(5), all_squash).
func (d *Dir) makes(uid int) bool {
	f, name, err := d.temporary("owner")
	if err != nil {
		return false
	}
	info, err := f.Stat()
	f.Close()
	_ = d.root.Remove(name) // it holds nothing
	if err != nil {
		return false
	}
	o, _ := ownerOf(info)
	return o.uid == uid
}

// linksMost is how many links may lead to a path, as on Linux (path_resolution(7)).
const linksMost = 40

// Resolve is the path without links. A link counts if it is this user's or
// root's, or belongs to the owner of what it leads to: so a stranger leads
// nobody to what is not the stranger's. Linux has the same rule for /tmp
// (protected_symlinks in proc_sys_fs(5)).
func Resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	real, rest := "/", strings.Split(path, "/")
	for links := 0; len(rest) > 0; {
		next := filepath.Join(real, rest[0])
		rest = rest[1:]
		info, err := os.Lstat(next)
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			real = next
			continue
		}
		if links++; links > linksMost {
			return "", &fs.PathError{Op: "open", Path: path, Err: syscall.ELOOP}
		}
		target, err := believed(next, info)
		if err != nil {
			return "", err
		}
		if filepath.IsAbs(target) {
			real = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return real, nil
}

// believed is where a link leads, if it counts.
func believed(link string, info fs.FileInfo) (target string, err error) {
	target, err = os.Readlink(link)
	if err != nil {
		return "", err
	}
	o, _ := ownerOf(info)
	if o.uid == os.Geteuid() || o.uid == 0 {
		return target, nil
	}
	end, err := os.Stat(link)
	if err != nil {
		return "", err
	}
	if to, _ := ownerOf(end); to.uid != o.uid {
		return "", &Foreign{link, fmt.Sprintf("is a link of user %d to what belongs to user %d", o.uid, to.uid)}
	}
	return target, nil
}
