package ipsource

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

const (
	// changeGroups are the groups of messages about addresses and routes, as
	// include/uapi/linux/rtnetlink.h has them. Anybody may listen to them.
	changeGroups = 0x10 | 0x40 | 0x100 | 0x400 // RTMGRP_IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE

	// A change comes as several messages. The picture is taken once they pause,
	// and at the latest after a while, however many there are.
	changePause   = 20 * time.Millisecond
	changeLongest = 100 * time.Millisecond

	dumpInterrupted = 0x10 // NLM_F_DUMP_INTR: a list changed while it was read, and may lack something
)

// errInterrupted says that the addresses changed while they were listed. What
// is missing in such a list may be there all the same.
var errInterrupted = errors.New("the addresses changed while they were listed")

// Watch tells of changes until the context ends; then it returns nil. Any other
// end is an error: the kernel cannot be heard.
func (c Changes) Watch(ctx context.Context, tell func(ddns.Hint)) error {
	socket, err := listenToKernel()
	if err != nil {
		return fmt.Errorf("listening to the kernel: %w", err)
	}
	defer socket.Close()
	defer context.AfterFunc(ctx, func() { _ = socket.SetReadDeadline(time.Unix(1, 0)) })()
	before, err := c.look()
	for errors.Is(err, errInterrupted) && ctx.Err() == nil {
		before, err = c.look()
	}
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := hearKernel(ctx, socket); ctx.Err() != nil {
			break
		} else if err != nil {
			return err
		}
		after, err := c.look()
		if err != nil {
			continue // a change in the middle of the look: its message is still to come
		}
		if hint, ok := hintOf(before, after); ok {
			tell(hint)
		}
		if c.Routed != nil && rerouted(before, after) != "" {
			c.Routed()
		}
		before = after
	}
	return nil
}

// listenToKernel opens a socket that the kernel tells of changes, netlink(7).
func listenToKernel() (*os.File, error) {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, syscall.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK, Groups: changeGroups}); err != nil {
		return nil, errors.Join(os.NewSyscallError("bind", err), syscall.Close(fd))
	}
	return os.NewFile(uintptr(fd), "netlink"), nil
}

// hearKernel waits for a message and for the pause after it. What the messages
// say is not read: they can be lost where many come at once (ENOBUFS), and the
// picture cannot.
func hearKernel(ctx context.Context, socket *os.File) error {
	message := make([]byte, 8<<10)
	if err := socket.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	if ctx.Err() != nil { // its deadline may have come before the line above
		return ctx.Err()
	}
	_, err := socket.Read(message)
	if err != nil && !errors.Is(err, syscall.ENOBUFS) {
		return fmt.Errorf("listening to the kernel: %w", err)
	}
	end := time.Now().Add(changeLongest)
	for pause := time.Now(); pause.Before(end) && !errors.Is(err, os.ErrDeadlineExceeded); {
		pause = time.Now().Add(changePause)
		if err := socket.SetReadDeadline(pause); err != nil {
			return err
		}
		_, err = socket.Read(message)
	}
	return nil
}

// look takes the picture of now.
func (c Changes) look() (picture, error) {
	p := picture{routes: map[ddns.Family]string{}, at: map[netip.Addr]string{}, all: map[netip.Addr]bool{}}
	interfaces, err := net.Interfaces()
	if err != nil {
		return p, fmt.Errorf("asking the kernel for interfaces: %w", err)
	}
	names := map[int]string{}
	for _, i := range interfaces {
		names[i.Index] = i.Name
	}
	through := map[string]bool{c.Bind: c.Bind != ""}
	route := func(f ddns.Family, name, words string) {
		p.routes[f] = words
		through[name] = through[name] || c.Bind == ""
	}
	switch v4, err := DefaultGateway(""); {
	case err == nil && v4.Address.IsValid():
		route(ddns.IPv4, v4.Interface, v4.Interface+", by "+v4.Address.String())
	case err == nil:
		route(ddns.IPv4, v4.Interface, v4.Interface)
	case !errors.Is(err, ErrNoGateway):
		return p, err
	}
	switch v6, err := interfaceIndex(""); {
	case err == nil:
		route(ddns.IPv6, names[v6], names[v6])
	case !errors.Is(err, errNoRoute6):
		return p, err
	}
	dump, err := syscall.NetlinkRIB(syscall.RTM_GETADDR, syscall.AF_UNSPEC)
	if err != nil {
		return p, fmt.Errorf("asking the kernel for addresses: %w", os.NewSyscallError("netlink", err))
	}
	if interrupted(dump) {
		return p, errInterrupted
	}
	addresses, err := parseAddresses(dump)
	if err != nil {
		return p, err
	}
	bound, _ := netip.ParseAddr(c.Bind)
	p.all = lasting(addresses)
	for _, a := range addresses {
		if name := names[a.index]; p.all[a.address] && (through[name] || a.address == bound) {
			p.at[a.address] = name
		}
	}
	return p, nil
}

// interrupted reports whether a list changed while it was read.
func interrupted(dump []byte) bool {
	messages, err := syscall.ParseNetlinkMessage(dump)
	return err == nil && slices.ContainsFunc(messages, func(m syscall.NetlinkMessage) bool { return m.Header.Flags&dumpInterrupted != 0 })
}
