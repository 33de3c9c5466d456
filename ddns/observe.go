package ddns

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Asking says how a round asks a roster.
type Asking struct {
	// All asks every member at once: a first round, or one that was woken.
	// Otherwise the cheapest healthy quorum is asked, and the others only when
	// something is odd.
	All bool
	// Expected is what the records hold; any other answer is odd. Unset means
	// that nothing is known yet.
	Expected []netip.Addr
	// Shy counts the rounds since a source last gave a usable answer; shy
	// sources are asked last.
	Shy map[string]int
	// Resting sources are not asked: they said that we ask too much.
	Resting map[string]bool
}

// inquiry is the asking of one roster in one round. It owns one goroutine per
// asked source; close ends them and waits.
type inquiry struct {
	roster Roster
	asking Asking
	began  time.Time

	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	answers chan Observation

	asked        []Source
	waiting      []Source // members not asked yet
	spares       []Source
	observations []Observation
}

// ask starts asking. The context's deadline is that of the round.
func ask(ctx context.Context, r Roster, a Asking) *inquiry {
	ctx, cancel := context.WithCancel(ctx)
	q := &inquiry{roster: r, asking: a, began: time.Now(), ctx: ctx, cancel: cancel}
	q.answers = make(chan Observation, len(r.Members)+len(r.Spares)) // nobody ever blocks on telling
	q.spares = q.awake(r.Spares)
	members := q.awake(r.Members)
	first := members
	if !a.All {
		first = firstWave(members, r.Needed(), a.Shy)
	}
	for _, s := range members {
		if !contains(first, s) {
			q.waiting = append(q.waiting, s)
		}
	}
	for _, s := range first {
		q.launch(s)
	}
	for range len(r.Members) - len(members) { // a resting member is a silent one
		q.launchSpare()
	}
	return q
}

// awake returns the sources that may be asked now.
func (q *inquiry) awake(sources []Source) []Source {
	return slices.DeleteFunc(slices.Clone(sources), func(s Source) bool { return q.asking.Resting[s.Name] })
}

// firstWave picks a quorum: the cheapest healthy sources, one an operator, at
// least one of them authenticated, over two transports where there are two.
func firstWave(members []Source, quorum int, shy map[string]int) []Source {
	order := slices.Clone(members)
	slices.SortStableFunc(order, func(a, b Source) int {
		return cmp.Or(cmp.Compare(shy[a.Name], shy[b.Name]), cmp.Compare(a.Cost, b.Cost), strings.Compare(a.Name, b.Name))
	})
	var wave []Source
	take := func(wanted func(Source) bool) {
		for _, s := range order {
			if len(wave) < quorum && wanted(s) && !slices.ContainsFunc(wave, func(w Source) bool { return w.Operator == s.Operator }) {
				wave = append(wave, s)
				return
			}
		}
	}
	take(func(s Source) bool { return s.Class == Authenticated })
	take(func(s Source) bool { return len(wave) > 0 && s.Transport != wave[0].Transport })
	for range members {
		take(func(Source) bool { return true })
	}
	return wave
}

func contains(sources []Source, s Source) bool {
	return slices.ContainsFunc(sources, func(o Source) bool { return o.Name == s.Name })
}

// launch asks one source.
func (q *inquiry) launch(s Source) {
	q.asked = append(q.asked, s)
	q.running.Go(func() {
		began := time.Now()
		address, err := s.Ask(q.ctx, q.roster.Family)
		if err == nil {
			err = Sane(address, q.roster.Family)
		}
		if err != nil {
			address = netip.Addr{}
		}
		q.answers <- Observation{Source: s.Name, Operator: s.Operator, Class: s.Class, Transport: s.Transport,
			Family: q.roster.Family, Address: address, Err: err, Took: time.Since(began), At: time.Since(q.began)}
	})
}

// launchSpare asks the next spare of an operator nobody has asked yet.
func (q *inquiry) launchSpare() {
	for len(q.spares) > 0 {
		s := q.spares[0]
		q.spares = q.spares[1:]
		if !slices.ContainsFunc(q.asked, func(o Source) bool { return o.Operator == s.Operator }) &&
			!slices.ContainsFunc(q.waiting, func(o Source) bool { return o.Operator == s.Operator }) {
			q.launch(s)
			return
		}
	}
}

// hear takes in one answer, and asks more sources when it is odd.
func (q *inquiry) hear(o Observation) {
	q.observations = append(q.observations, o)
	if o.Err != nil || !slices.Contains(q.asking.Expected, o.Address) {
		for _, s := range q.waiting {
			q.launch(s)
		}
		q.waiting = nil
	}
	if o.Err != nil {
		q.launchSpare()
	}
}

// outstanding are the sources that were asked and have not answered.
func (q *inquiry) outstanding() []Source {
	return slices.DeleteFunc(slices.Clone(q.asked), func(s Source) bool {
		return slices.ContainsFunc(q.observations, func(o Observation) bool { return o.Source == s.Name })
	})
}

// wait hears answers until settled says that the rest cannot matter, all have
// answered, or the time of the round is over. It looks again when wake is
// closed: something that settled asks about has become known.
func (q *inquiry) wait(settled func([]Observation, []Source) bool, wake <-chan struct{}) {
	for {
		outstanding := q.outstanding()
		if len(outstanding) == 0 || settled(q.observations, outstanding) {
			return
		}
		select {
		case o := <-q.answers:
			q.hear(o)
		case <-wake:
			wake = nil
		case <-q.ctx.Done():
			return
		}
	}
}

// heard is what was said so far. Once the time of the round is over, sources
// that are still silent are in it as an error.
func (q *inquiry) heard() []Observation {
	said := slices.Clone(q.observations)
	if q.ctx.Err() == nil {
		return said
	}
	for _, s := range q.outstanding() {
		said = append(said, Observation{Source: s.Name, Operator: s.Operator, Class: s.Class, Transport: s.Transport, Family: q.roster.Family,
			Err: fmt.Errorf("no answer within %s", time.Since(q.began).Round(100*time.Millisecond)), Took: time.Since(q.began), At: time.Since(q.began)})
	}
	return said
}

// close gives the stragglers a moment, ends the asking, waits for every source
// to let go, and returns all that was said.
func (q *inquiry) close(moment time.Duration) []Observation {
	timer := time.NewTimer(moment)
	defer timer.Stop()
	for open := true; open && len(q.outstanding()) > 0; {
		select {
		case o := <-q.answers:
			q.observations = append(q.observations, o)
		case <-timer.C:
			open = false
		case <-q.ctx.Done():
			open = false
		}
	}
	said := q.heard()
	q.cancel()
	q.running.Wait()
	return said
}
