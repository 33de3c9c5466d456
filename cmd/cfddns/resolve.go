package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/nameserver"
)

// resolverPatience is how long the system's resolver may give no answer at all
// before names are asked over HTTPS. The names that are asked for are verified
// by TLS afterwards, so that a wrong answer can only fail.
const resolverPatience = time.Minute

// A dohServer answers DNS over HTTPS at an address that needs no DNS.
type dohServer struct {
	url     string
	address netip.AddrPort
}

// dohServers are asked while the system's resolver is silent.
// https://developers.cloudflare.com/1.1.1.1/encryption/dns-over-https/
// https://developers.google.com/speed/public-dns/docs/doh
func dohServers() []dohServer {
	return []dohServer{
		{"https://cloudflare-dns.com/dns-query", netip.MustParseAddrPort("1.1.1.1:443")},
		{"https://dns.google/dns-query", netip.MustParseAddrPort("8.8.8.8:443")},
	}
}

// resolver asks the system's resolver, and others once it has been silent for long.
type resolver struct {
	system *net.Resolver // nil: package net's own
	doh    func(ctx context.Context, s dohServer, family ddns.Family, host string) ([]netip.Addr, error)

	mu          sync.Mutex // guards the following
	silentSince time.Time  // zero while the system's resolver answers
}

// lookup resolves a host for the families. A name that does not exist is an
// answer; silence is not.
func (r *resolver) lookup(ctx context.Context, families []ddns.Family, host string) ([]netip.Addr, error) {
	wanted := "ip"
	if len(families) == 1 {
		wanted = families[0].Network("ip")
	}
	addresses, err := r.system.LookupNetIP(ctx, wanted, host)
	var gone *net.DNSError
	if err == nil || errors.As(err, &gone) && gone.IsNotFound {
		r.heard(true)
		for i := range addresses {
			addresses[i] = addresses[i].Unmap()
		}
		slices.SortStableFunc(addresses, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
		return addresses, err
	}
	if !r.heard(false) {
		return nil, err
	}
	return r.otherwise(ctx, families, host, err)
}

// asking is a resolver that asks these servers, HOST:PORT, one after the other.
func asking(servers []string) *net.Resolver {
	var next atomic.Uint32
	return &net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		server := servers[int(next.Add(1)-1)%len(servers)]
		return new(net.Dialer).DialContext(ctx, network, server)
	}}
}

// heard notes whether the system's resolver answered, and reports whether it
// has been silent for too long.
func (r *resolver) heard(answer bool) (silentLong bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if answer {
		r.silentSince = time.Time{}
		return false
	}
	if r.silentSince.IsZero() {
		r.silentSince = time.Now()
	}
	return time.Since(r.silentSince) >= resolverPatience
}

// otherwise asks the other resolvers. Their silence changes nothing about why
// the system's failed.
func (r *resolver) otherwise(ctx context.Context, families []ddns.Family, host string, failed error) ([]netip.Addr, error) {
	for _, server := range dohServers() {
		var addresses []netip.Addr
		for _, f := range families {
			found, err := r.doh(ctx, server, f, host)
			if err == nil {
				addresses = append(addresses, found...)
			}
		}
		if len(addresses) > 0 {
			return addresses, nil
		}
	}
	return nil, failed
}

// askDoH asks one such server, at the address that needs no DNS.
func (n *internet) askDoH(ctx context.Context, s dohServer, family ddns.Family, host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	client := nameserver.Client{World: pinned{n, s.address}}
	answer, err := client.AskDoH(ctx, s.url, host, family.RecordType())
	return answer.Addresses, err
}

// pinned is a world in which every host is at one address; TLS still verifies
// the name.
type pinned struct {
	*internet
	at netip.AddrPort
}

// Dial implements ddns.World.
func (p pinned) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return p.internet.Dial(ctx, "tcp", p.at.String())
}
