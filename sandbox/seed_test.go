package sandbox

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSeedIsRead(t *testing.T) {
	got, err := LoadSeed(strings.NewReader(`
zones:
  - name: example.com
    plan: pro
    records:
      - {type: CNAME, name: www, content: myhome.duckdns.org, proxied: true, comment: hello, tags: [a:b]}
      - {type: A, name: home, content: 45.67.89.10, ttl: 60}
  - name: example.org
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []SeedZone{
		{Name: "example.com", Plan: "pro", Records: []SeedRecord{
			{Type: "CNAME", Name: "www", Content: "myhome.duckdns.org", Proxied: true, Comment: "hello", Tags: []string{"a:b"}},
			{Type: "A", Name: "home", Content: "45.67.89.10", TTL: 60},
		}},
		{Name: "example.org"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSeedThatIsWrongNamesTheLine(t *testing.T) {
	for _, test := range []struct {
		name, text string
		words      []string
	}{
		{"empty", "", []string{"seed is empty", "zones: [{name: example.com}]"}},
		{"no zones", "zones: []", []string{"no zone", "zones: [{name: example.com}]"}},
		{"unknown key", "zones:\n- name: example.com\n  color: red", []string{"line 3", "color", "name, plan, records"}},
		{"wrong type", "zones:\n- name: example.com\n  records:\n  - {type: A, ttl: soon}", []string{"line 4", "soon"}},
		{"not YAML", "zones: [", []string{"line 1"}},
		{"two documents", "zones: [{name: example.com}]\n---\nzones: []", []string{"more than one document"}},
		{"no domain name", "zones:\n- name: example.com\n- name: localhost", []string{"line 3", `"localhost"`, "like example.com"}},
		{"unknown plan", "zones:\n- name: example.com\n  plan: gold", []string{"line 2", "gold", "business"}},
		{"a record that Cloudflare refuses", "zones:\n- name: example.com\n  records:\n  - {type: A, name: a, content: 45.67.89.1}\n  - {type: A, name: b, content: x}",
			[]string{"line 5", "record 2 (A b)", "valid IPv4 address"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := LoadSeed(strings.NewReader(test.text))
			if err == nil {
				t.Fatal("no error")
			}
			for _, word := range test.words {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q is missing in %q", word, err)
				}
			}
		})
	}
}

func FuzzSeed(f *testing.F) {
	f.Add("zones:\n- name: example.com\n  records:\n  - {type: A, name: a, content: 45.67.89.1, tags: []}")
	f.Add("zones: [{name: a.b, plan: pro}]\n---\n")
	f.Add("a: &x [*x]\nzones: *x")
	f.Fuzz(func(t *testing.T, text string) {
		zones, err := LoadSeed(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, seed := range zones {
			z, err := plantZone(seed, testTime())
			if err != nil {
				t.Fatalf("read, and then refused: %v", err)
			}
			checkZone(t, z)
		}
	})
}
