package ddns_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
	"github.com/google/go-cmp/cmp"
)

var vpnExit = netip.MustParseAddr("45.67.99.99")

// behindVPN is a home with a proxied and a DNS-only name, both proved, whose
// router has just begun to send everything through a VPN.
func behindVPN(t *testing.T, also ...sandbox.SeedRecord) *house {
	t.Helper()
	records := append([]sandbox.SeedRecord{
		{Type: "A", Name: "www.example.com", Content: homeA.String(), Proxied: true},
		{Type: "A", Name: "ssh.example.com", Content: homeA.String()},
	}, also...)
	h := newHouse(t, []ddns.Target{target("ssh.example.com", "A"), target("www.example.com", "A")}, records...)
	h.runner.Witness = &witness{address: homeA}
	h.want(h.round(), ddns.ExitRight, ddns.Right, ddns.Right)
	for _, echo := range []string{"cloudflare", "amazon", "google", "akamai", "identme", "desec", "nsupdate", "ipify"} {
		h.world.AddFault(sandbox.Fault{On: "echo:" + echo, Do: "lie", Value: vpnExit.String()})
	}
	return h
}

func TestAVPNOnTheRouterMovesNoProxiedName(t *testing.T) {
	t.Parallel()
	for _, end := range []struct {
		name  string
		cause func(*house)
	}{
		{"nobody answers there", func(h *house) { h.fault("origin", "hang connect", 0) }},
		{"another server answers there", func(h *house) { h.fault("origin", "404", 0) }},
		{"the edge challenges", func(h *house) { h.fault("edge", "challenge", 0) }},
		{"the edge cannot be asked", func(h *house) { h.fault("edge", "drop", 0) }},
		{"a person chose the line", func(h *house) { h.runner.Bound = true }},
		{"the router is silent", func(h *house) { h.runner.Witness = &witness{} }},
		{"the router names the same", func(h *house) { h.runner.Witness = &witness{address: vpnExit} }},
	} {
		t.Run(end.name, func(t *testing.T) {
			t.Parallel()
			h := behindVPN(t)
			round := h.round()
			h.want(round, ddns.ExitHeld, ddns.Held, ddns.Held)
			if diff := cmp.Diff([]string{"router-disagrees ipv4"}, codes(round)); diff != "" {
				t.Error(diff)
			}
			h.ahead = 19 * time.Second
			h.want(h.round(), ddns.ExitHeld, ddns.Held, ddns.Held)
			h.ahead = 25 * time.Second
			h.want(h.round(), ddns.ExitPartly, ddns.Changed, ddns.Held)
			for range 5 { // as long as visitors find the home
				h.ahead += time.Hour
				round = h.round()
				h.want(round, ddns.ExitPartly, ddns.Right, ddns.Held)
			}
			if diff := cmp.Diff([]string{"router-disagrees ipv4"}, codes(round)); diff != "" {
				t.Error(diff)
			}
			for _, words := range []string{"visitors still reach this home at 45.67.89.10", "VPN"} {
				if why := round.Outcomes[1].Why; !strings.Contains(why, words) {
					t.Errorf("it is told as %q", why)
				}
			}
			end.cause(h)
			round = h.round()
			h.want(round, ddns.ExitRight, ddns.Right, ddns.Changed)
		})
	}
}

func TestWhatIsUnknownIsNotStillThere(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*house){
		"no answer was ever proved": func(h *house) { h.past.Memory.Origins = nil },
		"the edge is not asked":     func(h *house) { h.runner.Targets[1].Check = "off" },
		"an AAAA may have answered": func(h *house) {
			h.byHand(func(ddns.Zone, []ddns.Record) ddns.Batch {
				return ddns.Batch{Posts: []ddns.Record{{Type: "AAAA", Name: "www.example.com", Content: home6, Proxied: true, TTL: 1}}}
			})
			h.past.Facts = ddns.Found{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := behindVPN(t)
			set(h)
			h.want(h.round(), ddns.ExitHeld, ddns.Held, ddns.Held)
			h.ahead = 25 * time.Second
			round := h.round()
			h.want(round, ddns.ExitRight, ddns.Changed, ddns.Changed)
			if !slices.Contains(codes(round), "router-disagrees ipv4") {
				t.Errorf("conditions %v", codes(round))
			}
		})
	}
}

func TestWhatRemembersNothingPublishesAndSaysSo(t *testing.T) {
	t.Parallel()
	h := behindVPN(t)
	h.past, h.runner.Forgets = ddns.Past{}, true
	var said []string
	h.runner.Before = func(words []string) { said = append(said, words...) }
	round := h.round()
	h.want(round, ddns.ExitRight, ddns.Changed, ddns.Changed)
	before := strings.Contains(strings.Join(said, "\n"), "names 45.67.89.10, and the world sees 45.67.99.99")
	if !slices.Contains(codes(round), "router-disagrees ipv4") || !before {
		t.Errorf("conditions %v; before the write it said %q", codes(round), said)
	}
}

// A chatter is a device on the LAN that answers in the router's name, another
// thing in each round.
type chatter struct {
	mu    sync.Mutex
	tales []netip.Addr
	said  int
}

// WAN implements ddns.WANWitness.
func (c *chatter) WAN(_ context.Context, tell func(ddns.WANFinding)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	tell(ddns.WANFinding{By: "nat-pmp at 192.168.1.1", Address: c.tales[c.said%len(c.tales)], Backing: ddns.Repeated})
	c.said++
}

func TestADaemonIsHeldNoLongerThanAWitnessMay(t *testing.T) {
	t.Parallel()
	other := netip.MustParseAddr("100.100.7.7")
	for _, c := range []struct {
		name    string
		tales   []netip.Addr
		longest time.Duration
	}{
		{"the router names what is published", []netip.Addr{homeA}, 20 * time.Second},
		{"somebody names CGNAT", []netip.Addr{shared}, 2 * time.Minute},
		{"somebody names another thing each time", []netip.Addr{shared, other, netip.MustParseAddr("192.0.0.2")}, 2 * time.Minute},
		{"somebody names what was agreed on", []netip.Addr{homeB}, 0},
		{"nobody says a thing", []netip.Addr{{}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newLittleHome()
				s := h.every(20 * time.Minute)
				s.Runner.Witness = &chatter{tales: c.tales}
				loop, _ := h.live(t, s)
				after(time.Minute)
				h.set(func(h *littleHome) { h.wan = homeB })
				moved := time.Now()
				loop.Wake(ddns.ByPoke)
				for h.content() != homeB.String() && time.Since(moved) < time.Hour {
					after(100 * time.Millisecond)
					loop.Hear(t.Context(), hintOf("the router", h.last().ID)) // a flood of hints ends no hold, and begins none
				}
				if took := time.Since(moved); took > c.longest+3*time.Second {
					t.Errorf("published after %s, want %s", took, c.longest)
				}
			})
		})
	}
}
