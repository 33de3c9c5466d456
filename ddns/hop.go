package ddns

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// A ddnsHost is a service that people point CNAMEs at, so that the CNAME
// follows their home.
type ddnsHost struct {
	suffix string
	name   string
	seen   string // where the suffix is documented
}

// ddnsHosts are the known ones, each with where it was found. A CNAME that
// leaves for any other host is not replaced.
var ddnsHosts = []ddnsHost{
	{"duckdns.org", "Duck DNS", "https://www.duckdns.org/spec.jsp"},
	{"ddns.net", "No-IP", "https://www.noip.com/support/knowledgebase/free-dynamic-dns"},
	{"hopto.org", "No-IP", "https://www.noip.com/support/knowledgebase/free-dynamic-dns"},
	{"zapto.org", "No-IP", "https://www.noip.com/support/knowledgebase/free-dynamic-dns"},
	{"sytes.net", "No-IP", "https://www.noip.com/support/knowledgebase/free-dynamic-dns"},
	{"servehttp.com", "No-IP", "https://www.noip.com/support/knowledgebase/free-dynamic-dns"},
	{"myddns.me", "No-IP", "https://www.noip.com/support/knowledgebase/free-dynamic-dns"},
	{"dyndns.org", "Dyn", "https://help.dyn.com/list-of-domains"},
	{"dynu.net", "Dynu", "https://www.dynu.com/DynamicDNS"},
	{"freeddns.org", "Dynu", "https://www.dynu.com/DynamicDNS"},
	{"mooo.com", "FreeDNS (afraid.org)", "https://freedns.afraid.org/domain/registry/"},
	{"chickenkiller.com", "FreeDNS (afraid.org)", "https://freedns.afraid.org/domain/registry/"},
	{"us.to", "FreeDNS (afraid.org)", "https://freedns.afraid.org/domain/registry/"},
	{"dedyn.io", "deSEC", "https://desec.readthedocs.io/en/latest/dyndns/configure.html"},
	{"dynv6.net", "dynv6", "https://dynv6.com/docs/apis"},
	{"nsupdate.info", "nsupdate.info", "https://nsupdate.info/"},
	{"spdns.de", "Securepoint", "https://www.spdyn.de/"},
	{"ddnss.de", "DDNSS", "https://ddnss.de/"},
	{"selfhost.eu", "selfHOST", "https://www.selfhost.de/"},
	{"myfritz.net", "MyFRITZ!", "https://www.myfritz.net/"},
	{"synology.me", "Synology", "https://kb.synology.com/en-global/DSM/help/DSM/AdminCenter/connection_ddns"},
	{"myqnapcloud.com", "QNAP", "https://www.myqnapcloud.com/"},
	{"asuscomm.com", "ASUS", "https://www.asus.com/support/faq/1011725/"},
	{"tplinkdns.com", "TP-Link", "https://www.tp-link.com/us/support/faq/1367/"},
	{"sn.mynetname.net", "MikroTik", "https://help.mikrotik.com/docs/display/ROS/Cloud"},
	{"keenetic.link", "Keenetic", "https://help.keenetic.com/"},
}

// notHops are hosts whose CNAMEs are no dynamic DNS; what stands behind each
// would break if the CNAME became an address.
var notHops = []ddnsHost{
	{"cfargotunnel.com", "a Cloudflare Tunnel", "https://developers.cloudflare.com/cloudflare-one/connections/connect-networks/"},
	{"pages.dev", "Cloudflare Pages", "https://developers.cloudflare.com/pages/configuration/custom-domains/"},
	{"workers.dev", "a Cloudflare Worker", "https://developers.cloudflare.com/workers/configuration/routing/workers-dev/"},
}

// under reports whether host is the suffix or lies below it.
func under(host, suffix string) bool {
	return host == suffix || strings.HasSuffix(host, "."+suffix)
}

// hopOf returns the DDNS service a CNAME's target belongs to, or why the
// CNAME is not to be replaced.
func hopOf(name, target string) (service string, err error) {
	if strings.HasPrefix(name, "_") || strings.Contains(name, "._") {
		return "", fmt.Errorf("names that begin with _ prove something to a service; the CNAME to %s stays", target)
	}
	for _, h := range notHops {
		if under(target, h.suffix) {
			return "", fmt.Errorf("its CNAME leads to %s (%s), which an address cannot replace", h.name, target)
		}
	}
	for _, h := range ddnsHosts {
		if under(target, h.suffix) {
			return h.name, nil
		}
	}
	return "", fmt.Errorf("its CNAME leads to %s, which is no dynamic DNS host that is known here", target)
}

// HopState is where the target of a CNAME leads.
type HopState string

