//go:build !linux

package main

import "syscall"

const canBindDevice = false

func bindDevice(string) func(network, address string, c syscall.RawConn) error { return nil }

// isTunnel cannot tell a VPN's interface from others here.
func isTunnel(string) bool { return false }
