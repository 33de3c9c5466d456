package ddns

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"
)

// Probe is the cheap question between rounds: one packet there, one back. What
// it hears is a hint and no vote, so one operator at a time is enough.
type Probe struct {
	Every   time.Duration // between two questions; 0: none is asked
	Sources map[Family][]Source
}

const (
	// probePatience is how long an answer may take. It comes by one packet.
	probePatience = time.Second
	// probeSilences in a row, of all who are asked, are a hint themselves. After
	// one the next is asked probeAgain later.
	probeSilences = 3
	probeAgain    = 2 * time.Second
	// probeReformed is how often in a row a source has to say what is agreed
	// before a deviation of its is news again. On a home with two lines in turn
	// it never gets there.
	probeReformed = 10
)

// probeAnswer is what one source said to a probe.
type probeAnswer struct {
	family  Family
	source  string
	address netip.Addr
	err     error
}

// probes is the probing of a loop, whose goroutine owns it. One question a
// family is under way at a time.
type probes struct {
	answers  chan []probeAnswer
	running  bool
	stop     context.CancelFunc
	at       time.Time // when the next question is due
	turn     int       // whose turn it is
	families map[Family]probing
}

func newProbes() probes {
	return probes{answers: make(chan []probeAnswer, 1), stop: func() {}, families: map[Family]probing{}}
}

// next is when the next question is due; on is false if none is.
func (p *probes) next(probe Probe) (at time.Time, on bool) {
	return p.at, probe.Every > 0 && !p.running && len(probe.Sources) > 0 && !p.at.IsZero()
}

func (p *probes) due(probe Probe, now time.Time) bool {
	at, on := p.next(probe)
	return on && !now.Before(at)
}

// ask asks one source of each family that is not at rest. The answers come
// through the channel.
func (p *probes) ask(ctx context.Context, probe Probe) {
	p.turn++
	p.at = time.Now().Add(jittered(probe.Every))
	chosen := map[Family]Source{}
	for f, sources := range probe.Sources {
		if s, ok := p.families[f].choose(sources, p.turn); ok {
			chosen[f] = s
		}
	}
	if len(chosen) == 0 {
		return
	}
	ctx, p.stop = context.WithTimeout(ctx, probePatience)
	p.running = true
	go func() { // ends with the context; end waits for it
		answers := make(chan probeAnswer, len(chosen))
		for f, s := range chosen {
			go func() { // awaited below
				address, err := s.Ask(ctx, f)
				answers <- probeAnswer{f, s.Name, unmapped(address), err}
			}()
		}
		var all []probeAnswer
		for range chosen {
			all = append(all, <-answers)
		}
		p.answers <- all
	}()
}

// cut ends the question that is under way: a round asks the same, and better.
func (p *probes) cut() { p.stop() }

// end ends the question that is under way and waits for it.
func (p *probes) end() {
	p.stop()
	if p.running {
		<-p.answers
	}
}

// hear takes in answers. It returns the hints in them, and the givers of hints
// whose old ones are forgotten.
func (p *probes) hear(answers []probeAnswer, agreed func(Family) netip.Addr, now time.Time) (hints []Hint, reformed []string) {
	p.stop()
	p.running = false
	for _, a := range answers {
		if errors.Is(a.err, context.Canceled) {
			continue // a round came in between
		}
		state, hint := p.families[a.family].after(a, agreed(a.family))
		p.families[a.family] = state
		if hint != nil {
			hints = append(hints, *hint)
		}
		if state.again() {
			p.at = now.Add(probeAgain)
		}
		reformed = append(reformed, state.reformed(a)...)
	}
	return hints, reformed
}

// settle follows a round, which asked the same and better: the next question
// is due a whole interval later. Whoever was silent is tried again.
func (p *probes) settle(r Round, probe Probe, now time.Time) {
	p.at = now.Add(jittered(probe.Every))
	for _, v := range r.Verdicts {
		state := p.families[v.Family]
		state.well = v.State == Agreed
		state.quiet, state.silent = nil, 0
		p.families[v.Family] = state
	}
}

// probing is what is known of the probes of one family. Its methods change nothing.
type probing struct {
	well     bool           // the last round agreed
	silent   int            // questions in a row that nobody answered
	quiet    map[string]int // by source: the same, since the last round
	agreeing map[string]int // by source: answers in a row that were the agreed address
	answered int            // questions in a row that somebody answered
}

// choose returns the source whose turn it is. Sources that gave no answer since
// a round found the line well are left alone: what they speak does not get
// through here. While the line is not well, everybody is tried.
func (p probing) choose(sources []Source, turn int) (Source, bool) {
	awake := slices.DeleteFunc(slices.Clone(sources), func(s Source) bool { return p.well && p.quiet[s.Name] >= probeSilences })
	if len(awake) == 0 {
		return Source{}, false
	}
	return awake[turn%len(awake)], true
}

// after takes in an answer. The hint is nil if there is no news.
func (p probing) after(a probeAnswer, agreed netip.Addr) (probing, *Hint) {
	giver := probeOf(a)
	p.quiet, p.agreeing = cloned(p.quiet), cloned(p.agreeing)
	says, news := a.address.String(), a.address != agreed
	if a.err != nil || Sane(a.address, a.family) != nil {
		heard, ok := heardOtherwise(a.err)
		if !ok {
			return p.silence(a)
		}
		a.address, says, news = netip.Addr{}, heard.String(), true
	}
	p.silent, p.answered = 0, min(p.answered+1, probeReformed)
	p.quiet[a.source] = 0
	if !news {
		p.agreeing[a.source] = min(p.agreeing[a.source]+1, probeReformed)
		return p, nil
	}
	p.agreeing[a.source] = 0
	return p, &Hint{Trigger: ByProbe, From: giver, Says: says, Address: a.address}
}

// silence takes in an answer that did not come.
func (p probing) silence(a probeAnswer) (probing, *Hint) {
	p.silent, p.answered = p.silent+1, 0
	p.quiet[a.source]++
	if p.silent != probeSilences {
		return p, nil
	}
	return p, &Hint{Trigger: ByProbe, From: probesOf(a.family), Says: "no answer"}
}

// again reports whether the next question should follow soon.
func (p probing) again() bool { return p.silent > 0 && p.silent < probeSilences }

// reformed are the givers of hints who have said the right thing for long enough.
func (p probing) reformed(a probeAnswer) (givers []string) {
	if p.agreeing[a.source] == probeReformed {
		givers = append(givers, probeOf(a))
	}
	if p.answered == probeReformed {
		givers = append(givers, probesOf(a.family))
	}
	return givers
}

// probeOf and probesOf name who gives a hint.
func probeOf(a probeAnswer) string { return "the probe of " + a.source + " over " + a.family.String() }
func probesOf(f Family) string     { return "the probes over " + f.String() }

// heardOtherwise returns the address that an error came with: the source heard
// us, but as somebody else than it was asked from.
func heardOtherwise(err error) (netip.Addr, bool) {
	e, ok := errors.AsType[interface {
		error
		HeardAddress() netip.Addr
	}](err)
	if !ok {
		return netip.Addr{}, false
	}
	return e.HeardAddress(), true
}
