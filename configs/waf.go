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
	Address  string   `mapstructure:"address"` // addresses, prefixes, a host name or "self", parted by commas
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
	case fmt.Stringer: // what TOML makes of a day, or of a moment without a zone
		return ParseUntil(v.String())
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

// origins are the words of the address.
func (w WayIn) origins() (words []string) {
	for word := range strings.SplitSeq(w.Address, ",") {
		words = append(words, strings.TrimSpace(word))
	}
	return words
}

// comesFrom reads where the script host comes from.
func (w WayIn) comesFrom(kept *ddns.KeptWayIn) error {
	for _, word := range w.origins() {
		moves := kept.Self || kept.From != ""
		address, notAddress := netip.ParseAddr(word)
		prefix, notPrefix := netip.ParsePrefix(word)
		switch {
		case notAddress == nil:
			kept.Addresses = append(kept.Addresses, ddns.Admit(address))
		case notPrefix == nil:
			kept.Addresses = append(kept.Addresses, prefix.Masked())
		default:
			name, err := HostName(word)
			switch {
			case word != self && err != nil:
				return wrongf("%q is none of an address, a prefix, a host name and self; write one such as 198.51.100.7", word)
			case moves:
				return wrongf("%q is one too many: beside addresses there is one host name, or self; make an entry of its own", word)
			case word == self:
				kept.Self = true
			default:
				kept.From = name
			}
		}
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
	return slices.ContainsFunc(c.WAF.Allow, func(w WayIn) bool { return slices.Contains(w.origins(), self) })
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
	l.checkHosts(path, w)
	for i, word := range w.Products {
		if !slices.Contains(ddns.SkipWords(), word) {
			l.refuse(index(path+".products", i), oneOf(word, ddns.SkipWords()...))
		}
	}
	if err := ddns.CheckWayInName(w.Name); err != nil {
		l.add(path+".name", err.Error())
	}
	if w.Address == "" {
		l.add(path+".address", "is missing; write where the script host comes from: an address, a prefix, a host name, or self for this home")
		return
	}
	var kept ddns.KeptWayIn
	err := w.comesFrom(&kept)
	for _, p := range kept.Addresses {
		if wide := ddns.Narrow(p); wide != nil {
			err = fmt.Errorf("%w; write the address that the script host shows to the world", wide)
		}
	}
	if err != nil {
		l.add(path+".address", err.Error())
	}
}

// checkHosts holds the hosts of a way in against its zone: one rule is of one.
func (l *loader) checkHosts(path string, w WayIn) {
	if len(w.Hosts) == 0 {
		l.add(path+".hosts", "names no host; list those that the script calls, [api.example.com]")
	}
	zone := ""
	if w.Zone != "" {
		var err error
		if zone, err = HostName(w.Zone); err != nil {
			l.add(path+".zone", err.Error())
		}
	}
	for i, h := range w.Hosts {
		switch name, err := HostName(h); {
		case err != nil:
			l.add(index(path+".hosts", i), err.Error())
		case zone != "" && !(ddns.Zone{Name: zone}).Owns(name):
			l.add(index(path+".hosts", i), fmt.Sprintf("%q is not in the zone %s; make one way in for each zone", h, zone))
		}
	}
}

// isUntil reports whether a value of type t may be written as a date.
func isUntil(t reflect.Type) bool { return t == reflect.TypeFor[Until]() }
