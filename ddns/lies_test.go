package ddns

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// TestNoLieIsEverPublished makes 100,000 rounds in which somebody lies. The
// liars may be any that together are fewer voices than the quorum, or whoever
// holds the line and forges all that TLS does not prove; they know each other,
// contradict themselves, keep silent, and answer in any order. What is
// published stays what it was or becomes the truth.
func TestNoLieIsEverPublished(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			playLies(t, rand.New(rand.NewPCG(seed, 0)), 25_000)
		})
	}
}

func playLies(t *testing.T, random *rand.Rand, rounds int) {
	var published, early int
	for i := 0; i < rounds; {
		w := newWorld(random)
		for range 50 {
			i++
			h, final := w.round()
			if final {
				early++
			}
			if h.Decision == Publish {
				published++
			}
			if h.Decision == Publish && h.Address != w.truth {
				t.Fatalf("round %d published %s, and the home is at %s: %s", i, h.Address, w.truth, h.Why)
			}
		}
	}
	if published < rounds/4 || early < rounds/8 {
		t.Errorf("of %d rounds %d published and %d were decided early: these are no rounds that try anything", rounds, published, early)
	}
}

// world is a home, whose address changes, and operators, of whom some lie.
type world struct {
	*rand.Rand
	roster    Roster
	lies      map[string]bool // by operator
	truth     netip.Addr
	published []netip.Addr
	memory    FamilyMemory
	now       time.Time
}

func newWorld(random *rand.Rand) *world {
	w := &world{Rand: random, lies: map[string]bool{}, truth: home, now: time.Unix(1_800_000_000, 0)}
	for w.roster.Validate() != nil || w.roster.Empty() {
		var classes []Class
		for range 3 + w.IntN(5) {
			classes = append(classes, Class(1+w.IntN(3)))
		}
		w.roster = rosterOf(classes...)
	}
	for i, s := range w.roster.Members {
		if w.IntN(6) == 0 {
			s.Name, s.Class = s.Name+"-2", Class(1+w.IntN(3))
			w.roster.Members = append(w.roster.Members, s)
		}
		if i == 0 && w.IntN(3) == 0 {
			w.roster.Members = append(w.roster.Members, Source{Name: "router", Operator: "router", Class: Witness})
		}
	}
	w.chooseLiars()
	return w
}

// chooseLiars lets either fewer voices than the quorum lie, or all that is not
// authenticated.
func (w *world) chooseLiars() {
	strong := map[string]bool{}
	proved := map[string]bool{}
	for _, s := range w.roster.Members {
		strong[s.Operator] = strong[s.Operator] || s.Class != Plain
		proved[s.Operator] = proved[s.Operator] || s.Class == Authenticated
	}
	line := w.IntN(3) == 0
	voices, port53 := 0, w.IntN(2) == 0
	if port53 {
		voices = 1
	}
	for _, i := range w.Perm(len(w.roster.Members)) {
		operator := w.roster.Members[i].Operator
		switch {
		case line:
			w.lies[operator] = !proved[operator]
		case w.lies[operator] || operator == "router":
		case !strong[operator]:
			w.lies[operator] = port53
		case voices+1 < w.roster.Needed():
			w.lies[operator] = true
			voices++
		}
	}
	w.lies["router"] = true
}

// answer is what a source says in this round.
func (w *world) answer(s Source) netip.Addr {
	switch {
	case w.IntN(8) == 0:
		return nothing
	case !w.lies[s.Operator]:
		return w.truth
	case w.IntN(2) == 0:
		return wrong // what the liars agreed on
	default:
		return []netip.Addr{wrong, other, old, home, netip.MustParseAddr("10.0.0.1")}[w.IntN(5)]
	}
}

// round asks all sources, decides as early as it can, and writes.
func (w *world) round() (h Holding, early bool) {
	w.now = w.now.Add(time.Duration(w.IntN(200)) * time.Second)
	if w.IntN(10) == 0 {
		w.truth = []netip.Addr{home, old}[w.IntN(2)]
	}
	order := w.Perm(len(w.roster.Members))
	var said []Observation
	var outstanding []Source
	for _, i := range order {
		outstanding = append(outstanding, w.roster.Members[i])
	}
	for len(outstanding) > 0 && !early {
		said = append(said, say(outstanding[0], w.answer(outstanding[0])))
		outstanding = outstanding[1:]
		early = len(outstanding) > 0 && Final(w.roster, said, outstanding, w.published, w.memory, w.now)
	}
	h, w.memory = Hold(Vote(w.roster, said), w.published, WAN{}, w.memory, w.now)
	if h.Decision == Publish && w.IntN(10) > 0 { // now and then the write fails
		w.published = []netip.Addr{h.Address}
		w.memory = w.memory.confirm(h.Address, w.now)
	}
	return h, early
}
