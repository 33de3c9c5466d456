package ipsource

import (
	"context"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

const (
	// maxHops is how far the way out is looked at: a container's bridge, the
	// router, and the provider's first one.
	maxHops = 3
	// hopTarget is where the probes are addressed to, an operator that serves the
	// world. None gets there: they end at the hops they ask about.
	hopTarget = "1.1.1.1"
	// hopPort is the first port of traceroute(8); each hop has one of its own.
	hopPort = 33434
	// hopPatience is how long a hop may take to say that a probe ended there.
	hopPatience = 400 * time.Millisecond
)

// Hops names the first routers on the way out over IPv4, the nearest first. One
// that keeps silent is the zero Addr; those after the last that answered are
// left out. Each is asked by one datagram that may travel just so far, over a
// plain socket of the world: no privilege is needed. It works on Linux only.
// Each is told to heard as soon as it answers, counting from 1: a silent one
// must not hold up what is done about another.
func Hops(ctx context.Context, world ddns.World, heard func(hop int, router netip.Addr)) []netip.Addr {
	ctx, cancel := context.WithTimeout(ctx, hopPatience)
	defer cancel()
	way := make([]netip.Addr, maxHops)
	var asking sync.WaitGroup
	for i := range way {
		asking.Go(func() {
			conn, err := world.Dial(ctx, "udp4", hopTarget+":"+strconv.Itoa(hopPort+i))
			if err != nil {
				return
			}
			defer conn.Close()
			defer hangUp(ctx, conn)()
			if way[i] = hopAt(conn, i+1); way[i].IsValid() {
				heard(i+1, way[i])
			}
		})
	}
	asking.Wait()
	for len(way) > 0 && !way[len(way)-1].IsValid() {
		way = way[:len(way)-1]
	}
	return way
}
