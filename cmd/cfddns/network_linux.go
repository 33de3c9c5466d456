package main

import (
	"bytes"
	"net"
	"net/netip"
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

// tunnelOf names the VPN interface (tun, tap, WireGuard) that holds the local
// address, or "". A PPP line is none: it is how many homes are connected.
func tunnelOf(local net.Addr) string {
	at, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return ""
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return ""
	}
	for _, i := range interfaces {
		addresses, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addresses {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Unmap() == at.Addr().Unmap() && isTunnel(i.Name) {
				return i.Name
			}
		}
	}
	return ""
}

// isTunnel reads what the kernel says of an interface: tun and tap devices
// have flags of their own, WireGuard names itself.
func isTunnel(name string) bool {
	dir := "/sys/class/net/" + name
	if _, err := os.Stat(dir + "/tun_flags"); err == nil {
		return true
	}
	uevent, err := os.ReadFile(dir + "/uevent")
	return err == nil && bytes.Contains(uevent, []byte("DEVTYPE=wireguard"))
}
