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
	reload chan Settings
	ask    chan chan Status
}

// NewLoop makes a loop that is not running yet.
func NewLoop(clock func() time.Time, report func(Round, Past)) *Loop {
	return &Loop{Clock: clock, Report: report, Turn: func() {}, TurnEvery: 5 * time.Second,
		wake: make(chan Trigger, 1), reload: make(chan Settings), ask: make(chan chan Status)}
}

// Wake asks for a round now. One that is asked for while a round runs follows it.
func (l *Loop) Wake(t Trigger) {
	select {
	case l.wake <- t:
	default: // one is waiting already, and will see all that this one would
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

// turning is the state of a running loop.
type turning struct {
	settings Settings
	next     *Settings // to be taken up once no round runs
	past     Past
	last     Round
	pace     pace
	running  bool
	wanted   Trigger // a round to start once none runs; "" is none
	proofs   int     // times that only the proof was asked for since the last round
	due      time.Time
	timer    *time.Timer
	wall     time.Time // wall clock and monotonic clock at the last turn
	mono     time.Time
	done     chan ended
}

// ended is a round that ended.
type ended struct {
	round Round
	past  Past
}

// clockStep is how far the wall clock may run away from the monotonic one in
// one turn before it is taken as set.
const clockStep = 30 * time.Second

// Run turns until the context ends, and returns what should be remembered. A
// round that is under way when it ends is broken off and waited for.
func (l *Loop) Run(ctx context.Context, s Settings, past Past) Past {
	t := &turning{settings: s, past: past, wanted: ByStart, done: make(chan ended, 1),
		timer: time.NewTimer(time.Hour), wall: l.Clock(), mono: time.Now()}
	defer t.timer.Stop()
	turn := time.NewTicker(l.TurnEvery)
	defer turn.Stop()
	for {
		t.takeUp(ctx)
		select {
		case <-ctx.Done():
			if t.running {
				t.past = (<-t.done).past
			}
			return t.past
		case trigger := <-l.wake:
			t.wanted = trigger
		case s := <-l.reload:
			t.next, t.wanted = &s, BySignal
		case answer := <-l.ask:
			answer <- Status{Rounds: t.past.Rounds, Running: t.running, Next: t.due, Last: t.last, Past: t.past}
		case <-t.timer.C:
			t.fire(ctx)
		case e := <-t.done:
			t.finish(e, l.Clock())
			l.Report(e.round, e.past)
		case <-turn.C:
			l.Turn()
			t.watchClock(l.Clock())
		}
	}
}

// takeUp starts the round that is wanted, with new settings if there are any.
func (t *turning) takeUp(ctx context.Context) {
	if t.running || t.wanted == "" {
		return
	}
	if t.next != nil {
		t.settings, t.next = *t.next, nil
	}
	trigger := t.wanted
	t.wanted, t.running, t.proofs = "", true, 0
	runner, past := t.settings.Runner, t.past
	go func() { // ends with the round; Run waits for it through done
		round, past := runner.Round(ctx, trigger, past)
		t.done <- ended{round, past}
	}()
}

// fire is what happens when the wait is over: the next round, or only another
// look at what was not yet seen.
func (t *turning) fire(ctx context.Context) {
	switch {
	case t.running:
	case t.proving():
		t.running = true
		t.proofs++
		runner, last, past := t.settings.Runner, t.last, t.past
		go func() { // as above
			round, past := runner.Prove(ctx, last, past)
			t.done <- ended{round, past}
		}()
	default:
		t.wanted = BySchedule
	}
}

// proving reports whether the next thing to do is to look again at what was not seen.
func (t *turning) proving() bool {
	return len(t.past.Unproved) > 0 && changedAny(t.last) && time.Duration(t.proofs)*paceProof < proofLongest
}

// finish takes in a round that ended and sets the time of the next.
func (t *turning) finish(e ended, now time.Time) {
	t.running, t.last, t.past = false, e.round, e.past
	var wait time.Duration
	if t.pace, wait = t.pace.after(e.round); wait == 0 {
		wait = t.settings.wait(now)
	}
	if t.proving() {
		wait = min(wait, paceProof)
	}
	t.timer.Reset(wait)
	t.due = now.Add(wait)
}

// wait is how long the schedule leaves until the next round, with jitter.
func (s Settings) wait(now time.Time) time.Duration {
	wait := s.Every
	if wait == 0 {
		wait = max(s.Schedule.Next(now).Sub(now), 0)
		return wait + jittered(min(wait/10, 10*time.Second)+1)
	}
	return jittered(wait)
}

// watchClock starts a round when the wall clock was set: what was remembered
// by its old time, and a cron schedule, would otherwise wait for it.
func (t *turning) watchClock(wall time.Time) {
	mono := time.Now()
	step := wall.Sub(t.wall) - mono.Sub(t.mono)
	t.wall, t.mono = wall, mono
	if step.Abs() > clockStep && t.wanted == "" {
		t.wanted = ByEvent
	}
}
