package ddns

import (
	"context"
	"slices"
	"sync"
)

// rehearse says what Cloudflare or this machine would refuse of a plan, as far
// as can be known without writing: a dry round shows as "would change" only what
// is then written.
func (r *Runner) rehearse(ctx context.Context, p Plan) ([]Outcome, []Receipt) {
	send, refused := keepHops(rehearsed{r.Rollback}, p.Changes)
	fits, full := r.fitting(ctx, send)
	outcomes := slices.Clone(p.Outcomes)
	for _, rc := range slices.Concat(refused, full) {
		i := slices.IndexFunc(outcomes, func(o Outcome) bool { return o.Target.id() == rc.Change.Target.id() })
		if i >= 0 {
			outcomes[i] = concluded(outcomes[i], rc)
		}
	}
	return outcomes, receipts(fits, Planned, nil)
}

// rehearsed is a place for old records that is only looked at.
type rehearsed struct{ Rollback }

// Keep implements Rollback.
func (l rehearsed) Keep([]Record) (string, error) {
	if l.Rollback == nil {
		return "", errNoRollback
	}
	return "", l.Ready()
}

// fitting parts the changes into those that fit into their zones and those that
// the quota of a zone leaves no room for, in the order in which they are sent.
func (r *Runner) fitting(ctx context.Context, changes []Change) (fits []Change, full []Receipt) {
	if r.Room == nil {
		return changes, nil
	}
	byZone := map[string][]Change{}
	for _, c := range changes {
		byZone[c.Zone.ID] = append(byZone[c.Zone.ID], c)
	}
	var mu sync.Mutex
	refused := map[string]error{} // by zone
	room := map[string]int{}
	var asking sync.WaitGroup
	for id, changes := range byZone {
		if growth(changes) <= 0 {
			continue
		}
		asking.Go(func() {
			n, err := r.Room(ctx, changes[0].Zone)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				room[id], refused[id] = n, err
			}
		})
	}
	asking.Wait()
	for _, unit := range units(changes) {
		id, more := unit[0].Zone.ID, growth(unit)
		if err := refused[id]; err != nil && more > 0 && more > room[id] {
			full = append(full, receipts(unit, Planned, err)...)
			continue
		}
		room[id] -= more
		fits = append(fits, unit...)
	}
	return fits, full
}

// growth is how many records there are more after the changes.
func growth(changes []Change) int {
	b := batchOf(changes)
	return len(b.Posts) - len(b.Deletes)
}

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
