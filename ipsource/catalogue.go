package ipsource

import (
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/cfddns/cfddns/ddns"
)

// kind is a way to ask.
type kind int

const (
	viaHTTPS kind = iota + 1
	viaHTTP       // on loopback only
	viaTrace
	viaDoH
	viaSTUN
	viaDNS
	viaDNSOverTCP
	viaInterface
	viaRouter
	viaCommand
)

// traits are what the sources of a kind have in common.
type traits struct {
	class     ddns.Class
	transport string
	cost      int           // bytes on the wire for one question, names and certificates counted in
	limit     time.Duration // the longest wait for an answer, within a round of 4 s
}

func (k kind) traits() traits {
	switch k {
	case viaHTTPS:
		return traits{ddns.Authenticated, "https", 5500, 3 * time.Second}
	case viaTrace:
		return traits{ddns.Authenticated, "https", 5800, 3 * time.Second}
	case viaDoH:
		return traits{ddns.Authenticated, "https", 5900, 3 * time.Second}
	case viaHTTP:
		return traits{ddns.Plain, "http", 1200, 3 * time.Second}
	case viaSTUN:
		return traits{ddns.Plain, "stun", 184, 2 * time.Second}
	case viaDNS:
		return traits{ddns.Plain, "dns", 195, 2 * time.Second}
	case viaDNSOverTCP:
		return traits{ddns.Plain, "dns", 791, 2 * time.Second}
	case viaInterface:
		return traits{ddns.Witness, "interface", 0, time.Second}
	case viaRouter:
		return traits{ddns.Witness, "router", 1800, 3 * time.Second}
	default: // viaCommand
		return traits{ddns.Plain, "command", 0, 3 * time.Second}
	}
}

// entry is a source as data: one of the catalogue, or one of the person's own.
type entry struct {
	name     string
	operator string
	kind     kind
	// ipv4 and ipv6 are what is asked for the family: a URL, HOST:PORT or the
	// name of an interface; empty if the family is not served.
	ipv4, ipv6 string
	whoami     whoami   // the question, if the kind asks DNS
	command    []string // the program, if the kind is a command
	seen       string   // where the entry was seen in use, and when
}

// at returns what is asked for a family; empty if the family is not served.
func (e entry) at(family ddns.Family) string {
	if family == ddns.IPv6 {
		return e.ipv6
	}
	return e.ipv4
}

// defaultNames are the sources of "default": operators that serve the world
// first, a small one last.
func defaultNames(family ddns.Family) []string {
	if family == ddns.IPv6 {
		return []string{"cloudflare", "google", "amazon", "identme", "desec"}
	}
	return []string{"cloudflare", "amazon", "google", "akamai", "identme"}
}

// spareNames step in for sources of "default" that give no usable answer, three a
// family: that many small operators may be gone before anybody looks.
func spareNames(family ddns.Family) []string {
	if family == ddns.IPv6 {
		return []string{"nsupdate", "ipify", "nnev"}
	}
	return []string{"desec", "nsupdate", "ipify"}
}

// servesTheWorld reports whether an operator is large enough that, if it is
// silent, the line is to blame rather than the operator.
func servesTheWorld(operator string) bool {
	return slices.Contains([]string{"cloudflare", "amazon", "google", "akamai", "opendns"}, operator)
}

// DNS questions that are answered with the address of the one who asks.
func chaosWhoami() whoami {
	return whoami{name: "whoami.cloudflare.", qtype: dns.TypeTXT, class: dns.ClassCHAOS}
}

func googleWhoami() whoami {
	return whoami{name: "o-o.myaddr.l.google.com.", qtype: dns.TypeTXT, class: dns.ClassINET, authority: true}
}

func openDNSWhoami() whoami {
	return whoami{name: "myip.opendns.com.", qtype: addressType, class: dns.ClassINET}
}

func akamaiWhoami() whoami {
	return whoami{name: "whoami.akamai.net.", qtype: addressType, class: dns.ClassINET, authority: true}
}

