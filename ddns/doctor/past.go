package doctor

import (
	"cmp"
	"fmt"
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

// Night is what one stretch of trouble in the past was about, in words.
func Night(s Span, past Fact[Past]) string {
	words := ""
	switch {
	case s.Status == 530:
		words = "Cloudflare could not resolve where the name led, or had no tunnel"
	case s.Status == 403:
		words = "visitors were challenged or turned away"
	case s.Status == 521 || s.Status == 522 || s.Status == 523:
		words = "Cloudflare did not get through to the origin"
	case s.Status == 429:
		words = "somebody asked too often"
	case s.Status >= 500:
		words = "the origin was unwell"
	}
	for _, h := range past.Value.Hops {
		if past.Known && s.Status == 530 && h.From.Before(s.To) && s.From.Before(h.To) {
			words += fmt.Sprintf("; %s was dark from %s to %s (this machine's journal)", h.Host, h.From.Local().Format("15:04"), h.To.Local().Format("15:04"))
		}
	}
	return words
}
