package ipsource

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/miekg/dns"
)

// dnsServer answers over UDP and TCP on one port as the function says.
func dnsServer(t *testing.T, answer func(question *dns.Msg, network string) *dns.Msg) (address string) {
	t.Helper()
	handler := func(network string) dns.HandlerFunc {
		return func(w dns.ResponseWriter, question *dns.Msg) {
			if m := answer(question, network); m != nil {
				w.WriteMsg(m)
			}
		}
	}
	listener, packets := listenBoth(t)
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	for _, server := range []*dns.Server{
		{Listener: listener, Handler: handler("tcp")},
		{PacketConn: packets, Handler: handler("udp")},
	} {
		up := make(chan struct{})
		server.NotifyStartedFunc = func() { close(up) }
		serving.Go(func() { server.ActivateAndServe() })
		<-up
		t.Cleanup(func() { server.Shutdown() })
	}
	return listener.Addr().String()
}

// listenBoth opens one port of loopback for TCP and UDP.
func listenBoth(t *testing.T) (net.Listener, net.PacketConn) {
	t.Helper()
	for range 20 {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		packets, err := net.ListenPacket("udp4", listener.Addr().String())
		if err == nil {
			return listener, packets
		}
		listener.Close()
	}
	t.Fatal("no port is free for both TCP and UDP")
	return nil, nil
}

// reply answers a question with records in zone file form, of its own name.
func reply(question *dns.Msg, rdata ...string) *dns.Msg {
	m := new(dns.Msg).SetReply(question)
	m.Authoritative = true
	q := question.Question[0]
	for _, data := range rdata {
		text := fmt.Sprintf("%s 0 %s %s", q.Name, dns.ClassToString[q.Qclass], data)
		rr, err := dns.NewRR(text)
		if err != nil {
			panic(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	return m
}

func TestWhoamiRefusesEverythingButOneAddress(t *testing.T) {
	good := func(q *dns.Msg) *dns.Msg { return reply(q, `TXT "45.67.89.10"`) }
	for _, c := range []struct {
		name   string
		answer func(q *dns.Msg) *dns.Msg
		says   string
	}{
		{"a refusal", func(q *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(q, dns.RcodeRefused) }, "answered REFUSED"},
		{"a code nobody knows", func(q *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(q, 12) }, "response code 12"},
		{"no record", func(q *dns.Msg) *dns.Msg { return reply(q) }, "0 records"},
		{"two records", func(q *dns.Msg) *dns.Msg { return reply(q, `TXT "45.67.89.10"`, `TXT "45.67.89.10"`) }, "2 records"},
		{"two strings", func(q *dns.Msg) *dns.Msg { return reply(q, `TXT "45.67.89.10" "45.67.89.11"`) }, "no address"},
		{"an address in a sentence", func(q *dns.Msg) *dns.Msg { return reply(q, `TXT "you are 45.67.89.10"`) }, "no address"},
		{"white space", func(q *dns.Msg) *dns.Msg { return reply(q, `TXT " 45.67.89.10"`) }, "no address"},
		{"another type", func(q *dns.Msg) *dns.Msg { return reply(q, `A 45.67.89.10`) }, "another name, type or class"},
		{"another name", func(q *dns.Msg) *dns.Msg {
			m := good(q)
			m.Answer[0].Header().Name = "evil.example."
			return m
		}, "another name, type or class"},
		{"the other family", func(q *dns.Msg) *dns.Msg { return reply(q, `TXT "2a01:4f8::1"`) }, "ipv6 address"},
		{"its own address", func(q *dns.Msg) *dns.Msg { return reply(q, `TXT "127.0.0.1"`) }, "its own address"},
		{"an answer without authority", func(q *dns.Msg) *dns.Msg {
			m := good(q)
			m.Authoritative = false
			return m
		}, "somebody on this line answers port 53"},
		{"an answer that offers recursion", func(q *dns.Msg) *dns.Msg {
			m := good(q)
			m.RecursionAvailable = true
			return m
		}, "somebody on this line answers port 53"},
		{"a part of an answer, over TCP too", func(q *dns.Msg) *dns.Msg {
			m := good(q)
			m.Truncated = true
			return m
		}, "a part only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := googleWhoami()
			w.server = dnsServer(t, func(q *dns.Msg, _ string) *dns.Msg { return c.answer(q) })
			got, err := w.ask(within(t, time.Minute), loopback{}, ddns.IPv4)
			wantError(t, got, err, c.says)
		})
	}
}

func TestWhoamiPassesOverDatagramsThatAnswerAnotherQuestion(t *testing.T) {
	for name, spoil := range map[string]func(m *dns.Msg){
		"another id":               func(m *dns.Msg) { m.Id++ },
		"a question, no answer":    func(m *dns.Msg) { m.Response = false },
		"another opcode":           func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify },
		"letters in another case":  func(m *dns.Msg) { m.Question[0].Name = swapCase(m.Question[0].Name) },
		"another name":             func(m *dns.Msg) { m.Question[0].Name = "evil.example." },
		"another type":             func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeA },
		"another class":            func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS },
		"no question":              func(m *dns.Msg) { m.Question = nil },
		"two questions":            func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) },
		"nothing but its question": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			packed := func(m *dns.Msg) []byte {
				b, err := m.Pack()
				if err != nil {
					t.Error(err)
				}
				return b
			}
			var forgedOnly atomic.Bool
			address := udpServer(t, func(b []byte) [][]byte {
				q := new(dns.Msg)
				if err := q.Unpack(b); err != nil {
					t.Error(err)
				}
				forged := []byte("not DNS at all")
				if spoil != nil {
					m := reply(q, `TXT "45.67.89.99"`)
					spoil(m)
					forged = packed(m)
				}
				if forgedOnly.Load() {
					return [][]byte{forged}
				}
				return [][]byte{forged, packed(reply(q, `TXT "45.67.89.10"`))}
			})
			w := googleWhoami()
			w.server = address
			if got, err := w.ask(within(t, time.Minute), loopback{}, ddns.IPv4); got != home4 {
				t.Errorf("got %v, %v; want %s", got, err, home4)
			}
			forgedOnly.Store(true)
			got, err := w.ask(within(t, 2*time.Second), loopback{}, ddns.IPv4)
			wantError(t, got, err, "answers that fit no question of ours came (")
		})
	}
}

