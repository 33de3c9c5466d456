package ipsource

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

var (
	pmpAnnounced = []byte{0, 128, 0, 0, 0, 0, 0, 7, 45, 67, 90, 77}
	pcpAnnounce  = append([]byte{2, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}, make([]byte, 12)...)
)

func TestAnnouncements(t *testing.T) {
	for _, c := range []struct {
		name    string
		bytes   []byte
		ok      bool
		address string
		epoch   time.Duration
	}{
		{"NAT-PMP with an address", pmpAnnounced, true, "45.67.90.77", 7 * time.Second},
		{"PCP, which names none", pcpAnnounce, true, "invalid IP", 9 * time.Second},
		{"NAT-PMP without a network", []byte{0, 128, 0, 3, 0, 0, 0, 7, 0, 0, 0, 0}, false, "", 0},
		{"NAT-PMP with no address", []byte{0, 128, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0}, false, "", 0},
		{"a question", []byte{0, 0}, false, "", 0},
		{"cut off", pmpAnnounced[:11], false, "", 0},
		{"PCP cut off", pcpAnnounce[:20], false, "", 0},
		{"PCP with an error", append([]byte{2, 128, 0, 1}, pcpAnnounce[4:]...), false, "", 0},
		{"PCP of a mapping", append([]byte{2, 129, 0, 0}, pcpAnnounce[4:]...), false, "", 0},
		{"nothing", nil, false, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, ok := parseAnnouncement(c.bytes)
			if ok != c.ok || ok && (h.address.String() != c.address || h.epoch != c.epoch) {
				t.Errorf("got %+v, %v", h, ok)
			}
		})
	}
}

func FuzzAnnouncement(f *testing.F) {
	f.Add(pmpAnnounced)
	f.Add(pcpAnnounce)
	f.Fuzz(func(t *testing.T, b []byte) {
		h, ok := parseAnnouncement(b)
		if ok && h.address.IsValid() && (!h.address.Is4() || h.address.IsUnspecified()) {
			t.Errorf("%x: %s", b, h.address)
		}
	})
}

// pipedRouter is a world that leads every dial to a router in memory, which
// answers NAT-PMP with an address, or not.
type pipedRouter struct {
	ddns.World
	mu    sync.Mutex // guards the following
	wan   netip.Addr // zero: silent
	asked int
	hints []ddns.Hint
}

// now is the address that it answers with.
func (p *pipedRouter) now() netip.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wan
}

func (p *pipedRouter) become(wan netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wan = wan
}

// seen is how often it was asked, and what was told of it.
func (p *pipedRouter) seen() (asked int, hints []ddns.Hint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked, slices.Clone(p.hints)
}

func (p *pipedRouter) tell(h ddns.Hint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hints = append(p.hints, h)
}

func (p *pipedRouter) Dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	p.mu.Lock()
	p.asked++
	p.mu.Unlock()
	go func() { // ends when near is closed
		defer far.Close()
		buffer := make([]byte, 100)
		for {
			if _, err := far.Read(buffer); err != nil {
				return
			}
			if wan := p.now(); wan.IsValid() {
				a := wan.As4()
				if _, err := far.Write(append([]byte{0, 128, 0, 0, 0, 0, 0, 1}, a[:]...)); err != nil {
					return
				}
			}
		}
	}()
	return near, nil
}

// pass lets time pass on the bubble's clock, and all that happens in it.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func watching(t *testing.T, p *pipedRouter, local string) {
	t.Helper()
	watchingWith(t, p, local, RouterWatch{Every: 15 * time.Second})
}

func watchingWith(t *testing.T, p *pipedRouter, local string, w RouterWatch) {
	t.Helper()
	w.Router = Router{World: p, Gateway: func() (ddns.Gateway, error) {
		return ddns.Gateway{Address: gateway4, Interface: "lan0", Local: netip.MustParseAddr(local)}, nil
	}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Watch(ctx, p.tell)
	}()
	t.Cleanup(func() { cancel(); <-ended })
}

func TestARouterIsAskedAtItsInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipedRouter{wan: home4}
		watching(t, p, "192.168.1.10")
		pass(time.Hour)
		if asked, hints := p.seen(); len(hints) != 0 || asked < 239 || asked > 242 {
			t.Errorf("%d questions and %d hints in an hour in which nothing changed", asked, len(hints))
		}
		p.become(netip.Addr{}) // the line is down, or the router restarts
		pass(5 * time.Minute)
		p.become(home4)
		pass(time.Minute)
		if _, hints := p.seen(); len(hints) != 0 {
			t.Errorf("a line that came back as it was is no change: %+v", hints)
		}
		p.become(netip.MustParseAddr("45.67.90.77"))
		pass(16 * time.Second)
		if _, hints := p.seen(); len(hints) != 1 || hints[0].Address != p.now() {
			t.Errorf("%+v", hints)
		}
	})
}

func TestWhereNoRouterAnswersItIsLookedForNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipedRouter{}
		watching(t, p, "192.168.1.10")
		pass(24 * time.Hour)
		if asked, hints := p.seen(); asked > 80 || len(hints) != 0 {
			t.Errorf("%d questions in a day, %d hints", asked, len(hints))
		}
	})
}

func TestARouterThatStartsLateIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipedRouter{}
		watching(t, p, "192.168.1.10")
		pass(3 * time.Minute)
		p.become(home4)
		pass(4 * time.Minute)
		if _, hints := p.seen(); len(hints) != 1 || hints[0].Address != home4 {
			t.Errorf("four minutes after it began to answer: %+v", hints)
		}
		p.become(netip.MustParseAddr("45.67.90.77"))
		pass(16 * time.Second)
		if _, hints := p.seen(); len(hints) != 2 || hints[1].Address != p.now() {
			t.Errorf("it moved: %+v", hints)
		}
	})
}

func TestTheMachineThatHoldsTheLineAsksNoRouter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipedRouter{wan: home4}
		watching(t, p, "45.67.89.10")
		pass(time.Hour)
		if asked, _ := p.seen(); asked != 0 {
			t.Errorf("the provider's router was asked %d times", asked)
		}
	})
}

// babble is a socket on which the router's announcements never end.
type babble struct {
	net.PacketConn
	closed chan struct{}
}

func (b babble) ReadFrom(p []byte) (int, net.Addr, error) {
	select {
	case <-time.After(10 * time.Millisecond): // of the bubble's clock
		return copy(p, pcpAnnounce), net.UDPAddrFromAddrPort(netip.AddrPortFrom(gateway4, 5351)), nil
	case <-b.closed:
		return 0, nil, net.ErrClosed
	}
}

func (b babble) Close() error { close(b.closed); return nil }

func TestAnnouncementsWithoutEndAreNoStormOfQuestions(t *testing.T) {
	for name, every := range map[string]time.Duration{"while it is asked anyway": 15 * time.Second, "while it is only listened to": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &pipedRouter{wan: home4}
				watchingWith(t, p, "192.168.1.10", RouterWatch{Every: every, Announcements: func(context.Context, string) (net.PacketConn, error) {
					return babble{closed: make(chan struct{})}, nil
				}})
				pass(time.Minute)
				if asked, _ := p.seen(); asked < 55 || asked > 70 {
					t.Errorf("%d questions in a minute of announcements, want one a second", asked)
				}
				p.become(netip.MustParseAddr("45.67.90.77"))
				pass(1100 * time.Millisecond)
				if _, hints := p.seen(); len(hints) != 1 {
					t.Errorf("%+v", hints)
				}
			})
		})
	}
}
