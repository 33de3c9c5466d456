package ipsource

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// The external address request of NAT-PMP (RFC 6886, section 3.2): two bytes
// there, twelve back, nothing is mapped.
const (
	pmpPort      = "5351"
	pmpVersion   = 0
	pmpAddress   = 0   // opcode: which is your external address?
	pmpAnswers   = 128 // is added to the opcode
	pmpNoNetwork = 3   // result: the router has no address of the provider
	pmpSize      = 12

	pcpVersion   = 2 // RFC 6887: its answer to NAT-PMP says that it speaks nothing else
	pcpTooOld    = 1 // result: this version is not supported
	pcpHeadSize  = 24
	pcpAnnounced = 128 // an answer with the opcode ANNOUNCE, which is 0 (section 14.1)

	pmpFirstWait = 250 * time.Millisecond // doubled for each further try (section 3.1)
)

// confirmNATPMP asks a router twice, each time from a fresh port that nobody
// knows before, and believes it if both answers agree and no other came. The
// protocol proves nothing: whoever is on the LAN can send answers in the router's
// name to all ports, before the router does or where it keeps silent.
func confirmNATPMP(ctx context.Context, world ddns.World, router netip.Addr) (netip.Addr, error) {
	var address netip.Addr
	var ports []net.Conn
	for range 2 {
		conn, err := dialPMP(ctx, world, router)
		if err != nil {
			return netip.Addr{}, err
		}
		defer conn.Close() // the first listens on until the second was answered
		ports = append(ports, conn)
		said, err := exchangePMP(ctx, conn)
		switch {
		case err != nil:
			return netip.Addr{}, err
		case address.IsValid() && said != address:
			return netip.Addr{}, fmt.Errorf("named %s to one port and %s to another: forged, or just changing",
				address, said)
		}
		address = said
	}
	for _, conn := range ports {
		if err := contradicted(conn, address); err != nil {
			return netip.Addr{}, err
		}
	}
	return address, nil
}

// contradicted reports what else came to a port that has its answer. It waits for
// a moment only, and that moment again where the machine was too busy to look.
func contradicted(conn net.Conn, address netip.Addr) error {
	const (
		moment = time.Millisecond
		most   = 64 // of a flood
	)
	buffer := make([]byte, maxDatagram)
	for range most {
		began := time.Now()
		if err := conn.SetReadDeadline(began.Add(moment)); err != nil {
			return err
		}
		n, err := conn.Read(buffer)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && time.Since(began) > 3*moment:
			continue
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil: // the router refuses what somebody has just answered
			return err
		}
		if said, err := parsePMP(buffer[:n]); answersPMP(buffer[:n]) && (err != nil || said != address) {
			return fmt.Errorf("named %s, and something else as well: forged, or just changing", address)
		}
	}
	return nil
}

// askNATPMP asks a router for the address of its WAN side.
func askNATPMP(ctx context.Context, world ddns.World, router netip.Addr) (netip.Addr, error) {
	conn, err := dialPMP(ctx, world, router)
	if err != nil {
		return netip.Addr{}, err
	}
	defer conn.Close()
	return exchangePMP(ctx, conn)
}

// dialPMP opens a port to ask from.
func dialPMP(ctx context.Context, world ddns.World, router netip.Addr) (net.Conn, error) {
	return world.Dial(ctx, "udp4", net.JoinHostPort(router.String(), pmpPort))
}

// exchangePMP asks from a port.
func exchangePMP(ctx context.Context, conn net.Conn) (netip.Addr, error) {
	defer hangUp(ctx, conn)()
	buffer := make([]byte, maxDatagram)
	for wait := pmpFirstWait; ; wait *= 2 {
		if _, err := conn.Write([]byte{pmpVersion, pmpAddress}); err != nil {
			return netip.Addr{}, overdue(ctx, err)
		}
		answer, _, err := await(ctx, conn, time.Now().Add(wait), buffer, answersPMP)
		if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return netip.Addr{}, overdue(ctx, err)
		}
		return parsePMP(answer)
	}
}

// answersPMP reports whether a datagram answers the request. The protocol has
// no number that tells one question from another.
func answersPMP(b []byte) bool {
	return len(b) >= 4 && (b[0] == pmpVersion && b[1] == pmpAnswers+pmpAddress || b[0] == pcpVersion && b[1]&pmpAnswers != 0)
}

// parsePMP takes the address from an answer. It is errNoWAN if the router
// answers and has none, or speaks only PCP, which names an address to nobody
// who does not open a port.
func parsePMP(b []byte) (netip.Addr, error) {
	if !answersPMP(b) {
		return netip.Addr{}, errors.New("answered no NAT-PMP")
	}
	if b[0] == pcpVersion {
		if len(b) < pcpHeadSize || b[3] != pcpTooOld {
			return netip.Addr{}, errors.New("answered a PCP message that is none")
		}
		return netip.Addr{}, fmt.Errorf("%w: %w", errPCPAlone, errNoWAN)
	}
	switch result := binary.BigEndian.Uint16(b[2:]); {
	case result == pmpNoNetwork:
		return netip.Addr{}, errNoWAN
	case result != 0:
		return netip.Addr{}, fmt.Errorf("answered NAT-PMP result %d", result)
	case len(b) != pmpSize:
		return netip.Addr{}, fmt.Errorf("answered %d bytes of NAT-PMP instead of %d", len(b), pmpSize)
	}
	return namedByRouter(netip.AddrFrom4([4]byte(b[8:pmpSize])))
}

// namedByRouter checks what a router names: 0.0.0.0 stands for none.
func namedByRouter(a netip.Addr) (netip.Addr, error) {
	switch {
	case a.IsUnspecified():
		return netip.Addr{}, errNoWAN
	case !a.Is4() || a.IsLoopback() || a.IsMulticast() || a.IsLinkLocalUnicast() || a.As4()[0] >= 240:
		return netip.Addr{}, fmt.Errorf("answered %s, which is no address of a line", a)
	}
	return a, nil
}
