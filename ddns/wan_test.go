package ddns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func found(by, address string) WANFinding {
	return WANFinding{By: by, Address: netip.MustParseAddr(address), Backing: Repeated}
}

func TestJudgeWAN(t *testing.T) {
	agreed := Vote(five(), saying(five(), home, home, home))
	unknown := Vote(five(), saying(five(), home))
	hop := found("hop 3", "100.64.1.1")
	hop.Hop = true
	empty := WANFinding{By: "upnp", Empty: true}
	silent := WANFinding{By: "nat-pmp", Err: errors.New("no answer")}
	for _, c := range []struct {
		name     string
		verdict  Verdict
		findings []WANFinding
		nat      NAT
		says     string
	}{
		{"the router holds the agreed address", agreed, []WANFinding{found("nat-pmp", home.String())}, NATSingle, "as well"},
		{"the router is behind the provider's NAT", agreed, []WANFinding{found("nat-pmp", "100.64.1.2")}, NATCarrier, "CGNAT"},
		{"the last address of that range counts", agreed, []WANFinding{found("nat-pmp", "100.127.255.255")}, NATCarrier, "CGNAT"},
		{"this machine is behind the provider's NAT", agreed, []WANFinding{silent, found("interface ppp0", "100.64.1.2")}, NATCarrier, "interface ppp0 names 100.64.1.2"},
		{"the line is IPv6 alone", agreed, []WANFinding{found("upnp", "192.0.0.2")}, NATDSLite, "DS-Lite"},
		{"beyond that range nothing is known", agreed, []WANFinding{found("upnp", "192.0.0.9")}, NATUnknown, "nothing to compare"},
		{"two routers in a row", agreed, []WANFinding{found("upnp", "192.168.0.2")}, NATDouble, "another router"},
		{"the router holds another public address", agreed, []WANFinding{found("upnp", other.String())}, NATElsewhere, "the world sees " + home.String()},
		{"without a verdict a public address is compared to nothing", unknown, []WANFinding{found("upnp", other.String())}, NATUnknown, "nothing to compare"},
		{"without a verdict a shared range is one all the same", unknown, []WANFinding{found("upnp", "100.64.1.2")}, NATCarrier, "this home's address"},
		{"the agreed address settles it, whoever else names what", agreed, []WANFinding{found("interface eth0", "100.64.1.2"), found("nat-pmp", home.String()), found("upnp", "10.0.0.2")}, NATSingle, "nat-pmp"},
		{"a shared range outweighs a private one", agreed, []WANFinding{found("nat-pmp", "10.0.0.2"), found("upnp", "100.64.1.2")}, NATCarrier, "upnp"},
		{"an empty answer tells nothing", agreed, []WANFinding{empty, silent}, NATUnknown, "names no address, as behind CGNAT or behind another router\x00"},
		{"without a verdict it may be that there is no line", unknown, []WANFinding{empty}, NATUnknown, "names no address, as without a line, "},
		{"an empty answer and a hop of the range are a hint, no finding", agreed, []WANFinding{empty, hop}, NATUnknown, "hop 3 on the way out is 100.64.1.1"},
		{"a hop alone holds nothing", agreed, []WANFinding{hop}, NATUnknown, "CGNAT"},
		{"a silent router tells nothing", agreed, []WANFinding{silent}, NATUnknown, "nat-pmp: no answer"},
		{"how a router keeps silent is not told", agreed, []WANFinding{
			{By: "upnp at 192.168.1.1:49000", Err: &net.OpError{Op: "dial", Net: "tcp4", Err: errors.New("connection refused")}},
			{By: "nat-pmp at 192.168.1.1", Err: fmt.Errorf("no answer within 1s: %w", context.DeadlineExceeded)},
			{By: "upnp at 192.168.1.1", Err: fmt.Errorf("x: %w", &net.OpError{Op: "read", Net: "udp4", Err: errors.New("connection refused")})},
		}, NATUnknown, "no answer from nat-pmp at 192.168.1.1, upnp at 192.168.1.1\x00"},
		{"what it answers amiss is", agreed, []WANFinding{{By: "upnp at 192.168.1.1", Err: errors.New("606 not authorized")}, {By: "nat-pmp at 192.168.1.1", Err: context.Canceled}},
			NATUnknown, "upnp at 192.168.1.1: 606 not authorized; no answer from nat-pmp at 192.168.1.1\x00"},
		{"nobody was asked", agreed, nil, NATUnknown, "no witness was asked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := JudgeWAN(c.verdict, c.findings)
			if w.NAT != c.nat || !strings.Contains(w.Why+"\x00", c.says) {
				t.Errorf("%q (%s), want %q that says %q", w.NAT, w.Why, c.nat, c.says)
			}
			raised := w.assess(Holding{Guard: CGNATGuard}, nil)
			if c.nat.Shared() != (len(raised) == 1 && raised[0].Code == CodeCGNAT) {
				t.Errorf("conditions %+v", raised)
			}
		})
	}
}

func drawFindings(t *rapid.T) []WANFinding {
	sides := addresses(home, old, nothing, netip.MustParseAddr("100.64.1.2"), netip.MustParseAddr("192.0.0.2"), netip.MustParseAddr("192.168.0.2"))
	names := []string{"interface ppp0", "nat-pmp", "upnp"}
	var findings []WANFinding
	for _, by := range rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID).Draw(t, "who") {
		backing := Backing(rapid.IntRange(0, 3).Draw(t, "backing of "+by))
		findings = append(findings, WANFinding{By: by, Address: rapid.SampledFrom(sides).Draw(t, by), Backing: backing})
	}
	return findings
}

func TestWitnessesNeverVote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoster(t)
		v := Vote(r, drawAnswers(t, r))
		m, published := drawMemory(t, r), addresses(old)
		findings := drawFindings(t)
		w := JudgeWAN(v, findings)
		if again := JudgeWAN(v, rapid.Permutation(findings).Draw(t, "order")); again.NAT != w.NAT || again.Address != w.Address || again.Why != w.Why {
			t.Fatalf("another order says %q (%s) instead of %q (%s)", again.NAT, again.Why, w.NAT, w.Why)
		}
		with, after := Hold(v, published, w, m, start)
		without, afterWithout := Hold(v, published, WAN{}, m, start)
		if with.Address != without.Address || with.Decision > without.Decision {
			t.Fatalf("a witness moved %s %s to %s %s", without.Decision, without.Address, with.Decision, with.Address)
		}
		shared := w.NAT.Shared() && w.Backing > Hearsay && v.Family == IPv4 && v.State == Agreed
		if held := with.Guard == CGNATGuard; held && !shared || shared && !held && w.Backing >= Connected {
			t.Fatalf("%q: %+v", w.NAT, with)
		}
		if w.Backing == Hearsay && with != without {
			t.Fatalf("anybody in the house can make it %+v", with)
		}
		if after.Veto != afterWithout.Veto || after.Damped.Confirmed != afterWithout.Damped.Confirmed {
			t.Fatal("the other guards do not count while a witness holds")
		}
		if w.Accepted = true; w.NAT.Shared() {
			if h, _ := Hold(v, published, w, m, start); h.Guard == CGNATGuard {
				t.Fatal("held although ip.cgnat says publish")
			}
		}
	})
}
