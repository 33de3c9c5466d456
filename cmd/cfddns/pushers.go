package main

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// guesses is how many passwords of one address are looked at in a second. The
	// others wait for their turn, the right one among them: whoever guesses at the
	// router's own address delays its first push, and does not lock it out.
	guesses = 64
	// guessPatience is how long a password waits for its turn.
	guessPatience = 15 * time.Second
	// pushesOfOne may wait for a round at once, of one address; pushesAtOnce of all.
	pushesOfOne  = 4
	pushesAtOnce = 64
	// sameQuiet is how long the same trouble of the same address is counted and
	// not logged again; in that time sameOfAll addresses have a line of it.
	sameQuiet = time.Minute
	sameOfAll = 16
	// pushersMost are remembered at most; a later one takes the place of one that
	// has pushed nothing.
	pushersMost = 1024
)

// pushers remembers what each address did, for as long as that matters.
type pushers struct {
	mu    sync.Mutex // guards the following
	known map[netip.Addr]*pusher
	swept time.Time          // when those who are gone were last forgotten
	busy  int                // pushes that wait for a round
	said  map[string]*saying // by message, of all addresses together
}

// pusher is one of them.
type pusher struct {
	turns   chan struct{} // holds one while a password has its turn
	guesses *rate.Limiter
	pushed  bool               // it has shown the right password
	busy    int                // pushes of it that wait for a round
	said    map[string]*saying // by message
	seen    time.Time
}

// saying is a line of the log that may be said too often.
type saying struct {
	at    time.Time
	lines int // since then
	more  int // times since then that were not logged
}

// of returns what is known of an address; its caller holds the lock.
func (s *pushers) of(who netip.Addr, now time.Time) *pusher {
	if s.known == nil {
		s.known, s.said = map[netip.Addr]*pusher{}, map[string]*saying{}
	}
	if s.known[who] == nil {
		s.makeRoom(now)
		s.known[who] = &pusher{turns: make(chan struct{}, 1), guesses: rate.NewLimiter(guesses, guesses),
			said: map[string]*saying{}}
	}
	s.known[who].seen = now
	return s.known[who]
}

// makeRoom forgets addresses where too many are known: those that have been away
// for a while, else any that has pushed nothing. What is lost of that one are
// counts. An address that pushes keeps its place, whoever comes.
func (s *pushers) makeRoom(now time.Time) {
	if len(s.known) < pushersMost {
		return
	}
	if now.Sub(s.swept) >= time.Second { // a flood must not have all looked at each time
		s.swept = now
		maps.DeleteFunc(s.known, func(_ netip.Addr, o *pusher) bool {
			return o.busy == 0 && !o.pushed && now.Sub(o.seen) > sameQuiet
		})
	}
	for _, pushing := range []bool{false, true} {
		for who, o := range s.known { // in no order
			if len(s.known) < pushersMost {
				return
			}
			if o.busy == 0 && o.pushed == pushing {
				delete(s.known, who)
			}
		}
	}
}

// turn waits until a password of an address is looked at; false if that takes
// too long. One after the other asks the limiter, so that those who hang up owe
// it nothing. An address that has pushed does not wait: the router may share it
// with others, behind a container's bridge or in one network of IPv6.
func (s *pushers) turn(ctx context.Context, who netip.Addr) bool {
	s.mu.Lock()
	one := s.of(who, time.Now())
	waits := !one.pushed
	s.mu.Unlock()
	if !waits {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, guessPatience)
	defer cancel()
	select {
	case one.turns <- struct{}{}:
		defer func() { <-one.turns }()
		return one.guesses.Wait(ctx) == nil
	case <-ctx.Done():
		return false
	}
}

// enter lets a push of an address, with the right password, wait for a round
// until leave; false if too many do.
func (s *pushers) enter(who netip.Addr) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.of(who, time.Now())
	one.pushed = true
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
// counted, and the next line has the count. When many addresses do the same,
// the first have a line each, and the others are counted together.
func (s *pushers) log(ctx context.Context, log *slog.Logger, level slog.Level, who netip.Addr,
	message string, args ...any) {
	if level < slog.LevelInfo {
		log.Log(ctx, level, message, args...)
		return
	}
	now := time.Now()
	s.mu.Lock()
	one := s.of(who, now)
	more, quiet := again(one.said, message, 1, now)
	if more > 0 {
		args = append(args, "more", more)
	}
	if !quiet {
		if more, quiet = again(s.said, message, sameOfAll, now); more > 0 {
			args = append(args, "more_of_others", more)
		}
	}
	s.mu.Unlock()
	if quiet {
		level = slog.LevelDebug
	}
	log.Log(ctx, level, message, args...)
}

// again counts a message. It is quiet if it was said most times within a minute;
// else more is how often it was not said in the minute before.
func again(all map[string]*saying, message string, most int, now time.Time) (more int, quiet bool) {
	said := all[message]
	if said == nil {
		said = &saying{at: now}
		all[message] = said
	}
	if age := now.Sub(said.at); age < 0 || age >= sameQuiet {
		more = said.more
		*said = saying{at: now}
	}
	if said.lines == most {
		said.more++
		return 0, true
	}
	said.lines++
	return more, false
}
