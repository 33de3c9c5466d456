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
// asked source; close ends them and waits. One goroutine at a time may use it.
type inquiry struct {
	roster Roster
	asking Asking
	began  time.Time

	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	answers chan Observation

	waiting      []Source // may be asked in this round, and were not yet
	spares       []Source // step in for those of whom nothing can be heard
	asked        []Source
	observations []Observation
}

// ask starts asking. The context's deadline is that of the round.
func ask(ctx context.Context, r Roster, a Asking) *inquiry {
	ctx, cancel := context.WithCancel(ctx)
	q := &inquiry{roster: r, asking: a, began: time.Now(), ctx: ctx, cancel: cancel}
	q.answers = make(chan Observation, len(r.Members)+len(r.Spares)) // nobody ever blocks on telling
	q.waiting, q.spares = q.awake(r.Members), q.awake(r.Spares)
	q.callSpares()
	wave := firstWave(r, q.waiting, a.Shy)
	if a.All || len(wave) < r.Needed() { // fewer voices could not agree
		wave = q.waiting
	}
	q.launch(wave)
	return q
}

// awake returns the sources that may be asked now.
func (q *inquiry) awake(sources []Source) []Source {
	return slices.DeleteFunc(slices.Clone(sources), func(s Source) bool { return q.asking.Resting[s.Name] })
}

// callSpares lets spares take the places of operators of whom nothing usable
// can be heard in this round. No more operators are ever heard than the roster
// has, since its quorum is a majority of that many.
func (q *inquiry) callSpares() {
	for len(q.spares) > 0 && !q.roster.Alone() {
		hopeful := slices.DeleteFunc(slices.Concat(q.asked, q.waiting), q.failed)
		if len(operatorsOf(hopeful)) >= q.roster.Operators() {
			return
		}
		s := q.spares[0]
		q.spares = q.spares[1:]
		if !slices.Contains(operatorsOf(slices.Concat(q.asked, q.waiting)), s.Operator) {
			q.waiting = append(q.waiting, s)
		}
	}
}

// failed reports whether a source gave an error.
func (q *inquiry) failed(s Source) bool {
	return slices.ContainsFunc(q.observations, func(o Observation) bool { return o.Source == s.Name && o.Err != nil })
}

// firstWave picks a quorum of voices: the cheapest healthy sources, at least
// one of them authenticated, over two transports where there are two that are
// healthy (one that the line blocks would make every round a full one).
func firstWave(r Roster, members []Source, shy map[string]int) []Source {
	order := slices.DeleteFunc(slices.Clone(members), func(s Source) bool { return !r.votes(s.Operator, s.Class) })
	slices.SortStableFunc(order, func(a, b Source) int {
		return cmp.Or(cmp.Compare(shy[a.Name], shy[b.Name]), cmp.Compare(a.Cost, b.Cost), strings.Compare(a.Name, b.Name))
	})
	var wave []Source
	take := func(wanted func(Source) bool) bool {
		i := slices.IndexFunc(order, func(s Source) bool {
			return wanted(s) && !slices.ContainsFunc(wave, func(w Source) bool { return sameVoice(w, s) })
		})
		if i < 0 || len(wave) >= r.Needed() {
			return false
		}
		wave = append(wave, order[i])
		return true
	}
	take(func(s Source) bool { return s.Class == Authenticated })
	take(func(s Source) bool { return len(wave) > 0 && s.Transport != wave[0].Transport && shy[s.Name] == 0 })
	for take(func(Source) bool { return true }) {
	}
	return wave
}

// sameVoice reports whether two sources together are no more than one voice.
func sameVoice(a, b Source) bool {
	return a.Operator == b.Operator || a.Class == PlainDNS && b.Class == PlainDNS
}

// launch asks sources that are waiting.
func (q *inquiry) launch(sources []Source) {
	q.asked = append(q.asked, sources...)
	q.waiting = slices.DeleteFunc(slices.Clone(q.waiting), func(s Source) bool { return named(q.asked, s.Name) })
	for _, s := range sources {
		q.running.Go(func() { q.answers <- q.question(s) })
	}
}

func named(sources []Source, name string) bool {
	return slices.ContainsFunc(sources, func(s Source) bool { return s.Name == name })
}

// question asks one source and waits for its answer.
func (q *inquiry) question(s Source) Observation {
	began := time.Now()
	address, err := s.Ask(q.ctx, q.roster.Family)
	address = unmapped(address)
	if err == nil {
		err = Sane(address, q.roster.Family)
	}
	if err != nil {
		address = netip.Addr{}
	}
	return q.observation(s, address, err, began)
}

func (q *inquiry) observation(s Source, address netip.Addr, err error, began time.Time) Observation {
	return Observation{Source: s.Name, Operator: s.Operator, Class: s.Class, Transport: s.Transport, Family: q.roster.Family,
		Address: address, Err: err, Took: time.Since(began), At: time.Since(q.began)}
}

// hear takes in one answer. One that is odd brings in all who were not asked yet.
func (q *inquiry) hear(o Observation) {
	q.observations = append(q.observations, o)
	if q.odd(o) {
		q.askAll()
	}
}

// odd reports whether an answer is an error, is not what is published, or
// differs from another. (No witness is asked before something is odd.)
func (q *inquiry) odd(o Observation) bool {
	return o.Err != nil || !slices.Contains(q.asking.Expected, o.Address) ||
		slices.ContainsFunc(q.observations, func(other Observation) bool { return other.Address != o.Address })
}

// askAll asks everybody who was not asked yet.
func (q *inquiry) askAll() {
	q.callSpares()
	q.launch(q.waiting)
}

// outstanding are the sources that were asked and have not answered.
func (q *inquiry) outstanding() []Source {
	return slices.DeleteFunc(slices.Clone(q.asked), func(s Source) bool {
		return slices.ContainsFunc(q.observations, func(o Observation) bool { return o.Source == s.Name })
	})
}

// wait hears answers until settled says that the rest cannot matter, all have
// answered, or the time of the round is over. Half of that time without a
// decision is odd as well. It looks again when wake is closed: something that
// settled asks about has become known.
func (q *inquiry) wait(settled func([]Observation, []Source) bool, wake <-chan struct{}) {
	var halfTime <-chan time.Time
	if deadline, ok := q.ctx.Deadline(); ok {
		halfTime = time.After(time.Until(deadline) / 2)
	}
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
		case <-halfTime:
			q.askAll()
		case <-q.ctx.Done():
			return
		}
	}
}

// heard is what was said so far. Once the time of the round is over, sources
// that are still silent are in it as an error.
func (q *inquiry) heard() []Observation {
	for len(q.answers) > 0 {
		q.observations = append(q.observations, <-q.answers)
	}
	said := slices.Clone(q.observations)
	if q.ctx.Err() == nil {
		return said
	}
	for _, s := range q.outstanding() {
		silence := fmt.Errorf("no answer within %s: %w", time.Since(q.began).Round(100*time.Millisecond), q.ctx.Err())
		said = append(said, q.observation(s, netip.Addr{}, silence, q.began))
	}
	return said
}

// close gives the stragglers a moment, ends the asking, waits for every source
// to let go, and returns all that was said.
func (q *inquiry) close(moment time.Duration) []Observation {
	over := time.After(moment)
	for open := true; open && len(q.outstanding()) > 0; {
		select {
		case o := <-q.answers:
			q.observations = append(q.observations, o)
		case <-over:
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
