package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cfddns/cfddns/ddns/files"
	"golang.org/x/sys/unix"
)

// controlAgain is how often a daemon without a socket tries to get one, and one
// that has a file looks whether it is still its own.
const controlAgain = 5 * time.Second

// errHeld says that somebody listens at the place already, errTwin that it is a
// daemon of this very configuration.
var (
	errHeld = errors.New("the control socket is held by another process")
	errTwin = errors.New("another cfddns runs for this configuration")
)

// A door is one of the sockets at which a daemon can be asked.
type door struct {
	place    func() string // where it should be now
	listener net.Listener  // nil: it could not be opened
	trouble  error         // why
	spare    bool          // that it is missing is nothing to speak of
}

// doors are those of a daemon, opened as far as that is possible. The error is
// that another daemon keeps this very configuration.
func (d *theDaemon) doors(ctx context.Context) ([]*door, error) {
	doors := []*door{{place: func() string { return listenPlace(d.config()) }}}
	if markedSocket(d.config().Read) != "" {
		doors = append(doors, &door{spare: true, place: func() string { return markedSocket(d.config().Read) }})
	}
	for i, door := range doors {
		door.listener, door.trouble = d.openControl(ctx, door.place())
		if errors.Is(door.trouble, errTwin) {
			for _, open := range doors[:i] {
				if open.listener != nil {
					open.listener.Close()
				}
			}
			return nil, door.trouble
		}
		if door.listener != nil {
			d.open.Add(1)
		}
	}
	return doors, nil
}

// openControl opens a socket, or says who has it.
func (d *theDaemon) openControl(ctx context.Context, place string) (net.Listener, error) {
	listener, err := listenControl(ctx, place)
	if errors.Is(err, errHeld) {
		err = heldBy(ctx, place, d.inForce())
	}
	return listener, err
}

// heldBy says who has the socket that we wanted.
func heldBy(ctx context.Context, place string, mine InForce) error {
	daemon, err := meetAt(ctx, place)
	var who stranger
	switch {
	case errors.As(err, &who):
		return who
	case err != nil:
		return fmt.Errorf("%w: what holds %s does not say who it is", errHeld, place)
	}
	daemon.client.CloseIdleConnections()
	if now := daemon.now; !mine.same(now) {
		return unanswered{[]error{errHeld, errOtherConfig},
			fmt.Sprintf("the cfddns of another configuration answers on %s: %s; set control: to another path "+
				"in one of the two",
				place, now.text())}
	}
	return fmt.Errorf("%w: another cfddns answers on %s for this configuration (pid %d): stop it first",
		errTwin, place, daemon.now.PID)
}

// holdControl answers at a door until the context ends. While it cannot be
// opened names are kept right all the same, and it is tried again: a process that
// takes the name first must not keep a daemon from running.
func (d *theDaemon) holdControl(ctx context.Context, at *door) {
	again := time.NewTicker(controlAgain)
	defer again.Stop()
	for ctx.Err() == nil {
		if !at.spare {
			d.sayUnheld(at.trouble)
		}
		if at.listener != nil {
			_ = d.serveControl(ctx, at.listener) // somebody took its file away
			d.open.Add(-1)
		}
		select {
		case <-again.C:
			if at.listener, at.trouble = d.openControl(ctx, at.place()); at.listener != nil {
				d.open.Add(1)
			}
		case <-ctx.Done():
			return
		}
	}
}

// sayUnheld says once that the control socket is not where it should be, and
// that it is there again.
func (d *theDaemon) sayUnheld(trouble error) {
	now := ""
	if trouble != nil {
		now = trouble.Error()
	}
	d.mu.Lock()
	before := d.unheld
	d.unheld = now
	d.mu.Unlock()
	switch {
	case now == before:
	case now == "":
		d.log.Info("the control socket is open now")
	case d.open.Load() > 0:
		d.log.Warn("the control socket has another name than usual, by which status, poke and healthcheck find it; "+
			"the usual one is tried again", "err", now)
	default:
		d.log.Warn("there is no control socket, so status, poke and healthcheck find nobody; "+
			"names are kept right all the same, and it is tried again", "err", now)
	}
}

// listenControl opens the socket. A file that nobody answers on any more is
// left over from a killed daemon and is replaced.
func listenControl(ctx context.Context, path string) (net.Listener, error) {
	var config net.ListenConfig
	if path[0] == '@' {
		listener, err := config.Listen(ctx, "unix", path)
		if err != nil {
			return nil, notOpened(path, err)
		}
		return ownOnly{listener}, nil
	}
	if path == ownSocket() {
		if err := ownDirectory(filepath.Dir(path)); err != nil {
			return nil, err
		}
	}
	defer inTurn(ctx, filepath.Dir(path))()
	if err := clearSocket(ctx, path); err != nil {
		return nil, err
	}
	listener, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, notOpened(path, err)
	}
	if err := closeToOthers(path); err != nil {
		return nil, errors.Join(notOpened(path, err), listener.Close())
	}
	return newOwnFile(listener.(*net.UnixListener), path)
}

