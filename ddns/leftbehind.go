package ddns

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// leftBehind asks, once after a change of address, what else in each zone
// still holds the old one: other records, SPF and the like. What was found is
// said until it is mended, or the address changes again.
func (r *Runner) leftBehind(ctx context.Context, round Round, m Memory) (raised []Condition) {
	for _, z := range round.Found.Zones {
		before := slices.IndexFunc(m.Raised, func(c Condition) bool { return c.Code == CodeLeftBehind && c.Name == z.Zone.Name })
		old := replacedIn(round.Receipts, z.Zone.ID)
		if len(old) == 0 {
			if before >= 0 && !mended(z, round, m) {
				raised = append(raised, m.Raised[before])
			}
			continue
		}
		var words []string
		for _, address := range old {
			records, err := r.API.Holding(ctx, z.Zone, address)
			if err == nil { // the change itself is confirmed; this is a courtesy
				words = append(words, others(records, round, address)...)
			}
		}
		if len(words) > 0 {
			raised = append(raised, condition(CodeLeftBehind, z.Zone.Name, fmt.Sprintf("still holding the old address %s: %s", strings.Join(old, ", "), strings.Join(words, ", ")),
				"add these names to records:, or change them by hand"))
		}
	}
	return raised
}

// mended reports whether a zone that was read whole shows that nothing holds
// the addresses before the present ones any more.
func mended(z ZoneFacts, round Round, m Memory) bool {
	known := false
	for _, f := range Families {
		confirmed := m.Of(f).Confirmed
		if len(confirmed) < 2 {
			continue
		}
		known = true
		if len(others(z.Records, round, confirmed[len(confirmed)-2].String())) > 0 {
			return false
		}
	}
	return known && z.Whole
}

// replacedIn are the old addresses of confirmed changes in a zone: of each
// family the one that most records held.
func replacedIn(made []Receipt, zoneID string) (old []string) {
	for _, f := range Families {
		count, most := map[string]int{}, ""
		for _, rc := range made {
			c := rc.Change
			if rc.State != Confirmed || c.Zone.ID != zoneID || c.Target.Family() != f || !c.moves() || c.PutsBack {
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
func others(records []Record, round Round, old string) (words []string) {
	for _, rec := range records {
		ours := slices.ContainsFunc(round.Outcomes, func(o Outcome) bool { return o.Target.Name == rec.Name && o.Target.Type == rec.Type })
		if !ours && holdsAddress(rec.Content, old) {
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
