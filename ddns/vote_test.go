package ddns

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The addresses of these tests: where the home is, where it was, and two
// places where it never was.
var (
	home  = netip.MustParseAddr("45.67.89.10")
	old   = netip.MustParseAddr("45.67.89.9")
	wrong = netip.MustParseAddr("91.92.93.94")
	other = netip.MustParseAddr("81.82.83.84")
)

// five is a roster like the default one: q is 3.
func five() Roster {
	return rosterOf(Authenticated, Authenticated, Plain, Authenticated, Authenticated)
}

// rosterOf makes a roster of one operator for each class: op0, op1 and so on.
func rosterOf(classes ...Class) Roster {
	r := Roster{Family: IPv4}
	for i, class := range classes {
		name := fmt.Sprintf("op%d", i)
		r.Members = append(r.Members, Source{Name: name, Operator: name, Class: class, Transport: transportOf(class), Cost: 100 + i})
	}
	return r
}

func transportOf(class Class) string {
	switch class {
	case Plain:
		return "stun"
	case PlainDNS:
		return "dns"
	case Witness:
		return "interface"
	default:
		return "https"
	}
}

// saying returns what the members of a roster say, in order. An invalid
// address is an error.
func saying(r Roster, addresses ...netip.Addr) []Observation {
	var said []Observation
	for i, a := range addresses {
		said = append(said, say(r.Members[i], a))
	}
	return said
}

func say(s Source, a netip.Addr) Observation {
	o := Observation{Source: s.Name, Operator: s.Operator, Class: s.Class, Transport: s.Transport, Family: FamilyOf(a), Address: a}
	if !a.IsValid() {
		o.Err = errors.New("no answer")
	}
	return o
}

var nothing netip.Addr

