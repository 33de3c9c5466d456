//go:build !linux && !darwin && !freebsd

package main

import "net"

// abstractSocket is empty: only Linux has such names.
func abstractSocket() string { return "" }

// peerUID is not known here. The socket then has to be a file in a directory
// that nobody else may write to.
func peerUID(*net.UnixConn) (int, error) { return 0, errNoPeer }