// catalogue lists every source that is known and usable. An operator is whoever
// hands over the caller's address: the CDN in front of a service counts, so
// icanhazip is Cloudflare's voice.
//
// Known and left out, so that nobody adds them again:
//   - ifconfig.co: behind Cloudflare, answers challenges since 2020, one request a minute;
//   - ifconfig.io, ip.sb: the CDN in front is not known; refuse by User-Agent;
//   - ipinfo.io: 1,000 questions a day, in many block lists of Pi-holes;
//   - checkip.dns.he.net, checkip.dyndns.org: an HTML page; the latter without TLS;
//   - ifconfig.me, wtfismyip.com, seeip.org, sslip.io: one person's service each;
//   - v4.tnedi.me: a mirror of ident.me, no voice of its own;
//   - https://1.1.1.1/cdn-cgi/trace: error 1034 in 2024, ip=104.18.0.0 since 2025; and a
//     literal address is what lines and routers hijack;
//   - stun.kinesisvideo.*.amazonaws.com: for Amazon's customers;
//   - dead: ip4only.me (2025), domains.google.com/checkip (2024), stun.stunprotocol.org
//     (now 127.0.0.1), stun.services.mozilla.com, bot.whatismyipaddress.com (2021).
func catalogue() []entry {
	return []entry{
		{name: "cloudflare", operator: "cloudflare", kind: viaTrace,
			ipv4: "https://api.cloudflare.com" + tracePath, ipv6: "https://api.cloudflare.com" + tracePath,
			seen: "favonia/cloudflare-ddns, source code, 2026-11-22"},
		{name: "amazon", operator: "amazon", kind: viaHTTPS,
			ipv4: "https://checkip.amazonaws.com/", ipv6: "https://checkip.global.api.aws/",
			seen: "ddclient's list, and crazy-max/ddns-route53 for IPv6, 2026-11-22"},
		{name: "google", operator: "google", kind: viaSTUN,
			ipv4: "stun.l.google.com:19302", ipv6: "stun.l.google.com:19302",
			seen: "the default of WebRTC programs, 2026-11-22"},
		{name: "akamai", operator: "akamai", kind: viaHTTPS,
			ipv4: "https://whatismyip.akamai.com/",
			seen: "source code of several updaters, 2026-11-22"},
		{name: "identme", operator: "identme", kind: viaHTTPS,
			ipv4: "https://v4.ident.me/", ipv6: "https://v6.ident.me/",
			seen: "qdm12/ddns-updater and rust-public-ip, 2026-11-22"},
		{name: "desec", operator: "desec", kind: viaHTTPS,
			ipv4: "https://checkipv4.dedyn.io/", ipv6: "https://checkipv6.dedyn.io/",
			seen: "ddclient's list, 2026-11-22"},
		{name: "nsupdate", operator: "nsupdate", kind: viaHTTPS,
			ipv4: "https://ipv4.nsupdate.info/myip", ipv6: "https://ipv6.nsupdate.info/myip",
			seen: "ddclient's list and crazy-max/ddns-route53, 2026-11-22"},
		{name: "ipify", operator: "ipify", kind: viaHTTPS,
			ipv4: "https://api4.ipify.org/", ipv6: "https://api6.ipify.org/",
			seen: "the service's own page; short of capacity in 2025, 2026-11-22"},
		{name: "nnev", operator: "nnev", kind: viaHTTPS,
			ipv4: "https://ip4.nnev.de/", ipv6: "https://ip6.nnev.de/",
			seen: "qdm12/ddns-updater, source code; a club at Heidelberg, 2026-11-29"},
		{name: "cloudflare-doh", operator: "cloudflare", kind: viaDoH, whoami: chaosWhoami(),
			ipv4: "https://cloudflare-dns.com/dns-query", ipv6: "https://cloudflare-dns.com/dns-query",
			seen: "favonia/cloudflare-ddns, source code; answered 0.0.0.0 for two weeks of 2021, 2026-11-22"},
		{name: "icanhazip", operator: "cloudflare", kind: viaHTTPS,
			ipv4: "https://ipv4.icanhazip.com/", ipv6: "https://ipv6.icanhazip.com/",
			seen: "ddclient's list; given to Cloudflare in 2021, 2026-11-22"},
		{name: "cloudflare-stun", operator: "cloudflare", kind: viaSTUN,
			ipv4: "stun.cloudflare.com:3478", ipv6: "stun.cloudflare.com:3478",
			seen: "developers.cloudflare.com, Realtime TURN, 2026-11-22"},
		{name: "nextcloud-stun", operator: "nextcloud", kind: viaSTUN,
			ipv4: "stun.nextcloud.com:3478", ipv6: "stun.nextcloud.com:3478",
			seen: "pradt2/always-online-stun and natmap, 2026-11-22"},
		{name: "google-dns-tcp", operator: "google", kind: viaDNSOverTCP, whoami: googleWhoami(),
			ipv4: "216.239.32.10:53", ipv6: "[2001:4860:4802:32::a]:53",
			seen: "ns1.google.com, as google-dns; every server answers over TCP (RFC 7766), 2026-11-22"},
		{name: "opendns-tcp", operator: "opendns", kind: viaDNSOverTCP, whoami: openDNSWhoami(),
			ipv4: "208.67.222.222:53", ipv6: "[2620:119:35::35]:53",
			seen: "as opendns; every server answers over TCP (RFC 7766), 2026-11-22"},
		{name: "cloudflare-dns", operator: "cloudflare", kind: viaDNS, whoami: chaosWhoami(),
			ipv4: "1.1.1.1:53", ipv6: "[2606:4700:4700::1111]:53",
			seen: "qdm12/ddns-updater and oznu/cloudflare-ddns, source code, 2026-11-22"},
		{name: "google-dns", operator: "google", kind: viaDNS, whoami: googleWhoami(),
			ipv4: "216.239.32.10:53", ipv6: "[2001:4860:4802:32::a]:53",
			seen: "ns1.google.com, in qdm12/ddns-updater, source code, 2026-11-22"},
		{name: "opendns", operator: "opendns", kind: viaDNS, whoami: openDNSWhoami(),
			ipv4: "208.67.222.222:53", ipv6: "[2620:119:35::35]:53",
			seen: "crazy-max/ddns-route53; not served in France and Portugal since 2024, 2026-11-22"},
		{name: "akamai-dns", operator: "akamai", kind: viaDNS, whoami: akamaiWhoami(),
			ipv4: "ns1-1.akamaitech.net:53",
			seen: "the authority of whoami.akamai.net, in dreamhost-ddns, 2026-11-22"},
	}
}

