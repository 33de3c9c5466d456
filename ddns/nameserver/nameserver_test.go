package nameserver

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/miekg/dns"
)

// loopback is a world of real sockets. Every dial goes to the address given,
// if there is one.
type loopback struct {
	to    string
	roots *x509.CertPool
}

func (l loopback) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if l.to != "" {
		address = l.to
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}
func (l loopback) From(netip.Addr) ddns.World { return l }
func (l loopback) Roots() *x509.CertPool      { return l.roots }

// serve answers over UDP and TCP on one port until the test ends.
func serve(t *testing.T, answer func(overTCP bool, query *dns.Msg) []*dns.Msg) string {
	t.Helper()
	udp, tcp := listenBoth(t)
	handle := func(w dns.ResponseWriter, query *dns.Msg) {
		_, overTCP := w.RemoteAddr().(*net.TCPAddr)
		for _, reply := range answer(overTCP, query) {
			_ = w.WriteMsg(reply)
		}
	}
	for _, s := range []*dns.Server{{PacketConn: udp}, {Listener: tcp}} {
		s.Handler = dns.HandlerFunc(handle)
		started, ended := make(chan struct{}), make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() {
			defer close(ended)
			_ = s.ActivateAndServe()
		}()
		<-started
		t.Cleanup(func() {
			_ = s.Shutdown()
			<-ended
		})
	}
	return tcp.Addr().String()
}

func listenBoth(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err == nil {
			return udp, tcp
		}
		_ = tcp.Close()
	}
	t.Fatal("no port is free for both UDP and TCP")
	return nil, nil
}

// reply makes an authoritative answer of records in zone file form.
func reply(t *testing.T, query *dns.Msg, rcode int, records ...string) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	m.SetRcode(query, rcode)
	m.Authoritative = true
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Error(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	return m
}

