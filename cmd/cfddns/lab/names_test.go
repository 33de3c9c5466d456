//go:build linux

package lab

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
	"github.com/miekg/dns"
)

// The scenarios of names: a real DNS server is what resolv.conf names, and
// answers for the services as it is told.

// hereResolver is where it listens.
const hereResolver = "127.1.1.2"

// wrongHost is an address at which nobody of the services is.
const wrongHost = "23.9.9.9"

// proxyHost is an address at which a proxy reads whom TLS asks for, and leads there.
const proxyHost = "23.9.9.8"

// namesHere is a resolver of the home.
type namesHere struct {
	l *lab
	// says is what it answers for a service, and with which code; nil is silence.
	says func(host string, right []netip.Addr) (answer []netip.Addr, code int, speaks bool)

	mu    sync.Mutex // guards asked
	asked []string   // names, lower case
}

// resolveBy lets names be resolved by a server of this machine alone, with more
// lines in resolv.conf.
func (l *lab) resolveBy(conf string, says func(host string, right []netip.Addr) ([]netip.Addr, int, bool)) *namesHere {
	l.Helper()
	n := &namesHere{l: l, says: says}
	packets, err := net.ListenPacket("udp", hereResolver+":53")
	must(l.T, err)
	listener, err := net.Listen("tcp", hereResolver+":53")
	must(l.T, err)
	for _, server := range []*dns.Server{{PacketConn: packets, Handler: n}, {Listener: listener, Handler: n}} {
		var serving sync.WaitGroup
		serving.Go(func() { _ = server.ActivateAndServe() })
		l.Cleanup(func() {
			_ = server.Shutdown()
			serving.Wait()
		})
	}
	hosts := map[string][]netip.Addr{}
	for _, s := range services() {
		if net.ParseIP(s.host) == nil {
			for _, a := range l.gate.addresses(s.host) {
				hosts[s.host] = append(hosts[s.host], netip.MustParseAddr(a))
			}
			slices.SortFunc(hosts[s.host], netip.Addr.Compare)
			hosts[s.host] = slices.Compact(hosts[s.host])
		}
	}
	l.world.SetHosts(hosts) // what the rest of the world hears
	must(l.T, os.WriteFile(l.gate.hosts, []byte("127.0.0.1 localhost\n"), 0o644))
	must(l.T, os.WriteFile(l.gate.conf, []byte("nameserver "+hereResolver+"\n"+conf), 0o644))
	return n
}

// ServeDNS implements dns.Handler.
func (n *namesHere) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	name := strings.ToLower(strings.TrimSuffix(q.Question[0].Name, "."))
	n.mu.Lock()
	n.asked = append(n.asked, name)
	n.mu.Unlock()
	var right []netip.Addr
	for _, s := range services() {
		if s.host == name {
			for _, a := range n.l.gate.addresses(name) {
				right = append(right, netip.MustParseAddr(a))
			}
			break
		}
	}
	answer, code, speaks := n.says(name, right)
	if !speaks {
		return
	}
	m := new(dns.Msg).SetRcode(q, code)
	m.RecursionAvailable = true
	for _, a := range answer {
		header := dns.RR_Header{Name: q.Question[0].Name, Class: dns.ClassINET, Ttl: 60}
		switch {
		case q.Question[0].Qtype == dns.TypeA && a.Is4():
			header.Rrtype = dns.TypeA
			m.Answer = append(m.Answer, &dns.A{Hdr: header, A: a.AsSlice()})
		case q.Question[0].Qtype == dns.TypeAAAA && a.Is6():
			header.Rrtype = dns.TypeAAAA
			m.Answer = append(m.Answer, &dns.AAAA{Hdr: header, AAAA: a.AsSlice()})
		}
	}
	if _, tcp := w.RemoteAddr().(*net.TCPAddr); !tcp {
		m.Truncate(512)
	}
	_ = w.WriteMsg(m)
}

// questions are the names it was asked for that are no services.
func (n *namesHere) questions() (strange []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, name := range n.asked {
		if !slices.ContainsFunc(services(), func(s service) bool { return s.host == name }) {
			strange = append(strange, name)
		}
	}
	return strange
}

// honest answers what is so.
func honest(_ string, right []netip.Addr) ([]netip.Addr, int, bool) {
	if right == nil {
		return nil, dns.RcodeNameError, true
	}
	return right, dns.RcodeSuccess, true
}

