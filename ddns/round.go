package ddns

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Round is everything that happened once, from asking to proving. It is made
// by one call of Runner.Round and never changed afterwards; log, journal,
// status and messages read it and cannot answer.
type Round struct {
	ID         string
	Started    time.Time
	Took       time.Duration
	Trigger    Trigger
	Hints      []Hint // that led to it
	Dry        bool   // nothing was written
	BrokenOff  bool   // the program was ended in the middle: what was not heard says nothing
	Again      bool   // only the proof was asked for again; all else was told before
	Verdicts   []Verdict
	WAN        WAN
	Names      []NameFinding // what this machine's resolver gets wrong
	Holdings   []Holding     // one for each verdict
	Found      Found         // as it stands after the changes
	Hops       map[string]Hop
	Outcomes   []Outcome // one for each target
	Receipts   []Receipt // one for each change
	Proofs     []Proof
	WaysIn     []WayInOutcome // one for each way in
	LeftBehind []Condition
	Beside     []Condition // of names that no target keeps
	TokenEnd   TokenEnd
	QuietUntil time.Time // Cloudflare asked for no call before; zero if it did not
	Conditions []Condition
	Gap        time.Duration // how long visitors could have failed, at most; 0 if nothing changed
	Calls      int64         // to Cloudflare's API
}

// Trigger is what started a round.
type Trigger string

// The triggers, as in the JSON output.
const (
	ByStart    Trigger = "start"
	BySchedule Trigger = "schedule"
	ByEvent    Trigger = "event"
	ByProbe    Trigger = "probe"
	BySignal   Trigger = "signal"
	ByPoke     Trigger = "poke"
	ByOnce     Trigger = "once"
)

// Past is what a round knows of the rounds before it.
type Past struct {
	Facts  Found
	Memory Memory
	Rounds int
	// Shy counts rounds without a usable answer, by family and source.
	Shy map[Family]map[string]int
	// Resting are sources that asked to be left alone, and until when.
	Resting map[string]time.Time
	// FullAt is when all operators of every roster were last heard of.
	FullAt time.Time
	// Unproved are the targets whose last change the world was not yet seen to show.
	Unproved []string
	// SeenAt is when each family's address was last seen to be what is published.
	SeenAt map[Family]time.Time
	// WAN is what a witness last said. It is told, and holds nothing back.
	WAN WAN
	// Hints are those that lead to the round that comes.
	Hints []Hint
}

// Runner holds what all rounds of a configuration share.
type Runner struct {
	Targets  []Target // sorted by SortTargets
	Rosters  []Roster // one a family that is wanted
	API      API
	Prover   Prover
	Resolver Resolver
	Witness  WANWitness // nil: nobody looks at the WAN side
	Rollback Rollback   // nil: CNAMEs are not replaced
	// Room says how many more records fit into a zone, and the error by which
	// Cloudflare refuses what does not fit, nil if all does. It is asked before what
	// is only planned. Nil: everything fits.
	Room    func(ctx context.Context, zone Zone) (more int, full error)
	WaysIn  []KeptWayIn
	Rules   RuleAPI // nil: no way in is kept
	Owner   string
	Drill   time.Duration
	Recheck time.Duration // facts older than this are read again
	Timeout time.Duration // of the asking
	Assume  netip.Addr    // plan as if the vote had said so; zero: ask
	Asked   []Verdict     // what the sources said a moment ago: they are not asked again
	From    []string      // DDNS hosts that a person says are this home
	Watch   bool          // also look at what no target keeps: hops, and addresses of this home
	Dry     bool          // plan, and write nothing
	Built   time.Time     // a clock before it is wrong; zero: not checked
	Clock   func() time.Time
	Probe   Probe        // between the rounds of a loop
	Calls   func() int64 // API calls made so far
	// Quiet says until when Cloudflare asked for no call, zero if it did not. A
	// one-shot that follows must know. Nil: not known.
	Quiet func() time.Time
	// Connect opens the way to Cloudflare, so that a write finds it open; it
	// returns when it is, or cannot be. Nil: it is opened by the first call.
	Connect func(ctx context.Context)
	// PublishShared writes A records although the provider translates.
	PublishShared bool
	// Bound says that a person chose the line that counts (ip.bind).
	Bound bool
	// Forgets says that nothing is remembered of a round, so that no hold is
	// begun which a later one would end, and spares wait for nobody.
	Forgets bool
	// Keep keeps what must survive a restart and could not be kept before, and says
	// why it still cannot; nil if nothing is owed. A nil Keep keeps nothing.
	Keep func() error
	// Before takes what speaks against a change, before it is written. Nil: nobody.
	Before func(words []string)
	// Applied takes what a round wrote before it is proved, with what is then to
	// be remembered, so that a kill during the proof loses nothing. Nil: nobody.
	Applied func(Round, Past)
	// Names says what this machine's resolver gets wrong of the names of our own.
	// Nil: nobody looks.
	Names func() []NameFinding
	// TokenExpires asks when the token ends; the zero time means never. The
	// account is the one whose zones are kept. Nil: not asked.
	TokenExpires func(ctx context.Context, account string) (time.Time, error)
}

