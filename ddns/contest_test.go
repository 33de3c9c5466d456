package ddns

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

const day = 24 * time.Hour

func TestContest(t *testing.T) {
	for _, c := range []struct {
		name    string
		contest Contest
		until   time.Duration // after start; 0 is now
	}{
		{"moved for the first time it is put back at once", Contest{}, 0},
		{"moved again within a day it waits an hour", Contest{PutBack: 1, LastPut: at(-time.Hour)}, time.Hour},
		{"found moved half an hour ago it waits half an hour more", Contest{PutBack: 1, LastPut: at(-time.Hour), Moved: at(-30 * time.Minute)}, 30 * time.Minute},
		{"found moved an hour ago it is put back now", Contest{PutBack: 1, LastPut: at(-2 * time.Hour), Moved: at(-time.Hour)}, 0},
		{"moved a third time it waits two hours", Contest{PutBack: 2, LastPut: at(-time.Hour)}, 2 * time.Hour},
		{"moved a fifth time it waits eight hours", Contest{PutBack: 4, LastPut: at(-time.Hour)}, 8 * time.Hour},
		{"moved a sixth time it waits sixteen hours", Contest{PutBack: 5, LastPut: at(-time.Hour)}, 16 * time.Hour},
		{"it never waits longer than a day", Contest{PutBack: 1_000_000, LastPut: at(-time.Hour)}, day},
		{"after a day of peace it is put back at once", Contest{PutBack: 5, LastPut: at(-day)}, 0},
		{"a day in which it stayed moved is no peace", Contest{PutBack: 6, LastPut: at(-30 * time.Hour), Moved: at(-20 * time.Hour)}, 4 * time.Hour},
		{"a clock that was set back ends the wait", Contest{PutBack: 5, LastPut: at(time.Hour)}, 0},
		{"found moved in the future, by a clock that was set back, it waits from now", Contest{PutBack: 1, LastPut: at(-time.Hour), Moved: at(9 * time.Hour)}, time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			until := c.contest.contested(start)
			if c.until == 0 && !until.IsZero() || c.until != 0 && !until.Equal(at(c.until)) {
				t.Errorf("left until %s, want %s", until, at(c.until))
			}
		})
	}
}

func TestAContestBetweenTwoUpdatersGrowsSlow(t *testing.T) {
	var c Contest
	put := 0
	for minute := range 7 * 24 * 60 { // the other writes every minute, and so would we
		now := at(time.Duration(minute) * time.Minute)
		if c.contested(now).IsZero() {
			c, put = c.putBack(now), put+1
			continue
		}
		c = c.moved("192.0.2.1", now)
	}
	if put != 11 { // at once, after 1, 2, 4, 8 and 16 hours, and daily
		t.Errorf("put back %d times in a week", put)
	}
	if c.Theirs != "192.0.2.1" {
		t.Errorf("does not know what it was moved to: %+v", c)
	}
}

func TestPeaceEndsAContest(t *testing.T) {
	c := Contest{}.putBack(start).moved("192.0.2.1", at(time.Hour)).putBack(at(2 * time.Hour))
	if c.PutBack != 2 {
		t.Fatalf("put back twice, and it says %d", c.PutBack)
	}
	if c = c.stands().putBack(at(3 * day)); c.PutBack != 1 {
		t.Errorf("put back once since there was peace, and it says %d", c.PutBack)
	}
	c = Contest{PutBack: 4, LastPut: start}.moved("192.0.2.1", at(time.Minute)).stands()
	if until := c.contested(at(2 * day)); !until.IsZero() {
		t.Errorf("moved and moved back by others, then two days of peace: left until %s", until)
	}
}

func TestNoContestIsWithoutAnEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		moment := func(name string) time.Time {
			return rapid.SampledFrom([]time.Time{{}, start}).Draw(t, name).Add(time.Duration(rapid.Int64Range(-1<<50, 1<<50).Draw(t, name)))
		}
		c := Contest{PutBack: rapid.IntRange(0, 1<<30).Draw(t, "put back"), LastPut: moment("last put"), Moved: moment("moved")}
		if until := c.contested(start); until.After(at(contestLongest)) {
			t.Fatalf("left until %s, in %s", until, until.Sub(start))
		}
	})
}
