package sandbox

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// family is 4 or 6: by which of the two a client came.
type family int

const (
	ipv4 family = 4
	ipv6 family = 6
)

var bothFamilies = [...]family{ipv4, ipv6}

// familyOf returns the family of an address.
func familyOf(a netip.Addr) family {
	if a.Unmap().Is4() {
		return ipv4
	}
	return ipv6
}

// wan returns the home's public address of a family, zero if it has none.
func (s *Sandbox) wan(f family) netip.Addr {
	f4, f6 := s.WAN()
	if f == ipv6 {
		return f6
	}
	return f4
}

// isHome reports whether an address is one of the home's, now.
func (s *Sandbox) isHome(a netip.Addr) bool {
	return a.IsValid() && a == s.wan(familyOf(a))
}

// listenFamily opens a TCP listener for clients of a family. Where loopback
// has no IPv6, a second port of 127.0.0.1 stands for it: what tells the
// families apart in here is the listener, never the address on it.
func (s *Sandbox) listenFamily(f family, address string) (net.Listener, error) {
	if f == ipv4 {
		return s.listen(address)
	}
	if l, err := s.listen("[::1]:0"); err == nil {
		return l, nil
	}
	return s.listen("")
}

// site is something that answers HTTP, with TLS and without on one port.
type site struct {
	address     string // HOST:PORT for IPv4; empty means a free port
	certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	handler     http.Handler
}

// serveSite opens a listener for each family and answers on both. It returns
// where, by family.
func (s *Sandbox) serveSite(w site) (map[family]string, error) {
	at := make(map[family]string)
	for _, f := range bothFamilies {
		l, err := s.listenFamily(f, w.address)
		if err != nil {
			return nil, err
		}
		at[f] = l.Addr().String()
		config := &tls.Config{GetCertificate: w.certificate, MinVersion: tls.VersionTLS12}
		s.serveHTTP(&eitherListener{Listener: l, config: config, family: f}, w.handler)
	}
	return at, nil
}

// loopbackHosts are what a client may call a service that it reaches
// directly, without a World or a hosts file.
var loopbackHosts = [...]string{"localhost", "127.0.0.1", "::1"}

// certificateOf makes the one certificate of a service: for its real host
// names, and for loopback.
func (s *Sandbox) certificateOf(hosts ...string) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	cert, err := s.authority.certificate(slices.Concat(hosts, loopbackHosts[:])...)
	if err != nil {
		return nil, err
	}
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil }, nil
}

// eitherListener accepts connections that may turn out to be TLS or plain.
type eitherListener struct {
	net.Listener
	config *tls.Config
	family family
}

func (l *eitherListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &eitherConn{Conn: conn, config: l.config, family: l.family}, nil
}

// eitherConn looks at the first byte that comes: 0x16 opens a TLS handshake,
// and no HTTP request. From then on it is a TLS connection or a plain one.
// The decision falls in the first Read, which comes before any Write, as
// always where the client speaks first.
type eitherConn struct {
	net.Conn
	config *tls.Config
	family family

	once sync.Once
	mu   sync.Mutex // guards over
	over net.Conn   // what carries the HTTP, once known
	err  error
}

func (c *eitherConn) Read(p []byte) (int, error) {
	c.once.Do(c.decide)
	if c.err != nil {
		return 0, c.err
	}
	return c.over.Read(p)
}

func (c *eitherConn) decide() {
	first := make([]byte, 1)
	if _, err := c.Conn.Read(first); err != nil {
		c.err = err
		return
	}
	replayed := &replayConn{Conn: c.Conn, first: bytes.NewReader(first)}
	var over net.Conn = replayed
	if first[0] == 0x16 {
		over = tls.Server(replayed, c.config)
	}
	c.mu.Lock()
	c.over = over
	c.mu.Unlock()
}

func (c *eitherConn) carrier() net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over == nil {
		return c.Conn
	}
	return c.over
}

func (c *eitherConn) Write(p []byte) (int, error) { return c.carrier().Write(p) }
func (c *eitherConn) Close() error                { return c.carrier().Close() }

// replayConn reads a byte that was taken from the connection once more.
type replayConn struct {
	net.Conn
	first *bytes.Reader
}

func (c *replayConn) Read(p []byte) (int, error) {
	if c.first.Len() > 0 {
		return c.first.Read(p)
	}
	return c.Conn.Read(p)
}

type connKey struct{}

// keepConn lets a handler find the connection its request came over.
func keepConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// cameBy returns the family by which a request came, IPv4 if nothing says so.
func cameBy(r *http.Request) family {
	if c, ok := r.Context().Value(connKey{}).(*eitherConn); ok {
		return c.family
	}
	return ipv4
}

// tlsState returns the TLS state of a request, nil if it came in the clear.
func tlsState(r *http.Request) *tls.ConnectionState {
	if r.TLS != nil {
		return r.TLS
	}
	c, ok := r.Context().Value(connKey{}).(*eitherConn)
	if !ok {
		return nil
	}
	secure, ok := c.carrier().(*tls.Conn)
	if !ok {
		return nil
	}
	state := secure.ConnectionState()
	return &state
}

// hangUp cuts a request's connection without an answer.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	conn.Close()
}

// hold keeps a request waiting until its client goes or the sandbox ends.
func (s *Sandbox) hold(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-s.done:
	}
}

// hang never answers a request: its connection ends when the client goes, or
// with the sandbox.
func (s *Sandbox) hang(w http.ResponseWriter, r *http.Request) {
	s.hold(r.Context())
	hangUp(w)
}

// pause waits, unless the client goes or the sandbox ends; then it is false.
func (s *Sandbox) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-s.done:
	}
	return false
}

// pour answers with a body that has no end, until the client has had enough.
func pour(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain")
	chunk := bytes.Repeat([]byte("45.67.89.10 and more to come. "), 1000)
	for {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// say answers with a text.
func say(w http.ResponseWriter, status int, contentType, body string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}
