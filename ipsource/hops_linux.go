package ipsource

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// Where ip(7) and the kernel's include/uapi/linux/errqueue.h describe the queue
// of errors that a socket may have.
const (
	errorQueue      = 0x2000 // MSG_ERRQUEUE
	originICMP      = 2      // SO_EE_ORIGIN_ICMP
	icmpExceeded    = 11     // the datagram's time to live ended on the way
	extendedErrSize = 16     // struct sock_extended_err; the router's sockaddr_in follows
)

// hopAt sends one datagram that may travel ttl hops and returns the router that
// says it ended there; the zero Addr if none does before the connection's deadline.
func hopAt(conn net.Conn, ttl int) netip.Addr {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return netip.Addr{} // a world without a kernel below it
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return netip.Addr{}
	}
	var setErr error
	if err := raw.Control(func(fd uintptr) {
		if setErr = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_RECVERR, 1); setErr == nil {
			setErr = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_TTL, ttl)
		}
	}); err != nil || setErr != nil {
		return netip.Addr{}
	}
	if _, err := conn.Write([]byte("cfddns")); err != nil {
		return netip.Addr{}
	}
	var control []byte
	// Read waits until something is there, an error counted in, or the deadline.
	_ = raw.Read(func(fd uintptr) bool {
		buffer := make([]byte, 512)
		_, n, _, _, err := syscall.Recvmsg(int(fd), nil, buffer, errorQueue)
		if os.IsTimeout(err) || err == syscall.EAGAIN || err == syscall.EINTR {
			return false
		}
		control = buffer[:max(n, 0)]
		return true
	})
	return parseHop(control)
}

// parseHop takes the router from the control messages of an error; the zero
// Addr if they tell of anything but a time to live that ended on the way.
func parseHop(control []byte) netip.Addr {
	messages, err := syscall.ParseSocketControlMessage(control)
	if err != nil {
		return netip.Addr{}
	}
	for _, m := range messages {
		// struct sock_extended_err: errno (4 bytes), origin, type, code, padding, info, data
		if m.Header.Level != syscall.IPPROTO_IP || m.Header.Type != syscall.IP_RECVERR || len(m.Data) < extendedErrSize+8 {
			continue
		}
		origin, kind := m.Data[4], m.Data[5]
		from := m.Data[extendedErrSize:]
		if origin != originICMP || kind != icmpExceeded || binary.NativeEndian.Uint16(from) != syscall.AF_INET {
			continue
		}
		return netip.AddrFrom4([4]byte(from[4:8]))
	}
	return netip.Addr{}
}
