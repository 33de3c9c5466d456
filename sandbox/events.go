package sandbox

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"
)

// Event is what Cloudflare's security did to one request, as its analytics
// remember it. https://developers.cloudflare.com/waf/analytics/security-events/
type Event struct {
	At        time.Time  `json:"at"`
	Action    string     `json:"action"` // block, managed_challenge, jschallenge, challenge, skip, log
	Source    string     `json:"source"` // securitylevel, firewallCustom, firewallManaged, bic, botFight, l7ddos
	RuleID    string     `json:"rule_id"`
	Client    netip.Addr `json:"client"`
	Host      string     `json:"host"`
	Method    string     `json:"method"`
	Path      string     `json:"path"`
	UserAgent string     `json:"user_agent"`
	Status    int        `json:"status"` // what the client got; 0 means 403
}

// Minute is how many answers with one status the edge gave for one host in
// one minute.
type Minute struct {
	At       time.Time `json:"at"`
	Host     string    `json:"host"`
	Status   int       `json:"status"`
	Requests int       `json:"requests"`
}

// analytics is what Cloudflare remembers of the requests to the zones.
type analytics struct {
	events  []Event // the newest last
	minutes map[minuteKey]int
}

type minuteKey struct {
	minute time.Time // UTC
	host   string
	status int
}

// maxEvents is how many are kept; the oldest go first.
const maxEvents = 20_000

// AddEvent puts an event into what Cloudflare remembers. It is an error if no
// zone holds the host.
func (s *Sandbox) AddEvent(e Event) error {
	e.Host = foldName(e.Host)
	if _, ok := s.nodeAt(e.Host); !ok {
		return fmt.Errorf("event for %q: no zone holds the name", e.Host)
	}
	if e.Status == 0 {
		e.Status = http.StatusForbidden
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.add(e)
	return nil
}

// AddMinute adds answers to what Cloudflare remembers. It is an error if no
// zone holds the host.
func (s *Sandbox) AddMinute(m Minute) error {
	m.Host = foldName(m.Host)
	if _, ok := s.nodeAt(m.Host); !ok {
		return fmt.Errorf("minute of %q: no zone holds the name", m.Host)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.count(m)
	return nil
}

// Events returns the security events so far, the oldest first.
func (s *Sandbox) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen.events)
}

func (a *analytics) add(e Event) {
	i, _ := slices.BinarySearchFunc(a.events, e.At, func(e Event, t time.Time) int {
		if e.At.After(t) {
			return 1
		}
		return -1
	})
	a.events = slices.Insert(a.events, i, e)
	if len(a.events) > maxEvents {
		a.events = slices.Delete(a.events, 0, len(a.events)-maxEvents)
	}
}

func (a *analytics) count(m Minute) {
	if a.minutes == nil {
		a.minutes = make(map[minuteKey]int)
	}
	a.minutes[minuteKey{m.At.UTC().Truncate(time.Minute), m.Host, m.Status}] += m.Requests
}

// answerRecorder notes the status of an answer when it is sent.
type answerRecorder struct {
	http.ResponseWriter
	note func(status int) // nil once it was noted
}

func (w *answerRecorder) WriteHeader(status int) {
	if w.note != nil {
		w.note(status)
		w.note = nil
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *answerRecorder) Write(p []byte) (int, error) {
	if w.note != nil {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *answerRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// noteAnswer remembers an answer of the edge and what its security did.
func (s *Sandbox) noteAnswer(v *visit, done []sanction, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.count(Minute{At: v.at, Host: v.host, Status: status, Requests: 1})
	for _, d := range done {
		s.seen.add(Event{At: v.at.UTC(), Action: d.action, Source: d.source, RuleID: d.rule, Client: v.client, Host: v.host,
			Method: v.method, Path: v.path, UserAgent: v.userAgent, Status: status})
	}
}
