package ddns

import (
	"context"
	"net/netip"
	"slices"
	"time"
)

// job is what runs beside the loop. Probes run beside them all.
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
	wishes   []heard            // of those who wait for it
	reread   bool               // one of them wants the records read again
	hints    []heard            // that no round has followed yet
	followed []heard            // those of the round that runs
	joined   []heard            // that came during it and may be answered by it
	courtesy courtesy
	probes   probes
	roundDue time.Time // by the monotonic clock
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

func newTurning(s Settings, past Past, wall time.Time) *turning {
	return &turning{settings: s, past: past, wanted: ByStart, done: make(chan ended, 1), probes: newProbes(),
		timer: time.NewTimer(time.Hour), wall: wall, mono: time.Now()}
}

// hear takes in a hint. One that is no news is answered by the last round.
// Whether one that comes during a round is news, that round alone shows: the
// last one may be about to be wrong.
func (t *turning) hear(h heard) {
	switch {
	case h.hint.From == "":
		t.wishes = append(t.wishes, h)
		t.reread = t.reread || h.fresh
		t.wish(h.hint.Trigger)
		return
	case t.job == rounding && (t.isFollowed(h.hint) || t.courtesy.muted(h.hint)):
		t.joined = keep(t.joined, h)
		return
	case t.job == rounding || t.last.ID == "" || !t.stale(h):
		t.hints = keep(t.hints, h)
	default:
		h.reply(t.last)
		return
	}
	t.putOff(time.Now())
	t.arm()
}

// wish asks for a round.
func (t *turning) wish(trigger Trigger) {
	t.wanted = trigger
	t.arm()
}

// keep adds a hint to those that wait. Of what a giver says one after the other
// the last word is enough, unless somebody waits for the answer.
func keep(hints []heard, h heard) []heard {
	at := slices.IndexFunc(hints, func(k heard) bool { return k.hint.From == h.hint.From && k.answer == nil })
	if at < 0 || h.answer != nil {
		return append(hints, h)
	}
	if before := hints[at].hint.Address; !before.IsValid() || !h.hint.Address.IsValid() || before.Is4() != h.hint.Address.Is4() {
		h.hint.Address = netip.Addr{} // it is not all that there is to know
	}
	hints[at] = h
	return hints
}

// putOff answers those whose hints have to wait for their round: by the last one,
// but not where they name something else than that.
func (t *turning) putOff(now time.Time) {
	if t.job == rounding || t.patient(now) <= 0 {
		return
	}
	waiting := t.hints
	t.hints = nil
	for _, h := range waiting {
		answer := t.last
		if a := h.hint.Address; a.IsValid() && !t.isAgreed(a) {
			answer = Round{}
		}
		h.reply(answer)
		t.hints = keep(t.hints, heard{hint: h.hint})
	}
}

// patient is how long it is until the first of the hints may be followed.
func (t *turning) patient(now time.Time) time.Duration {
	first := idleBurstTime + time.Hour // more than any has to wait
	for _, h := range t.hints {
		first = min(first, t.courtesy.wait(h.hint.From, now))
	}
	return first
}

// stale reports whether a hint is no news: it was in vain before, or names what
// is agreed on already. Whoever waits for a round has one all the same in the
// latter case, once: he shall see it.
func (t *turning) stale(h heard) bool {
	return t.courtesy.muted(h.hint) || h.answer == nil && t.isAgreed(h.hint.Address)
}

// isAgreed reports whether the last round agreed on an address.
func (t *turning) isAgreed(a netip.Addr) bool { return a.IsValid() && a == t.agreed(FamilyOf(a)) }

// isFollowed reports whether the round that runs was started for the address of a hint.
func (t *turning) isFollowed(h Hint) bool {
	return h.Address.IsValid() && slices.ContainsFunc(t.followed, func(f heard) bool { return f.hint.Address == h.Address })
}

// agreed is the address that the last round agreed on; zero if it did not.
func (t *turning) agreed(f Family) netip.Addr {
	if v := verdictOf(t.last.Verdicts, f); v.State == Agreed {
		return v.Address
	}
	return netip.Addr{}
}

// reply gives the round to whoever waits for it.
func (h heard) reply(r Round) {
	if h.answer != nil {
		h.answer <- r // it has room for one
	}
}

// due is the round to start now; "" is none.
func (t *turning) due() Trigger {
	now := time.Now()
	pauses := wished(t.wanted) && t.next == nil && now.Before(t.roundDue) && t.courtesy.pause(now) > 0
	if t.wanted != "" && !pauses {
		return t.wanted
	}
	for _, h := range t.hints {
		if t.courtesy.wait(h.hint.From, now) <= 0 {
			return h.hint.Trigger
		}
	}
	return ""
}

