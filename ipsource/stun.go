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
	m := stun.Message{Raw: b}
	return m.Decode() == nil && bytes.Equal(m.TransactionID[:], id[:]) &&
		(m.Type == stun.BindingSuccess || m.Type == stun.BindingError)
}

// parseBinding takes the address from XOR-MAPPED-ADDRESS alone: the older
// MAPPED-ADDRESS is rewritten by routers that mean well (RFC 8489, section 14.2).
func parseBinding(answer []byte, family ddns.Family) (netip.Addr, error) {
	m := stun.Message{Raw: answer}
	if err := m.Decode(); err != nil {
		return netip.Addr{}, fmt.Errorf("answered no STUN message: %w", err)
	}
	if m.Type != stun.BindingSuccess {
		var code stun.ErrorCodeAttribute
		if code.GetFrom(&m) == nil {
			return netip.Addr{}, fmt.Errorf("refused the Binding request with code %d", code.Code)
		}
		return netip.Addr{}, errors.New("answered no Binding success")
	}
	var mapped stun.XORMappedAddress
	if err := mapped.GetFrom(&m); err != nil {
		return netip.Addr{}, fmt.Errorf("answered without XOR-MAPPED-ADDRESS: %w", err)
	}
	address, ok := netip.AddrFromSlice(mapped.IP)
	if !ok {
		return netip.Addr{}, errors.New("answered an address of neither family")
	}
	return ofFamily(address, family)
}
