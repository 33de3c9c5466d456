package doctor

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// mostLooks is how often the edge is asked. Asking more would be a storm of our own.
const mostLooks = 12

// strangers are pages that Cloudflare's edge serves by itself, for names that
// have nothing to do with ours.
var strangers = []string{"https://www.cloudflare.com/cdn-cgi/trace", "https://api.cloudflare.com/cdn-cgi/trace"}

// lookAtEdge asks the edge at its different addresses, some time apart. A
// challenge, or that we ask too often, ends it: more questions feed the defence.
func (g *gathering) lookAtEdge(ctx context.Context) Fact[[]Look] {
	addresses, why := g.edgeAddresses()
	if why != "" {
		return Unknown[[]Look]("%s", why)
	}
	looks := make([]*Look, mostLooks)
	var enough atomic.Bool
	var looking sync.WaitGroup
	pace := time.NewTicker(g.pace(ctx))
	defer pace.Stop()
	for i := range looks {
		if i > 0 {
			select {
			case <-pace.C:
			case <-ctx.Done():
			}
		}
		if enough.Load() || ctx.Err() != nil {
			break
		}
		looking.Go(func() {
			l := g.look(ctx, g.URL, addresses[i%len(addresses)])
			looks[i] = &l
			if kind := answerOf(g.URL, l).kind; kind == challenge || kind == limited {
				enough.Store(true)
			}
		})
	}
	looking.Wait()
	return Known(begun(looks))
}

// pace is the time between two looks, so that all of them have a second left
// to be answered in.
func (g *gathering) pace(ctx context.Context) time.Duration {
	spread := g.Spread
	if spread == 0 {
		spread = DefaultSpread
	}
	if end, ok := ctx.Deadline(); ok {
		spread = min(spread, time.Until(end)-time.Second)
	}
	return max(spread/mostLooks, time.Millisecond)
}

// begun are the looks that were begun.
func begun(looks []*Look) []Look {
	all := []Look{}
	for _, l := range looks {
		if l != nil {
			all = append(all, *l)
		}
	}
	return all
}

// traceEdge asks the edge for a page of its own at the name, which it serves
// without the origin: who waits for the one and gets the other waits for the
// origin. https://developers.cloudflare.com/fundamentals/reference/cdn-cgi-endpoint/
func (g *gathering) traceEdge(ctx context.Context) Fact[[]Look] {
	addresses, why := g.edgeAddresses()
	if why != "" {
		return Unknown[[]Look]("%s", why)
	}
	ctx, cancel := context.WithTimeout(ctx, each)
	defer cancel()
	page := url.URL{Scheme: "https", Host: g.Host, Path: "/cdn-cgi/trace"}
	return Known([]Look{g.look(ctx, page.String(), addresses[0])})
}

// look asks the edge once.
func (g *gathering) look(ctx context.Context, page string, at netip.Addr) Look {
	l := Look{At: at}
	answer, err := g.Web.Look(ctx, page, at)
	switch {
	case errors.Is(err, ddns.ErrEdgeWaits):
		l.Trouble, l.Why = Waits, err.Error()
	case err != nil:
		l.Trouble, l.Why = Silent, err.Error()
	default:
		l.Answer = answer
		if !answer.Date.IsZero() {
			l.Ahead = Known(g.Clock().Sub(answer.Date))
		}
	}
	return l
}

// lookAtStrangers asks for names that are not ours.
func (g *gathering) lookAtStrangers(ctx context.Context) Fact[[]Look] {
	ctx, cancel := context.WithTimeout(ctx, each)
	defer cancel()
	looks := make([]*Look, len(strangers))
	var looking sync.WaitGroup
	for i, page := range strangers {
		looking.Go(func() {
			answer := g.resolveHere(ctx, hostOf(page))
			if addresses := answer.Value.Addresses; answer.Known && len(addresses) > 0 {
				l := g.look(ctx, page, addresses[0])
				looks[i] = &l
			}
		})
	}
	looking.Wait()
	kept := begun(looks)
	if len(kept) == 0 {
		return Unknown[[]Look]("no other name behind Cloudflare could be asked for")
	}
	return Known(kept)
}

// askHome asks the origin where the home is.
func (g *gathering) askHome(ctx context.Context) Fact[Direct] {
	verdicts := g.verdicts.wait()
	for _, f := range ddns.Families {
		if home := homeOf(verdicts, f); home.Known {
			return g.direct(ctx, home.Value)
		}
	}
	return Unknown[Direct]("it is not known where the home is")
}

// askRecord asks the origin where the records lead: for a name without proxy,
// where visitors go.
func (g *gathering) askRecord(ctx context.Context) Fact[Direct] {
	var addresses []netip.Addr
	for _, r := range g.recordsOf(g.listing.wait()).Value {
		if a := r.Address(); a.IsValid() {
			addresses = append(addresses, a)
		}
	}
	if said := g.authority.wait(); len(addresses) == 0 && said.Known {
		addresses = said.Value.Addresses
	}
	addresses = slices.DeleteFunc(slices.Clone(addresses), func(a netip.Addr) bool { return ddns.Sane(a, ddns.FamilyOf(a)) != nil })
	if len(addresses) == 0 {
		return Unknown[Direct]("no record leads to an address that can be asked")
	}
	return g.direct(ctx, addresses[0])
}

// askHere asks this machine, which may be another one than the origin.
func (g *gathering) askHere(ctx context.Context) Fact[Direct] {
	return g.direct(ctx, netip.MustParseAddr("127.0.0.1"))
}

func (g *gathering) direct(ctx context.Context, at netip.Addr) Fact[Direct] {
	ctx, cancel := context.WithTimeout(ctx, each)
	defer cancel()
	return from(g.Web.Direct(ctx, g.URL, at))
}

// clockAhead is how far this machine's clock is before the world's, by the
// answers that bore a date: the middle of them.
func clockAhead(all ...[]Look) Fact[time.Duration] {
	var off []time.Duration
	for _, l := range slices.Concat(all...) {
		if l.Ahead.Known {
			off = append(off, l.Ahead.Value)
		}
	}
	if len(off) == 0 {
		return Unknown[time.Duration]("no answer bore a date")
	}
	slices.Sort(off)
	return Known(off[len(off)/2])
}

// hostOf is the host of a URL of ours.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
