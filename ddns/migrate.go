package ddns

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// AliasKind says what a CNAME is to a migration.
type AliasKind string

// The kinds of a CNAME.
const (
	AliasHop     AliasKind = "hop"     // leaves the account for a known DDNS host
	AliasFollows AliasKind = "follows" // reaches a hop by names of the account, and stays
	AliasStays   AliasKind = "stays"   // anything else: left as it is, Why says why
)

// Alias is a CNAME of the account, and where it leads.
type Alias struct {
	Zone    Zone
	Record  Record
	Kind    AliasKind
	Via     []string // the names of the account that it goes by, in order
	Host    string   // for a hop, and what follows one: the DDNS host
	Service string   // whose host that is
	Why     string   // for one that stays
}

// Last is the name of the account whose record leaves it: the one to replace.
func (a Alias) Last() string {
	if n := len(a.Via); n > 0 {
		return a.Via[n-1]
	}
	return a.Record.Name
}

// Aliases follows every CNAME of the zones from name to name of the account
// until it leaves it, ends, or comes round. It is pure; the answer is sorted
// by name.
func Aliases(zones []ZoneFacts) []Alias {
	cnames := map[string]Record{}
	for _, z := range zones {
		for _, r := range z.Records {
			if r.Type == "CNAME" {
				cnames[r.Name] = r
			}
		}
	}
	var aliases []Alias
	for _, z := range zones {
		for _, r := range z.Records {
			if r.Type == "CNAME" {
				a := follow(r, cnames)
				a.Zone = z.Zone
				if end := a.end(cnames); a.Kind == AliasStays && slices.ContainsFunc(zones, func(z ZoneFacts) bool { return z.Zone.Owns(end) }) && a.Why != circle {
					a.Why = fmt.Sprintf("it follows %s, a name of the account that does not hop", end)
				}
				aliases = append(aliases, a)
			}
		}
	}
	slices.SortFunc(aliases, func(a, b Alias) int { return strings.Compare(a.Record.Name, b.Record.Name) })
	return aliases
}

// end is where the last CNAME of the chain leads.
func (a Alias) end(cnames map[string]Record) string {
	if len(a.Via) == 0 {
		return pointsTo(a.Record)
	}
	return pointsTo(cnames[a.Last()])
}

// circle is why a CNAME stays whose chain does not end.
const circle = "it leads round in a circle"

// chainLongest is how many names a chain may go by. Resolvers give up earlier.
const chainLongest = 16

// follow walks from one CNAME to the last of its chain.
func follow(r Record, cnames map[string]Record) Alias {
	a := Alias{Record: r, Kind: AliasStays}
	last := r
	for next, ok := cnames[pointsTo(last)]; ok; next, ok = cnames[pointsTo(last)] {
		if len(a.Via) >= chainLongest || next.Name == r.Name || slices.Contains(a.Via, next.Name) {
			a.Why = circle
			return a
		}
		a.Via = append(a.Via, next.Name)
		last = next
	}
	service, err := hopOf(last.Name, pointsTo(last))
	switch {
	case err != nil:
		a.Why = err.Error()
	case len(a.Via) > 0:
		a.Kind, a.Host, a.Service = AliasFollows, pointsTo(last), service
	default:
		a.Kind, a.Host, a.Service = AliasHop, pointsTo(last), service
	}
	return a
}

// HopHosts are the hosts of the hops among the aliases, sorted, each once.
func HopHosts(aliases []Alias) []string {
	var hosts []string
	for _, a := range aliases {
		if a.Kind == AliasHop {
			hosts = append(hosts, a.Host)
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// HopTargets are the targets that a hop becomes: an A, unless its host is known
// to hold IPv6 alone, and an AAAA where the host holds the home's own IPv6
// address. No family is ever new.
func HopTargets(a Alias, h Hop, home []netip.Addr, shown string) []Target {
	target := Target{Name: a.Record.Name, Shown: shown, Type: IPv4.RecordType(), ReplaceHop: true}
	leads := h.Addresses()
	holds := func(f Family) bool {
		return slices.ContainsFunc(leads, func(x netip.Addr) bool { return FamilyOf(x) == f })
	}
	var targets []Target
	if holds(IPv4) || !holds(IPv6) {
		targets = append(targets, target)
	}
	own6 := slices.ContainsFunc(leads, func(x netip.Addr) bool { return FamilyOf(x) == IPv6 && slices.Contains(home, x) })
	if own6 || len(targets) == 0 {
		target.Type = IPv6.RecordType()
		targets = append(targets, target)
	}
	return targets
}

// ForeignIPv6 are the IPv6 addresses of a hop that are not the home's: the
// name loses them. They are another machine's, or left over.
func ForeignIPv6(h Hop, home []netip.Addr) (foreign []netip.Addr) {
	for _, x := range h.Addresses() {
		if FamilyOf(x) == IPv6 && !slices.Contains(home, x) {
			foreign = append(foreign, x)
		}
	}
	return foreign
}

// Chunks divides the targets so that what becomes of each chunk fits into one
// batch of each zone; targets of one name stay together. Most bounds the names
// of a chunk.
func Chunks(targets []Target, zoneOf func(name string) Zone, most int) (chunks [][]Target) {
	used := map[string]int{}
	names := 0
	var chunk []Target
	for len(targets) > 0 {
		n := 1
		for n < len(targets) && targets[n].Name == targets[0].Name {
			n++
		}
		zone := zoneOf(targets[0].Name)
		size := n + 1 // the CNAME is deleted
		if len(chunk) > 0 && (used[zone.ID]+size > zone.BatchLimit() || names >= most) {
			chunks, chunk, names = append(chunks, chunk), nil, 0
			clear(used)
		}
		chunk = append(chunk, targets[:n]...)
		used[zone.ID] += size
		names++
		targets = targets[n:]
	}
	if len(chunk) > 0 {
		chunks = append(chunks, chunk)
	}
	return chunks
}

// FirstToTry names the hop to begin with, and why that one: where something is
// odd, the fewest should notice.
func FirstToTry(aliases []Alias, movable func(name string) bool) (name, why string) {
	candidates := slices.DeleteFunc(slices.Clone(aliases), func(a Alias) bool { return a.Kind != AliasHop || !movable(a.Record.Name) })
	if len(candidates) < 2 {
		return "", ""
	}
	followed := map[string]int{}
	for _, a := range aliases {
		if a.Kind == AliasFollows {
			followed[a.Last()]++
		}
	}
	first := slices.MinFunc(candidates, func(a, b Alias) int {
		return cmp.Or(cmp.Compare(visited(a, followed), visited(b, followed)), strings.Compare(a.Record.Name, b.Record.Name))
	})
	why = "the fewest visitors, by its name"
	if !first.Record.Proxied {
		why = "it is DNS only, so nothing but its address changes"
	}
	if n := followed[first.Record.Name]; n > 0 {
		return first.Record.Name, fmt.Sprintf("%s; %d more follow it", why, n)
	}
	return first.Record.Name, why
}

// visited guesses how many visitors a name has: the apex, www, wildcards and
// what others follow have most, DNS-only names fewest.
func visited(a Alias, followed map[string]int) int {
	n := 10 * min(followed[a.Record.Name], 9)
	switch {
	case a.Record.Name == a.Zone.Name:
		n += 100
	case strings.HasPrefix(a.Record.Name, "www."), strings.HasPrefix(a.Record.Name, "*."):
		n += 4
	}
	if a.Record.Proxied {
		n++
	}
	return n
}
