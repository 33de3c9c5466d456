package ipsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

var (
	gateway4 = netip.MustParseAddr("192.168.1.1")
	modem4   = netip.MustParseAddr("192.168.0.1")
)

// pmp is an answer of NAT-PMP with a result and an address.
func pmp(result byte, address string) []byte {
	a := netip.MustParseAddr(address).As4()
	return append([]byte{0, 128, 0, result, 0, 0, 0, 9}, a[:]...)
}

func TestNATPMPAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer []byte
		want   string // an address, or part of an error
	}{
		{"the address", pmp(0, "45.67.89.10"), "45.67.89.10"},
		{"an address of CGNAT is told as it is", pmp(0, "100.64.1.2"), "100.64.1.2"},
		{"no network", pmp(3, "0.0.0.0"), errNoWAN.Error()},
		{"no network, in eight bytes", pmp(3, "0.0.0.0")[:8], errNoWAN.Error()},
		{"no address", pmp(0, "0.0.0.0"), errNoWAN.Error()},
		{"not authorised", pmp(2, "45.67.89.10"), "result 2"},
		{"cut short", pmp(0, "45.67.89.10")[:11], "11 bytes"},
		{"too long", append(pmp(0, "45.67.89.10"), 0), "13 bytes"},
		{"an address of nobody", pmp(0, "255.255.255.255"), "no address of a line"},
		{"loopback", pmp(0, "127.0.0.1"), "no address of a line"},
		{"PCP alone", append([]byte{2, 128, 0, 1}, make([]byte, 20)...), "speaks PCP alone"},
		{"PCP cut short", []byte{2, 128, 0, 1}, "PCP message that is none"},
		{"the answer to a mapping", append([]byte{0, 129}, pmp(0, "45.67.89.10")[2:]...), "answered no NAT-PMP"},
		{"our own question", []byte{0, 0}, "answered no NAT-PMP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parsePMP(c.answer)
			if err == nil && got.String() != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v; want %s", got, err, c.want)
			}
		})
	}
}

func TestNATPMPAsksAgainAndPassesOverStrays(t *testing.T) {
	var asked atomic.Int32
	world := loopback{hosts: map[string]string{"192.168.1.1:5351": udpServer(t, func(b []byte) [][]byte {
		n := asked.Add(1)
		switch {
		case string(b) != "\x00\x00":
			t.Errorf("asked %x", b)
		case n == 1:
			return nil // lost
		}
		return [][]byte{{9, 9, 9, 9}, pmp(0, "45.67.89.10")}
	})}}
	got, err := askNATPMP(within(t, 3*time.Second), world, gateway4)
	if err != nil || got != home4 || asked.Load() != 2 {
		t.Errorf("got %v, %v after %d questions", got, err, asked.Load())
	}
}

func TestARouterThatIsNotThereRefusesAtOnce(t *testing.T) {
	closed, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	world := loopback{hosts: map[string]string{"192.168.1.1:5351": closed.LocalAddr().String()}}
	began := time.Now()
	got, err := askNATPMP(within(t, 3*time.Second), world, gateway4)
	wantError(t, got, err, "refused")
	if took := time.Since(began); took > time.Second {
		t.Errorf("took %s", took)
	}
}

// description is what a router tells of itself; each service is its type and its place.
func description(services ...string) string {
	doc := `<?xml version="1.0"?><!-- of a router --><root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major></specVersion><device><friendlyName>A &amp; B</friendlyName><serviceList>`
	for _, s := range services {
		kind, at, _ := strings.Cut(s, " ")
		doc += "<service><controlURL>" + at + "</controlURL><serviceType>urn:schemas-upnp-org:service:" + kind + "</serviceType><SCPDURL/></service>"
	}
	return doc + "</serviceList></device></root>\n"
}

