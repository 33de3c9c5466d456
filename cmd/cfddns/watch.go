package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

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
	watching.Go(func() { d.watchKernel(ctx, p.config.IP.Bind, routed, tell) })
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

// kernelRest is how long the kernel is not listened to after it could not be.
const kernelRest = time.Minute

// watchKernel hears of new addresses and routes, where the system tells of them.
// What hinders it, too many open files for one, may pass; it is told once.
func (d *theDaemon) watchKernel(ctx context.Context, bind string, routed chan<- struct{}, tell func(ddns.Hint)) {
	changes := ipsource.Changes{Bind: bind, Routed: func() {
		select {
		case routed <- struct{}{}:
		default: // it will look anyway
		}
	}}
	d.log.Debug("listening to the kernel for new addresses and routes")
	for level := slog.LevelWarn; ; level = slog.LevelDebug {
		err := changes.Watch(ctx, tell)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errors.ErrUnsupported):
			d.log.Debug("this system does not tell of new addresses; the probe finds them", "err", err)
			return
		}
		d.log.Log(ctx, level, "the kernel cannot be heard; tried again every minute, and the probe still finds a new address", "err", err)
		select {
		case <-time.After(kernelRest):
		case <-ctx.Done():
			return
		}
	}
}

// foundRouter says whom the watch asks from now on.
func (d *theDaemon) foundRouter(router netip.Addr, asked bool) {
	switch {
	case !router.IsValid():
		d.log.Debug("no router answers NAT-PMP; it is looked for now and then")
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
