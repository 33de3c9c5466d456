package ipsource

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/cfddns/cfddns/ddns"
)

// Config is what the configuration says about learning the address.
type Config struct {
	Sources  []Spec        // empty means "default"
	Quorum   int           // operators that must say the same; 0 is a majority of those configured
	Families []ddns.Family // that records want; empty means both
	Bind     string        // address or interface of this machine to ask from; empty is any
	Version  string        // of this program, for the User-Agent

	// Router is asked by {router: auto}.
	Router Router

	// Played says that the API and all sources are on this machine, as with cfddns
	// sandbox: the home's addresses are those that they hear, and none of this
	// machine's.
	Played bool

	// Candidates name the addresses for IPv6, the best first; nil means those of
	// the kernel (see the function Candidates), or Bind.
	Candidates func() ([]netip.Addr, error)
	// Standing is shared by all that ask from this machine; nil: by none.
	Standing *Standing
}

// Validate says what cannot be right, all of it at once, and what is right and
// probably not meant.
func (c Config) Validate() (warnings []string, err error) {
	var problems []error
	for _, s := range c.specs() {
		if s.Name == Default {
			if s.Operator != "" || s.kinds() != 1 {
				problems = append(problems, errors.New(`source "default" stands alone: leave operator and other kinds out`))
			}
			continue
		}
		if _, err := s.entry(); err != nil {
			problems = append(problems, err)
		}
	}
	if c.Quorum < 0 {
		problems = append(problems, fmt.Errorf("quorum %d: want auto, or how many operators must agree", c.Quorum))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	for _, family := range c.families() {
		if err := check(c.roster(family, nil)); err != nil {
			problems = append(problems, err)
		}
		warnings = append(warnings, c.sharedVoices(family)...)
		if thin := c.roster(family, nil).Thin(); thin != "" && len(problems) == 0 {
			warnings = append(warnings, thin)
		}
	}
	slices.Sort(warnings)
	return slices.Compact(warnings), errors.Join(problems...)
}

// Build returns whom to ask for the address of each family that is wanted.
// The error is that of Validate.
func Build(c Config, world ddns.World) (map[ddns.Family]ddns.Roster, error) {
	if _, err := c.Validate(); err != nil {
		return nil, err
	}
	rosters := map[ddns.Family]ddns.Roster{}
	for _, family := range c.families() {
		rosters[family] = c.roster(family, world)
	}
	return rosters, nil
}

// Everything returns the whole catalogue as rosters of both families, for a
// person who wants to see what everybody says.
func Everything(c Config, world ddns.World) map[ddns.Family]ddns.Roster {
	c.Sources, c.Quorum, c.Families = nil, 0, nil
	for _, e := range catalogue() {
		c.Sources = append(c.Sources, Spec{Name: e.name})
	}
	rosters := map[ddns.Family]ddns.Roster{}
	for _, family := range ddns.Families {
		rosters[family] = c.roster(family, world)
	}
	return rosters
}

func (c Config) specs() []Spec {
	if len(c.Sources) == 0 {
		return []Spec{{Name: Default}}
	}
	return c.Sources
}

func (c Config) families() []ddns.Family {
	if len(c.Families) == 0 {
		return ddns.Families
	}
	return c.Families
}

// members returns the entries that are configured for a family, each once, and
// whether spares may step in: only for those who left the choice to us.
// Who lists sources has chosen who sees the questions.
func (c Config) members(family ddns.Family) (members []entry, spares bool) {
	add := func(e entry) {
		known := func(m entry) bool {
			return m.name == e.name && m.at(family) == e.at(family) && m.whoami == e.whoami
		}
		if e.at(family) != "" && !slices.ContainsFunc(members, known) {
			members = append(members, e)
		}
	}
	for _, s := range c.specs() {
		if s.Name == Default {
			spares = true
			for _, name := range defaultNames(family) {
				e, _ := lookup(name)
				add(e)
			}
			continue
		}
		if e, err := s.entry(); err == nil {
			add(e)
		}
	}
	return members, spares
}

// sharedVoices warns of sources that count as one.
func (c Config) sharedVoices(family ddns.Family) (warnings []string) {
	members, _ := c.members(family)
	first := map[string]string{}
	for _, e := range members {
		if e.kind == viaInterface || e.kind == viaRouter {
			continue
		}
		if other, ok := first[e.operator]; ok {
			warnings = append(warnings, fmt.Sprintf("sources %s and %s are both run by %s: they are one voice", other, e.name, e.operator))
			continue
		}
		first[e.operator] = e.name
	}
	return warnings
}

// roster makes sources of the entries of a family.
func (c Config) roster(family ddns.Family, world ddns.World) ddns.Roster {
	from := c.vantage(world)
	members, spares := c.members(family)
	r := ddns.Roster{Family: family, Quorum: c.Quorum}
	alone := c.Quorum == 1 && len(members) == 1
	for _, e := range members {
		s := c.source(e, family, from)
		if alone && s.Class == ddns.Witness {
			s.Class = ddns.Plain // it, or this home's router, holds the address itself, and nobody else is asked
		}
		s.Name = unique(s.Name, r.Members)
		r.Members = append(r.Members, s)
	}
	for _, name := range spareNames(family) {
		e, _ := lookup(name)
		voiced := slices.ContainsFunc(members, func(m entry) bool { return m.operator == e.operator })
		if spares && !voiced {
			r.Spares = append(r.Spares, c.source(e, family, from))
		}
	}
	return r
}

// unique returns the name, with a number if a source has it already.
func unique(name string, taken []ddns.Source) string {
	free := name
	for n := 2; slices.ContainsFunc(taken, func(s ddns.Source) bool { return s.Name == free }); n++ {
		free = fmt.Sprintf("%s-%d", name, n)
	}
	return free
}

// check refuses a roster that can never agree.
func check(r ddns.Roster) error {
	if r.Empty() {
		return fmt.Errorf("no source serves %s: add one that does, or want no %s records", r.Family, r.Family.RecordType())
	}
	return r.Validate()
}

// vantage is where this configuration asks from.
func (c Config) vantage(world ddns.World) vantage {
	v := vantage{world: world, candidates: c.Candidates, through: c.Bind, standing: c.Standing, played: c.Played}
	if v.standing == nil {
		v.standing = &Standing{}
	}
	if bind, err := netip.ParseAddr(c.Bind); err == nil {
		v.through = ""
		if bind.Unmap().Is4() {
			v.from4 = bind.Unmap()
		} else {
			v.candidates = func() ([]netip.Addr, error) { return []netip.Addr{bind}, nil }
		}
	}
	if v.candidates == nil {
		v.candidates = func() ([]netip.Addr, error) { return Candidates(v.through) }
	}
	return v
}

// source makes a source that can be asked of an entry.
func (c Config) source(e entry, family ddns.Family, from vantage) ddns.Source {
	t := e.kind.traits()
	a := c.asker(e, family)
	s := ddns.Source{Name: e.name, Operator: e.operator, Class: t.class, Transport: t.transport, Cost: t.cost,
		Worldwide: servesTheWorld(e.operator)}
	if e.inCatalogue() {
		from.world, s.Around = ddns.Named(from.world, ddns.Public), around(from, e, a, t)
	} else {
		from.world = ddns.Named(from.world, ddns.Written)
	}
	s.Ask = func(ctx context.Context, family ddns.Family) (netip.Addr, error) {
		return bounded(ctx, t.limit, func(ctx context.Context) (netip.Addr, error) {
			if e.kind == viaInterface || e.kind == viaRouter || e.kind == viaCommand {
				return a.ask(ctx, nil, family) // none of them asks a server out there
			}
			address, err := from.ask(ctx, a, family)
			if e.inCatalogue() {
				err = misled(e.hostFor(family), err)
			}
			return address, err
		})
	}
	return s
}

// around asks a source of the catalogue without this machine's resolver; nil if
// it cannot be found in any other way.
func around(from vantage, e entry, a asker, t traits) func(context.Context, ddns.Family) (netip.Addr, error) {
	world, ok := ddns.GoAround(from.world)
	if !ok {
		return nil
	}
	from.world = world
	return func(ctx context.Context, family ddns.Family) (netip.Addr, error) {
		address, err := bounded(ctx, t.limit, func(ctx context.Context) (netip.Addr, error) {
			return from.ask(ctx, a, family)
		})
		if err == nil && t.class == ddns.Authenticated {
			world.Proved(e.hostFor(family))
		}
		return address, err
	}
}

// misled marks an error of a host at whose address somebody else answers: its
// name may have been resolved wrongly.
func misled(host string, err error) error {
	if err == nil || !ddns.SomebodyElse(err) {
		return err
	}
	e := &ddns.NameError{NameFinding: ddns.NameFinding{Host: host, Fault: ddns.NameForeign}, Err: err}
	if at, ok := errors.AsType[*ddns.HandshakeError](err); ok {
		e.Answer = at.At
	}
	return e
}

// asker returns the way to ask that the entry's kind names.
func (c Config) asker(e entry, family ddns.Family) asker {
	agent := "cfddns/" + c.Version + " (+https://github.com/cfddns/cfddns)"
	asked := e.at(family)
	switch e.kind {
	case viaHTTPS, viaHTTP:
		return echo{url: asked, agent: agent}
	case viaTrace:
		return trace{url: asked, agent: agent}
	case viaSTUN:
		return stunServer{address: asked}
	case viaInterface:
		return ownInterface{name: asked}
	case viaRouter:
		return c.Router
	case viaCommand:
		return command{args: e.command}
	default:
		w := e.whoami
		w.agent, w.server, w.over = agent, asked, e.kind.carrier()
		return w
	}
}

// carrier is what a DNS question travels over.
func (k kind) carrier() over {
	switch k {
	case viaDNSOverTCP:
		return overTCP
	case viaDoH:
		return overHTTPS
	default:
		return overUDP
	}
}
