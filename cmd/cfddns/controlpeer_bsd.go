//go:build darwin || freebsd

package main

import (
	"net"

	"golang.org/x/sys/unix"
)

// abstractSocket is empty: only Linux has such names.
func abstractSocket() string { return "" }

// peerUID is the user at the other end of a socket: who connected, or who
// began to listen (unix(4), LOCAL_PEERCRED).
func peerUID(conn *net.UnixConn) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *unix.Xucred
	var peerErr error
	if err = raw.Control(func(fd uintptr) {
		peer, peerErr = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if peerErr != nil {
		return 0, peerErr
	}
	return int(peer.Uid), nil
}
