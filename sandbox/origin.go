package sandbox

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// originPatience is how long the edge waits for an origin that does not
// answer. Cloudflare waits 19 s for a connection and 120 s for an answer.
const originPatience = 500 * time.Millisecond

// SetHairpin says whether the home reaches itself by its public address. Many
// routers do not lead such packets back: the dial takes its time and fails.
func (s *Sandbox) SetHairpin(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noHairpin = !on
}

func (s *Sandbox) hairpins() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.noHairpin
}

// The faults of the origin that show before it speaks HTTP.
var (
	atDial = [...]string{"refuse", "unreachable", "hang connect"}
	atTLS  = [...]string{"bad-cert", "expired-cert", "no-tls"}
)

// originDial is what a dial of the home's web server comes to.
func (s *Sandbox) originDial(ctx context.Context) error {
	fault, ok := s.takeFaultAt("origin", "", atDial[:]...)
	switch {
	case !ok:
		return nil
	case fault.Do == "refuse":
		return os.NewSyscallError("connect", syscall.ECONNREFUSED)
	case fault.Do == "unreachable":
		return os.NewSyscallError("connect", syscall.EHOSTUNREACH)
	}
	if !s.pause(ctx, originPatience) && ctx.Err() != nil {
		return ctx.Err()
	}
	return os.ErrDeadlineExceeded
}

// originCertificate makes one for any name: a home server has what it needs,
// unless it is told otherwise.
func (s *Sandbox) originCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := hostName(hello.ServerName)
	if name == "" {
		name = "127.0.0.1"
	}
	fault, ok := s.takeFaultAt("origin", "", atTLS[:]...)
	switch {
	case !ok:
		return s.authority.certificateFor(name)
	case fault.Do == "expired-cert":
		return s.authority.expired(name)
	case fault.Do == "no-tls":
		return nil, fmt.Errorf("no certificate for %s, as was told", name)
	}
	stranger, err := newCA()
	if err != nil {
		return nil, err
	}
	return stranger.certificateFor(name)
}

// originHTTP is the home's web server, asked directly.
func (s *Sandbox) originHTTP(w http.ResponseWriter, r *http.Request) {
	pages := slices.DeleteFunc(faultsOn("origin"), func(way string) bool {
		return slices.Contains(atDial[:], way) || slices.Contains(atTLS[:], way)
	})
	fault, ok := s.takeFaultAt("origin", "", pages...)
	switch {
	case !ok:
		s.home(w, r)
	case fault.Do == "garbage":
		garble(w)
	default:
		s.faultyOrigin(w, r, fault)
	}
}

// fetchOrigin passes a request of the edge on, with what may go wrong at the
// origin.
func (s *Sandbox) fetchOrigin(w http.ResponseWriter, r *http.Request) {
	fault, ok := s.takeFault("origin")
	if !ok {
		s.home(w, r)
		return
	}
	switch fault.way() {
	case "drop", "refuse":
		s.edgeError(w, r, troubleOf(521))
	case "hang connect":
		s.pause(r.Context(), originPatience)
		s.edgeError(w, r, troubleOf(522))
	case "hang":
		s.pause(r.Context(), originPatience)
		s.edgeError(w, r, troubleOf(524))
	case "unreachable":
		s.edgeError(w, r, troubleOf(523))
	case "no-tls":
		s.edgeError(w, r, troubleOf(525))
	case "bad-cert", "expired-cert":
		s.edgeError(w, r, troubleOf(526))
	case "garbage":
		s.edgeError(w, r, troubleOf(520))
	case "slow":
		if fault.slowness() > originPatience {
			s.pause(r.Context(), originPatience)
			s.edgeError(w, r, troubleOf(524))
			return
		}
		s.faultyOrigin(w, r, fault)
	default:
		s.faultyOrigin(w, r, fault)
	}
}

// faultyOrigin answers as a home server that is unwell.
func (s *Sandbox) faultyOrigin(w http.ResponseWriter, r *http.Request, f Fault) {
	switch {
	case f.Do == "500" || f.Do == "done-but-500":
		say(w, http.StatusInternalServerError, "text/plain; charset=utf-8", "the home server is unwell\n")
	case f.Do == "403" && !strings.Contains(r.UserAgent(), "Mozilla/"):
		say(w, http.StatusForbidden, "text/plain; charset=utf-8", "the home server lets browsers in only\n")
	case f.Do == "404":
		say(w, http.StatusNotFound, "text/plain; charset=utf-8", "the home server has no such page\n")
	case f.Do == "slow":
		if s.pause(r.Context(), f.slowness()) {
			s.home(w, r)
		}
	case f.Do == "403":
		s.home(w, r)
	case !s.faultySite(w, r, f):
		somebodyElse(w)
	}
}

// slowness is how long a slow origin takes: Value in milliseconds, else 300.
func (f Fault) slowness() time.Duration {
	if ms, err := strconv.Atoi(f.Value); err == nil && ms >= 0 {
		return time.Duration(min(ms, 60_000)) * time.Millisecond
	}
	return 300 * time.Millisecond
}

// garble answers what is no HTTP, and hangs up.
func garble(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = conn.Write([]byte("\x00\x01this is no HTTP\r\n\r\n"))
	conn.Close()
}

func (s *Sandbox) home(w http.ResponseWriter, r *http.Request) {
	f4, f6 := s.WAN()
	at := f4
	if !at.IsValid() {
		at = f6
	}
	say(w, http.StatusOK, "text/plain; charset=utf-8", fmt.Sprintf("hello from home, %s, for %s\n", at, hostOf(r.Host)))
}

// somebodyElse is the lie of a web server: the page of another one.
func somebodyElse(w http.ResponseWriter) {
	say(w, http.StatusOK, "text/plain; charset=utf-8", "hello from somebody else's server\n")
}
