package ddns

import (
	"net/netip"
	"slices"
	"time"
)

// A Hint is word that the home's address may have changed: from the kernel, the
// router, a probe, a push. Nobody has to prove who he is to give one, so a hint
// can start a round and nothing else. What it names is never published; a
// quorum of sources is asked, as in any round.
type Hint struct {
	Trigger Trigger // ByEvent or ByProbe
	// From is who gives it, in a person's words: "the kernel", "the router
	// 192.168.1.1", "the push of router". One giver that says the same again is
	// not listened to, see courtesy.
	From string
	// Says is what he says, in a person's words: "45.67.89.10", "no answer".
	Says string
	// Address is what he names; zero if he names none. If it is the agreed one
	// already, there is no news.
	Address netip.Addr
	// Gone are addresses of this machine that it no longer has, or that no
	// longer lead anywhere: what was connected from them hangs.
	Gone []netip.Addr
	// Witness is set if Address is the word of the router of this home on its
	// WAN side, which then explains the round that follows.
	Witness bool
}

// Rounds that hints may start although nothing had changed. The sources that
// are asked in them serve the whole world for nothing. One giver has two
// thirds of them: a router that lies for ever must not silence the probes.
const (
	idleBurst     = 6 // in idleBurstTime
	idleBurstTime = 10 * time.Minute
	idleHourly    = 12
)

// Rounds that somebody wishes for are always made, but a hook in a loop is no
// reason to ask without a pause: after wishBurst of them in vain within
// wishBurstTime the next begins wishPause after the last.
const (
	wishBurst     = 6
	wishBurstTime = time.Minute
	wishPause     = 5 * time.Second
)

// A wish may also have the records read again: rereadMost times in rereadTime,
// and less often where that takes more than rereadCalls calls.
const (
	rereadMost  = 6
	rereadCalls = 60
	rereadTime  = time.Minute
)

// courtesy keeps hints from becoming a storm of questions. A giver whose hint
// led to a round in which nothing had changed is mute until he says something
// else, and there are only so many such rounds in a while. Poke and signal are
// a person's wish, or a hook's, and are always followed, many of them by one round.
type courtesy struct {
	said   map[string]string // by giver: what he said in vain
	idle   []vain            // the newest last
	wished []time.Time       // when rounds ended that were wished for in vain; the newest last
	read   []time.Time       // when records were read again for a wish; the newest last
}

// vain is a round that hints had started although nothing had changed.
type vain struct {
	ended  time.Time
	givers []string
}

// muted reports whether a hint is one that was in vain before.
func (c courtesy) muted(h Hint) bool {
	said, ok := c.said[h.From]
	return ok && said == h.Says
}

// wait is how long the hint of a giver has to wait for its round; zero, or less,
// means not at all. The next scheduled round ends every wait.
func (c courtesy) wait(giver string, now time.Time) (wait time.Duration) {
	his := slices.DeleteFunc(slices.Clone(c.idle), func(v vain) bool { return !slices.Contains(v.givers, giver) })
	for _, limit := range []struct {
		rounds int
		within time.Duration
	}{{idleBurst, idleBurstTime}, {idleHourly, time.Hour}} {
		wait = max(wait, untilRoom(c.idle, limit.rounds, limit.within, now), untilRoom(his, limit.rounds*2/3, limit.within, now))
	}
	return wait
}

// untilRoom is how long it is until fewer than so many rounds are within a while.
func untilRoom(idle []vain, rounds int, within time.Duration, now time.Time) time.Duration {
	if n := len(idle); n >= rounds {
		return idle[n-rounds].ended.Add(within).Sub(now)
	}
	return 0
}

// pause is how long a round that is wished for has to wait; zero, or less, means
// not at all.
func (c courtesy) pause(now time.Time) time.Duration {
	if n := len(c.wished); n >= wishBurst && now.Sub(c.wished[n-wishBurst]) < wishBurstTime {
		return c.wished[n-1].Add(wishPause).Sub(now)
	}
	return 0
}

// mayReread reports whether the records of so many zones may be read again.
func (c courtesy) mayReread(zones int, now time.Time) bool {
	most := max(1, min(rereadMost, rereadCalls/max(zones, 1)))
	return len(c.read) < most || now.Sub(c.read[len(c.read)-most]) >= rereadTime
}

// reread notes that they are.
func (c courtesy) reread(now time.Time) courtesy {
	c.read = append(slices.Clone(c.read), now)
	c.read = c.read[max(0, len(c.read)-rereadMost):]
	return c
}

// wished reports whether a person or a hook asked for a round.
func wished(t Trigger) bool { return t == ByPoke || t == BySignal }

// after notes how the round of some hints ended. A change takes back all that
// was held against anybody: what was in vain before it may be news after it.
// Whether a hint was in vain is not known where the sources did not agree; but a
// probe would ask for the same round again and again.
func (c courtesy) after(hints []Hint, round Round, changed bool, now time.Time) courtesy {
	if changed {
		c.said, c.wished = nil, nil
		return c
	}
	if wished(round.Trigger) {
		c.wished = append(slices.Clone(c.wished), now)
		c.wished = c.wished[max(0, len(c.wished)-wishBurst):]
	}
	if len(hints) == 0 {
		return c
	}
	c.said = cloned(c.said)
	v := vain{ended: now}
	for _, h := range hints {
		if round.allAgreed() || h.Trigger == ByProbe {
			c.said[h.From] = h.Says
		}
		v.givers = append(v.givers, h.From)
	}
	if round.Trigger == ByEvent || round.Trigger == ByProbe { // no other was theirs
		c.idle = append(slices.Clone(c.idle), v)
		c.idle = c.idle[max(0, len(c.idle)-idleHourly):]
	}
	return c
}

// forgive forgets what a giver said in vain.
func (c courtesy) forgive(giver string) courtesy {
	if _, ok := c.said[giver]; ok {
		c.said = cloned(c.said)
		delete(c.said, giver)
	}
	return c
}

// allAgreed reports whether the sources of every family agreed.
func (r Round) allAgreed() bool {
	return !slices.ContainsFunc(r.Verdicts, func(v Verdict) bool { return v.State != Agreed })
}
