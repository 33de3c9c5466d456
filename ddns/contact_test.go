package ddns_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/cfddns/cfddns/ddns"
)

func TestWhatSpeaksAgainstAChangeIsSaidBeforeIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t, []ddns.Target{target("home.example.com", "A")}, atOld)
	w := &witness{address: netip.MustParseAddr(stranger)}
	h.runner.Witness = w
	var said []string
	h.runner.Before = func(words []string) {
		said = append(said, words...)
		if got := h.records(); got[0] != "home.example.com A 45.67.80.1" && len(said) < 3 {
			t.Errorf("it is said after the write: %v", got)
		}
	}
	h.want(h.round(), ddns.ExitRight, ddns.Changed)
	words := strings.Join(said, "\n")
	for _, want := range []string{"nat-pmp names " + stranger + ", and the world sees 45.67.89.10", "home.example.com A holds 45.67.80.1, which this cfddns has not published", "it becomes 45.67.89.10"} {
		if !strings.Contains(words, want) {
			t.Errorf("it does not say %q:\n%s", want, words)
		}
	}
	said, w.address = nil, homeB
	h.move(homeB)
	h.want(h.round(), ddns.ExitRight, ddns.Changed)
	if len(said) != 0 {
		t.Errorf("a change of what we published ourselves: %q", said)
	}
}
