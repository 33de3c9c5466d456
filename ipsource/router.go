package ipsource

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// Router asks the router of this home for the address of its WAN side. What it
// says explains; it never votes beside others: after a fail-over a router still
// names the old line, and any machine of the LAN can answer in its place.
//
// Two protocols are asked side by side, NAT-PMP (router_natpmp.go) and UPnP IGD
// (router_igd.go). Nothing is ever mapped: a port that is open is for the person
// to open. Beside them stand the
// interface of the default route, on a machine that holds the line itself, and
// the routers on the way out (hops.go), which tell a container its router.
//
// It implements ddns.WANWitness.
type Router struct {
	// World is dialled at the router's address only.
	World ddns.World
	// Gateway is the default route over IPv4.
	Gateway func() (ddns.Gateway, error)
	// Hops names the first routers on the way out, the nearest first; zero where
	// one keeps silent. It tells of each as soon as it answers, counting from 1.
	// Nil: they are not looked for.
	Hops func(ctx context.Context, heard func(hop int, router netip.Addr)) []netip.Addr
	// Agent is the User-Agent of requests.
	Agent string
}

const (
	// routerLongest is how long the routers are asked.
	routerLongest = 3 * time.Second
	// gatewayMoment is how long the gateway is waited for once the router behind
	// it has answered.
	gatewayMoment = 50 * time.Millisecond
	// otherMoment is how long the other protocols are waited for once one has
	// named an address: what a router says over TCP outweighs a datagram.
	otherMoment = 150 * time.Millisecond
)

var (
	// errNoWAN says that a router answered and holds no address that it may name.
	errNoWAN = errors.New("the router names no address: it has no line, or a private one (CGNAT, another router)")
	// errEnough ends the asking of those who could add nothing.
	errEnough = errors.New("another has answered")
)

// WAN implements ddns.WANWitness.
func (r Router) WAN(ctx context.Context, tell func(ddns.WANFinding)) {
	gateway, err := r.Gateway()
	if err != nil {
		tell(ddns.WANFinding{By: "default route", Err: err})
		return
	}
	for _, f := range atInterface(gateway) {
		tell(f)
	}
	if gateway.Tunnel || ddns.Sane(gateway.Local, ddns.IPv4) == nil {
		return // there is no router of this home on that way
	}
	ctx, stop := context.WithTimeout(ctx, routerLongest)
	defer stop()
	ctx, enough := context.WithCancelCause(ctx)
	defer enough(nil)
	h := hearing{tell: tell, near: true, enough: func() { enough(errEnough) }}
	h.hear(r.askAll(ctx, gateway.Address))
}

// askAll asks the gateway and the router behind it by every protocol, and looks
// for the routers on the way out. The channel is closed when there is no more.
func (r Router) askAll(ctx context.Context, gateway netip.Addr) <-chan word {
	words := make(chan word)
	var asking sync.WaitGroup
	if gateway.IsValid() {
		asking.Go(func() {
			r.askOne(ctx, gateway, ddns.Connected, func(f ddns.WANFinding) { words <- word{WANFinding: f} })
			words <- word{silence: true}
		})
	} else {
		asking.Go(func() { words <- word{silence: true} })
	}
	asking.Go(func() {
		if r.Hops == nil {
			return
		}
		way := r.Hops(ctx, func(hop int, router netip.Addr) {
			if hop == 2 && router.IsPrivate() && router != gateway {
				asking.Go(func() {
					r.askOne(ctx, router, ddns.Repeated, func(f ddns.WANFinding) {
						words <- word{WANFinding: f, far: true}
					})
				})
			}
		})
		for _, f := range hopFindings(way) {
			words <- word{WANFinding: f}
		}
	})
	go func() { // ends with all who ask
		asking.Wait()
		close(words)
	}()
	return words
}

// word is a finding on its way, or that the gateway has said all.
type word struct {
	ddns.WANFinding
	far     bool // of the router behind the gateway
	silence bool
}

// hearing takes in what the routers say. What the router behind the gateway says
// counts only if the gateway says nothing, as the bridge of a container does. A
// bridge mostly refuses at once; one whose kernel or firewall keeps silent must
// not cost the time in which the router would have answered.
type hearing struct {
	tell   func(ddns.WANFinding)
	enough func() // ends the asking

	near     bool              // the gateway may still answer
	answered bool              // it has
	kept     []ddns.WANFinding // of the router behind it
	hops     []ddns.WANFinding
}

// hear tells what is said until there is no more.
func (h *hearing) hear(words <-chan word) {
	var gatewayLate, othersLate <-chan time.Time
	for {
		select {
		case <-gatewayLate:
			h.passOver()
		case <-othersLate:
			h.enough()
		case w, open := <-words:
			switch {
			case !open:
				for _, f := range h.hops {
					h.tell(f)
				}
				return
			case w.Hop:
				h.hops = append(h.hops, w.WANFinding)
			case w.silence:
				h.passOver()
			case w.far && (h.near || h.answered):
				h.kept = append(h.kept, w.WANFinding)
				if w.Err == nil && gatewayLate == nil {
					gatewayLate = time.After(gatewayMoment)
				}
			default:
				h.answered = h.answered || !w.far && w.Err == nil
				h.tell(w.WANFinding)
			}
			if othersLate == nil && h.settles(w) {
				othersLate = time.After(otherMoment)
			}
		}
	}
}

