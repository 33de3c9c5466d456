package main

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

const (
	// resolverPatience is how long the system's resolver may give no answer at
	// all before names that a person wrote are asked for over HTTPS, and before
	// its silence is told.
	resolverPatience = time.Minute
	// resolverTurn is how long it may take to answer for a name of our own. One
	// datagram that is lost costs more; others are asked then.
	resolverTurn = 1500 * time.Millisecond
	// findingStands is how long a name that is not asked for any more is told of.
	findingStands = 2 * time.Hour
)

// resolver asks the system's resolver, and others where that is of no use. It
// remembers what is wrong with the answers for names of our own.
type resolver struct {
	system *net.Resolver // nil: package net's own
	over   []dohServer   // asked over HTTPS
	doh    func(ctx context.Context, s dohServer, family ddns.Family, host string) ([]netip.Addr, error)

	mu          sync.Mutex // guards the following
	heardOnce   bool
	silentSince time.Time // zero while the system's resolver answers
	findings    map[string]noted
	asked       map[string]*dohQuestion
	alone       bool // the others did not answer when they were last asked
}

// noted is a finding, and when it was made.
type noted struct {
	ddns.NameFinding
	at time.Time
}

// keyOf tells questions apart.
func keyOf(families []ddns.Family, host string) string {
	if len(families) == 1 {
		return families[0].String() + " " + host
	}
	return host
}

// lookup resolves a host that a person wrote. A name that does not exist is an
// answer; silence is not.
func (r *resolver) lookup(ctx context.Context, families []ddns.Family, host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	said := <-r.each(ctx, r.system, families, host)
	if said.answers() {
		r.heard(true)
		return said.addresses, said.err
	}
	if !r.heard(false) {
		return nil, said.err
	}
	return r.overHTTPS(ctx, families, host, said.err)
}

// own resolves a name of our own. Its final dot keeps the search list away, and
// every wildcard in it.
func (r *resolver) own(ctx context.Context, how ddns.Naming, families []ddns.Family,
	host string) ([]netip.Addr, error) {
	i := slices.IndexFunc(r.over, func(s dohServer) bool { return s.host == host })
	if i >= 0 && how == ddns.Complete {
		return ofFamilies(r.over[i].addresses, families), nil
	}
	if how == ddns.Around {
		return r.instead(ctx, how, families, ddns.NameFinding{Host: host}, nil)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := r.each(ctx, r.absolute(), families, strings.TrimSuffix(host, ".")+".")
	said, late := reply{err: errors.New("this machine's resolver is silent")}, false
	select {
	case said = <-answers:
	case <-time.After(resolverTurn):
		late = true
	}
	if !said.answers() {
		r.heard(false)
		addresses, err := r.instead(ctx, how, families, ddns.NameFinding{Host: host, Fault: ddns.NameSilent}, said.err)
		if err == nil || !late {
			return addresses, err
		}
		if said = <-answers; !said.answers() { // it may be slow, and the others out of reach
			return nil, err
		}
	}
	r.heard(true)
	return r.judge(ctx, how, families, host, said)
}

// judge returns what an answer for a name of our own is good for.
func (r *resolver) judge(ctx context.Context, how ddns.Naming, families []ddns.Family, host string,
	said reply) ([]netip.Addr, error) {
	answers, err := said.addresses, said.err
	finding, public := ddns.JudgeName(host, answers)
	finding.Costs = how == ddns.Complete
	finding = r.note(keyOf(families, host), finding)
	if how == ddns.Public && finding.Fault == ddns.NameFine {
		finding = r.shared(keyOf(families, host), finding)
	}
	switch {
	case finding.Fault == ddns.NameFine:
		return public, nil
	case how == ddns.Public:
		return nil, &ddns.NameError{NameFinding: finding, Err: err}
	case finding.Fault == ddns.NameDenied || finding.Answer.IsUnspecified():
		return r.instead(ctx, how, families, finding, err)
	default:
		return answers, nil // TLS says whose address it is
	}
}

// written judges the answers for a name that a person wrote as that of a source.
func (r *resolver) written(families []ddns.Family, host string, answers []netip.Addr) ddns.NameFinding {
	return r.note(keyOf(families, host), ddns.JudgeWritten(host, answers))
}

// absolute is the system's resolver for names that are complete. The one that
// the C library has does not find those in the hosts file.
func (r *resolver) absolute() *net.Resolver {
	if r.system != nil {
		return r.system
	}
	return &net.Resolver{PreferGo: true}
}

// ask asks a resolver, and puts IPv4 first.
func (r *resolver) ask(ctx context.Context, system *net.Resolver, families []ddns.Family,
	host string) ([]netip.Addr, error) {
	wanted := "ip"
	if len(families) == 1 {
		wanted = families[0].Network("ip")
	}
	asking, cancel := untraced(ctx)
	defer cancel()
	addresses, err := system.LookupNetIP(asking, wanted, host)
	if failed, ok := errors.AsType[*net.DNSError](err); ok {
		failed.Name = strings.TrimSuffix(failed.Name, ".") // as people write it
	}
	for i := range addresses {
		addresses[i] = addresses[i].Unmap()
	}
	slices.SortStableFunc(addresses, func(a, b netip.Addr) int { return cmp.Compare(a.BitLen(), b.BitLen()) })
	return addresses, err
}

// untraced is a context that ends as ctx does, without its values: a trace of the
// connections to a host is not meant for those to the resolver.
func untraced(ctx context.Context) (context.Context, context.CancelFunc) {
	bare, cancel := context.Background(), context.CancelFunc(nil)
	if end, ok := ctx.Deadline(); ok {
		bare, cancel = context.WithDeadline(bare, end)
	} else {
		bare, cancel = context.WithCancel(bare)
	}
	stop := context.AfterFunc(ctx, func() {
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) { // it has that deadline itself, and says so
			cancel()
		}
	})
	return bare, func() { stop(); cancel() }
}

