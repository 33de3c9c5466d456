package doctor

import (
	"context"
	"net/netip"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// Question is what is examined, and how.
type Question struct {
	Host   string   // complete, lower case
	URL    string   // the page to ask for
	Asked  bool     // a person named that page, so that it has to be there
	Kept   []string // the types of record that the configuration keeps at the name
	Others []string // "home.example.com A": what it keeps at other names
	Client netip.Addr
	Since  time.Time // since when what happened is asked for; zero: it is not
	// Servers to ask instead of the zone's own nameservers, HOST:PORT.
	Servers []string
	// Resolvers to ask instead of the world's, HOST:PORT.
	Resolvers []string
	// Spread is over how long the looks at the edge are spread, so that what
	// comes and goes shows; 0 means DefaultSpread.
	Spread time.Duration
	Clock  func() time.Time
}

// DefaultSpread is over how long the edge is looked at.
const DefaultSpread = 5 * time.Second

// Patience is how long the whole examination takes at most.
const Patience = 8 * time.Second

// each is how long one question of it may take.
const each = 3 * time.Second

// DNS asks one server one question.
type DNS interface {
	// Ask asks HOST:PORT without recursion.
	Ask(ctx context.Context, server, name, recordType string) (ddns.Answer, error)
	// Resolve asks a resolver, HOST:PORT.
	Resolve(ctx context.Context, server, name, recordType string) (ddns.Answer, error)
	// Delegation asks a resolver for the nameservers of a zone; none and no
	// error means that the name is no zone.
	Delegation(ctx context.Context, resolver, zone string) ([]string, error)
}

// Web asks web servers for a page, once, and follows no redirect.
type Web interface {
	// Look asks the edge at one address.
	Look(ctx context.Context, url string, at netip.Addr) (ddns.EdgeAnswer, error)
	// Direct asks the origin without Cloudflare. Its error means that nobody
	// was asked; that a server gave no answer is a Trouble.
	Direct(ctx context.Context, url string, at netip.Addr) (Direct, error)
}

// API is what is read of Cloudflare's API.
type API interface {
	Zones(ctx context.Context) ([]ddns.Zone, error)
	Records(ctx context.Context, zone ddns.Zone, names []string) (ddns.Listing, error)
}

// History is what Cloudflare remembers of a zone.
type History interface {
	SecurityLevel(ctx context.Context, zone ddns.Zone) (string, error)
	SecurityEvents(ctx context.Context, zone ddns.Zone, since, until time.Time, client netip.Addr) ([]ddns.SecurityEvent, error)
	Minutes(ctx context.Context, zone ddns.Zone, host string, since, until time.Time) ([]ddns.MinuteStatus, error)
}

// Probes are the ways to the evidence. Without a token there are API, History
// and Token as well; each call of theirs says why it cannot be made.
type Probes struct {
	DNS       DNS
	System    ddns.Resolver // as this machine resolves names
	Web       Web
	API       API
	History   History
	Survey    func(ctx context.Context) []ddns.Verdict
	Incidents func(ctx context.Context) ([]Incident, error)
	Token     func(ctx context.Context, account string) (TokenState, error)
	WAN       ddns.WANWitness
	Daemon    func(ctx context.Context) (Daemon, error)
	Past      func() (Past, error)
	Forwards  func() (bool, error) // whether this machine passes packets on
}

// later is a value that is on its way.
type later[T any] struct {
	done  chan struct{}
	value T
}

// begin starts to fetch a value. fetch ends with its context.
func begin[T any](fetch func() T) *later[T] {
	l := &later[T]{done: make(chan struct{})}
	go func() {
		defer close(l.done)
		l.value = fetch()
	}()
	return l
}

// wait returns the value once it is there.
func (l *later[T]) wait() T {
	<-l.done
	return l.value
}

// gathering is the examination under way. What rests on something else waits
// for that alone.
type gathering struct {
	Question
	Probes

	zone      *later[Fact[ddns.Zone]]
	listing   *later[Fact[ddns.Listing]]
	denied    bool // the token may not read records; known once listing is there
	verdicts  *later[[]ddns.Verdict]
	delegated *later[Fact[[]string]]
	resolved  *later[[]Resolver]
	authority *later[Fact[Answer]]
	looks     *later[Fact[[]Look]]
}

// Gather asks everybody, side by side, and ends within Patience. It changes
// nothing anywhere.
func Gather(ctx context.Context, q Question, p Probes) Evidence {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	g := &gathering{Question: q, Probes: p}
	g.zone = begin(func() Fact[ddns.Zone] { return g.findZone(ctx) })
	g.listing = begin(func() Fact[ddns.Listing] { return g.readRecords(ctx) })
	g.verdicts = begin(func() []ddns.Verdict { return g.survey(ctx) })
	g.delegated = begin(func() Fact[[]string] { return g.findDelegation(ctx) })
	g.resolved = begin(func() []Resolver { return g.askResolvers(ctx) })
	g.authority = begin(func() Fact[Answer] { return g.askAuthority(ctx) })

	g.looks = begin(func() Fact[[]Look] { return g.lookAtEdge(ctx) })
	trace := begin(func() Fact[[]Look] { return g.traceEdge(ctx) })
	delegation := begin(func() Fact[Delegation] { return g.compareDelegation(ctx) })
	strangers := begin(func() Fact[[]Look] { return g.lookAtStrangers(ctx) })
	atHome := begin(func() Fact[Direct] { return g.askHome(ctx) })
	atRecord := begin(func() Fact[Direct] { return g.askRecord(ctx) })
	here := begin(func() Fact[Direct] { return g.askHere(ctx) })
	hop := begin(func() Fact[Hop] { return g.followHop(ctx) })
	incidents := begin(func() Fact[[]Incident] { return asked(ctx, p.Incidents) })
	wan := begin(func() Fact[ddns.WAN] { return g.lookAtWAN(ctx) })
	daemon := begin(func() Fact[Daemon] { return asked(ctx, p.Daemon) })
	token := begin(func() Fact[TokenState] { return g.askToken(ctx) })
	level := begin(func() Fact[string] { return g.askLevel(ctx) })
	events := begin(func() Fact[[]ddns.SecurityEvent] { return g.askEvents(ctx) })
	minutes := begin(func() Fact[[]ddns.MinuteStatus] { return g.askMinutes(ctx) })

	e := Evidence{Host: q.Host, URL: q.URL, Asked: q.Asked, Kept: q.Kept, Others: q.Others, Client: q.Client, Since: q.Since, At: q.Clock()}
	e.IPv4, e.IPv6 = homeOf(g.verdicts.wait(), ddns.IPv4), homeOf(g.verdicts.wait(), ddns.IPv6)
	e.Zone, e.Records, e.Delegation = g.zone.wait(), g.recordsOf(g.listing.wait()), delegation.wait()
	e.Authority, e.Resolvers = g.authority.wait(), g.resolved.wait()
	e.Looks, e.Trace, e.Strangers = g.looks.wait(), trace.wait(), strangers.wait()
	e.AtHome, e.AtRecord, e.Here = atHome.wait(), atRecord.wait(), here.wait()
	e.Hop, e.Incidents, e.WAN, e.Daemon, e.Token = hop.wait(), incidents.wait(), wan.wait(), daemon.wait(), token.wait()
	e.SecurityLevel, e.Events, e.Minutes = level.wait(), events.wait(), minutes.wait()
	e.Forwards = Unknown[bool]("nobody looked")
	if p.Forwards != nil {
		e.Forwards = from(p.Forwards())
	}
	e.ClockAhead, e.OutOfTime = clockAhead(e.Looks.Value, e.Strangers.Value), Known(ddns.OutOfTime(g.verdicts.wait()))
	e.Past = Unknown[Past]("nothing is remembered here")
	if p.Past != nil {
		e.Past = from(p.Past())
	}
	return e
}

// asked makes one call within its time, if there is one to make.
func asked[T any](ctx context.Context, call func(context.Context) (T, error)) Fact[T] {
	if call == nil {
		return Unknown[T]("there is no way to ask")
	}
	ctx, cancel := context.WithTimeout(ctx, each)
	defer cancel()
	return from(call(ctx))
}

func (g *gathering) survey(ctx context.Context) []ddns.Verdict {
	if g.Survey == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, each)
	defer cancel()
	return g.Survey(ctx)
}

