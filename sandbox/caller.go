package sandbox

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// way is how a connection came about in the world.
type way struct {
	from netip.Addr // whose connection it is; zero means the home's
	to   string     // the host that was dialled, a name or an address; "" if that is not known
}

// ways tells of each connection that the world opened how it came about. On
// loopback all clients look alike, and a service that has many addresses in
// the world listens on one.
type ways struct {
	mu   sync.Mutex
	open map[string]way // by the client's end
}

func endOf(network, address string) string { return network + " " + address }

// keep remembers a way until its connection is closed.
func (w *ways) keep(conn net.Conn, one way) net.Conn {
	end := endOf(conn.LocalAddr().Network(), conn.LocalAddr().String())
	w.mu.Lock()
	if w.open == nil {
		w.open = make(map[string]way)
	}
	w.open[end] = one
	w.mu.Unlock()
	forget := sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.open, end)
	})
	if packets, ok := conn.(*net.UDPConn); ok { // DNS tells by the type how a connection frames
		return &knownPackets{packets, forget}
	}
	return &knownConn{conn, forget}
}

// of returns how the connection of a client came about; ok is false for one
// that the world did not open.
func (w *ways) of(network, address string) (one way, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one, ok = w.open[endOf(network, address)]
	return one, ok
}

type knownConn struct {
	net.Conn
	forget func()
}

func (c *knownConn) Close() error {
	c.forget()
	return c.Conn.Close()
}

type knownPackets struct {
	*net.UDPConn
	forget func()
}

func (c *knownPackets) Close() error {
	c.forget()
	return c.UDPConn.Close()
}

// clientHeader names the client's address to the edge where the connection
// does not: who comes over loopback has none that means anything.
const clientHeader = "CF-Sandbox-Client"

// callerOf returns the address of whoever makes a request: that of the world
// it dialled from, or the home's. It is zero if nobody can have come this way.
func (s *Sandbox) callerOf(r *http.Request) netip.Addr {
	if one, ok := s.ways.of("tcp", r.RemoteAddr); ok && one.from.IsValid() {
		return one.from
	}
	return s.wan(cameBy(r))
}

// edgeCallerOf is callerOf for the edge, which over loopback may be told.
func (s *Sandbox) edgeCallerOf(r *http.Request) netip.Addr {
	if _, ok := s.ways.of("tcp", r.RemoteAddr); !ok {
		if a, err := netip.ParseAddr(r.Header.Get(clientHeader)); err == nil {
			return a.Unmap()
		}
	}
	return s.callerOf(r)
}

// dialled is the host by which a request's client knows the service.
func (s *Sandbox) dialled(r *http.Request) string {
	one, _ := s.ways.of("tcp", r.RemoteAddr)
	return one.to
}
