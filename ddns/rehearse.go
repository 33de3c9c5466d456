package ddns

import "slices"

// Rehearsal says of a dry round how many changes it would send in how many
// calls, and which records that it does not keep would still hold an address
// that is left. It can tell the latter only of zones that were read whole.
func Rehearsal(r Round) (changes, calls int, behind []string) {
	made, ours := madeIn(r.Receipts), targetIDs(r.Outcomes)
	for _, z := range r.Found.Zones {
		size, left := 0, map[string]bool{}
		for _, rc := range made[z.Zone.ID] {
			c := rc.Change
			changes++
			size += batchOf([]Change{c}).Size()
			if c.moves() && !left[c.Before.Content] {
				left[c.Before.Content] = true
				behind = append(behind, others(z.Records, ours, c.Before.Content)...)
			}
		}
		calls += (size + z.Zone.BatchLimit() - 1) / z.Zone.BatchLimit()
	}
	slices.Sort(behind)
	return changes, calls, slices.Compact(behind)
}
