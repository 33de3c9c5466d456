package ipsource

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// RouterWatch hears of a new address on the WAN side of the home's router: it
// asks it again and again by NAT-PMP, two bytes there and twelve back, and
// listens to what it announces. What it hears is a hint; a router never votes.
//
// It watches the router that answers: the gateway or, from a container behind
// a bridge, the one behind that. Where none does, one is looked for now and
// then, and nothing else is sent.
type RouterWatch struct {
	Router Router
	Every  time.Duration // between two questions; 0: it is only listened to
	// Announcements opens a socket that hears what is sent to 224.0.0.1:5350 on
	// an interface (RFC 6886, section 3.2.1; RFC 6887, section 14.1). Nil: only
	// questions are asked.
	Announcements func(ctx context.Context, through string) (net.PacketConn, error)
	// Routed says that the default route leads elsewhere; nil: never.
	Routed <-chan struct{}
	// Found is told whom it watches, the zero Addr for nobody, and whether that
	// router can be asked or only announces. Nil: nobody is told.
	Found func(router netip.Addr, asked bool)
}

const (
	// Where no router answers it is looked for after routerLookSoon, and then after
	// twice as long each time, up to routerLookLate: after a power cut it starts
	// later than the machines behind it.
	routerLookSoon = 30 * time.Second
	routerLookLate = 20 * time.Minute
	// routerPatience is how long a router in the house may take to answer.
	routerPatience = time.Second
	// routerRest is how long it is left alone after a question, however many
	// announcements come: anybody in the house can send them in its name.
	routerRest = time.Second
)

// errPCPAlone says that a router speaks PCP and no NAT-PMP: it announces a
// change, and names no address.
var errPCPAlone = errors.New("it speaks PCP alone")

// watched is what is known of the router.
type watched struct {
	router  netip.Addr // zero: none answers
	polled  bool       // it answers NAT-PMP
	through string     // interface of the default route
	wan     netip.Addr // what it said last; zero before it named one
}

// heardOf is an announcement.
type heardOf struct {
	from    netip.Addr
	address netip.Addr    // zero in PCP's, which only says that all it knew is gone
	epoch   time.Duration // since when it counts anew
}

// Watch tells of changes until the context ends.
func (w RouterWatch) Watch(ctx context.Context, tell func(ddns.Hint)) {
	var ears ears
	defer ears.close()
	state := w.find(ctx)
	ears.open(ctx, w.Announcements, state)
	patience := routerLookSoon
	look := time.NewTimer(patience)
	defer look.Stop()
	poll := time.NewTimer(w.Every / 2) // half-way between two probes
	defer poll.Stop()
	if w.Every <= 0 {
		poll.Stop()
	}
	var asked time.Time
	for {
		var address netip.Addr
		select {
		case <-ctx.Done():
			return
		case <-w.Routed:
			state = w.find(ctx)
			ears.open(ctx, w.Announcements, state)
			patience = routerLookSoon
			look.Reset(patience)
		case <-look.C:
			patience = min(2*patience, routerLookLate)
			look.Reset(patience)
			if !state.polled {
				state = w.find(ctx)
				ears.open(ctx, w.Announcements, state)
				address, state.wan = state.wan, netip.Addr{} // it may have come back with another one
			}
		case <-poll.C:
			if w.Every > 0 {
				poll.Reset(w.Every)
			}
			address, asked = w.poll(ctx, state), time.Now()
		case heard := <-ears.heard:
			if heard.from != state.router {
				continue // anybody in the house can announce
			}
			switch address = heard.address; {
			case address.IsValid():
			case state.polled:
				poll.Reset(max(0, routerRest-time.Since(asked)))
			default:
				tell(state.startedAnew(time.Now().Add(-heard.epoch)))
			}
		}
		state = state.hear(address, tell)
	}
}

// hear takes in an address; the zero Addr is silence, which is no change: a
// line that is down comes back.
func (s watched) hear(address netip.Addr, tell func(ddns.Hint)) watched {
	if !address.IsValid() || address == s.wan {
		return s
	}
	s.wan = address
	tell(ddns.Hint{Trigger: ddns.ByEvent, From: "the router " + s.router.String(),
		Says: address.String(), Address: address})
	return s
}

// startedAnew is the hint of a router that names no address. Announcements are
// repeated: those of one start say the same.
func (s watched) startedAnew(at time.Time) ddns.Hint {
	return ddns.Hint{Trigger: ddns.ByEvent, From: "the router " + s.router.String(), Says: "it began anew at " + at.UTC().Round(time.Minute).Format(time.RFC3339)}
}