func TestVote(t *testing.T) {
	dnsHeavy := rosterOf(Authenticated, Authenticated, PlainDNS, PlainDNS, PlainDNS)
	unproven := rosterOf(Authenticated, Plain, Plain, Plain, Plain)
	twin := five()
	twin.Members = append(twin.Members, Source{Name: "op0-dns", Operator: "op0", Class: PlainDNS})
	raised := five()
	raised.Quorum = 4
	watched := five()
	watched.Members = append(watched.Members, Source{Name: "router", Operator: "router", Class: Witness})
	spared := five()
	spared.Spares = []Source{{Name: "spare", Operator: "spare", Class: Authenticated}}
	alone := Roster{Family: IPv4, Quorum: 1, Members: []Source{{Name: "ppp0", Operator: "ppp0", Class: Witness}}}
	stranger := say(Source{Name: "stranger", Operator: "stranger", Class: Authenticated}, home)

	for _, c := range []struct {
		name    string
		roster  Roster
		said    []Observation
		state   Agreement
		address netip.Addr
		why     string
	}{
		{"nobody said anything", five(), nil, Unknown, nothing, "no usable answer from 0 sources, 3 operators must agree"},
		{"everybody failed", five(), saying(five(), nothing, nothing, nothing, nothing, nothing), Unknown, nothing, "no usable answer from 5 sources"},
		{"all agree", five(), saying(five(), home, home, home, home, home), Agreed, home, "45.67.89.10 by op0, op1, op2, op3, op4"},
		{"three of five are a quorum", five(), saying(five(), home, home, home), Agreed, home, "by op0, op1, op2"},
		{"two of five are none, even if nobody else answers", five(), saying(five(), home, home, nothing, nothing, nothing), Unknown, nothing, "3 operators must agree"},
		{"three outvote two", five(), saying(five(), home, old, home, old, home), Agreed, home, "45.67.89.9 by op1, op3"},
		{"two against two is a split", five(), saying(five(), home, home, old, old), Split, nothing, "45.67.89.9 by op2, op3; 45.67.89.10 by op0, op1"},
		{"two against one is not known yet", five(), saying(five(), home, home, old), Unknown, nothing, ""},
		{"five answers that all differ are not known", five(), saying(five(), home, old, wrong, other, netip.MustParseAddr("8.8.4.4")), Unknown, nothing, ""},
		{"a raised quorum is not met by three", raised, saying(raised, home, home, home), Unknown, nothing, "4 operators must agree"},
		{"a raised quorum is met by four", raised, saying(raised, home, home, home, home), Agreed, home, ""},
		{"plain DNS is one voice, whatever the number of operators", dnsHeavy, saying(dnsHeavy, nothing, home, home, home, home), Unknown, nothing, ""},
		{"plain DNS is one voice beside two others", dnsHeavy, saying(dnsHeavy, home, home, nothing, nothing, home), Agreed, home, ""},
		{"all of plain DNS lies against two honest ones", dnsHeavy, saying(dnsHeavy, home, home, wrong, wrong, wrong), Unknown, nothing, ""},
		{"four that prove nothing are no quorum", unproven, saying(unproven, nothing, home, home, home, home), Unknown, nothing, "none of them proves who it is"},
		{"one that proves who it is makes a quorum of them", unproven, saying(unproven, home, home, home, nothing, nothing), Agreed, home, ""},
		{"one operator asked twice is one voice", twin, append(saying(twin, home, home), say(twin.Members[5], home)), Unknown, nothing, "by op0, op1"},
		{"an operator that contradicts itself abstains", twin, append(saying(twin, home, home, home), say(twin.Members[5], old)), Unknown, nothing, "op0 contradicts itself and abstains"},
		{"an operator that only contradicts itself is a split", twin, append(saying(twin, home), say(twin.Members[5], old)), Split, nothing, ""},
		{"a quorum stands beside one that contradicts itself", twin, append(saying(twin, home, home, home, home), say(twin.Members[5], old)), Agreed, home, ""},
		{"an error of one source leaves the operator its other answer", twin, append(saying(twin, nothing, home, home), say(twin.Members[5], home)), Agreed, home, ""},
		{"a witness has no voice", watched, append(saying(watched, home, home), say(watched.Members[5], home)), Unknown, nothing, ""},
		{"a witness cannot object", watched, append(saying(watched, home, home, home), say(watched.Members[5], wrong)), Agreed, home, "45.67.89.10 by op0, op1, op2"},
		{"a spare has a voice", spared, append(saying(spared, home, home), say(spared.Spares[0], home)), Agreed, home, ""},
		{"a stranger has none", five(), append(saying(five(), home, home), stranger), Unknown, nothing, ""},
		{"two quorums, from more operators than there are, agree on nothing", spared, append(saying(spared, home, home, home, old, old), say(spared.Spares[0], old)), Split, nothing, ""},
		{"an IPv4 address in IPv6 clothes is the same address", five(), saying(five(), home, netip.MustParseAddr("::ffff:45.67.89.10"), home), Agreed, home, ""},
		{"an address in clothes that is bound to a link is none", five(), saying(five(), home, netip.MustParseAddr("::ffff:45.67.89.10%eth0"), home), Unknown, nothing, ""},
		{"a private address is no vote", five(), saying(five(), netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("192.168.1.1")), Unknown, nothing, "no usable answer"},
		{"Cloudflare's own address is no vote", five(), saying(five(), netip.MustParseAddr("104.18.0.0"), netip.MustParseAddr("104.18.0.0"), netip.MustParseAddr("104.18.0.0")), Unknown, nothing, ""},
		{"an IPv6 address is no vote for IPv4", five(), saying(five(), netip.MustParseAddr("2a01:4f8::1"), netip.MustParseAddr("2a01:4f8::1"), netip.MustParseAddr("2a01:4f8::1")), Unknown, nothing, ""},
		{"one source alone is believed, and called alone", alone, saying(alone, home), Agreed, home, "the only source: no consensus"},
		{"one source alone is not believed about a private address", alone, saying(alone, netip.MustParseAddr("10.0.0.1")), Unknown, nothing, ""},
		{"a stranger is not believed in the place of the only source", alone, []Observation{stranger}, Unknown, nothing, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := Vote(c.roster, c.said)
			if v.State != c.state || v.Address != c.address {
				t.Errorf("%s %s (%s), want %s %s", v.State, v.Address, v.Why, c.state, c.address)
			}
			if !strings.Contains(v.Why, c.why) {
				t.Errorf("it says %q, which does not contain %q", v.Why, c.why)
			}
		})
	}
}

