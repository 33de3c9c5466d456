package sandbox

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// homeResolver is the resolver of the home's own machine, which remembers
// nothing: the story's visitors are somebody else every time.
const homeResolver = "home"

// quad9 is the resolver that has no echo.
const quad9 = "9.9.9.9"

// resolverNames are the public resolvers, each with a memory of its own.
func resolverNames() []string { return []string{"1.1.1.1", "8.8.8.8", quad9, "208.67.222.222"} }

// resolverOf returns which public resolver a host is, "" for none.
func resolverOf(host string) string {
	switch host {
	case "1.1.1.1", "1.0.0.1", "one.one.one.one", "2606:4700:4700::1111", "2606:4700:4700::1001":
		return "1.1.1.1"
	case "8.8.8.8", "8.8.4.4", "dns.google", "2001:4860:4860::8888", "2001:4860:4860::8844":
		return "8.8.8.8"
	case quad9, "149.112.112.112", "dns.quad9.net", "2620:fe::fe", "2620:fe::9":
		return quad9
	case "208.67.222.222", "208.67.220.220", "2620:119:35::35", "2620:119:53::53":
		return "208.67.222.222"
	}
	return ""
}

// resolverPlace is the name under which places knows a resolver.
func resolverPlace(name string) string { return "resolver:" + name }

// resolver answers whatever it is asked: it asks the right nameserver, and
// remembers what that said as long as the answer's TTL allows (RFC 1035), a
// denial as long as the zone's SOA says (RFC 2308).
type resolver struct {
	s    *Sandbox
	name string

	mu    sync.Mutex // guards the following
	cache map[question]remembered
}

type question struct {
	name  string
	qtype uint16
}

// remembered is an answer, and when it was got.
type remembered struct {
	m   *dns.Msg
	at  time.Time
	ttl time.Duration
}

// maxRemembered is how many answers a resolver keeps; then it forgets all.
const maxRemembered = 10_000

func newResolvers(s *Sandbox) map[string]*resolver {
	all := map[string]*resolver{homeResolver: {s: s, name: homeResolver}}
	for _, name := range resolverNames() {
		all[name] = &resolver{s: s, name: name}
	}
	return all
}

// startResolvers serves the resolvers over UDP and TCP. Over HTTPS those that
// are echoes too are served with them.
func (s *Sandbox) startResolvers() error {
	for name, r := range s.resolvers {
		at, err := s.serveDNS("", r.answer)
		if err != nil {
			return err
		}
		s.places.put(resolverPlace(name), at)
	}
	at, err := s.serveEchoSite(echo{name: "quad9-doh", operator: "quad9", kind: "https",
		ipv4: https("dns.quad9.net", quad9), ipv6: https("dns.quad9.net", "2620:fe::fe")})
	if err != nil {
		return err
	}
	s.places.put(placeQuad9, at)
	return nil
}

// FlushResolvers makes every resolver forget what it remembers.
func (s *Sandbox) FlushResolvers() {
	for _, r := range s.resolvers {
		r.mu.Lock()
		r.cache = nil
		r.mu.Unlock()
	}
}

// Pass lets time pass for what the resolvers remember, and for nothing else.
func (s *Sandbox) Pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passed += d
}

func (s *Sandbox) resolverTime() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.passed)
}

// answer answers one question.
func (r *resolver) answer(q *query) *dns.Msg {
	fault, faulty := r.s.takeFault("resolver:" + r.name)
	if faulty {
		if m, done := faultyDNS(q, fault); done {
			return m
		}
	}
	if kind, ok := whoamiOf(q); ok {
		if kind.authority {
			m := q.tell(kind, []netip.Addr{resolverEgress(q.family)})
			m.Authoritative, m.RecursionAvailable = false, true
			return m
		}
		return r.s.whoami(q, kind)
	}
	if q.qclass != dns.ClassINET {
		return q.reply(dns.RcodeRefused)
	}
	m := r.known(q)
	if m == nil {
		m = r.s.recurse(q)
		r.remember(q, m)
	}
	if lie, ok := fault.lie(); faulty && ok && q.qtype == addressType(familyOf(lie)) {
		m = q.reply(dns.RcodeSuccess)
		m.Answer = []dns.RR{addressRR(q.owner(), autoTTL, lie)}
	}
	m.RecursionAvailable = true
	return m
}

