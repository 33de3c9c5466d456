package configs_test

import (
	"testing"
	"time"

	"github.com/cfddns/cfddns/configs"
)

func TestAScheduleNamesItsTimes(t *testing.T) {
	const layout = "2006-01-02 15:04:05"
	for expression, want := range map[string]string{
		"@every 20m":                         "2026-03-01 12:20:30",
		"@every 1d":                          "2026-03-02 12:00:30",
		"@hourly":                            "2026-03-01 13:00:00",
		"*/5 * * * *":                        "2026-03-01 12:05:00",
		"0 4 * * *":                          "2026-03-02 04:00:00",
		"CRON_TZ=Europe/Berlin 0 4 * * *":    "2026-03-02 03:00:00",
		"TZ=Asia/Tokyo  0 4 * * MON":         "2026-03-01 19:00:00",
		"CRON_TZ=Europe/Berlin @every 10s":   "2026-03-01 12:00:40",
		"0 0 29 2 *":                         "2028-02-29 00:00:00",
		"CRON_TZ=America/New_York @midnight": "2026-03-02 05:00:00",
	} {
		s, err := configs.ParseSchedule(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		from := time.Date(2026, 3, 1, 12, 0, 30, 0, time.UTC)
		if got := s.Next(from).UTC().Format(layout); got != want {
			t.Errorf("%s: next is %s, want %s", expression, got, want)
		}
	}
}

func TestAnIntervalKeepsTheMonotonicClock(t *testing.T) {
	s, err := configs.ParseSchedule("@every 15m")
	if err != nil || s.Every != 15*time.Minute {
		t.Fatal(s.Every, err)
	}
	now := time.Now()
	if got := s.Next(now).Sub(now); got != 15*time.Minute {
		t.Errorf("got %s", got)
	}
}

func TestTheZeroScheduleNeverSpins(t *testing.T) {
	now := time.Now()
	if got := (configs.Schedule{}).Next(now).Sub(now); got < 10*time.Second {
		t.Errorf("got %s", got)
	}
}

// FuzzParseSchedule: whatever is accepted leaves at least ten seconds between
// two rounds, and comes.
func FuzzParseSchedule(f *testing.F) {
	for _, seed := range []string{"@every 20m", "@every 0s", "@every 9999999h", "TZ=", "CRON_TZ=UTC", "TZ=UTC TZ=UTC", "0 0 31 2 *", "*/0 * * * *", "0-59/7 1,2 * JAN-MAR MON", "@reboot", "1-99999999999 * * * *", "CRON_TZ=Local 0 0 * * *"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		s, err := configs.ParseSchedule(expression)
		if err != nil {
			return
		}
		at := s.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC))
		for range 5 {
			next := s.Next(at)
			if next.Sub(at) < 10*time.Second {
				t.Fatalf("%q: %s, then %s", expression, at, next)
			}
			at = next
		}
	})
}