func TestDescriptions(t *testing.T) {
	location, _ := url.Parse("http://192.168.1.1:5000/rootDesc.xml")
	for _, c := range []struct{ name, doc, want string }{
		{"a relative place", description("WANIPConnection:1 /ctl/IPConn"), "http://192.168.1.1:5000/ctl/IPConn"},
		{"a whole URL", description("WANIPConnection:2 http://192.168.1.1:5000/ctl"), "http://192.168.1.1:5000/ctl"},
		{"among other services", description("Layer3Forwarding:1 /a", "WANPPPConnection:1 /b", "WANIPConnection:1 /c"), "http://192.168.1.1:5000/b http://192.168.1.1:5000/c"},
		{"at most three", description("WANIPConnection:1 /a", "WANIPConnection:1 /b", "WANIPConnection:1 /c", "WANIPConnection:1 /d"), "http://192.168.1.1:5000/a http://192.168.1.1:5000/b http://192.168.1.1:5000/c"},
		{"another host", description("WANIPConnection:1 http://192.168.1.9:5000/ctl"), "not followed"},
		{"another host, without a scheme", description("WANIPConnection:1 //192.168.1.9:5000/ctl"), "not followed"},
		{"another port", description("WANIPConnection:1 http://192.168.1.1:22/ctl"), "not followed"},
		{"a file", description("WANIPConnection:1 file:///etc/passwd"), "not followed"},
		{"a user", description("WANIPConnection:1 http://a:b@192.168.1.1:5000/"), "not followed"},
		{"no place", description("WANIPConnection:1 "), "not followed"},
		{"an entity", description("WANIPConnection:1 /ctl&lol;"), "an entity"},
		{"no connection", description("Layer3Forwarding:1 /a"), "no WAN connection"},
		{"a document type", `<!DOCTYPE r [<!ENTITY a "b">]>` + description("WANIPConnection:1 /a"), "document type"},
		{"raw text", strings.Replace(description("WANIPConnection:1 /a"), "/a", "<![CDATA[/a]]>", 1), "document type"},
		{"broken off", description("WANIPConnection:1 /a")[:200], "no XML"},
		{"crossed elements", "<a><b></a></b>", "no XML"},
		{"a page", "<html><body>Log in<br></body></html>", "no XML"},
		{"two documents", "<a/><b/>", "no XML"},
		{"text", "hello", "no XML"},
		{"nothing", "", "no XML"},
		{"a well of elements", strings.Repeat("<a>", 100), "no XML"},
	} {
		t.Run(c.name, func(t *testing.T) {
			services, err := parseDescription([]byte(c.doc), location)
			var got []string
			for _, s := range services {
				got = append(got, s.control.String())
			}
			if words := strings.Join(got, " "); err == nil && words != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %s, %v; want %s", words, err, c.want)
			}
		})
	}
}

func soapAnswer(address string) string {
	return `<?xml version="1.0"?>` + "\r\n" + `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><u:GetExternalIPAddressResponse xmlns:u="x"><NewExternalIPAddress>` +
		address + `</NewExternalIPAddress></u:GetExternalIPAddressResponse></s:Body></s:Envelope>`
}

func TestExternalAddresses(t *testing.T) {
	for _, c := range []struct{ name, doc, want string }{
		{"an address", soapAnswer("45.67.89.10"), "45.67.89.10"},
		{"with white space", soapAnswer("\n 45.67.89.10 "), "45.67.89.10"},
		{"empty", soapAnswer(""), errNoWAN.Error()},
		{"an empty element", strings.Replace(soapAnswer(""), "<NewExternalIPAddress></NewExternalIPAddress>", "<NewExternalIPAddress />", 1), errNoWAN.Error()},
		{"0.0.0.0", soapAnswer("0.0.0.0"), errNoWAN.Error()},
		{"IPv6", soapAnswer("2a01:4f8::1"), "no address of a line"},
		{"two", soapAnswer("1.2.3.4</NewExternalIPAddress><NewExternalIPAddress>5.6.7.8"), "2 addresses"},
		{"none", "<a></a>", "0 addresses"},
		{"elements in it", soapAnswer("<b>45.67.89.10</b>"), errNoWAN.Error()},
		{"an entity", soapAnswer("&#52;5.67.89.10"), "an entity"},
		{"words", soapAnswer("your address"), "not an address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseExternalAddress([]byte(c.doc))
			if err == nil && got.String() != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v; want %s", got, err, c.want)
			}
		})
	}
}

// upnp is a router on loopback that answers searches and calls.
type upnp struct {
	location, doc, said string
	status              int // of the call; 0 is 200
	calls               []string
}

func (u *upnp) world(t *testing.T) loopback {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /rootDesc.xml", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, u.doc) })
	mux.HandleFunc("GET /away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://192.168.1.1:5000/rootDesc.xml", http.StatusFound)
	})
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(body), "<u:GetExternalIPAddress xmlns:u=") {
			t.Errorf("asked %s", body)
		}
		u.calls = append(u.calls, r.URL.Path+" "+r.Header.Get("SOAPAction"))
		if u.status != 0 {
			w.WriteHeader(u.status)
		}
		io.WriteString(w, u.said)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	search := udpServer(t, func(b []byte) [][]byte {
		if !strings.HasPrefix(string(b), "M-SEARCH * HTTP/1.1\r\nHOST: 192.168.1.1:1900\r\n") {
			t.Errorf("searched with %q", b)
		}
		return [][]byte{[]byte("stray"), fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nST: x\r\nLOCATION: %s\r\n\r\n", u.location)}
	})
	return loopback{hosts: map[string]string{"192.168.1.1:1900": search, "192.168.1.1:5000": server.Listener.Addr().String(),
		"192.168.1.1:49000": server.Listener.Addr().String(), "192.168.1.1:5351": udpServer(t, func([]byte) [][]byte { return nil })}}
}