// nameCase is one resolver, and what cfddns makes of it at the first try.
type nameCase struct {
	name   string
	conf   string // after the nameserver
	says   func(host string, right []netip.Addr) ([]netip.Addr, int, bool)
	exit   int
	holds  string // the record afterwards
	told   string // words of the condition resolver; "": there is none
	around bool   // others were asked over HTTPS
	before string // lines of resolv.conf before the nameserver
	alone  bool   // nobody is to be asked over HTTPS
}

func only(lie func(right []netip.Addr) ([]netip.Addr, int, bool), hosts ...string) func(string, []netip.Addr) ([]netip.Addr, int, bool) {
	return func(host string, right []netip.Addr) ([]netip.Addr, int, bool) {
		if right == nil || len(hosts) > 0 && !slices.Contains(hosts, host) {
			return honest(host, right)
		}
		return lie(right)
	}
}

func nameCases() []nameCase {
	denied := func([]netip.Addr) ([]netip.Addr, int, bool) { return nil, dns.RcodeNameError, true }
	noData := func([]netip.Addr) ([]netip.Addr, int, bool) { return nil, dns.RcodeSuccess, true }
	failing := func([]netip.Addr) ([]netip.Addr, int, bool) { return nil, dns.RcodeServerFailure, true }
	silent := func([]netip.Addr) ([]netip.Addr, int, bool) { return nil, 0, false }
	at := func(address string) func([]netip.Addr) ([]netip.Addr, int, bool) {
		return func([]netip.Addr) ([]netip.Addr, int, bool) {
			return []netip.Addr{netip.MustParseAddr(address)}, dns.RcodeSuccess, true
		}
	}
	made := func(pattern string) func(string, []netip.Addr) ([]netip.Addr, int, bool) { // a proxy, which leads where one wants
		return func(host string, right []netip.Addr) ([]netip.Addr, int, bool) {
			if right == nil {
				return honest(host, right)
			}
			b := right[0].As4()
			return []netip.Addr{netip.MustParseAddr(fmt.Sprintf(pattern, b[3]))}, dns.RcodeSuccess, true
		}
	}
	wildcard := func(host string, right []netip.Addr) ([]netip.Addr, int, bool) {
		if strings.HasSuffix(host, ".example.com") {
			return []netip.Addr{netip.MustParseAddr(labOld)}, dns.RcodeSuccess, true
		}
		return honest(host, right)
	}
	return []nameCase{
		{"a search list, and a wildcard of one's own", "search example.com\noptions ndots:5\n", wildcard, ddns.ExitRight, labHome, "", false, "", false},
		{"one echo is denied", "", only(denied, "checkip.amazonaws.com"), ddns.ExitRight, labHome, "", false, "", false},
		{"one echo is answered 0.0.0.0", "", only(at("0.0.0.0"), "whatismyip.akamai.com"), ddns.ExitRight, labHome, "", false, "", false},
		{"every name is denied", "", only(denied), ddns.ExitRight, labHome, "no such name, or no address", true, "", false},
		{"every name has no address", "", only(noData), ddns.ExitRight, labHome, "no such name, or no address", true, "", false},
		{"the API's name alone is denied", "", only(denied, "api.cloudflare.com"), ddns.ExitRight, labHome, "api.cloudflare.com", true, "", false},
		{"every name is answered 0.0.0.0", "", only(at("0.0.0.0")), ddns.ExitRight, labHome, "DNS filter (Pi-hole, AdGuard) answers 0.0.0.0", true, "", false},
		{"every name leads to this machine", "", only(at("127.0.0.1")), ddns.ExitRight, labHome, "127.0.0.1", true, "", false},
		{"every name leads to a login page in the home", "", only(at("192.168.1.1")), ddns.ExitRight, labHome, "192.168.1.1", true, "", false},
		{"every name leads to somebody else", "", only(at(wrongHost)), ddns.ExitRight, labHome, "where somebody else answers", true, "", false},
		{"every name leads to one proxy, which leads on", "", only(at(proxyHost)), ddns.ExitRight, labHome, proxyHost + " for api.cloudflare.com", true, "", false},
		{"the API's name alone leads to somebody else", "", only(at(wrongHost), "api.cloudflare.com"), ddns.ExitRight, labHome, wrongHost + " for api.cloudflare.com", true, "", false},
		{"the resolver fails", "", only(failing), ddns.ExitRight, labHome, "does not answer", true, "", false},
		{"the resolver is silent", "", only(silent), ddns.ExitRight, labHome, "does not answer", true, "", false},
		{"a proxy makes up the address of every name", "", made("198.18.0.%d"), ddns.ExitHeld, labOld, "fake-IP", false, "", false},
		{"a proxy makes up shared addresses", "", made("100.64.0.%d"), ddns.ExitHeld, labOld, "fake-IP", false, "", false},
		{"a proxy makes up addresses of the home", "", made("10.9.0.%d"), ddns.ExitHeld, labOld, "fake-IP", false, "", false},
		{"a proxy makes up addresses of this machine", "", made("127.77.0.%d"), ddns.ExitHeld, labOld, "fake-IP", false, "", false},
		{"a proxy makes up reserved addresses", "", made("240.0.0.%d"), ddns.ExitHeld, labOld, "fake-IP", false, "", false},
		{"a proxy makes up addresses that are not announced", "", made("28.0.0.%d"), ddns.ExitHeld, labOld, "fake-IP", false, "", false},
		{"a proxy makes up addresses for documentation", "", made("192.0.2.%d"), ddns.ExitHeld, labOld, "fake-IP", false, "", false},
	}
}