// takeUp starts the round that is wanted, with new settings if there are any.
// A newer round ends the proof of the one before it, and the watching.
func (t *turning) takeUp(ctx context.Context) {
	trigger := t.due()
	switch {
	case trigger == "":
		return
	case t.job != idle:
		t.cut()
		return
	case t.next != nil:
		t.settings, t.next = *t.next, nil
		t.past.Facts = t.past.Facts.stale() // whoever reloads may have changed records as well
	case t.reread && t.courtesy.mayReread(len(t.past.Facts.Zones), time.Now()):
		t.courtesy = t.courtesy.reread(time.Now())
		t.past = t.past.stale()
	}
	t.reread = false
	t.past.Hints = nil
	for _, h := range t.hints {
		t.past.Hints = append(t.past.Hints, h.hint)
	}
	t.followed = slices.Concat(t.hints, t.wishes)
	t.wanted, t.hints, t.wishes = "", nil, nil
	t.probes.cut()
	runner, past := t.settings.Runner, t.past
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
// look at what was not yet seen, or at the hops, or a probe. None of them holds
// up a round.
func (t *turning) fire(ctx context.Context) {
	now := time.Now()
	runner, last, past, hops := t.settings.Runner, t.last, t.past, t.hops
	if t.job == rounding {
		return
	}
	if t.probes.due(t.settings.Runner.Probe, now) {
		t.probes.ask(ctx, t.settings.Runner.Probe)
	}
	switch {
	case !now.Before(t.roundDue):
		if t.wanted == "" { // who waits for a round has asked for more than the schedule does
			t.wanted = BySchedule
		}
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
	t.arm()
}

// unseen reports whether there is something to look for again.
func (t *turning) unseen() bool {
	return len(t.past.Unproved) > 0 && changedAny(t.last) && time.Since(t.changed) < proofLongest
}

// finish takes in a job that ended and sets the time of the next.
func (t *turning) finish(e ended, wall time.Time) {
	now := time.Now()
	before := t.last
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
		t.listened(before, now)
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
	t.putOff(now)
	t.arm()
}

// listened answers the hints that the round followed, and drops those that came
// meanwhile and are no news after it.
func (t *turning) listened(before Round, now time.Time) {
	var hints []Hint
	for _, h := range t.followed {
		if h.hint.From != "" {
			hints = append(hints, h.hint)
		}
		h.reply(t.last)
	}
	t.courtesy = t.courtesy.after(hints, t.last, t.last.news(before), now)
	t.followed = nil
	t.hints, t.joined = t.news(t.hints, t.stale), t.news(t.joined, func(h heard) bool { return t.stale(h) || t.isAgreed(h.hint.Address) })
	for _, h := range t.joined { // it had voted before they came
		t.hints = keep(t.hints, h)
	}
	t.joined = nil
	t.probes.settle(t.last, t.settings.Runner.Probe, now)
}

// news returns those of some hints that are none of the stale ones, which the
// last round answers.
func (t *turning) news(hints []heard, stale func(heard) bool) (news []heard) {
	for _, h := range hints {
		if stale(h) {
			h.reply(t.last)
			continue
		}
		news = append(news, h)
	}
	return news
}

// news reports whether a round found that something had changed.
func (r Round) news(before Round) bool {
	return changedAny(r) || slices.ContainsFunc(r.Verdicts, func(v Verdict) bool {
		return v.State == Agreed && v.Address != verdictOf(before.Verdicts, v.Family).Address
	})
}

// probed takes in the answers of a probe.
func (t *turning) probed(answers []probeAnswer) {
	hints, reformed := t.probes.hear(answers, t.agreed, time.Now())
	for _, giver := range reformed {
		t.courtesy = t.courtesy.forgive(giver)
	}
	if t.job != rounding { // what was asked before a round says nothing after it
		for _, h := range hints {
			t.hear(heard{hint: h})
		}
	}
	t.arm()
}

// arm sets the timer to what is due next.
func (t *turning) arm() {
	if t.job == rounding || t.due() != "" { // what ends now arms it again
		t.timer.Stop()
		return
	}
	due := t.roundDue
	sooner := func(at time.Time) {
		if at.Before(due) {
			due = at
		}
	}
	if at, on := t.probes.next(t.settings.Runner.Probe); on {
		sooner(at)
	}
	now := time.Now()
	if len(t.hints) > 0 {
		sooner(now.Add(t.patient(now)))
	}
	if wished(t.wanted) {
		sooner(now.Add(t.courtesy.pause(now)))
	}
	if t.job == idle && t.unseen() {
		sooner(t.proofDue)
	}
	if t.job == idle && len(t.hops) > 0 {
		sooner(t.hopsDue)
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
