package ipsource

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/miekg/dns"

	"github.com/cfddns/cfddns/ddns"
)

// Default is the name that stands for the sources chosen by this program, with
// spares for those that fall silent.
const Default = "default"

// Spec is one entry of the configuration's list of sources: exactly one of the
// ways to ask, and who runs what is asked.
type Spec struct {
	Name      string   // "default", or a name of the catalogue
	HTTPS     string   // URL of a page that is the address; http on loopback only
	DNS       *DNS     // question whose answer is the address
	STUN      string   // HOST:PORT
	Command   []string // program and arguments; it prints the address
	Interface string   // name of an interface of this machine
	Router    string   // "auto": the router of the default route; IPv4 only

	// Operator is who runs the source, its CDN counted in: all sources of one
	// operator are one voice. Needed for all but Name, Interface and Router.
	Operator string
}

// DNS is a question to a DNS server, over UDP.
type DNS struct {
	Server string // HOST:PORT, or HOST for port 53
	Name   string
	Type   string // "TXT", "A" (IPv4 only), "AAAA" (IPv6 only); empty is A or AAAA
	Class  string // "IN" or "CH"; empty is "IN"
}

// entry returns the source that the spec describes, or what is wrong with it.
func (s Spec) entry() (entry, error) {
	switch n := s.kinds(); {
	case n == 0:
		return entry{}, errors.New("empty source: want a name of the catalogue, or one of https, dns, stun, command, interface, router")
	case n > 1:
		return entry{}, errors.New("source of several kinds: want one of name, https, dns, stun, command, interface, router; make each an entry of its own")
	case s.Name != "":
		return s.named()
	case s.Router != "" && s.Router != "auto":
		return entry{}, fmt.Errorf("router: %q is not known: write auto, which is the router of the default route", s.Router)
	case s.Router != "":
		return entry{name: "router", operator: "this router", kind: viaRouter, ipv4: s.Router}, nil
	case s.Interface != "":
		return entry{name: s.Interface, operator: "this machine", kind: viaInterface, ipv4: s.Interface, ipv6: s.Interface}, nil
	}
	e, err := s.own()
	if err != nil {
		return entry{}, err
	}
	operator := strings.ToLower(strings.TrimSpace(s.Operator))
	if operator == "" {
		return entry{}, fmt.Errorf("source %s has no operator: add operator: NAME, whoever runs it; sources of one operator are one voice", e.name)
	}
	if runner := knownOperator(e); runner != "" && runner != operator {
		return entry{}, fmt.Errorf("source %s is run by %s, not by %q: write operator: %s, or its name in the catalogue", e.name, runner, s.Operator, runner)
	}
	e.operator = operator
	return e, nil
}

// kinds counts the ways to ask that are set.
func (s Spec) kinds() int {
	n := 0
	for _, set := range []bool{s.Name != "", s.HTTPS != "", s.DNS != nil, s.STUN != "", len(s.Command) > 0, s.Interface != "", s.Router != ""} {
		if set {
			n++
		}
	}
	return n
}

// named returns an entry of the catalogue.
func (s Spec) named() (entry, error) {
	e, ok := lookup(s.Name)
	switch {
	case !ok:
		if meant := nearest(s.Name); meant != "" {
			return entry{}, fmt.Errorf("source %q is not known: did you mean %q?", s.Name, meant)
		}
		return entry{}, fmt.Errorf("source %q is not known: cfddns ip --all lists those that are", s.Name)
	case s.Operator != "" && !strings.EqualFold(s.Operator, e.operator):
		return entry{}, fmt.Errorf("source %s is run by %s, not by %q: leave operator out", s.Name, e.operator, s.Operator)
	}
	return e, nil
}

// own returns an entry that is not of the catalogue.
func (s Spec) own() (entry, error) {
	switch {
	case s.HTTPS != "":
		return httpsEntry(s.HTTPS)
	case s.STUN != "":
		e, err := serverEntry(s.STUN, "")
		e.kind = viaSTUN
		return e, err
	case s.DNS != nil:
		return s.DNS.entry()
	default:
		whole := strings.Join(s.Command, " ")
		return entry{name: filepath.Base(s.Command[0]), kind: viaCommand, ipv4: whole, ipv6: whole, command: s.Command}, nil
	}
}

// httpsEntry makes an entry of a URL.
func httpsEntry(text string) (entry, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return entry{}, fmt.Errorf("https: %q is no URL: want https://HOST/PATH", hideQuery(text))
	}
	host := u.Hostname()
	literal, err := netip.ParseAddr(host)
	isLiteral := err == nil
	switch {
	case u.User != nil:
		return entry{}, fmt.Errorf("https: the URL of %s holds a user name or a password, which is not supported", host)
	case u.Scheme != "https" && u.Scheme != "http":
		return entry{}, fmt.Errorf("https: %s:// cannot be asked: want https://%s", u.Scheme, host)
	case u.Scheme == "http" && host != "localhost" && !literal.IsLoopback():
		return entry{}, fmt.Errorf("https: http://%s can be forged by anybody on the line: want https://%s, or a source on this machine", host, host)
	case isLiteral && ofCloudflareResolver(literal):
		return entry{}, fmt.Errorf("https: %s is hijacked or blocked on many lines, and has answered wrong addresses: want the source cloudflare", host)
	}
	e := entry{name: host, kind: viaHTTPS}
	switch {
	case u.Scheme == "http":
		e.kind = viaHTTP
	case u.Path == tracePath:
		e.kind = viaTrace
	}
	e.serve(text, literal)
	return e, nil
}

