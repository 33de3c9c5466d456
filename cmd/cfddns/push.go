package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
)

// The push endpoint speaks what routers speak to a DynDNS service: GET
// /nic/update with basic auth, answered by a word for each name
// (https://help.dyn.com/remote-access-api/). Whoever pushes may be anybody who
// knows the password, and the request crosses the home's network in the clear.
// So a push is a hint: it starts a round, which asks the sources as always, and
// what it names is never published. It is answered by what the records hold
// after that round.

// pushPath is where routers push.
const pushPath = "/nic/update"

const (
	// pushPatience is how long a push waits for its round. Routers and their
	// clients give up after 30 s.
	pushPatience = 25 * time.Second
	// wrongDelay is how long a wrong password waits for its answer.
	wrongDelay = time.Second
)

// The words of the protocol. "abuse" is not among them: clients stop for good
// when they hear it. After 911 they try again.
const (
	pushBadAuth  = "badauth"
	pushBadAgent = "badagent"
	pushTrouble  = "911"
	pushNoHost   = "nohost"
	pushNotFQDN  = "notfqdn"
)

// pushing is what a configuration says of pushes.
type pushing struct {
	listen, user string
	password     ddns.Secret
	targets      []ddns.Target // that are kept
}

// pushingOf reads what a configuration says of pushes.
func pushingOf(cfg configs.Config) (pushing, configs.Warning, error) {
	p := pushing{listen: cfg.Push.Listen, user: cfg.Push.User, targets: cfg.Targets()}
	if p.listen == "" {
		return p, "", nil
	}
	var warning configs.Warning
	var err error
	if p.password, warning, err = cfg.Push.Secret(); err != nil {
		return p, "", exit(ddns.ExitUsage, err)
	}
	return p, warning, nil
}

// lets reports whether a request may push. How long that takes tells nothing.
func (p pushing) lets(r *http.Request) bool {
	user, password, _ := r.BasicAuth()
	same := func(a, b string) int {
		x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
		return subtle.ConstantTimeCompare(x[:], y[:])
	}
	return same(user, p.user)&same(password, p.password.Reveal()) == 1 && !p.password.IsZero()
}

// hearer takes a hint in and returns the round that followed.
type hearer interface {
	HearOut(ctx context.Context, h ddns.Hint) (ddns.Round, error)
}

// pushes answers those who push.
type pushes struct {
	settings func() pushing // as they are now
	hear     hearer
	log      *slog.Logger
	delay    time.Duration // before a wrong password is answered
	pushers  pushers

	mu   sync.Mutex // guards the following
	told map[string]pushTold
}

func newPushes(settings func() pushing, hear hearer, log *slog.Logger) *pushes {
	return &pushes{settings: settings, hear: hear, log: log, delay: wrongDelay, told: map[string]pushTold{}}
}

// ServeHTTP implements http.Handler. The body of a request is not read.
func (p *pushes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := p.settings()
	switch {
	case path.Clean(r.URL.Path) != pushPath: // UniFi asks for //nic/update
		p.said(r, slog.LevelWarn, "a push asked for another path; enter the right one at the router", "path",
			shortened(r.URL.Path), "right", pushPath)
		say(w, http.StatusNotFound, "there is nothing but "+pushPath)
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		say(w, http.StatusMethodNotAllowed, pushBadAgent)
	case fromPage(r) || strangeHost(r.Host, s.targets):
		p.said(r, slog.LevelWarn, "a push was refused: it comes from a web page, or calls this machine by a name "+
			"that is none of its own", "host", shortened(r.Host))
		say(w, http.StatusForbidden, pushBadAgent)
	case r.Header.Get("Authorization") == "":
		p.refuse(w)
	case !p.pushers.turn(r.Context(), whoOf(r.RemoteAddr)):
		p.sendAway(w, r, "a push was sent away: too many passwords come from its address")
	case !s.lets(r):
		p.wrong(w, r)
	default:
		p.serve(w, r, s)
	}
}

// said logs what somebody's push was about, once a minute.
func (p *pushes) said(r *http.Request, level slog.Level, message string, args ...any) {
	p.pushers.log(r.Context(), p.log, level, whoOf(r.RemoteAddr), message,
		append([]any{"from", r.RemoteAddr}, args...)...)
}

// wrong answers a wrong password, late.
func (p *pushes) wrong(w http.ResponseWriter, r *http.Request) {
	p.said(r, slog.LevelWarn, "a push was refused: wrong user or password")
	late := time.NewTimer(p.delay)
	defer late.Stop()
	select {
	case <-late.C:
	case <-r.Context().Done():
	}
	p.refuse(w)
}

// refuse asks for a password.
func (p *pushes) refuse(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Basic realm="cfddns", charset="UTF-8"`)
	say(w, http.StatusUnauthorized, pushBadAuth)
}

// sendAway answers a push for which there is no place now.
func (p *pushes) sendAway(w http.ResponseWriter, r *http.Request, why string) {
	p.said(r, slog.LevelWarn, why)
	w.Header().Set("Retry-After", "30")
	say(w, http.StatusTooManyRequests, pushTrouble)
}

// serve answers a push of somebody who may.
func (p *pushes) serve(w http.ResponseWriter, r *http.Request, s pushing) {
	defer welcome(r.Context())()
	leave, ok := p.pushers.enter(whoOf(r.RemoteAddr))
	if !ok {
		p.sendAway(w, r, "a push was sent away: too many wait for a round")
		return
	}
	defer leave()
	q := parsePush(r.URL.RawQuery, s.targets)
	for _, word := range q.ignored {
		p.said(r, slog.LevelWarn, "a push names something that is no address; it was ignored", "word", shortened(word))
	}
	if !q.known() {
		p.said(r, slog.LevelWarn, "a push names none of the names that are kept; nothing was done", "names",
			shortened(q.asked()))
		say(w, http.StatusOK, q.lines(nil)...)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), pushPatience)
	defer cancel()
	round, err := p.hear.HearOut(ctx, q.hint(s.user))
	lines := q.lines(func(targets []ddns.Target) string {
		if err != nil {
			return pushTrouble
		}
		return p.answer(round, targets, q.addresses)
	})
	level := slog.LevelInfo
	if strings.HasPrefix(lines[0], "nochg") {
		level = slog.LevelDebug
	}
	p.said(r, level, "a push was answered", "says", q.says(), "answer", strings.Join(lines, ", "), "round", round.ID)
	say(w, http.StatusOK, lines...)
}

// say answers a request, a word or a line for each name.
func say(w http.ResponseWriter, code int, lines ...string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, strings.Join(lines, "\n")+"\n") // whoever hung up is told nothing
}

// pushURL is what a person enters at the router.
func pushURL(listen string) string { return fmt.Sprintf("http://%s%s", listen, pushPath) }