// lonelyCases are resolvers where nobody else can be asked.
func lonelyCases() []nameCase {
	slow := func(host string, right []netip.Addr) ([]netip.Addr, int, bool) {
		time.Sleep(1700 * time.Millisecond) // as over a bad line
		return honest(host, right)
	}
	dead := "nameserver " + silentResolver + "\n"
	lonely := func(name, before string, says func(string, []netip.Addr) ([]netip.Addr, int, bool)) nameCase {
		return nameCase{name: name, before: before, says: says, exit: ddns.ExitRight, holds: labHome, alone: true}
	}
	return []nameCase{
		lonely("the first nameserver is silent", dead, honest),
		lonely("the first nameserver refuses", "nameserver 127.1.1.9\n", honest),
		lonely("it is slow", "", slow),
		{"every name is denied, and nobody else answers", "", only(func([]netip.Addr) ([]netip.Addr, int, bool) { return nil, dns.RcodeNameError, true }),
			ddns.ExitHeld, labOld, "public resolvers do not answer over HTTPS either", false, "", true},
	}
}

func nameScenarios() (all []scenario) {
	for _, c := range append(nameCases(), lonelyCases()...) {
		all = append(all, scenario{"the resolver: " + c.name, c.run})
	}
	return append(all, scenario{"the resolver: a proxy makes up the addresses of sources of one's own", ownThroughProxy}, scenario{"the resolver: thousands of addresses for each name", manyAddresses})
}

// ownSources is a configuration in which a person names the services.
const ownSources = `records: [{name: home.example.com}]
ip:
  sources:
  - {https: "https://checkip.amazonaws.com/?mine", operator: amazon}
  - {https: "https://v4.ident.me/?mine", operator: identme}
  - {https: "https://checkipv4.dedyn.io/?mine", operator: desec}
`

// Sources that a person names are heard through the same proxy.
func ownThroughProxy(t *testing.T) {
	l := newLab(t, zoneWith(sandbox.SeedRecord{Type: "A", Name: labName, Content: labOld, TTL: 300}))
	l.standProxies()
	l.configure(ownSources)
	proxied := false
	l.resolveBy("", func(host string, right []netip.Addr) ([]netip.Addr, int, bool) {
		if right == nil || !proxied {
			return honest(host, right)
		}
		return []netip.Addr{netip.MustParseAddr(fmt.Sprintf("198.18.0.%d", right[0].As4()[3]))}, dns.RcodeSuccess, true
	})
	l.run(ddns.ExitRight, "once", "--dry-run")
	proxied = true
	r := l.once(ddns.ExitHeld)
	if told, is := has(r, ddns.CodeResolver); !is || !strings.Contains(told.Title, "fake-IP") {
		t.Errorf("told %q", told.Title)
	}
	l.wantHolds(labName, labOld)
}

func (c nameCase) run(t *testing.T) {
	l := newLab(t, zoneWith(sandbox.SeedRecord{Type: "A", Name: labName, Content: labOld, TTL: 300}))
	l.standProxies()
	n := l.resolveBy(c.conf, c.says)
	must(t, os.WriteFile(l.gate.conf, []byte(c.before+"nameserver "+hereResolver+"\n"+c.conf), 0o644))
	if c.alone {
		l.gate.stop("1.1.1.1")
		l.gate.stop("8.8.8.8")
	}
	r := l.once(c.exit)
	l.wantHolds(labName, c.holds)
	told, is := has(r, ddns.CodeResolver)
	if is != (c.told != "") || !strings.Contains(told.Title, c.told) {
		t.Errorf("told %q, want words of %q", told.Title, c.told)
	}
	if around := l.gate.visits("1.1.1.1")+l.gate.visits("8.8.8.8") > 0; around != c.around {
		t.Errorf("others were asked over HTTPS: %t, want %t", around, c.around)
	}
	if strange := n.questions(); len(strange) > 0 {
		t.Errorf("the resolver was asked for %v", strange)
	}
	for _, v := range r.Verdicts {
		t.Log(v.State, v.Why)
		if strings.Contains(v.Why, "dns-query") {
			t.Error("it says what became of the way out, and not why one was needed")
		}
	}
	t.Logf("%s %s", told.Title, told.Hint)
}

