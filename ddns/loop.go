package ddns

import (
	"context"
	"time"
)

// Settings is what a reload exchanges.
type Settings struct {
	Runner   *Runner
	Schedule Schedule
	// Every is the interval of an `@every` schedule; it is kept by the
	// monotonic clock, so that setting the wall clock does not stop it. Zero
	// means that Schedule is asked.
	Every time.Duration
}

// Status is how a running loop stands.
type Status struct {
	Rounds  int
	Running bool      // a round is under way
	Next    time.Time // when the next one is due
	Last    Round     // zero before the first round has ended
	Past    Past
}

// Loop decides when to round. One goroutine (that of Run) owns all of its
// state; rounds run beside it, one at a time, so that it keeps turning and
// answering while a round waits for the network.
type Loop struct {
	Clock func() time.Time
	// Report takes each round that ended. It must not block.
	Report func(Round, Past)
	// Turn is called every TurnEvery while the loop turns (for a watchdog).
	Turn      func()
	TurnEvery time.Duration

	wake   chan Trigger
	hints  chan heard
	reload chan Settings
	ask    chan chan Status
}

// NewLoop makes a loop that is not running yet.
func NewLoop(clock func() time.Time, report func(Round, Past)) *Loop {
	return &Loop{Clock: clock, Report: report, Turn: func() {}, TurnEvery: 5 * time.Second,
		wake: make(chan Trigger, 1), hints: make(chan heard), reload: make(chan Settings), ask: make(chan chan Status)}
}

// Wake asks for a round now. One that is asked for while a round runs follows it.
func (l *Loop) Wake(t Trigger) {
	select {
	case l.wake <- t:
	default: // one is waiting already, and will see all that this one would
	}
}

// WakeOut asks for a round now and returns it. The error is that of the context.
func (l *Loop) WakeOut(ctx context.Context, t Trigger) (Round, error) {
	answer := make(chan Round, 1)
	return l.follow(ctx, heard{hint: Hint{Trigger: t}, answer: answer}, answer)
}

// Recheck asks for a round now that reads the records again: a person who asks
// wants to know what stands now, and not what stood an hour ago. It does
// so as often as courtesy allows, and is else a round like any other.
func (l *Loop) Recheck(ctx context.Context, t Trigger) {
	select {
	case l.hints <- heard{hint: Hint{Trigger: t}, fresh: true}:
	case <-ctx.Done():
	}
}

// RecheckOut is Recheck, and returns the round. The error is that of the context.
func (l *Loop) RecheckOut(ctx context.Context, t Trigger) (Round, error) {
	answer := make(chan Round, 1)
	return l.follow(ctx, heard{hint: Hint{Trigger: t}, answer: answer, fresh: true}, answer)
}

// heard is a hint, and who waits for the round that follows; nil is nobody. One
// that nobody gave is a wish.
type heard struct {
	hint   Hint
	answer chan<- Round
	fresh  bool // the records are to be read again
}

// Hear takes a hint in, and does not wait for what comes of it.
func (l *Loop) Hear(ctx context.Context, h Hint) {
	select {
	case l.hints <- heard{hint: h}:
	case <-ctx.Done():
	}
}

// HearOut takes a hint in and returns the round that followed it: the last one
// if the hint is no news, the zero Round if it has to wait and names an address
// that is. The error is that of the context.
func (l *Loop) HearOut(ctx context.Context, h Hint) (Round, error) {
	answer := make(chan Round, 1)
	return l.follow(ctx, heard{hint: h, answer: answer}, answer)
}

// follow hands a hint to the loop and waits for the round that answers it.
func (l *Loop) follow(ctx context.Context, h heard, answer <-chan Round) (Round, error) {
	select {
	case l.hints <- h:
	case <-ctx.Done():
		return Round{}, ctx.Err()
	}
	select {
	case round := <-answer:
		return round, nil
	case <-ctx.Done():
		return Round{}, ctx.Err()
	}
}

// Reload exchanges the settings once no round runs, and starts one.
func (l *Loop) Reload(ctx context.Context, s Settings) error {
	select {
	case l.reload <- s:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Status returns how the loop stands. An answer proves that it turns.
func (l *Loop) Status(ctx context.Context) (Status, error) {
	answer := make(chan Status, 1)
	select {
	case l.ask <- answer:
		return <-answer, nil
	case <-ctx.Done():
		return Status{}, ctx.Err()
	}
}

// Run turns until the context ends, and returns what should be remembered. A
// round that is under way when it ends is broken off, waited for and reported:
// what it wrote is not lost.
func (l *Loop) Run(ctx context.Context, s Settings, past Past) Past {
	t := newTurning(s, past, l.Clock())
	defer t.timer.Stop()
	turn := time.NewTicker(l.TurnEvery)
	defer turn.Stop()
	for {
		t.takeUp(ctx)
		select {
		case <-ctx.Done():
			if t.job != idle {
				l.end(t, <-t.done)
			}
			t.probes.end()
			return t.past
		case trigger := <-l.wake:
			t.wish(trigger)
		case h := <-l.hints:
			t.hear(h)
		case s := <-l.reload:
			t.next, t.wanted = &s, BySignal
		case answer := <-l.ask:
			answer <- Status{Rounds: t.past.Rounds, Running: t.job == rounding, Next: t.nextWall, Last: t.last, Past: t.past}
		case <-t.timer.C:
			t.fire(ctx)
		case e := <-t.done:
			l.end(t, e)
		case answers := <-t.probes.answers:
			t.probed(answers)
		case <-turn.C:
			l.Turn()
			t.watchClock(l.Clock())
		}
	}
}

// end takes in a job that ended, and reports it. What watching saw is told by
// the round that follows.
func (l *Loop) end(t *turning, e ended) {
	watched := t.job == watching
	t.finish(e, l.Clock())
	if !watched {
		l.Report(e.round, e.past)
	}
}
