package ddns

import (
	"slices"
	"strings"
	"testing"
)

func TestMajority(t *testing.T) {
	for n, want := range []int{2, 2, 2, 2, 3, 3, 4, 4, 5} {
		if got := Majority(n); got != want {
			t.Errorf("%d of %d, want %d", got, n, want)
		}
	}
}

func TestValidateRefusesARosterThatCanNeverAgreeSafely(t *testing.T) {
	with := func(r Roster, quorum int) Roster { r.Quorum = quorum; return r }
	twin := rosterOf(Authenticated, Authenticated)
	twin.Members = append(twin.Members, Source{Name: "op0-2", Operator: "op0", Class: Plain})
	twinned := rosterOf(Authenticated, Plain, Plain)
	twinned.Members = append(twinned.Members, Source{Name: "op0-2", Operator: "op0", Class: Authenticated})
	alone := with(rosterOf(Plain), 1)
	watched := rosterOf(Authenticated, Authenticated, Witness)
	for _, c := range []struct {
		name   string
		roster Roster
		err    string // empty: it may be used
	}{
		{"five operators", five(), ""},
		{"three operators", rosterOf(Authenticated, Authenticated, Plain), ""},
		{"a raised quorum", with(five(), 5), ""},
		{"one source alone, on purpose", alone, ""},
		{"one source alone, by mistake", rosterOf(Authenticated), "ipv4 has 1 of the 3 operators"},
		{"nobody", Roster{Family: IPv6}, "ipv6 has 0 of the 3 operators"},
		{"two operators", rosterOf(Authenticated, Authenticated), "ipv4 has 2 of the 3 operators"},
		{"three sources of two operators", twin, "ipv4 has 2 of the 3 operators"},
		{"two operators and a witness", watched, "ipv4 has 2 of the 3 operators"},
		{"a quorum that is no majority", with(five(), 2), "3 is the lowest that is safe"},
		{"a quorum of one among many", with(five(), 1), "3 is the lowest that is safe"},
		{"a quorum of more than there are", with(five(), 6), "can never be reached by 5"},
		{"nobody whom TLS proves", rosterOf(Plain, Plain, Plain, Plain), "ipv4 has 0 of 4 operators over HTTPS"},
		{"one whom TLS proves", rosterOf(Authenticated, Plain, Plain), "2 in all, and 2 must agree, 2 of them over HTTPS; add 1 over HTTPS"},
		{"three over STUN beside two over HTTPS", rosterOf(Authenticated, Authenticated, Plain, Plain, Plain), ""},
		{"four over STUN beside two over HTTPS", rosterOf(Authenticated, Authenticated, Plain, Plain, Plain, Plain), "3 in all, and 4 must agree, 2 of them over HTTPS; add 1 over HTTPS"},
		{"two over HTTPS of one operator", twinned, "ipv4 has 1 of 3 operators over HTTPS"},
		{"a raised quorum that all voices are", with(rosterOf(Authenticated, Authenticated, Authenticated, Plain, Plain), 4), ""},
		{"a raised quorum above the voices", with(rosterOf(Authenticated, Authenticated, Authenticated, Plain, Plain), 5), "4 in all, and 5 must agree"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := words(c.roster.Validate())
			if c.err == "" && got != "" || !strings.Contains(got, c.err) {
				t.Errorf("says %q, want %q", got, c.err)
			}
		})
	}
}

// What was added is enough, and one less is not.
func TestARosterThatIsRefusedSaysHowManyToAdd(t *testing.T) {
	for proved := range 4 {
		for plain := range 8 {
			for quorum := range 7 {
				var classes []Class
				for i := range proved + plain {
					classes = append(classes, []Class{Authenticated, Plain}[min(1, max(0, i-proved+1))])
				}
				r := rosterOf(classes...)
				r.Quorum = quorum
				n := r.Operators()
				if n < 3 || quorum > n || quorum > 0 && quorum < Majority(n+r.missing()) {
					continue
				}
				for more := range r.missing() + 1 {
					grown := rosterOf(append(slices.Clone(classes), slices.Repeat([]Class{Authenticated}, more)...)...)
					grown.Quorum = quorum
					if err := grown.Validate(); (err == nil) != (more == r.missing()) {
						t.Errorf("%d over HTTPS, %d others and quorum %d, and %d more of %d: %v", proved, plain, quorum, more, r.missing(), err)
					}
				}
			}
		}
	}
}

func TestARosterThatBearsNoSilenceIsWarnedOf(t *testing.T) {
	with := func(r Roster, quorum int) Roster { r.Quorum = quorum; return r }
	for _, c := range []struct {
		name   string
		roster Roster
		says   string // empty: it bears one
	}{
		{"the default one", five(), ""},
		{"three over HTTPS", rosterOf(Authenticated, Authenticated, Authenticated), ""},
		{"two over HTTPS", rosterOf(Authenticated, Authenticated, Plain), "of 3 operators only 2 answer over HTTPS, and 2 must"},
		{"as many voices as must agree", rosterOf(Authenticated, Authenticated, Authenticated, Plain, Plain, Plain), "6 operators have 4 voices (all that do not answer over HTTPS are one), and 4 must agree"},
		{"a quorum of all", with(five(), 5), "5 operators have 5 voices"},
		{"one source alone", with(rosterOf(Plain), 1), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.roster.Validate(); err != nil {
				t.Fatal(err)
			}
			if got := c.roster.Thin(); c.says == "" && got != "" || !strings.Contains(got, c.says) {
				t.Errorf("says %q, want %q", got, c.says)
			}
		})
	}
}

func TestLookAlikesNamesWhatNobodyKeeps(t *testing.T) {
	records := []Record{
		{Name: "home.example.com", Type: "A", Content: home.String()},
		{Name: "nas.example.com", Type: "A", Content: home.String()},
		{Name: "away.example.com", Type: "A", Content: other.String()},
		{Name: "cam.example.com", Type: "CNAME", Content: "mine.duckdns.org"},
		{Name: "www.example.com", Type: "CNAME", Content: "pages.example.net"},
		{Name: "example.com", Type: "TXT", Content: home.String()},
	}
	r := Round{Verdicts: []Verdict{{State: Agreed, Address: home}, {State: Unknown}}, Found: Found{Zones: []ZoneFacts{{Records: records}}}}
	got := LookAlikes(r, []Target{{Name: "home.example.com", Type: "A"}})
	if want := []string{"cam.example.com CNAME mine.duckdns.org", "nas.example.com A " + home.String()}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestClassesHaveWords(t *testing.T) {
	for class, want := range map[Class]string{Authenticated: "authenticated", Plain: "plain", Witness: "witness", 0: "unknown"} {
		if got := class.String(); got != want {
			t.Errorf("%d is %q, want %q", int(class), got, want)
		}
	}
}