// notFound reports whether an error is the answer that there is nothing.
func notFound(err error) bool {
	gone, ok := errors.AsType[*net.DNSError](err)
	return ok && gone.IsNotFound
}

// ofFamilies are those of some addresses that are of the families.
func ofFamilies(addresses []netip.Addr, families []ddns.Family) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(addresses), func(a netip.Addr) bool {
		return !slices.Contains(families, ddns.FamilyOf(a))
	})
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
		r.silentSince, r.heardOnce = time.Time{}, true
		return false
	}
	if r.silentSince.IsZero() {
		r.silentSince = time.Now()
	}
	return time.Since(r.silentSince) >= resolverPatience
}

// instead asks the others about a name of our own. Where a proxy makes up the
// addresses of other names, they are not asked for a source: its way out is the
// way of all.
func (r *resolver) instead(ctx context.Context, how ddns.Naming, families []ddns.Family, finding ddns.NameFinding,
	failed error) ([]netip.Addr, error) {
	host := finding.Host
	if proxied, ok := r.proxied(); ok && how != ddns.Complete {
		proxied.Host = host
		return nil, &ddns.NameError{NameFinding: proxied, Err: failed}
	}
	// anything else was noted before, or is its silence
	if finding.Fault == ddns.NameFine || finding.Fault == ddns.NameSilent {
		r.costs(keyOf(families, host))
	} else {
		finding.Costs = true
		r.note(keyOf(families, host), finding)
	}
	addresses, err := r.overHTTPS(ctx, families, host, failed)
	if err != nil {
		return nil, &ddns.NameError{NameFinding: r.noted(keyOf(families, host), finding), Err: err}
	}
	judged, public := ddns.JudgeName(host, addresses)
	if judged.Fault != ddns.NameFine {
		return nil, &ddns.NameError{NameFinding: judged, Err: failed}
	}
	return public, nil
}

