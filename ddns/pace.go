package ddns

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

// Schedule says when the next full round is due. Those of robfig/cron fit.
type Schedule interface {
	Next(now time.Time) time.Time
}

// The pace at which rounds follow each other while something is not right.
// Each is short enough that cfddns is right within half a minute of the first
// packet that gets through, and long enough that nobody is stormed.
const (
	paceFirst = 2 * time.Second
	// paceDark is the longest wait while nobody at all can be reached: asking
	// costs nobody anything then.
	paceDark = 20 * time.Second
	// paceOdd is the longest wait while sources answer and do not agree, and
	// while Cloudflare cannot serve us; it is reached after some ten minutes.
	paceOdd = 5 * time.Minute
	// paceClock is the wait while the clock is wrong.
	paceClock = 5 * time.Second
	// paceGuard is the first wait while a guard holds a change: long enough to
	// count as a second round. paceGuarded is the longest.
	paceGuard   = 6 * time.Second
	paceGuarded = vetoLongest / vetoRounds
	// paceStill is the wait while proxied names stay where visitors still find the
	// home, and until it is looked whether they do.
	paceStill = 2 * time.Minute
	// paceProof is the wait between questions about what was not yet seen, for proofLongest.
	paceProof    = 15 * time.Second
	proofLongest = 5 * time.Minute
	// paceHops is the wait between two questions to the watched hosts, paceHopEach
	// for each of them where there are many, and paceHopAgain that until one that
	// was silent is asked again.
	paceHops     = 2 * time.Minute
	paceHopEach  = 12 * time.Second
	paceHopAgain = darkLeast
	// retryAfterMost is the longest Retry-After that is obeyed.
	retryAfterMost = 10 * time.Minute
)

// pace remembers how many rounds were not right since the last one that was.
type pace struct {
	dark    int // in which nobody was reached
	guarded int // in which a guard held a change
	odd     int // that were not right for another reason that passes by itself
}

// after returns the pace after a round, and how long to wait for the next one;
// zero leaves it to the schedule.
func (p pace) after(r Round) (pace, time.Duration) {
	var wait time.Duration
	switch {
	case hasCode(r.Conditions, CodeClock):
		return pace{}, paceClock
	case r.dark():
		p.dark++
		wait = jittered(doubled(paceFirst, p.dark, paceDark))
	case r.guarded():
		p.guarded++
		wait = min(doubled(paceGuard, p.guarded, paceGuarded), r.guardEnds())
	case r.passing():
		p.odd++
		wait = jittered(p.oddWait())
	case slices.ContainsFunc(r.Holdings, func(h Holding) bool { return h.ProxiedWait }):
		return pace{}, max(paceStill, r.askedToWait())
	case r.wayless() && p.odd >= waylessTries:
		return p, 0
	case r.wayless():
		p.odd++
		wait = jittered(p.oddWait())
	default:
		return pace{}, 0
	}
	return p, max(wait, r.askedToWait())
}

// waylessTries is how many rounds look again soon for a way out that is missing:
// one may come in the moment in which nobody listens to the kernel yet. After
// them it is the kernel's word, or the schedule, that leads to the next.
const waylessTries = 3

// oddQuick is how many rounds follow each other quickly: ten minutes of them.
const oddQuick = 30

// oddWait grows to paceDark and stays there for some ten minutes, since most
// outages are over by then; one that lasts is asked about less and less.
func (p pace) oddWait() time.Duration {
	if p.odd <= oddQuick {
		return doubled(paceFirst, p.odd, paceDark)
	}
	return doubled(paceDark, p.odd-oddQuick+1, paceOdd)
}

// dark reports whether no packet got through: no source told an address, not
// even one that is no vote.
func (r Round) dark() bool {
	asked := false
	for _, v := range r.Verdicts {
		for _, o := range v.Observations {
			if o.Err == nil || heardSomething(o.Err) {
				return false
			}
			asked = asked || !isNoWayOut(o.Err)
		}
	}
	return asked && r.wants()
}

// heardSomething reports whether an error came with an address that cannot be
// this home's. Whoever tells it works, and is not to be asked as if nobody did.
func heardSomething(err error) bool {
	_, ok := heardOtherwise(err)
	return ok
}

// isNoWayOut reports whether a source was not asked, since this machine has no
// route that its family could leave by.
func isNoWayOut(err error) bool {
	_, ok := errors.AsType[interface {
		error
		NoWayOut()
	}](err)
	return ok
}