// homeOf is the home's address of a family, if its sources agree.
func homeOf(verdicts []ddns.Verdict, f ddns.Family) Fact[netip.Addr] {
	for _, v := range verdicts {
		switch {
		case v.Family != f:
		case v.State == ddns.Agreed:
			return Known(v.Address)
		default:
			return Unknown[netip.Addr]("%s", v.Why)
		}
	}
	return Unknown[netip.Addr]("no source of %s was asked", f)
}

// findZone finds the zone of the name among those of the token. That there is
// none is known, too.
func (g *gathering) findZone(ctx context.Context) Fact[ddns.Zone] {
	ctx, cancel := context.WithTimeout(ctx, each)
	defer cancel()
	zones, err := g.API.Zones(ctx)
	if err != nil {
		return from(ddns.Zone{}, err)
	}
	best := ddns.Zone{}
	for _, z := range zones {
		if z.Owns(g.Host) && len(z.Name) > len(best.Name) {
			best = z
		}
	}
	return Known(best)
}

// zoneKnown returns the zone, or why nothing can be asked about it.
func (g *gathering) zoneKnown() (ddns.Zone, string) {
	z := g.zone.wait()
	switch {
	case !z.Known:
		return ddns.Zone{}, z.Why
	case z.Value.ID == "":
		return ddns.Zone{}, "no zone that the token sees holds " + g.Host
	default:
		return z.Value, ""
	}
}

