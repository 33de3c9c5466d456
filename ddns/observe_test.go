package ddns

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The words of a source in these tests: it answers after a while, or never.
type word struct {
	after   time.Duration
	address netip.Addr
	err     error
}

var (
	errBroken = errors.New("status 500")
	never     = word{after: time.Hour}
)

func in(after time.Duration, a netip.Addr) word { return word{after: after, address: a} }

func fails(after time.Duration) word { return word{after: after, err: errBroken} }

const ms = time.Millisecond

// speaking gives the members of a roster, and then its spares, their words.
// Those without one answer home after 20 ms.
func speaking(r Roster, words map[string]word) Roster {
	give := func(sources []Source) []Source {
		sources = slices.Clone(sources)
		for i, s := range sources {
			w, ok := words[s.Name]
			if !ok {
				w = in(20*ms, home)
			}
			sources[i].Ask = asks(w.after, w.address, w.err)
		}
		return sources
	}
	r.Members, r.Spares = give(r.Members), give(r.Spares)
	return r
}

// asks returns an Ask that answers after a while, or when the context ends.
func asks(after time.Duration, address netip.Addr, err error) func(context.Context, Family) (netip.Addr, error) {
	return func(ctx context.Context, _ Family) (netip.Addr, error) {
		select {
		case <-time.After(after):
			return address, err
		case <-ctx.Done():
			return netip.Addr{}, ctx.Err()
		}
	}
}

// withSpares returns the roster with n spares: spare0, spare1 and so on.
func withSpares(r Roster, n int) Roster {
	for i := range n {
		name := "spare" + string(rune('0'+i))
		r.Spares = append(r.Spares, Source{Name: name, Operator: name, Class: Authenticated, Transport: "https", Cost: 900})
	}
	return r
}

// worldly is five, of whom all but the last serve the world, as in the default roster.
func worldly() Roster {
	r := five()
	for i := range r.Members[:4] {
		r.Members[i].Worldwide = true
	}
	return r
}

// inquire asks as a round does: it waits until vote and hold are final, takes
// the verdict, and gives the stragglers their moment.
func inquire(t *testing.T, r Roster, a Asking, published []netip.Addr) (v Verdict, took time.Duration, asked []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	q := ask(ctx, r, a)
	q.wait(func(said []Observation, outstanding []Source) bool {
		return Final(r, said, outstanding, published, FamilyMemory{}, start)
	}, nil)
	took = time.Since(q.began)
	v = Vote(r, q.heard())
	v.Observations = sorted(q.close(ctx, lateMoment, false))
	for _, s := range q.asked {
		asked = append(asked, s.Name)
	}
	slices.Sort(asked)
	return v, took, asked
}

