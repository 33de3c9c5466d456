package ipsource

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// Probes returns who may be asked between rounds, in turn, by one packet each
// way: of the default roster the operators that serve the world, over STUN and
// DNS. Who lists sources has chosen who sees the questions: then it is those of
// them that are asked by one packet, and what else their operators serve so.
// A family without any is left out.
func Probes(c Config, world ddns.World) map[ddns.Family][]ddns.Source {
	probes := map[ddns.Family][]ddns.Source{}
	for _, family := range c.families() {
		for _, e := range c.probed(family) {
			known := &addresses{}
			found := world
			if e.inCatalogue() {
				found = ddns.Named(world, ddns.Public)
			}
			s := c.source(e, family, c.vantage(remembering{found, known}))
			ask := s.Ask
			s.Ask = func(ctx context.Context, family ddns.Family) (netip.Addr, error) {
				address, err := ask(ctx, family)
				if err != nil {
					known.forget() // the server may have moved
				}
				return address, err
			}
			s.Name = unique(s.Name, probes[family])
			probes[family] = append(probes[family], s)
		}
	}
	return probes
}

// probeNames are the sources that probes ask where the choice is ours. They
// speak different protocols to different ports: a line seldom blocks all three.
func probeNames() []string { return []string{"google", "cloudflare-dns", "cloudflare-stun"} }

// probed are the entries that probes ask for a family.
func (c Config) probed(family ddns.Family) (probed []entry) {
	members, ours := c.members(family)
	add := func(e entry) {
		same := func(p entry) bool { return p.at(family) == e.at(family) }
		if (e.kind == viaSTUN || e.kind == viaDNS) && e.at(family) != "" && !slices.ContainsFunc(probed, same) {
			probed = append(probed, e)
		}
	}
	if !ours {
		for _, e := range members {
			add(e)
		}
	}
	for _, name := range probeNames() {
		e, _ := lookup(name)
		if ours || slices.ContainsFunc(members, func(m entry) bool { return m.operator == e.operator && m.inCatalogue() }) {
			add(e)
		}
	}
	return probed
}

// inCatalogue reports whether an entry is one of ours: somebody's own server
// that claims to be Google's says nothing about whom he wants to ask.
func (e entry) inCatalogue() bool {
	own, ok := lookup(e.name)
	return ok && own.ipv4 == e.ipv4 && own.ipv6 == e.ipv6
}

// remembering is a world in which a host is dialled at the address where it was
// found before. A probe is then one packet there and one back, and no question
// to DNS beside them.
type remembering struct {
	ddns.World
	known *addresses
}

// From implements ddns.World.
func (r remembering) From(local netip.Addr) ddns.World {
	return remembering{r.World.From(local), r.known}
}

// Dial implements ddns.World.
func (r remembering) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if at := r.known.of(address, time.Now()); at != "" {
		return r.World.Dial(ctx, network, at)
	}
	conn, err := r.World.Dial(ctx, network, address)
	if err == nil {
		r.known.keep(address, conn.RemoteAddr().String(), time.Now())
	}
	return conn, err
}

// addressesStand is how long an address is used before the name is asked for again.
const addressesStand = time.Hour

// addresses are where the one host of a probe was found.
type addresses struct {
	mu       sync.Mutex
	host, at string // HOST:PORT; ADDRESS:PORT
	found    time.Time
}

func (a *addresses) of(host string, now time.Time) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.host != host || now.Sub(a.found) >= addressesStand {
		return ""
	}
	return a.at
}

func (a *addresses) keep(host, at string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.host, a.at, a.found = host, at, now
}

func (a *addresses) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.host = ""
}