func TestIGD(t *testing.T) {
	const at = "http://192.168.1.1:5000/rootDesc.xml"
	both := description("WANPPPConnection:1 /ppp", "WANIPConnection:1 /ip")
	for _, c := range []struct {
		name   string
		router upnp
		want   string
		calls  int
	}{
		{"a router", upnp{location: at, doc: description("WANIPConnection:1 /ip"), said: soapAnswer("45.67.89.10")}, "45.67.89.10", 1},
		{"a router that names nothing is asked for its other line", upnp{location: at, doc: both, said: soapAnswer("")}, errNoWAN.Error(), 2},
		{"a description elsewhere", upnp{location: "http://192.168.1.66:5000/rootDesc.xml"}, "not the router", 0},
		{"a description by a name", upnp{location: "http://router.local:5000/rootDesc.xml"}, "not the router", 0},
		{"a description over TLS", upnp{location: "https://192.168.1.1:5000/rootDesc.xml"}, "not the router", 0},
		{"a description that leads away", upnp{location: "http://192.168.1.1:5000/away"}, "status 302", 0},
		{"a description without end", upnp{location: at, doc: description("WANIPConnection:1 /ip") + strings.Repeat(" ", maxDescription)}, "page of", 0},
		{"a fault", upnp{location: at, doc: both, said: "<fault/>", status: 500}, "status 500", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			world := c.router.world(t)
			got, err := igd{agent: "test"}.ask(within(t, 3*time.Second), world, gateway4)
			if err == nil && got.String() != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v; want %s", got, err, c.want)
			}
			if len(c.router.calls) != c.calls {
				t.Errorf("calls %q", c.router.calls)
			}
		})
	}
}

// wayOut is the way out by a gateway.
func wayOut(g ddns.Gateway) func() (ddns.Gateway, error) {
	return func() (ddns.Gateway, error) { return g, nil }
}

func TestTheRouterAsAWitness(t *testing.T) {
	lan := ddns.Gateway{Address: gateway4, Interface: "eth0", Local: netip.MustParseAddr("192.168.1.10")}
	speaking := func(t *testing.T) ddns.World {
		world := (&upnp{location: "http://192.168.1.1:5000/rootDesc.xml", doc: description("WANIPConnection:1 /ip"), said: soapAnswer("45.67.89.10")}).world(t)
		world.hosts["192.168.1.1:49000"] = "127.0.0.1:1"
		return world
	}
	fritz := func(t *testing.T) ddns.World {
		world := (&upnp{location: "http://192.168.1.1:5000/rootDesc.xml", said: soapAnswer("45.67.89.10")}).world(t)
		world.hosts["192.168.1.1:1900"] = "127.0.0.1:1"
		return world
	}
	nobody := func(t *testing.T) ddns.World { return deaf{} }
	behind := func(t *testing.T) ddns.World {
		return loopback{hosts: map[string]string{"192.168.0.1:5351": udpServer(t, func([]byte) [][]byte { return [][]byte{pmp(0, "45.67.89.10")} }),
			"192.168.1.1:5351": "127.0.0.1:1", "192.168.1.1:1900": "127.0.0.1:1", "192.168.1.1:49000": "127.0.0.1:1", "192.168.0.1:1900": "127.0.0.1:1", "192.168.0.1:49000": "127.0.0.1:1"}}
	}
	silent := func(t *testing.T) ddns.World {
		world := behind(t).(loopback)
		for _, port := range []string{"5351", "1900"} {
			world.hosts["192.168.1.1:"+port] = udpServer(t, func([]byte) [][]byte { return nil })
		}
		return world
	}
	for _, c := range []struct {
		name    string
		world   func(*testing.T) ddns.World
		gateway ddns.Gateway
		hops    []netip.Addr
		want    string
	}{
		{"a router that speaks UPnP alone", speaking, lan, nil, "upnp at 192.168.1.1 45.67.89.10"},
		{"a router that is not to be searched", fritz, lan, nil, "upnp at 192.168.1.1:49000 45.67.89.10"},
		{"nobody answers", nobody, lan, nil, ""},
		{"a bridge before the router", behind, lan, []netip.Addr{gateway4, modem4}, "nat-pmp at 192.168.0.1 45.67.89.10, hop 1 192.168.1.1, hop 2 192.168.0.1"},
		{"a bridge that keeps silent before the router", silent, lan, []netip.Addr{gateway4, modem4}, "nat-pmp at 192.168.0.1 45.67.89.10, hop 1 192.168.1.1, hop 2 192.168.0.1"},
		{"a bridge before the world", nobody, lan, []netip.Addr{gateway4, home4}, "hop 1 192.168.1.1, hop 2 45.67.89.10"},
		{"the line is at this machine", nobody, ddns.Gateway{Interface: "ppp0", Local: home4}, nil, "interface ppp0 45.67.89.10"},
		{"the line is at this machine, behind CGNAT", nobody, ddns.Gateway{Interface: "wwan0", Local: netip.MustParseAddr("100.64.1.2")}, nil, "interface wwan0 100.64.1.2"},
		{"a VPN", nobody, ddns.Gateway{Interface: "tun0", Local: netip.MustParseAddr("100.64.1.2"), Tunnel: true}, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := Router{World: c.world(t), Gateway: wayOut(c.gateway), Agent: "test"}
			if c.hops != nil {
				r.Hops = func(_ context.Context, heard func(int, netip.Addr)) []netip.Addr {
					for i, hop := range c.hops {
						heard(i+1, hop)
					}
					return c.hops
				}
			}
			var got []string
			for _, f := range ddns.FindingsOf(within(t, 3*time.Second), r) {
				if f.Address.IsValid() {
					got = append(got, f.By+" "+f.Address.String())
				}
			}
			if words := strings.Join(got, ", "); words != c.want {
				t.Errorf("got %s, want %s", words, c.want)
			}
		})
	}
	r := Router{Gateway: func() (ddns.Gateway, error) { return ddns.Gateway{}, ErrNoGateway }}
	if findings := ddns.FindingsOf(t.Context(), r); len(findings) != 1 || !errors.Is(findings[0].Err, ErrNoGateway) {
		t.Errorf("without a route: %+v", findings)
	}
}