// poll asks the router for its address; zero if it does not say.
func (w RouterWatch) poll(ctx context.Context, s watched) netip.Addr {
	if !s.polled {
		return netip.Addr{}
	}
	ctx, cancel := context.WithTimeout(ctx, routerPatience)
	defer cancel()
	address, err := askNATPMP(ctx, w.Router.World, s.router)
	if err != nil {
		return netip.Addr{}
	}
	return address
}

// find looks for a router that answers. What it says first is the base line.
func (w RouterWatch) find(ctx context.Context) watched {
	s := w.whoAnswers(ctx)
	if w.Found != nil && ctx.Err() == nil {
		w.Found(s.router, s.polled)
	}
	return s
}

func (w RouterWatch) whoAnswers(ctx context.Context) watched {
	gateway, err := w.Router.Gateway()
	if err != nil || gateway.Tunnel || ddns.Sane(gateway.Local, ddns.IPv4) == nil {
		return watched{} // there is no router of this home on that way
	}
	s := watched{through: gateway.Interface}
	if gateway.Address.IsValid() && w.answers(ctx, gateway.Address, &s) {
		return s
	}
	if w.Router.Hops == nil {
		return s
	}
	if hops := w.Router.Hops(ctx, func(int, netip.Addr) {}); len(hops) > 1 && hops[1].IsPrivate() && hops[1] != gateway.Address {
		w.answers(ctx, hops[1], &s)
	}
	return s
}

// answers reports whether a router answers, and notes what it says.
func (w RouterWatch) answers(ctx context.Context, router netip.Addr, s *watched) bool {
	ctx, cancel := context.WithTimeout(ctx, routerPatience)
	defer cancel()
	address, err := askNATPMP(ctx, w.Router.World, router)
	switch {
	case errors.Is(err, errPCPAlone):
		s.router = router
	case err == nil, errors.Is(err, errNoWAN):
		s.router, s.polled, s.wan = router, true, address
	default:
		return false
	}
	return true
}

// ears are the socket for announcements, and the goroutine that reads it.
type ears struct {
	heard chan heardOf
	conn  net.PacketConn
	ended chan struct{}
}

// open listens on the interface of the way out, anew even if it has the same
// name: one that was taken away has left the group. Where that is not possible,
// nothing is heard, and the questions remain.
func (e *ears) open(ctx context.Context, listen func(context.Context, string) (net.PacketConn, error), s watched) {
	e.close()
	if listen == nil || s.through == "" {
		return
	}
	conn, err := listen(ctx, s.through)
	if err != nil {
		return
	}
	e.conn, e.heard, e.ended = conn, make(chan heardOf, 8), make(chan struct{})
	go func() { // ends when the socket is closed
		defer close(e.ended)
		hearAnnouncements(conn, e.heard)
	}()
}

// close ends the listening and waits for it.
func (e *ears) close() {
	if e.conn == nil {
		return
	}
	e.conn.Close()
	<-e.ended
	e.conn, e.heard = nil, nil
}

// hearAnnouncements reads announcements until the socket is closed. While the
// others are not taken, more are dropped: routers repeat them.
func hearAnnouncements(conn net.PacketConn, heard chan<- heardOf) {
	buffer := make([]byte, maxDatagram)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		h, ok := parseAnnouncement(buffer[:n])
		if !ok {
			continue
		}
		h.from = addressOf(from)
		select {
		case heard <- h:
		default:
		}
	}
}

// parseAnnouncement reads what a router sends to all when its address changes:
// the answer to a NAT-PMP question that nobody asked, or PCP's ANNOUNCE.
func parseAnnouncement(b []byte) (h heardOf, ok bool) {
	switch {
	case len(b) >= pcpHeadSize && b[0] == pcpVersion && b[1] == pcpAnnounced && b[3] == 0:
		h.epoch = time.Duration(binary.BigEndian.Uint32(b[8:])) * time.Second
		return h, true
	case len(b) == pmpSize && b[0] == pmpVersion && b[1] == pmpAnswers+pmpAddress && binary.BigEndian.Uint16(b[2:]) == 0:
		address, err := namedByRouter(netip.AddrFrom4([4]byte(b[8:pmpSize])))
		h.address, h.epoch = address, time.Duration(binary.BigEndian.Uint32(b[4:]))*time.Second
		return h, err == nil
	default:
		return h, false
	}
}
