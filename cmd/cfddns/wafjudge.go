package main

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// evidenceOf is what is known before the events are asked for.
type evidenceOf struct {
	zone   ddns.Zone
	set    ddns.RuleSet
	asked  []netip.Addr
	had    []string // what the rule skips now
	custom bool
}

// judge decides what the way in skips, from what stopped its addresses in the
// last 24 hours, and says what was seen.
func (p *parts) judge(ctx context.Context, w *ddns.WayIn, e evidenceOf, now time.Time) (notes []string) {
	var events []ddns.SecurityEvent
	var seen []netip.Addr
	for _, address := range e.asked {
		if slices.Contains(seen, address) {
			continue
		}
		seen = append(seen, address)
		found, err := p.client.SecurityEvents(ctx, e.zone, now.Add(-24*time.Hour+time.Minute), now, address)
		if err != nil {
			notes = append(notes, joinNonEmpty("; ", fmt.Sprintf("what stopped %s could not be seen (%v)", address, err), ddns.HintOf(err)))
			break
		}
		events = append(events, found...)
	}
	evidence := ddns.EvidenceOf(events, e.set, e.zone)
	skips := append(slices.Clone(e.had), evidence.Skips...)
	if evidence.Stopped > 0 {
		notes = append(notes, "stopped in the last 24 hours by "+strings.Join(evidence.Seen, ", "))
	}
	if !e.custom && slices.Contains(evidence.Skips, ddns.SkipCustom) && !slices.Contains(e.had, ddns.SkipCustom) {
		skips = slices.DeleteFunc(skips, func(word string) bool { return word == ddns.SkipCustom })
		notes = append(notes, fmt.Sprintf("a rule of your own stops it (%s): it is not skipped unless you say --include-custom", cmp.Or(strings.Join(evidence.Own, ", "), "no longer there, or not seen")))
	}
	if len(skips) == 0 {
		skips = []string{ddns.SkipLevel}
	}
	if e.custom {
		skips = append(skips, ddns.SkipCustom)
	}
	slices.Sort(skips)
	w.Skips = slices.Compact(skips)
	return append(notes, evidence.Cannot...)
}

// outside says for which hosts the rule gains nothing, since their visitors do
// not pass Cloudflare, or there are none.
func (p *parts) outside(ctx context.Context, zone ddns.Zone, hosts []string) (notes []string) {
	listing, err := p.client.Records(ctx, zone, withWildcards(hosts))
	if err != nil {
		return []string{fmt.Sprintf("whether visitors of these hosts pass Cloudflare could not be seen (%v)", err)}
	}
	for _, host := range hosts {
		found, proxied := false, false
		for _, name := range withWildcards([]string{host}) {
			for _, r := range listing.Records {
				if r.Name == name && slices.Contains([]string{"A", "AAAA", "CNAME"}, r.Type) {
					found, proxied = true, proxied || r.Proxied
				}
			}
			if found {
				break // a wildcard does not speak for a name that exists
			}
		}
		switch {
		case !found:
			notes = append(notes, host+" has no record in the zone: as long as it has none, nobody comes that the rule could let in")
		case !proxied:
			notes = append(notes, host+" is DNS-only (a grey cloud): its visitors do not pass Cloudflare, nothing is challenged there, and the rule gains nothing")
		}
	}
	return notes
}

// withWildcards adds the wildcards that may stand for names.
func withWildcards(hosts []string) []string {
	names := slices.Clone(hosts)
	for _, host := range hosts {
		for _, parent, more := strings.Cut(host, "."); more && strings.Contains(parent, "."); _, parent, more = strings.Cut(parent, ".") {
			names = append(names, "*."+parent)
		}
	}
	return names
}
