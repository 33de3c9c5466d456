package cfclient

import (
	"context"
	"errors"
	"sync/atomic"
)

// callsAtOnce bounds the calls under way, and by that the connections: a
// hundred zones are not a hundred handshakes. The bound is kept here and not by
// those who ask, since all of them share one API and one limit.
const callsAtOnce = 8

// errUnheard is said of calls that waited behind others to which nobody
// answered: with a timeout for each of hundreds of zones a round would not end.
var errUnheard = errors.New("not sent: the calls before it were not answered")

// queue lets some calls through at once; the others wait.
type queue struct {
	slots         chan struct{}
	heard, silent atomic.Int64 // calls that were answered, and that were not
}

// enter waits for a place. Whoever gets nil must leave.
func (q *queue) enter(ctx context.Context) error {
	select {
	case q.slots <- struct{}{}:
		return nil
	default:
	}
	heard, silent := q.heard.Load(), q.silent.Load()
	select {
	case q.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if q.heard.Load() == heard && q.silent.Load() > silent {
		q.leave()
		return errUnheard
	}
	return nil
}

// leave gives the place back. What became of the call is noted before.
func (q *queue) leave() { <-q.slots }
