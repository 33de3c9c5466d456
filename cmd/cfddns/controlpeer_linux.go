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

// peerUID is the user at the other end of a socket: who connected, or who
// began to listen (unix(7), SO_PEERCRED).
func peerUID(conn *net.UnixConn) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *syscall.Ucred
	var peerErr error
	if err = raw.Control(func(fd uintptr) {
		peer, peerErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if peerErr != nil {
		return 0, peerErr
	}
	return int(peer.Uid), nil
}
