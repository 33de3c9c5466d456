package ddns

import (
	"context"
	"slices"
	"sync"
	"time"
)

// sight is what a round sees: the records, and what the sources say. Both
// families are written together, unless one of them keeps the other waiting.
type sight struct {
	found    Found
	hops     map[string]Hop
	answered map[string]HopSeen // what each hop last answered
	wan      *wanInquiry
	told     []WANFinding // by those who gave hints
	turn     []Family     // whose turn it is to be written

	votes   []vote   // one a roster; its content is for who heard of it by decided
	decided chan int // which of them have fallen; it has room for all

	looked  chan struct{} // closed when found is known
	connect func()        // opens the way to Cloudflare, once
	opening sync.WaitGroup
	close   context.CancelFunc // ends the opening
}

// vote is the vote of one family in a round.
type vote struct {
	family  Family
	verdict Verdict
	inquiry *inquiry // still open; nil if nobody was asked
	wan     WAN      // what a witness says of it, where something is to be written
	taken   bool     // the round knows of it
}

// otherMoment is how long a family that has something to write waits for the other.
const otherMoment = 200 * time.Millisecond

// observeAndLook asks the sources and reads the records at the same time. It
// returns when the records are known; the votes fall as soon as neither vote
// nor hold can come out otherwise.
func (r *Runner) observeAndLook(asking, looking context.Context, trigger Trigger, past Past, now time.Time) *sight {
	s := &sight{told: toldOf(past.Hints), votes: make([]vote, len(r.Rosters)), decided: make(chan int, len(r.Rosters)), looked: make(chan struct{})}
	opening, stop := context.WithCancel(looking)
	s.close = stop
	s.connect = sync.OnceFunc(func() {
		if r.Connect != nil && !r.Dry {
			s.opening.Go(func() { r.Connect(opening) })
		}
	})
	if woken(trigger) {
		s.connect()
	}
	if !r.Assume.IsValid() {
		s.wan = r.askWAN(looking, trigger, past, now)
	}
	for i, roster := range r.Rosters {
		s.votes[i].family = roster.Family
		go func() { // ends with asking and looking; rest waits for it
			v := &s.votes[i]
			if r.Assume.IsValid() || r.Asked != nil {
				v.verdict = r.known(i)
			} else {
				v.inquiry, v.verdict = r.ask(asking, s, roster, trigger, past, now)
			}
			<-s.looked
			v.wan = r.hearWitness(looking, s, v.verdict, past.Memory, now)
			s.decided <- i
		}()
	}
	s.found = Look(looking, r.API, r.names(), past.Facts, r.Recheck, now)
	close(s.looked)
	brief, cancel := context.WithTimeout(looking, hopsPatience)
	defer cancel()
	s.hops, s.answered = r.AskHops(brief, hopTargets(r.Targets, s.found), past.Memory.Hops, now)
	return s
}

// woken reports whether something speaks for a change, so that a write is
// likely: the way to Cloudflare is opened while the vote is under way.
func woken(t Trigger) bool { return t == ByEvent || t == ByProbe || t == ByPoke || t == BySignal }

// ask asks one roster until the vote has fallen.
func (r *Runner) ask(asking context.Context, s *sight, roster Roster, trigger Trigger, past Past, now time.Time) (*inquiry, Verdict) {
	fm := past.Memory.Of(roster.Family)
	how := r.asking(roster, trigger, past, now)
	q := ask(asking, roster, how)
	q.wait(func(said []Observation, outstanding []Source) bool {
		if len(how.Expected) > 0 && slices.ContainsFunc(said, func(o Observation) bool { return o.Err == nil && !slices.Contains(how.Expected, o.Address) }) {
			s.connect()
			if roster.Family == IPv4 {
				s.wan.begin()
			}
		}
		select {
		case <-s.looked:
			published := publishedIn(s.found, r.Targets, roster.Family, past.Memory)
			return Final(roster, said, outstanding, published, fm, now)
		default:
			return false // what is published is not known yet
		}
	}, s.looked)
	return q, Vote(roster, q.heard())
}

// first waits for the votes, and says whose turn it is. A family that has
// something to write waits for the other only a moment.
func (s *sight) first(r *Runner) bool {
	var moment <-chan time.Time
	for s.open() {
		select {
		case i := <-s.decided:
			if s.take(i); moment == nil && r.presses(s, s.votes[i].verdict) {
				moment = time.After(otherMoment)
			}
		case <-moment:
			return true
		}
	}
	return true
}

// rest waits for the votes that first did not wait for. It is false if there were none.
func (s *sight) rest() bool {
	s.turn = nil
	for s.open() {
		s.take(<-s.decided)
	}
	return len(s.turn) > 0
}

// open reports whether a vote has not fallen yet.
func (s *sight) open() bool {
	for i := range s.votes { // in place: what else is in a vote may just be written
		if !s.votes[i].taken {
			return true
		}
	}
	return false
}