func TestHeardCountsWhoAgreesAndNotWhoAnswered(t *testing.T) {
	dns := rosterOf(Authenticated, Authenticated, Plain, PlainDNS, PlainDNS, Witness)
	for _, c := range []struct {
		name                string
		said                []Observation
		operators, agreeing int
	}{
		{"all agree", saying(five(), home, home, home, home, home), 5, 5},
		{"who dissents does not agree", saying(five(), home, home, home, old, nothing), 5, 3},
		{"plain DNS agrees with one voice", saying(dns, home, home, home, home, home), 5, 4},
		{"a witness is not an operator", saying(dns, home, home, home, nothing, nothing, home), 5, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := Verdict{State: Agreed, Address: home, Observations: c.said}
			if operators, agreeing := v.heard(); operators != c.operators || agreeing != c.agreeing {
				t.Errorf("%d operators, %d agreeing; want %d and %d", operators, agreeing, c.operators, c.agreeing)
			}
		})
	}
}

// drawRoster draws a roster that may be used: 3 to 7 operators of all classes,
// some with two sources, and now and then a witness.
func drawRoster(t *rapid.T) Roster {
	classes := rapid.SliceOfN(rapid.SampledFrom([]Class{Authenticated, Authenticated, Plain, PlainDNS}), 3, 7).Draw(t, "classes")
	r := rosterOf(classes...)
	for i := range classes {
		if rapid.IntRange(0, 4).Draw(t, "second source") == 0 {
			s := r.Members[i]
			s.Name, s.Class = s.Name+"-2", rapid.SampledFrom([]Class{Authenticated, Plain, PlainDNS}).Draw(t, "its class")
			r.Members = append(r.Members, s)
		}
	}
	if rapid.Bool().Draw(t, "witness") {
		r.Members = append(r.Members, Source{Name: "router", Operator: "router", Class: Witness})
	}
	if r.Validate() != nil {
		t.Skip("no roster that may be used")
	}
	return r
}

// drawAnswers draws what each source of a roster says: few addresses, so that
// they meet, and errors.
func drawAnswers(t *rapid.T, r Roster) []Observation {
	var said []Observation
	for _, s := range r.Members {
		if rapid.IntRange(0, 5).Draw(t, "silent") > 0 {
			said = append(said, say(s, rapid.SampledFrom([]netip.Addr{home, home, home, old, wrong, nothing}).Draw(t, s.Name)))
		}
	}
	return said
}

// outcome is a verdict without the observations that led to it.
func outcome(v Verdict) Verdict {
	v.Observations, v.Why = nil, ""
	return v
}

func TestTheOrderOfObservationsAndMembersDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoster(t)
		said := drawAnswers(t, r)
		shuffled := r
		shuffled.Members = rapid.Permutation(r.Members).Draw(t, "members")
		a, b := Vote(r, said), Vote(shuffled, rapid.Permutation(said).Draw(t, "observations"))
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("%+v\nand in another order\n%+v", a, b)
		}
	})
}

func TestAFinalVerdictSurvivesWhateverIsStillSaid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoster(t)
		said := rapid.Permutation(drawAnswers(t, r)).Draw(t, "order")
		before := said[:rapid.IntRange(0, len(said)).Draw(t, "heard")]
		pending := operatorsIn(said[len(before):])
		firm := slices.DeleteFunc(slices.Clone(before), func(o Observation) bool { return slices.Contains(pending, o.Operator) })
		if v := Vote(r, firm); v.State == Agreed && Vote(r, said).Address != v.Address {
			t.Fatalf("%s became %s", v.Why, Vote(r, said).Why)
		}
	})
}

func operatorsIn(said []Observation) (names []string) {
	for _, o := range said {
		names = append(names, o.Operator)
	}
	return names
}