// swapCase writes large letters small, and small ones large.
func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, s)
}

func TestWhoamiAsksAsTheServerExpects(t *testing.T) {
	for _, c := range []struct {
		name      string
		question  whoami
		family    ddns.Family
		qtype     uint16
		qclass    uint16
		recursion bool
	}{
		{"cloudflare by CHAOS", chaosWhoami(), ddns.IPv4, dns.TypeTXT, dns.ClassCHAOS, true},
		{"google without recursion", googleWhoami(), ddns.IPv6, dns.TypeTXT, dns.ClassINET, false},
		{"opendns for A over IPv4", openDNSWhoami(), ddns.IPv4, dns.TypeA, dns.ClassINET, true},
		{"opendns for AAAA over IPv6", openDNSWhoami(), ddns.IPv6, dns.TypeAAAA, dns.ClassINET, true},
		{"akamai without recursion", akamaiWhoami(), ddns.IPv4, dns.TypeA, dns.ClassINET, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := c.question.question(c.family)
			q := m.Question[0]
			if q.Qtype != c.qtype || q.Qclass != c.qclass || m.RecursionDesired != c.recursion || !strings.EqualFold(q.Name, c.question.name) {
				t.Errorf("asks %v, recursion %t", q, m.RecursionDesired)
			}
			if len(m.Extra) > 0 {
				t.Error("asks with EDNS, which no answer needs")
			}
		})
	}
}

func TestWhoamiMixesTheCaseOfItsName(t *testing.T) {
	seen := map[string]bool{}
	for range 16 {
		name := googleWhoami().question(ddns.IPv4).Question[0].Name
		if !strings.EqualFold(name, "o-o.myaddr.l.google.com.") {
			t.Fatalf("name %q is another", name)
		}
		seen[name] = true
	}
	if len(seen) < 8 {
		t.Errorf("16 questions wrote the name in %d ways", len(seen))
	}
}

