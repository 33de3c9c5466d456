package main

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
)

// pushConnections may be open.
const pushConnections = 512

// crowd bounds the connections of a listener, so that nobody in the home's
// network shuts out others. When there are too many, whoever has most loses one,
// and where many have as many, one of these: the oldest that has shown no right
// password, since who pushes shows it at once. So it is mostly not the one that
// has just come, however many addresses a flood comes from.
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
	may   bool // it showed the right password, and is being answered
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
	most := 0
	for _, n := range c.count {
		most = max(most, n)
	}
	hasMost := func(other *guest) bool { return c.count[other.who] == most }
	at := slices.IndexFunc(c.inside, func(other *guest) bool { return hasMost(other) && !other.may })
	if at < 0 { // all of them push
		at = len(c.inside) - 1
		for !hasMost(c.inside[at]) {
			at--
		}
	}
	out = c.inside[at]
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

// welcome marks the guest of a request as one that showed the right password,
// until leave.
func welcome(ctx context.Context) (leave func()) {
	g, ok := ctx.Value(guestKey{}).(*guest)
	if !ok {
		return func() {}
	}
	g.let(true)
	return func() { g.let(false) }
}

func (g *guest) let(may bool) {
	g.crowd.mu.Lock()
	defer g.crowd.mu.Unlock()
	g.may = may
}
