package sandbox

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// askPatience is how long the sandbox's own resolvers wait for a server. Real
// ones wait for seconds, and try again.
const askPatience = time.Second

// startResolver serves what 1.1.1.1, 8.8.8.8 and OpenDNS are to the world: a
// resolver that asks the right nameserver, and remembers nothing.
func (s *Sandbox) startResolver() error {
	at, err := s.serveDNS("", s.answerResolver)
	if err != nil {
		return err
	}
	s.places.put(placeResolver, at)
	return nil
}

// resolverEgress is the address by which a resolver asks others: what Google
// and Akamai tell whoever does not ask them directly.
func resolverEgress(f family) netip.Addr {
	if f == ipv6 {
		return netip.MustParseAddr("2400:cb00:71:1024::a29e:7101")
	}
	return netip.AddrFrom4([4]byte{172, 70, 100, 1})
}

func (s *Sandbox) answerResolver(q *query) *dns.Msg {
	if kind, ok := whoamiOf(q); ok {
		if kind.authority {
			m := q.tell(kind, []netip.Addr{resolverEgress(q.family)})
			m.Authoritative, m.RecursionAvailable = false, true
			return m
		}
		return s.whoami(q, kind)
	}
	if q.qclass != dns.ClassINET {
		return q.reply(dns.RcodeRefused)
	}
	m := s.recurse(q)
	m.RecursionAvailable = true
	return m
}

// recurse follows CNAMEs from nameserver to nameserver.
func (s *Sandbox) recurse(q *query) *dns.Msg {
	m := q.reply(dns.RcodeSuccess)
	for name := q.owner(); ; {
		server, ok := s.serverOf(hostName(name))
		if !ok {
			m.Rcode = dns.RcodeNameError
			return m
		}
		part, err := s.ask(context.Background(), server, name, q.qtype)
		if err != nil || len(m.Answer) > 4*maxChain {
			return q.reply(dns.RcodeServerFailure)
		}
		m.Answer = append(m.Answer, part.Answer...)
		target := danglingAlias(part, q.qtype)
		if target == "" {
			m.Rcode, m.Ns = part.Rcode, part.Ns
			return m
		}
		name = target
	}
}

// danglingAlias returns the target of a CNAME that an answer ends with, "" if
// the answer is complete.
func danglingAlias(m *dns.Msg, qtype uint16) string {
	if len(m.Answer) == 0 || m.Rcode != dns.RcodeSuccess || qtype == dns.TypeCNAME {
		return ""
	}
	if alias, ok := m.Answer[len(m.Answer)-1].(*dns.CNAME); ok && len(m.Ns) == 0 {
		return alias.Target
	}
	return ""
}

// serverOf returns where a name's authoritative server listens; ok is false
// for names that do not exist in this world.
func (s *Sandbox) serverOf(name string) (address string, ok bool) {
	if _, ok := s.nodeAt(name); ok {
		return s.places.find(placeDNS, ipv4), true
	}
	if name == duckDomain || hasSuffixLabel(name, duckDomain) {
		return s.places.find(placeDuckDNS, ipv4), true
	}
	return "", false
}

// ask puts one question to one server, and again over TCP if the answer was
// too long. A SERVFAIL or REFUSED is an error.
func (s *Sandbox) ask(ctx context.Context, server, name string, qtype uint16) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	for _, network := range []string{"udp", "tcp"} {
		m, err := s.exchange(ctx, network, server, name, qtype)
		if err != nil {
			return nil, err
		}
		if m.Truncated && network == "udp" {
			continue
		}
		if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
			return nil, &net.DNSError{Err: "server misbehaving: " + dns.RcodeToString[m.Rcode], Name: hostName(name), Server: server, IsTemporary: true}
		}
		return m, nil
	}
	return nil, &net.DNSError{Err: "answer truncated over TCP", Name: hostName(name), Server: server}
}

func (s *Sandbox) exchange(ctx context.Context, network, server, name string, qtype uint16) (*dns.Msg, error) {
	raw, err := s.connect(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	question := new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype)
	question.RecursionDesired = false
	client := dns.Client{Timeout: askPatience}
	m, _, err := client.ExchangeWithConnContext(ctx, question, &dns.Conn{Conn: raw, UDPSize: maxUDP})
	if err != nil {
		var timeout net.Error
		slow := errors.As(err, &timeout) && timeout.Timeout()
		return nil, &net.DNSError{UnwrapErr: err, Err: err.Error(), Name: hostName(name), Server: server, IsTimeout: slow, IsTemporary: true}
	}
	return m, nil
}

// lookup resolves a name as any machine on the internet would. Every error is
// a *net.DNSError, except those of sockets.
func (s *Sandbox) lookup(ctx context.Context, name string, f family) ([]netip.Addr, error) {
	asked := name
	for range maxChain {
		server, ok := s.serverOf(name)
		if !ok {
			break
		}
		m, err := s.ask(ctx, server, name, addressType(f))
		if err != nil {
			return nil, err
		}
		var addrs []netip.Addr
		for _, rr := range m.Answer {
			if a, ok := addressIn(rr); ok {
				addrs = append(addrs, a)
			}
		}
		if len(addrs) > 0 {
			return addrs, nil
		}
		target := danglingAlias(m, addressType(f))
		if target == "" {
			break
		}
		name = hostName(target)
	}
	return nil, noSuchHost(asked)
}

func addressIn(rr dns.RR) (netip.Addr, bool) {
	switch rr := rr.(type) {
	case *dns.A:
		a, ok := netip.AddrFromSlice(rr.A)
		return a.Unmap(), ok
	case *dns.AAAA:
		return netip.AddrFromSlice(rr.AAAA)
	}
	return netip.Addr{}, false
}

// originAddrs resolves a name as Cloudflare does for itself: in its own zones
// it sees the records behind proxied names, and for the rest it asks.
func (s *Sandbox) originAddrs(ctx context.Context, name string, f family) ([]netip.Addr, error) {
	asked := name
	for range maxChain {
		n, ok := s.nodeAt(name)
		if !ok {
			return s.lookup(ctx, name, f)
		}
		if addrs := n.addrs(f); len(addrs) > 0 {
			return addrs, nil
		}
		alias, ok := n.alias()
		if !ok {
			break
		}
		name = hostName(alias.Content)
	}
	return nil, noSuchHost(asked)
}

// noSuchHost is the error of package net for a name that does not resolve.
func noSuchHost(name string) error {
	return &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func isNotFound(err error) bool {
	var dnsErr *net.DNSError
	return errors.As(err, &dnsErr) && dnsErr.IsNotFound
}
