package ddns

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Naming says how a world finds hosts by their names.
type Naming int

// The ways to find a host.
const (
	// AsWritten: a person wrote the name. It is found as any program on this
	// machine finds it, search list and all, and may stand for anything.
	AsWritten Naming = iota
	// Written: as AsWritten, for what is asked as a source: a host whose address a
	// proxy made up is refused with a *NameError.
	Written
	// Complete: the name is one of our own, or came out of DNS. It is asked for
	// with its final dot, so that no search list and no wildcard of one's own
	// gets in between. TLS decides whether the host is the right one.
	Complete
	// Public: as Complete, and a host that is not out in the world is refused
	// with a *NameError: what many sources are asked for through one filter or
	// one proxy is no consensus.
	Public
	// Around: as Public, and this machine's resolver is not asked. Others are,
	// over HTTPS.
	Around
)

// NamingWorld is a World that finds hosts by itself and can be told how.
type NamingWorld interface {
	World
	// Named is the same world, which finds hosts in that way.
	Named(Naming) World
	// Proved notes that a host which was found Around is the right one: what
	// this machine's resolver said of it is then known to be wrong.
	Proved(host string)
}

// Named is the world that finds hosts in a way. One that does not find hosts
// by itself, as a played world, stays as it is.
func Named(w World, how Naming) World {
	if n, ok := w.(NamingWorld); ok {
		return n.Named(how)
	}
	return w
}

// GoAround is the world for a host that this machine's resolver leads astray;
// ok is false where there is no other way to find it.
func GoAround(w World) (around NamingWorld, ok bool) {
	n, ok := w.(NamingWorld)
	if !ok {
		return nil, false
	}
	around, ok = n.Named(Around).(NamingWorld)
	return around, ok
}

// NameFault is what is wrong with a resolver's answer for a name of our own.
type NameFault int

// The faults, the one that tells the most last.
const (
	NameFine    NameFault = iota
	NameSilent            // no answer, or one that refuses
	NameDenied            // there is no such name, or it has no address
	NameBlocked           // the address of nobody, or of this machine
	NameInside            // an address of no host out in the world: a filter's, a login page's, or a proxy's
	NameShared            // one address for the names of several operators
	NameForeign           // an address at which somebody else answers
	NameProxied           // an address that a proxy made up (fake-IP)
)

// NameFinding is what this machine's resolver says of a name of our own.
type NameFinding struct {
	Host   string
	Fault  NameFault
	Answer netip.Addr // what it was answered; zero: no address
	// Costs is set where the answer alone costs something: others were asked for
	// the name, or it is the API's. One echo of many that is denied costs nothing.
	Costs bool
	// Alone is set where those others do not answer.
	Alone bool
}

// JudgeName says what is wrong with the answers for a name of our own, and
// returns those that lie out in the world.
func JudgeName(host string, answers []netip.Addr) (NameFinding, []netip.Addr) {
	f := NameFinding{Host: host}
	if len(answers) == 0 {
		f.Fault = NameDenied
		return f, nil
	}
	var public []netip.Addr
	for _, a := range answers {
		fault := faultOf(a)
		if fault == NameFine {
			public = append(public, a)
		} else if fault > f.Fault {
			f.Fault, f.Answer = fault, a
		}
	}
	if len(public) > 0 {
		f.Fault, f.Answer = NameFine, slices.MinFunc(public, netip.Addr.Compare) // in whatever order they come
	}
	return f, public
}

// nat64 is the well-known prefix in which a network without IPv4 shows the
// hosts that have nothing else. https://www.rfc-editor.org/rfc/rfc6052
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// madeUp are ranges that proxies with fake addresses take them from, and in which
// nobody serves anything, be it out in the world or in a home: those of Clash,
// sing-box, Surge and Xray (https://xtls.github.io/en/config/fakedns.html), of
// older V2Ray (https://www.v2fly.org/en_US/config/fakedns.html), and the one that
// many configurations of mihomo name, which the US Department of Defense has and
// does not announce. Half of fc00::/7 is not assigned (RFC 4193, section 3.1).
var madeUp = []netip.Prefix{
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("28.0.0.0/8"),
	netip.MustParsePrefix("fc00::/8"),
}