// domains are those in which one operator runs all that answers with an address,
// and literal addresses of his: a second name is no second voice. Those in which
// customers have names of their own are not among them (amazonaws.com, dedyn.io).
func domains() map[string]string {
	return map[string]string{
		"cloudflare.com": "cloudflare", "cloudflare-dns.com": "cloudflare", "one.one.one.one": "cloudflare",
		"icanhazip.com": "cloudflare", "1.0.0.1": "cloudflare", "2606:4700:4700::1001": "cloudflare",
		"l.google.com": "google", "dns.google": "google",
		"ns1.google.com": "google", "ns2.google.com": "google", "ns3.google.com": "google", "ns4.google.com": "google",
		"216.239.34.10": "google", "216.239.36.10": "google", "216.239.38.10": "google",
		"akamai.com": "akamai", "akamai.net": "akamai", "akamaitech.net": "akamai",
		"opendns.com": "opendns", "dnsomatic.com": "opendns",
		"208.67.220.220": "opendns", "208.67.222.220": "opendns", "208.67.220.222": "opendns",
		"ident.me": "identme", "tnedi.me": "identme",
		"ipify.org": "ipify", "nnev.de": "nnev", "checkip.dedyn.io": "desec", "nextcloud.com": "nextcloud",
	}
}

// lookup returns the entry of the catalogue with the name.
func lookup(name string) (entry, bool) {
	for _, e := range catalogue() {
		if e.name == name {
			return e, true
		}
	}
	return entry{}, false
}
