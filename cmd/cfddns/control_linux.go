package main

import (
	"net"
	"os"
	"syscall"
)

// mayControl reports whether the other end of the socket is this user or root (unix(7)).
func mayControl(conn net.Conn) bool {
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return false
	}
	raw, err := unix.SyscallConn()
	if err != nil {
		return false
	}
	var peer *syscall.Ucred
	var peerErr error
	err = raw.Control(func(fd uintptr) {
		peer, peerErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	return err == nil && peerErr == nil && (peer.Uid == 0 || int(peer.Uid) == os.Getuid())
}
