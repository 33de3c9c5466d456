package ipsource

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/agnivade/levenshtein"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cfddns/cfddns/ddns"
)

// names lists sources as NAME/OPERATOR/CLASS.
func names(sources []ddns.Source) (list []string) {
	for _, s := range sources {
		list = append(list, s.Name+"/"+s.Operator+"/"+s.Class.String())
	}
	return list
}

func TestDefaultRosters(t *testing.T) {
	for _, sources := range [][]Spec{nil, {{Name: Default}}} {
		rosters, err := Build(Config{Sources: sources}, loopback{})
		if err != nil {
			t.Fatal(err)
		}
		for family, want := range map[ddns.Family][2][]string{
			ddns.IPv4: {
				{"cloudflare/cloudflare/authenticated", "amazon/amazon/authenticated", "google/google/plain", "akamai/akamai/authenticated", "identme/identme/authenticated"},
				{"desec/desec/authenticated", "nsupdate/nsupdate/authenticated", "ipify/ipify/authenticated"},
			},
			ddns.IPv6: {
				{"cloudflare/cloudflare/authenticated", "google/google/plain", "amazon/amazon/authenticated", "identme/identme/authenticated", "desec/desec/authenticated"},
				{"nsupdate/nsupdate/authenticated", "ipify/ipify/authenticated", "nnev/nnev/authenticated"},
			},
		} {
			r := rosters[family]
			if diff := cmp.Diff(want[0], names(r.Members)); diff != "" {
				t.Errorf("members of %s (-want +got):\n%s", family, diff)
			}
			if diff := cmp.Diff(want[1], names(r.Spares)); diff != "" {
				t.Errorf("spares of %s (-want +got):\n%s", family, diff)
			}
			if r.Family != family || r.Operators() != 5 || r.Needed() != 3 {
				t.Errorf("%s: family %s, %d operators, quorum %d", family, r.Family, r.Operators(), r.Needed())
			}
		}
	}
}

func TestTheCatalogueIsSound(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range catalogue() {
		if e.name == "" || e.operator == "" || e.seen == "" || !strings.Contains(e.seen, "2026-") || seen[e.name] {
			t.Errorf("%+v lacks a name of its own, an operator, or where it was seen", e)
		}
		seen[e.name] = true
		if e.ipv4 == "" && e.ipv6 == "" {
			t.Errorf("%s serves no family", e.name)
		}
		if e.kind.traits().cost == 0 {
			t.Errorf("%s costs nothing", e.name)
		}
		for _, host := range e.hosts() {
			literal, err := netip.ParseAddr(host)
			if err == nil && e.kind != viaDNS && e.kind != viaDNSOverTCP {
				t.Errorf("%s asks the literal address %s", e.name, literal)
			}
		}
		for _, family := range ddns.Families {
			if e.kind == viaHTTPS || e.kind == viaTrace || e.kind == viaDoH {
				if u, err := url.Parse(e.at(family)); err != nil || e.at(family) != "" && u.Scheme != "https" {
					t.Errorf("%s: %q is no https URL", e.name, e.at(family))
				}
			}
		}
		if (e.kind == viaDNS || e.kind == viaDNSOverTCP || e.kind == viaDoH) != (e.whoami.name != "") {
			t.Errorf("%s: kind %d with question %q", e.name, e.kind, e.whoami.name)
		}
	}
	for _, family := range ddns.Families {
		for _, name := range slices.Concat(defaultNames(family), spareNames(family)) {
			if e, ok := lookup(name); !ok || e.at(family) == "" {
				t.Errorf("%s does not serve %s", name, family)
			}
		}
	}
}

func TestEverythingIsTheWholeCatalogue(t *testing.T) {
	rosters := Everything(Config{Sources: []Spec{{Name: "amazon"}}, Quorum: 1, Families: []ddns.Family{ddns.IPv4}}, loopback{})
	if n := len(rosters[ddns.IPv4].Members); n != len(catalogue()) {
		t.Errorf("%d of %d sources for IPv4", n, len(catalogue()))
	}
	if n := len(rosters[ddns.IPv6].Members); n != len(catalogue())-2 { // akamai has none
		t.Errorf("%d of %d sources for IPv6", n, len(catalogue()))
	}
}

// three are sources of three operators.
func three(more ...Spec) []Spec {
	return append([]Spec{{Name: "cloudflare"}, {Name: "amazon"}, {Name: "google"}}, more...)
}