// closeToOthers lets this user and root alone come to a socket; each connection
// is looked at as well. A link that somebody puts in its place is not followed.
func closeToOthers(path string) error {
	err := unix.Fchmodat(unix.AT_FDCWD, path, 0o600, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil {
		return nil
	}
	info, err := os.Lstat(path) // a kernel before Linux 6.6, or a filter of system calls
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return errors.Join(err, errHeld)
	}
	return os.Chmod(path, 0o600)
}

// ownDirectory makes a directory for this user alone, in one where everybody
// may write. What another user made there is not used.
func ownDirectory(dir string) error {
	made, err := files.Make(dir)
	if err != nil {
		return notOpened(filepath.Join(dir, "control.sock"), err)
	}
	if err := made.Close(); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || userOf(info) != os.Getuid() || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is not a directory of this user alone, so no control socket is opened in it; "+
			"set control: to a path in one that is", dir)
	}
	return nil
}

// ownFile is a socket that is a file. It ends when somebody takes the file away
// or puts another in its place, and takes nobody else's away.
type ownFile struct {
	ownOnly
	path string
	made fs.FileInfo
	over chan struct{}
}

func newOwnFile(listener *net.UnixListener, path string) (*ownFile, error) {
	listener.SetUnlinkOnClose(false)
	made, err := os.Lstat(path)
	if err != nil {
		return nil, errors.Join(notOpened(path, err), listener.Close())
	}
	f := &ownFile{ownOnly{listener}, path, made, make(chan struct{})}
	go f.watch()
	return f, nil
}

// watch looks after the file until the listener is closed.
func (f *ownFile) watch() {
	look := time.NewTicker(controlAgain)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			if !f.stands() {
				f.Listener.Close() // holdControl opens another
			}
		case <-f.over:
			return
		}
	}
}

// stands reports whether the path still leads to this socket.
func (f *ownFile) stands() bool {
	info, err := os.Lstat(f.path)
	return err == nil && os.SameFile(info, f.made)
}

// Close implements net.Listener.
func (f *ownFile) Close() error {
	select {
	case <-f.over:
		return nil
	default:
		close(f.over)
	}
	if f.stands() {
		os.Remove(f.path)
	}
	return f.Listener.Close()
}

// notOpened says why a socket could not be opened, and what to do.
func notOpened(path string, err error) error {
	number, known := errors.AsType[syscall.Errno](err)
	if number == syscall.EADDRINUSE {
		return fmt.Errorf("%w: %s", errHeld, path)
	}
	if known {
		err = number // without the path once more
	}
	return fmt.Errorf("the control socket %s could not be opened: %w; let the user that cfddns runs as write to %s, or set control: to another path",
		path, err, filepath.Dir(path))
}

// clearSocket removes a socket that nobody answers on any more. Whatever else
// stands at the path is somebody's, and stays.
func clearSocket(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return notOpened(path, err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("control: %s exists and is no socket; it was left alone, name another path", path)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		conn.Close()
		return notOpened(path, syscall.EADDRINUSE)
	case errors.Is(err, syscall.ECONNREFUSED): // nobody holds it (unix(7))
		if err := os.Remove(path); err != nil {
			return notOpened(path, err)
		}
		return nil
	case errors.Is(err, syscall.EAGAIN): // its owner is there, and has too much to do
		return notOpened(path, syscall.EADDRINUSE)
	default:
		return notOpened(path, err)
	}
}

// inTurn has daemons that start at the same moment wait for each other until
// release: between looking at an old socket and opening a new one, one could
// take away what another has just opened. It waits a second at most, since a
// lock that cannot be had must not keep a daemon from starting. Nor must a pipe
// that another user put there: to open one waits for a writer (fifo(7)).
func inTurn(ctx context.Context, dir string) (release func()) {
	d, err := files.OpenAtOnce(dir)
	if err != nil {
		return func() {}
	}
	waited, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	again := time.NewTicker(50 * time.Millisecond) // flock(2) has no timeout
	defer again.Stop()
	for errors.Is(unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK) && waited.Err() == nil {
		select {
		case <-again.C:
		case <-waited.Done():
		}
	}
	return func() { d.Close() } // and with it the lock
}
