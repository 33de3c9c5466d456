package cfclient

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// longestWait is how long a server may make us wait. Cloudflare blocks for
// five minutes; whoever asks for more is not believed.
const longestWait = 10 * time.Minute

// limit remembers when Cloudflare lets us call again. Its budget (1,200 calls
// in five minutes) is shared with the dashboard and every other tool of the
// user, and whoever overdraws it is shut out altogether.
// https://developers.cloudflare.com/fundamentals/api/reference/limits/
type limit struct {
	mu    sync.Mutex
	until time.Time
}

// wait returns how long no call may be sent; 0 means that one may.
func (l *limit) wait(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, l.until.Sub(now))
}

// learn reads from an answer how long to wait, remembers and returns it.
func (l *limit) learn(now time.Time, answer *http.Response) time.Duration {
	wait := budgetWait(answer.Header.Values("Ratelimit"))
	if answer.StatusCode == http.StatusTooManyRequests {
		wait = max(wait, retryAfter(now, answer.Header.Get("Retry-After")))
	}
	wait = min(wait, longestWait)
	if wait > 0 {
		l.mu.Lock()
		defer l.mu.Unlock()
		if until := now.Add(wait); until.After(l.until) {
			l.until = until
		}
	}
	return wait
}

// budgetWait reads `"default";r=50;t=30`: r calls are left and the count
// begins anew in t seconds. It returns the wait of the budgets that are spent.
// https://developers.cloudflare.com/fundamentals/api/reference/limits/
func budgetWait(headers []string) time.Duration {
	var wait time.Duration
	for budget := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		remaining, reset := -1, 0
		for part := range strings.SplitSeq(budget, ";") {
			key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			n, err := strconv.Atoi(value)
			switch {
			case err != nil || n < 0:
			case key == "r":
				remaining = n
			case key == "t":
				reset = n
			}
		}
		if remaining == 0 {
			wait = max(wait, seconds(reset))
		}
	}
	return wait
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
