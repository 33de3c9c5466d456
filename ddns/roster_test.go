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
	alone := with(rosterOf(Plain), 1)
	watched := rosterOf(Authenticated, Authenticated, Witness)
	for _, c := range []struct {
		name   string
		roster Roster
		err    string // empty: it may be used
	}{
		{"five operators", five(), ""},
		{"three operators", rosterOf(Authenticated, Plain, PlainDNS), ""},
		{"a raised quorum", with(five(), 5), ""},
		{"one source alone, on purpose", alone, ""},
		{"one source alone, by mistake", rosterOf(Authenticated), "ipv4 has 1 operators"},
		{"nobody", Roster{Family: IPv6}, "ipv6 has 0 operators"},
		{"two operators", rosterOf(Authenticated, Authenticated), "ipv4 has 2 operators"},
		{"three sources of two operators", twin, "ipv4 has 2 operators"},
		{"two operators and a witness", watched, "ipv4 has 2 operators"},
		{"a quorum that is no majority", with(five(), 2), "3 is the lowest that is safe"},
		{"a quorum of one among many", with(five(), 1), "3 is the lowest that is safe"},
		{"a quorum of more than there are", with(five(), 6), "can never be reached by 5"},
		{"nobody who proves who it is", rosterOf(Plain, Plain, Plain, PlainDNS), "no ipv4 source proves who it is"},
		{"too much plain DNS", rosterOf(Authenticated, PlainDNS, PlainDNS, PlainDNS), "2 voices can never be 3"},
		{"plain DNS, and just enough beside it", rosterOf(Authenticated, Plain, PlainDNS, PlainDNS), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := words(c.roster.Validate())
			if c.err == "" && got != "" || !strings.Contains(got, c.err) {
				t.Errorf("says %q, want %q", got, c.err)
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
	for class, want := range map[Class]string{Authenticated: "authenticated", Plain: "plain", PlainDNS: "plain-dns", Witness: "witness", 0: "unknown"} {
		if got := class.String(); got != want {
			t.Errorf("%d is %q, want %q", int(class), got, want)
		}
	}
}