// The states of a hop.
const (
	HopHere      HopState = "here"      // it answers this home's address
	HopElsewhere HopState = "elsewhere" // it answers another address
	HopDark      HopState = "dark"      // it does not answer
)

// Hop is a CNAME that leaves for another host, and what that host answers.
type Hop struct {
	Target  string // the host, complete, lower case
	Answers []netip.Addr
	Err     error   // why there is no answer
	Last    HopSeen // what it answered when it last did
}

// Resolver resolves a host name as any machine would: the family's addresses,
// or an error that says why there are none.
type Resolver interface {
	Lookup(ctx context.Context, family Family, host string) ([]netip.Addr, error)
}

// pointsTo is the host that a CNAME leads to, in the form in which names are compared.
func pointsTo(cname Record) string {
	return strings.TrimSuffix(strings.ToLower(cname.Content), ".")
}

// hopTargets are the hosts that CNAMEs at the targets' names lead to, if they
// are DDNS hosts; sorted, each once.
func hopTargets(targets []Target, found Found) []string {
	var hosts []string
	for _, t := range targets {
		z, ok := found.zoneOf(t.Name)
		if !ok {
			continue
		}
		for _, r := range z.at(t.Name) {
			if r.Type != "CNAME" {
				continue
			}
			host := pointsTo(r)
			if _, err := hopOf(r.Name, host); err == nil && !slices.Contains(hosts, host) {
				hosts = append(hosts, host)
			}
		}
	}
	slices.Sort(hosts)
	return hosts
}

// hopPatience is how long a DDNS host may take to answer.
const hopPatience = 2 * time.Second

// WatchHops asks where the hops among the targets lead, and remembers what
// they answered: once a DDNS host is dark it can no longer be asked.
func WatchHops(ctx context.Context, resolver Resolver, targets []Target, found Found, remembered map[string]HopSeen, now time.Time) (map[string]Hop, map[string]HopSeen) {
	hosts := hopTargets(targets, found)
	if len(hosts) == 0 {
		return nil, remembered
	}
	ctx, cancel := context.WithTimeout(ctx, hopPatience)
	defer cancel()
	answers := make([]Hop, len(hosts))
	var asking sync.WaitGroup
	for i, host := range hosts {
		asking.Go(func() { answers[i] = askHop(ctx, resolver, host) })
	}
	asking.Wait()
	hops, seen := map[string]Hop{}, cloned(remembered)
	for _, h := range answers {
		h.Last = seen[h.Target]
		if h.Err == nil {
			// Whose address it was then is still known, also in a round that knows no address.
			here := h.Last.Here && slices.Equal(h.Last.Addresses, h.Answers)
			seen[h.Target] = HopSeen{Addresses: h.Answers, Here: here, At: now}
		}
		hops[h.Target] = h
	}
	return hops, seen
}

// askHop asks for both families: a DDNS host may hold either.
func askHop(ctx context.Context, resolver Resolver, host string) Hop {
	h := Hop{Target: host}
	for _, f := range Families {
		addresses, err := resolver.Lookup(ctx, f, host)
		if err != nil {
			h.Err = err
			continue
		}
		h.Answers = append(h.Answers, addresses...)
	}
	if len(h.Answers) > 0 {
		h.Err = nil
		slices.SortFunc(h.Answers, netip.Addr.Compare)
	} else if h.Err == nil {
		h.Err = fmt.Errorf("%s answers no address", host)
	}
	return h
}

// state says where the hop leads, seen from a home with the given addresses;
// evidence says how that is known.
func (h Hop) state(home []netip.Addr) (state HopState, evidence string) {
	is := func(a netip.Addr) bool { return slices.Contains(home, a) }
	switch {
	case slices.ContainsFunc(h.Answers, is):
		return HopHere, fmt.Sprintf("%s answers %s", h.Target, join(h.Answers))
	case len(h.Answers) > 0:
		return HopElsewhere, fmt.Sprintf("%s answers %s", h.Target, join(h.Answers))
	case h.Last.Here || slices.ContainsFunc(h.Last.Addresses, is):
		return HopHere, fmt.Sprintf("%s is dark, and last answered this home's address, %s, at %s", h.Target, join(h.Last.Addresses), h.Last.At.UTC().Format(time.RFC3339))
	case h.Err == nil:
		return HopDark, "the host it leads to was not asked yet"
	default:
		return HopDark, fmt.Sprintf("%s does not answer (%v)", h.Target, h.Err)
	}
}

func join(addresses []netip.Addr) string {
	words := make([]string, len(addresses))
	for i, a := range addresses {
		words[i] = a.String()
	}
	return strings.Join(words, ", ")
}
