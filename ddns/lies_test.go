package ddns

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// TestNoLieIsEverPublished makes 100,000 rounds in which somebody lies: fewer
// voices than the quorum, of which all that TLS does not prove is one, or any of
// those and one operator whom TLS proves. They know each other, contradict
// themselves, keep silent, and answer in any order. What is published stays what
// it was or becomes the truth.
func TestNoLieIsEverPublished(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			playLies(t, rand.New(rand.NewPCG(seed, 0)), 25_000)
		})
	}
}

func playLies(t *testing.T, random *rand.Rand, rounds int) {
	var published, early, spared int
	for i := 0; i < rounds; {
		w := newWorld(random)
		for range 50 {
			i++
			h, said, final := w.round()
			if final {
				early++
			}
			if placesTaken(said) > 0 {
				spared++
			}
			if h.Decision == Publish {
				published++
			}
			if h.Decision == Publish && h.Address != w.truth {
				t.Fatalf("round %d published %s, and the home is at %s: %s\n%+v\n%+v", i, h.Address, w.truth, h.Why, w.roster, w.power)
			}
		}
	}
	if published < rounds/5 || early < rounds/10 || spared < rounds/8 {
		t.Errorf("of %d rounds %d published, %d were decided early and %d had spares: these are no rounds that try anything", rounds, published, early, spared)
	}
}

// power is what those who mean ill can do.
type power struct {
	liars      map[string]bool // operators that lie in whatever they say
	forges     bool            // all that TLS does not prove: the line's owner, and a resolver that leads names astray
	silences   bool            // whatever it likes, in some rounds: both of them
	neighbours bool            // a device on the LAN answers in the router's name
}

// world is a home, whose address changes, and who is around it.
type world struct {
	*rand.Rand
	power
	roster    Roster
	forgets   bool // each round is a one-shot without a state
	truth     netip.Addr
	published []netip.Addr
	memory    FamilyMemory
	now       time.Time
}

func newWorld(random *rand.Rand) *world {
	w := &world{Rand: random, truth: home, now: time.Unix(1_800_000_000, 0), forgets: random.IntN(4) == 0}
	w.roster = randomRoster(random)
	w.power = power{liars: map[string]bool{}, forges: w.IntN(2) == 0, silences: w.IntN(2) == 0, neighbours: w.IntN(2) == 0}
	w.chooseLiars()
	return w
}

// randomRoster makes any roster that may be used: every mix of classes, sizes,
// second sources, spares, witnesses and quorums.
func randomRoster(random *rand.Rand) Roster {
	class := func() Class { return []Class{Authenticated, Authenticated, Plain}[random.IntN(3)] }
	for {
		var classes []Class
		for range 3 + random.IntN(5) {
			classes = append(classes, class())
		}
		r := rosterOf(classes...)
		if random.IntN(4) == 0 {
			r.Quorum = Majority(len(classes)) + random.IntN(2)
		}
		for i, s := range r.Members {
			r.Members[i].Worldwide = random.IntN(2) == 0
			if random.IntN(6) == 0 {
				s.Name, s.Class = s.Name+"-2", class()
				r.Members = append(r.Members, s)
			}
		}
		if random.IntN(3) == 0 {
			r.Members = append(r.Members, Source{Name: "router", Operator: "router", Class: Witness})
		}
		r = withSpares(r, random.IntN(4))
		for i := range r.Spares {
			if random.IntN(4) == 0 {
				r.Spares[i].Class = Plain
			}
		}
		if r.Validate() == nil {
			return r
		}
	}
}

// chooseLiars lets as many operators lie as may: with whoever forges the rest
// they are fewer voices than the quorum, or there is but one whom TLS proves.
func (w *world) chooseLiars() {
	most := max(1, w.roster.Needed()-1)
	if w.forges {
		most = max(1, most-1)
	}
	all := slices.Concat(w.roster.Members, w.roster.Spares)
	for _, i := range w.Perm(len(all)) {
		if s := all[i]; s.Class == Authenticated && len(w.liars) < most {
			w.liars[s.Operator] = true
		}
	}
}

// lies reports whether what a source says is not what its operator saw.
func (w *world) lies(s Source) bool {
	switch s.Class {
	case Witness:
		return true
	case Authenticated:
		return w.liars[s.Operator]
	default:
		return w.forges || w.liars[s.Operator]
	}
}

// answer is what a source says in this round.
func (w *world) answer(s Source, silenced map[string]bool) netip.Addr {
	switch {
	case silenced[s.Operator] || w.IntN(12) == 0:
		return nothing
	case !w.lies(s):
		return w.truth
	case w.IntN(2) == 0:
		return wrong // what the liars agreed on
	default:
		return []netip.Addr{wrong, other, old, home, netip.MustParseAddr("10.0.0.1")}[w.IntN(5)]
	}
}

// silenced are the operators that are silenced in this round: some, or all who
// do not lie, and now and then the same for as long as it takes to be replaced.
func (w *world) silenced() map[string]bool {
	silenced := map[string]bool{}
	if !w.silences || w.IntN(3) == 0 {
		return silenced
	}
	honest := w.IntN(2) == 0
	for _, s := range slices.Concat(w.roster.Members, w.roster.Spares) {
		if !w.liars[s.Operator] && (honest || w.IntN(2) == 0) {
			silenced[s.Operator] = true
		}
	}
	return silenced
}

