package ddns

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Another updater that keeps names of the same zone changes them in the same
// minute as we do ours: what we find right after a change is asked for again by
// the rounds of this time, of which the schedule makes one.
const (
	secondLookAfter  = time.Minute
	secondLookBefore = 25 * time.Minute
)

// wantsSecondLook reports whether what was found right after a change is due to
// be asked for again.
func (c Condition) wantsSecondLook(now time.Time) bool {
	age := now.Sub(c.Since)
	return age >= secondLookAfter && age < secondLookBefore
}

// leftBehind asks, after a change of address, what else in each zone still holds
// the old one: other records, SPF and the like. What was found is asked for again
// soon, and said until it is mended, or the address changes again.
func (r *Runner) leftBehind(ctx context.Context, round Round, m Memory) (raised []Condition) {
	ours, made := targetIDs(round.Outcomes), madeIn(round.Receipts)
	found := make([][]Condition, len(round.Found.Zones))
	var asking sync.WaitGroup
	for i, z := range round.Found.Zones {
		old := replaced(made[z.Zone.ID])
		if len(old) > 0 {
			asking.Go(func() { found[i], _ = r.holding(ctx, z, old, ours) })
			continue
		}
		before := slices.IndexFunc(m.Raised, func(c Condition) bool { return c.Code == CodeLeftBehind && c.Name == z.Zone.Name })
		switch {
		case before < 0:
		case m.Raised[before].wantsSecondLook(round.Started):
			asking.Go(func() {
				var known bool
				if found[i], known = r.holding(ctx, z, left(m), ours); !known {
					found[i] = m.Raised[before : before+1]
				}
			})
		case !mended(z, ours, m):
			found[i] = m.Raised[before : before+1]
		}
	}
	asking.Wait()
	return slices.Concat(found...)
}

// targetIDs are the targets of a round.
func targetIDs(outcomes []Outcome) map[targetID]bool {
	ids := make(map[targetID]bool, len(outcomes))
	for _, o := range outcomes {
		ids[o.Target.id()] = true
	}
	return ids
}

// madeIn are the receipts of a round, by the ID of their zone.
func madeIn(receipts []Receipt) map[string][]Receipt {
	made := map[string][]Receipt{}
	for _, rc := range receipts {
		made[rc.Change.Zone.ID] = append(made[rc.Change.Zone.ID], rc)
	}
	return made
}

// holding asks what in a zone still holds old addresses. The change itself is
// confirmed, and this is a courtesy: where it cannot be asked, what was last
// read of the zone has to do. known is false where that was not the whole zone,
// so that nobody knows whether nothing holds them.
func (r *Runner) holding(ctx context.Context, z ZoneFacts, old []string,
	ours map[targetID]bool) (c []Condition, known bool) {
	var words []string
	at, known := r.Clock(), true
	for _, address := range old {
		records, err := r.API.Holding(ctx, z.Zone, address)
		switch {
		case err != nil && z.Whole:
			records, at = z.Records, z.ReadAt
		case err != nil:
			known = false
		}
		words = append(words, others(records, ours, address)...)
	}
	if len(words) == 0 {
		return nil, known
	}
	return []Condition{condition(CodeLeftBehind, z.Zone.Name,
		fmt.Sprintf("still holding the old address %s at %s: %s",
			strings.Join(old, ", "), clockTime(at), strings.Join(words, ", ")),
		"unless another updater keeps these names: add them to records:, or change them by hand")}, known
}

// clockTime is when something was read, for texts: it may be different now.
func clockTime(t time.Time) string { return t.UTC().Format("15:04 UTC") }

// mended reports whether a zone that was read whole shows that nothing holds
// the addresses before the present ones any more.
func mended(z ZoneFacts, ours map[targetID]bool, m Memory) bool {
	old := left(m)
	return z.Whole && len(old) > 0 && !slices.ContainsFunc(old, func(address string) bool {
		return len(others(z.Records, ours, address)) > 0
	})
}

// left are the addresses that the present ones took the place of.
func left(m Memory) (old []string) {
	for _, f := range Families {
		if confirmed := m.Of(f).Confirmed; len(confirmed) >= 2 {
			old = append(old, confirmed[len(confirmed)-2].String())
		}
	}
	return old
}

// replaced are the old addresses of confirmed changes in a zone: of each family
// the one that most records held.
func replaced(made []Receipt) (old []string) {
	for _, f := range Families {
		count, most := map[string]int{}, ""
		for _, rc := range made {
			c := rc.Change
			if rc.State != Confirmed || c.Target.Family() != f || !c.moves() || c.PutsBack {
				continue
			}
			if count[c.Before.Content]++; count[c.Before.Content] > count[most] {
				most = c.Before.Content
			}
		}
		if most != "" {
			old = append(old, most)
		}
	}
	return old
}

// moves reports whether the change gives a record another address.
func (c Change) moves() bool {
	return c.Op == Update && c.Before.Content != c.After.Content
}

// others names the records that hold the old address and are no target's.
func others(records []Record, ours map[targetID]bool, old string) (words []string) {
	for _, rec := range records {
		if !ours[targetID{rec.Name, rec.Type}] && holdsAddress(rec.Content, old) {
			words = append(words, rec.Type+" "+rec.Name)
		}
	}
	slices.Sort(words)
	return words
}

// holdsAddress reports whether an address stands in a text on its own: 45.6.7.8
// is not in 45.6.7.80.
func holdsAddress(text, address string) bool {
	words := strings.FieldsFunc(text, func(c rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF.:", c) })
	return slices.ContainsFunc(words, func(word string) bool {
		return word == address || strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(word), "4:"), "6:") == address
	})
}

func changedAny(round Round) bool {
	return slices.ContainsFunc(round.Receipts, func(rc Receipt) bool { return rc.State == Confirmed && !rc.Change.Drill })
}

// gap is how long visitors could have failed at most: from when the address
// was last seen to be the published one until the change was confirmed.
func gap(round Round, past Past, confirmed time.Time) time.Duration {
	var longest time.Duration
	for _, rc := range round.Receipts {
		seen, ok := past.SeenAt[rc.Change.Target.Family()]
		if rc.State == Confirmed && rc.Change.moves() && !rc.Change.PutsBack && ok {
			longest = max(longest, confirmed.Sub(seen))
		}
	}
	return longest
}
