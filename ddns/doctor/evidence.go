package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// A Fact is one piece of evidence: a value, or why there is none.
type Fact[T any] struct {
	Value T
	Known bool
	Why   string // why it is not known
}

// Known is a fact that is known.
func Known[T any](value T) Fact[T] { return Fact[T]{Value: value, Known: true} }

// Unknown is a fact that is not, and why.
func Unknown[T any](format string, args ...any) Fact[T] {
	return Fact[T]{Why: fmt.Sprintf(format, args...)}
}

// from is the fact that a call returned.
func from[T any](value T, err error) Fact[T] {
	if err != nil {
		return Fact[T]{Why: err.Error()}
	}
	return Known(value)
}

// Evidence is all that is known of one name. Pieces that were not gathered are
// not known; nothing is ever concluded from that.
type Evidence struct {
	Host   string     // the name that is examined, complete, lower case
	URL    string     // the page that is asked for
	Asked  bool       // a person named that page, so that it has to be there
	Kept   []string   // the types of record that the configuration keeps at the name
	Others []string   // "home.example.com A": what it keeps at other names
	Client netip.Addr // whose events are wanted; zero: this home's
	Since  time.Time  // since when what happened is wanted; zero: it is not
	At     time.Time  // now, in the time zone in which times are told

	IPv4, IPv6    Fact[netip.Addr] // where the home is, as its sources agree
	Incidents     Fact[[]Incident]
	Strangers     Fact[[]Look] // the edge asked for names that have nothing to do with us
	Looks         Fact[[]Look] // the edge asked for the page; unknown for a name that is not proxied
	Trace         Fact[[]Look] // and for a page of its own at the name, which needs no origin
	AtHome        Fact[Direct] // the origin asked where the home is
	AtRecord      Fact[Direct] // and where the records lead, be that the home or not
	Here          Fact[Direct] // and on this machine
	Forwards      Fact[bool]   // whether this machine passes packets on, as a router does
	Zone          Fact[ddns.Zone]
	Records       Fact[[]ddns.Record] // at the name, at its wildcard, at names of the zone that they lead to, and NS records above
	Delegation    Fact[Delegation]    // where the world is sent
	Authority     Fact[Answer]        // what the zone's own nameservers say
	Hop           Fact[Hop]
	WAN           Fact[ddns.WAN]
	Resolvers     []Resolver
	SecurityLevel Fact[string]
	Events        Fact[[]ddns.SecurityEvent]
	Minutes       Fact[[]ddns.MinuteStatus]
	Token         Fact[TokenState]
	ClockAhead    Fact[time.Duration] // of this machine's clock, before the world's
	OutOfTime     Fact[int]           // operators whose certificates are not valid by that clock, while nobody's is
	Daemon        Fact[Daemon]
	Past          Fact[Past]
}

// Incident is one that Cloudflare's own status service reports.
type Incident struct {
	Name    string
	Impact  string // "minor", "major", "critical"
	Touches bool   // something that serves names or pages
}

// Look is one question to the edge.
type Look struct {
	At      netip.Addr
	Answer  ddns.EdgeAnswer
	Trouble Trouble // why there is no answer; empty if there is one
	Why     string
	Ahead   Fact[time.Duration] // of our clock, before the edge's
}

// Trouble is why a web server gave no answer.
type Trouble string

// The troubles.
const (
	Refused Trouble = "refused" // somebody is there, and nothing listens
	Silent  Trouble = "silent"  // no connection came about
	Waits   Trouble = "waits"   // the connection is there, and no answer comes
	BadTLS  Trouble = "bad-tls"
	Broken  Trouble = "broken" // anything else
)

// Direct is what the origin answered when it was asked without Cloudflare.
type Direct struct {
	At          netip.AddrPort
	Status      int // 0: there was no answer
	Trouble     Trouble
	Why         string
	Certificate Certificate
	Named       bool // the certificate names the host
}

// Answered reports whether there was an answer over HTTP.
func (d Direct) Answered() bool { return d.Status != 0 }

