package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ipsource"
)

// watch hears, until the context ends, from those who notice a change before
// the next round: the kernel and the router of the home. A reload begins it
// anew, with the line that is then bound.
func (d *theDaemon) watch(ctx context.Context) {
	for ctx.Err() == nil {
		once, stop := context.WithCancel(ctx)
		var watching sync.WaitGroup
		watching.Go(func() { d.watchOnce(once) })
		select {
		case <-d.rewatch:
		case <-ctx.Done():
		}
		stop()
		watching.Wait()
	}
}

func (d *theDaemon) watchOnce(ctx context.Context) {
	d.mu.Lock()
	p := d.parts
	d.mu.Unlock()
	if p.router.Gateway == nil {
		return // there is no way out of this machine to watch
	}
	tell := func(h ddns.Hint) { d.hear(ctx, h) }
	routed := make(chan struct{}, 1)
	var watching sync.WaitGroup
	watching.Go(func() {
		d.log.Debug("listening to the kernel for new addresses and routes")
		changes := ipsource.Changes{Bind: p.config.IP.Bind, Routed: func() {
			select {
			case routed <- struct{}{}:
			default: // it will look anyway
			}
		}}
		if err := changes.Watch(ctx, tell); errors.Is(err, errors.ErrUnsupported) {
			d.log.Debug("this system does not tell of new addresses; the probe finds them", "err", err)
		} else if err != nil {
			d.log.Warn("the kernel can no longer be heard; the probe still finds a new address", "err", err)
		}
	})
	watching.Go(func() {
		for {
			select {
			case <-p.broken:
				tell(ddns.Hint{Trigger: ddns.ByEvent, From: "the connection to Cloudflare", Says: "it broke"})
			case <-ctx.Done():
				return
			}
		}
	})
	watching.Go(func() {
		ipsource.RouterWatch{Router: p.router, Every: p.config.Probe, Announcements: d.announcements, Routed: routed, Found: d.foundRouter}.Watch(ctx, tell)
	})
	watching.Wait()
}

// foundRouter says whom the watch asks from now on.
func (d *theDaemon) foundRouter(router netip.Addr, asked bool) {
	switch {
	case !router.IsValid():
		d.log.Debug("no router answers NAT-PMP; looked for again in 20 minutes")
	case asked:
		d.log.Info("the router is watched for a new address", "router", router.String(), "by", "NAT-PMP")
	default:
		d.log.Info("the router is watched for a new address", "router", router.String(), "by", "PCP announcements")
	}
}

// announcements is the socket of that name, or a word why there is none.
func (d *theDaemon) announcements(_ context.Context, through string) (net.PacketConn, error) {
	conn, err := listenAnnouncements(through)
	if err != nil {
		d.log.Debug("announcements of the router are not heard; it is still asked", "err", err)
	}
	return conn, err
}

// hear hands on a hint. What was connected from an address that is gone hangs,
// and is cut first.
func (d *theDaemon) hear(ctx context.Context, h ddns.Hint) {
	d.log.Debug("a hint", "from", h.From, "says", h.Says)
	if len(h.Gone) > 0 {
		d.mu.Lock()
		client := d.parts.client
		d.mu.Unlock()
		client.CloseFrom(h.Gone)
	}
	d.loop.Hear(ctx, h)
}
