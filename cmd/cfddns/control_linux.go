package main

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// abstractSocket is the daemon's name where no file can be written. Abstract
// names belong to a network (unix(7)), and containers on the host's network
// share it, mostly with the same user: so the name also says which root
// directory is seen. None then answers for another.
func abstractSocket() string {
	var root syscall.Stat_t
	if err := syscall.Stat("/", &root); err != nil {
		return fmt.Sprintf("@cfddns-%d", os.Getuid())
	}
	return fmt.Sprintf("@cfddns-%d-%x-%x", os.Getuid(), root.Dev, root.Ino)
}

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