func (s *sight) take(i int) {
	s.votes[i].taken = true
	s.turn = append(s.turn, s.votes[i].family)
}

// verdicts are those of all families. One whose vote has not fallen is unknown.
func (s *sight) verdicts() []Verdict {
	verdicts := make([]Verdict, len(s.votes))
	for i := range s.votes {
		if v := &s.votes[i]; v.taken {
			verdicts[i] = v.verdict
		} else {
			verdicts[i] = Verdict{Family: v.family, Why: "still being asked"}
		}
	}
	return verdicts
}

// witnessed is what the witness says of what is about to be written.
func (s *sight) witnessed() WAN {
	for i := range s.votes {
		if v := &s.votes[i]; v.taken && v.family == IPv4 {
			return v.wan
		}
	}
	return WAN{}
}

// presses reports whether a verdict is to be written and must not wait. What
// takes the place of a CNAME goes in one batch for both families.
func (r *Runner) presses(s *sight, v Verdict) bool {
	return r.writes(s.found, v) && len(hopTargets(r.Targets, s.found)) == 0
}

// asking says how a roster is asked: a quiet round asks a quorum, and all
// others only when something is odd.
func (r *Runner) asking(roster Roster, trigger Trigger, past Past, now time.Time) Asking {
	expected := publishedIn(past.Facts, r.Targets, roster.Family, past.Memory)
	woken := trigger != BySchedule || past.Rounds == 0
	fm := past.Memory.Of(roster.Family)
	gone := map[string]bool{}
	for name, silence := range fm.Silent {
		gone[name] = silence.gone(now)
	}
	return Asking{
		All:      woken || len(expected) == 0 || fm.unsettled() || past.wantsFull(now),
		Expected: expected,
		Shy:      past.Shy[roster.Family],
		Resting:  resting(past.Resting, now),
		Gone:     gone,
		Forgets:  r.Forgets,
	}
}

// fullEvery is how often everybody is asked although all is quiet: operators
// that quiet rounds never ask would otherwise fall silent unseen.
const fullEvery = 24 * time.Hour

// wantsFull reports whether everybody is to be heard of again.
func (p Past) wantsFull(now time.Time) bool { return now.Sub(p.FullAt) >= fullEvery }

// late gives the stragglers a moment to show dissent, and ends the asking. What they say
// is shown and remembered of them; it cannot change what was decided. Where everybody
// is to be heard of, and nothing hurries, the moment is as long as the asking may take:
// else nobody would ever know of an operator that does not answer at all.
func (r *Runner) late(patience context.Context, s *sight, round Round, past Past, now time.Time) ([]Verdict, WAN) {
	before, moment, curious := past.WAN, lateMoment, round.Trigger == BySchedule && past.wantsFull(now)
	if curious {
		moment = r.Timeout
	}
	defer s.opening.Wait()
	defer s.close()
	verdicts := s.verdicts()
	var found []WANFinding
	var closing sync.WaitGroup
	closing.Go(func() { found = s.wan.end(lateMoment) })
	for i, v := range s.votes {
		if v.inquiry != nil {
			closing.Go(func() {
				heard := sorted(v.inquiry.close(patience, moment, curious))
				verdicts[i].Observations = past.Memory.Of(v.family).dated(heard, now)
				verdicts[i].Unfilled = v.inquiry.unfilled()
			})
		}
	}
	closing.Wait()
	if !round.moved(IPv4) { // what was pushed before a change says nothing after it
		found = append(found, s.told...)
	}
	return verdicts, r.judge(verdictOf(verdicts, IPv4), found, now).orStanding(before, now)
}

// lateMoment is what stragglers get after everything was done.
const lateMoment = 300 * time.Millisecond

// unsettled reports whether a guard holds a change, which is then looked at
// by full rounds.
func (fm FamilyMemory) unsettled() bool { return fm.Veto.Rounds > 0 || fm.Damped.Confirmed > 0 }

// known is the verdict for a roster that is not asked.
func (r *Runner) known(i int) Verdict {
	if r.Assume.IsValid() {
		return r.assumed()[i]
	}
	return r.Asked[i]
}

// assumed are the verdicts of --assume: the person's word instead of a vote.
func (r *Runner) assumed() []Verdict {
	verdicts := make([]Verdict, len(r.Rosters))
	for i, roster := range r.Rosters {
		verdicts[i] = Verdict{Family: roster.Family, Quorum: roster.Needed(), Operators: roster.Operators(), Why: "not asked: another family's address is assumed"}
		if FamilyOf(r.Assume) == roster.Family {
			verdicts[i].State, verdicts[i].Address = Agreed, r.Assume
			verdicts[i].Voices = []Voice{{Address: r.Assume, Operators: []string{"--assume"}}}
			verdicts[i].Why = "assumed, nobody was asked"
		}
	}
	return verdicts
}