func TestAsking(t *testing.T) {
	twin := five()
	twin.Members = append(twin.Members, Source{Name: "op0-2", Operator: "op0", Class: Authenticated, Transport: "https", Cost: 500})
	watched := five()
	watched.Members = append(watched.Members, Source{Name: "router", Operator: "router", Class: Witness, Transport: "igd"})
	// The cheapest wave takes op2 by STUN, and then lacks a fourth voice.
	short := rosterOf(Authenticated, Authenticated, Plain, Plain)
	short.Quorum = 4
	short.Members = append(short.Members, Source{Name: "op2-2", Operator: "op2", Class: Authenticated, Transport: "https", Cost: 500})
	worldlyTwin := worldly()
	worldlyTwin.Members = append(worldlyTwin.Members, Source{Name: "op0-2", Operator: "op0", Class: Authenticated, Worldwide: true, Transport: "https", Cost: 500})
	quiet := Asking{Expected: addresses(home)}
	all := Asking{All: true, Expected: addresses(home)}
	everybody := "op0 op1 op2 op3 op4"

	for _, c := range []struct {
		name   string
		roster Roster
		words  map[string]word
		asking Asking
		asked  string
		state  Agreement
		took   time.Duration
	}{
		{"a quiet round asks a quorum", withSpares(five(), 2), nil, quiet, "op0 op1 op2", Agreed, 20 * ms},
		{"a full round asks everybody at once", withSpares(five(), 2), nil, all, everybody, Agreed, 20 * ms},
		{"the first error brings in all others at once, and a spare", withSpares(five(), 2), map[string]word{"op0": fails(10 * ms), "op1": in(500*ms, home)}, quiet, everybody + " spare0", Agreed, 30 * ms},
		{"the first odd answer brings in all others at once", withSpares(five(), 2), map[string]word{"op0": in(10*ms, other)}, quiet, everybody, Agreed, 30 * ms},
		{"answers that differ are odd, even if all of them are published", five(), map[string]word{"op0": in(10*ms, old)}, Asking{Expected: addresses(home, old)}, everybody, Agreed, 40 * ms},
		{"an answer is odd where nothing is expected", five(), nil, Asking{}, everybody, Agreed, 20 * ms},
		{"an insane answer is an error", withSpares(five(), 1), map[string]word{"op0": in(10*ms, netip.MustParseAddr("192.168.0.1"))}, quiet, everybody + " spare0", Agreed, 30 * ms},
		{"half of the time without an answer is odd", withSpares(five(), 1), map[string]word{"op0": never}, quiet, everybody, Agreed, 2020 * ms},
		{"one that hangs does not delay what is final", five(), map[string]word{"op4": never, "op3": never}, all, everybody, Agreed, 20 * ms},
		{"two spares step in for two that fail", withSpares(five(), 2), map[string]word{"op0": fails(10 * ms), "op1": fails(10 * ms), "op2": fails(10 * ms)}, all, everybody + " spare0 spare1", Agreed, 30 * ms},
		{"a spare that fails is replaced by the next", withSpares(five(), 4), map[string]word{"op0": fails(10 * ms), "op1": fails(10 * ms), "op2": fails(10 * ms), "spare0": fails(0)}, all, everybody + " spare0 spare1 spare2 spare3", Agreed, 30 * ms},
		{"a spare that is not needed is not asked", withSpares(five(), 9), map[string]word{"op4": fails(10 * ms)}, all, everybody + " spare0", Agreed, 20 * ms},
		{"nobody steps in for one that merely dissents", withSpares(five(), 2), map[string]word{"op0": in(10*ms, other), "op1": in(10*ms, old)}, all, everybody, Agreed, 20 * ms},
		{"everything ends at the deadline", five(), map[string]word{"op0": never, "op1": never, "op2": never}, all, everybody, Unknown, 4 * time.Second},
		{"nobody answers", five(), map[string]word{"op0": never, "op1": never, "op2": never, "op3": never, "op4": never}, quiet, everybody, Unknown, 4 * time.Second},
		{"all fail at once", withSpares(five(), 1), map[string]word{"op0": fails(0), "op1": fails(0), "op2": fails(0), "op3": fails(0), "op4": fails(0), "spare0": fails(0)}, quiet, everybody + " spare0", Unknown, 0},
		{"an operator with another source left is not replaced", withSpares(twin, 1), map[string]word{"op0": fails(10 * ms)}, quiet, "op0 op0-2 op1 op2 op3 op4", Agreed, 30 * ms},
		{"an operator of whom both sources fail is", withSpares(twin, 1), map[string]word{"op0": fails(10 * ms), "op0-2": fails(10 * ms), "op1": in(time.Second, home), "op2": in(time.Second, home)}, quiet, "op0 op0-2 op1 op2 op3 op4 spare0", Agreed, 40 * ms},
		{"a quiet round asks one source an operator", twin, nil, Asking{Expected: addresses(home), Shy: map[string]int{"op1": 1, "op2": 1, "op3": 2, "op4": 2}}, "op0 op1 op2", Agreed, 20 * ms},
		{"a quiet round that finds no quorum of voices asks everybody", short, nil, quiet, "op0 op1 op2 op2-2 op3", Agreed, 20 * ms},
		{"a quiet round asks no witness", watched, nil, quiet, "op0 op1 op2", Agreed, 20 * ms},
		{"a witness that fails brings in nobody", withSpares(watched, 1), map[string]word{"router": fails(0)}, all, everybody + " router", Agreed, 20 * ms},
		{"a witness that hangs delays nothing", watched, map[string]word{"router": never}, all, everybody + " router", Agreed, 20 * ms},
		{"a spare stands in for one that rests", withSpares(five(), 2), nil, Asking{All: true, Expected: addresses(home), Resting: map[string]bool{"op0": true}}, "op1 op2 op3 op4 spare0", Agreed, 20 * ms},
		{"a quiet round asks no more because one rests", withSpares(five(), 2), nil, Asking{Expected: addresses(home), Resting: map[string]bool{"op0": true}}, "op1 op2 op3", Agreed, 20 * ms},
		{"a spare that rests is passed over", withSpares(five(), 2), map[string]word{"op0": fails(0)}, Asking{All: true, Expected: addresses(home), Resting: map[string]bool{"spare0": true}}, everybody + " spare1", Agreed, 20 * ms},
		{"nobody steps in for a source that was chosen alone", withSpares(Roster{Family: IPv4, Quorum: 1, Members: five().Members[:1]}, 1), map[string]word{"op0": fails(0)}, quiet, "op0", Unknown, 0},
		{"no spare steps in at once for an operator that serves the world", withSpares(worldly(), 2), map[string]word{"op0": fails(0)}, all, everybody, Agreed, 20 * ms},
		{"nor if it wants a rest", withSpares(worldly(), 2), nil, Asking{All: true, Resting: map[string]bool{"op0": true}}, "op1 op2 op3 op4", Agreed, 20 * ms},
		{"one does for a small one beside it", withSpares(worldly(), 2), map[string]word{"op0": fails(0), "op4": fails(10 * ms), "op1": in(time.Second, home)}, all, everybody + " spare0", Agreed, 30 * ms},
		{"one does for one that was silent for long", withSpares(worldly(), 2), map[string]word{"op0": fails(0), "op1": fails(0), "op2": in(time.Second, home)}, Asking{All: true, Gone: map[string]bool{"op0": true}}, everybody + " spare0", Agreed, 20 * ms},
		{"not while another of its sources was not", withSpares(worldlyTwin, 2), map[string]word{"op0": fails(0), "op0-2": fails(0)}, Asking{All: true, Gone: map[string]bool{"op0": true}}, "op0 op0-2 op1 op2 op3 op4", Agreed, 20 * ms},
		{"who remembers nothing calls spares at once", withSpares(worldly(), 3), map[string]word{"op0": fails(0), "op1": fails(0)}, Asking{All: true, Forgets: true}, everybody + " spare0 spare1", Agreed, 20 * ms},
		{"where two were replaced, three voices with spares among them are too few", withSpares(worldly(), 2), map[string]word{"op0": fails(0), "op1": fails(0), "op2": fails(0), "op3": in(time.Second, home)}, Asking{All: true, Forgets: true}, everybody + " spare0 spare1", Agreed, time.Second},
		{"everybody rests", five(), nil, Asking{All: true, Resting: map[string]bool{"op0": true, "op1": true, "op2": true, "op3": true, "op4": true}}, "", Unknown, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, took, asked := inquire(t, speaking(c.roster, c.words), c.asking, addresses(home))
				if got := strings.Join(asked, " "); got != c.asked {
					t.Errorf("asked %s\n want %s", got, c.asked)
				}
				if v.State != c.state || took != c.took {
					t.Errorf("%s after %s (%s), want %s after %s", v.State, took, v.Why, c.state, c.took)
				}
			})
		})
	}
}

