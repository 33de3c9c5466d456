package cfclient

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Cloudflare's limit of calls: 1,200 in five minutes for one user, over all
// tokens, tools and the dashboard. Whoever passes it is shut out of all of them
// for five minutes, so we stay below it, also of what the answers say is left.
// Calls that only read leave some of ours to those that write: a name that is
// not looked at again for a while is right, one that is not written is wrong.
// https://developers.cloudflare.com/fundamentals/api/reference/limits/
const (
	limitWindow = 5 * time.Minute
	limitAll    = 1200
	limitOurs   = 1100 // of all kinds in any window
	limitReads  = 900  // for a reading: calls of all kinds in the window before it
	limitSecond = 100  // in any second; an address of ours may make 200
	// leftByUs is what we leave to the others of that which the answers say is
	// left, and leftByReads what readings leave.
	leftByUs    = limitAll - limitOurs
	leftByReads = limitAll - limitReads
	// limitPatience is how long a call waits to be sent. One that would have to
	// wait longer is given up: a later round asks again.
	limitPatience = 3 * time.Second
	// roomEnough is for how many calls there should be room before somebody who
	// was given up comes again.
	roomEnough = 100
	// longestWait is how long a server may make us wait. Cloudflare blocks for
	// five minutes; whoever asks for more is not believed.
	longestWait = 10 * time.Minute
)

// limit keeps us below the limit of calls: by our own count, by what the answers
// say is left, and by how long Cloudflare wants us to be quiet.
type limit struct {
	mu    sync.Mutex
	until time.Time   // Cloudflare asked for quiet
	sent  []time.Time // the calls of the last window, the last one may be due in a moment
	left  []budget    // what the last answer with a budget said
}

// budget is how many calls an answer says are left.
type budget struct {
	size  int // of the full budget
	calls int
	reset time.Time // when it is full again
}

// take returns how long to wait before a call is sent, and counts it, if that
// is no more than patience. Otherwise nothing is counted, and the wait is until
// there is room for a good number of calls.
func (l *limit) take(now time.Time, write bool, patience time.Duration) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(now)
	ours, margin := limitOurs, leftByUs
	if !write {
		ours, margin = limitReads, leftByReads
	}
	at := latest(now, l.until, l.refilled(now, margin), l.room(ours, 1, limitWindow), l.room(limitSecond, 1, time.Second))
	if n := len(l.sent); n > 0 {
		at = latest(at, l.sent[n-1]) // in turn
	}
	if wait = at.Sub(now); wait > patience {
		return max(wait, l.room(ours, roomEnough, limitWindow).Sub(now)), false
	}
	l.sent = append(l.sent, at)
	for i := range l.left {
		l.left[i].calls--
	}
	return wait, true
}

// forget drops the calls that no longer count.
func (l *limit) forget(now time.Time) {
	old := 0
	for old < len(l.sent) && now.Sub(l.sent[old]) >= limitWindow {
		old++
	}
	if old > 0 && old >= len(l.sent)/2 { // seldom, so that not every call moves all
		l.sent = append(l.sent[:0:0], l.sent[old:]...)
	}
}

// room returns when so many more calls have room, with no more than most of all
// in any window; the zero time if they have it now.
func (l *limit) room(most, more int, window time.Duration) time.Time {
	i := len(l.sent) + more - 1 - most
	if i < 0 {
		return time.Time{}
	}
	return l.sent[min(i, len(l.sent)-1)].Add(window)
}

// refilled returns when the budgets of the answers leave room again; the zero
// time if they do. A small budget has a smaller margin.
func (l *limit) refilled(now time.Time, margin int) (at time.Time) {
	for _, b := range l.left {
		if now.Before(b.reset) && b.calls <= min(margin, b.size*margin/limitAll) {
			at = latest(at, b.reset)
		}
	}
	return at
}

// shut returns how long Cloudflare wants no call at all.
func (l *limit) shut(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, l.until.Sub(now))
}

// QuietUntil returns until when Cloudflare wants no call at all; the zero time
// if it may be asked.
func (c *Client) QuietUntil() time.Time {
	if c.limit.shut(time.Now()) == 0 {
		return time.Time{}
	}
	c.limit.mu.Lock()
	defer c.limit.mu.Unlock()
	return c.limit.until
}

// StayQuiet makes no call before a time that an earlier client was told. One
// that is further away than Cloudflare may ask for was written by another clock.
func (c *Client) StayQuiet(until time.Time) {
	if time.Until(until) > longestWait {
		return
	}
	c.limit.mu.Lock()
	defer c.limit.mu.Unlock()
	c.limit.until = latest(c.limit.until, until)
}

// learn reads from an answer what is left and how long to wait, and remembers
// both. It returns the wait.
func (l *limit) learn(now time.Time, answer *http.Response) time.Duration {
	budgets := readBudgets(now, answer.Header)
	var wait time.Duration
	for _, b := range budgets {
		if b.calls == 0 {
			wait = max(wait, b.reset.Sub(now))
		}
	}
	if answer.StatusCode == http.StatusTooManyRequests {
		wait = max(wait, retryAfter(now, answer.Header.Get("Retry-After")))
	}
	wait = min(wait, longestWait)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(budgets) > 0 {
		l.left = budgets
	}
	if wait > 0 {
		l.until = latest(l.until, now.Add(wait))
	}
	return wait
}

// latest returns the latest of some times.
func latest(at time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if t.After(at) {
			at = t
		}
	}
	return at
}

// readBudgets reads `Ratelimit: "default";r=50;t=30`, where r calls are left and
// all are t seconds later, and `Ratelimit-Policy: "default";q=1200;w=300`, which
// says how many these are.
// https://developers.cloudflare.com/fundamentals/api/reference/limits/
func readBudgets(now time.Time, header http.Header) (budgets []budget) {
	sizes := map[string]int{}
	for name, numbers := range parameters(header.Values("Ratelimit-Policy")) {
		sizes[name] = numbers["q"]
	}
	for name, numbers := range parameters(header.Values("Ratelimit")) {
		calls, said := numbers["r"]
		if !said {
			continue
		}
		size := limitAll
		if q := sizes[name]; q > 0 {
			size = min(q, limitAll)
		}
		budgets = append(budgets, budget{size: size, calls: calls, reset: now.Add(seconds(numbers["t"]))})
	}
	return budgets
}

// parameters reads the items of a header such as `"a";r=50;t=30, "b";r=1;t=2`
// and yields the name of each and its numbers.
func parameters(header []string) func(yield func(string, map[string]int) bool) {
	return func(yield func(string, map[string]int) bool) {
		for item := range strings.SplitSeq(strings.Join(header, ","), ",") {
			name, rest, _ := strings.Cut(strings.TrimSpace(item), ";")
			numbers := map[string]int{}
			for part := range strings.SplitSeq(rest, ";") {
				key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
				if n, err := strconv.Atoi(value); err == nil && n >= 0 {
					numbers[key] = n
				}
			}
			if !yield(name, numbers) {
				return
			}
		}
	}
}

// retryAfter reads the header's two forms, seconds and a date.
// https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
func retryAfter(now time.Time, header string) time.Duration {
	if n, err := strconv.Atoi(header); err == nil {
		return seconds(n)
	}
	if date, err := http.ParseTime(header); err == nil {
		return min(max(0, date.Sub(now)), longestWait)
	}
	return 0
}

// seconds bounds what a header says, so that no number overflows a Duration.
func seconds(n int) time.Duration {
	return time.Duration(min(max(0, n), int(longestWait/time.Second))) * time.Second
}