func TestWhoamiTakesTheWholeAnswerOverTCP(t *testing.T) {
	w := openDNSWhoami()
	w.server = dnsServer(t, func(q *dns.Msg, network string) *dns.Msg {
		if network == "udp" {
			m := reply(q)
			m.Truncated = true
			return m
		}
		return reply(q, "A 45.67.89.10")
	})
	world := loopback{dialled: new(record)}
	if got, err := w.ask(within(t, time.Minute), world, ddns.IPv4); got != home4 {
		t.Errorf("got %v, %v; want %s", got, err, home4)
	}
	if n := strings.Join(world.dialled.networks, " "); n != "udp4 tcp4" {
		t.Errorf("dialled %s", n)
	}
	world.dialled = new(record)
	w.over = overTCP
	if got, err := w.ask(within(t, time.Minute), world, ddns.IPv4); got != home4 || len(world.dialled.networks) != 1 {
		t.Errorf("over TCP alone: got %v, %v over %v", got, err, world.dialled.networks)
	}
}

func TestWhoamiSaysAtOnceThatNobodyListens(t *testing.T) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := openDNSWhoami()
	w.server = conn.LocalAddr().String()
	conn.Close()
	got, err := w.ask(within(t, time.Minute), loopback{}, ddns.IPv4)
	wantError(t, got, err, "refused") // and not that the deadline is over
}

func TestWhoamiHangsUpOnATCPServerThatHangs(t *testing.T) {
	w := openDNSWhoami()
	w.over = overTCP
	w.server = dnsServer(t, func(*dns.Msg, string) *dns.Msg { return nil })
	got, err := w.ask(within(t, time.Second), loopback{}, ddns.IPv4)
	wantError(t, got, err, "deadline exceeded")
}

func TestWhoamiOverHTTPSPostsAMessage(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(q *dns.Msg) *dns.Msg
		says   string // empty: home4
	}{
		{"the address", func(q *dns.Msg) *dns.Msg { return reply(q, `TXT "45.67.89.10"`) }, ""},
		{"0.0.0.0, which is not judged here", func(q *dns.Msg) *dns.Msg { return reply(q, `TXT "0.0.0.0"`) }, "0.0.0.0"},
		{"another question", func(q *dns.Msg) *dns.Msg {
			m := reply(q, `TXT "45.67.89.10"`)
			m.Question[0].Name = "evil.example."
			return m
		}, "another question"},
	} {
		t.Run(c.name, func(t *testing.T) {
			world := httpsWorld(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				q := new(dns.Msg)
				if err := q.Unpack(body); err != nil || q.Id != 0 || q.Question[0].Name != "whoami.cloudflare." {
					t.Errorf("posted %v, %v", q, err)
				}
				if r.Method != http.MethodPost || r.Header.Get("Content-Type") != dnsMessage || r.Header.Get("Accept") != dnsMessage {
					t.Errorf("%s with %v", r.Method, r.Header)
				}
				b, err := c.answer(q).Pack()
				if err != nil {
					t.Error(err)
				}
				w.Write(b)
			})
			w := chaosWhoami()
			w.over, w.server = overHTTPS, "https://example.com/dns-query"
			got, err := w.ask(within(t, time.Minute), world, ddns.IPv4)
			switch {
			case c.says == "" && got != home4:
				t.Errorf("got %v, %v; want %s", got, err, home4)
			case c.says == "0.0.0.0" && ddns.Sane(got, ddns.IPv4) == nil:
				t.Errorf("got %v, %v", got, err)
			case c.says != "" && c.says != "0.0.0.0":
				wantError(t, got, err, c.says)
			}
		})
	}
}

func FuzzWhoami(f *testing.F) {
	w := googleWhoami()
	asked := &dns.Msg{MsgHdr: dns.MsgHdr{Id: 4711}, Question: []dns.Question{{Name: w.name, Qtype: w.qtype, Qclass: w.class}}}
	for _, rdata := range []string{`TXT "45.67.89.10"`, `TXT "2a01:4f8::1"`, `TXT "a" "b"`, `A 45.67.89.10`, `CNAME evil.example.`} {
		b, err := reply(asked, rdata).Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		truncated(packet)
		for _, family := range ddns.Families {
			address, err := parseWhoami(packet, asked, true, family)
			if err != nil {
				if address.IsValid() {
					t.Fatalf("%x: both %s and %v", packet, address, err)
				}
				continue
			}
			if ddns.FamilyOf(address) != family || packet[0] != 4711>>8 || packet[1] != 4711&0xff {
				t.Fatalf("%x: %s out of an answer to another question", packet, address)
			}
			if packet[2]&0x84 != 0x84 || packet[3]&0x80 != 0 { // QR and AA, no RA
				t.Fatalf("%x: %s without authority", packet, address)
			}
		}
	})
}
