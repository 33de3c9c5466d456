package ddns

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// inquiry is the asking of one roster in one round. It owns one goroutine per
// asked source; close ends them and waits. One goroutine at a time may use it.
type inquiry struct {
	slate
	began time.Time

	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	answers chan Observation
}

// ask starts asking. The context's deadline is that of the round.
func ask(ctx context.Context, r Roster, a Asking) *inquiry {
	ctx, cancel := context.WithCancel(ctx)
	slate, first := newSlate(r, a)
	q := &inquiry{slate: slate, began: time.Now(), ctx: ctx, cancel: cancel}
	q.answers = make(chan Observation, 2*len(r.Members)+len(r.Spares)) // nobody ever blocks on telling, also not twice
	q.launch(first)
	return q
}

// launch asks sources.
func (q *inquiry) launch(sources []Source) {
	for _, s := range sources {
		q.running.Go(func() { q.answers <- q.question(s) })
	}
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
	o := observationOf(s, q.roster.Family, address, err)
	o.Took, o.At = time.Since(began), time.Since(q.began)
	return o
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
			again := q.goAround()
			if q.launch(again); len(again) == 0 || q.ctx.Err() != nil {
				return
			}
			continue
		}
		select {
		case o := <-q.answers:
			q.launch(q.hear(o))
		case <-wake:
			wake = nil
		case <-halfTime:
			q.launch(q.askAll())
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

// close gives the stragglers a moment, or less where patience ends before it,
// ends the asking, waits for every source to let go, and returns all that was said.
// A curious one still asks spares in the places of those that fail.
func (q *inquiry) close(patience context.Context, moment time.Duration, curious bool) []Observation {
	over := time.After(moment)
	for open := true; open && len(q.outstanding()) > 0; {
		select {
		case o := <-q.answers:
			if curious {
				q.launch(q.hear(o))
			} else {
				q.observations = append(q.observations, o)
			}
		case <-over:
			open = false
		case <-patience.Done():
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
