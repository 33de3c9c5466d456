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
	// one keeps silent. Nil: they are not looked for.
	Hops func(ctx context.Context) []netip.Addr
	// Agent is the User-Agent of requests.
	Agent string
}

// gatewayAlone is how long the default gateway is asked before a router behind
// it is asked in its place. A machine that is no router refuses at once.
const gatewayAlone = 1500 * time.Millisecond

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
	looked := make(chan struct{})
	go func() { // awaited below
		defer close(looked)
		if r.Hops != nil {
			way = r.Hops(ctx)
		}
	}()
	findings = append(findings, r.askRouters(ctx, gateway.Address, func() []netip.Addr { <-looked; return way })...)
	if naming(findings) {
		cancel() // the hops could add nothing
	}
	<-looked
	return append(findings, hopFindings(way)...)
}

// askRouters asks the gateway and, if that answers nothing and stands before a
// private router, as the bridge of a container does, the router behind it.
func (r Router) askRouters(ctx context.Context, gateway netip.Addr, way func() []netip.Addr) []ddns.WANFinding {
	var findings []ddns.WANFinding
	if gateway.IsValid() {
		alone, cancel := context.WithTimeout(ctx, gatewayAlone)
		defer cancel()
		findings = r.askOne(alone, gateway)
	}
	if answered(findings) {
		return findings
	}
	if hops := way(); len(hops) > 1 && hops[1].IsPrivate() && hops[1] != gateway {
		return r.askOne(ctx, hops[1])
	}
	return findings
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
