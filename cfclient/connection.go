package cfclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// joinPatience is how long after its beginning a call still waits for a
	// connection that Connect is making. One that takes longer may have lost its
	// first packet; the call then dials itself.
	joinPatience = time.Second
	// spareLife is how long a connection waits for its first call. A server
	// closes one that nobody uses; a write on it would be uncertain.
	spareLife = 10 * time.Second
)

// Connect opens a connection to the API that the next call takes, so that it
// need not wait for one. It returns once the connection stands or cannot be
// made: call it beside what goes before that call. A call that comes earlier
// waits for the connection, and dials itself if it is late or does not come up.
// Where a connection is open or being opened already, Connect does nothing. It
// makes no call; CloseIdle closes a connection that no call took.
func (c *Client) Connect(ctx context.Context) {
	if c.refused != nil || c.limit.shut(time.Now()) > 0 {
		return
	}
	c.dialer.prepare(ctx, c.open, c.address)
}

// CloseFrom closes at once every connection, in use or not, that was made from
// one of these addresses of ours: once they are gone its packets lead nowhere.
// A reading on it is then Unreachable, unless it could be asked for again on
// another connection; a write is Uncertain.
func (c *Client) CloseFrom(gone []netip.Addr) {
	for _, conn := range c.dialer.from(gone) {
		conn.lost.Store(true)
		_ = conn.Close() // its user learns of it
	}
}

// apiConn is an open connection to the API.
type apiConn struct {
	net.Conn
	dialer *dialer
	kept   atomic.Bool // a call went well on it
	lost   atomic.Bool // CloseFrom closed it
	told   atomic.Bool // that it is broken
}

// track makes an open connection known to the dialer, until it is closed.
func (d *dialer) track(conn net.Conn) *apiConn {
	tracked := &apiConn{Conn: conn, dialer: d}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[tracked] = struct{}{}
	return tracked
}

// tracked returns the connection below TLS; nil if it is none of ours.
func tracked(conn net.Conn) *apiConn {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	ours, _ := conn.(*apiConn)
	return ours
}

// from returns the open connections that were made from these addresses.
func (d *dialer) from(gone []netip.Addr) (conns []*apiConn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for conn := range d.open {
		if slices.ContainsFunc(gone, func(a netip.Addr) bool { return bare(a) == conn.local() }) {
			conns = append(conns, conn)
		}
	}
	return conns
}

// local is our own address of the connection; zero if it has none.
func (a *apiConn) local() netip.Addr {
	at, err := netip.ParseAddrPort(a.LocalAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return bare(at.Addr())
}

// bare is an address without what the kernel or the network adds to it.
func bare(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// Read implements net.Conn.
func (a *apiConn) Read(p []byte) (int, error) {
	n, err := a.Conn.Read(p)
	a.note(err)
	return n, err
}

// Write implements net.Conn.
func (a *apiConn) Write(p []byte) (int, error) {
	n, err := a.Conn.Write(p)
	a.note(err)
	return n, err
}

// Close implements net.Conn.
func (a *apiConn) Close() error {
	a.dialer.mu.Lock()
	delete(a.dialer.open, a)
	a.dialer.mu.Unlock()
	return a.Conn.Close()
}

// note looks for errors by which a line breaks. That a server closes what
// nobody uses (EOF) is its right.
func (a *apiConn) note(err error) {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return
	}
	for _, broken := range []syscall.Errno{syscall.ECONNRESET, syscall.EPIPE, syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.ENETUNREACH} {
		if errors.Is(err, broken) {
			a.tell()
		}
	}
}

// tell says, once, that a connection that had worked is broken.
func (a *apiConn) tell() {
	if a.dialer.broken != nil && a.kept.Load() && !a.lost.Load() && a.told.CompareAndSwap(false, true) {
		a.dialer.broken()
	}
}

// lostError says why the connection of a call was closed; nil if CloseFrom did
// not do it.
func (a *apiConn) lostError() error {
	if a == nil || !a.lost.Load() {
		return nil
	}
	return fmt.Errorf("the connection was closed, since this machine no longer has the address %s it was made from", a.local())
}

// spare is a connection that Connect makes, for the next call that dials.
type spare struct {
	began time.Time
	stop  context.CancelFunc
	ended chan struct{} // closed when the next two are known
	conn  net.Conn      // nil: it did not come up
	since time.Time     // when it came up
}

// prepare makes the spare connection, unless there is a connection already.
func (d *dialer) prepare(ctx context.Context, open opener, address string) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s := &spare{began: time.Now(), stop: stop, ended: make(chan struct{})}
	d.mu.Lock()
	needed := d.spare == nil && d.dialing == 0 && len(d.open) == 0
	if needed {
		d.spare = s
	}
	d.mu.Unlock()
	if !needed {
		return
	}
	conn, err := open(ctx, address)
	if !d.finish(s, conn, err) && err == nil {
		_ = conn.Close() // nothing was sent
	}
}

// finish notes how the making of a spare connection ended, and reports whether
// it is still wanted.
func (d *dialer) finish(s *spare, conn net.Conn, err error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer close(s.ended)
	wanted := d.spare == s
	switch {
	case wanted && err != nil:
		d.spare = nil
	case wanted:
		s.conn, s.since = conn, time.Now()
	}
	return wanted
}

// takeSpare returns the spare connection, waiting for it if it is in the
// making; nil if there is none, or not soon.
func (d *dialer) takeSpare(ctx context.Context) net.Conn {
	d.mu.Lock()
	s := d.spare
	d.mu.Unlock()
	if s == nil {
		return nil
	}
	patience := time.NewTimer(time.Until(s.began.Add(joinPatience)))
	defer patience.Stop()
	select {
	case <-s.ended:
	case <-patience.C:
	case <-ctx.Done():
	}
	conn := d.claim(s)
	if conn != nil && time.Since(s.since) > spareLife {
		_ = conn.Close() // nothing was sent
		return nil
	}
	return conn
}

// claim takes the spare connection; nil if somebody else has it, or it is late.
func (d *dialer) claim(s *spare) net.Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.spare != s || s.conn == nil {
		return nil
	}
	d.spare = nil
	return s.conn
}

// dropSpare gives the spare connection up, made or in the making.
func (d *dialer) dropSpare() {
	d.mu.Lock()
	s := d.spare
	if s == nil {
		d.mu.Unlock()
		return
	}
	d.spare = nil
	conn := s.conn
	d.mu.Unlock()
	s.stop()
	if conn != nil {
		_ = conn.Close() // nothing was sent
	}
}