func TestARepeatedOperatorNeverAddsAVoice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoster(t)
		said := drawAnswers(t, r)
		if len(said) == 0 {
			t.Skip("nobody says anything")
		}
		again := rapid.SampledFrom(said).Draw(t, "again")
		before := Vote(r, said)
		if after := Vote(r, append(slices.Clone(said), again)); !reflect.DeepEqual(outcome(after), outcome(before)) {
			t.Fatalf("the same answer twice: %s became %s", before.Why, after.Why)
		}
		again.Address, again.Err = rapid.SampledFrom([]netip.Addr{home, old, wrong}).Draw(t, "contradicting"), nil
		after := Vote(r, append(slices.Clone(said), again))
		if before.State == Agreed && after.State == Agreed && after.Address != before.Address {
			t.Fatalf("one operator swapped the address: %s became %s", before.Why, after.Why)
		}
	})
}

func TestAVoiceOnlyGrowsAsMoreOperatorsAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rosterOf(Authenticated, Authenticated, Plain, PlainDNS, PlainDNS)
		said := drawAnswers(t, r)
		for i := range said {
			before, after := Vote(r, said[:i]), Vote(r, said[:i+1])
			for _, voice := range before.Voices {
				if weightOf(after, voice.Address) < voice.Weight {
					t.Fatalf("%s lost weight: %+v became %+v", voice.Address, before.Voices, after.Voices)
				}
			}
			if before.State == Agreed && after.Address != before.Address {
				t.Fatalf("%s became %s", before.Why, after.Why)
			}
		}
	})
}

func weightOf(v Verdict, a netip.Addr) int {
	for _, voice := range v.Voices {
		if voice.Address == a {
			return voice.Weight
		}
	}
	return 0
}

func TestOnlyAuthenticatedOperatorsCanMakeAQuorum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoster(t)
		said := slices.DeleteFunc(drawAnswers(t, r), func(o Observation) bool { return o.Class == Authenticated })
		if v := Vote(r, said); v.State == Agreed {
			t.Fatalf("agreed without anybody who proves who it is: %s", v.Why)
		}
	})
}

func TestPlainDNSTogetherIsNeverMoreThanOneVoice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoster(t)
		said := drawAnswers(t, r)
		weight := weightOf(Vote(r, said), wrong)
		var strong []string
		for _, o := range said {
			if o.Class != PlainDNS && !slices.Contains(strong, o.Operator) {
				strong = append(strong, o.Operator)
			}
		}
		forged := slices.Clone(said)
		for i, o := range forged {
			if o.Class == PlainDNS && !slices.Contains(strong, o.Operator) {
				forged[i] = say(Source{Name: o.Source, Operator: o.Operator, Class: PlainDNS}, wrong)
			}
		}
		if got := weightOf(Vote(r, forged), wrong); got > weight+1 {
			t.Fatalf("forging port 53 made %d voices of %d", got, weight)
		}
	})
}

func TestAnAddressThatIsNotSaneIsNeverAgreedOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoster(t)
		r.Family = rapid.SampledFrom(Families).Draw(t, "family")
		a := drawAddress(t)
		var said []Observation
		for _, s := range r.Members {
			said = append(said, say(s, a))
		}
		v := Vote(r, said)
		if sane := Sane(plain(a), r.Family) == nil; (v.State == Agreed) != sane {
			t.Fatalf("%s is sane: %t, and the verdict is %s", a, sane, v.State)
		}
	})
}

// drawAddress draws any address, those near the edges of special ranges often.
func drawAddress(t *rapid.T) netip.Addr {
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		return netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "IPv4")))
	case 1:
		return netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "IPv6")))
	case 2:
		return rapid.SampledFrom(ranges).Draw(t, "range").prefix.Addr().Prev()
	default:
		a := rapid.SampledFrom(ranges).Draw(t, "range").prefix.Addr()
		return netip.AddrFrom16(a.As16())
	}
}

