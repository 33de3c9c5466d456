package sandbox

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// header starts a record of class IN.
func header(owner string, rrtype uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: owner, Rrtype: rrtype, Class: dns.ClassINET, Ttl: ttl}
}

// addressType returns the type of record that holds an address of a family.
func addressType(f family) uint16 {
	if f == ipv6 {
		return dns.TypeAAAA
	}
	return dns.TypeA
}

// familyOfType is the reverse of addressType; ok is false for other types.
func familyOfType(qtype uint16) (f family, ok bool) {
	switch qtype {
	case dns.TypeA:
		return ipv4, true
	case dns.TypeAAAA:
		return ipv6, true
	}
	return 0, false
}

func addressRR(owner string, ttl uint32, a netip.Addr) dns.RR {
	a = a.Unmap()
	if a.Is4() {
		return &dns.A{Hdr: header(owner, dns.TypeA, ttl), A: net.IP(a.AsSlice())}
	}
	return &dns.AAAA{Hdr: header(owner, dns.TypeAAAA, ttl), AAAA: net.IP(a.AsSlice())}
}

func addressRRs(owner string, ttl uint32, addrs []netip.Addr) []dns.RR {
	var rrs []dns.RR
	for _, a := range addrs {
		rrs = append(rrs, addressRR(owner, ttl, a))
	}
	return rrs
}

// ttl is the TTL on the wire, in seconds.
func (r record) ttl() uint32 {
	if r.TTL <= 1 {
		return autoTTL
	}
	return uint32(r.TTL)
}

// wire turns a record into what DNS sends; ok is false for content that
// cannot be sent.
func (r record) wire(owner string) (rr dns.RR, ok bool) {
	hdr := func(rrtype uint16) dns.RR_Header { return header(owner, rrtype, r.ttl()) }
	switch r.Type {
	case "A", "AAAA":
		a, err := netip.ParseAddr(r.Content)
		if err != nil {
			return nil, false
		}
		return addressRR(owner, r.ttl(), a), true
	case "NS":
		return &dns.NS{Hdr: hdr(dns.TypeNS), Ns: dns.Fqdn(r.Content)}, true
	case "TXT":
		return &dns.TXT{Hdr: hdr(dns.TypeTXT), Txt: textParts(r.Content)}, true
	case "MX":
		mx := &dns.MX{Hdr: hdr(dns.TypeMX), Mx: dns.Fqdn(r.Content)}
		if r.Priority != nil {
			mx.Preference = uint16(*r.Priority)
		}
		return mx, true
	}
	return r.parsed(owner)
}

// parsed leaves the types with many parts to the library's reader of zone files.
func (r record) parsed(owner string) (dns.RR, bool) {
	content := r.Content
	if strings.ContainsAny(content, "\r\n") {
		return nil, false
	}
	if r.Priority != nil {
		content = fmt.Sprintf("%d %s", *r.Priority, content)
	}
	rr, err := dns.NewRR(fmt.Sprintf(". %d IN %s %s", r.ttl(), r.Type, content))
	if err != nil || rr == nil {
		return nil, false
	}
	rr.Header().Name = owner
	return rr, true
}

// textParts cuts a TXT record's content into strings of at most 255 bytes. A
// content in quotes, as dashboards like it, is cut where its quotes say.
func textParts(content string) []string {
	if strings.HasPrefix(content, `"`) && !strings.ContainsAny(content, "\r\n") {
		if rr, err := dns.NewRR(". 1 IN TXT " + content); err == nil && rr != nil {
			return rr.(*dns.TXT).Txt
		}
	}
	escape := strings.NewReplacer(`\`, `\\`) // the library reads backslashes as a zone file does
	var parts []string
	for len(content) > 255 {
		parts = append(parts, escape.Replace(content[:255]))
		content = content[255:]
	}
	return append(parts, escape.Replace(content))
}