// standProxies leads visitors of made-up addresses to the services, as a proxy
// does, and lets a stranger stand at wrongHost, whose certificate is another's.
func (l *lab) standProxies() {
	l.Helper()
	mustRun(l.T, "ip addr replace "+wrongHost+"/32 dev lo\nip addr replace 192.168.1.1/32 dev lo")
	for _, pattern := range []string{"198.18.0.%d", "100.64.0.%d", "10.9.0.%d", "127.77.0.%d", "240.0.0.%d", "28.0.0.%d", "192.0.2.%d"} {
		at4 := l.gate.at4
		l.gate.at4 = pattern
		for _, s := range services() {
			if net.ParseIP(s.host) == nil && s.port != "53" {
				l.gate.stand(s)
			}
		}
		l.gate.at4 = at4
	}
	l.standNameProxy()
	for _, address := range []string{wrongHost, "192.168.1.1"} {
		listener, err := net.Listen("tcp", address+":443")
		must(l.T, err)
		l.gate.running.Go(func() { l.gate.leadConns(address, listener, "tcp4", "dns.quad9.net:443") })
		l.gate.keep(services()[0].host, listener)
	}
}

// standNameProxy lets the proxy stand at its address.
func (l *lab) standNameProxy() {
	l.Helper()
	mustRun(l.T, "ip addr replace "+proxyHost+"/32 dev lo")
	listener, err := net.Listen("tcp", proxyHost+":443")
	must(l.T, err)
	l.gate.keep(services()[0].host, listener)
	l.gate.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			l.gate.keep(services()[0].host, conn)
			l.gate.running.Go(func() { l.leadByName(conn) })
		}
	})
}

// leadByName leads a visitor to the host for which his TLS asks.
func (l *lab) leadByName(conn net.Conn) {
	defer conn.Close()
	var hello bytes.Buffer
	name := ""
	_ = tls.Server(overheard{conn, io.TeeReader(conn, &hello)}, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		name = h.ServerName
		return nil, errors.New("this is all that is read")
	}}).Handshake()
	far, err := l.gate.dial(conn.RemoteAddr(), "tcp4", name+":443")
	if err != nil {
		return // there is no such host: the visitor is cut off
	}
	defer far.Close()
	if _, err := far.Write(hello.Bytes()); err != nil {
		return
	}
	l.gate.running.Go(func() {
		defer far.Close()
		_, _ = io.Copy(far, conn)
	})
	_, _ = io.Copy(conn, far)
}

// overheard is a connection that is read, and on which nothing is said.
type overheard struct {
	net.Conn
	heard io.Reader
}

// Read implements io.Reader.
func (o overheard) Read(p []byte) (int, error) { return o.heard.Read(p) }

// Write implements io.Writer.
func (o overheard) Write(p []byte) (int, error) { return len(p), nil }

// A resolver that answers thousands of addresses costs no more than a few connections.
func manyAddresses(t *testing.T) {
	l := newLab(t, zoneWith(sandbox.SeedRecord{Type: "A", Name: labName, Content: labOld, TTL: 300}))
	var many []netip.Addr
	for i := range 3500 {
		many = append(many, netip.AddrFrom4([4]byte{23, 7, byte(i >> 8), byte(i)}))
	}
	mustRun(t, "ip route add local 23.7.0.0/16 dev lo") // each refuses
	state := l.stateDir()
	l.resolveBy("", func(host string, right []netip.Addr) ([]netip.Addr, int, bool) {
		if right == nil {
			return honest(host, right)
		}
		return many, dns.RcodeSuccess, true
	})
	began := time.Now()
	p := l.run(ddns.ExitRight, "once", "--output", "json") // others know better
	t.Logf("right after %s", time.Since(began).Round(time.Millisecond))
	journal, err := os.ReadFile(filepath.Join(state, "journal.jsonl"))
	must(t, err)
	if said := len(p.stdout.String()) + len(p.stderr.String()); said > 20_000 || len(journal) > 20_000 {
		t.Errorf("%d bytes were printed, and %d kept", said, len(journal))
	}
}