// inNetworks are ranges that proxies use as well, and that networks and overlays
// have, but no public service.
var inNetworks = []netip.Prefix{
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("fd00::/8"),
}

// anyOf reports whether an address is in one of some ranges.
func anyOf(ranges []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(a) })
}

// meant is the address that one stands for, whatever it is clad in.
func meant(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	return a
}

// faultOf says what is wrong with an address as that of a host out in the world.
func faultOf(a netip.Addr) NameFault {
	a = meant(a)
	zero := netip.MustParsePrefix("0.0.0.0/8")
	siteLocal := netip.MustParsePrefix("fec0::/10")
	switch {
	case a.IsUnspecified(), a.IsLoopback(), zero.Contains(a):
		return NameBlocked
	case anyOf(madeUp, a), anyOf(inNetworks, a):
		return NameProxied
	case a.IsLinkLocalUnicast(), siteLocal.Contains(a), a.IsMulticast(),
		slices.ContainsFunc(noHosts, func(s special) bool { return s.prefix.Contains(a) }):
		return NameInside
	default:
		return NameFine
	}
}

// JudgeWritten says what is wrong with the answers for a name that a person
// wrote as that of a source: it may be any host, but none that a proxy made up.
func JudgeWritten(host string, answers []netip.Addr) NameFinding {
	f := NameFinding{Host: host}
	if len(answers) > 0 && !slices.ContainsFunc(answers, func(a netip.Addr) bool { return !anyOf(madeUp, meant(a)) }) {
		f.Fault, f.Answer, f.Costs = NameProxied, answers[0], true
	}
	return f
}

// AtOnePlace reports whether the names of two operators lead to one address: who
// answers there stands between this home and both. Behind Cloudflare's many do.
func AtOnePlace(a, b NameFinding) bool {
	return a.Answer.IsValid() && a.Answer == b.Answer && !Cloudflares(a.Answer) && domainOf(a.Host) != domainOf(b.Host)
}

// domainOf is the last two labels of a host: operators of ours share none.
func domainOf(host string) string {
	labels := strings.Split(strings.ToLower(strings.TrimSuffix(host, ".")), ".")
	return strings.Join(labels[max(0, len(labels)-2):], ".")
}

// NotPublic says of an address that is not out in the world what it is, to
// follow "is"; "" for one that may be.
func NotPublic(a netip.Addr) string {
	switch {
	case faultOf(a) == NameFine:
		return ""
	case a.Unmap().IsLoopback(), a.IsUnspecified():
		return "this machine"
	default:
		return "no address of the world"
	}
}

// NameError says that this machine's resolver leads a name of our own nowhere,
// or astray.
type NameError struct {
	NameFinding
	Err error // what the resolver, or the host at the address, said; may be nil
}

// Error implements error.
func (e *NameError) Error() string {
	switch e.Fault {
	case NameBlocked:
		return fmt.Sprintf("%s is answered %s: a DNS filter (Pi-hole, AdGuard) blocks it", e.Host, e.Answer)
	case NameInside:
		return fmt.Sprintf("%s is answered %s, an address that is not out in the world: a DNS filter, a login page "+
			"or a proxy", e.Host, e.Answer)
	case NameShared:
		return fmt.Sprintf("%s is answered %s, and so are the names of other operators: a source that is asked there "+
			"sees the proxy's address, not this home's",
			e.Host, e.Answer)
	case NameProxied:
		return fmt.Sprintf("%s is answered %s, an address that a proxy makes up (fake-IP): a source that is asked "+
			"there sees the proxy's address, not this home's",
			e.Host, e.Answer)
	case NameDenied:
		return fmt.Sprintf("this machine's resolver knows no address of %s: a DNS filter (Pi-hole, AdGuard)?", e.Host)
	default:
		return cmp.Or(e.Err, errors.New("cannot be found")).Error()
	}
}

