package sandbox

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// echo is a service of the world that tells whoever asks their own address.
type echo struct {
	name     string // as the catalogue of cfddns calls it; its faults are on "echo:NAME"
	operator string
	kind     string // "https", "stun", "dns"
	// By family, the addresses by which the world knows it: HOST:PORT.
	ipv4, ipv6 []string
	path       string // where the real one answers, "/" if empty; https only
	place      string // the service that answers for it; dns only
}

// echoTable lists all of them. Host names that serve both families stand in both lists.
func echoTable() []echo {
	return []echo{
		{name: "cloudflare", operator: "cloudflare", kind: "https", path: "/cdn-cgi/trace",
			ipv4: https("www.cloudflare.com", "connectivity.cloudflareclient.com"),
			ipv6: https("www.cloudflare.com", "connectivity.cloudflareclient.com")},
		{name: "amazon", operator: "amazon", kind: "https",
			ipv4: https("checkip.amazonaws.com", "checkip.global.api.aws"), ipv6: https("checkip.global.api.aws")},
		{name: "google", operator: "google", kind: "stun",
			ipv4: []string{"stun.l.google.com:19302", "stun1.l.google.com:19302", "stun2.l.google.com:19302"},
			ipv6: []string{"stun.l.google.com:19302", "stun1.l.google.com:19302", "stun2.l.google.com:19302"}},
		{name: "akamai", operator: "akamai", kind: "https",
			ipv4: https("whatismyip.akamai.com"), ipv6: https("whatismyip.akamai.com", "ipv6.whatismyip.akamai.com")},
		{name: "identme", operator: "identme", kind: "https",
			ipv4: https("v4.ident.me", "v4.tnedi.me", "ident.me"), ipv6: https("v6.ident.me", "v6.tnedi.me", "ident.me")},
		{name: "desec", operator: "desec", kind: "https",
			ipv4: https("checkipv4.dedyn.io"), ipv6: https("checkipv6.dedyn.io")},
		{name: "nsupdate", operator: "nsupdate", kind: "https", path: "/myip",
			ipv4: https("ipv4.nsupdate.info"), ipv6: https("ipv6.nsupdate.info")},
		{name: "nnev", operator: "nnev", kind: "https",
			ipv4: https("ip4.nnev.de"), ipv6: https("ip6.nnev.de")},
		{name: "ipify", operator: "ipify", kind: "https",
			ipv4: https("api4.ipify.org", "api.ipify.org", "api64.ipify.org"), ipv6: https("api6.ipify.org", "api64.ipify.org")},
		{name: "icanhazip", operator: "cloudflare", kind: "https",
			ipv4: https("ipv4.icanhazip.com", "icanhazip.com"), ipv6: https("ipv6.icanhazip.com", "icanhazip.com")},
		{name: "cloudflare-doh", operator: "cloudflare", kind: "https",
			ipv4: https("cloudflare-dns.com", "one.one.one.one", "1.1.1.1"),
			ipv6: https("cloudflare-dns.com", "one.one.one.one", "2606:4700:4700::1111")},
		{name: "google-doh", operator: "google", kind: "https",
			ipv4: https("dns.google", "8.8.8.8"), ipv6: https("dns.google", "2001:4860:4860::8888")},
		{name: "cloudflare-stun", operator: "cloudflare", kind: "stun",
			ipv4: []string{"stun.cloudflare.com:3478", "stun.cloudflare.com:53"},
			ipv6: []string{"stun.cloudflare.com:3478", "stun.cloudflare.com:53"}},
		{name: "nextcloud-stun", operator: "nextcloud", kind: "stun",
			ipv4: []string{"stun.nextcloud.com:3478", "stun.nextcloud.com:443"},
			ipv6: []string{"stun.nextcloud.com:3478", "stun.nextcloud.com:443"}},
		{name: "cloudflare-dns", operator: "cloudflare", kind: "dns", place: resolverPlace("1.1.1.1"),
			ipv4: port53("1.1.1.1", "1.0.0.1", "one.one.one.one"),
			ipv6: port53("2606:4700:4700::1111", "2606:4700:4700::1001", "one.one.one.one")},
		{name: "google-dns", operator: "google", kind: "dns", place: placeDNS,
			ipv4: port53("216.239.32.10", "ns1.google.com"), ipv6: port53("2001:4860:4802:32::a", "ns1.google.com")},
		{name: "opendns", operator: "opendns", kind: "dns", place: resolverPlace("208.67.222.222"),
			ipv4: port53("208.67.222.222", "208.67.220.220", "resolver1.opendns.com", "resolver2.opendns.com", "dns.opendns.com"),
			ipv6: port53("2620:119:35::35", "2620:119:53::53", "resolver1.opendns.com", "resolver2.opendns.com", "dns.opendns.com")},
		{name: "akamai-dns", operator: "akamai", kind: "dns", place: placeDNS,
			ipv4: port53("193.108.88.1", "ns1-1.akamaitech.net"), ipv6: port53("2600:1401:2::1", "ns1-1.akamaitech.net")},
	}
}

func https(hosts ...string) []string  { return withPort("443", hosts) }
func port53(hosts ...string) []string { return withPort("53", hosts) }

func withPort(port string, hosts []string) []string {
	all := make([]string, len(hosts))
	for i, host := range hosts {
		all[i] = net.JoinHostPort(host, port)
	}
	return all
}

func (e echo) hosts(f family) []string {
	if f == ipv6 {
		return e.ipv6
	}
	return e.ipv4
}

// speaks reports whether the echo answers over "tcp" or "udp".
func (e echo) speaks(network string) bool {
	switch e.kind {
	case "https":
		return network == "tcp"
	case "stun":
		return network == "udp"
	}
	return true
}