// Genuine reports whether it is the origin that answered: its certificate names
// the host. From inside a home the home's own address often leads to the
// router's web page, which must convict nobody.
func (d Direct) Genuine() bool { return d.Answered() && d.Named }

// Certificate is what is wrong with a certificate. A certificate that only
// visitors of a name without proxy would mind is no trouble for Cloudflare's
// mode Full, and is for Full (strict).
type Certificate string

// The kinds of certificate.
const (
	Good       Certificate = ""
	Expired    Certificate = "expired"
	OtherName  Certificate = "for another name"
	SelfSigned Certificate = "of no authority that is known"
)

// Answer is what DNS says of a name, both families together.
type Answer struct {
	NameError bool
	Addresses []netip.Addr
	CNAME     string
	TTL       time.Duration // zero if it is not known
	Unasked   []ddns.Family // of which there was no answer; it holds what the others say
}

// Delegation is where the world is sent for the zone.
type Delegation struct {
	Servers []string // names of nameservers
	// AsZone is set if those servers, while none of them is assigned by
	// Cloudflare, answer what the assigned ones do.
	AsZone bool
}

// Resolver is what a resolver of the world still hands out.
type Resolver struct {
	Name string
	Said Fact[Answer]
}

// Hop is where the name's CNAME leaves the account, and what the host it leads
// to answers. Without a host, it does not leave.
type Hop struct {
	Host    string
	Service string      // the dynamic DNS service; empty if it is none that is known
	Servers []HopServer // what its own nameservers say; none: not known
	Why     string      // why they are not known
}

// HopServer is what one nameserver of the host's own says.
type HopServer struct {
	Server    string
	Addresses []netip.Addr
	NameError bool
	Dark      bool // it does not answer, while others do
}

// TokenState is what Cloudflare says of the token.
type TokenState struct {
	Refused bool
	Status  string // "active", "disabled", "expired"
	Expires time.Time
	Source  string // where the token came from
	Missing string // the permission that it was found to lack, as the dashboard names it
}

// Daemon is how the running cfddns stands.
type Daemon struct {
	Running    bool
	Instead    string // what is said of another process that answers in its place
	LastRound  time.Time
	Conditions []ddns.Condition
}

// Past is what this installation remembers.
type Past struct {
	Ours     []netip.Addr // addresses that it ever confirmed
	Contests []ddns.Contest
	Hops     []HopNight // when dynamic DNS hosts were found dark
	Moves    []Stretch  // from when the address may have changed, to when the new one was published
	Offline  []Stretch  // when no source told the home's address
	Replaced []Replaced // CNAMEs that were replaced by addresses
}

// A Stretch of time, of which To is the end.
type Stretch struct{ From, To time.Time }

// HopNight is a stretch in which a host was dark.
type HopNight struct {
	Host string

	Stretch
}

// Replaced is a CNAME that no longer stands.
type Replaced struct {
	Name, Target string
	At           time.Time
}

// home are the home's addresses, as far as they are known.
func (e Evidence) home() (all []netip.Addr) {
	for _, f := range []Fact[netip.Addr]{e.IPv4, e.IPv6} {
		if f.Known {
			all = append(all, f.Value)
		}
	}
	return all
}

// homeOf is the home's address of a family.
func (e Evidence) homeOf(f ddns.Family) Fact[netip.Addr] {
	if f == ddns.IPv6 {
		return e.IPv6
	}
	return e.IPv4
}

// ours reports whether the address is known to have been this home's before.
func (e Evidence) ours(a netip.Addr) bool {
	return e.Past.Known && slices.Contains(e.Past.Value.Ours, a)
}

// kept reports whether the configuration keeps a record: at the name or its
// wildcard, or at a name that it leads to.
func (e Evidence) kept(r ddns.Record) bool {
	if r.Name == e.Host || r.Name == wildcard(e.Host) {
		return slices.Contains(e.Kept, r.Type)
	}
	return slices.Contains(e.Others, r.Name+" "+r.Type)
}
