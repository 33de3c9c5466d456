package ddns

import (
	"context"
	"time"
)

const (
	// wanMoment is how long a write of IPv4 waits past the vote for the witness.
	// A router in the next room answers within it; one that is silent must not
	// hold up a change.
	wanMoment = 150 * time.Millisecond
	// wanStands is how long what a witness said is still told while it is silent.
	wanStands = 25 * time.Hour
)

// wanInquiry is the asking of the witness in one round. It owns one goroutine
// once it has begun; end waits for it. The nil inquiry asks nobody.
type wanInquiry struct {
	witness  WANWitness
	ctx      context.Context
	cancel   context.CancelFunc
	done     chan struct{} // nil: not begun
	findings []WANFinding  // to be read once done is closed
}

// askWAN makes the inquiry of a round, which begins at once if everybody is
// asked in it, or if the provider translated when last heard of: that may hold
// a change, or may have ended. It is nil where there is no witness, or no IPv4
// to keep.
func (r *Runner) askWAN(ctx context.Context, trigger Trigger, past Past, now time.Time) *wanInquiry {
	if r.Witness == nil {
		return nil
	}
	for _, roster := range r.Rosters {
		if roster.Family != IPv4 {
			continue
		}
		q := &wanInquiry{witness: r.Witness}
		q.ctx, q.cancel = context.WithTimeout(ctx, r.Timeout)
		if r.asking(roster, trigger, past, now).All || past.WAN.NAT.Shared() {
			q.begin()
		}
		return q
	}
	return nil
}

func (q *wanInquiry) begin() {
	if q.done != nil {
		return
	}
	done := make(chan struct{})
	q.done = done
	go func() { // ends with the context; end waits for it
		defer close(done)
		q.findings = q.witness.WAN(q.ctx)
	}()
}

// end gives the witness a moment, ends the asking, and returns what was found.
func (q *wanInquiry) end(moment time.Duration) []WANFinding {
	if q == nil {
		return nil
	}
	defer q.cancel()
	if q.done == nil {
		return nil
	}
	over := time.NewTimer(moment)
	defer over.Stop()
	select {
	case <-q.done:
	case <-over.C:
		q.cancel()
		<-q.done
	}
	return q.findings
}

// beforeWrite hears the witness where an A record is about to be created or
// changed. In every other round it waits for nothing and knows nothing, so that
// what a witness said an hour ago holds nothing back: silence publishes.
func (r *Runner) beforeWrite(s *sight, now time.Time) WAN {
	verdicts := s.verdicts()
	if s.wan == nil || !r.writes(s.found, verdictOf(verdicts, IPv4)) {
		return WAN{}
	}
	s.wan.begin()
	return r.judge(verdicts, append(s.wan.end(wanMoment), s.told...), now)
}

// toldOf are the findings in hints: what the router pushed or announced.
func toldOf(hints []Hint) (told []WANFinding) {
	for _, h := range hints {
		if h.Witness && h.Address.Is4() {
			told = append(told, WANFinding{By: h.From, Address: h.Address})
		}
	}
	return told
}

// writes reports whether a family was agreed on and not every record of it that
// is wanted holds the address.
func (r *Runner) writes(found Found, v Verdict) bool {
	if v.State != Agreed {
		return false
	}
	for _, t := range r.Targets {
		z, ok := found.zoneOf(t.Name)
		if t.Family() != v.Family || !ok || z.ReadAt.IsZero() {
			continue
		}
		holds := false
		for _, rec := range z.at(t.Name) {
			holds = holds || rec.Type == t.Type && rec.Address() == v.Address || leftAlone(rec.Comment)
		}
		if !holds {
			return true
		}
	}
	return false
}

// judge is JudgeWAN with what the configuration says.
func (r *Runner) judge(verdicts []Verdict, findings []WANFinding, now time.Time) WAN {
	w := JudgeWAN(verdictOf(verdicts, IPv4), findings)
	w.Accepted = r.PublishShared
	if w.answered() {
		w.At = now
	}
	return w
}

// orStanding is what is known at the end of a round: what its witness said or,
// where none was asked or none answered, what one said lately.
func (w WAN) orStanding(before WAN, now time.Time) WAN {
	if since := now.Sub(before.At); !w.At.IsZero() || before.At.IsZero() || since < 0 || since > wanStands {
		return w
	}
	before.Accepted = w.Accepted
	return before
}

func verdictOf(verdicts []Verdict, f Family) Verdict {
	for _, v := range verdicts {
		if v.Family == f {
			return v
		}
	}
	return Verdict{Family: f}
}