// Round runs all stages, in order. Each takes the values before it and returns
// a new one; none calls back, and none but apply and keepWaysIn changes
// anything outside.
func (r *Runner) Round(ctx context.Context, trigger Trigger, past Past) (Round, Past) {
	return r.RoundUntil(ctx, ctx, trigger, past)
}

// RoundUntil is Round with a context of its own for the proof, which a newer
// change may end: the round then goes on without it.
func (r *Runner) RoundUntil(ctx, patience context.Context, trigger Trigger, past Past) (Round, Past) {
	now, began, calls := r.Clock(), time.Now(), r.Calls()
	round := Round{ID: fmt.Sprintf("%x", now.UnixNano()), Started: now, Trigger: trigger, Hints: past.Hints, Dry: r.Dry}

	asking, stop := context.WithTimeout(ctx, r.Timeout)
	defer stop()

	seen := r.observeAndLook(asking, ctx, trigger, past, now) // observe + look
	round.Found, round.Hops, past.Memory.Hops = seen.found, seen.hops, seen.answered
	for more := seen.first(r); more; more = seen.rest() { // both families, or the slower one afterwards
		round.Verdicts = seen.verdicts()                                         // → vote
		round.WAN = seen.witnessed()                                             //
		round.Holdings, past.Memory = r.hold(round, seen.turn, past.Memory, now) // → hold
		plan := Diff(r.wishes(round, seen.turn), round.Found, past.Memory, now)  // → plan
		r.firstContact(round, plan, past)                                        //
		round = r.apply(ctx, plan, round, seen.turn, past.Memory)                // → apply
		if seen.open() {
			r.applied(round, past) // nothing is lost while the other is waited for
		}
	}
	round.Gap = gap(round, past, r.Clock())                                     //
	round.WaysIn, past.Memory = r.keepWaysIn(ctx, round, past.Memory, now)      //
	r.applied(round, past)                                                      //
	round.Proofs = r.Prover.Verify(patience, r.claims(round, due(round, past))) // → verify
	round.Outcomes = contradict(round.Outcomes, round.Proofs)                   //
	round.LeftBehind = r.leftBehind(ctx, round, past.Memory)                    //
	round.Hops, past.Memory.Hops = r.watchHops(ctx, round, past.Memory.Hops)    //
	round.Beside = r.beside(round, past.Memory)                                 //
	round.TokenEnd = r.tokenEnd(ctx, round.Found, past.Memory.Token, now)       //
	round.Verdicts, round.WAN = r.late(patience, seen, round, past, now)        //
	round.Names = r.misnamed()                                                  //
	round.Conditions = r.assess(round, past.Memory.Raised, r.keep())            // → assess
	round.QuietUntil = r.quiet()
	round.Took, round.Calls, round.BrokenOff = time.Since(began), r.Calls()-calls, ctx.Err() != nil
	return round, Remember(past, round)
}