// inZone makes one call about the zone, if there is one.
func inZone[T any](ctx context.Context, g *gathering, call func(context.Context, ddns.Zone) (T, error)) Fact[T] {
	zone, why := g.zoneKnown()
	if why != "" {
		return Unknown[T]("%s", why)
	}
	return asked(ctx, func(ctx context.Context) (T, error) { return call(ctx, zone) })
}

// readRecords reads the records at the name, and at the names of the zone that
// they lead to.
func (g *gathering) readRecords(ctx context.Context) Fact[ddns.Listing] {
	return inZone(ctx, g, func(ctx context.Context, z ddns.Zone) (ddns.Listing, error) {
		listing, err := g.API.Records(ctx, z, g.names(z))
		name := g.Host
		for range longestChain {
			records := leadingOn(listing.Records, name)
			if err != nil || listing.Whole || len(records) != 1 || records[0].Type != "CNAME" || !z.Owns(target(records[0])) {
				break
			}
			name = target(records[0])
			var more ddns.Listing
			more, err = g.API.Records(ctx, z, []string{name, wildcard(name)})
			listing.Records = append(listing.Records, more.Records...)
		}
		g.denied = ddns.KindOf(err) == ddns.NotPermitted
		return listing, err
	})
}

func (g *gathering) askToken(ctx context.Context) Fact[TokenState] {
	account := ""
	if z := g.zone.wait(); z.Known {
		account = z.Value.AccountID
	}
	token := asked(ctx, func(ctx context.Context) (TokenState, error) { return g.Token(ctx, account) })
	if g.listing.wait(); g.denied {
		token.Value.Missing = "Zone > DNS > Edit"
	}
	return token
}

func (g *gathering) askLevel(ctx context.Context) Fact[string] {
	return inZone(ctx, g, g.History.SecurityLevel)
}

// eventsBack is how far back events are asked for, unless a person says.
const eventsBack = time.Hour

func (g *gathering) askEvents(ctx context.Context) Fact[[]ddns.SecurityEvent] {
	select { // what was just done to our own looks counts too
	case <-g.looks.done:
	case <-time.After(Patience - each - time.Second):
	}
	until := g.Clock()
	since := g.Since
	if since.IsZero() {
		since = until.Add(-eventsBack)
	}
	return inZone(ctx, g, func(ctx context.Context, z ddns.Zone) ([]ddns.SecurityEvent, error) {
		return g.History.SecurityEvents(ctx, z, since, until, g.Client)
	})
}

// minutesBack is how far back what was served is asked for, unless a person
// says; the smallest plan remembers a day.
const minutesBack = 23 * time.Hour

func (g *gathering) askMinutes(ctx context.Context) Fact[[]ddns.MinuteStatus] {
	until := g.Clock()
	since := g.Since
	if since.IsZero() {
		since = until.Add(-minutesBack)
	}
	return inZone(ctx, g, func(ctx context.Context, z ddns.Zone) ([]ddns.MinuteStatus, error) {
		return g.History.Minutes(ctx, z, g.Host, since, until)
	})
}

// lookAtWAN asks the witnesses for a moment, and judges what they say beside
// the verdict.
func (g *gathering) lookAtWAN(ctx context.Context) Fact[ddns.WAN] {
	if g.WAN == nil {
		return Unknown[ddns.WAN]("nobody looks at the router")
	}
	looking, cancel := context.WithTimeout(ctx, each)
	defer cancel()
	findings := ddns.FindingsOf(looking, g.WAN)
	for _, v := range g.verdicts.wait() {
		if v.Family == ddns.IPv4 {
			return Known(ddns.JudgeWAN(v, findings))
		}
	}
	return Unknown[ddns.WAN]("the home's IPv4 address was not asked for")
}
