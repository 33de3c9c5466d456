package sandbox

import (
	"fmt"
	"net"
	"strings"

	"github.com/miekg/dns"
)

// maxUDP is the largest answer sent over UDP, whatever the client says it can
// take: what passes everywhere without fragments (dnsflagday.net/2020).
const maxUDP = 1232

// query is one DNS question, and how it came.
type query struct {
	*dns.Msg
	name   string // lower case, no final dot
	qtype  uint16
	qclass uint16
	family family // of the way it came
	over   string // "udp", "tcp", "https"
	way    way    // of the connection that it came over, as far as that is known
	cut    bool   // set by the answerer: close the connection, if there is one
}

// newQuery reads a message's question; ok is false if it has not exactly one.
func newQuery(m *dns.Msg, f family, over string) (q *query, ok bool) {
	if m == nil || m.Response || len(m.Question) != 1 {
		return nil, false
	}
	asked := m.Question[0]
	return &query{
		Msg: m, family: f, over: over,
		name: hostName(asked.Name), qtype: asked.Qtype, qclass: asked.Qclass,
	}, true
}

// hostName turns a name of the wire into one of the store.
func hostName(name string) string {
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// owner is the name of the question as it was spelled: clients that draw
// random case want it back.
func (q *query) owner() string { return q.Question[0].Name }

// reply starts an answer.
func (q *query) reply(rcode int) *dns.Msg {
	m := new(dns.Msg)
	m.SetRcode(q.Msg, rcode)
	m.Compress = true
	return m
}

// finish fits an answer to the way it travels.
func (q *query) finish(m *dns.Msg) *dns.Msg {
	size := dns.MinMsgSize
	if opt := q.IsEdns0(); opt != nil {
		m.SetEdns0(maxUDP, false)
		size = min(max(int(opt.UDPSize()), dns.MinMsgSize), maxUDP)
	}
	if q.over == "udp" {
		m.Truncate(size)
	}
	return m
}

// answerer answers DNS questions. Nil means silence, as of a dropped packet.
type answerer func(q *query) *dns.Msg

// serveDNS answers over UDP and TCP, for each family on one port that both
// share. It returns where, by family.
func (s *Sandbox) serveDNS(address string, answer answerer) (map[family]string, error) {
	at := make(map[family]string)
	for _, f := range bothFamilies {
		packets, stream, err := s.listenPair(f, address)
		if err != nil {
			return nil, err
		}
		at[f] = packets.LocalAddr().String()
		s.runDNS(&dns.Server{PacketConn: packets}, f, "udp", answer)
		s.runDNS(&dns.Server{Listener: stream}, f, "tcp", answer)
	}
	return at, nil
}

// pairTries is how often a port is drawn until it is free for UDP and TCP.
const pairTries = 50

func (s *Sandbox) listenPair(f family, address string) (net.PacketConn, net.Listener, error) {
	if f == ipv6 {
		packets, stream, err := s.tryPairs("[::1]:0")
		if err == nil {
			return packets, stream, nil
		}
		address = "" // no IPv6 on loopback: see listenFamily
	}
	return s.tryPairs(address)
}

func (s *Sandbox) tryPairs(address string) (packets net.PacketConn, stream net.Listener, err error) {
	for range pairTries {
		packets, err = s.listenPacket(address)
		if err != nil {
			return nil, nil, err
		}
		stream, err = s.listen(packets.LocalAddr().String())
		if err == nil {
			return packets, stream, nil
		}
		packets.Close()
	}
	return nil, nil, fmt.Errorf("no port is free for DNS over both UDP and TCP: %w", err)
}

// runDNS serves one socket until the sandbox ends, and returns when it does.
func (s *Sandbox) runDNS(server *dns.Server, f family, over string, answer answerer) {
	server.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		q, ok := newQuery(m, f, over)
		if !ok {
			_ = w.WriteMsg(new(dns.Msg).SetRcodeFormatError(m))
			return
		}
		q.way, _ = s.ways.of(over, w.RemoteAddr().String())
		if reply := answer(q); reply != nil {
			if err := w.WriteMsg(q.finish(reply)); err != nil { // a record that does not fit the wire
				_ = w.WriteMsg(q.reply(dns.RcodeServerFailure))
			}
		} else if q.cut && over == "tcp" {
			w.Close()
		}
	})
	up := make(chan struct{})
	server.NotifyStartedFunc = func() { close(up) }
	ended := make(chan struct{})
	s.serve(func() {
		defer close(ended)
		_ = server.ActivateAndServe()
	})
	select {
	case <-up:
	case <-ended:
	}
	s.onClose(func() { _ = server.Shutdown() })
}
