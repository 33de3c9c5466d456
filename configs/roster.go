package configs

import (
	"slices"
	"strings"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ipsource"
)

// Roster returns whom to ask for the address, for the families that the
// records want. The version goes into the name that requests carry.
func (c Config) Roster(version string) ipsource.Config {
	r := ipsource.Config{Quorum: int(c.IP.Quorum), Bind: c.IP.Bind, Version: version, Played: c.OnLoopback()}
	for _, s := range c.IP.Sources {
		r.Sources = append(r.Sources, s.spec())
	}
	for _, family := range ddns.Families {
		wanted := func(rec Record) bool { return slices.Contains(rec.Types, family.RecordType()) }
		if slices.ContainsFunc(c.Records, wanted) || family == ddns.IPv4 && c.WantsSelf() {
			r.Families = append(r.Families, family)
		}
	}
	return r
}

func (s Source) spec() ipsource.Spec {
	spec := ipsource.Spec{Name: s.Name, HTTPS: s.HTTPS, STUN: s.STUN, Command: s.Command, Interface: s.Interface, Router: s.Router, Operator: s.Operator}
	if s.DNS != nil {
		spec.DNS = &ipsource.DNS{Server: s.DNS.Server, Name: s.DNS.Name, Type: s.DNS.Type, Class: s.DNS.Class}
	}
	return spec
}

// checkRoster adds what is wrong with the sources taken together, such as a
// quorum that they can never reach.
func (l *loader) checkRoster(c Config) (warnings []Warning) {
	for path := range l.refused {
		if path == "ip" || path == "records" || strings.HasPrefix(path, "ip.sources") || path == "ip.quorum" {
			return nil // what is left of the sources is not what was meant
		}
	}
	for i, s := range c.IP.Sources {
		if text := badCommand(s.Command); text != "" {
			l.add(index("ip.sources", i)+".command", text)
		}
	}
	roster := c.Roster("")
	if len(roster.Families) == 0 {
		roster.Families = []ddns.Family{ddns.IPv4} // the default of a record
	}
	path := "ip.sources"
	if slices.Equal(names(c.IP.Sources), names(Default().IP.Sources)) {
		path = "ip.quorum" // the sources are ours, so it is the number
	}
	doubts, err := roster.Validate()
	for _, doubt := range doubts {
		warnings = append(warnings, Warning(l.problem(path, doubt).Error()))
	}
	for _, each := range flatten(err) {
		l.problems = append(l.problems, l.problem(path, each.Error()))
	}
	return warnings
}

func names(sources []Source) []string {
	list := make([]string, len(sources))
	for i, s := range sources {
		list[i] = s.Name
	}
	return list
}

// flatten returns the errors that were joined, one by one.
func flatten(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		if err == nil {
			return nil
		}
		return []error{err}
	}
	return joined.Unwrap()
}