// at is the name under which places knows the listener of an echo.
func (e echo) at() string {
	if e.place != "" {
		return e.place
	}
	return "echo:" + e.name
}

// startEchoes serves every echo on ports of its own, except for the DNS ones,
// which the nameservers and the resolver answer.
func (s *Sandbox) startEchoes() error {
	for _, e := range echoTable() {
		var at map[family]string
		var err error
		switch e.kind {
		case "https":
			at, err = s.serveEchoSite(e)
		case "stun":
			at, err = s.serveSTUN(e)
		default:
			continue
		}
		if err != nil {
			return fmt.Errorf("starting the echo %s: %w", e.name, err)
		}
		s.places.put(e.at(), at)
	}
	return nil
}

// echoes lists the echoes that a client without a World can ask, for the
// families that the home has. Those for IPv6 have names that end in "-ipv6";
// their faults are on the name without it.
func (s *Sandbox) echoes() []EchoInfo {
	var list []EchoInfo
	for _, f := range bothFamilies {
		if !s.wan(f).IsValid() {
			continue
		}
		for _, e := range echoTable() {
			info := EchoInfo{Name: e.name, Operator: e.operator, Kind: e.kind, Address: s.places.find(e.at(), f)}
			if e.kind == "https" {
				info.Address = "https://" + info.Address + "/"
			}
			if f == ipv6 {
				info.Name += "-ipv6"
			}
			list = append(list, info)
		}
	}
	return list
}

func (s *Sandbox) serveEchoSite(e echo) (map[family]string, error) {
	var hosts []string
	for _, f := range bothFamilies {
		for _, hostport := range e.hosts(f) {
			hosts = append(hosts, hostOf(hostport))
		}
	}
	slices.Sort(hosts)
	cert, err := s.certificateOf(slices.Compact(hosts)...)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", s.echoText(e))
	switch {
	case e.path == "/cdn-cgi/trace":
		mux.HandleFunc(e.path, s.trace)
	case e.path != "":
		mux.HandleFunc(e.path, s.echoText(e))
	}
	if strings.HasSuffix(e.name, "-doh") {
		mux.HandleFunc("/dns-query", s.doh(e))
	}
	return s.serveSite(site{certificate: cert, handler: mux})
}

// echoText answers the caller's address as one line. Every https echo does so
// at "/", also those whose real ones speak another way elsewhere.
func (s *Sandbox) echoText(e echo) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		wan := s.callerOf(r)
		if !wan.IsValid() { // nobody can have come this way
			hangUp(w)
			return
		}
		text := wan.String()
		if fault, ok := s.takeFault("echo:" + e.name); ok {
			if s.faultySite(w, r, fault) {
				return
			}
			text = fault.told(wan)
		}
		say(w, http.StatusOK, "text/plain;charset=UTF-8", text+"\n")
	}
}

// faultySite makes the faults of an echo, or of Duck DNS, that are not about
// what it tells; it is false for those.
func (s *Sandbox) faultySite(w http.ResponseWriter, r *http.Request, f Fault) bool {
	switch f.Do {
	case "hang":
		s.hang(w, r)
	case "drop":
		hangUp(w)
	case "500", "done-but-500":
		say(w, http.StatusInternalServerError, "text/plain", "45.67.89.99 is what this would say if it worked\n")
	case "429":
		wait := f.Value
		if wait == "" {
			wait = "60"
		}
		w.Header().Set("Retry-After", wait)
		say(w, http.StatusTooManyRequests, "text/plain", "Too Many Requests\n")
	case "portal":
		w.Header().Set("Set-Cookie", "session=45.67.89.98; Path=/")
		say(w, http.StatusOK, "text/html; charset=utf-8", loginPage)
	case "html":
		w.Header().Set("Server", "cloudflare")
		say(w, http.StatusBadGateway, "text/html; charset=UTF-8", badGateway)
	case "challenge":
		w.Header().Set("Server", "cloudflare")
		challenge(w)
	case "redirect":
		w.Header().Set("Location", "http://login.example/")
		say(w, http.StatusFound, "text/plain", "45.67.89.97\n")
	case "huge":
		pour(w)
	default:
		return false
	}
	return true
}

// told is what a faulty echo tells instead of the truth, as text.
func (f Fault) told(truth netip.Addr) string {
	if _, err := netip.ParseAddr(f.Value); f.Do == "lie" && err != nil {
		return f.Value
	}
	addrs := f.distort(truth)
	if len(addrs) == 0 {
		return truth.String()
	}
	var words []string
	for _, a := range addrs {
		words = append(words, a.String())
	}
	return strings.Join(words, ", ")
}

// distort returns the addresses that a faulty echo tells instead of the true
// one, none if the fault is of another kind. A lie about the other family
// leaves this one as it is.
func (f Fault) distort(truth netip.Addr) []netip.Addr {
	other := netip.AddrFrom4([4]byte{45, 67, 89, 96})
	private := netip.AddrFrom4([4]byte{10, 0, 0, 7})
	strange := netip.MustParseAddr("2a01:4f8:1:2::96")
	if familyOf(truth) == ipv6 {
		other, strange = strange, other
		private = netip.MustParseAddr("fd00::7")
	}
	switch f.Do {
	case "lie":
		lie, err := netip.ParseAddr(f.Value)
		if err != nil {
			return nil
		}
		if familyOf(lie) != familyOf(truth) {
			return []netip.Addr{truth}
		}
		return []netip.Addr{lie}
	case "twice":
		return []netip.Addr{truth, other}
	case "private":
		return []netip.Addr{private}
	case "wrong-family":
		return []netip.Addr{strange}
	}
	return nil
}