func TestClothesOfIPv6ChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoster(t)
		said := drawAnswers(t, r)
		clothed := slices.Clone(said)
		for i, o := range clothed {
			if o.Address.IsValid() && rapid.Bool().Draw(t, "clothed") {
				clothed[i].Address = netip.AddrFrom16(o.Address.As16())
			}
		}
		if a, b := Vote(r, said), Vote(r, clothed); !reflect.DeepEqual(outcome(a), outcome(b)) {
			t.Fatalf("%s, and with IPv6 clothes %s", a.Why, b.Why)
		}
	})
}

func TestWitnessesNeverMoveTheVerdict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoster(t)
		r.Members = append(r.Members, Source{Name: "pppoe", Operator: "pppoe", Class: Witness})
		said := drawAnswers(t, r)
		voting := slices.DeleteFunc(slices.Clone(said), func(o Observation) bool { return o.Class == Witness })
		if a, b := Vote(r, said), Vote(r, voting); !reflect.DeepEqual(outcome(a), outcome(b)) {
			t.Fatalf("%s, and without witnesses %s", a.Why, b.Why)
		}
	})
}

func TestAQuorumOfHonestVoicesAlwaysDecides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoster(t)
		honest := rapid.Permutation(r.Members).Draw(t, "honest")
		honest = firstWave(r, honest, nil)
		var said []Observation
		for _, s := range r.Members {
			switch {
			case slices.ContainsFunc(honest, func(h Source) bool { return h.Name == s.Name }):
				said = append(said, say(s, home))
			case !slices.ContainsFunc(honest, func(h Source) bool { return h.Operator == s.Operator }):
				said = append(said, say(s, rapid.SampledFrom([]netip.Addr{home, old, wrong, nothing}).Draw(t, s.Name)))
			}
		}
		if v := Vote(r, said); v.State != Agreed || v.Address != home {
			t.Fatalf("%d honest voices of %d did not decide: %s", len(honest), r.Needed(), v.Why)
		}
	})
}

// TestEveryWayToAnswer walks through everything that up to five operators can
// say, of three classes, and holds it against a plainer statement of the rule.
func TestEveryWayToAnswer(t *testing.T) {
	words := []netip.Addr{nothing, home, old, wrong}
	for n := 3; n <= 5; n++ {
		for _, classes := range [][]Class{
			{Authenticated, Authenticated, Authenticated, Authenticated, Authenticated},
			{Authenticated, Plain, Authenticated, PlainDNS, PlainDNS},
			{PlainDNS, Authenticated, Plain, Plain, Plain},
		} {
			r := rosterOf(classes[:n]...)
			for code := range 1 << (2 * n) {
				var answers []netip.Addr
				for i := range n {
					answers = append(answers, words[code>>(2*i)&3])
				}
				v := Vote(r, saying(r, answers...))
				if got, want := v.Address, agreedPlainly(r, answers); got != want {
					t.Fatalf("%v of %v: %s (%s), want %s", answers, classes[:n], got, v.Why, want)
				}
			}
		}
	}
}

// agreedPlainly says what Vote should say of one answer an operator.
func agreedPlainly(r Roster, answers []netip.Addr) netip.Addr {
	for _, a := range []netip.Addr{home, old, wrong} {
		voices, proved, plainDNS := 0, false, 0
		for i, s := range r.Members {
			switch {
			case answers[i] != a:
			case s.Class == PlainDNS:
				plainDNS = 1
			default:
				voices++
				proved = proved || s.Class == Authenticated
			}
		}
		if proved && voices+plainDNS >= r.Needed() {
			return a
		}
	}
	return nothing
}

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
		strong[s.Operator] = strong[s.Operator] || s.Class != PlainDNS
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
	h, w.memory = Hold(Vote(w.roster, said), w.published, w.memory, w.now)
	if h.Decision == Publish && w.IntN(10) > 0 { // now and then the write fails
		w.published = []netip.Addr{h.Address}
		w.memory = w.memory.confirm(h.Address, w.now)
	}
	return h, early
}

func BenchmarkVote(b *testing.B) {
	r := five()
	said := saying(r, home, home, home, old, nothing)
	b.ReportAllocs()
	for b.Loop() {
		Vote(r, said)
	}
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
