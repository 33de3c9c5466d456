//go:build !linux

package main

import "net"

// abstractSocket is empty: only Linux has such names.
func abstractSocket() string { return "" }

// mayControl leaves it to the permissions of the socket's file.
func mayControl(net.Conn) bool { return true }
