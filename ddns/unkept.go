package ddns

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// beside says what is wrong with names that no target keeps: hops whose host
// is dark, and addresses that nobody would move with the home. It can tell
// only of zones that were read whole, and only a daemon looks.
func (r *Runner) beside(round Round, m Memory) []Condition {
	if !r.Watch {
		return nil
	}
	return append(darkHops(hopsIn(round.Found), m.Hops), r.unkept(round, m)...)
}

// darkHops says which DDNS hosts are silent, and whose visitors that stops.
// https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors/error-1016/
func darkHops(hops map[string][]string, seen map[string]HopSeen) (raised []Condition) {
	for _, host := range slices.Sorted(maps.Keys(hops)) {
		last := seen[host]
		if !last.Dark {
			continue
		}
		service, _ := DDNSService(host)
		names := hops[host]
		title := fmt.Sprintf("%s does not answer for this host: Cloudflare answers the visitors of %s 530 with error 1016", service, someOf(names))
		some := names[:min(len(names), 3)]
		hint := CommandLine(append([]string{"cfddns", "migrate", "--apply"}, some...)...)
		if !last.Here {
			hint = "if it is this home: " + CommandLine(append([]string{"cfddns", "migrate", "--apply", "--from", host},
				some...)...)
		}
		raised = append(raised, condition(CodeHopDark, host, title, hint))
	}
	return raised
}

// someOf names a few, and counts the rest.
func someOf(names []string) string {
	const some = 3
	if len(names) <= some {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:some], ", "), len(names)-some)
}

// unkept says which names hold the home's present address and would be left
// behind by the next change. Addresses that this installation has not yet
// confirmed say nothing, nor do records that others mark as theirs.
func (r *Runner) unkept(round Round, m Memory) (raised []Condition) {
	home := map[string]bool{}
	for _, h := range round.Holdings {
		if h.Decision == Publish && m.knows(h.Address) {
			home[h.Address.String()] = true
		}
	}
	kept := map[string]bool{}
	for _, t := range r.Targets {
		kept[t.Key()] = true
	}
	for _, z := range round.Found.Zones {
		var names []string
		for _, rec := range z.Records {
			theirs := leftAlone(rec.Comment) || foreignMark(rec.Comment, "") != "" || z.keeper(rec.Name, rec.Type) != ""
			if z.Whole && home[rec.Content] && rec.Address().IsValid() && !kept[rec.Name+" "+rec.Type] && !theirs {
				names = append(names, rec.Name)
			}
		}
		if len(names) == 0 {
			continue
		}
		slices.Sort(names)
		raised = append(raised, condition(CodeUnkept, z.Zone.Name,
			fmt.Sprintf("holding this home's address at %s, and not kept by this cfddns: %s", clockTime(z.ReadAt),
				someOf(slices.Compact(names))),
			"add these names to records: if they are to follow this home; if another cfddns keeps them, give it an "+
				"owner:, whose mark tells us"))
	}
	return raised
}
