package main

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// guesses is how many passwords of one address are looked at in a second. The
	// others wait for their turn, the right one among them: whoever guesses at the
	// router's own address delays it, and does not lock it out.
	guesses = 64
	// guessPatience is how long a password waits for its turn.
	guessPatience = 15 * time.Second
	// pushesOfOne may wait for a round at once, of one address; pushesAtOnce of all.
	pushesOfOne  = 4
	pushesAtOnce = 64
	// sameQuiet is how long the same trouble of the same address is counted and
	// not logged again.
	sameQuiet = time.Minute
	// pushersMost are remembered at most; who comes later shares one place.
	pushersMost = 1024
)

// pushers remembers what each address did, for as long as that matters.
type pushers struct {
	mu    sync.Mutex // guards the following
	known map[netip.Addr]*pusher
	busy  int // pushes that wait for a round
}

// pusher is one of them.
type pusher struct {
	guesses *rate.Limiter
	busy    int                // pushes of it that wait for a round
	said    map[string]*saying // by message
	seen    time.Time
}

// saying is a line of the log that may be said too often.
type saying struct {
	at   time.Time
	more int // times since then that were not logged
}

// of returns what is known of an address; its caller holds the lock.
func (s *pushers) of(who netip.Addr, now time.Time) *pusher {
	if s.known == nil {
		s.known = map[netip.Addr]*pusher{}
	}
	if s.known[who] == nil && len(s.known) >= pushersMost {
		for other, o := range s.known {
			if o.busy == 0 && now.Sub(o.seen) > sameQuiet {
				delete(s.known, other)
			}
		}
	}
	if s.known[who] == nil && len(s.known) >= pushersMost {
		who = netip.Addr{}
	}
	if s.known[who] == nil {
		s.known[who] = &pusher{guesses: rate.NewLimiter(guesses, guesses), said: map[string]*saying{}}
	}
	s.known[who].seen = now
	return s.known[who]
}

// turn waits until a password of an address is looked at; false if that takes
// too long.
func (s *pushers) turn(ctx context.Context, who netip.Addr) bool {
	s.mu.Lock()
	limit := s.of(who, time.Now()).guesses
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, guessPatience)
	defer cancel()
	return limit.Wait(ctx) == nil
}

// enter lets a push of an address wait for a round until leave; false if too
// many do.
func (s *pushers) enter(who netip.Addr) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.of(who, time.Now())
	if one.busy >= pushesOfOne || s.busy >= pushesAtOnce {
		return nil, false
	}
	one.busy++
	s.busy++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		one.busy--
		s.busy--
	}, true
}

// log logs what an address did, once: what is the same within a minute is
// counted, and the next line has the count.
func (s *pushers) log(ctx context.Context, log *slog.Logger, level slog.Level, who netip.Addr, message string, args ...any) {
	if level < slog.LevelInfo {
		log.Log(ctx, level, message, args...)
		return
	}
	now := time.Now()
	s.mu.Lock()
	one := s.of(who, now)
	said := one.said[message]
	if said == nil {
		said = &saying{}
		one.said[message] = said
	}
	if quiet := now.Sub(said.at); quiet >= 0 && quiet < sameQuiet {
		said.more++
		level = slog.LevelDebug
	} else {
		if said.more > 0 {
			args = append(args, "more", said.more)
		}
		*said = saying{at: now}
	}
	s.mu.Unlock()
	log.Log(ctx, level, message, args...)
}
