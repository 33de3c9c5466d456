package ddns

import "time"

// The patience of a contest: a record that somebody else moves is put back
// once at once, and moved again within contestWindow it is contested: put back
// after contestFirst, then twice as long each time, up to contestLongest.
const (
	contestWindow  = 24 * time.Hour
	contestFirst   = time.Hour
	contestLongest = 24 * time.Hour
)

// Contest is what is remembered of a record that somebody else moves away
// from what we confirmed.
type Contest struct {
	PutBack int       // how often it was put back
	LastPut time.Time // when it was last put back
	Moved   time.Time // when it was found moved again; zero if it stands
	Theirs  string    // what it was moved to
}

// contested reports until when a record found moved is left as it is. The
// zero time means: put it back now.
func (c Contest) contested(now time.Time) (until time.Time) {
	if c.PutBack == 0 || now.Sub(c.LastPut) >= contestWindow && c.Moved.IsZero() || now.Before(c.LastPut) {
		return time.Time{}
	}
	moved := c.Moved
	if moved.IsZero() || moved.After(now) {
		moved = now
	}
	wait := contestFirst
	for range c.PutBack - 1 {
		wait = min(wait*2, contestLongest)
	}
	if until = moved.Add(wait); until.After(now) {
		return until
	}
	return time.Time{}
}

// moved returns the contest after the record was found moved to theirs.
func (c Contest) moved(theirs string, now time.Time) Contest {
	if c.Moved.IsZero() || c.Moved.After(now) {
		c.Moved = now
	}
	c.Theirs = theirs
	return c
}

// putBack returns the contest after we restored the record.
func (c Contest) putBack(now time.Time) Contest {
	if now.Sub(c.LastPut) >= contestWindow && c.Moved.IsZero() {
		c.PutBack = 0 // a day of peace ends a contest
	}
	c.PutBack, c.LastPut, c.Moved = c.PutBack+1, now, time.Time{}
	return c
}