// wan is what a neighbour makes of the router: anything, at any time.
func (w *world) wan() WAN {
	if !w.neighbours || w.IntN(2) == 0 {
		return WAN{}
	}
	names := []netip.Addr{wrong, other, old, home, netip.MustParseAddr("100.64.0.1"), netip.MustParseAddr("192.168.0.1")}
	return WAN{NAT: []NAT{NATSingle, NATDouble, NATCarrier, NATDSLite, NATElsewhere}[w.IntN(5)], Address: names[w.IntN(len(names))],
		Backing: Backing(w.IntN(int(Connected))), Forgets: w.forgets, Still: Still{Answers: w.IntN(2) == 0}}
}

// ask asks the sources as a round does, and decides as early as it can, or when
// its time is over.
func (w *world) ask() (said []Observation, early bool) {
	resting := map[string]bool{}
	if w.IntN(20) == 0 {
		resting[w.roster.Members[w.IntN(len(w.roster.Members))].Name] = true
	}
	asking := w.asking(w.IntN(2) == 0)
	asking.Resting = resting
	q, _ := newSlate(w.roster, asking)
	silenced, patience := w.silenced(), 100
	if w.IntN(5) == 0 {
		patience = w.IntN(5)
	}
	for outstanding := q.outstanding(); len(outstanding) > 0 && !early; outstanding = q.outstanding() {
		if patience--; patience == 0 { // the time is over
			q.askAll()
			for _, s := range q.outstanding() {
				q.observations = append(q.observations, say(s, nothing))
			}
			break
		}
		s := outstanding[w.IntN(len(outstanding))]
		q.hear(say(s, w.answer(s, silenced)))
		outstanding = q.outstanding()
		early = len(outstanding) > 0 && Final(w.roster, q.observations, outstanding, w.published, w.memory, w.now)
	}
	return q.observations, early
}

// asking is how a roster is asked, by what is remembered.
func (w *world) asking(all bool) Asking {
	gone := map[string]bool{}
	for name, s := range w.memory.Silent {
		gone[name] = s.gone(w.now)
	}
	return Asking{All: all, Expected: w.published, Gone: gone, Forgets: w.forgets}
}

// round asks, decides, and writes.
func (w *world) round() (h Holding, said []Observation, early bool) {
	w.now = w.now.Add(time.Duration(w.IntN(200)) * time.Second)
	if w.IntN(10) == 0 {
		w.truth = []netip.Addr{home, old}[w.IntN(2)]
	}
	said, early = w.ask()
	return w.decide(said), said, early
}

// decide votes, holds, writes and remembers.
func (w *world) decide(said []Observation) (h Holding) {
	if w.forgets {
		w.memory = FamilyMemory{}
	}
	v := Vote(w.roster, said)
	h, w.memory = Hold(v, w.published, w.wan(), w.memory, w.now)
	if h.Decision == Publish && w.IntN(10) > 0 { // now and then the write fails
		w.published = []netip.Addr{h.Address}
		w.memory = w.memory.confirm(h.Address, w.now)
	}
	w.memory.Silent = w.memory.silences(v, w.now)
	return h
}

// TestTheLineDoesNotChooseWhoIsHeard drops the large operators, forges what TLS
// does not prove, and lets two small ones lie: by hearing small ones in the places
// of the large the line would have made a quorum of them.
func TestTheLineDoesNotChooseWhoIsHeard(t *testing.T) {
	two := rosterOf(Authenticated, Authenticated, Plain, Plain, Plain)
	for _, c := range []struct {
		name    string
		roster  Roster
		silent  []string
		lie     []string // beside all that TLS does not prove
		forgets bool
	}{
		{"two over HTTPS and three over STUN, one of the former lies", two, nil, []string{"op0"}, false},
		{"and the other is silenced", two, []string{"op1"}, []string{"op0"}, true},
		{"three are dropped, a member and a spare lie", withSpares(worldly(), 3), []string{"op0", "op1", "op3"}, []string{"op4", "spare0"}, false},
		{"the same, where nothing is remembered", withSpares(worldly(), 3), []string{"op0", "op1", "op3"}, []string{"op4", "spare0"}, true},
		{"two spares lie", withSpares(worldly(), 3), []string{"op0", "op1", "op3", "op4"}, []string{"spare0", "spare1"}, false},
		{"two spares lie, where nothing is remembered", withSpares(worldly(), 3), []string{"op0", "op1", "op3", "op4"}, []string{"spare0", "spare1"}, true},
		{"and all who would speak the truth are dropped", withSpares(worldly(), 3), []string{"op0", "op1", "op3", "spare1", "spare2"}, []string{"op4", "spare0"}, true},
		{"for a long while", withSpares(worldly(), 3), []string{"op0", "op1", "op3", "spare1", "spare2"}, []string{"op4", "spare0"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &world{Rand: rand.New(rand.NewPCG(1, 1)), roster: c.roster, truth: home, published: addresses(home), forgets: c.forgets, now: start}
			for range 1000 {
				w.now = w.now.Add(20 * time.Second)
				q, _ := newSlate(w.roster, w.asking(true))
				for len(q.outstanding()) > 0 {
					s := q.outstanding()[w.IntN(len(q.outstanding()))]
					switch {
					case slices.Contains(c.silent, s.Name):
						q.hear(say(s, nothing))
					case s.Class == Plain || slices.Contains(c.lie, s.Name):
						q.hear(say(s, wrong))
					default:
						q.hear(say(s, home))
					}
				}
				if h := w.decide(q.observations); h.Decision == Publish && h.Address != home {
					t.Fatalf("after %s it published %s: %s", w.now.Sub(start), h.Address, h.Why)
				}
			}
		})
	}
}
