package files

import (
	"cmp"
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
	return fmt.Sprintf("cfddns follows nothing that others may have put there; see who did (ls -ld %s), and remove it",
		f.Path)
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
	end, _, err := walk(path)
	if err != nil {
		return "", err
	}
	end.close()
	return end.path, nil
}

// walk goes a path as Resolve says, and returns where it ends, and what is there.
func walk(path string) (end step, info fs.FileInfo, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return step{}, nil, err
	}
	at, err := firstStep()
	if err != nil {
		return step{}, nil, err
	}
	w := way{path: path, at: at, rest: strings.Split(path, "/")}
	for len(w.rest) > 0 {
		if info, err = w.on(); err != nil {
			w.at.close()
			return step{}, nil, err
		}
	}
	return w.at, info, nil
}

// way is a path that is gone name by name.
type way struct {
	path    string
	at      step
	rest    []string
	links   int
	demands []demand
}

// demand is that a stranger's link leads to something of the same user.
type demand struct {
	link string
	uid  int
	left int // names that are left of the way where the link leads to
}

// on goes on by one name, or follows one link, and returns what was met.
func (w *way) on() (fs.FileInfo, error) {
	next, err := w.at.next(cmp.Or(w.rest[0], "."))
	if err != nil {
		return nil, err
	}
	w.rest = w.rest[1:]
	info, err := next.info()
	if err != nil {
		next.close()
		return nil, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		defer next.close()
		return info, w.follow(next, info)
	}
	w.at.close()
	w.at = next
	return info, w.met(info)
}

// follow puts what a link says before the rest of the way.
func (w *way) follow(link step, info fs.FileInfo) error {
	if w.links++; w.links > linksMost {
		return &fs.PathError{Op: "open", Path: w.path, Err: syscall.ELOOP}
	}
	target, err := link.target()
	if err != nil {
		return err
	}
	if o, _ := ownerOf(info); o.uid != os.Geteuid() && o.uid != 0 {
		w.demands = append(w.demands, demand{link.path, o.uid, len(w.rest)})
	}
	w.rest = append(strings.Split(target, "/"), w.rest...)
	if !filepath.IsAbs(target) {
		return nil
	}
	first, err := firstStep()
	if err != nil {
		return err
	}
	w.at.close()
	w.at = first
	return nil
}

// met holds what is there, and is no link, against the links that led to it.
func (w *way) met(info fs.FileInfo) error {
	o, _ := ownerOf(info)
	for len(w.demands) > 0 {
		last := w.demands[len(w.demands)-1]
		if last.left < len(w.rest) {
			break
		}
		if last.uid != o.uid {
			return &Foreign{last.link, fmt.Sprintf("is a link of user %d to what belongs to user %d", last.uid, o.uid)}
		}
		w.demands = w.demands[:len(w.demands)-1]
	}
	return nil
}