func TestTheFirstWave(t *testing.T) {
	for _, c := range []struct {
		name    string
		members Roster
		shy     map[string]int
		wave    string
	}{
		{"is the cheapest with two that TLS proves, and one that it does not", rosterOf(Plain, Plain, Plain, Authenticated, Authenticated, Authenticated), nil, "op0 op3 op4 op5"},
		{"goes over two transports", rosterOf(Authenticated, Authenticated, Authenticated, Authenticated, Plain), nil, "op0 op1 op4"},
		{"goes over one where there is only one", rosterOf(Authenticated, Authenticated, Authenticated, Authenticated, Authenticated), nil, "op0 op1 op2"},
		{"leaves out a transport that the line blocks", five(), map[string]int{"op2": 9}, "op0 op1 op3"},
		{"asks the shy last", five(), map[string]int{"op0": 1, "op1": 2}, "op2 op3 op4"},
		{"asks the shy if it must", five(), map[string]int{"op0": 1, "op1": 2, "op3": 3}, "op0 op2 op4"},
		{"asks a shy one if TLS proves no other", rosterOf(Plain, Plain, Plain, Authenticated, Authenticated), map[string]int{"op4": 7}, "op0 op3 op4"},
		{"is none where there is no quorum", rosterOf(Authenticated, Authenticated, Plain, Plain, Plain, Plain), nil, ""},
		{"is none where TLS proves only one", rosterOf(Authenticated, Plain, Plain), nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var names []string
			for _, s := range firstWave(c.members, c.members.Members, c.shy) {
				names = append(names, s.Name)
			}
			slices.Sort(names)
			if got := strings.Join(names, " "); got != c.wave {
				t.Errorf("asks %s, want %s", got, c.wave)
			}
		})
	}
}

func TestStragglersAreHeardWithinTheirMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		words := map[string]word{"op3": in(300*ms, old), "op4": in(500*ms, old)}
		v, took, _ := inquire(t, speaking(five(), words), Asking{All: true}, addresses(home))
		if took != 20*ms {
			t.Errorf("the decision took %s", took)
		}
		var heard []string
		for _, o := range v.Observations {
			heard = append(heard, o.Source+" "+o.Address.String())
		}
		if want := "op0 45.67.89.10, op1 45.67.89.10, op2 45.67.89.10, op3 45.67.89.9"; strings.Join(heard, ", ") != want {
			t.Errorf("heard %s, want %s", strings.Join(heard, ", "), want)
		}
	})
}

func TestWhoIsSilentAtTheDeadlineIsHeardAsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		words := map[string]word{"op0": never, "op1": never, "op2": never}
		v, _, _ := inquire(t, speaking(five(), words), Asking{All: true}, addresses(home))
		if len(v.Observations) != 5 {
			t.Fatalf("%d observations", len(v.Observations))
		}
		for _, o := range v.Observations[:3] {
			if !errors.Is(o.Err, context.DeadlineExceeded) || o.Took != 4*time.Second {
				t.Errorf("%s: %v after %s", o.Source, o.Err, o.Took)
			}
		}
	})
}

func TestWaitLooksAgainWhenItIsWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		words := map[string]word{"op3": never, "op4": never}
		q := ask(ctx, speaking(five(), words), Asking{All: true})
		looked := make(chan struct{})
		time.AfterFunc(700*ms, func() { close(looked) })
		q.wait(func([]Observation, []Source) bool {
			select {
			case <-looked:
				return true
			default:
				return false
			}
		}, looked)
		if took := time.Since(q.began); took != 700*ms {
			t.Errorf("it went on after %s", took)
		}
		q.close(ctx, 0, false)
	})
}

func TestAnInquiryLeavesNothingRunning(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, words := range []map[string]word{
		nil,
		{"op0": never, "op4": never},
		{"op0": fails(0), "op1": in(0, other), "op2": never},
	} {
		r := speaking(withSpares(five(), 2), words)
		ctx, cancel := context.WithTimeout(t.Context(), 50*ms)
		q := ask(ctx, r, Asking{})
		q.wait(func([]Observation, []Source) bool { return false }, nil)
		q.close(ctx, 0, false)
		cancel()
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines became %d", before, after)
	}
}

func TestARoundThatIsBrokenOffEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*ms, cancel)
		q := ask(ctx, speaking(five(), map[string]word{"op0": never}), Asking{All: true})
		q.wait(func([]Observation, []Source) bool { return false }, nil)
		said := q.close(t.Context(), lateMoment, false)
		if took := time.Since(q.began); took != 10*ms || len(said) != 5 {
			t.Errorf("%d answers after %s", len(said), took)
		}
	})
}

func TestWhatWasSaidInTheSameInstantIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := ask(t.Context(), speaking(five(), nil), Asking{All: true})
		q.wait(func(said []Observation, _ []Source) bool { return len(said) > 0 }, nil)
		synctest.Wait()
		if said := q.heard(); len(said) != 5 {
			t.Errorf("heard %d of 5", len(said))
		}
		q.close(t.Context(), 0, false)
	})
}

func TestCloseWaitsForEverySourceToLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := speaking(five(), nil)
		var released bool
		r.Members[4].Ask = func(ctx context.Context, _ Family) (netip.Addr, error) {
			<-ctx.Done()
			<-time.After(50 * ms) // closing what it had open
			released = true
			return netip.Addr{}, ctx.Err()
		}
		q := ask(t.Context(), r, Asking{All: true})
		q.wait(func(said []Observation, _ []Source) bool { return len(said) == 4 }, nil)
		q.close(t.Context(), lateMoment, false)
		if !released || time.Since(q.began) != 20*ms+lateMoment+50*ms {
			t.Errorf("closed after %s, released: %t", time.Since(q.began), released)
		}
	})
}

// TestNoMoreVoicesAreHeardThanTheRosterHas lets sources fail, hang, answer and
// answer otherwise in all ways that two bits each can say.
func TestNoMoreVoicesAreHeardThanTheRosterHas(t *testing.T) {
	r := rosterOf(Authenticated, Authenticated, Plain)
	r.Members = append(r.Members, Source{Name: "op0-2", Operator: "op0", Class: Plain, Transport: "stun"})
	r = withSpares(r, 3)
	names := []string{"op0", "op1", "op2", "op0-2", "spare0", "spare1"}
	for code := range 1 << (2 * len(names)) {
		words := map[string]word{}
		for i, name := range names {
			after := time.Duration(10+i) * ms
			words[name] = []word{in(after, home), in(after, old), fails(after), fails(after * 7)}[code>>(2*i)&3]
		}
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			q := ask(ctx, speaking(r, words), Asking{All: code%2 == 0, Expected: addresses(home)})
			q.wait(func([]Observation, []Source) bool { return false }, nil)
			usable := map[string]bool{}
			for _, o := range q.close(ctx, 0, false) {
				if o.Err == nil {
					usable[o.Operator] = true
				}
			}
			if len(usable) > r.Operators() {
				t.Fatalf("%d: heard %v", code, usable)
			}
			if len(q.waiting) > 0 && len(usable) < r.Needed() {
				t.Fatalf("%d: heard %v, and did not ask %v", code, usable, q.waiting)
			}
		})
	}
}

func TestSurveyAsksEverybodyAndWaitsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v4 := speaking(withSpares(five(), 1), map[string]word{"op3": in(3*time.Second, old), "op4": fails(10 * ms)})
		v6 := speaking(Roster{Family: IPv6, Members: five().Members}, map[string]word{"op0": never})
		verdicts := Survey(t.Context(), []Roster{v4, v6}, 4*time.Second)
		if len(verdicts) != 2 || verdicts[0].State != Agreed || len(verdicts[0].Observations) != 6 {
			t.Errorf("IPv4: %+v", verdicts[0])
		}
		if verdicts[1].State != Unknown || len(verdicts[1].Observations) != 5 {
			t.Errorf("IPv6 sources that tell IPv4 addresses: %+v", verdicts[1])
		}
	})
}
