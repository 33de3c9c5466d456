package sandbox

import (
	"context"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

const (
	autoTTL  = 300  // what "auto" means, and what proxied names always have
	soaTTL   = 1800 // how long a resolver may remember that a name is not there
	nsTTL    = 86400
	maxChain = 8 // CNAMEs followed before a chain counts as a loop
)

// startNameservers serves all zones authoritatively, over UDP and TCP, as the
// two nameservers that Cloudflare assigns to each do. The whoami questions of
// Cloudflare, Google, OpenDNS and Akamai are answered there too.
func (s *Sandbox) startNameservers() error {
	at, err := s.serveDNS(s.cfg.DNS, s.answerAuthority)
	if err != nil {
		return err
	}
	s.places.put(placeDNS, at)
	return nil
}

func (s *Sandbox) answerAuthority(q *query) *dns.Msg {
	if kind, ok := whoamiOf(q); ok {
		return s.whoami(q, kind)
	}
	if q.qclass != dns.ClassINET {
		return q.reply(dns.RcodeRefused)
	}
	fault, faulty := s.takeFaultAt("dns", q.way.to)
	if faulty {
		if m, done := faultyDNS(q, fault); done {
			return m
		}
	}
	m := s.zoneAnswer(q)
	if lie, ok := fault.lie(); faulty && ok && m.Authoritative {
		if q.qtype == addressType(familyOf(lie)) {
			m.Rcode, m.Ns = dns.RcodeSuccess, nil
			m.Answer = []dns.RR{addressRR(q.owner(), autoTTL, lie)}
		}
	}
	return m
}

// faultyDNS makes the faults that any DNS server may have; done is false for
// those that concern what it says.
func faultyDNS(q *query, f Fault) (m *dns.Msg, done bool) {
	switch f.Do {
	case "hang":
		return nil, true
	case "drop":
		q.cut = true
		return nil, true
	case "500", "servfail", "html", "huge", "portal", "done-but-500":
		return q.reply(dns.RcodeServerFailure), true
	case "429", "refused":
		return q.reply(dns.RcodeRefused), true
	}
	return nil, false
}

// zoneAnswer answers from the zones: the name itself, and what its CNAMEs
// lead to as long as they stay in here.
func (s *Sandbox) zoneAnswer(q *query) *dns.Msg {
	m := q.reply(dns.RcodeSuccess)
	name, owner := q.name, q.owner()
	for range maxChain {
		n, ok := s.nodeAt(name)
		if !ok { // a CNAME left our zones: the resolver goes on elsewhere
			break
		}
		if m.Ns = s.referral(n); len(m.Ns) > 0 {
			return m
		}
		m.Authoritative = true
		if !n.exists {
			m.Rcode, m.Ns = dns.RcodeNameError, []dns.RR{n.soa()}
			return m
		}
		rrs, target, err := s.answerAt(n, owner, q.qtype)
		if err != nil {
			return q.reply(dns.RcodeServerFailure)
		}
		m.Answer = append(m.Answer, rrs...)
		if target == "" {
			if len(rrs) == 0 {
				m.Ns = []dns.RR{n.soa()}
			}
			return m
		}
		name, owner = target, dns.Fqdn(target)
	}
	if !m.Authoritative {
		return q.reply(dns.RcodeRefused)
	}
	return m
}

// answerAt returns the records of one type at a node. A CNAME stands for every
// other type: then target is the name to go on with.
func (s *Sandbox) answerAt(n node, owner string, qtype uint16) (rrs []dns.RR, target string, err error) {
	if qtype == dns.TypeANY { // RFC 8482: a small answer is enough
		return []dns.RR{&dns.HINFO{Hdr: header(owner, dns.TypeHINFO, 3600), Cpu: "RFC8482"}}, "", nil
	}
	if f, ok := familyOfType(qtype); ok && n.proxied() {
		return addressRRs(owner, autoTTL, n.zone.edgeAddrs(f)), "", nil
	}
	if alias, ok := n.alias(); ok && !n.proxied() {
		if n.name == n.zone.Name { // a CNAME at the apex is always flattened
			if f, ok := familyOfType(qtype); ok {
				return s.flatten(owner, alias, f)
			}
		} else {
			rrs = append(rrs, &dns.CNAME{Hdr: header(owner, dns.TypeCNAME, alias.ttl()), Target: dns.Fqdn(alias.Content)})
			if qtype == dns.TypeCNAME {
				return rrs, "", nil
			}
			return rrs, hostName(alias.Content), nil
		}
	}
	return n.ofType(owner, qtype), "", nil
}

func (s *Sandbox) flatten(owner string, alias record, f family) ([]dns.RR, string, error) {
	addrs, err := s.originAddrs(context.Background(), hostName(alias.Content), f)
	if err != nil && !isNotFound(err) {
		return nil, "", err
	}
	return addressRRs(owner, alias.ttl(), addrs), "", nil
}

// node is all that a zone knows of one name.
type node struct {
	name    string
	zone    zone // without its records
	exists  bool // something is at the name or below it
	records []record
	serial  uint32
}

// nodeAt finds a name in the zone that holds it; ok is false if none does. A
// wildcard stands in for a name that does not exist (RFC 4592).
func (s *Sandbox) nodeAt(name string) (n node, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var in *zone
	for _, z := range s.zones {
		if (name == z.Name || hasSuffixLabel(name, z.Name)) && (in == nil || len(z.Name) > len(in.Name)) {
			in = z
		}
	}
	if in == nil {
		return node{}, false
	}
	n = node{name: name, zone: *in, serial: uint32(s.started.Unix())}
	n.zone.Records = nil
	n.records, n.exists = in.at(name)
	for closest := name; !n.exists; {
		_, closest, _ = strings.Cut(closest, ".")
		if _, exists := in.at(closest); exists {
			n.records, _ = in.at("*." + closest)
			n.exists = len(n.records) > 0
			break
		}
	}
	for _, r := range in.Records {
		n.serial = max(n.serial, uint32(r.Modified.Unix()))
	}
	return n, true
}

// at returns copies of the records at a name, and whether the name exists:
// one without records does if something is below it.
func (z *zone) at(name string) (records []record, exists bool) {
	exists = name == z.Name
	for _, r := range z.Records {
		if r.Name == name {
			records = append(records, *r)
			exists = true
		} else if hasSuffixLabel(r.Name, name) {
			exists = true
		}
	}
	return records, exists
}

// proxied reports whether visitors of the name go through the edge. In a
// paused or pending zone nobody does.
func (n node) proxied() bool {
	for _, r := range n.records {
		if r.Proxied && !n.zone.Paused && n.zone.Status != "pending" {
			return true
		}
	}
	return false
}

func (n node) alias() (record, bool) {
	for _, r := range n.records {
		if r.Type == "CNAME" {
			return r, true
		}
	}
	return record{}, false
}

func (n node) addrs(f family) []netip.Addr {
	var addrs []netip.Addr
	for _, r := range n.records {
		if a, err := netip.ParseAddr(r.Content); err == nil && r.Type == dns.TypeToString[addressType(f)] {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

// ofType turns the records of a type into what goes on the wire. At the apex
// the zone's nameservers and its start of authority are among them.
func (n node) ofType(owner string, qtype uint16) []dns.RR {
	var rrs []dns.RR
	if n.name == n.zone.Name {
		switch qtype {
		case dns.TypeSOA:
			return []dns.RR{n.soa()}
		case dns.TypeNS:
			for _, host := range n.zone.NameServers {
				rrs = append(rrs, &dns.NS{Hdr: header(owner, dns.TypeNS, nsTTL), Ns: dns.Fqdn(host)})
			}
		}
	}
	for _, r := range n.records {
		if r.Type != dns.TypeToString[qtype] || r.Type == "CNAME" {
			continue
		}
		if rr, ok := r.wire(owner); ok {
			rrs = append(rrs, rr)
		}
	}
	return rrs
}

func (n node) soa() dns.RR {
	primary := "ns.cloudflare.com"
	if len(n.zone.NameServers) > 0 {
		primary = n.zone.NameServers[0]
	}
	return &dns.SOA{
		Hdr: header(dns.Fqdn(n.zone.Name), dns.TypeSOA, soaTTL), Ns: dns.Fqdn(primary), Mbox: "dns.cloudflare.com.",
		Serial: n.serial, Refresh: 10000, Retry: 2400, Expire: 604800, Minttl: soaTTL,
	}
}
