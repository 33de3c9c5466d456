package ddns

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAddMark(t *testing.T) {
	for _, tt := range []struct {
		name, comment, owner string
		limit                int
		want                 string
		ok                   bool
	}{
		{"an empty comment becomes the mark", "", "attic", 100, "cfddns:attic", true},
		{"a comment keeps its words", "the house", "attic", 100, "the house cfddns:attic", true},
		{"a mark is not added twice", "cfddns:attic the house", "attic", 100, "cfddns:attic the house", true},
		{"another owner's mark is not ours", "cfddns:attics", "attic", 100, "cfddns:attics cfddns:attic", true},
		{"the limit counts characters, not bytes", "häuschen", "attic", 21, "häuschen cfddns:attic", true},
		{"without room the comment stays", "the house", "attic", 21, "the house", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := addMark(tt.comment, tt.owner, tt.limit); got != tt.want || ok != tt.ok {
				t.Errorf("%q, %t; want %q, %t", got, ok, tt.want, tt.ok)
			}
		})
	}
}

// A mark never takes a word away, never goes over the limit, and is found again.
func FuzzAddMark(f *testing.F) {
	f.Add("the house", 100)
	f.Add("", 3)
	f.Add("cfddns:attic", 500)
	f.Add(" \t cfddns:off ", 100)
	f.Fuzz(func(t *testing.T, comment string, limit int) {
		with, ok := addMark(comment, "attic", limit)
		switch {
		case !ok && with != comment, ok && !marked(with, mark("attic")), !strings.HasPrefix(with, strings.TrimSpace(comment)) && with != comment:
			t.Errorf("%q became %q, %t", comment, with, ok)
		case with != comment && utf8.RuneCountInString(with) > limit:
			t.Errorf("%q is longer than %d", with, limit)
		}
		if again, ok2 := addMark(with, "attic", limit); ok && (again != with || !ok2) {
			t.Errorf("%q became %q", with, again)
		}
	})
}

func TestHoldsAddress(t *testing.T) {
	for _, tt := range []struct {
		name, text, address string
		want                bool
	}{
		{"an A record holds its address", "45.67.89.1", "45.67.89.1", true},
		{"a longer address is another one", "45.67.89.10", "45.67.89.1", false},
		{"so is one that only ends like it", "145.67.89.1", "45.67.89.1", false},
		{"SPF holds it", `"v=spf1 ip4:45.67.89.1 -all"`, "45.67.89.1", true},
		{"SPF holds it with its length", `"v=spf1 ip4:45.67.89.1/32 -all"`, "45.67.89.1", true},
		{"SPF holds an IPv6 address", `"v=spf1 ip6:2a01:4f8:1:2::10 -all"`, "2a01:4f8:1:2::10", true},
		{"a longer IPv6 address is another one", "2a01:4f8:1:2::10", "2a01:4f8:1:2::1", false},
		{"a name in which it stands is none", "45.67.89.1.example.com", "45.67.89.1", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := holdsAddress(tt.text, tt.address); got != tt.want {
				t.Errorf("%t", got)
			}
		})
	}
}

func FuzzHopOf(f *testing.F) {
	f.Add("home.example.com", "myhome.duckdns.org")
	f.Add("_acme-challenge.example.com", "x.duckdns.org")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, name, target string) {
		service, err := hopOf(name, target)
		if (service == "") != (err != nil) {
			t.Errorf("%q, %v", service, err)
		}
		if err == nil && (strings.HasPrefix(name, "_") || strings.Contains(name, "._") || !strings.Contains(target, ".")) {
			t.Errorf("%q to %q is taken for a hop of %s", name, target, service)
		}
	})
}