// Unwrap returns the cause.
func (e *NameError) Unwrap() error { return e.Err }

// Around reports whether the host may be looked for by other resolvers. Where a
// proxy stands on the way of all, they would lead through it too.
func (e *NameError) Around() bool { return e.Fault != NameProxied }

// misnamed reports whether a source may be asked again around the resolver.
func misnamed(err error) bool {
	e, ok := errors.AsType[*NameError](err)
	return ok && e.Around()
}

// assessNames says what this machine's resolver makes impossible, or what is
// done in spite of it. An echo that a filter denies is respected, and is no
// trouble while the others agree.
func (r Round) assessNames() []Condition {
	thin := slices.ContainsFunc(r.Verdicts, func(v Verdict) bool { return v.State != Agreed && !r.optional(v) })
	counts := slices.DeleteFunc(slices.Clone(r.Names), func(f NameFinding) bool {
		return f.Fault == NameFine || !f.Costs && !thin
	})
	if len(counts) == 0 {
		return nil
	}
	worst := slices.MaxFunc(counts, func(a, b NameFinding) int { return cmp.Compare(a.Fault, b.Fault) })
	var hosts []string
	for _, f := range counts {
		if f.Fault == worst.Fault {
			hosts = append(hosts, f.Host)
		}
	}
	title, hint := worst.words(fewOf(hosts))
	return []Condition{condition(CodeResolver, "", title, hint)}
}

// words name a fault of the resolver, and the way out.
func (f NameFinding) words(hosts string) (title, hint string) {
	around := ""
	if f.Costs {
		around = "; public resolvers are asked over HTTPS instead"
	}
	if f.Costs && f.Alone {
		around = "; public resolvers do not answer over HTTPS either"
	}
	const mend = "mend the resolver that /etc/resolv.conf names; see what it says with: nslookup HOST"
	switch f.Fault {
	case NameProxied:
		return fmt.Sprintf("this machine's resolver answers %s for %s, as a proxy does that makes up addresses "+
				"(fake-IP): sources that are asked through it see the proxy's address, so they have no vote",
				f.Answer, hosts),
			"let this machine, or these names, past the proxy (Clash: fake-ip-filter), or ask the router: " +
				"ip.sources: [{router: auto}] with ip.quorum: 1"
	case NameShared:
		return fmt.Sprintf("this machine's resolver answers %s for %s, where somebody else answers: one address for "+
			"several operators is a proxy's, a filter's or a login page's%s", f.Answer, hosts, around), mend
	case NameForeign:
		return fmt.Sprintf("this machine's resolver answers %s for %s, where somebody else answers%s", f.Answer,
			hosts, around), mend
	case NameInside:
		return fmt.Sprintf("this machine's resolver answers %s, an address that is not out in the world, for %s: a "+
			"DNS filter, a login page or a proxy%s", f.Answer, hosts, around), mend
	case NameBlocked:
		return fmt.Sprintf("a DNS filter (Pi-hole, AdGuard) answers %s for %s%s", f.Answer, hosts, around),
			"allow that in the filter"
	case NameDenied:
		return fmt.Sprintf("this machine's resolver denies %s (no such name, or no address)%s", hosts, around),
			"allow that in the DNS filter, if there is one; else " + mend
	default:
		if f.Alone {
			return "neither this machine's resolver answers, nor do public ones over HTTPS",
				"nothing to do if the line is down: it is tried again; if other programs here reach the world, " + mend
		}
		return "this machine's resolver does not answer" + around, mend
	}
}

// fewOf lists a few of some words, and how many there are beside them.
func fewOf(words []string) string {
	const few = 3
	if len(words) <= few {
		return strings.Join(words, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(words[:few], ", "), len(words)-few)
}
