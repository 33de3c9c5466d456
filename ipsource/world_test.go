package ipsource

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/needs"
)

func TestMain(m *testing.M) { os.Exit(needs.Main(m)) }

// home4 and home6 are addresses that a home could have.
var (
	home4 = netip.MustParseAddr("45.67.89.10")
	home6 = netip.MustParseAddr("2a01:4f8:1:2::10")
)

// loopback is a world of real sockets: hosts that are in its table lead to
// servers of the test, any other address to itself.
type loopback struct {
	hosts map[string]string // HOST:PORT to the address of a server
	roots *x509.CertPool
	local netip.Addr

	dialled *record         // nil if nobody wants to know
	open    *sync.WaitGroup // counts connections; nil if nobody wants to know
}

// record is what was dialled.
type record struct {
	mu       sync.Mutex
	networks []string
	locals   []netip.Addr
}

func (l loopback) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if to, ok := l.hosts[address]; ok {
		address = to
	}
	if l.dialled != nil {
		l.dialled.mu.Lock()
		l.dialled.networks = append(l.dialled.networks, network)
		l.dialled.locals = append(l.dialled.locals, l.local)
		l.dialled.mu.Unlock()
	}
	dialer := net.Dialer{}
	if l.local.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(l.local, 0))
		if strings.HasPrefix(network, "udp") {
			dialer.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(l.local, 0))
		}
	}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil || l.open == nil {
		return conn, err
	}
	l.open.Add(1)
	return &counted{Conn: conn, closed: sync.OnceFunc(l.open.Done)}, nil
}

// counted is a connection that says when it was closed.
type counted struct {
	net.Conn
	closed func()
}

func (c *counted) Close() error {
	defer c.closed()
	return c.Conn.Close()
}

func (l loopback) From(local netip.Addr) ddns.World {
	l.local = local
	return l
}

func (l loopback) Roots() *x509.CertPool { return l.roots }

// httpsWorld starts an HTTPS server that example.com leads to.
func httpsWorld(t *testing.T, handler http.HandlerFunc) loopback {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return loopback{roots: roots, hosts: map[string]string{"example.com:443": server.Listener.Addr().String()}}
}

// udpServer starts a server that answers each datagram as the function says;
// nil is silence.
func udpServer(t *testing.T, answer func(datagram []byte) [][]byte) (address string) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	t.Cleanup(func() { conn.Close() })
	serving.Go(func() {
		buffer := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			for _, b := range answer(buffer[:n]) {
				conn.WriteTo(b, from)
			}
		}
	})
	return conn.LocalAddr().String()
}

// within gives a question a deadline of its own.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// wantError checks that no address came, and that the error says so.
func wantError(t *testing.T, got netip.Addr, err error, says string) {
	t.Helper()
	if got.IsValid() {
		t.Errorf("got address %s, want none", got)
	}
	if err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("error is %v, want one that says %q", err, says)
	}
}

func netipAddr(s string) netip.Addr { return netip.MustParseAddr(s) }

// start runs a server until the test ends.
func start(t *testing.T, server *exec.Cmd) {
	t.Helper()
	var output bytes.Buffer
	server.Stdout, server.Stderr = &output, &output
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
		if t.Failed() {
			t.Logf("%s wrote:\n%s", server.Path, output.String())
		}
	})
}

// eventually asks again until a server that was just started answers.
func eventually(t *testing.T, ask func() error) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var err error
	for range 1200 { // a busy machine takes its time
		if err = ask(); err == nil {
			return
		}
		<-tick.C
	}
	t.Fatalf("no answer in a minute: %v", err)
}
