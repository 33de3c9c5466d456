package cfclient

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// narrowLine forwards connections to an address, but none whose first bytes
// are more than 1,000.
func narrowLine(t *testing.T, to string) string {
	t.Helper()
	return listen(t, func(conn net.Conn) {
		first := make([]byte, 4096)
		n, err := conn.Read(first)
		if err != nil {
			return
		}
		if n > 1000 {
			_, _ = io.Copy(io.Discard, conn) // until the client gives up
			return
		}
		server, err := net.Dial("tcp", to)
		if err != nil {
			t.Error(err)
			return
		}
		defer server.Close()
		_, _ = server.Write(first[:n])
		go func() { _, _ = io.Copy(server, conn); _ = server.Close() }()
		_, _ = io.Copy(conn, server)
	})
}

// listen serves each connection until the test ends.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return listener.Addr().String()
}

func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// unresolved is a world whose resolver knows no name.
type unresolved struct{ loopback }

func (unresolved) Dial(context.Context, string, string) (net.Conn, error) {
	return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "api.cloudflare.com", IsNotFound: true}}
}
func (u unresolved) From(netip.Addr) ddns.World { return u }

// certify makes a certificate for example.com that signs itself.
func certify(t *testing.T, from, to time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: to, DNSNames: []string{"example.com"}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// TestAConnectionThatFailsIsHarmless: what never left is Unreachable, even a
// write, and the error says which of the many ways it failed.
func TestAConnectionThatFailsIsHarmless(t *testing.T) {
	now := time.Now()
	tlsServer := func(cert tls.Certificate) string {
		server := httptest.NewUnstartedServer(answering(200, "{}"))
		server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
		server.StartTLS()
		t.Cleanup(server.Close)
		return server.Listener.Addr().String()
	}
	good, goodRoots := certify(t, now.Add(-time.Hour), now.Add(time.Hour))
	early, earlyRoots := certify(t, now.Add(24*time.Hour), now.Add(48*time.Hour))
	late, lateRoots := certify(t, now.Add(-48*time.Hour), now.Add(-24*time.Hour))
	tests := []struct {
		name string
		base string
		via  ddns.World
		want string
		hint string
	}{
		{"nobody listens", "https://example.com", loopback{closedPort(t), goodRoots}, "connection refused", "firewall"},
		{"the name is unknown", "https://example.com", unresolved{}, "no such host", "DNS filter"},
		{"a certificate of tomorrow", "https://example.com", loopback{tlsServer(early), earlyRoots}, "not yet valid", "clock"},
		{"a certificate of yesterday", "https://example.com", loopback{tlsServer(late), lateRoots}, "expired", "clock"},
		{"a certificate of nobody", "https://example.com", loopback{tlsServer(good), x509.NewCertPool()}, "not trusted", "intercepts"},
		{"a certificate of another", "https://example.net", loopback{tlsServer(good), goodRoots}, "another name", "portal"},
		{"a server that speaks no TLS", "https://example.com", loopback{listen(t, func(c net.Conn) { _, _ = c.Write([]byte("SSH-2.0-OpenSSH\r\n")) }), goodRoots}, "does not speak TLS", "portal"},
		{"a server that hangs up", "https://example.com", loopback{listen(t, func(net.Conn) {}), goodRoots}, "broke", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := New(Config{Token: ddns.NewSecret(testToken), BaseURL: tt.base, World: tt.via})
			_, err := c.Batch(t.Context(), testZone, ddns.Batch{Deletes: []string{recordID(1)}})
			wantKind(t, err, ddns.Unreachable)
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(ddns.HintOf(err), tt.hint) {
				t.Errorf("%v (%s); want %q (%q)", err, ddns.HintOf(err), tt.want, tt.hint)
			}
		})
	}
}

// TestASentRequestWithoutAnswer: a reading is Unreachable, a write Uncertain,
// and neither is sent again.
func TestASentRequestWithoutAnswer(t *testing.T) {
	hijack := func(w http.ResponseWriter, say string) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, say)
		_ = conn.Close()
	}
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"the connection is dropped", func(w http.ResponseWriter, _ *http.Request) { hijack(w, "") }, "connection broke"},
		{"the server hangs", func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-over:
			}
		}, "sent, and no answer within"},
		{"the answer is cut", func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"success\":tr")
		}, "connection broke"},
		{"the answer does not end", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"success":`)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-over:
			}
		}, "the answer did not end within"},
		{"a 500", answering(500, refusalOf(1000, "internal")), "internal"},
		{"a 530 of the edge", answering(530, "error code: 1016"), "HTTP 530"},
		{"a page of a proxy", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, "not one of Cloudflare's API"},
		{"a page that forbids", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403); _, _ = io.WriteString(w, "<html>") }, "not one of Cloudflare's API"},
		{"half a document", answering(200, `{"success":true,"result":[{"id":"`), "not one of Cloudflare's API"},
		{"two documents", answering(200, resultOf("[]")+resultOf("[]")), "not one of Cloudflare's API"},
		{"no result", answering(200, `{"success":true,"result":null}`), "does not hold"},
		{"nothing", answering(200, ""), "not one of Cloudflare's API"},
		{"a failure without a word under 200", answering(200, `{"success":false,"errors":[],"result":[]}`), "not one of Cloudflare's API"},
		{"an unknown failure under 200", answering(200, refusalOf(99999, "no")), "99999"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			api := serve(t, tt.handler)
			c := api.client(t)
			if strings.Contains(tt.want, "within") {
				c = withTimeout(c, 2*time.Second) // that it is sent takes less, on a busy machine too
			}
			_, err := c.Holding(t.Context(), testZone, "192.0.2.1")
			wantKind(t, err, ddns.Unreachable)
			_, err = c.Batch(t.Context(), testZone, ddns.Batch{Posts: []ddns.Record{{Name: "a.example.com", Type: "A", Content: "192.0.2.1"}}})
			wantKind(t, err, ddns.Uncertain)
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v; want %q", err, tt.want)
			}
			if n := len(api.requests()); n != 2 {
				t.Errorf("%d requests for two calls", n)
			}
		})
	}
}

func TestAnAnswerWithoutEndIsNotRead(t *testing.T) {
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		chunk := []byte(strings.Repeat(" ", 1<<20))
		for range 8 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	_, err := api.client(t).VerifyToken(t.Context(), "")
	wantKind(t, err, ddns.Unreachable)
	if !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Error(err)
	}
}

func TestACallThatIsGivenUpSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	api := serve(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	_, err := api.client(t).Zones(ctx)
	wantKind(t, err, ddns.Unreachable)
	if !strings.Contains(err.Error(), "given up") {
		t.Error(err)
	}
}