// deaf is a world in which nobody can be reached.
type deaf struct{ loopback }

func (deaf) Dial(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("unreachable")
}

func TestWhatOneProtocolNamesOutweighsWhatAnotherDoesNot(t *testing.T) {
	address := netip.MustParseAddr("45.67.89.10")
	got, err := named([]ddns.WANFinding{{By: "nat-pmp", Empty: true}, {By: "hop 1", Address: netip.MustParseAddr("192.168.1.1"), Hop: true},
		{By: "other", Err: errors.New("x")}, {By: "upnp", Address: address}}, ddns.IPv4)
	if err != nil || got != address {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := named([]ddns.WANFinding{{By: "other", Err: errors.New("x")}, {By: "nat-pmp", Empty: true}}, ddns.IPv4); !errors.Is(err, errNoWAN) {
		t.Errorf("got %v", err)
	}
}

func TestTheRouterAloneIsBelieved(t *testing.T) {
	world := loopback{hosts: map[string]string{"192.168.1.1:5351": udpServer(t, func([]byte) [][]byte { return [][]byte{pmp(0, "45.67.89.10")} }),
		"192.168.1.1:1900": "127.0.0.1:1", "192.168.1.1:49000": "127.0.0.1:1"}}
	router := Router{World: world, Gateway: wayOut(ddns.Gateway{Address: gateway4})}
	alone := Config{Sources: []Spec{{Router: "auto"}}, Quorum: 1, Families: []ddns.Family{ddns.IPv4}, Router: router}
	rosters, err := Build(alone, world)
	if err != nil {
		t.Fatal(err)
	}
	v := ddns.Survey(t.Context(), []ddns.Roster{rosters[ddns.IPv4]}, 3*time.Second)[0]
	if v.State != ddns.Agreed || v.Address != home4 || !v.Alone {
		t.Errorf("%+v", v)
	}
	beside := Config{Sources: []Spec{{Name: Default}, {Router: "auto"}}, Families: []ddns.Family{ddns.IPv4}, Router: router}
	rosters, err = Build(beside, world)
	if err != nil || rosters[ddns.IPv4].Operators() != 5 {
		t.Errorf("beside others: %v, %d operators", err, rosters[ddns.IPv4].Operators())
	}
	for _, c := range []struct {
		config Config
		says   string
	}{
		{Config{Sources: []Spec{{Router: "10.0.0.1"}}}, "write auto"},
		{Config{Sources: []Spec{{Router: "auto", Interface: "eth0"}}}, "several kinds"},
		{Config{Sources: []Spec{{Router: "auto"}}, Quorum: 1, Families: []ddns.Family{ddns.IPv6}}, "no source serves ipv6"},
	} {
		if _, err := c.config.Validate(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c.config.Sources, err)
		}
	}
}
