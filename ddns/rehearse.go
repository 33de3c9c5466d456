package ddns

import "slices"

// Rehearsal says of a dry round how many changes it would send in how many
// calls, and which records that it does not keep would still hold an address
// that is left. It can tell the latter only of zones that were read whole.
func Rehearsal(r Round) (changes, calls int, behind []string) {
	for _, z := range r.Found.Zones {
		size := 0
		for _, rc := range r.Receipts {
			c := rc.Change
			if c.Zone.ID != z.Zone.ID {
				continue
			}
			changes++
			size += batchOf([]Change{c}).Size()
			if c.moves() {
				behind = append(behind, others(z.Records, r, c.Before.Content)...)
			}
		}
		calls += (size + z.Zone.BatchLimit() - 1) / z.Zone.BatchLimit()
	}
	slices.Sort(behind)
	return changes, calls, slices.Compact(behind)
}
