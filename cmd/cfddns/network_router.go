package main

import (
	"cmp"
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ipsource"
)

// routerOn is the router of the home, which explains what the sources say.
func routerOn(sources network) ipsource.Router {
	r := ipsource.Router{World: sources, Gateway: sources.Gateway, Agent: userAgent()}
	if _, real := sources.(*internet); real { // only there datagrams end on the way
		r.Hops = func(ctx context.Context, heard func(int, netip.Addr)) []netip.Addr {
			return ipsource.Hops(ctx, sources, heard)
		}
	}
	return r
}

// routerPatience is how long a person waits for the router beside the sources.
const routerPatience = 2 * time.Second

// survey asks every source of the rosters, and the router beside them.
func survey(ctx context.Context, rosters []ddns.Roster, router ddns.WANWitness, timeout time.Duration) ([]ddns.Verdict, ddns.WAN) {
	var found []ddns.WANFinding
	var asking sync.WaitGroup
	asking.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, min(timeout, routerPatience))
		defer cancel()
		found = ddns.FindingsOf(ctx, router)
	})
	verdicts := ddns.Survey(ctx, rosters, timeout)
	asking.Wait()
	v4 := ddns.Verdict{Family: ddns.IPv4}
	for _, v := range verdicts {
		if v.Family == ddns.IPv4 {
			v4 = v
		}
	}
	return verdicts, ddns.JudgeWAN(v4, found)
}

// checkVisitors says how visitors come in over IPv4, as far as the router tells.
func checkVisitors(round ddns.Round) finding {
	f := finding{What: "visitors over IPv4", State: string(ddns.Right), Why: round.WAN.Why, Hint: round.WAN.Hint}
	if round.WAN.NAT != ddns.NATSingle {
		f.State = note
	}
	return f
}

// sayWAN prints what the router says, under the table of the sources.
func (a *app) sayWAN(w ddns.WAN) {
	sayf(a.stdout, "\nrouter: %s  %s\n", cmp.Or(string(w.NAT), "unknown"), w.Why)
	sayHint(a.stdout, w.Hint)
}

// sayBefore tells what speaks against a change, before it is written.
func (a *app) sayBefore(words []string) {
	if a.watched {
		sayf(a.stderr, clearLine) // over the line that progress draws
	}
	for _, w := range words {
		sayf(a.stderr, "%s  %s\n", a.paint("note", 12), w)
	}
}
