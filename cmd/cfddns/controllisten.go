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

	"golang.org/x/sys/unix"
)

// listenControl opens the socket. A file that nobody answers on any more is
// left over from a killed daemon and is replaced.
func listenControl(ctx context.Context, path string) (net.Listener, error) {
	if path[0] != '@' {
		defer inTurn(ctx, filepath.Dir(path))()
		if err := clearSocket(ctx, path); err != nil {
			return nil, err
		}
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, notOpened(path, err)
	}
	if path[0] != '@' {
		if err := os.Chmod(path, 0o600); err != nil {
			return nil, errors.Join(err, listener.Close())
		}
	}
	return ownOnly{listener}, nil
}

// notOpened says why a socket could not be opened, and what to do.
func notOpened(path string, err error) error {
	number, known := errors.AsType[syscall.Errno](err)
	if number == syscall.EADDRINUSE {
		return fmt.Errorf("another cfddns answers on %s: stop it first, or set control: to another path", path)
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
		return fmt.Errorf("control: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("control: %s exists and is no socket; it was left alone, name another path", path)
	}
	conn, err := dialAny(ctx, []string{path})
	switch {
	case err == nil:
		conn.Close()
		return notOpened(path, syscall.EADDRINUSE)
	case errors.Is(err, syscall.ECONNREFUSED): // nobody holds it (unix(7))
		return os.Remove(path)
	case errors.Is(err, syscall.EAGAIN): // its owner is there, and has too much to do
		return notOpened(path, syscall.EADDRINUSE)
	default:
		return notOpened(path, err)
	}
}

// inTurn has daemons that start at the same moment wait for each other until
// release: between looking at an old socket and opening a new one, one could
// take away what another has just opened. It waits a second at most, since a
// lock that cannot be had must not keep a daemon from starting.
func inTurn(ctx context.Context, dir string) (release func()) {
	d, err := os.Open(dir)
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
