package doctor

import (
	"cmp"
	"slices"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// spanGap is how long nobody may have been answered a status for it still to
// be one stretch: at night there are minutes without a visitor.
const spanGap = 5 * time.Minute

// spans joins counts by minute into stretches of one status each, in the order
// in which they began.
func spans(minutes []ddns.MinuteStatus) []Span {
	sorted := slices.Clone(minutes)
	slices.SortStableFunc(sorted, func(a, b ddns.MinuteStatus) int {
		return cmp.Or(a.Status-b.Status, a.At.Compare(b.At))
	})
	all := []Span{}
	for _, m := range sorted {
		end := m.At.Add(time.Minute)
		if n := len(all) - 1; n >= 0 && all[n].Status == m.Status && m.At.Sub(all[n].To) <= spanGap {
			all[n].Requests += m.Requests
			if end.After(all[n].To) {
				all[n].To = end
			}
			continue
		}
		all = append(all, Span{From: m.At, To: end, Status: m.Status, Requests: m.Requests})
	}
	slices.SortStableFunc(all, func(a, b Span) int { return cmp.Or(a.From.Compare(b.From), a.Status-b.Status) })
	return all
}
