package configs

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// WAF is what is kept of Cloudflare's defences.
type WAF struct {
	Allow []WayIn `mapstructure:"allow"`
}

// WayIn is a script host that Cloudflare's defences shall let in.
type WayIn struct {
	Name     string   `mapstructure:"name"`
	Zone     string   `mapstructure:"zone"` // "" is the zone that holds the hosts
	Hosts    []string `mapstructure:"hosts"`
	Address  string   `mapstructure:"address"` // an address, a prefix, a host name or "self"
	Until    Until    `mapstructure:"until"`
	Products []string `mapstructure:"products"`
}

// Until is a moment at which something ends; the zero Until is never.
type Until struct{ time.Time }

// self is the word for this home's own addresses.
const self = "self"

// ParseUntil reads a moment, or a day, which lasts until its midnight in UTC.
func ParseUntil(text string) (Until, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return Until{t.UTC()}, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return Until{day.AddDate(0, 0, 1)}, nil
	}
	return Until{}, wrongf("%q is no time; write a day, 2026-12-31 (all of it, in UTC), or a moment, 2026-12-31T18:00:00Z", text)
}

// untilOf takes a time as it is written, or what YAML makes of a day without
// quotes. Of a moment without quotes it would make the same, so that the tree
// refuses those.
func untilOf(data any) (any, error) {
	switch v := data.(type) {
	case string:
		return ParseUntil(v)
	case time.Time:
		return Until{v.UTC().AddDate(0, 0, 1)}, nil
	}
	return data, nil
}

// HostName normalises the name of a host that a rule can compare. What cannot
// be one is an error that says what would be right.
func HostName(shown string) (string, error) {
	name, err := domainName(shown)
	if err == nil && strings.HasPrefix(name, "*.") {
		return "", wrongf("%q is a wildcard, and a way in names each host; write them one by one", shown)
	}
	return name, err
}

// wayIn is the way in as the rounds keep it. Of a loaded configuration nothing
// can be wrong.
func (w WayIn) wayIn() (ddns.KeptWayIn, error) {
	kept := ddns.KeptWayIn{WayIn: ddns.WayIn{Name: w.Name, Until: w.Until.Time, Skips: w.Products}}
	for _, h := range w.Hosts {
		name, err := HostName(h)
		if err != nil {
			return kept, err
		}
		kept.Hosts = append(kept.Hosts, name)
	}
	if w.Zone != "" {
		zone, err := HostName(w.Zone)
		if err != nil {
			return kept, err
		}
		kept.Zone = zone
	}
	return kept, w.comesFrom(&kept)
}

// comesFrom reads where the script host comes from.
func (w WayIn) comesFrom(kept *ddns.KeptWayIn) error {
	address, notAddress := netip.ParseAddr(w.Address)
	prefix, notPrefix := netip.ParsePrefix(w.Address)
	switch {
	case w.Address == self:
		kept.Self = true
	case notAddress == nil:
		kept.Addresses = []netip.Prefix{ddns.Admit(address)}
	case notPrefix == nil:
		kept.Addresses = []netip.Prefix{prefix.Masked()}
	default:
		name, err := HostName(w.Address)
		if err != nil {
			return wrongf("%q is none of an address, a prefix, a host name and self; write one such as 198.51.100.7", w.Address)
		}
		kept.From = name
	}
	return nil
}

// WaysIn returns the ways in to keep.
func (c Config) WaysIn() []ddns.KeptWayIn {
	var kept []ddns.KeptWayIn
	for _, w := range c.WAF.Allow {
		if k, err := w.wayIn(); err == nil { // Load refuses the others
			kept = append(kept, k)
		}
	}
	return kept
}

// WantsSelf reports whether a way in is for this home itself, whose address
// must then be learnt.
func (c Config) WantsSelf() bool {
	return slices.ContainsFunc(c.WAF.Allow, func(w WayIn) bool { return w.Address == self })
}

func (l *loader) checkWAF(waf WAF) {
	first := map[string]int{}
	for i, w := range waf.Allow {
		path := index("waf.allow", i)
		l.checkWayIn(path, w)
		if at, ok := first[w.Name]; ok {
			l.add(path+".name", fmt.Sprintf("%q is the name of another way in already, %s; give each its own", w.Name, index("waf.allow", at)))
		} else {
			first[w.Name] = i
		}
	}
}

// checkWayIn names the first thing that is wrong at each key.
func (l *loader) checkWayIn(path string, w WayIn) {
	if len(w.Hosts) == 0 {
		l.add(path+".hosts", "names no host; list those that the script calls, [api.example.com]")
	}
	for i, h := range w.Hosts {
		if _, err := HostName(h); err != nil {
			l.add(index(path+".hosts", i), err.Error())
		}
	}
	if w.Zone != "" {
		if _, err := HostName(w.Zone); err != nil {
			l.add(path+".zone", err.Error())
		}
	}
	for i, word := range w.Products {
		if !slices.Contains(ddns.SkipWords(), word) {
			l.refuse(index(path+".products", i), oneOf(word, ddns.SkipWords()...))
		}
	}
	if w.Address == "" {
		l.add(path+".address", "is missing; write where the script host comes from: an address, a prefix, a host name, or self for this home")
		return
	}
	kept := ddns.KeptWayIn{WayIn: ddns.WayIn{Name: w.Name, Hosts: []string{"a.example.com"}}}
	if err := w.comesFrom(&kept); err != nil {
		l.add(path+".address", err.Error())
		return
	}
	for _, p := range kept.Addresses {
		if err := ddns.Narrow(p); err != nil {
			l.add(path+".address", err.Error()+"; write the address that the script host shows to the world")
			return
		}
	}
	kept.Addresses = []netip.Prefix{netip.MustParsePrefix("2001:db8::/64")} // whatever is learnt later
	if err := kept.Validate(); err != nil {
		l.add(path+".name", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
}

// isUntil reports whether a value of type t may be written as a date.
func isUntil(t reflect.Type) bool { return t == reflect.TypeFor[Until]() }