// note remembers what the system's resolver says of a name of our own. Names
// that have one address inside the home each are the work of a proxy: a filter
// has one for all.
func (r *resolver) note(key string, f ddns.NameFinding) ddns.NameFinding {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.findings == nil {
		r.findings = map[string]noted{}
	}
	if inHouse(f) {
		for other, n := range r.findings {
			if n.Host == f.Host || !inHouse(n.NameFinding) || n.Answer.Is4() != f.Answer.Is4() || n.Answer == f.Answer {
				continue
			}
			f.Fault, n.Fault = ddns.NameProxied, ddns.NameProxied
			r.findings[other] = n
		}
	}
	r.findings[key] = noted{f, time.Now()}
	return f
}

// shared finds out whether the address of a source's name is also that of
// another's: a proxy that reads the names in TLS, and hands on what it reads, is
// on the way of all of them.
func (r *resolver) shared(key string, f ddns.NameFinding) ddns.NameFinding {
	r.mu.Lock()
	defer r.mu.Unlock()
	for other, n := range r.findings {
		if (n.Fault == ddns.NameFine || n.Fault == ddns.NameShared) && time.Since(n.at) < findingStands &&
			ddns.AtOnePlace(f, n.NameFinding) {
			f.Fault, n.Fault = ddns.NameShared, ddns.NameShared
			r.findings[other] = n
		}
	}
	r.findings[key] = noted{f, time.Now()}
	return f
}

// inHouse reports whether an answer names some place inside the home.
func inHouse(f ddns.NameFinding) bool {
	return f.Fault > ddns.NameDenied && f.Fault != ddns.NameForeign && f.Fault != ddns.NameShared &&
		!f.Answer.IsUnspecified()
}

// noted is a finding, or the one that led to it.
func (r *resolver) noted(key string, f ddns.NameFinding) ddns.NameFinding {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n, ok := r.findings[key]; ok && f.Fault == ddns.NameFine {
		return n.NameFinding
	}
	return f
}

// costs notes that what was found of a name made it necessary to ask others.
func (r *resolver) costs(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n, ok := r.findings[key]; ok {
		n.Costs = true
		r.findings[key] = n
	}
}

// proved notes that a host answers at an address that others gave, and proves
// who it is, where it did not at the one that the system's resolver gives.
func (r *resolver) proved(host string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, n := range r.findings {
		if n.Host == host && n.Fault == ddns.NameFine {
			n.Fault, n.Costs = ddns.NameForeign, true
			r.findings[key] = n
		}
	}
}

// proxied is one of the names for which a proxy makes up an address.
func (r *resolver) proxied() (ddns.NameFinding, bool) {
	for _, f := range r.found() {
		if f.Fault == ddns.NameProxied {
			return f, true
		}
	}
	return ddns.NameFinding{}, false
}

// found is all that is wrong with the system's resolver, each host once, sorted.
func (r *resolver) found() (findings []ddns.NameFinding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.findings {
		if n.Fault != ddns.NameFine && time.Since(n.at) < findingStands {
			findings = append(findings, n.NameFinding)
		}
	}
	if silent := r.silentSince; !silent.IsZero() && (!r.heardOnce || time.Since(silent) >= resolverPatience) {
		findings = append(findings, ddns.NameFinding{Fault: ddns.NameSilent, Costs: true})
	}
	for i := range findings {
		findings[i].Alone = r.alone
	}
	slices.SortFunc(findings, func(a, b ddns.NameFinding) int {
		return cmp.Or(strings.Compare(a.Host, b.Host), cmp.Compare(costsFirst(a), costsFirst(b)),
			cmp.Compare(b.Fault, a.Fault))
	})
	return slices.CompactFunc(findings, func(a, b ddns.NameFinding) bool { return a.Host == b.Host })
}

// costsFirst puts a finding that costs something before another of its host.
func costsFirst(f ddns.NameFinding) int {
	if f.Costs {
		return 0
	}
	return 1
}