// quiet is until when Cloudflare asked for no call.
func (r *Runner) quiet() time.Time {
	if r.Quiet == nil {
		return time.Time{}
	}
	return r.Quiet()
}

// keep tries again to keep what is owed, so that assess, which changes nothing,
// can say whether it still is.
func (r *Runner) keep() error {
	if r.Keep == nil {
		return nil
	}
	return r.Keep()
}

// misnamed is what this machine's resolver gets wrong.
func (r *Runner) misnamed() []NameFinding {
	if r.Names == nil {
		return nil
	}
	return r.Names()
}

// applied tells what was written, if anything was.
func (r *Runner) applied(round Round, past Past) {
	if r.Applied == nil || r.Dry || len(round.Receipts) == 0 {
		return
	}
	round.Conditions, round.TokenEnd = past.Memory.Raised, past.Memory.Token // they are judged at the end
	r.Applied(round, Remember(past, round))
}

// hold decides for each family whose turn it is what is done about its verdict.
func (r *Runner) hold(round Round, turn []Family, m Memory, now time.Time) ([]Holding, Memory) {
	holdings := make([]Holding, len(round.Verdicts))
	copy(holdings, round.Holdings)
	for i, v := range round.Verdicts {
		if !slices.Contains(turn, v.Family) {
			holdings[i].Family = v.Family // nothing is done about it yet
			continue
		}
		var fm FamilyMemory
		holdings[i], fm = Hold(v, publishedIn(round.Found, r.Targets, v.Family, m), round.WAN, m.Of(v.Family), now)
		m = m.with(v.Family, fm)
	}
	return holdings, m
}

// wishes is what the plan for some families is made from.
func (r *Runner) wishes(round Round, turn []Family) Wishes {
	holdings := map[Family]Holding{}
	for _, h := range round.Holdings {
		holdings[h.Family] = h
	}
	w := Wishes{Targets: r.Targets, Holdings: holdings, Owner: r.Owner, Drill: r.Drill, Hops: round.Hops}
	if len(turn) < len(round.Verdicts) {
		w.Families, w.Drill = turn, 0 // that is proved by what is written, or next time
	}
	return w
}

// names are the names to read, each once.
func (r *Runner) names() []string {
	names := make([]string, len(r.Targets))
	for i, t := range r.Targets {
		names[i] = t.Name
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// publishedIn is the set of addresses that our records of a family hold: those
// at the targets' names which are not plainly somebody else's. Where nothing
// was read yet, it is what was last confirmed.
func publishedIn(found Found, targets []Target, f Family, m Memory) []netip.Addr {
	var published []netip.Addr
	read := false
	for _, t := range targets {
		z, ok := found.zoneOf(t.Name)
		if t.Family() != f || !ok || z.ReadAt.IsZero() {
			continue
		}
		read = true
		records := slices.DeleteFunc(z.at(t.Name), func(r Record) bool { return r.Type != t.Type || leftAlone(r.Comment) })
		for _, r := range records {
			a := r.Address()
			known := len(records) == 1 || m.knows(a)
			if a.IsValid() && known && !slices.Contains(published, a) {
				published = append(published, a)
			}
		}
	}
	if last := m.Of(f).Confirmed; !read && len(last) > 0 {
		published = last[len(last)-1:]
	}
	slices.SortFunc(published, netip.Addr.Compare)
	return published
}

// resting names the sources that are left alone. One that would be for longer
// than restMost was told so by a clock that has been set back since.
func resting(until map[string]time.Time, now time.Time) map[string]bool {
	names := map[string]bool{}
	for name, t := range until {
		names[name] = now.Before(t) && t.Sub(now) <= restMost
	}
	return names
}
