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

// job is what runs beside the loop.
type job int

const (
	idle     job = iota
	rounding     // a whole round
	proving      // only the proof of the last one
	watching     // the hosts of hops are asked whether they answer
)

// turning is the state of a running loop.
type turning struct {
	settings Settings
	next     *Settings // to be taken up once nothing runs
	past     Past
	last     Round
	pace     pace
	job      job
	cut      context.CancelFunc // ends the proof or the watching that runs, or the proof of the round that runs
	wanted   Trigger            // a round to start once nothing runs; "" is none
	roundDue time.Time          // by the monotonic clock
	proofDue time.Time
	hops     []string  // hosts to watch
	hopsDue  time.Time // when they are asked
	changed  time.Time // when a round last wrote
	nextWall time.Time // roundDue by the wall clock, for people
	timer    *time.Timer
	wall     time.Time // wall clock and monotonic clock at the last turn
	mono     time.Time
	done     chan ended
}

// ended is a job that ended.
type ended struct {
	round Round
	past  Past
	look  bool // a round should follow
}

// clockStep is how far the wall clock may run away from the monotonic one in
// one turn before it is taken as set.
const clockStep = 30 * time.Second

// Run turns until the context ends, and returns what should be remembered. A
// round that is under way when it ends is broken off, waited for and reported:
// what it wrote is not lost.
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
			if t.job != idle {
				l.end(t, <-t.done)
			}
			return t.past
		case trigger := <-l.wake:
			t.wanted = trigger
		case s := <-l.reload:
			t.next, t.wanted = &s, BySignal
		case answer := <-l.ask:
			answer <- Status{Rounds: t.past.Rounds, Running: t.job == rounding, Next: t.nextWall, Last: t.last, Past: t.past}
		case <-t.timer.C:
			t.fire(ctx)
		case e := <-t.done:
			l.end(t, e)
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

// takeUp starts the round that is wanted, with new settings if there are any.
// A newer round ends the proof of the one before it, and the watching.
func (t *turning) takeUp(ctx context.Context) {
	switch {
	case t.wanted == "":
		return
	case t.job != idle:
		t.cut()
		return
	case t.next != nil:
		t.settings, t.next = *t.next, nil
		t.past.Facts = t.past.Facts.stale() // whoever reloads may have changed records as well
	}
	trigger, runner, past := t.wanted, t.settings.Runner, t.past
	t.wanted = ""
	t.start(ctx, rounding, func(patience context.Context) ended {
		round, past := runner.RoundUntil(ctx, patience, trigger, past)
		return ended{round: round, past: past}
	})
}

// start runs a job beside the loop. Run waits for it through done.
func (t *turning) start(ctx context.Context, j job, work func(patience context.Context) ended) {
	patience, cut := context.WithCancel(ctx)
	t.job, t.cut = j, cut
	go func() { // ends with the job
		defer cut()
		t.done <- work(patience)
	}()
	t.arm()
}

// fire is what happens when the wait is over: the next round, or only another
// look at what was not yet seen, or at the hops. Neither holds up a round.
func (t *turning) fire(ctx context.Context) {
	now := time.Now()
	runner, last, past, hops := t.settings.Runner, t.last, t.past, t.hops
	switch {
	case t.job == rounding:
	case !now.Before(t.roundDue):
		t.wanted = BySchedule
	case t.job != idle:
	case t.unseen() && !now.Before(t.proofDue):
		t.start(ctx, proving, func(patience context.Context) ended {
			round, past := runner.Prove(patience, last, past)
			return ended{round: round, past: past}
		})
	case len(t.hops) > 0 && !now.Before(t.hopsDue):
		t.start(ctx, watching, func(patience context.Context) ended {
			past, look := runner.WatchHops(patience, hops, last, past)
			return ended{round: last, past: past, look: look}
		})
	}
}

// unseen reports whether there is something to look for again.
func (t *turning) unseen() bool {
	return len(t.past.Unproved) > 0 && changedAny(t.last) && time.Since(t.changed) < proofLongest
}

// finish takes in a job that ended and sets the time of the next.
func (t *turning) finish(e ended, wall time.Time) {
	now := time.Now()
	t.last, t.past = e.round, e.past
	switch t.job {
	case rounding:
		var wait time.Duration
		if t.pace, wait = t.pace.after(e.round); wait == 0 {
			wait = t.settings.wait(wall)
		}
		t.roundDue, t.nextWall = now.Add(wait), wall.Add(wait)
		if changedAny(e.round) {
			t.changed = now
		}
		t.proofDue, t.hops = now.Add(paceProof), t.settings.Runner.watched(e.round)
		t.hopsDue = now.Add(hopsWait(t.hops, e.past.Memory.Hops))
	case proving:
		t.proofDue = now.Add(paceProof)
	case watching:
		t.hopsDue = now.Add(hopsWait(t.hops, e.past.Memory.Hops))
		if e.look && t.wanted == "" {
			t.wanted = ByEvent
		}
	case idle:
	}
	t.job = idle
	t.arm()
}

// arm sets the timer to what is due next.
func (t *turning) arm() {
	if t.job == rounding {
		t.timer.Stop()
		return
	}
	due := t.roundDue
	if t.job == idle && t.unseen() && t.proofDue.Before(due) {
		due = t.proofDue
	}
	if t.job == idle && len(t.hops) > 0 && t.hopsDue.Before(due) {
		due = t.hopsDue
	}
	t.timer.Reset(time.Until(due))
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
