package ddns

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// TestEveryTrueChangeIsPublishedWithinItsBound makes 100,000 rounds of homes that
// move while operators are silent, others name the old address for ever, the line
// forges what it can, neighbours answer in the router's name, the clock is set by
// nine hours, and the line was down for ten minutes. Wherever those who speak the
// truth are a quorum, it is published soon: at once if fewer than two voices name
// what is published, else when their veto ends.
func TestEveryTrueChangeIsPublishedWithinItsBound(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 1))
			var changes, vetoed int
			for rounds := 0; rounds < 25_000; {
				m := newMovingHome(random)
				for range 20 {
					rounds += m.move(t)
					changes++
				}
				vetoed += m.vetoes
			}
			if vetoed < changes/50 {
				t.Errorf("of %d changes %d were held up: these try nothing", changes, vetoed)
			}
		})
	}
}

// movingHome is a home that moves, and what stands in the way of knowing it.
type movingHome struct {
	world
	silent map[string]bool // operators that never answer
	stale  map[string]bool // operators that name what was published before
	before netip.Addr
	lived  time.Duration // by no clock that can be set
	vetoes int           // changes that were held up by one
}

func newMovingHome(random *rand.Rand) *movingHome {
	for {
		m := &movingHome{world: world{Rand: random, truth: home, published: addresses(home), now: start, roster: randomRoster(random)}, before: other}
		m.forges, m.neighbours = m.IntN(3) == 0, m.IntN(3) == 0
		m.silent, m.stale = m.some(), m.some()
		var said []Observation
		for _, s := range m.roster.Members { // an operator that contradicts itself is no voice, whoever made it
			answer, _ := m.says(s, false)
			said = append(said, say(s, answer))
		}
		if Vote(m.roster, said).Address == home {
			return m
		}
	}
}

// some is up to two operators of the roster.
func (m *movingHome) some() map[string]bool {
	some := map[string]bool{}
	operators := operatorsOf(m.roster.Members)
	for range m.IntN(3) {
		some[operators[m.IntN(len(operators))]] = true
	}
	return some
}

func (m *movingHome) speaksTrue(s Source) bool {
	return !m.silent[s.Operator] && !m.stale[s.Operator] && (s.Class == Authenticated || s.Class == Plain && !m.forges)
}

// says is what a source says, and after how long.
func (m *movingHome) says(s Source, lineDown bool) (netip.Addr, time.Duration) {
	switch {
	case lineDown || m.silent[s.Operator]:
		return nothing, 3 * time.Second
	case m.speaksTrue(s):
		return m.truth, 100 * time.Millisecond
	case m.stale[s.Operator] || m.IntN(2) == 0:
		return m.before, 50 * time.Millisecond
	default:
		return wrong, 50 * time.Millisecond
	}
}

// move lets the home move, and returns after how many rounds that was published.
func (m *movingHome) move(t *testing.T) (rounds int) {
	m.pass(time.Duration(11+m.IntN(60)) * time.Minute)
	if m.IntN(6) == 0 { // it flaps
		m.memory.Changes = []time.Time{m.now.Add(-3 * time.Minute), m.now.Add(-2 * time.Minute), m.now.Add(-time.Minute)}
	}
	if m.IntN(4) == 0 {
		m.now = m.now.Add([]time.Duration{-9 * time.Hour, 9 * time.Hour}[m.IntN(2)])
	}
	down := time.Duration(0)
	if m.IntN(4) == 0 {
		down = 10 * time.Minute
	}
	m.before, m.truth = m.truth, []netip.Addr{home, old, other}[slices.Index([]netip.Addr{old, other, home}, m.truth)]
	moved, bound := m.lived+down, m.bound(down > 0)
	var p pace
	wait := time.Duration(m.IntN(15_000)) * time.Millisecond // until a probe finds it
	for {
		m.pass(wait)
		h, v, took := m.ask(rounds == 0, m.lived < moved)
		m.pass(took)
		rounds++
		if h.Decision == Publish && h.Address == m.truth {
			break
		}
		if since := m.lived - moved; since > bound {
			t.Fatalf("held for %s and %d rounds, of %s: %s by %q: %s\n%+v\nsilent %v, stale %v, power %+v\n%+v",
				since, rounds, bound, h.Decision, h.Guard, h.Why, m.roster, m.silent, m.stale, m.power, m.memory)
		}
		p, wait = p.after(Round{Started: m.now, Verdicts: []Verdict{v}, Holdings: []Holding{h},
			Outcomes: []Outcome{{Target: Target{Name: "home.example.com", Type: "A"}, State: Held}}})
	}
	if since := m.lived - moved; since > bound {
		t.Fatalf("published after %s, and was to be within %s", since, bound)
	}
	if m.memory.Veto.Rounds > 0 || len(m.memory.Overruled) > 0 {
		m.vetoes++
	}
	m.published = addresses(m.truth)
	m.memory = m.memory.confirm(m.truth, m.now)
	return rounds
}

func (m *movingHome) pass(d time.Duration) { m.now, m.lived = m.now.Add(d), m.lived+d }

// bound is how long a change may take.
func (m *movingHome) bound(wasDown bool) time.Duration {
	proved, plain := map[string]bool{}, m.forges
	for _, s := range m.roster.Members {
		switch {
		case !m.stale[s.Operator] || m.silent[s.Operator]:
		case s.Class == Authenticated:
			proved[s.Operator] = true
		case s.Class == Plain:
			plain = true
		}
	}
	objectors := len(proved)
	if plain {
		objectors++
	}
	bound := 20 * time.Second // a probe finds it within 15
	if wasDown {
		bound = 30 * time.Second
	}
	if m.neighbours {
		bound += 2 * time.Minute
	}
	if flapping(m.memory.Changes, m.now) {
		bound = 16 * time.Minute
	}
	if objectors >= vetoVoices {
		bound = max(bound, 11*time.Minute)
	}
	return bound
}

// ask asks in one round as early as it can decide, and says how long it took.
func (m *movingHome) ask(woken, lineDown bool) (h Holding, v Verdict, took time.Duration) {
	q, _ := newSlate(m.roster, m.asking(woken || m.memory.unsettled()))
	for outstanding := q.outstanding(); len(outstanding) > 0; outstanding = q.outstanding() {
		first := slices.MinFunc(outstanding, func(a, b Source) int {
			_, x := m.says(a, lineDown)
			_, y := m.says(b, lineDown)
			return int(x - y)
		})
		answer, after := m.says(first, lineDown)
		took = max(took, after)
		q.hear(say(first, answer))
		if Final(m.roster, q.observations, q.outstanding(), m.published, m.memory, m.now) {
			break
		}
	}
	v = Vote(m.roster, q.observations)
	h, m.memory = Hold(v, m.published, m.wan(), m.memory, m.now)
	m.memory.Silent = m.memory.silences(v, m.now)
	return h, v, took
}
