package ddns_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
	"github.com/google/go-cmp/cmp"
)

// mask takes out of a report what differs from run to run.
func mask(doc []byte) []byte {
	for _, m := range []struct{ pattern, word string }{
		{`"(id|started|since)": "[^"]*"`, `"$1": "…"`},
		{`"(took_ms|gap_s)": [0-9.]+`, `"$1": 0`},
		{`[0-9]+(\.[0-9]+)?(ms|µs|s)\b`, `0s`},
		{`127\.0\.0\.1:[0-9]+`, `127.0.0.1:0`},
	} {
		doc = regexp.MustCompile(m.pattern).ReplaceAll(doc, []byte(m.word))
	}
	return doc
}

func TestTheReportKeepsItsForm(t *testing.T) {
	blog := target("blog.example.com", "A")
	blog.ReplaceHop = true
	h := newHouse(t, []ddns.Target{target("home.example.com", "A"), target("shop.example.com", "A"), target("new.example.com", "A"), blog},
		sandbox.SeedRecord{Type: "A", Name: "home.example.com", Content: oldHome, TTL: 120, Comment: "mine"},
		sandbox.SeedRecord{Type: "CNAME", Name: "shop.example.com", Content: "shops.example.net"},
		sandbox.SeedRecord{Type: "CNAME", Name: "blog.example.com", Content: "myhome.duckdns.org", Proxied: true})
	h.world.AddFault(sandbox.Fault{On: "echo:akamai", Do: "500"})
	h.fault("echo:desec", "drop", 0)
	h.fault("echo:nsupdate", "drop", 0)
	round := h.round()
	for i := range round.Verdicts { // who was heard after the decision is a matter of luck
		v := &round.Verdicts[i]
		v.Observations = slices.DeleteFunc(v.Observations, func(o ddns.Observation) bool { return o.Source != "amazon" })
		v.Why = "…"
		round.Holdings[i].Why = "…"
	}
	round.Conditions = slices.DeleteFunc(round.Conditions, func(c ddns.Condition) bool { return c.Code == ddns.CodeRosterThin })
	doc, err := json.MarshalIndent(round.Report(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "round.json", mask(append(doc, '\n')))
}

func TestAnEmptyReportHasNoNulls(t *testing.T) {
	doc, err := json.Marshal(ddns.Round{}.Report())
	if err != nil || bytes.Contains(doc, []byte("null")) {
		t.Errorf("%s, %v", doc, err)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestTheTokenIsInNothingThatARoundLeaves(t *testing.T) {
	h := newHouse(t, []ddns.Target{target("home.example.com", "A")}, atOld)
	token := h.world.Info().Token
	for _, f := range []string{"zones", "list", "batch"} {
		for _, do := range []string{"500", "drop", "html"} {
			h.fault(f, do, 1)
			round := h.round()
			report, err := json.Marshal(round.Report())
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{string(report), fmt.Sprintf("%+v", round), fmt.Sprintf("%#v", round.Conditions), fmt.Sprintf("%+v", h.past), fmt.Sprintf("%+v", *h.runner)} {
				if strings.Contains(text, token) {
					t.Fatalf("%s %s: the token is in %.300s", f, do, text)
				}
			}
		}
	}
}
