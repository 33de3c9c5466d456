package main

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
)

// pushConnections may be open.
const pushConnections = 512

// crowd bounds the connections of a listener, so that nobody in the home's
// network shuts out others. When there are too many, whoever has most loses one:
// the oldest that asks nothing, since who pushes asks at once.
type crowd struct {
	net.Listener

	mu     sync.Mutex // guards the following, and what a guest says of itself
	inside []*guest   // in the order in which they came
	count  map[netip.Addr]int
}

func newCrowd(listener net.Listener) *crowd {
	return &crowd{Listener: listener, count: map[netip.Addr]int{}}
}

// guest is a connection.
type guest struct {
	net.Conn
	crowd *crowd
	who   netip.Addr
	busy  bool // its request is being answered
	gone  bool
}

// whoOf is who is at the other end: an address, or the network of an IPv6 address,
// since one device has as many of these as it likes (RFC 8981).
func whoOf(remote string) netip.Addr {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	who := at.Addr().Unmap().WithZone("")
	if who.Is6() {
		network, _ := who.Prefix(64) // every IPv6 address has one
		who = network.Addr()
	}
	return who
}

// Accept implements net.Listener.
func (c *crowd) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		g := &guest{Conn: conn, crowd: c, who: whoOf(conn.RemoteAddr().String())}
		out := c.enter(g)
		if out != nil {
			out.Conn.Close()
		}
		if out != g {
			return g, nil
		}
	}
}

// enter lets a guest in, and returns the one who has to go, if one has to.
func (c *crowd) enter(g *guest) (out *guest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inside = append(c.inside, g)
	c.count[g.who]++
	if len(c.inside) <= pushConnections {
		return nil
	}
	most := g.who
	for _, other := range c.inside {
		if c.count[other.who] > c.count[most] {
			most = other.who
		}
	}
	out = g
	for _, other := range slices.Backward(c.inside) { // the newest, unless an older one asks nothing
		if other.who == most && (out.who != most || !other.busy) {
			out = other
		}
	}
	c.remove(out)
	return out
}

func (c *crowd) remove(g *guest) {
	if g.gone {
		return
	}
	g.gone = true
	c.inside = slices.DeleteFunc(c.inside, func(other *guest) bool { return other == g })
	if c.count[g.who]--; c.count[g.who] == 0 {
		delete(c.count, g.who)
	}
}

// Close implements net.Conn.
func (g *guest) Close() error {
	g.crowd.mu.Lock()
	g.crowd.remove(g)
	g.crowd.mu.Unlock()
	return g.Conn.Close()
}

// guestKey is the key of the guest in the context of its requests.
type guestKey struct{}

// withGuest puts a connection into the context of its requests.
func withGuest(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, guestKey{}, conn)
}

// answering marks guests whose request is being answered.
func answering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g, ok := r.Context().Value(guestKey{}).(*guest); ok {
			g.is(true)
			defer g.is(false)
		}
		next.ServeHTTP(w, r)
	})
}

func (g *guest) is(busy bool) {
	g.crowd.mu.Lock()
	defer g.crowd.mu.Unlock()
	g.busy = busy
}
