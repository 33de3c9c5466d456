package sandbox

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

const (
	duckDomain = "duckdns.org"
	duckTTL    = 60
)

// startDuckDNS serves Duck DNS: the update URL, and the DNS of duckdns.org.
// While it is down neither answers: connections are cut, questions dropped.
func (s *Sandbox) startDuckDNS() error {
	cert, err := s.certificateOf(duckDomain, "www."+duckDomain)
	if err != nil {
		return err
	}
	api, err := s.serveSite(site{certificate: cert, handler: http.HandlerFunc(s.duckHTTP)})
	if err != nil {
		return err
	}
	s.places.put(placeDuckAPI, api)
	servers, err := s.serveDNS("", s.answerDuck)
	if err != nil {
		return err
	}
	s.places.put(placeDuckDNS, servers)
	return nil
}

func (s *Sandbox) duckIsUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.duckUp
}

// duckHTTP serves GET /update?domains=a,b&token=T[&ip=][&ipv6=][&clear=true]
// [&verbose=true], which answers OK or KO, always with status 200.
// https://www.duckdns.org/spec.jsp
func (s *Sandbox) duckHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.duckIsUp() {
		hangUp(w)
		return
	}
	if fault, ok := s.takeFault("duckdns"); ok {
		if fault.Do == "done-but-500" {
			s.duckUpdate(r)
		}
		if s.faultySite(w, r, fault) {
			return
		}
	}
	if r.URL.Path != "/update" {
		http.NotFound(w, r)
		return
	}
	say(w, http.StatusOK, "text/plain; charset=utf-8", s.duckUpdate(r))
}

func (s *Sandbox) duckUpdate(r *http.Request) string {
	q := r.URL.Query()
	addrs, ok := duckAddrs(q.Get("ip"), q.Get("ipv6"), s.callerOf(r))
	if !ok || q.Get("token") == "" {
		return "KO"
	}
	if q.Get("clear") == "true" {
		addrs = nil
	}
	changed, ok := s.setDuckHosts(strings.Split(q.Get("domains"), ","), addrs)
	if !ok {
		return "KO"
	}
	if q.Get("verbose") != "true" {
		return "OK"
	}
	lines := map[family]string{}
	for _, a := range addrs {
		lines[familyOf(a)] = a.String()
	}
	word := "NOCHANGE"
	if changed {
		word = "UPDATED"
	}
	return strings.Join([]string{"OK", lines[ipv4], lines[ipv6], word}, "\n")
}

// duckAddrs reads the addresses of an update; none given means the caller's.
func duckAddrs(ip, ip6 string, caller netip.Addr) (addrs []netip.Addr, ok bool) {
	for _, text := range []string{ip, ip6} {
		if text == "" {
			continue
		}
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			return nil, false
		}
		addrs = append(addrs, a.Unmap())
	}
	if len(addrs) == 0 && caller.IsValid() {
		addrs = append(addrs, caller)
	}
	return addrs, len(addrs) > 0
}

// setDuckHosts points hosts at addresses; ok is false, and nothing changed, if
// one of them is not there: hosts are made on the website only.
func (s *Sandbox) setDuckHosts(hosts []string, addrs []netip.Addr) (changed, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, host := range hosts {
		hosts[i] = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(host)), "."+duckDomain)
		if _, there := s.duckHosts[hosts[i]]; !there {
			return false, false
		}
	}
	for _, host := range hosts {
		changed = changed || !slices.Equal(s.duckHosts[host], addrs)
		s.duckHosts[host] = addrs
	}
	return changed, true
}

// SetDuckHost says what a host of Duck DNS answers: "other" is
// other.duckdns.org. Without addresses it answers that it has none.
func (s *Sandbox) SetDuckHost(host string, addrs ...netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.duckHosts[strings.TrimSuffix(hostName(host), "."+duckDomain)] = addrs
}

// duckHost returns what a name below duckdns.org answers. Everything below a
// host answers as the host does.
func (s *Sandbox) duckHost(name string) (addrs []netip.Addr, ok bool) {
	host := strings.TrimSuffix(name, "."+duckDomain)
	host = host[strings.LastIndexByte(host, '.')+1:]
	s.mu.Lock()
	defer s.mu.Unlock()
	addrs, ok = s.duckHosts[host]
	return addrs, ok
}

func (s *Sandbox) answerDuck(q *query) *dns.Msg {
	if !s.duckIsUp() {
		return nil
	}
	fault, faulty := s.takeFaultAt("duckdns", q.way.to)
	if faulty {
		if m, done := faultyDNS(q, fault); done {
			return m
		}
	}
	if q.qclass != dns.ClassINET || q.name != duckDomain && !hasSuffixLabel(q.name, duckDomain) {
		return q.reply(dns.RcodeRefused)
	}
	m := q.reply(dns.RcodeSuccess)
	m.Authoritative = true
	addrs, ok := s.duckHost(q.name)
	if server := serverAddrs(q.name); server != nil {
		addrs, ok = server, true
	} else if lie, lies := fault.lie(); faulty && lies {
		addrs, ok = []netip.Addr{lie}, true
	}
	if q.name == duckDomain && q.qtype == dns.TypeNS {
		for _, host := range duckServers() {
			m.Answer = append(m.Answer, &dns.NS{Hdr: header(q.owner(), dns.TypeNS, 600), Ns: dns.Fqdn(host)})
		}
	}
	if !ok && q.name != duckDomain {
		m.Rcode = dns.RcodeNameError
	}
	for _, a := range addrs {
		if q.qtype == addressType(familyOf(a)) {
			m.Answer = append(m.Answer, addressRR(q.owner(), duckTTL, a))
		}
	}
	soa := &dns.SOA{
		Hdr: header(duckDomain+".", dns.TypeSOA, 600), Ns: "ns3." + duckDomain + ".", Mbox: "hostmaster." + duckDomain + ".",
		Serial: uint32(s.started.Unix()), Refresh: 6000, Retry: 120, Expire: 2419200, Minttl: 600,
	}
	switch {
	case q.name == duckDomain && q.qtype == dns.TypeSOA:
		m.Answer = append(m.Answer, soa)
	case len(m.Answer) == 0:
		m.Ns = []dns.RR{soa}
	}
	return m
}
