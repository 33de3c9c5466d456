package cfclient

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// counted is a server that counts its connections, and a world that leads to it
// from an address of ours.
type counted struct {
	*httptest.Server
	connections atomic.Int64
	mu          sync.Mutex
	from        netip.Addr // our own end; zero: the system chooses
}

func serveCounted(t *testing.T, handler http.HandlerFunc) *counted {
	t.Helper()
	s := &counted{Server: httptest.NewUnstartedServer(handler)}
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Dial implements ddns.World.
func (s *counted) Dial(ctx context.Context, network, _ string) (net.Conn, error) {
	s.mu.Lock()
	from := s.from
	s.mu.Unlock()
	dialer := &net.Dialer{}
	if from.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	return dialer.DialContext(ctx, network, s.Listener.Addr().String())
}
func (s *counted) From(netip.Addr) ddns.World { return s }
func (s *counted) Roots() *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return roots
}

func (s *counted) client(t *testing.T, broken func()) *Client {
	t.Helper()
	c := New(Config{Token: ddns.NewSecret(testToken), BaseURL: "https://example.com/client/v4", World: s, Broken: broken})
	t.Cleanup(c.CloseIdle)
	return c
}

func TestTheFirstCallTakesTheConnectionThatWasMadeForIt(t *testing.T) {
	s := serveCounted(t, answering(200, listOf(t, 0, []int{})))
	s.StartTLS()
	c := s.client(t, nil)
	c.Connect(t.Context())
	c.Connect(t.Context()) // there is one already
	if s.connections.Load() != 1 || c.Calls() != 0 {
		t.Fatalf("%d connections, %d calls", s.connections.Load(), c.Calls())
	}
	for range 2 {
		if _, err := c.Zones(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.Connect(t.Context()) // one waits already
	}
	if n := s.connections.Load(); n != 1 {
		t.Errorf("%d connections for two calls, want 1", n)
	}
}

func TestAConnectionThatNoCallTookIsClosedWithTheRound(t *testing.T) {
	closed := make(chan struct{})
	s := serveCounted(t, answering(200, listOf(t, 0, []int{})))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			close(closed)
		}
	}
	s.StartTLS()
	c := s.client(t, nil)
	c.Connect(t.Context())
	c.CloseIdle()
	select {
	case <-closed:
	case <-time.After(time.Minute):
		t.Error("it stands")
	}
	if n := len(c.dialer.snapshot()); n != 0 {
		t.Errorf("%d connections are open", n)
	}
}

// slowPipes is a simulated world whose first connections take their time.
type slowPipes struct {
	pipes
	takes chan time.Duration
	dials *atomic.Int64
}

func (p slowPipes) DialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	p.dials.Add(1)
	select {
	case d := <-p.takes:
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	default:
	}
	return p.pipes.DialTLS(ctx, network, address)
}
func (p slowPipes) From(netip.Addr) ddns.World { return p }

func TestACallAndAConnectionInTheMaking(t *testing.T) {
	tests := []struct {
		name  string
		takes time.Duration
		begin time.Duration // when the call begins
		done  time.Duration // when it must be done
		dials int64
	}{
		{"a call waits for the connection", 500 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, 1},
		{"one that hangs holds up no call that comes early", time.Hour, 100 * time.Millisecond, joinPatience, 2},
		{"one that hangs holds up no call that comes late", time.Hour, 3 * time.Second, 3 * time.Second, 2},
		{"one that is old is not taken", 0, spareLife + time.Second, spareLife + time.Second, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := slowPipes{pipes{make(chan net.Conn)}, make(chan time.Duration, 1), new(atomic.Int64)}
				world.takes <- tt.takes
				defer serveWorld(t, world, answering(200, listOf(t, 0, []int{})))()
				c := New(Config{Token: ddns.NewSecret(testToken), World: world})
				defer c.CloseIdle()
				began := time.Now()
				ctx, end := context.WithCancel(t.Context())
				var making sync.WaitGroup
				making.Go(func() { c.Connect(ctx) })
				<-time.After(tt.begin)
				if _, err := c.Zones(t.Context()); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took != tt.done || world.dials.Load() != tt.dials {
					t.Errorf("done after %v with %d dials", took, world.dials.Load())
				}
				end()
				making.Wait() // Connect leaves nothing behind
			})
		})
	}
}

// serveWorld serves a simulated world; what it returns ends that.
func serveWorld(t *testing.T, world net.Listener, handler http.HandlerFunc) (end func()) {
	t.Helper()
	server := &http.Server{Handler: handler}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(world) }()
	return func() { _ = server.Close(); <-ended }
}

func TestACallDialsWhereTheConnectionDoesNotComeUp(t *testing.T) {
	s := serveCounted(t, answering(200, listOf(t, 0, []int{})))
	s.StartTLS()
	c := s.client(t, nil)
	ended, end := context.WithCancel(t.Context())
	end()
	c.Connect(ended)
	if _, err := c.Zones(t.Context()); err != nil || s.connections.Load() != 1 {
		t.Errorf("%v, %d connections", err, s.connections.Load())
	}
}

