package ddns_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

func TestTheEndOfATokenIsAskedForDailyAndToldInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		s := h.every(20 * time.Minute)
		asked, ends := 0, time.Now().Add(20*24*time.Hour)
		s.Runner.TokenExpires = func(context.Context, string) (time.Time, error) { asked++; return ends, nil }
		h.live(t, s)
		told := func() ddns.Severity {
			last := h.reports[len(h.reports)-1]
			i := slices.IndexFunc(last.Conditions, func(c ddns.Condition) bool { return c.Code == ddns.CodeTokenExpires })
			if i < 0 {
				return ""
			}
			return last.Conditions[i].Severity
		}
		for _, tt := range []struct {
			day  int
			want ddns.Severity
		}{{1, ""}, {5, ""}, {7, ddns.Warning}, {16, ddns.Warning}, {18, ddns.Alarm}} {
			after(time.Until(ends.Add(-20*24*time.Hour + time.Duration(tt.day)*24*time.Hour)))
			if got := told(); got != tt.want {
				t.Errorf("day %d of 20: the end is told as %q, want %q", tt.day, got, tt.want)
			}
		}
		if asked < 16 || asked > 18 {
			t.Errorf("asked %d times in 18 days, want once a day", asked)
		}
	})
}
