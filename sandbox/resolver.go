package sandbox

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// askPatience is how long the sandbox's own resolvers wait for one of the
// servers of a zone, before they try the next. Real ones wait for seconds.
const askPatience = 350 * time.Millisecond

// resolverEgress is the address by which a resolver asks others: what Google
// and Akamai tell whoever does not ask them directly.
func resolverEgress(f family) netip.Addr {
	if f == ipv6 {
		return netip.MustParseAddr("2400:cb00:71:1024::a29e:7101")
	}
	return netip.AddrFrom4([4]byte{172, 70, 100, 1})
}

// recurse follows CNAMEs from nameserver to nameserver.
func (s *Sandbox) recurse(q *query) *dns.Msg {
	if m, ok := s.delegation(q); ok {
		return m
	}
	m := q.reply(dns.RcodeSuccess)
	for name := q.owner(); ; {
		servers, ok := s.authorityOf(hostName(name))
		if !ok {
			m.Rcode = dns.RcodeNameError
			return m
		}
		part, err := s.ask(context.Background(), servers, name, q.qtype)
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

// ask puts one question to the servers of a name, one after the other until
// one answers.
func (s *Sandbox) ask(ctx context.Context, servers authority, name string, qtype uint16) (*dns.Msg, error) {
	err := error(&net.DNSError{Err: "no nameserver of the zone is asked by the world", Name: hostName(name), IsTemporary: true})
	for _, host := range servers.hosts {
		var m *dns.Msg
		if m, err = s.askOne(ctx, server{servers.place, host}, name, qtype); err == nil {
			return m, nil
		}
	}
	return nil, err
}

// server is one nameserver: where it listens, and which one it is.
type server struct{ place, host string }

// askOne puts one question to one server, and again over TCP if the answer was
// too long. A SERVFAIL, a REFUSED and a referral are errors.
func (s *Sandbox) askOne(ctx context.Context, at server, name string, qtype uint16) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	for _, network := range []string{"udp", "tcp"} {
		m, err := s.exchange(ctx, network, at, dns.Question{Name: dns.Fqdn(name), Qtype: qtype})
		if err != nil {
			return nil, err
		}
		if m.Truncated && network == "udp" {
			continue
		}
		if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
			return nil, &net.DNSError{Err: "server misbehaving: " + dns.RcodeToString[m.Rcode], Name: hostName(name), Server: at.host, IsTemporary: true}
		}
		if len(m.Answer) == 0 && len(m.Ns) > 0 && m.Ns[0].Header().Rrtype == dns.TypeNS {
			return nil, &net.DNSError{Err: "delegated to nameservers that are not of this world", Name: hostName(name), Server: at.host, IsTemporary: true}
		}
		return m, nil
	}
	return nil, &net.DNSError{Err: "answer truncated over TCP", Name: hostName(name), Server: at.host}
}

func (s *Sandbox) exchange(ctx context.Context, network string, at server, asked dns.Question) (*dns.Msg, error) {
	raw, err := s.connect(ctx, network, s.places.find(at.place, ipv4))
	if err != nil {
		return nil, err
	}
	raw = s.ways.keep(raw, way{from: resolverEgress(ipv4), to: at.host})
	defer raw.Close()
	question := new(dns.Msg).SetQuestion(asked.Name, asked.Qtype)
	question.RecursionDesired = false
	client := dns.Client{Timeout: askPatience}
	m, _, err := client.ExchangeWithConnContext(ctx, question, &dns.Conn{Conn: raw, UDPSize: maxUDP})
	if err != nil {
		var timeout net.Error
		slow := errors.As(err, &timeout) && timeout.Timeout()
		return nil, &net.DNSError{UnwrapErr: err, Err: err.Error(), Name: hostName(asked.Name), Server: at.host, IsTimeout: slow, IsTemporary: true}
	}
	return m, nil
}

// lookup resolves a name as any machine on the internet would. Every error is
// a *net.DNSError, except those of sockets.
func (s *Sandbox) lookup(ctx context.Context, name string, f family) ([]netip.Addr, error) {
	asked := name
	for range maxChain {
		if fixed := ofFamily(serverAddrs(name), f); len(fixed) > 0 {
			return fixed, nil
		}
		servers, ok := s.authorityOf(name)
		if !ok {
			break
		}
		m, err := s.ask(ctx, servers, name, addressType(f))
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

func ofFamily(addrs []netip.Addr, f family) []netip.Addr {
	return slices.DeleteFunc(addrs, func(a netip.Addr) bool { return familyOf(a) != f })
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
