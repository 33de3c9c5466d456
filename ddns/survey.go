package ddns

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Survey asks every source of the rosters, waits for all of them, and votes.
// It is for a person who wants to see what everybody says.
func Survey(ctx context.Context, rosters []Roster, timeout time.Duration) []Verdict {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	verdicts := make([]Verdict, len(rosters))
	var asking sync.WaitGroup
	for i, r := range rosters {
		asking.Go(func() {
			q := ask(ctx, r, Asking{All: true, Forgets: true})
			q.wait(func([]Observation, []Source) bool { return false }, nil)
			verdicts[i] = Vote(r, q.close(ctx, 0, false))
		})
	}
	asking.Wait()
	return verdicts
}

// LookAlikes names records of the zones that look like this home and are kept
// by no target: they hold its address, or hop over a DDNS host. It can tell
// only of zones that were read whole.
func LookAlikes(r Round, targets []Target) (words []string) {
	home := map[string]bool{}
	for _, v := range r.Verdicts {
		if v.State == Agreed {
			home[v.Address.String()] = true
		}
	}
	for _, z := range r.Found.Zones {
		for _, rec := range z.Records {
			kept := slices.ContainsFunc(targets, func(t Target) bool { return t.Name == rec.Name && (t.Type == rec.Type || rec.Type == "CNAME") })
			_, address := FamilyOfType(rec.Type)
			hop := false
			if rec.Type == "CNAME" {
				_, err := hopOf(rec.Name, rec.Content)
				hop = err == nil
			}
			if !kept && (address && home[rec.Content] || hop) {
				words = append(words, fmt.Sprintf("%s %s %s", rec.Name, rec.Type, rec.Content))
			}
		}
	}
	slices.Sort(words)
	return words
}
