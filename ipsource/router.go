package ipsource

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
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
// (router_igd.go), and the first address ends the asking. Nothing is ever
// mapped: a port that is open is for the person to open. Beside them stand the
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
	// gatewayPatience is how long the gateway and the router behind it are asked.
	gatewayPatience = 1500 * time.Millisecond
	// gatewayMoment is how long the gateway is waited for once the router behind
	// it has answered.
	gatewayMoment = 50 * time.Millisecond
)

// errNoWAN says that a router answered and holds no address that it may name.
var errNoWAN = errors.New("the router names no address: it has no line, or a private one (CGNAT, another router)")

// WAN implements ddns.WANWitness.
func (r Router) WAN(ctx context.Context) []ddns.WANFinding {
	gateway, err := r.Gateway()
	if err != nil {
		return []ddns.WANFinding{{By: "default route", Err: err}}
	}
	findings := atInterface(gateway)
	if gateway.Tunnel || ddns.Sane(gateway.Local, ddns.IPv4) == nil {
		return findings // there is no router of this home on that way
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var way []netip.Addr
	behind := make(chan netip.Addr, 1) // the router behind the gateway, if there is one
	looked := make(chan struct{})
	go func() { // awaited below
		defer close(looked)
		defer close(behind)
		if r.Hops != nil {
			way = r.Hops(ctx, func(hop int, router netip.Addr) {
				if hop == 2 && router.IsPrivate() && router != gateway.Address {
					behind <- router
				}
			})
		}
	}()
	findings = append(findings, r.askRouters(ctx, gateway.Address, behind)...)
	if naming(findings) {
		cancel() // the hops could add nothing
	}
	<-looked
	return append(findings, hopFindings(way)...)
}

// askRouters asks the gateway and, while that says nothing and stands before a
// private router, as the bridge of a container does, the router behind it too.
// A bridge mostly refuses at once; one whose kernel or firewall keeps silent
// must not cost the time in which the router would have answered.
func (r Router) askRouters(ctx context.Context, gateway netip.Addr, behind <-chan netip.Addr) []ddns.WANFinding {
	var asking sync.WaitGroup
	defer asking.Wait()
	ctx, cancel := context.WithTimeout(ctx, gatewayPatience)
	defer cancel()
	ask := func(router netip.Addr) <-chan []ddns.WANFinding {
		answer := make(chan []ddns.WANFinding, 1)
		asking.Go(func() { answer <- r.askOne(ctx, router) })
		return answer
	}
	var near, far <-chan []ddns.WANFinding
	if gateway.IsValid() {
		near = ask(gateway)
	}
	var first, second []ddns.WANFinding
	var enough <-chan time.Time // for the gateway to be heard before the other
	for near != nil || behind != nil || far != nil {
		select {
		case first = <-near:
			near = nil
			if answered(first) {
				return first
			}
		case router, there := <-behind:
			behind = nil
			if there {
				far = ask(router)
			}
		case second = <-far:
			if far = nil; answered(second) {
				enough = time.After(gatewayMoment)
			}
		case <-enough:
			near = nil
		}
		if near == nil && answered(second) {
			return second
		}
	}
	if second != nil {
		return second
	}
	return first
}

// askOne asks one router by every protocol, until one names an address.
func (r Router) askOne(ctx context.Context, router netip.Addr) []ddns.WANFinding {
	ways := []struct {
		by, port string
		ask      func(context.Context, ddns.World, netip.Addr) (netip.Addr, error)
	}{
		{"nat-pmp", "", askNATPMP},
		{"upnp", "", igd{agent: r.Agent}.ask},
		{"upnp", ":49000", igd{agent: r.Agent}.askFritzBox},
	}
	asked := ctx
	ctx, enough := context.WithCancel(asked) // one address is
	defer enough()
	findings := make([]ddns.WANFinding, len(ways))
	var asking sync.WaitGroup
	for i, way := range ways {
		asking.Go(func() {
			began := time.Now()
			address, err := way.ask(ctx, r.World, router)
			f := ddns.WANFinding{By: fmt.Sprintf("%s at %s%s", way.by, router, way.port), Took: time.Since(began)}
			switch {
			case err == nil:
				f.Address = address
				enough()
			case errors.Is(err, errNoWAN):
				f.Empty = true
			case ctx.Err() != nil && asked.Err() == nil:
				return // another way answered, and this one was not waited for
			case ctx.Err() != nil:
				f.Err = fmt.Errorf("no answer within %s: %w", f.Took.Round(time.Millisecond), err)
			default:
				f.Err = err
			}
			findings[i] = f
		})
	}
	asking.Wait()
	return slices.DeleteFunc(findings, func(f ddns.WANFinding) bool { return f.By == "" })
}

// atInterface is what the interface of the default route tells: an address that
// the world could reach, or one of a provider's NAT. One of a LAN tells nothing.
func atInterface(g ddns.Gateway) []ddns.WANFinding {
	f := ddns.WANFinding{By: "interface " + g.Interface, Address: g.Local, Held: true}
	switch {
	case g.Tunnel:
		f.Address, f.Err = netip.Addr{}, fmt.Errorf("the default route leads through the tunnel %s, and a VPN's address is not this home's", g.Interface)
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

// naming reports whether one of the findings is an address of the WAN side.
func naming(findings []ddns.WANFinding) bool {
	return slices.ContainsFunc(findings, func(f ddns.WANFinding) bool { return f.Address.IsValid() && !f.Hop })
}

func answered(findings []ddns.WANFinding) bool {
	return slices.ContainsFunc(findings, func(f ddns.WANFinding) bool { return f.Err == nil })
}

// ask implements asker: the source {router: auto} is the word of the router,
// or of the interface on the machine that is one.
func (r Router) ask(ctx context.Context, _ ddns.World, family ddns.Family) (netip.Addr, error) {
	if r.Gateway == nil {
		return netip.Addr{}, errors.New("this machine does not know its router")
	}
	return named(r.WAN(ctx), family)
}

// named is the address that one of the findings names, whatever the others say;
// otherwise why none does.
func named(findings []ddns.WANFinding, family ddns.Family) (netip.Addr, error) {
	var empty error
	var reasons []string
	for _, f := range findings {
		switch {
		case f.Hop:
		case f.Address.IsValid():
			return ofFamily(f.Address, family)
		case f.Empty:
			empty = fmt.Errorf("%s: %w", f.By, errNoWAN)
		default:
			reasons = append(reasons, f.By+": "+f.Err.Error())
		}
	}
	switch {
	case empty != nil:
		return netip.Addr{}, empty
	case len(reasons) == 0:
		return netip.Addr{}, errors.New("no router answers")
	}
	return netip.Addr{}, errors.New(strings.Join(reasons, "; "))
}
