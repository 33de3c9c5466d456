package ipsource

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptrace"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

const (
	// turnsTogether is how long all candidates together may be silent, so that
	// the last of them has its turn within the question too.
	turnsTogether = 2800 * time.Millisecond
	// candidatesMost is how many have a turn.
	candidatesMost = 4
	// standFor is how long a later candidate is kept before the first is tried
	// again.
	standFor = time.Hour
)

// Standing is where on this machine all sources are asked from over IPv6: the
// first candidate to which anything comes back. An address that a provider no
// longer routes, as one of an old prefix, is silent whoever is asked; the next
// has its turn once all that were asked from it heard nothing.
type Standing struct {
	mu         sync.Mutex // guards the following, and every turn
	candidates []netip.Addr
	now        *turn
	until      time.Time // when the first is tried again
}

// turn is the time of one candidate.
type turn struct {
	place  int
	asking int  // questions under way
	silent bool // one of them ended, and nothing had come back
	spoke  bool // something has come back to one of them
	over   chan struct{}
}

// errSilentFrom ends a question to which nothing has come back.
var errSilentFrom = errors.New("nothing came back")

// ask asks from the candidate whose turn it is, and from the next once all were
// silent. It returns from which one it was heard.
func (s *Standing) ask(ctx context.Context, candidates []netip.Addr,
	ask func(ctx context.Context, from netip.Addr) (netip.Addr, error)) (heard, from netip.Addr, err error) {
	candidates = candidates[:min(len(candidates), candidatesMost)]
	if len(candidates) == 1 {
		heard, err = ask(ctx, candidates[0])
		return heard, candidates[0], err
	}
	for {
		t := s.enter(candidates)
		from = candidates[t.place]
		heard, err = s.within(ctx, t, turnsTogether/time.Duration(len(candidates)),
			func(ctx context.Context) (netip.Addr, error) {
				return ask(ctx, from)
			})
		if errors.Is(err, errSilentFrom) {
			err = fmt.Errorf("asked from %s: %w", from, err)
		}
		if !s.leave(ctx, t, err) {
			return heard, from, err
		}
	}
}

// enter joins the turn that is on, or begins the first.
func (s *Standing) enter(candidates []netip.Addr) *turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	late := s.now != nil && s.now.asking == 0 && s.now.place > 0 && time.Now().After(s.until)
	if s.now == nil || late || !slices.Equal(s.candidates, candidates) {
		s.candidates, s.now = slices.Clone(candidates), &turn{over: make(chan struct{})}
	}
	s.now.asking++
	return s.now
}

// within asks, and gives up when nothing has come back to anybody for a while.
// The time counts from the first packet: to look up a name says nothing of us.
func (s *Standing) within(ctx context.Context, t *turn, patience time.Duration,
	ask func(context.Context) (netip.Addr, error)) (netip.Addr, error) {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	start := sync.OnceFunc(func() {
		time.AfterFunc(patience, func() {
			if !s.hasSpoken(t) {
				giveUp(errSilentFrom)
			}
		})
	})
	heard, err := ask(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		ConnectStart: func(string, string) { start() },
		ConnectDone: func(network, _ string, err error) {
			if strings.HasPrefix(network, "tcp") && (err == nil || errors.Is(err, syscall.ECONNREFUSED)) {
				s.speak(t)
			}
		},
	}))
	if err != nil && errors.Is(context.Cause(ctx), errSilentFrom) {
		err = errSilentFrom
	}
	return heard, err
}

func (s *Standing) hasSpoken(t *turn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return t.spoke
}

// speak notes that something came back.
func (s *Standing) speak(t *turn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !t.spoke {
		t.spoke = true
		close(t.over)
	}
}

// leave ends a question, and reports whether to ask again from the next
// candidate. Who heard nothing waits for what the others hear.
func (s *Standing) leave(ctx context.Context, t *turn, err error) (again bool) {
	if err == nil {
		s.speak(t)
	}
	s.mu.Lock()
	t.asking--
	noName := unnamed(err)
	t.silent = t.silent || !noName
	if t.asking == 0 && !t.spoke && t.silent {
		s.pass(t)
		close(t.over)
	}
	s.mu.Unlock()
	if err == nil || noName {
		return false
	}
	select {
	case <-t.over:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return ctx.Err() == nil && !t.spoke && s.now != nil && s.now.place > t.place
}

// pass gives the turn to the next candidate. After the last nobody has it, and
// the next round begins with the first again: it was the line that was silent.
func (s *Standing) pass(t *turn) {
	if t != s.now {
		return
	}
	s.now = nil
	if next := t.place + 1; next < len(s.candidates) {
		s.now, s.until = &turn{place: next, over: make(chan struct{})}, time.Now().Add(standFor)
	}
}

// unnamed reports whether nobody was asked, since the server was not found.
func unnamed(err error) bool {
	_, dns := errors.AsType[*net.DNSError](err)
	_, name := errors.AsType[*ddns.NameError](err)
	return dns || name
}
