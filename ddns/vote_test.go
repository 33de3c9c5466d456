package ddns

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
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
	case Witness:
		return "interface"
	default:
		return "https"
	}
}

// saying returns what the members of a roster, and then its spares, say, in
// order. An invalid address is an error.
func saying(r Roster, addresses ...netip.Addr) []Observation {
	var said []Observation
	for i, a := range addresses {
		said = append(said, say(slices.Concat(r.Members, r.Spares)[i], a))
	}
	return said
}

func say(s Source, a netip.Addr) Observation {
	o := observationOf(s, FamilyOf(a), a, nil)
	if !a.IsValid() {
		o.Err = errors.New("no answer")
	}
	return o
}

var nothing netip.Addr

func TestVote(t *testing.T) {
	forgeable := rosterOf(Authenticated, Authenticated, Plain, Plain, Plain)
	unproven := rosterOf(Authenticated, Plain, Plain, Plain, Plain)
	spared2, spared3 := standingIn(five(), "op0", "op1"), standingIn(five(), "op0", "op1", "op3")
	twin := five()
	twin.Members = append(twin.Members, Source{Name: "op0-dns", Operator: "op0", Class: Plain})
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
		{"nobody said anything", five(), nil, Unknown, nothing, "no usable answer from 0 sources"},
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
		{"what TLS does not prove is one voice, whatever the number of operators", forgeable, saying(forgeable, nothing, home, home, home, home), Unknown, nothing, "2 operators must prove by TLS"},
		{"what TLS does not prove is one voice beside two others", forgeable, saying(forgeable, home, home, nothing, nothing, home), Agreed, home, ""},
		{"all that can be forged lies against two honest ones", forgeable, saying(forgeable, home, home, wrong, wrong, wrong), Unknown, nothing, ""},
		{"all that can be forged lies, and one of two over TLS as well", forgeable, saying(forgeable, home, wrong, wrong, wrong, wrong), Unknown, nothing, "2 operators must prove by TLS"},
		{"four that prove nothing are no quorum", unproven, saying(unproven, nothing, home, home, home, home), Unknown, nothing, "2 operators must prove by TLS"},
		{"one that proves who it is makes no quorum of them", unproven, saying(unproven, home, home, home, home, home), Unknown, nothing, "2 operators must prove by TLS"},
		{"the line drops three over TLS, forges the rest, and two small ones lie", spared3, saying(spared3, nothing, nothing, wrong, nothing, wrong, wrong, nothing, nothing), Unknown, nothing, "4 operators must agree, one more than usual"},
		{"the line drops three over TLS, forges the rest, and two spares lie", spared3, saying(spared3, nothing, nothing, wrong, nothing, home, wrong, wrong, nothing), Unknown, nothing, ""},
		{"four with two spares among them are a quorum", spared2, saying(spared2, nothing, nothing, nothing, home, home, home, home), Agreed, home, ""},
		{"three with two spares among them are none", spared2, saying(spared2, nothing, nothing, nothing, nothing, home, home, home), Unknown, nothing, "4 operators must agree"},
		{"three members are one, however many spares were called and are silent", spared2, saying(spared2, nothing, nothing, home, home, home, nothing, nothing), Agreed, home, ""},
		{"one operator asked twice is one voice", twin, append(saying(twin, home, home), say(twin.Members[5], home)), Unknown, nothing, "by op0, op1"},
		{"an operator that contradicts itself abstains", twin, append(saying(twin, home, home, home), say(twin.Members[5], old)), Unknown, nothing, "op0 contradicts itself and abstains"},
		{"an operator that only contradicts itself is a split", twin, append(saying(twin, home), say(twin.Members[5], old)), Split, nothing, ""},
		{"a quorum stands beside one that contradicts itself", twin, append(saying(twin, home, home, home, home), say(twin.Members[5], old)), Agreed, home, ""},
		{"an error of one source leaves the operator its other answer", twin, append(saying(twin, nothing, home, nothing, home), say(twin.Members[5], home)), Agreed, home, ""},
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

func TestAVerdictKnowsHowMuchItBears(t *testing.T) {
	plain := rosterOf(Authenticated, Authenticated, Authenticated, Plain, Plain, Witness)
	three := rosterOf(Authenticated, Authenticated, Plain)
	twin := five()
	twin.Members = append(twin.Members, Source{Name: "op0-dns", Operator: "op0", Class: Plain})
	spared := standingIn(five(), "op3", "op4")
	for _, c := range []struct {
		name       string
		roster     Roster
		said       []Observation
		full, thin bool
	}{
		{"all agree", five(), saying(five(), home, home, home, home, home), true, false},
		{"one of five is silent", five(), saying(five(), home, home, home, home, nothing), true, false},
		{"two of five are", five(), saying(five(), home, home, home, nothing, nothing), true, true},
		{"one dissents and one is silent", five(), saying(five(), home, home, home, old, nothing), true, true},
		{"one was not heard of", five(), saying(five(), home, home, home, home), false, false},
		{"those that TLS does not prove are one voice", plain, saying(plain, home, home, home, home, home), true, false},
		{"one of those is no loss", plain, saying(plain, home, home, home, home, nothing), true, false},
		{"both of those are", plain, saying(plain, home, home, home, nothing, nothing), true, true},
		{"a witness is not an operator", plain, saying(plain, home, home, home, nothing, nothing, home), true, true},
		{"three voices that must be two, and two that TLS must prove", three, saying(three, home, home, home), true, true},
		{"who contradicts itself bears nothing", twin, append(saying(twin, home, home, home, home, nothing), say(twin.Members[5], old)), true, true},
		{"spares bear as members do", spared, saying(spared, home, home, home, nothing, nothing, home, home), true, false},
		{"and where they stand in for two, one more must agree", spared, saying(spared, home, home, nothing, nothing, nothing, home, home), true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := Vote(c.roster, c.said)
			v.State, v.Address = Agreed, home
			if v.full() != c.full || v.thin() != c.thin {
				t.Errorf("full %t, thin %t; want %t and %t", v.full(), v.thin(), c.full, c.thin)
			}
		})
	}
}

// standingIn returns the roster with a spare asked in the place of each of some
// operators.
func standingIn(r Roster, places ...string) Roster {
	r = withSpares(r, len(places))
	for i, place := range places {
		r.Spares[i].InPlaceOf = place
	}
	return r
}

// TestEveryWayToAnswer walks through everything that up to five operators can
// say, of two classes, and holds it against a plainer statement of the rule.
func TestEveryWayToAnswer(t *testing.T) {
	words := []netip.Addr{nothing, home, old, wrong}
	for n := 3; n <= 5; n++ {
		for _, classes := range [][]Class{
			{Authenticated, Authenticated, Authenticated, Authenticated, Authenticated},
			{Authenticated, Plain, Authenticated, Plain, Plain},
			{Plain, Authenticated, Authenticated, Authenticated, Plain},
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
		proved, plain := 0, 0
		for i, s := range r.Members {
			switch {
			case answers[i] != a:
			case s.Class == Plain:
				plain = 1
			default:
				proved++
			}
		}
		if proved >= 2 && proved+plain >= r.Needed() {
			return a
		}
	}
	return nothing
}

func BenchmarkVote(b *testing.B) {
	r := five()
	said := saying(r, home, home, home, old, nothing)
	b.ReportAllocs()
	for b.Loop() {
		Vote(r, said)
	}
}
