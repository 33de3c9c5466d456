package ddns_test

import (
	"strings"
	"testing"

	"github.com/cfddns/cfddns/ddns"
)

func TestExitCodes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		states string
		want   int
	}{
		{"nothing is wanted", "", 0},
		{"all right", "right right", 0},
		{"all changed", "changed", 0},
		{"right and changed", "right changed", 0},
		{"no address, or held on purpose", "held held", 3},
		{"refused", "refused", 4},
		{"not reached", "unreachable", 6},
		{"contradicted", "contradicted", 7},
		{"some right, some held", "right held", 5},
		{"some changed, some refused", "refused changed", 5},
		{"some right, some not reached", "unreachable right", 5},
		{"some right, some contradicted", "contradicted right", 5},
		{"none right: the lowest that fits", "contradicted unreachable refused held", 3},
		{"none right, none held", "contradicted unreachable refused", 4},
		{"none right, none refused", "contradicted unreachable", 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r ddns.Round
			for _, state := range strings.Fields(tt.states) {
				r.Outcomes = append(r.Outcomes, ddns.Outcome{State: ddns.TargetState(state)})
			}
			if got := r.Exit(); got != tt.want || r.Report().Exit != tt.want {
				t.Errorf("exit %d, report %d, want %d", got, r.Report().Exit, tt.want)
			}
		})
	}
}
