package sandbox

import (
	"net/netip"

	"github.com/miekg/dns"
)

// whoamiKind is a DNS question whose answer is the address that asks.
type whoamiKind struct {
	echo      string // its name in the catalogue, and of its faults
	authority bool   // answered by the name's own server, which does not recurse
	ttl       uint32
}

// whoamiOf recognises the whoami questions. All four real ones set AA; those
// of Google and Akamai come from authorities, and so without RA.
func whoamiOf(q *query) (kind whoamiKind, ok bool) {
	switch {
	case q.qclass == dns.ClassCHAOS && q.qtype == dns.TypeTXT && q.name == "whoami.cloudflare":
		return whoamiKind{echo: "cloudflare-dns"}, true
	case q.qclass != dns.ClassINET:
		return whoamiKind{}, false
	}
	switch q.name {
	case "o-o.myaddr.l.google.com":
		return whoamiKind{echo: "google-dns", authority: true, ttl: 60}, true
	case "myip.opendns.com":
		return whoamiKind{echo: "opendns"}, true
	case "whoami.akamai.net":
		return whoamiKind{echo: "akamai-dns", authority: true, ttl: 180}, true
	}
	return whoamiKind{}, false
}

// whoami says the address of whoever asks: another machine's, if the question
// came from one, else the home's, of the family that it came by.
func (s *Sandbox) whoami(q *query, kind whoamiKind) *dns.Msg {
	wan := s.wan(q.family)
	if q.way.from.IsValid() {
		wan = q.way.from
	}
	if !wan.IsValid() {
		return nil
	}
	said := []netip.Addr{wan}
	if q.over != "https" { // there the echo is the site, and has had its faults
		fault, faulty := s.takeFault("echo:" + kind.echo)
		if !faulty && q.over == "tcp" { // the catalogue has the TCP way of some as a source of its own
			fault, faulty = s.takeFault("echo:" + kind.echo + "-tcp")
		}
		if faulty {
			if m, done := faultyDNS(q, fault); done {
				return m
			}
			said = fault.distort(wan)
			if len(said) == 0 {
				return q.reply(dns.RcodeServerFailure)
			}
		}
	}
	return q.tell(kind, said)
}

// tell answers with addresses: in words for TXT, as records for the type of
// the family, not at all for other types.
func (q *query) tell(kind whoamiKind, said []netip.Addr) *dns.Msg {
	m := q.reply(dns.RcodeSuccess)
	m.Authoritative = true
	m.RecursionAvailable = !kind.authority
	inWords := kind.echo == "cloudflare-dns" || kind.echo == "google-dns"
	for _, a := range said {
		switch {
		case inWords && q.qtype == dns.TypeTXT:
			hdr := dns.RR_Header{Name: q.owner(), Rrtype: dns.TypeTXT, Class: q.qclass, Ttl: kind.ttl}
			m.Answer = append(m.Answer, &dns.TXT{Hdr: hdr, Txt: []string{a.String()}})
		case !inWords && q.qtype == addressType(familyOf(a)):
			m.Answer = append(m.Answer, addressRR(q.owner(), kind.ttl, a))
		}
	}
	return m
}
