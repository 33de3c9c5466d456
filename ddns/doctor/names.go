package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/cfddns/cfddns/ddns"
)

// public are resolvers of the world, each of another operator.
var public = []string{"1.1.1.1:53", "8.8.8.8:53", "9.9.9.9:53"}

// outside are the resolvers that are asked.
func (g *gathering) outside() []string {
	if len(g.Resolvers) > 0 {
		return g.Resolvers
	}
	return public
}

// system is the name of this machine's own resolver.
const system = "this machine's resolver"

// names are those whose records say what becomes of the host: itself, the
// wildcard that may stand for it, and the names above it, which may be
// delegated away.
func (g *gathering) names(z ddns.Zone) []string {
	names := []string{g.Host, wildcard(g.Host)}
	for name := g.Host; name != z.Name && z.Owns(name); {
		_, name, _ = strings.Cut(name, ".")
		names = append(names, name)
	}
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// recordsOf are those records of a listing that speak of the host.
func (g *gathering) recordsOf(listing Fact[ddns.Listing]) Fact[[]ddns.Record] {
	if !listing.Known {
		return Unknown[[]ddns.Record]("%s", listing.Why)
	}
	names, name := []string{g.Host}, g.Host
	for range longestChain {
		records := leadingOn(listing.Value.Records, name)
		if len(records) != 1 || records[0].Type != "CNAME" {
			break
		}
		name = target(records[0])
		names = append(names, name)
	}
	records := []ddns.Record{}
	for _, r := range listing.Value.Records {
		leads := slices.ContainsFunc(names, func(name string) bool { return r.Name == name || r.Name == wildcard(name) })
		if leads || r.Type == "NS" && under(g.Host, r.Name) {
			records = append(records, r)
		}
	}
	return Known(records)
}

// findDelegation asks resolvers for the nameservers of the token's zone, or
// without a token of each name above the host, and takes the deepest that has
// some.
func (g *gathering) findDelegation(ctx context.Context) Fact[[]string] {
	candidates := above(g.Host)
	if zone, why := g.zoneKnown(); why == "" {
		candidates = []string{zone.Name}
	}
	return g.delegationOf(ctx, candidates)
}

// compareDelegation asks servers that Cloudflare did not assign whether they
// answer as the assigned ones do: they may be its own under other names, or
// those of a second provider.
func (g *gathering) compareDelegation(ctx context.Context) Fact[Delegation] {
	named := g.delegated.wait()
	if !named.Known {
		return Unknown[Delegation]("%s", named.Why)
	}
	d := Delegation{Servers: named.Value}
	zone, said := g.zone.wait().Value, g.authority.wait()
	assigned := slices.ContainsFunc(d.Servers, func(s string) bool { return slices.Contains(zone.NameServers, s) })
	if assigned || len(zone.NameServers) == 0 || !said.Known {
		return Known(d)
	}
	for _, server := range d.Servers[:min(2, len(d.Servers))] {
		theirs := g.askOwn(ctx, net.JoinHostPort(server, "53"))
		x := exam{Evidence: Evidence{Authority: said}}
		if theirs.Known && len(said.Value.Addresses) > 0 && !x.behind(theirs.Value) {
			d.AsZone = true
			break
		}
	}
	return Known(d)
}

// askOwn asks a nameserver that has authority for the host.
func (g *gathering) askOwn(ctx context.Context, server string) Fact[Answer] {
	return both(ctx, func(ctx context.Context, recordType string) (ddns.Answer, error) {
		said, err := g.DNS.Ask(ctx, server, g.Host, recordType)
		if err == nil && !said.Authoritative {
			err = errors.New(server + " answers without authority: somebody on this line intercepts port 53")
		}
		return said, err
	})
}

// above are the host and the names above it, down to two labels.
func above(host string) (names []string) {
	for name, ok := host, true; ok && strings.Contains(name, "."); _, name, ok = strings.Cut(name, ".") {
		names = append(names, name)
	}
	return names
}

// delegationOf asks for all candidates side by side, each resolver until one
// answers, and returns the nameservers of the first that has some.
func (g *gathering) delegationOf(ctx context.Context, candidates []string) Fact[[]string] {
	ctx, cancel := context.WithTimeout(ctx, each)
	defer cancel()
	found := make([]Fact[[]string], len(candidates))
	var asking sync.WaitGroup
	for i, name := range candidates {
		asking.Go(func() {
			for _, r := range g.outside() {
				ctx, cancel := context.WithTimeout(ctx, each/2)
				found[i] = from(g.DNS.Delegation(ctx, r, name))
				cancel()
				if found[i].Known {
					return
				}
			}
		})
	}
	asking.Wait()
	none := Unknown[[]string]("no resolver names nameservers")
	for _, f := range found {
		if f.Known && len(f.Value) > 0 {
			return f
		}
		if !f.Known {
			none = f
		}
	}
	return none
}

// askAuthority asks the zone's own nameservers: those that Cloudflare assigned,
// or without a token those that the world is sent to.
func (g *gathering) askAuthority(ctx context.Context) Fact[Answer] {
	servers := g.Servers
	if len(servers) == 0 {
		hosts := g.zone.wait().Value.NameServers
		if d := g.delegated.wait(); len(hosts) == 0 && d.Known {
			hosts = d.Value
		}
		for _, host := range hosts {
			servers = append(servers, net.JoinHostPort(host, "53"))
		}
	}
	answer := Unknown[Answer]("no nameserver of the zone is known")
	for _, server := range servers[:min(2, len(servers))] {
		if answer = g.askOwn(ctx, server); answer.Known {
			return answer
		}
	}
	return answer
}

// both asks for the addresses of both families. Half an answer says which half
// it is; it is none at all if it holds nothing.
func both(ctx context.Context, ask func(ctx context.Context, recordType string) (ddns.Answer, error)) Fact[Answer] {
	ctx, cancel := context.WithTimeout(ctx, each/2)
	defer cancel()
	said := make([]ddns.Answer, len(ddns.Families))
	errs := make([]error, len(ddns.Families))
	var asking sync.WaitGroup
	for i, f := range ddns.Families {
		asking.Go(func() { said[i], errs[i] = ask(ctx, f.RecordType()) })
	}
	asking.Wait()
	all := Answer{NameError: true}
	for i, a := range said {
		if errs[i] != nil {
			all.Unasked = append(all.Unasked, ddns.Families[i])
			continue
		}
		all.NameError = all.NameError && a.NameError
		all.Addresses = append(all.Addresses, a.Addresses...)
		if all.CNAME == "" {
			all.CNAME = a.CNAME
		}
		if i == 0 || len(a.Addresses) > 0 {
			all.TTL = a.TTL
		}
	}
	if len(all.Unasked) > 0 && len(all.Addresses) == 0 {
		return from(Answer{}, cmp.Or(errs...)) // one of them says why; the other says the same
	}
	return Known(all)
}

// askResolvers asks the world's resolvers and this machine's own.
func (g *gathering) askResolvers(ctx context.Context) []Resolver {
	servers := g.outside()
	all := make([]Resolver, len(servers)+1)
	var asking sync.WaitGroup
	for i, server := range servers {
		asking.Go(func() {
			all[i] = Resolver{strings.TrimSuffix(server, ":53"), both(ctx, func(ctx context.Context, recordType string) (ddns.Answer, error) {
				return g.DNS.Resolve(ctx, server, g.Host, recordType)
			})}
		})
	}
	asking.Go(func() { all[len(servers)] = Resolver{system, g.resolveHere(ctx, g.Host)} })
	asking.Wait()
	return all
}

// resolveHere resolves a name as this machine does.
func (g *gathering) resolveHere(ctx context.Context, host string) Fact[Answer] {
	return both(ctx, func(ctx context.Context, recordType string) (ddns.Answer, error) {
		family, _ := ddns.FamilyOfType(recordType)
		addresses, err := g.System.Lookup(ctx, family, host)
		if gone, ok := errors.AsType[*net.DNSError](err); ok && gone.IsNotFound {
			return ddns.Answer{NameError: true}, nil // or no address of the family: it does not tell
		}
		return ddns.Answer{Addresses: addresses}, err
	})
}

// followHop follows the name's CNAME to where it leaves the account, and asks
// the nameservers of the host it leads to.
func (g *gathering) followHop(ctx context.Context) Fact[Hop] {
	listing := g.listing.wait()
	host, ok := "", false
	if listing.Known {
		host, ok = leaves(listing.Value, g.zone.wait().Value, g.Host)
	} else if said := g.authority.wait(); said.Known { // of a name without proxy its nameservers tell it
		host = said.Value.CNAME
		_, ok = ddns.DDNSService(host)
	}
	switch {
	case !listing.Known && !ok:
		return Unknown[Hop]("%s", listing.Why)
	case !ok:
		return Known(Hop{})
	}
	hop := Hop{Host: host}
	hop.Service, _ = ddns.DDNSService(host)
	hop.Servers, hop.Why = g.hopServers(ctx, host)
	return Known(hop)
}

// hopServers asks the nameservers of a host. Their silence counts only if those
// of our own zone are heard: else this line lets no question out. A set-up with
// a resolver of its own has no way to them, and is believed.
func (g *gathering) hopServers(ctx context.Context, host string) (servers []HopServer, why string) {
	if len(g.Resolvers) > 0 {
		return g.askServers(ctx, host, g.Resolvers, func(ctx context.Context, server, recordType string) (ddns.Answer, error) {
			return g.DNS.Resolve(ctx, server, host, recordType)
		}), ""
	}
	d := g.delegationOf(ctx, above(host))
	if !d.Known {
		return nil, fmt.Sprintf("the nameservers of %s could not be found: %s", host, d.Why)
	}
	at := make([]string, len(d.Value))
	for i, name := range d.Value {
		at[i] = net.JoinHostPort(name, "53")
	}
	servers = g.askServers(ctx, host, at, func(ctx context.Context, server, recordType string) (ddns.Answer, error) {
		return g.DNS.Ask(ctx, server, host, recordType)
	})
	if own := g.authority.wait(); silence(servers) && !own.Known {
		return nil, "neither they nor the zone's own nameservers answer this machine: " + own.Why
	}
	return servers, ""
}

// leaves follows CNAMEs within the zone and returns the host outside of it, if
// there is one.
func leaves(listing ddns.Listing, zone ddns.Zone, name string) (host string, ok bool) {
	for range 8 {
		i := slices.IndexFunc(listing.Records, func(r ddns.Record) bool { return r.Name == name && r.Type == "CNAME" })
		if i < 0 {
			i = slices.IndexFunc(listing.Records, func(r ddns.Record) bool { return r.Name == wildcard(name) && r.Type == "CNAME" })
		}
		if i < 0 || slices.ContainsFunc(listing.Records, func(r ddns.Record) bool { return r.Name == name && r.Type != "CNAME" && r.Address().IsValid() }) {
			return "", false
		}
		name = strings.TrimSuffix(strings.ToLower(listing.Records[i].Content), ".")
		if !zone.Owns(name) {
			return name, true
		}
	}
	return "", false
}

// mostServers bounds how many nameservers of a host are asked.
const mostServers = 4

func (g *gathering) askServers(ctx context.Context, host string, servers []string, ask func(ctx context.Context, server, recordType string) (ddns.Answer, error)) []HopServer {
	servers = servers[:min(mostServers, len(servers))]
	said := make([]HopServer, len(servers))
	var asking sync.WaitGroup
	for i, server := range servers {
		asking.Go(func() {
			answer := both(ctx, func(ctx context.Context, recordType string) (ddns.Answer, error) { return ask(ctx, server, recordType) })
			if answer.Known && len(answer.Value.Addresses) == 0 && answer.Value.CNAME != "" {
				answer = g.resolveHere(ctx, answer.Value.CNAME)
			}
			said[i] = HopServer{Server: strings.TrimSuffix(server, ":53"), Dark: !answer.Known, NameError: answer.Value.NameError, Addresses: answer.Value.Addresses}
		})
	}
	asking.Wait()
	return said
}

func silence(servers []HopServer) bool {
	return !slices.ContainsFunc(servers, func(s HopServer) bool { return !s.Dark })
}

// edgeAddresses are where visitors of a proxied name are sent, in the families
// that this machine has; none for a name without proxy.
func (g *gathering) edgeAddresses() (addresses []netip.Addr, why string) {
	said := g.authority.wait()
	if !said.Known {
		for _, r := range g.resolved.wait() {
			if r.Said.Known && len(r.Said.Value.Addresses) > 0 {
				said = r.Said
				break
			}
		}
	}
	switch {
	case !said.Known:
		return nil, "no address of the edge is known: " + said.Why
	case len(said.Value.Addresses) == 0:
		return nil, "the name has no address"
	}
	hasIPv6 := homeOf(g.verdicts.wait(), ddns.IPv6).Known
	for _, a := range said.Value.Addresses {
		if ddns.Cloudflares(a) && (a.Is4() || hasIPv6) {
			addresses = append(addresses, a)
		}
	}
	switch {
	case len(addresses) > 0:
		return addresses, ""
	case slices.ContainsFunc(said.Value.Addresses, ddns.Cloudflares):
		return nil, "its addresses are of IPv6 alone, and this machine has none"
	default:
		return nil, "the name is not proxied: visitors do not come through Cloudflare"
	}
}