func TestConfigurationsThatCannotBeRight(t *testing.T) {
	v4 := []ddns.Family{ddns.IPv4}
	for _, c := range []struct {
		name   string
		config Config
		says   []string
	}{
		{"a name with a slip", Config{Sources: three(Spec{Name: "amazn"})}, []string{`source "amazn" is not known: did you mean "amazon"?`}},
		{"a name that is near default", Config{Sources: []Spec{{Name: "defaults"}}}, []string{`did you mean "default"?`}},
		{"a name that is near none", Config{Sources: three(Spec{Name: "myisp"})}, []string{`source "myisp" is not known: cfddns ip --all lists those that are`}},
		{"two mistakes at once", Config{Sources: three(Spec{Name: "gogle"}, Spec{HTTPS: "https://echo.test/"}), Quorum: -1},
			[]string{`did you mean "google"?`, "source echo.test has no operator: add operator: NAME", "quorum -1: want auto"}},
		{"nothing in an entry", Config{Sources: three(Spec{})}, []string{"empty source"}},
		{"an operator alone", Config{Sources: three(Spec{Operator: "me"})}, []string{"empty source"}},
		{"two kinds in an entry", Config{Sources: three(Spec{STUN: "a.test:1", HTTPS: "https://a.test", Operator: "a"})}, []string{"source of several kinds"}},
		{"default with an operator", Config{Sources: []Spec{{Name: Default, Operator: "me"}}}, []string{`"default" stands alone`}},
		{"two operators", Config{Sources: []Spec{{Name: "cloudflare"}, {Name: "amazon"}}, Families: v4}, []string{"ipv4 has 2 of the 3 operators that a quorum needs at least"}},
		{"one source, and no quorum", Config{Sources: []Spec{{Name: "cloudflare"}}, Families: v4}, []string{"ipv4 has 1 of the 3 operators", "or keep one source with quorum 1"}},
		{"the router, and no quorum", Config{Sources: []Spec{{Router: "auto"}}, Families: v4}, []string{"ipv4 has 0 of the 3 operators", "have no vote, but for one that is the only source, with quorum 1"}},
		{"three sources of two operators", Config{Sources: []Spec{{Name: "cloudflare"}, {Name: "icanhazip"}, {Name: "amazon"}}, Families: v4}, []string{"ipv4 has 2 of the 3 operators"}},
		{"quorum 1 with several sources", Config{Sources: three(), Quorum: 1, Families: v4}, []string{"quorum 1 is no majority of 3 ipv4 operators"}},
		{"a quorum below the majority", Config{Quorum: 2, Families: v4}, []string{"quorum 2 is no majority of 5 ipv4 operators: 3 is the lowest"}},
		{"a quorum above the operators", Config{Quorum: 6, Families: v4}, []string{"quorum 6 can never be reached by 5 ipv4 operators"}},
		{"nobody whom TLS proves", Config{Sources: []Spec{{Name: "google"}, {Name: "cloudflare-stun"}, {Name: "nextcloud-stun"}}, Families: v4}, []string{"ipv4 has 0 of 3 operators over HTTPS"}},
		{"plain DNS alone", Config{Sources: []Spec{{Name: "google-dns"}, {Name: "cloudflare-dns"}, {Name: "opendns"}}, Families: v4}, []string{"ipv4 has 0 of 3 operators over HTTPS"}},
		{"plain DNS and one more", Config{Sources: []Spec{{Name: "google-dns"}, {Name: "cloudflare-dns"}, {Name: "opendns"}, {Name: "akamai-dns"}, {Name: "amazon"}}, Families: v4},
			[]string{"ipv4 has 1 of 5 operators over HTTPS", "2 in all, and 3 must agree, 2 of them over HTTPS; add 2 over HTTPS"}},
		{"one over HTTPS beside STUN", Config{Sources: []Spec{{Name: "amazon"}, {Name: "google"}, {Name: "nextcloud-stun"}}, Families: v4}, []string{"2 in all, and 2 must agree, 2 of them over HTTPS; add 1 over HTTPS"}},
		{"one source that does not serve the family", Config{Sources: []Spec{{Name: "akamai"}}, Quorum: 1}, []string{"no source serves ipv6: add one that does, or want no AAAA records"}},
		{"witnesses instead of voices", Config{Sources: []Spec{{Name: "cloudflare"}, {Name: "amazon"}, {Interface: "eth0"}}, Families: v4}, []string{"ipv4 has 2 of the 3 operators"}},
		{"plain http", Config{Sources: three(Spec{HTTPS: "http://echo.test/ip", Operator: "a"})}, []string{"http://echo.test can be forged", "want https://echo.test"}},
		{"another scheme", Config{Sources: three(Spec{HTTPS: "ftp://echo.test/", Operator: "a"})}, []string{"ftp:// cannot be asked"}},
		{"no URL", Config{Sources: three(Spec{HTTPS: "echo.test?key=secret", Operator: "a"})}, []string{`"echo.test" is no URL`}},
		{"a password in the URL", Config{Sources: three(Spec{HTTPS: "https://u:secret@echo.test/", Operator: "a"})}, []string{"holds a user name or a password"}},
		{"the literal address of Cloudflare's resolver", Config{Sources: three(Spec{HTTPS: "https://1.1.1.1/cdn-cgi/trace", Operator: "cloudflare"})}, []string{"1.1.1.1 is hijacked or blocked", "want the source cloudflare"}},
		{"its IPv6 address", Config{Sources: three(Spec{HTTPS: "https://[2606:4700:4700::1111]/cdn-cgi/trace", Operator: "cloudflare"})}, []string{"is hijacked or blocked"}},
		{"a known host under another operator", Config{Sources: three(Spec{HTTPS: "https://ipv4.icanhazip.com/", Operator: "major"})}, []string{`ipv4.icanhazip.com is run by cloudflare, not by "major"`}},
		{"another name of a known operator: https://icanhazip.com/", Config{Sources: three(Spec{HTTPS: "https://icanhazip.com/", Operator: "me"})}, []string{`is run by cloudflare, not by "me"`}},
		{"another name of a known operator: https://ICANHAZIP.com./", Config{Sources: three(Spec{HTTPS: "https://ICANHAZIP.com./", Operator: "me"})}, []string{`is run by cloudflare, not by "me"`}},
		{"another name of a known operator: https://CheckIP.amazonaws.com/", Config{Sources: three(Spec{HTTPS: "https://CheckIP.amazonaws.com/", Operator: "me"})}, []string{`is run by amazon, not by "me"`}},
		{"another name of a known operator: https://ident.me/", Config{Sources: three(Spec{HTTPS: "https://ident.me/", Operator: "me"})}, []string{`is run by identme, not by "me"`}},
		{"another name of a known operator: https://6.tnedi.me/", Config{Sources: three(Spec{HTTPS: "https://6.tnedi.me/", Operator: "me"})}, []string{`is run by identme, not by "me"`}},
		{"another name of a known operator: https://api.ipify.org/", Config{Sources: three(Spec{HTTPS: "https://api.ipify.org/", Operator: "me"})}, []string{`is run by ipify, not by "me"`}},
		{"another name of a known operator: https://api64.ipify.org/", Config{Sources: three(Spec{HTTPS: "https://api64.ipify.org/", Operator: "me"})}, []string{`is run by ipify, not by "me"`}},
		{"another STUN server of a known operator", Config{Sources: three(Spec{STUN: "stun2.l.google.com:19302", Operator: "me"})}, []string{`is run by google, not by "me"`}},
		{"another DNS server of a known operator", Config{Sources: three(Spec{DNS: &DNS{Server: "resolver3.opendns.com", Name: "myip.opendns.com"}, Operator: "me"})}, []string{`is run by opendns, not by "me"`}},
		{"another address of a known operator", Config{Sources: three(Spec{DNS: &DNS{Server: "208.67.220.220", Name: "myip.opendns.com"}, Operator: "me"})}, []string{`is run by opendns, not by "me"`}},
		{"a trace under another operator", Config{Sources: three(Spec{HTTPS: "https://home.example.com/cdn-cgi/trace", Operator: "me"})}, []string{"home.example.com is run by cloudflare"}},
		{"a known name under another operator", Config{Sources: three(Spec{Name: "identme", Operator: "me"})}, []string{`identme is run by identme, not by "me"`}},
		{"a STUN server without a port", Config{Sources: three(Spec{STUN: "stun.test", Operator: "a"})}, []string{`server "stun.test": want HOST:PORT`}},
		{"a STUN server at port 0", Config{Sources: three(Spec{STUN: "stun.test:0", Operator: "a"})}, []string{"want HOST:PORT"}},
		{"a STUN URL", Config{Sources: three(Spec{STUN: "stun:stun.test:3478", Operator: "a"})}, []string{"want HOST:PORT"}},
		{"a DNS question without a server", Config{Sources: three(Spec{DNS: &DNS{Name: "me.test"}, Operator: "a"})}, []string{"want HOST:PORT"}},
		{"a DNS question without a name", Config{Sources: three(Spec{DNS: &DNS{Server: "ns.test:53"}, Operator: "a"})}, []string{`name "" is no domain name`}},
		{"a DNS question of another type", Config{Sources: three(Spec{DNS: &DNS{Server: "ns.test", Name: "me.test", Type: "MX"}, Operator: "a"})}, []string{`type "MX" holds no address`}},
		{"a DNS question of another class", Config{Sources: three(Spec{DNS: &DNS{Server: "ns.test", Name: "me.test", Class: "HS"}, Operator: "a"})}, []string{`class "HS" is not known`}},
		{"a DNS question of the other family", Config{Sources: three(Spec{DNS: &DNS{Server: "[2a01::1]:53", Name: "me.test", Type: "A"}, Operator: "a"})}, []string{"which is of the other family"}},
		{"a command without an operator", Config{Sources: three(Spec{Command: []string{"/usr/bin/wan", "--password=secret"}})}, []string{"source wan has no operator"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Build(c.config, loopback{})
			if err == nil {
				t.Fatal("accepted")
			}
			for _, says := range c.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("error is\n%v\nwant one that says %q", err, says)
				}
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("error tells a secret: %v", err)
			}
		})
	}
}