// hasNoWay reports whether no source of a family could be asked.
func (r Round) hasNoWay(f Family) bool {
	observations := verdictOf(r.Verdicts, f).Observations
	return len(observations) > 0 && !slices.ContainsFunc(observations, func(o Observation) bool { return !isNoWayOut(o.Err) })
}

// wayless reports whether a name is held since its family has no way out.
func (r Round) wayless() bool {
	return slices.ContainsFunc(r.Outcomes, func(o Outcome) bool { return o.State == Held && r.hasNoWay(o.Target.Family()) })
}

// wants reports whether any target is not right.
func (r Round) wants() bool {
	return slices.ContainsFunc(r.Outcomes, func(o Outcome) bool { return o.State != Right && o.State != Changed }) ||
		slices.ContainsFunc(r.WaysIn, WayInOutcome.passing)
}

// guarded reports whether a guard holds a change that more rounds can free.
func (r Round) guarded() bool {
	return slices.ContainsFunc(r.Holdings, Holding.pressing)
}

// pressing reports whether a guard holds a change that more rounds can free. The
// provider's NAT is not gone a minute later, unless that is hardly more than a tale.
func (h Holding) pressing() bool {
	return h.Decision == Wait && (h.Guard != CGNATGuard || !h.Until.IsZero())
}

// Counting reports whether a witness holds a change until a time that only a
// round which remembers this one would know.
func (r Round) Counting() bool {
	return slices.ContainsFunc(r.Holdings, func(h Holding) bool {
		return h.Decision == Wait && !h.Until.IsZero() && (h.Guard == CGNATGuard || h.Guard == RouterGuard)
	})
}

// guardEnds is how long it is, after the round, until the first of the guards
// that hold a change ends. One that should have ended waits for rounds, and is
// given the next after paceGuard.
func (r Round) guardEnds() time.Duration {
	first := paceGuarded
	for _, h := range r.Holdings {
		if h.pressing() {
			first = min(first, h.Until.Sub(r.Started)-r.Took)
		}
	}
	if first <= 0 {
		return paceGuard
	}
	return max(first, time.Second)
}

// passing reports whether something is wrong that may pass by itself. What
// only a person can mend (a CNAME, a permission) is looked at by the schedule.
func (r Round) passing() bool {
	if slices.ContainsFunc(r.WaysIn, WayInOutcome.passing) {
		return true
	}
	return slices.ContainsFunc(r.Outcomes, func(o Outcome) bool {
		switch o.State {
		case Unreached:
			return true
		case Held:
			return o.Code == "" && o.Until.IsZero() && !r.behindCGNAT(o.Target.Family()) && !r.hasNoWay(o.Target.Family())
		case Refused:
			return o.Code == CodeToken || o.Code == CodeTokenFilter
		default:
			return false
		}
	})
}

// behindCGNAT reports whether a family is held since the provider translates.
func (r Round) behindCGNAT(f Family) bool {
	return slices.ContainsFunc(r.Holdings, func(h Holding) bool { return h.Family == f && h.Guard == CGNATGuard })
}

// holdingOf is what is done about a family; the zero Holding if nothing is.
func (r Round) holdingOf(f Family) Holding {
	i := slices.IndexFunc(r.Holdings, func(h Holding) bool { return h.Family == f })
	if i < 0 {
		return Holding{}
	}
	return r.Holdings[i]
}

// askedToWait is the longest Retry-After that Cloudflare asked for.
func (r Round) askedToWait() (longest time.Duration) {
	note := func(err error) {
		if e, ok := asError(err); ok {
			longest = max(longest, min(e.RetryAfter, retryAfterMost))
		}
	}
	for _, o := range r.Outcomes {
		note(o.Err)
	}
	for _, o := range r.WaysIn {
		note(o.Err)
	}
	for _, rc := range r.Receipts {
		note(rc.Err)
	}
	return longest
}

// doubled is first, doubled for each time after the first, at most longest.
func doubled(first time.Duration, times int, longest time.Duration) time.Duration {
	for ; times > 1 && first < longest; times-- {
		first *= 2
	}
	return min(first, longest)
}

// jittered takes up to a tenth off, so that many homes on one failed line do
// not come back in step.
func jittered(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/10+1))
}

func hasCode(conditions []Condition, code Code) bool {
	return slices.ContainsFunc(conditions, func(c Condition) bool { return c.Code == code })
}
