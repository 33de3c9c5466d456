package ddns_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

func TestTheEndOfATokenIsAskedForDailyAndToldInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newLittleHome()
		s := h.every(20 * time.Minute)
		var asked atomic.Int32
		ends := time.Now().Add(20 * 24 * time.Hour)
		s.Runner.TokenExpires = func(context.Context, string) (time.Time, error) {
			asked.Add(1)
			return ends, nil
		}
		h.live(t, s)
		told := func() ddns.Severity {
			last := h.last()
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
		if n := asked.Load(); n < 16 || n > 18 {
			t.Errorf("asked %d times in 18 days, want once a day", n)
		}
	})
}
