package nameserver

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/miekg/dns"
)

// Resolve asks a resolver, HOST:PORT, for the records of a type at a name, and
// lets it ask others (RD=1). Its answer may be as old as the TTL allows.
func (c Client) Resolve(ctx context.Context, server, name, recordType string) (ddns.Answer, error) {
	query, err := newQuery(name, recordType)
	if err != nil {
		return ddns.Answer{}, fmt.Errorf("ask %s: %w", server, err)
	}
	query.RecursionDesired = true
	reply, answer, err := c.exchange(ctx, server, query)
	if err != nil {
		return ddns.Answer{}, fmt.Errorf("ask %s for %s %s: %w", server, name, recordType, err)
	}
	answer.Authoritative = false
	if len(answer.Addresses) == 0 {
		answer.TTL = denialTTL(reply)
	}
	return answer, nil
}

// Delegation asks a resolver for the nameservers of a zone: lower case, without
// the final dot, sorted. No names and no error means that it is no zone.
//
// A resolver asks the zone itself, and has no answer while all of its
// nameservers are dark. The servers of the zone above then still say where it
// is delegated to, and are asked directly.
func (c Client) Delegation(ctx context.Context, resolver, zone string) ([]string, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	half, stop := context.WithTimeout(ctx, time.Until(deadlineOf(ctx))/2)
	reply, err := c.nameservers(half, resolver, zone, true)
	stop()
	if err == nil {
		return namesIn(reply.Answer, zone), nil
	}
	_, parent, ok := strings.Cut(zone, ".")
	if !ok {
		return nil, err
	}
	above, parentErr := c.nameservers(ctx, resolver, parent, true)
	if parentErr != nil {
		return nil, err
	}
	for _, server := range namesIn(above.Answer, parent) {
		if reply, refErr := c.nameservers(ctx, net.JoinHostPort(server, "53"), zone, false); refErr == nil {
			return namesIn(slices.Concat(reply.Answer, reply.Ns), zone), nil
		}
	}
	return nil, err
}

func deadlineOf(ctx context.Context) time.Time {
	end, _ := ctx.Deadline()
	return end
}

// nameservers asks a server for the NS records of a name.
func (c Client) nameservers(ctx context.Context, server, name string, recurse bool) (*dns.Msg, error) {
	query, err := newQuery(name, "NS")
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", server, err)
	}
	query.RecursionDesired = recurse
	reply, _, err := c.exchange(ctx, server, query)
	if err != nil {
		return nil, fmt.Errorf("ask %s for the nameservers of %s: %w", server, name, err)
	}
	return reply, nil
}

// namesIn are the nameservers of a zone among the records of an answer.
func namesIn(records []dns.RR, zone string) []string {
	var hosts []string
	for _, rr := range records {
		if ns, ok := rr.(*dns.NS); ok && strings.EqualFold(ns.Hdr.Name, dns.Fqdn(zone)) {
			hosts = append(hosts, strings.ToLower(strings.TrimSuffix(ns.Ns, ".")))
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// denialTTL is for how long a resolver remembers that there is nothing.
// https://www.rfc-editor.org/rfc/rfc2308#section-5
func denialTTL(reply *dns.Msg) time.Duration {
	for _, rr := range reply.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			return time.Duration(min(soa.Hdr.Ttl, soa.Minttl)) * time.Second
		}
	}
	return 0
}
