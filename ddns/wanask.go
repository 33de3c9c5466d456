package ddns

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// wanMoment is how long a write of IPv4 waits for the witness, from when it is
	// asked. A router in the next room answers within it; one that is silent must
	// not hold up a change.
	wanMoment = 150 * time.Millisecond
	// wanLongest is how long a router that has answered here before is waited for
	// where it may contradict a change, and one whose word holds the change anyway.
	wanLongest = 3 * time.Second
	// wanStands is how long what a witness said is still told while it is silent.
	wanStands = 25 * time.Hour
)

// wanInquiry is the asking of the witness in one round. It owns one goroutine
// once it has begun; end waits for it. The nil inquiry asks nobody.
type wanInquiry struct {
	witness WANWitness
	ctx     context.Context
	cancel  context.CancelFunc

	mu       sync.Mutex // guards the following
	began    time.Time  // zero: not yet
	findings []WANFinding
	over     bool          // there will be no more
	news     chan struct{} // closed with each finding, and when it is over
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
		q := &wanInquiry{witness: r.Witness, news: make(chan struct{})}
		q.ctx, q.cancel = context.WithTimeout(ctx, r.Timeout)
		if r.asking(roster, trigger, past, now).All || past.WAN.NAT.Shared() {
			q.begin()
		}
		return q
	}
	return nil
}

// begin asks, unless it was asked already.
func (q *wanInquiry) begin() {
	if q == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.began.IsZero() {
		return
	}
	q.began = time.Now()
	go func() { // ends with the context; end waits for it
		q.witness.WAN(q.ctx, func(f WANFinding) { q.hear(&f) })
		q.hear(nil)
	}()
}

// hear takes in a finding; nil is the last word.
func (q *wanInquiry) hear(f *WANFinding) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if f != nil {
		q.findings = append(q.findings, *f)
	}
	q.over = q.over || f == nil
	close(q.news)
	q.news = make(chan struct{})
}

// heard is what was found so far, and news is closed when that is not all.
func (q *wanInquiry) heard() (findings []WANFinding, over bool, news <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.findings), q.over, q.news
}

// await waits until the findings settle what the witness is asked for, but for
// each only as long as patience says.
func (q *wanInquiry) await(judge func([]WANFinding) WAN, patience func(WAN) time.Duration) WAN {
	for {
		findings, over, news := q.heard()
		w := judge(findings)
		left := time.Until(q.began.Add(patience(w)))
		if over || left <= 0 || q.ctx.Err() != nil {
			return w
		}
		wait := time.NewTimer(left)
		select {
		case <-news:
		case <-wait.C:
		case <-q.ctx.Done():
		}
		wait.Stop()
	}
}

// end gives the witness a moment, ends the asking, and returns what was found.
func (q *wanInquiry) end(moment time.Duration) []WANFinding {
	if q == nil {
		return nil
	}
	defer q.cancel()
	q.mu.Lock()
	begun := !q.began.IsZero()
	q.mu.Unlock()
	if !begun {
		return nil
	}
	wait := time.NewTimer(moment)
	defer wait.Stop()
	for {
		findings, over, news := q.heard()
		if over {
			return findings
		}
		select {
		case <-news:
		case <-wait.C:
			q.cancel() // it ends soon, which is news
		}
	}
}

// hearWitness hears the witness where an A record is about to be created or
// changed. In every other round it waits for nothing and knows nothing, so that
// what a witness said an hour ago holds nothing back: silence publishes.
func (r *Runner) hearWitness(ctx context.Context, s *sight, v Verdict, m Memory, now time.Time) WAN {
	if s.wan == nil || v.Family != IPv4 || !r.writes(s.found, v) {
		return WAN{}
	}
	s.wan.begin()
	published := publishedIn(s.found, r.Targets, IPv4, m)
	change := isChange(v.Address, published)
	judge := func(findings []WANFinding) WAN { return r.judge(v, findings, now) }
	w := s.wan.await(judge, func(w WAN) time.Duration {
		switch {
		case w.Backing > Hearsay && w.NAT == NATSingle:
			return 0
		case w.Backing > Hearsay && w.NAT.Shared(): // its word over TCP may yet come
			return wanLongest
		case change && !w.answered() && !m.RouterAt.IsZero():
			return wanLongest
		default:
			return wanMoment
		}
	})
	if w.against(v.Address, published) {
		w.Still = r.lookStill(ctx, s.found, w, m)
	}
	return w
}

// toldOf are the findings in hints: what the router pushed.
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
func (r *Runner) judge(v Verdict, findings []WANFinding, now time.Time) WAN {
	w := JudgeWAN(v, findings)
	w.Accepted, w.Forgets = r.PublishShared, r.Forgets
	if w.answered() {
		w.At = now
	}
	return w
}

// orStanding is what is known at the end of a round: what its witness said or,
// where none was asked or none answered, what one said lately of the address
// that is still agreed on.
func (w WAN) orStanding(before WAN, now time.Time) WAN {
	since := now.Sub(before.At)
	lately := !before.At.IsZero() && since >= 0 && since <= wanStands
	if !w.At.IsZero() || !lately || w.Agreed.IsValid() && w.Agreed != before.Agreed {
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
