package configs

import (
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// shortest is the least time between two full rounds. Sources are other
// people's servers.
const shortest = 10 * time.Second

// Schedule says when full rounds run.
type Schedule struct {
	// Expression is the schedule as written.
	Expression string
	// Every is the interval of an "@every" schedule, which a loop can keep on
	// the monotonic clock, so that a step of the wall clock does not move it.
	// 0 for every other schedule.
	Every time.Duration

	calendar interface{ Next(time.Time) time.Time }
}

// Next returns the first time after t that the schedule names.
func (s Schedule) Next(t time.Time) time.Time {
	if s.Every > 0 || s.calendar == nil {
		return t.Add(max(s.Every, shortest))
	}
	return s.calendar.Next(t)
}

// Equal reports whether two schedules name the same times.
func (s Schedule) Equal(other Schedule) bool { return s.Expression == other.Expression }

// ParseSchedule reads "@every 20m", a descriptor such as "@hourly", or the
// five fields of cron. Times are UTC unless a zone is named in front:
// "CRON_TZ=Europe/Berlin 0 4 * * *".
func ParseSchedule(expression string) (Schedule, error) {
	fields, zone, err := cutZone(strings.TrimSpace(expression))
	if err != nil {
		return Schedule{}, err
	}
	if interval, found := strings.CutPrefix(fields, "@every "); found {
		every, err := parseDuration(strings.TrimSpace(interval))
		if err != nil {
			return Schedule{}, err
		}
		if every < shortest || every > 366*day {
			return Schedule{}, wrongf("rounds would be %s apart; write 10s to 366d", short(every))
		}
		return Schedule{Expression: expression, Every: every}, nil
	}
	// The parser takes any zone in front for its own and crashes on one with nothing after it.
	if strings.Contains(fields, "TZ=") || len(fields) > 200 {
		return Schedule{}, notASchedule(expression)
	}
	parsed, err := cron.ParseStandard(fields)
	if err != nil {
		return Schedule{}, notASchedule(expression)
	}
	if spec, ok := parsed.(*cron.SpecSchedule); ok {
		spec.Location = zone
	}
	// A year whose February has 29 days.
	if parsed.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Schedule{}, wrongf("%q never comes: no month has such a day; @every 20m is the default", expression)
	}
	return Schedule{Expression: expression, calendar: parsed}, nil
}

// cutZone takes the time zone off the front of an expression.
func cutZone(expression string) (fields string, zone *time.Location, err error) {
	name, found := strings.CutPrefix(expression, "CRON_TZ=")
	if !found {
		name, found = strings.CutPrefix(expression, "TZ=")
	}
	if !found {
		return expression, time.UTC, nil
	}
	name, fields, _ = strings.Cut(name, " ")
	fields = strings.TrimSpace(fields)
	if fields == "" {
		return "", nil, wrongf("%q names a time zone and no time; write both, CRON_TZ=Europe/Berlin 0 4 * * *", expression)
	}
	zone, err = time.LoadLocation(name)
	if _, bare := time.LoadLocation("Etc/GMT"); err != nil && bare != nil {
		return "", nil, wrongf("the time zone %q is not known, since no time zones are installed here; install tzdata, or set ZONEINFO to a file of them", name)
	}
	if err != nil || name == "" {
		return "", nil, wrongf("the time zone %q is not known here; write it as Europe/Berlin is written", name)
	}
	return fields, zone, nil
}

func notASchedule(expression string) error {
	return wrongf("%q is not a schedule; write @every 20m, @hourly, or five fields of cron such as 0 4 * * *", expression)
}