// passOver lets the router behind the gateway speak, if the gateway did not.
func (h *hearing) passOver() {
	h.near = false
	if h.answered {
		return
	}
	for _, f := range h.kept {
		h.tell(f)
	}
	h.kept = nil
}

// settles reports whether an address is such that nobody needs to be waited for
// long. One of a provider's NAT may hold a change, and every word on it counts.
func (h *hearing) settles(w word) bool {
	heard := !w.far || !h.answered
	return w.Address.IsValid() && !w.Hop && heard && !ddns.TranslatedByProvider(w.Address)
}

// askOne asks one router by every protocol. What it says over TCP has the backing.
func (r Router) askOne(ctx context.Context, router netip.Addr, overTCP ddns.Backing, tell func(ddns.WANFinding)) {
	ways := []struct {
		by, port string
		backing  ddns.Backing
		ask      func(context.Context, ddns.World, netip.Addr) (netip.Addr, error)
	}{
		{"nat-pmp", "", ddns.Repeated, confirmNATPMP},
		{"upnp", "", overTCP, igd{agent: r.Agent}.ask},
		{"upnp", ":49000", overTCP, igd{agent: r.Agent}.askFritzBox},
	}
	var asking sync.WaitGroup
	for _, way := range ways {
		asking.Go(func() {
			began := time.Now()
			address, err := way.ask(ctx, r.World, router)
			f := ddns.WANFinding{By: fmt.Sprintf("%s at %s%s", way.by, router, way.port), Took: time.Since(began)}
			switch {
			case err == nil:
				f.Address, f.Backing = address, way.backing
			case errors.Is(err, errNoWAN):
				f.Empty = true
			case errors.Is(context.Cause(ctx), errEnough):
				return // it was not waited for
			case ctx.Err() != nil:
				f.Err = fmt.Errorf("no answer within %s: %w", f.Took.Round(time.Millisecond), err)
			default:
				f.Err = err
			}
			tell(f)
		})
	}
	asking.Wait()
}

// atInterface is what the interface of the default route tells: an address that
// the world could reach, or one of a provider's NAT. One of a LAN tells nothing.
func atInterface(g ddns.Gateway) []ddns.WANFinding {
	f := ddns.WANFinding{By: "interface " + g.Interface, Address: g.Local, Backing: ddns.OwnLine}
	switch {
	case g.Tunnel && g.Chosen && ddns.TranslatedByProvider(g.Local): // of the VPN, and not of the line
		return nil
	case g.Tunnel && !g.Chosen:
		f.Address = netip.Addr{}
		f.Err = fmt.Errorf("the default route leads through the tunnel %s, and a VPN's address is not this home's",
			g.Interface)
	case ddns.Sane(g.Local, ddns.IPv4) != nil && !ddns.TranslatedByProvider(g.Local):
		return nil
	}
	return []ddns.WANFinding{f}
}

// hopFindings are the routers on the way out as findings.
func hopFindings(way []netip.Addr) (findings []ddns.WANFinding) {
	for i, hop := range way {
		if hop.IsValid() {
			findings = append(findings, ddns.WANFinding{By: fmt.Sprintf("hop %d", i+1), Address: hop, Hop: true})
		}
	}
	return findings
}

// ask implements asker: the source {router: auto} is the word of the router,
// or of the interface on the machine that is one.
func (r Router) ask(ctx context.Context, _ ddns.World, family ddns.Family) (netip.Addr, error) {
	if r.Gateway == nil {
		return netip.Addr{}, errors.New("this machine does not know its router")
	}
	return named(ddns.FindingsOf(ctx, r), family)
}

// named is the address that the best backed finding names, whatever those say
// that name none; otherwise why none does.
func named(findings []ddns.WANFinding, family ddns.Family) (netip.Addr, error) {
	var best, other ddns.WANFinding
	var empty error
	var reasons []string
	for _, f := range findings {
		switch {
		case f.Hop:
		case f.Address.IsValid() && (!best.Address.IsValid() || f.Backing > best.Backing):
			best, other = f, ddns.WANFinding{}
		case f.Address.IsValid() && f.Backing == best.Backing && f.Address != best.Address:
			other = f
		case f.Address.IsValid():
		case f.Empty:
			empty = fmt.Errorf("%s: %w", f.By, errNoWAN)
		default:
			reasons = append(reasons, f.By+": "+f.Err.Error())
		}
	}
	switch {
	case other.Address.IsValid():
		return netip.Addr{}, fmt.Errorf("%s names %s, and %s names %s", best.By, best.Address, other.By, other.Address)
	case best.Address.IsValid():
		return ofFamily(best.Address, family)
	case empty != nil:
		return netip.Addr{}, empty
	case len(reasons) == 0:
		return netip.Addr{}, errors.New("no router answers")
	}
	return netip.Addr{}, errors.New(strings.Join(reasons, "; "))
}
