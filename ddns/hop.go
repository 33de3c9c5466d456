package ddns

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// under reports whether host is the suffix or lies below it.
func under(host, suffix string) bool {
	return host == suffix || strings.HasSuffix(host, "."+suffix)
}

// DDNSService returns the name of the dynamic DNS service that a host belongs
// to; ok is false if it is none that is known.
func DDNSService(host string) (service string, ok bool) {
	i := slices.IndexFunc(ddnsHosts, func(h ddnsHost) bool { return under(host, h.suffix) })
	if i < 0 {
		return "", false
	}
	return ddnsHosts[i].name, true
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
	if service, ok := DDNSService(target); ok {
		return service, nil
	}
	if i := slices.IndexFunc(elsewhereHosts, func(h ddnsHost) bool { return under(target, h.suffix) }); i >= 0 {
		return "", fmt.Errorf("its CNAME leads to %s (%s), which serves another machine, not a home", elsewhereHosts[i].name, target)
	}
	return "", fmt.Errorf("its CNAME leads to %s, which is no dynamic DNS host that is known here", target)
}

// HopState is where the target of a CNAME leads.
type HopState string

// The states of a hop.
const (
	HopHere      HopState = "here"      // it answers this home's address
	HopElsewhere HopState = "elsewhere" // it answers another address
	HopUnknown   HopState = "unknown"   // it answers, and nobody knows where this home is
	HopDark      HopState = "dark"      // it does not answer
)

// Hop is a CNAME that leaves for another host, and what that host answers.
type Hop struct {
	Target  string // the host, complete, lower case
	Answers []netip.Addr
	Err     error   // why there is no answer
	Unheard error   // why one family is unknown, although the other answered
	Last    HopSeen // what it answered when it last did
	// Held is what public resolvers say of it over HTTPS, and Heard how many of
	// them answered.
	Held  []HeldAnswer
	Heard int
	// Word is set if a person says that the host is this home.
	Word bool
}

// HeldAnswer is what a resolver holds in its cache.
type HeldAnswer struct {
	Resolver  string // its URL
	Addresses []netip.Addr
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

// State says where the hop leads, seen from a home with the given addresses;
// evidence says how that is known. What is known now outweighs what was seen
// once; a person's word outweighs what resolvers hold.
func (h Hop) State(home []netip.Addr) (state HopState, evidence string) {
	is := func(a netip.Addr) bool { return slices.Contains(home, a) }
	holder := slices.IndexFunc(h.Held, func(a HeldAnswer) bool { return slices.ContainsFunc(a.Addresses, is) })
	switch {
	case slices.ContainsFunc(h.Answers, is) && !h.Word && !h.confirmed(home):
		return h.unconfirmed()
	case slices.ContainsFunc(h.Answers, is):
		return HopHere, fmt.Sprintf("%s answers %s", h.Target, join(h.Answers))
	case h.answersAsLast() && !h.Word && !h.confirmed(h.Answers):
		return h.unconfirmed()
	case h.answersAsLast():
		return HopHere, fmt.Sprintf("%s still answers %s, which was this home's address at %s", h.Target, join(h.Answers), h.Last.At.UTC().Format(time.RFC3339))
	case len(home) == 0 && len(h.Answers)+len(h.Held) > 0:
		return HopUnknown, fmt.Sprintf("where %s leads cannot be compared: this home's address was not agreed on", h.Target)
	case len(h.Answers) > 0 && h.Unheard == nil:
		return HopElsewhere, fmt.Sprintf("%s answers %s", h.Target, join(h.Answers))
	case holder >= 0:
		return HopHere, fmt.Sprintf("%s %s, and %s still holds this home's address, %s", h.Target, h.silence(), hostOf(h.Held[holder].Resolver), join(h.Held[holder].Addresses))
	case (h.Last.Here || h.Last.Sure && slices.ContainsFunc(h.Last.Addresses, is)) && !h.heldOtherwise():
		return HopHere, fmt.Sprintf("%s %s, and last answered this home's address, %s, at %s", h.Target, h.silence(), join(h.Last.Addresses), h.Last.At.UTC().Format(time.RFC3339))
	case h.Word:
		return HopHere, fmt.Sprintf("%s %s, and you say that it is this home", h.Target, h.silence())
	case len(h.Held) > 0:
		return HopElsewhere, fmt.Sprintf("%s %s, and %s still holds %s", h.Target, h.silence(), hostOf(h.Held[0].Resolver), join(h.Held[0].Addresses))
	case h.Err == nil && h.Unheard == nil:
		return HopDark, "the host it leads to was not asked yet"
	default:
		return HopDark, fmt.Sprintf("%s does not answer (%v)", h.Target, cmp.Or(h.Err, h.Unheard))
	}
}

// answersAsLast reports whether it still answers where this home was.
func (h Hop) answersAsLast() bool {
	return len(h.Answers) > 0 && h.Last.Here && slices.Equal(h.Answers, h.Last.Addresses)
}

// hopVoices is how many operators must say over HTTPS that a host is here.
const hopVoices = 2

// confirmed reports whether public resolvers answer some of the addresses too.
func (h Hop) confirmed(some []netip.Addr) bool {
	voices := 0
	for _, a := range h.Held {
		if slices.ContainsFunc(a.Addresses, func(x netip.Addr) bool { return slices.Contains(some, x) }) {
			voices++
		}
	}
	return voices >= hopVoices
}

// unconfirmed is the state of a host that this machine's resolver alone says to
// be here: anybody on the line may have said it in its place.
func (h Hop) unconfirmed() (state HopState, evidence string) {
	if h.Heard < hopVoices {
		return HopUnknown, fmt.Sprintf("%s answers %s here, and public resolvers could not be asked over HTTPS "+
			"whether it answers the world so too", h.Target, join(h.Answers))
	}
	var world []string
	for _, a := range h.Held {
		world = append(world, fmt.Sprintf("%s answers %s", hostOf(a.Resolver), join(a.Addresses)))
	}
	if len(world) == 0 {
		world = append(world, "to public resolvers it does not exist")
	}
	return HopElsewhere, fmt.Sprintf("this machine's resolver answers %s for %s, and %s (a change of a moment ago "+
		"takes a minute to be seen)", join(h.Answers), h.Target, strings.Join(world, ", "))
}

// silence says how far the host is silent.
func (h Hop) silence() string {
	if h.Unheard != nil {
		return "does not answer in full"
	}
	return "is dark"
}

// heldOtherwise reports whether resolvers hold what the host did not answer
// when it was last asked: it moved since.
func (h Hop) heldOtherwise() bool {
	return slices.ContainsFunc(h.Held, func(a HeldAnswer) bool {
		return !slices.ContainsFunc(a.Addresses, func(x netip.Addr) bool { return slices.Contains(h.Last.Addresses, x) })
	})
}

// Addresses are the best that is known of where the hop leads: what it
// answers, else what is still held of it, else what it last answered.
func (h Hop) Addresses() []netip.Addr {
	switch {
	case len(h.Answers) > 0 && h.Unheard == nil:
		return h.Answers
	case len(h.Held) > 0:
		return h.Held[0].Addresses
	case len(h.Last.Addresses) > 0:
		return h.Last.Addresses
	default:
		return h.Answers
	}
}

// hostOf is the host of a URL, for people.
func hostOf(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

func join(addresses []netip.Addr) string {
	words := make([]string, len(addresses))
	for i, a := range addresses {
		words[i] = a.String()
	}
	return fewOf(words)
}
