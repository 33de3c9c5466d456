package ddns_test

import (
	"fmt"
	"testing"

	"github.com/cfddns/cfddns/ddns"
)

// A round must stay cheap for those who keep thousands of names: what it costs
// may grow with the names, not with their square.
func BenchmarkRound(b *testing.B) {
	for _, names := range []int{10, 1_000, 10_000} {
		b.Run(fmt.Sprintf("quiet, %d names", names), func(b *testing.B) {
			r := manyNamed(names)
			_, past := r.Round(b.Context(), ddns.ByStart, ddns.Past{})
			b.ReportAllocs()
			for b.Loop() {
				_, past = r.Round(b.Context(), ddns.BySchedule, past)
			}
		})
		b.Run(fmt.Sprintf("%d names move", names), func(b *testing.B) {
			r := manyNamed(names)
			_, past := r.Round(b.Context(), ddns.ByStart, ddns.Past{})
			r.Asked, r.Assume = nil, homeB
			b.ReportAllocs()
			for b.Loop() {
				round, _ := r.Round(b.Context(), ddns.ByEvent, past)
				if len(round.Receipts) != names || round.Exit() != ddns.ExitRight {
					b.Fatal(len(round.Receipts), round.Exit())
				}
				_ = round.Report()
			}
		})
	}
}

// manyNamed is a runner that keeps many names of one zone.
func manyNamed(names int) *ddns.Runner {
	h := newLittleHome()
	h.slow, h.records = 0, nil
	r := h.runner()
	r.Targets = nil
	for i := range names {
		name := fmt.Sprintf("home%d.example.com", i)
		h.records = append(h.records, ddns.Record{ID: name, Name: name, Type: "A", Content: homeA.String(), TTL: 60})
		r.Targets = append(r.Targets, ddns.Target{Name: name, Shown: name, Type: "A"})
	}
	r.Targets = ddns.SortTargets(r.Targets)
	return r
}