func TestConfigurationsThatAreRight(t *testing.T) {
	const thin = "ipv4: of 3 operators only 2 answer over HTTPS, and 2 must: one of them that is silent leaves no quorum; add one over HTTPS"
	v4 := []ddns.Family{ddns.IPv4}
	for _, c := range []struct {
		name   string
		config Config
		want   []string // members over IPv4
		warns  string
	}{
		{"one source believed by itself", Config{Sources: []Spec{{Name: "cloudflare"}}, Quorum: 1}, []string{"cloudflare/cloudflare/authenticated"}, ""},
		{"one interface believed by itself", Config{Sources: []Spec{{Interface: "ppp0"}}, Quorum: 1}, []string{"ppp0/this machine/plain"}, ""},
		{"an interface beside others", Config{Sources: three(Spec{Interface: "ppp0"}), Families: v4},
			[]string{"cloudflare/cloudflare/authenticated", "amazon/amazon/authenticated", "google/google/plain", "ppp0/this machine/witness"}, thin},
		{"two sources of one operator", Config{Sources: three(Spec{Name: "icanhazip"}), Families: v4},
			[]string{"cloudflare/cloudflare/authenticated", "amazon/amazon/authenticated", "google/google/plain", "icanhazip/cloudflare/authenticated"},
			"sources cloudflare and icanhazip are both run by cloudflare: they are one voice"},
		{"a source named twice", Config{Sources: three(Spec{Name: "google"}), Families: v4},
			[]string{"cloudflare/cloudflare/authenticated", "amazon/amazon/authenticated", "google/google/plain"}, thin},
		{"as many voices as must agree", Config{Sources: append(three(Spec{Name: "akamai"}), Spec{Name: "nextcloud-stun"}, Spec{Name: "opendns"}), Families: v4},
			[]string{"cloudflare/cloudflare/authenticated", "amazon/amazon/authenticated", "google/google/plain", "akamai/akamai/authenticated", "nextcloud-stun/nextcloud/plain", "opendns/opendns/plain"},
			"ipv4: 6 operators have 4 voices (all that do not answer over HTTPS are one), and 4 must agree"},
		{"three over HTTPS bear a silence", Config{Sources: []Spec{{Name: "cloudflare"}, {Name: "amazon"}, {Name: "akamai"}}, Families: v4},
			[]string{"cloudflare/cloudflare/authenticated", "amazon/amazon/authenticated", "akamai/akamai/authenticated"}, ""},
		{"own sources of every kind", Config{Families: v4, Sources: []Spec{
			{HTTPS: "https://echo.test/ip?key=1", Operator: "A"},
			{HTTPS: "https://echo.test/ip?key=2", Operator: "a "},
			{HTTPS: "http://127.0.0.1:8080/ip", Operator: "b"},
			{HTTPS: "https://home.example.com/cdn-cgi/trace", Operator: "Cloudflare"},
			{STUN: "stun.test:3478", Operator: "c"},
			{DNS: &DNS{Server: "ns.test", Name: "me.test", Type: "txt", Class: "ch"}, Operator: "d"},
			{Command: []string{"/usr/bin/wan"}, Operator: "e"},
			{HTTPS: "https://[2a01:4f8::1]/", Operator: "f"}, // IPv6 only
			{HTTPS: "https://two.test/", Operator: "i"},
			{HTTPS: "https://three.test/", Operator: "j"},
			{DNS: &DNS{Server: "9.9.9.9", Name: "me.test"}, Operator: "g"},
			{DNS: &DNS{Server: "ns.test", Name: "me.test", Type: "AAAA"}, Operator: "h"}, // IPv6 only
		}}, []string{"echo.test/a/authenticated", "echo.test-2/a/authenticated", "127.0.0.1/b/plain", "home.example.com/cloudflare/authenticated",
			"stun.test/c/plain", "ns.test/d/plain", "wan/e/plain", "two.test/i/authenticated", "three.test/j/authenticated", "9.9.9.9/g/plain"}, "run by a"},
		{"default and one's own", Config{Families: v4, Quorum: 4, Sources: []Spec{{Name: Default}, {Name: "desec"}}},
			[]string{"cloudflare/cloudflare/authenticated", "amazon/amazon/authenticated", "google/google/plain", "akamai/akamai/authenticated", "identme/identme/authenticated", "desec/desec/authenticated"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			warnings, err := c.config.Validate()
			if err != nil {
				t.Fatal(err)
			}
			rosters, err := Build(c.config, loopback{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, names(rosters[ddns.IPv4].Members)); diff != "" {
				t.Errorf("members (-want +got):\n%s", diff)
			}
			if got := strings.Join(warnings, "\n"); !strings.Contains(got, c.warns) || c.warns == "" && got != "" {
				t.Errorf("warnings %q, want %q", got, c.warns)
			}
		})
	}
}

func TestSparesComeOnlyWithDefaultAndOnlyOfNewOperators(t *testing.T) {
	for _, c := range []struct {
		sources []Spec
		want    []string
	}{
		{three(), nil},
		{[]Spec{{Name: Default}, {Name: "desec"}}, []string{"nsupdate/nsupdate/authenticated", "ipify/ipify/authenticated"}},
	} {
		rosters, err := Build(Config{Sources: c.sources, Families: []ddns.Family{ddns.IPv4}}, loopback{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, names(rosters[ddns.IPv4].Spares)); diff != "" {
			t.Errorf("%v: spares (-want +got):\n%s", c.sources, diff)
		}
	}
}

// What Build accepts can agree: some set of honest operators is a quorum that
// Vote believes, and none is without two
// operators whom TLS proves: all others together are one voice.
func TestEveryRosterThatIsAcceptedCanAgree(t *testing.T) {
	all := catalogue()
	rapid.Check(t, func(t *rapid.T) {
		var specs []Spec
		for range rapid.IntRange(1, 8).Draw(t, "sources") {
			specs = append(specs, Spec{Name: rapid.SampledFrom(all).Draw(t, "source").name})
		}
		c := Config{Sources: specs, Quorum: rapid.IntRange(0, 6).Draw(t, "quorum")}
		rosters, err := Build(c, loopback{})
		if err != nil {
			return
		}
		for family, r := range rosters {
			address := home4
			if family == ddns.IPv6 {
				address = home6
			}
			first := "" // operator whom TLS proves
			var everybody, plain, one []ddns.Observation
			for _, s := range r.Members {
				o := ddns.Observation{Source: s.Name, Operator: s.Operator, Class: s.Class, Family: family, Address: address}
				everybody = append(everybody, o)
				if s.Class == ddns.Plain {
					plain, one = append(plain, o), append(one, o)
				} else if first == "" || first == s.Operator {
					first, one = s.Operator, append(one, o)
				}
			}
			if v := ddns.Vote(r, everybody); v.State != ddns.Agreed {
				t.Fatalf("%v with quorum %d: all say the same and it is %s: %s", names(r.Members), c.Quorum, v.State, v.Why)
			}
			for _, said := range [][]ddns.Observation{plain, one} {
				if v := ddns.Vote(r, said); v.State == ddns.Agreed && !r.Alone() {
					t.Fatalf("%v with quorum %d agrees: %s", names(r.Members), c.Quorum, v.Why)
				}
			}
		}
	})
}

func TestNearestNameIsTheOneOfTheFewestStrokes(t *testing.T) {
	for typed, want := range map[string]string{"clouflare": "cloudflare", "cloudflare-doh2": "cloudflare-doh", "ident.me": "identme", "open-dns": "opendns", "": "amazon"} {
		if got := nearest(typed); levenshtein.ComputeDistance(typed, got) > levenshtein.ComputeDistance(typed, want) {
			t.Errorf("%q: got %q, want %q", typed, got, want)
		}
	}
}
