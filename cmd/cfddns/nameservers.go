package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

const (
	// nameserverTurn is how long one nameserver may be silent before the next that
	// resolv.conf names is asked beside it. Who waits as that file says waits for
	// 5 s, which is longer than a source has.
	nameserverTurn = 400 * time.Millisecond
	// nameserversMost is how many of them are asked: MAXNS of resolv.conf(5).
	nameserversMost = 3
)

// reply is what a resolver says of a name.
type reply struct {
	addresses []netip.Addr
	err       error
	beside    bool // it is not that of the whole resolver
}

// answers reports whether it is an answer: that there is nothing is one.
func (r reply) answers() bool { return r.err == nil || notFound(r.err) }

// each asks the nameservers of a resolver, the next one beside those that are
// silent for a while. The channel gives the first answer; if there is none, why the
// resolver as a whole gave none. All ends with ctx.
func (r *resolver) each(ctx context.Context, system *net.Resolver, families []ddns.Family, host string) <-chan reply {
	all, first := make(chan reply, nameserversMost), make(chan reply, 1) // nobody blocks on telling
	ask := func(system *net.Resolver, beside bool) {
		addresses, err := r.ask(ctx, system, families, host)
		all <- reply{addresses, err, beside}
	}
	go ask(system, false)
	go func() {
		next := time.NewTicker(nameserverTurn)
		defer next.Stop()
		for passed := 1; ; {
			select {
			case <-next.C:
				if passed < nameserversMost {
					go ask(r.past(passed), true)
					passed++
				}
			case said := <-all:
				if said.answers() || !said.beside { // as a whole it has asked all of them
					first <- said
					return
				}
			}
		}
	}()
	return first
}

// past is the system's resolver without its first nameservers.
func (r *resolver) past(first int) *net.Resolver {
	if r.system != nil {
		return r.system // it takes them by turns
	}
	var mu sync.Mutex // guards passed
	var passed []string
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, server string) (net.Conn, error) {
		mu.Lock()
		pass := slices.Contains(passed, server)
		if !pass && len(passed) < first {
			passed, pass = append(passed, server), true
		}
		mu.Unlock()
		if pass {
			return nil, errors.New("this nameserver was asked before")
		}
		return new(net.Dialer).DialContext(ctx, network, server)
	}}
}
