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
	PutBack int       // how often it was put back since the last day of peace
	LastPut time.Time // when it was last put back
	Moved   time.Time // when it was found moved again; zero if it stands
	Theirs  string    // what it was moved to
}

// peace reports whether the record stood for a day, as far as is known. A
// clock that was set back has no memory of a contest.
func (c Contest) peace(now time.Time) bool {
	return c.PutBack == 0 || now.Before(c.LastPut) || c.Moved.IsZero() && now.Sub(c.LastPut) >= contestWindow
}

// contested reports until when a record found moved is left as it is. The
// zero time means: put it back now.
func (c Contest) contested(now time.Time) (until time.Time) {
	if c.peace(now) {
		return time.Time{}
	}
	until = c.moved(c.Theirs, now).Moved.Add(doubled(contestFirst, c.PutBack, contestLongest))
	if !until.After(now) {
		return time.Time{}
	}
	return until
}

// moved returns the contest after the record was found moved to theirs.
func (c Contest) moved(theirs string, now time.Time) Contest {
	if c.Moved.IsZero() || c.Moved.After(now) {
		c.Moved = now
	}
	c.Theirs = theirs
	return c
}

// stands returns the contest after the record was found as we left it.
func (c Contest) stands() Contest {
	c.Moved, c.Theirs = time.Time{}, ""
	return c
}

// putBack returns the contest after we restored the record.
func (c Contest) putBack(now time.Time) Contest {
	if c.peace(now) {
		c.PutBack = 0
	}
	c = c.stands()
	c.PutBack, c.LastPut = c.PutBack+1, now
	return c
}