// hideQuery drops what may be a password from a URL that could not be read.
func hideQuery(text string) string {
	before, _, _ := strings.Cut(text, "?")
	if _, host, ok := strings.Cut(before, "@"); ok {
		return "…@" + host
	}
	return before
}

// ofCloudflareResolver reports the addresses of 1.1.1.1.
func ofCloudflareResolver(a netip.Addr) bool {
	for _, p := range []string{"1.1.1.0/24", "1.0.0.0/24", "2606:4700:4700::/48"} {
		if netip.MustParsePrefix(p).Contains(a.Unmap()) {
			return true
		}
	}
	return false
}

// serve sets what is asked: for both families, or for that of the literal
// address.
func (e *entry) serve(asked string, literal netip.Addr) {
	if !literal.IsValid() || literal.Unmap().Is4() {
		e.ipv4 = asked
	}
	if !literal.IsValid() || !literal.Unmap().Is4() {
		e.ipv6 = asked
	}
}

// serverEntry makes an entry of HOST:PORT, or of HOST if there is a usual port.
func serverEntry(text, usualPort string) (entry, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil && usualPort != "" && !strings.Contains(text, "]:") {
		host, port, err = strings.Trim(text, "[]"), usualPort, nil
	}
	number, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || host == "" || portErr != nil || number == 0 || strings.ContainsAny(host, "/ ") {
		return entry{}, fmt.Errorf("server %q: want HOST:PORT", text)
	}
	literal, _ := netip.ParseAddr(host)
	e := entry{name: host}
	e.serve(net.JoinHostPort(host, port), literal)
	return e, nil
}

// entry makes an entry of a DNS question.
func (d DNS) entry() (entry, error) {
	e, err := serverEntry(d.Server, "53")
	if err != nil {
		return entry{}, fmt.Errorf("dns: %w", err)
	}
	if _, ok := dns.IsDomainName(d.Name); !ok || d.Name == "" || d.Name == "." {
		return entry{}, fmt.Errorf("dns: name %q is no domain name", d.Name)
	}
	e.kind = viaDNS
	e.whoami = whoami{name: dns.Fqdn(d.Name)}
	switch strings.ToUpper(d.Type) {
	case "TXT":
		e.whoami.qtype = dns.TypeTXT
	case "A":
		e.ipv6 = ""
	case "AAAA":
		e.ipv4 = ""
	case "": // A or AAAA
	default:
		return entry{}, fmt.Errorf("dns: type %q holds no address: want TXT, A or AAAA", d.Type)
	}
	switch strings.ToUpper(d.Class) {
	case "", "IN":
		e.whoami.class = dns.ClassINET
	case "CH":
		e.whoami.class = dns.ClassCHAOS
	default:
		return entry{}, fmt.Errorf("dns: class %q is not known: want IN or CH", d.Class)
	}
	if e.ipv4 == "" && e.ipv6 == "" {
		return entry{}, fmt.Errorf("dns: server %s is not asked for %s, which is of the other family", d.Server, d.Type)
	}
	return e, nil
}

// knownOperator returns who runs a source of the person's own, if the
// catalogue knows its host; else the empty string.
func knownOperator(own entry) string {
	if own.kind == viaTrace {
		return "cloudflare" // whoever's name it is
	}
	host := strings.ToLower(strings.TrimSuffix(own.host(), "."))
	for domain, operator := range domains() {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return operator
		}
	}
	i := slices.IndexFunc(catalogue(), func(e entry) bool {
		return host != "" && slices.Contains(e.hosts(), host)
	})
	if i < 0 {
		return ""
	}
	return catalogue()[i].operator
}

// host returns the server of an entry; empty for what is on this machine.
func (e entry) host() string {
	if hosts := e.hosts(); len(hosts) > 0 {
		return hosts[0]
	}
	return ""
}

// hostFor returns the server that is asked for a family.
func (e entry) hostFor(family ddns.Family) string {
	if family == ddns.IPv6 {
		e.ipv4 = ""
	} else {
		e.ipv6 = ""
	}
	return e.host()
}

// hosts returns the servers of an entry, one for each family it serves.
func (e entry) hosts() (hosts []string) {
	for _, family := range ddns.Families {
		asked := e.at(family)
		if asked == "" || e.kind == viaInterface || e.kind == viaRouter || e.kind == viaCommand {
			continue
		}
		if u, err := url.Parse(asked); err == nil && u.Host != "" {
			hosts = append(hosts, u.Hostname())
		} else if host, _, err := net.SplitHostPort(asked); err == nil {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// nearest returns the name of the catalogue that a mistyped one is meant to be:
// at most one stroke away for every three of its letters. It is empty if there is none.
func nearest(name string) string {
	names := []string{Default}
	for _, e := range catalogue() {
		names = append(names, e.name)
	}
	strokes := func(known string) int { return levenshtein.ComputeDistance(name, known) }
	best := slices.MinFunc(names, func(a, b string) int { return strokes(a) - strokes(b) })
	if strokes(best) > max(1, len(name)/3) {
		return ""
	}
	return best
}
