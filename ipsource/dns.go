package ipsource

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/cfddns/cfddns/ddns"
)

// dnsMessage is the media type of DNS over HTTPS (RFC 8484).
const dnsMessage = "application/dns-message"

// addressType stands for the type of question that fits the family: A or AAAA.
const addressType = dns.TypeNone

// over is how a question travels to a DNS server.
type over int

const (
	overUDP over = iota // and over TCP, if the answer is too long
	overTCP
	overHTTPS
)

// whoami is a question that a DNS server answers with the address it came from.
type whoami struct {
	server string // HOST:PORT; the URL for DoH
	over   over
	agent  string // User-Agent, for DoH

	name  string // with the final dot
	qtype uint16 // TypeTXT, or addressType
	class uint16
	// authority: the server is an authority for the name. Recursion is not
	// asked for, and an answer without AA, or with RA, was made by somebody in
	// between.
	authority bool
}

func (w whoami) ask(ctx context.Context, world ddns.World, family ddns.Family) (netip.Addr, error) {
	asked := w.question(family)
	answer, server, err := w.exchange(ctx, world, family, asked)
	if err != nil {
		return netip.Addr{}, err
	}
	address, err := parseWhoami(answer, asked, w.authority, family)
	if err != nil {
		return netip.Addr{}, err
	}
	return notItself(address, server)
}

// question makes the message to send. On plain DNS the id is random, and so is
// the case of every letter of the name (0x20), which a forger has to guess on
// top of id and port. On DoH both are constant, as RFC 8484 wants for caches.
func (w whoami) question(family ddns.Family) *dns.Msg {
	qtype := w.qtype
	if qtype == addressType {
		qtype = dns.StringToType[family.RecordType()]
	}
	m := &dns.Msg{Question: []dns.Question{{Name: w.name, Qtype: qtype, Qclass: w.class}}}
	m.RecursionDesired = !w.authority
	if w.over != overHTTPS {
		m.Id = dns.Id()
		m.Question[0].Name = randomCase(w.name)
	}
	return m
}

// randomCase writes every letter large or small by chance.
func randomCase(name string) string {
	coins := make([]byte, len(name))
	rand.Read(coins) // never fails
	mixed := []byte(strings.ToLower(name))
	for i, c := range mixed {
		if 'a' <= c && c <= 'z' && coins[i]&1 == 1 {
			mixed[i] = c - 'a' + 'A'
		}
	}
	return string(mixed)
}

// exchange sends the question and returns the answer and who gave it.
func (w whoami) exchange(ctx context.Context, world ddns.World, family ddns.Family, asked *dns.Msg) ([]byte, netip.Addr, error) {
	packet, err := asked.Pack()
	if err != nil {
		return nil, netip.Addr{}, fmt.Errorf("question %s cannot be asked: %w", w.name, err)
	}
	if w.over == overHTTPS {
		reply, err := fetch(ctx, world, family, fetching{url: w.server, agent: w.agent, kind: dnsMessage, body: packet, limit: maxDatagram})
		return reply.body, reply.server, err
	}
	if w.over == overUDP {
		answer, server, err := w.askUDP(ctx, world, family.Network("udp"), asked, packet)
		if err != nil || !truncated(answer) {
			return answer, server, err
		}
	}
	return w.askTCP(ctx, world, family.Network("tcp"), packet)
}

func (w whoami) askUDP(ctx context.Context, world ddns.World, network string, asked *dns.Msg, packet []byte) ([]byte, netip.Addr, error) {
	conn, err := world.Dial(ctx, network, w.server)
	if err != nil {
		return nil, netip.Addr{}, err
	}
	defer conn.Close()
	answer, err := exchange(ctx, conn, packet, func(b []byte) bool {
		_, err := answerTo(asked, b)
		return err == nil
	})
	return answer, addressOf(conn.RemoteAddr()), err
}

func (w whoami) askTCP(ctx context.Context, world ddns.World, network string, packet []byte) ([]byte, netip.Addr, error) {
	conn, err := world.Dial(ctx, network, w.server)
	if err != nil {
		return nil, netip.Addr{}, err
	}
	defer conn.Close()
	defer hangUp(ctx, conn)()
	stream := &dns.Conn{Conn: conn} // frames messages as RFC 1035, section 4.2.2, says
	if _, err := stream.Write(packet); err != nil {
		return nil, netip.Addr{}, overdue(ctx, err)
	}
	answer, err := stream.ReadMsgHeader(nil)
	return answer, addressOf(conn.RemoteAddr()), overdue(ctx, err)
}

// truncated reports the TC bit: the whole answer is to be had over TCP.
func truncated(packet []byte) bool {
	m := new(dns.Msg)
	return m.Unpack(packet) == nil && m.Truncated
}

// answerTo unpacks a packet that answers exactly the question asked. The
// library compares the id at most; the rest is what a forger must guess too.
func answerTo(asked *dns.Msg, packet []byte) (*dns.Msg, error) {
	m := new(dns.Msg)
	if err := m.Unpack(packet); err != nil {
		return nil, fmt.Errorf("answered no DNS message: %w", err)
	}
	if !m.Response || m.Id != asked.Id || m.Opcode != dns.OpcodeQuery || len(m.Question) != 1 || m.Question[0] != asked.Question[0] {
		return nil, errors.New("answered another question than the one asked")
	}
	return m, nil
}

// parseWhoami takes the address from an answer to the question asked.
func parseWhoami(packet []byte, asked *dns.Msg, authority bool, family ddns.Family) (netip.Addr, error) {
	m, err := answerTo(asked, packet)
	switch {
	case err != nil:
		return netip.Addr{}, err
	case m.Truncated:
		return netip.Addr{}, errors.New("answered a part only, over TCP too")
	case m.Rcode != dns.RcodeSuccess:
		return netip.Addr{}, fmt.Errorf("answered %s", rcodeWord(m.Rcode))
	case authority && (!m.Authoritative || m.RecursionAvailable):
		return netip.Addr{}, errors.New("answered without authority: somebody on this line answers port 53 in the server's place")
	case len(m.Answer) != 1:
		return netip.Addr{}, fmt.Errorf("answered %d records, not one", len(m.Answer))
	}
	address, err := addressInRecord(m.Answer[0], asked.Question[0])
	if err != nil {
		return netip.Addr{}, err
	}
	return ofFamily(address, family)
}

// addressInRecord takes the address that a record of the type asked for holds.
func addressInRecord(r dns.RR, asked dns.Question) (netip.Addr, error) {
	h := r.Header()
	if !strings.EqualFold(h.Name, asked.Name) || h.Rrtype != asked.Qtype || h.Class != asked.Qclass {
		return netip.Addr{}, errors.New("answered a record of another name, type or class")
	}
	var address netip.Addr
	switch r := r.(type) {
	case *dns.A:
		address, _ = netip.AddrFromSlice(r.A.To4())
	case *dns.AAAA:
		address, _ = netip.AddrFromSlice(r.AAAA)
	case *dns.TXT:
		if len(r.Txt) == 1 {
			address, _ = netip.ParseAddr(r.Txt[0])
		}
	}
	if !address.IsValid() {
		return netip.Addr{}, errors.New("answered a record that holds no address")
	}
	return address, nil
}

// rcodeWord names a response code.
func rcodeWord(rcode int) string {
	if word, ok := dns.RcodeToString[rcode]; ok {
		return word
	}
	return fmt.Sprintf("response code %d", rcode)
}
