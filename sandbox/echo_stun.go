package sandbox

import (
	"net"
	"net/netip"

	"github.com/pion/stun/v3"
)

// serveSTUN answers Binding requests over UDP (RFC 8489), for each family on a
// socket of its own.
func (s *Sandbox) serveSTUN(e echo) (map[family]string, error) {
	at := make(map[family]string)
	for _, f := range bothFamilies {
		packets, err := s.listenPacketFamily(f)
		if err != nil {
			return nil, err
		}
		at[f] = packets.LocalAddr().String()
		s.serve(func() { s.runSTUN(packets, e, f) })
	}
	return at, nil
}

// listenPacketFamily opens a UDP socket for a family, as listenFamily does for TCP.
func (s *Sandbox) listenPacketFamily(f family) (net.PacketConn, error) {
	if f == ipv6 {
		if packets, err := s.listenPacket("[::1]:0"); err == nil {
			return packets, nil
		}
	}
	return s.listenPacket("")
}

// runSTUN ends when the socket is closed.
func (s *Sandbox) runSTUN(packets net.PacketConn, e echo, f family) {
	buf := make([]byte, 1500)
	for {
		n, from, err := packets.ReadFrom(buf)
		if err != nil {
			return
		}
		if reply := s.answerSTUN(buf[:n], from, e, f); reply != nil {
			_, _ = packets.WriteTo(reply, from)
		}
	}
}

// answerSTUN returns nil for whatever is no Binding request.
func (s *Sandbox) answerSTUN(packet []byte, from net.Addr, e echo, f family) []byte {
	request := &stun.Message{Raw: packet}
	if !stun.IsMessage(packet) || request.Decode() != nil || request.Type != stun.BindingRequest {
		return nil
	}
	said := s.wan(f)
	if one, ok := s.ways.of("udp", from.String()); ok && one.from.IsValid() {
		said = one.from
	}
	if fault, ok := s.takeFault("echo:" + e.name); ok {
		if fault.Do == "500" || fault.Do == "429" || fault.Do == "done-but-500" {
			return stunReply(request, stun.BindingError, stun.CodeServerError)
		}
		lies := fault.distort(said)
		if len(lies) == 0 { // hang, drop, and what has no meaning here
			return nil
		}
		said = lies[len(lies)-1]
	}
	if !said.IsValid() {
		return nil
	}
	return stunReply(request, stun.BindingSuccess, &stun.XORMappedAddress{IP: net.IP(said.AsSlice()), Port: portOf(from)})
}

func stunReply(request *stun.Message, t stun.MessageType, content stun.Setter) []byte {
	reply, err := stun.Build(stun.NewTransactionIDSetter(request.TransactionID), t, content)
	if err != nil {
		return nil
	}
	return reply.Raw
}

func portOf(a net.Addr) int {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return 0
	}
	return int(ap.Port())
}
