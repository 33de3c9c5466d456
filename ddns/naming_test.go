package ddns

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestAnAnswerForANameOfOurOwnIsWhatItIs(t *testing.T) {
	for _, c := range []struct {
		answers string
		fault   NameFault
		public  int
	}{
		{"", NameDenied, 0},
		{"23.0.0.1", NameFine, 1},
		{"2606:4700::1", NameFine, 1},
		{"64:ff9b::1700:1", NameFine, 1}, // 23.0.0.1, where there is no IPv4
		{"0.0.0.0", NameBlocked, 0},
		{"0.1.2.3", NameBlocked, 0},
		{"::", NameBlocked, 0},
		{"127.0.0.1", NameBlocked, 0},
		{"127.7.7.7", NameBlocked, 0},
		{"::1", NameBlocked, 0},
		{"::ffff:127.0.0.1", NameBlocked, 0},
		{"10.0.0.1", NameInside, 0},
		{"172.31.255.255", NameInside, 0},
		{"192.168.0.1", NameInside, 0},
		{"169.254.1.1", NameInside, 0},
		{"fe80::1", NameInside, 0},
		{"fec0::1", NameInside, 0},
		{"::ffff:192.168.0.1", NameInside, 0},
		{"64:ff9b::c0a8:1", NameInside, 0},
		{"224.0.0.1", NameInside, 0},
		{"198.18.0.7", NameProxied, 0},
		{"198.19.255.255", NameProxied, 0},
		{"100.64.0.1", NameProxied, 0},
		{"100.127.255.255", NameProxied, 0},
		{"fc00::1", NameProxied, 0},
		{"fd12::1", NameProxied, 0},
		{"::ffff:198.18.0.7", NameProxied, 0},
		{"64:ff9b::c612:7", NameProxied, 0},
		{"240.0.0.7", NameProxied, 0}, // older V2Ray
		{"255.255.255.254", NameProxied, 0},
		{"28.0.0.7", NameProxied, 0}, // mihomo, as many configure it
		{"fc00:3fff::1", NameProxied, 0},
		{"192.0.2.1", NameInside, 0},
		{"198.51.100.7", NameInside, 0},
		{"203.0.113.7", NameInside, 0},
		{"192.0.0.170", NameInside, 0},
		{"2001:2::7", NameInside, 0},
		{"2001:db8::7", NameInside, 0},
		{"2002:c000:201::1", NameInside, 0},
		{"104.16.0.1 104.28.0.1 1.1.1.1 2606:4700::1", NameFine, 4}, // Cloudflare's hosts are in the world
		{"100.63.255.255 198.20.0.0 172.32.0.0 100.128.0.0 27.255.255.255 29.0.0.0", NameFine, 6},
		{"23.0.0.1 fd12::1", NameFine, 1},
		{"127.0.0.1 198.18.0.7", NameProxied, 0},
	} {
		var answers []netip.Addr
		for a := range strings.FieldsSeq(c.answers) {
			answers = append(answers, netip.MustParseAddr(a))
		}
		f, public := JudgeName("api.cloudflare.com", answers)
		if f.Fault != c.fault || len(public) != c.public {
			t.Errorf("%q: fault %d and %v, want fault %d and %d addresses", c.answers, f.Fault, public, c.fault, c.public)
		}
		if err := (&NameError{NameFinding: f}); c.fault != NameFine && (!strings.Contains(err.Error(), "api.cloudflare.com") || c.answers != "" && !strings.Contains(err.Error(), f.Answer.String())) {
			t.Errorf("%q: %v names not what was answered", c.answers, err)
		}
	}
}

func TestAHandshakeThatFailsSaysWhereItWasMade(t *testing.T) {
	for _, c := range []struct{ host, at, want string }{
		{"checkip.amazonaws.com", "127.0.0.1", "checkip.amazonaws.com resolves to 127.0.0.1, which is this machine: bad certificate"},
		{"checkip.amazonaws.com", "192.168.1.1", "checkip.amazonaws.com resolves to 192.168.1.1, which is no address of the world: bad certificate"},
		{"checkip.amazonaws.com", "23.0.0.1", "checkip.amazonaws.com at 23.0.0.1: bad certificate"},
		{"23.0.0.1", "23.0.0.1", "23.0.0.1: bad certificate"},
		{"127.0.0.1", "127.0.0.1", "127.0.0.1: bad certificate"},
	} {
		err := &HandshakeError{Host: c.host, At: netip.MustParseAddr(c.at), Err: errors.New("bad certificate")}
		if err.Error() != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	if got := (&HandshakeError{Host: "a.example", Err: net.ErrClosed}).Error(); !strings.HasPrefix(got, "a.example: ") {
		t.Errorf("without an address: %s", got)
	}
}

// A filter that denies one echo is respected; it is told only where it costs something.
func TestWhatAResolverGetsWrongIsToldWhereItCosts(t *testing.T) {
	agreed, unknown := []Verdict{{Family: IPv4, State: Agreed}}, []Verdict{{Family: IPv4}}
	denied := NameFinding{Host: "checkip.amazonaws.com", Fault: NameDenied}
	costly := denied
	costly.Costs = true
	fine := NameFinding{Host: "v4.ident.me", Answer: netip.MustParseAddr("23.0.0.1")}
	proxied := NameFinding{Host: "v4.ident.me", Fault: NameProxied, Answer: netip.MustParseAddr("198.18.0.7")}
	for _, c := range []struct {
		name     string
		verdicts []Verdict
		names    []NameFinding
		want     string // words of the title; "": no condition
	}{
		{"all is well", agreed, []NameFinding{fine}, ""},
		{"one echo is denied, and the others agree", agreed, []NameFinding{denied}, ""},
		{"one is denied, and there is no quorum", unknown, []NameFinding{denied, fine}, "denies checkip.amazonaws.com"},
		{"others had to be asked", agreed, []NameFinding{costly}, "asked over HTTPS"},
		{"a proxy tells more than a filter", unknown, []NameFinding{denied, proxied}, "198.18.0.7"},
		{"there is no quorum for another reason", unknown, nil, ""},
	} {
		conditions := Round{Verdicts: c.verdicts, Names: c.names}.assessNames()
		if len(conditions) > 0 != (c.want != "") || len(conditions) > 0 && (conditions[0].Code != CodeResolver || !strings.Contains(conditions[0].Title, c.want)) {
			t.Errorf("%s: %v", c.name, conditions)
		}
	}
}
