package ipsource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/pion/stun/v3"

	"github.com/cfddns/cfddns/ddns"
)

// stunServer answers a Binding request with the address it came from
// (RFC 8489, section 2), in one datagram each way.
type stunServer struct {
	address string // HOST:PORT
}

func (s stunServer) ask(ctx context.Context, world ddns.World, family ddns.Family) (netip.Addr, error) {
	conn, err := world.Dial(ctx, family.Network("udp"), s.address)
	if err != nil {
		return netip.Addr{}, err
	}
	defer conn.Close()
	request, err := stun.Build(stun.TransactionID, stun.BindingRequest)
	if err != nil {
		return netip.Addr{}, err
	}
	answer, err := exchange(ctx, conn, request.Raw, func(b []byte) bool { return answersBinding(b, request.TransactionID) })
	if err != nil {
		return netip.Addr{}, err
	}
	address, err := parseBinding(answer, family)
	if err != nil {
		return netip.Addr{}, err
	}
	return notItself(address, addressOf(conn.RemoteAddr()))
}

// answersBinding reports whether a datagram answers the request with the
// transaction id, which nobody off the path can guess.
func answersBinding(b []byte, id [stun.TransactionIDSize]byte) bool {
	m, err := decodeSTUN(b)
	return err == nil && bytes.Equal(m.TransactionID[:], id[:]) &&
		(m.Type == stun.BindingSuccess || m.Type == stun.BindingError)
}

// decodeSTUN unpacks a message. The library passes over the two highest bits,
// which are zero in STUN and tell it from other protocols (RFC 8489, section 5).
func decodeSTUN(b []byte) (*stun.Message, error) {
	if len(b) == 0 || b[0]&0xc0 != 0 {
		return nil, errors.New("its first two bits are not zero")
	}
	m := &stun.Message{Raw: b}
	return m, m.Decode()
}

// parseBinding takes the address from XOR-MAPPED-ADDRESS alone: the older
// MAPPED-ADDRESS is rewritten by routers that mean well (RFC 8489, section 14.2).
func parseBinding(answer []byte, family ddns.Family) (netip.Addr, error) {
	m, err := decodeSTUN(answer)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("answered no STUN message: %w", err)
	}
	if m.Type != stun.BindingSuccess {
		var code stun.ErrorCodeAttribute
		if code.GetFrom(m) == nil {
			return netip.Addr{}, fmt.Errorf("refused the Binding request with code %d", code.Code)
		}
		return netip.Addr{}, errors.New("answered no Binding success")
	}
	var mapped stun.XORMappedAddress
	if err := mapped.GetFrom(m); err != nil {
		return netip.Addr{}, fmt.Errorf("answered without XOR-MAPPED-ADDRESS: %w", err)
	}
	address, ok := netip.AddrFromSlice(mapped.IP)
	if !ok {
		return netip.Addr{}, errors.New("answered an address of neither family")
	}
	return ofFamily(address, family)
}
