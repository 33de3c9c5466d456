package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/cfddns/cfddns/configs"
)

// systemdSocket is where the shipped unit has its socket.
const systemdSocket = "/run/cfddns/control.sock"

// ownSocket is where a daemon without control: has its socket. A name that
// begins with @ is in Linux's abstract namespace and leaves no file behind.
func ownSocket() string {
	if own := abstractSocket(); own != "" {
		return own
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("cfddns-%d", os.Getuid()), "control.sock")
}

// markedSocket is where a daemon can also be asked, wherever else: a name that
// says which configuration it keeps. A command finds it also where it can no
// longer read what the configuration says of the socket, and the second daemon of
// a user has this name alone. "" where there are no such names.
func markedSocket(read configs.Origin) string {
	own := abstractSocket()
	if own == "" {
		return ""
	}
	return own + "-" + markOf(read)
}

// markOf tells configurations apart in the name of a socket.
func markOf(read configs.Origin) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q\n", read.File)
	for _, name := range slices.Sorted(maps.Keys(read.Environment)) {
		fmt.Fprintf(sum, "%s=%s\n", name, read.Environment[name])
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:6])
}

// listenPlace is where the daemon of a configuration has its socket.
func listenPlace(cfg configs.Config) string {
	if cfg.Control != "" {
		return cfg.Control
	}
	return ownSocket()
}

// askPlaces are where the daemon of a configuration may be found: where the
// configuration says, then where the shipped unit has it, and abstract names
// last, which anybody may take. A daemon that was started before control: was
// set is found as well.
func askPlaces(path string, env []string) []string {
	var places []string
	if named, ok := configs.ControlOf(path, env); ok {
		places = append(places, named)
	}
	places = append(places, systemdSocket, markedSocket(configs.Place(path, env)), ownSocket())
	seen := map[string]bool{"": true}
	return slices.DeleteFunc(places, func(p string) bool {
		again := seen[p]
		seen[p] = true
		return again
	})
}

// errNoPeer says that the system does not tell who is at the other end.
var errNoPeer = errors.New("this system does not say who is at the other end of a socket")

// stranger is the error of a socket that another user holds.
type stranger struct {
	uid   int
	place string
}

// Error implements error.
func (s stranger) Error() string {
	return fmt.Sprintf("another user's process (uid %d) answers at %s; it was neither asked nor believed",
		s.uid, s.place)
}

// mayAsk reports whether the other end of a connection is this user or root. A
// system that does not tell leaves it to the permissions of the file.
func mayAsk(conn net.Conn) bool {
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return false
	}
	uid, err := peerUID(unixConn)
	return err == nil && (uid == 0 || uid == os.Getuid()) || errors.Is(err, errNoPeer)
}

// believe says who listens at a place, and is an error unless it is one whose
// answer counts: this user, root or, for root, the user whom the place rightly
// belongs to. The shipped unit runs as such a user.
func believe(conn *net.UnixConn, place string) (uid int, err error) {
	rightful := func() (int, bool) { return rightfulOwner(place) }
	uid, err = peerUID(conn)
	if errors.Is(err, errNoPeer) {
		if owner, ok := rightful(); ok {
			return owner, believable(owner, rightful, place)
		}
		return 0, fmt.Errorf("%s is not in a directory that belongs to one user alone, and %w; "+
			"set control: to a path in such a directory", place, err)
	}
	if err != nil {
		return 0, fmt.Errorf("who answers at %s could not be seen: %w", place, err)
	}
	return uid, believable(uid, rightful, place)
}

func believable(uid int, rightful func() (int, bool), place string) error {
	if uid == 0 || uid == os.Getuid() {
		return nil
	}
	if owner, ok := rightful(); os.Getuid() == 0 && ok && owner == uid {
		return nil
	}
	return stranger{uid, place}
}

// rightfulOwner is the user whom the socket at a path belongs to: who owns it
// and its directory, where root or this user alone made the way there. False
// where anybody else could have put it there, as in /tmp.
func rightfulOwner(path string) (uid int, ok bool) {
	if path == "" || path[0] == '@' {
		return 0, false
	}
	socket, err := os.Lstat(path)
	if err != nil || socket.Mode().Type() != fs.ModeSocket {
		return 0, false
	}
	uid, dir := userOf(socket), filepath.Dir(path)
	real, err := filepath.EvalSymlinks(dir)
	if err != nil || !madeFor(uid, dir) || !madeFor(uid, real) {
		return 0, false
	}
	last, err := os.Lstat(real)
	return uid, err == nil && userOf(last) == uid
}

// madeFor reports whether root or a user made the whole way to a directory,
// and nobody else may change it.
func madeFor(uid int, dir string) bool {
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Lstat(at)
		if err != nil {
			return false
		}
		if owner := userOf(info); owner != uid && owner != 0 {
			return false
		}
		if link := info.Mode().Type() == fs.ModeSymlink; !link && info.Mode().Perm()&0o002 != 0 {
			return false
		}
		if at == filepath.Dir(at) {
			return true
		}
	}
}

// userOf is the user that a file belongs to; -1 if that is not known.
func userOf(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}