func TestAskSaysWhatTheServerSaid(t *testing.T) {
	addr := netip.MustParseAddr
	tests := []struct {
		name       string
		recordType string
		rcode      int
		records    []string
		edit       func(*dns.Msg)
		want       ddns.Answer
		wantErr    error
	}{
		{
			name: "an address", recordType: "A", records: []string{"home.example.com. 60 A 192.0.2.1"},
			want: ddns.Answer{Authoritative: true, Addresses: []netip.Addr{addr("192.0.2.1")}, TTL: time.Minute},
		},
		{
			name: "several addresses come sorted, each once", recordType: "AAAA",
			records: []string{"home.example.com. 60 AAAA 2001:db8::2", "home.example.com. 60 AAAA 2001:db8::1", "home.example.com. 60 AAAA 2001:db8::2"},
			want:    ddns.Answer{Authoritative: true, Addresses: []netip.Addr{addr("2001:db8::1"), addr("2001:db8::2")}, TTL: time.Minute},
		},
		{
			name: "an alias is followed inside the answer, in any order", recordType: "A",
			records: []string{"B.example.com. 30 A 192.0.2.7", "a.example.com. 20 CNAME b.example.com.", "home.example.com. 10 CNAME A.example.com."},
			want:    ddns.Answer{Authoritative: true, CNAME: "a.example.com", Addresses: []netip.Addr{addr("192.0.2.7")}, TTL: 10 * time.Second},
		},
		{
			name: "an alias that leads in a circle ends", recordType: "A",
			records: []string{"home.example.com. 10 CNAME a.example.com.", "a.example.com. 10 CNAME home.example.com."},
			want:    ddns.Answer{Authoritative: true, CNAME: "a.example.com", TTL: 10 * time.Second},
		},
		{
			name: "records of other names, types and classes are not ours", recordType: "A",
			records: []string{"other.example.com. 60 A 192.0.2.9", "home.example.com. 60 AAAA 2001:db8::1", "home.example.com. 60 CH A 192.0.2.8"},
			want:    ddns.Answer{Authoritative: true},
		},
		{
			name: "a name that does not exist is an answer", recordType: "A", rcode: dns.RcodeNameError,
			want: ddns.Answer{Authoritative: true, NameError: true},
		},
		{
			name: "an alias whose target does not exist is a name that exists", recordType: "A", rcode: dns.RcodeNameError,
			records: []string{"home.example.com. 10 CNAME gone.example.net."},
			want:    ddns.Answer{Authoritative: true, CNAME: "gone.example.net", TTL: 10 * time.Second},
		},
		{
			name: "an answer without AA is shown so", recordType: "A", records: []string{"home.example.com. 60 A 192.0.2.1"},
			edit: func(m *dns.Msg) { m.Authoritative = false },
			want: ddns.Answer{Addresses: []netip.Addr{addr("192.0.2.1")}, TTL: time.Minute},
		},
		{name: "a server that fails", recordType: "A", rcode: dns.RcodeServerFailure, wantErr: errServer},
		{name: "a server that refuses", recordType: "A", rcode: dns.RcodeRefused, wantErr: errServer},
		{name: "an answer to another question", recordType: "A", edit: func(m *dns.Msg) { m.Question[0].Name = "evil.example.com." }, wantErr: errQuestion},
		{name: "an answer about another type", recordType: "A", edit: func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAAAA }, wantErr: errQuestion},
		{name: "an answer without a question", recordType: "A", edit: func(m *dns.Msg) { m.Question = nil }, wantErr: errQuestion},
		{name: "an echo of the question", recordType: "A", edit: func(m *dns.Msg) { m.Response = false }, wantErr: errQuestion},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := serve(t, func(_ bool, query *dns.Msg) []*dns.Msg {
				if query.RecursionDesired {
					t.Error("the question desires recursion")
				}
				m := reply(t, query, tt.rcode, tt.records...)
				if tt.edit != nil {
					tt.edit(m)
				}
				return []*dns.Msg{m}
			})
			got, err := Client{World: loopback{}}.Ask(t.Context(), server, "home.example.com", tt.recordType)
			if !errors.Is(err, tt.wantErr) {
				t.Fatalf("error %v, want %v", err, tt.wantErr)
			}
			if err == nil {
				tt.want.Server, tt.want.Over = server, "udp"
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestAskGoesOnOverTCP(t *testing.T) {
	tests := []struct {
		name string
		udp  func(m *dns.Msg) []*dns.Msg
	}{
		{"when the answer was cut", func(m *dns.Msg) []*dns.Msg { m.Truncated, m.Answer = true, nil; return []*dns.Msg{m} }},
		{"when nothing comes over UDP", func(*dns.Msg) []*dns.Msg { return nil }},
		{"when the letters were lowered", lowered},
		{"when the answer is to another question", func(m *dns.Msg) []*dns.Msg { m.Question[0].Name = "x."; return []*dns.Msg{m} }},
		{"when only answers with a wrong number come", func(m *dns.Msg) []*dns.Msg { m.Id++; return []*dns.Msg{m} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := serve(t, func(overTCP bool, query *dns.Msg) []*dns.Msg {
				m := reply(t, query, dns.RcodeSuccess, "home.example.com. 60 A 192.0.2.1")
				if overTCP {
					return lowered(m)
				}
				return tt.udp(m)
			})
			client := Client{World: loopback{}, Timeout: time.Second}
			got, err := client.Ask(t.Context(), server, "home.example.com", "A")
			if err != nil || got.Over != "tcp" || len(got.Addresses) != 1 || !got.Authoritative {
				t.Fatalf("got %+v, %v; want one address over tcp", got, err)
			}
		})
	}
}

func lowered(m *dns.Msg) []*dns.Msg {
	m.Question[0].Name = strings.ToLower(m.Question[0].Name)
	return []*dns.Msg{m}
}

func TestAForgedNumberIsPassedOver(t *testing.T) {
	server := serve(t, func(_ bool, query *dns.Msg) []*dns.Msg {
		forged := reply(t, query, dns.RcodeSuccess, "home.example.com. 60 A 203.0.113.66")
		forged.Id++
		return []*dns.Msg{forged, reply(t, query, dns.RcodeSuccess, "home.example.com. 60 A 192.0.2.1")}
	})
	got, err := Client{World: loopback{}}.Ask(t.Context(), server, "home.example.com", "A")
	if err != nil || got.Over != "udp" || got.Addresses[0] != netip.MustParseAddr("192.0.2.1") {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestSilenceEndsAtTheDeadline(t *testing.T) {
	server := serve(t, func(bool, *dns.Msg) []*dns.Msg { return nil })
	client := Client{World: loopback{}, Timeout: 200 * time.Millisecond}
	_, err := client.Ask(t.Context(), server, "home.example.com", "A")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

func TestACancelledQuestionEndsAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := serve(t, func(bool, *dns.Msg) []*dns.Msg { cancel(); return nil })
	_, err := Client{World: loopback{}, Timeout: time.Minute}.Ask(ctx, server, "home.example.com", "A")
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestWhatCannotBeAskedIsNotSent(t *testing.T) {
	client := Client{World: loopback{}}
	for _, q := range [][2]string{{"home.example.com", "QUUX"}, {"", "A"}, {strings.Repeat("a", 64) + ".example", "A"}} {
		if _, err := client.Ask(t.Context(), "192.0.2.1:53", q[0], q[1]); err == nil {
			t.Errorf("%q was asked", q)
		}
	}
	if _, err := client.AskDoH(t.Context(), "http://192.0.2.1/dns-query", "home.example.com", "A"); err == nil {
		t.Error("a plain URL was asked")
	}
}

func TestAskDoH(t *testing.T) {
	page := func(contentType string, status int, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = w.Write(body)
		}
	}
	tests := []struct {
		name    string
		handler http.HandlerFunc
		wantErr bool
	}{
		{"an answer, its letters lowered", answerDoH(t), false},
		{"a portal's page", page("text/html", 200, []byte("<html>log in")), true},
		{"a redirect is not followed", http.RedirectHandler("/elsewhere", http.StatusFound).ServeHTTP, true},
		{"an error of the resolver", page("application/dns-message", 500, nil), true},
		{"a message that is cut", page("application/dns-message", 200, []byte{0, 0, 0x80}), true},
		{"a message without end", page("application/dns-message", 200, make([]byte, 1<<20)), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewTLSServer(tt.handler)
			defer server.Close()
			pool := x509.NewCertPool()
			pool.AddCert(server.Certificate())
			client := Client{World: loopback{to: server.Listener.Addr().String(), roots: pool}}
			got, err := client.AskDoH(t.Context(), "https://example.com/dns-query", "home.example.com", "A")
			if (err != nil) != tt.wantErr {
				t.Fatalf("got %+v, %v", got, err)
			}
			if err == nil && (got.Over != "https" || got.Authoritative || len(got.Addresses) != 1) {
				t.Errorf("got %+v", got)
			}
		})
	}
	t.Run("a resolver whose certificate nobody vouches for", func(t *testing.T) {
		server := httptest.NewTLSServer(answerDoH(t))
		defer server.Close()
		client := Client{World: loopback{to: server.Listener.Addr().String(), roots: x509.NewCertPool()}}
		if got, err := client.AskDoH(t.Context(), "https://example.com/", "home.example.com", "A"); err == nil {
			t.Errorf("believed: %+v", got)
		}
	})
}

func answerDoH(t *testing.T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, 512)
		n, _ := r.Body.Read(body)
		query := new(dns.Msg)
		if err := query.Unpack(body[:n]); err != nil || !query.RecursionDesired {
			t.Errorf("query %v, %v", query, err)
		}
		packed, err := lowered(reply(t, query, dns.RcodeSuccess, "home.example.com. 60 A 192.0.2.1"))[0].Pack()
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/dns-message")
		_, _ = w.Write(packed)
	}
}

func FuzzReadReply(f *testing.F) {
	query, err := newQuery("home.example.com", "A")
	if err != nil {
		f.Fatal(err)
	}
	for _, records := range [][]string{nil, {"home.example.com. 60 A 192.0.2.1"}, {"home.example.com. 1 CNAME home.example.com."}} {
		m := new(dns.Msg)
		m.SetReply(query)
		for _, text := range records {
			rr, err := dns.NewRR(text)
			if err != nil {
				f.Fatal(err)
			}
			m.Answer = append(m.Answer, rr)
		}
		packed, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		m := new(dns.Msg)
		if m.Unpack(packed) != nil {
			return
		}
		m.Id = query.Id
		answer, err := readReply(m, query)
		if err != nil && !errors.Is(err, errCase) {
			return
		}
		for _, a := range answer.Addresses {
			if !a.Is4() {
				t.Errorf("asked for A, got %v", a)
			}
		}
		if answer.NameError && answer.CNAME != "" {
			t.Error("an alias that does not exist")
		}
	})
}