// known returns what the resolver remembers, with the time that is left of
// its TTL; nil if it must ask.
func (r *resolver) known(q *query) *dns.Msg {
	now := r.s.resolverTime()
	r.mu.Lock()
	old, ok := r.cache[question{q.name, q.qtype}]
	r.mu.Unlock()
	passed := now.Sub(old.at)
	if !ok || passed >= old.ttl {
		return nil
	}
	m := q.reply(old.m.Rcode)
	age := func(rrs []dns.RR) (aged []dns.RR) {
		for _, rr := range rrs {
			rr = dns.Copy(rr)
			rr.Header().Ttl -= min(rr.Header().Ttl, uint32(passed.Seconds()))
			if hostName(rr.Header().Name) == q.name {
				rr.Header().Name = q.owner()
			}
			aged = append(aged, rr)
		}
		return aged
	}
	m.Answer, m.Ns = age(old.m.Answer), age(old.m.Ns)
	return m
}

func (r *resolver) remember(q *query, m *dns.Msg) {
	ttl, ok := lifetime(m)
	if r.name == homeResolver || !ok {
		return
	}
	now := r.s.resolverTime()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cache == nil || len(r.cache) >= maxRemembered {
		r.cache = make(map[question]remembered)
	}
	r.cache[question{q.name, q.qtype}] = remembered{m: m.Copy(), at: now, ttl: ttl}
}

// lifetime is how long an answer may be remembered; ok is false for one that
// may not.
func lifetime(m *dns.Msg) (ttl time.Duration, ok bool) {
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return 0, false
	}
	var seconds []uint32
	for _, rr := range m.Answer {
		seconds = append(seconds, rr.Header().Ttl)
	}
	for _, rr := range m.Ns {
		if soa, is := rr.(*dns.SOA); is {
			seconds = append(seconds, soa.Hdr.Ttl, soa.Minttl)
		}
	}
	if len(seconds) == 0 {
		return 0, false
	}
	return time.Duration(slices.Min(seconds)) * time.Second, true
}

// delegation answers what the registries know: which nameservers a zone has,
// and where those are. It does not hang on whether they answer.
func (s *Sandbox) delegation(q *query) (m *dns.Msg, ok bool) {
	m = q.reply(dns.RcodeSuccess)
	if addrs := s.addressesOf(q.name); addrs != nil {
		for _, a := range addrs {
			if q.qtype == addressType(familyOf(a)) {
				m.Answer = append(m.Answer, addressRR(q.owner(), nsTTL, a))
			}
		}
		return m, true
	}
	hosts := s.delegated(q.name)
	if q.qtype != dns.TypeNS || hosts == nil {
		return nil, false
	}
	for _, host := range hosts {
		m.Answer = append(m.Answer, &dns.NS{Hdr: header(q.owner(), dns.TypeNS, nsTTL), Ns: dns.Fqdn(host)})
	}
	return m, true
}

// delegated returns the nameservers that the registrar has for a zone; nil if
// the name is no zone here.
func (s *Sandbox) delegated(name string) []string {
	if name == duckDomain {
		return duckServers()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, z := range s.zones {
		if z.Name == name {
			if z.Delegated != nil {
				return z.Delegated
			}
			return z.NameServers
		}
	}
	return nil
}

// authority is who answers for a name: where its nameservers listen, and what
// they are called. With no host, the registrar names none that would know.
type authority struct {
	place string
	hosts []string
}

// authorityOf finds the nameservers of a name; ok is false for names that do
// not exist in this world.
func (s *Sandbox) authorityOf(name string) (a authority, ok bool) {
	if n, ok := s.nodeAt(name); ok {
		hosts := n.zone.NameServers
		if n.zone.Delegated != nil {
			hosts = slices.DeleteFunc(slices.Clone(n.zone.Delegated), func(host string) bool {
				return !slices.Contains(n.zone.NameServers, strings.ToLower(host))
			})
		}
		return authority{placeDNS, hosts}, true
	}
	if name == duckDomain || hasSuffixLabel(name, duckDomain) {
		return authority{placeDuckDNS, duckServers()}, true
	}
	return authority{}, false
}
