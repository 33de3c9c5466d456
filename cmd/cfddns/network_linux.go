package main

import (
	"bytes"
	"os"
	"syscall"
)

// canBindDevice: Linux lets a socket be bound to an interface (socket(7)).
const canBindDevice = true

// bindDevice binds a socket to an interface before it connects.
func bindDevice(device string) func(network, address string, c syscall.RawConn) error {
	if device == "" {
		return nil
	}
	return func(_, _ string, c syscall.RawConn) error {
		var bindErr error
		err := c.Control(func(fd uintptr) {
			bindErr = os.NewSyscallError("bind to "+device, syscall.SetsockoptString(int(fd), syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE, device))
		})
		if err != nil {
			return err
		}
		return bindErr
	}
}

// isTunnel reports whether an interface is a VPN's, by what the kernel says of
// it: tun and tap devices have flags of their own, WireGuard names itself. A PPP
// line is none: it is how many homes are connected.
func isTunnel(name string) bool {
	dir := "/sys/class/net/" + name
	if _, err := os.Stat(dir + "/tun_flags"); err == nil {
		return true
	}
	uevent, err := os.ReadFile(dir + "/uevent")
	return err == nil && bytes.Contains(uevent, []byte("DEVTYPE=wireguard"))
}
