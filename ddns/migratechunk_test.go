package ddns_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cfddns/cfddns/ddns"
)

func TestChunksFitIntoABatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		free, paid := ddns.Zone{ID: "f", Plan: "free"}, ddns.Zone{ID: "p", Plan: "pro"}
		zoneOf := func(name string) ddns.Zone {
			if strings.HasPrefix(name, "f") {
				return free
			}
			return paid
		}
		var targets []ddns.Target
		for i := range rapid.IntRange(0, 900).Draw(t, "names") {
			name := fmt.Sprintf("%s%04d", rapid.SampledFrom([]string{"f", "p"}).Draw(t, "zone"), i)
			targets = append(targets, target(name, "A"))
			if rapid.Bool().Draw(t, "both") {
				targets = append(targets, target(name, "AAAA"))
			}
		}
		targets = ddns.SortTargets(targets)
		var all []ddns.Target
		last := ""
		for _, chunk := range ddns.Chunks(targets, zoneOf, 500) {
			size, names := map[string]int{}, map[string]bool{}
			for _, target := range chunk {
				size[zoneOf(target.Name).ID]++
				if !names[target.Name] {
					size[zoneOf(target.Name).ID]++
				}
				names[target.Name] = true
			}
			if size["f"] > free.BatchLimit() || size["p"] > paid.BatchLimit() || len(names) > 500 || names[last] {
				t.Fatalf("a chunk of %v changes, %d names", size, len(names))
			}
			last = chunk[len(chunk)-1].Name
			all = append(all, chunk...)
		}
		if !slices.Equal(all, targets) {
			t.Fatal("something was lost or doubled")
		}
	})
}