func TestConnectFindsOutThatTheLineDropsLargeGreetings(t *testing.T) {
	t.Parallel()
	api := httptest.NewTLSServer(answering(200, listOf(t, 0, []int{})))
	defer api.Close()
	roots := x509.NewCertPool()
	roots.AddCert(api.Certificate())
	c := New(Config{Token: ddns.NewSecret(testToken), BaseURL: "https://example.com", World: loopback{narrowLine(t, api.Listener.Addr().String()), roots}})
	defer c.CloseIdle()
	c.Connect(t.Context())
	if !c.SmallHello() || len(c.dialer.snapshot()) != 1 {
		t.Errorf("small %v, %d connections", c.SmallHello(), len(c.dialer.snapshot()))
	}
	if _, err := c.Zones(t.Context()); err != nil || len(c.dialer.snapshot()) != 1 {
		t.Errorf("%v, %d connections", err, len(c.dialer.snapshot()))
	}
}

func TestConnectionsFromAnAddressThatIsGoneAreClosed(t *testing.T) {
	inUse, release := make(chan struct{}), make(chan struct{})
	var hang atomic.Bool
	s := serveCounted(t, func(w http.ResponseWriter, r *http.Request) {
		if hang.Load() {
			inUse <- struct{}{}
			<-release
		}
		answer(w, 200, listOf(t, 0, []int{}))
	})
	s.from = netip.MustParseAddr("127.0.0.2")
	s.StartTLS()
	defer close(release)
	var broken atomic.Int64
	c := s.client(t, func() { broken.Add(1) })
	if _, err := c.Zones(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.CloseFrom([]netip.Addr{netip.MustParseAddr("127.0.0.3")})
	if n := len(c.dialer.snapshot()); n != 1 {
		t.Fatalf("%d connections are open: that one was made from another address", n)
	}
	hang.Store(true)
	done := make(chan error, 1)
	go func() {
		_, err := c.Batch(t.Context(), testZone, ddns.Batch{Deletes: []string{recordID(1)}})
		done <- err
	}()
	<-inUse
	c.CloseFrom([]netip.Addr{netip.MustParseAddr("::ffff:127.0.0.2")})
	err := <-done
	wantKind(t, err, ddns.Uncertain)
	if !strings.Contains(err.Error(), "no longer has the address 127.0.0.2") {
		t.Error(err)
	}
	if n := broken.Load(); n != 0 {
		t.Error("we closed it ourselves, and it is called broken")
	}
	hang.Store(false)
	s.mu.Lock()
	s.from = netip.MustParseAddr("127.0.0.4")
	s.mu.Unlock()
	if _, err := c.Zones(t.Context()); err != nil || s.connections.Load() != 2 {
		t.Errorf("the next call: %v over connection %d", err, s.connections.Load())
	}
}

func TestAReadingOnAnAddressThatIsGoneIsUnreachable(t *testing.T) {
	inUse, release := make(chan struct{}), make(chan struct{})
	s := serveCounted(t, func(http.ResponseWriter, *http.Request) { inUse <- struct{}{}; <-release })
	s.from = netip.MustParseAddr("127.0.0.2")
	s.StartTLS()
	defer close(release)
	c := s.client(t, nil)
	done := make(chan error, 1)
	go func() { _, err := c.Zones(t.Context()); done <- err }()
	<-inUse
	c.CloseFrom([]netip.Addr{s.from})
	err := <-done
	wantKind(t, err, ddns.Unreachable)
	if !strings.Contains(err.Error(), "no longer has the address 127.0.0.2") {
		t.Error(err)
	}
}

func TestABrokenConnectionIsTold(t *testing.T) {
	tests := []struct {
		name  string
		calls int // that go well before
		do    func(w http.ResponseWriter)
		wait  time.Duration // timeout of a call
		want  int64
	}{
		{"reset after it was good is told once", 1, rst, time.Minute, 1},
		{"reset at the first call is not", 0, rst, time.Minute, 0},
		{"silence after it was good is", 1, nil, 2 * time.Second, 1},
		{"silence at the first call is not", 0, nil, 2 * time.Second, 0},
		{"a server that hangs up is not", 1, hangUp, time.Minute, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			var calls, broken atomic.Int64
			s := serveCounted(t, func(w http.ResponseWriter, _ *http.Request) {
				switch {
				case calls.Add(1) <= int64(tt.calls):
					answer(w, 200, listOf(t, 0, []int{}))
				case tt.do == nil:
					<-release
				default:
					tt.do(w)
				}
			})
			s.StartTLS()
			defer close(release)
			c := s.client(t, func() { broken.Add(1) })
			for range tt.calls {
				if _, err := c.Zones(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			_, err := withTimeout(c, tt.wait).Batch(t.Context(), testZone, ddns.Batch{Deletes: []string{recordID(1)}})
			wantKind(t, err, ddns.Uncertain)
			if n := broken.Load(); n != tt.want {
				t.Errorf("told %d times, want %d (%v)", n, tt.want, err)
			}
		})
	}
}

// rst ends a connection as a router does that has forgotten it.
func rst(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if below, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = below.NetConn()
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// hangUp ends a connection in order.
func hangUp(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// snapshot are the open connections.
func (d *dialer) snapshot() (conns []*apiConn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for conn := range d.open {
		conns = append(conns, conn)
	}
	return conns
}
