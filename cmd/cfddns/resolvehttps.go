package main

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/nameserver"
)

const (
	// dohPatience is how long those others may take. A caller may give up earlier,
	// and finds the answer the next time.
	dohPatience = 3 * time.Second
	// dohStands and dohFails are how long an answer of theirs is good, and how
	// long they are not asked again after none.
	dohStands = 5 * time.Minute
	dohFails  = 10 * time.Second
)

// A dohServer answers DNS over HTTPS at addresses that need no DNS.
type dohServer struct {
	url       string
	host      string
	addresses []netip.Addr
}

// dohServers are two operators, asked where the system's resolver is of no use.
// https://developers.cloudflare.com/1.1.1.1/encryption/dns-over-https/
// https://developers.google.com/speed/public-dns/docs/doh
var dohServers = []dohServer{
	{"https://cloudflare-dns.com/dns-query", "cloudflare-dns.com",
		parsed("1.1.1.1", "1.0.0.1", "2606:4700:4700::1111")},
	{"https://dns.google/dns-query", "dns.google", parsed("8.8.8.8", "8.8.4.4", "2001:4860:4860::8888")},
}

func parsed(literals ...string) (addresses []netip.Addr) {
	for _, a := range literals {
		addresses = append(addresses, netip.MustParseAddr(a))
	}
	return addresses
}

// dohURLs are where they are asked: at a person's own, if there are any.
func dohURLs(own []string) (urls []string) {
	if len(own) > 0 {
		return own
	}
	for _, s := range dohServers {
		urls = append(urls, s.url)
	}
	return urls
}

// ownDoH are the servers that a person names.
func ownDoH(urls []string) (servers []dohServer) {
	for _, u := range urls {
		servers = append(servers, dohServer{url: u})
	}
	return servers
}

// dohQuestion is one question to the others; several may wait for its answer.
type dohQuestion struct {
	done      chan struct{} // closed when the following are known
	at        time.Time
	addresses []netip.Addr
	err       error
}

// stale reports whether it has to be asked again.
func (q *dohQuestion) stale() bool {
	select {
	case <-q.done:
		return q.err != nil && time.Since(q.at) > dohFails || time.Since(q.at) > dohStands
	default:
		return false
	}
}

// overHTTPS asks the others. Their silence changes nothing about why the
// system's resolver failed.
func (r *resolver) overHTTPS(ctx context.Context, families []ddns.Family, host string,
	failed error) ([]netip.Addr, error) {
	key := keyOf(families, host)
	r.mu.Lock()
	q := r.asked[key]
	if q == nil || q.stale() {
		q = &dohQuestion{done: make(chan struct{})}
		if r.asked == nil {
			r.asked = map[string]*dohQuestion{}
		}
		r.asked[key] = q
		go r.answer(q, families, host) // ends within dohPatience
	}
	r.mu.Unlock()
	select {
	case <-q.done:
	case <-ctx.Done():
		return nil, cmp.Or(failed, ctx.Err())
	}
	if q.err != nil {
		return nil, cmp.Or(failed, q.err)
	}
	return q.addresses, nil
}

// answer asks all of them side by side, and takes what comes first. That a
// name has no address all must say.
func (r *resolver) answer(q *dohQuestion, families []ddns.Family, host string) {
	ctx, cancel := context.WithTimeout(context.Background(), dohPatience)
	defer cancel()
	answers := make(chan reply, len(r.over)) // a late one never blocks
	for _, server := range r.over {
		go func() {
			var s reply
			for _, f := range families {
				found, err := r.doh(ctx, server, f, host)
				s.addresses, s.err = append(s.addresses, found...), cmp.Or(s.err, err)
			}
			answers <- s
		}()
	}
	q.err = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	for range r.over {
		s := <-answers
		if len(s.addresses) > 0 {
			q.addresses, q.err = s.addresses, nil
			break
		}
		q.err = cmp.Or(s.err, q.err)
	}
	r.mu.Lock()
	r.alone = q.err != nil && !notFound(q.err)
	r.mu.Unlock()
	q.at = time.Now()
	close(q.done)
}

// askDoH asks one such server.
func (n *internet) askDoH(ctx context.Context, s dohServer, family ddns.Family, host string) ([]netip.Addr, error) {
	answer, err := nameserver.Client{World: n, Timeout: dohPatience}.AskDoH(ctx, s.url, host, family.RecordType())
	return answer.Addresses, err
}
