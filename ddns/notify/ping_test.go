package notify

import (
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cfddns/cfddns/ddns"
)

// monitoring is a server that keeps what it was told.
type monitoring struct {
	*httptest.Server
	mu     sync.Mutex
	got    []string
	answer func(*http.Request) int
}

func startMonitoring(t *testing.T, start func(http.Handler) *httptest.Server) *monitoring {
	t.Helper()
	m := &monitoring{answer: func(*http.Request) int { return http.StatusOK }}
	m.Server = start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.got = append(m.got, strings.TrimSpace(r.Method+" "+r.RequestURI+" "+string(body)))
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(m.answer(r))
	}))
	t.Cleanup(m.Close)
	return m
}

func (m *monitoring) told() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.got
}

func TestAPingSpeaksTheLanguageOfItsServer(t *testing.T) {
	only := func(method string, otherwise int) func(*http.Request) int {
		return func(r *http.Request) int {
			if r.Method != method {
				return otherwise
			}
			return http.StatusOK
		}
	}
	always := func(code int) func(*http.Request) int { return func(*http.Request) int { return code } }
	cases := []struct {
		name   string
		path   string
		state  ddns.TargetState
		answer func(*http.Request) int
		want   []string
		err    string
	}{
		{"healthchecks.io, all is well", "/s3cret", ddns.Right, nil, []string{"GET /s3cret"}, ""},
		{"healthchecks.io, changed is well too", "/s3cret/", ddns.Changed, nil, []string{"GET /s3cret/"}, ""},
		{"healthchecks.io, all is not well", "/s3cret", ddns.Held, nil, []string{"POST /s3cret/fail round 1"}, ""},
		{"a slash at the end is one", "/s3cret/", ddns.Held, nil, []string{"POST /s3cret/fail round 1"}, ""},
		{"healthchecks.io by its slug keeps the query", "/s3cret/home?create=1", ddns.Held, nil, []string{"POST /s3cret/home/fail?create=1 round 1"}, ""},
		{"a server that knows GET alone", "/s3cret", ddns.Refused, only("GET", 501), []string{"POST /s3cret/fail round 1", "GET /s3cret/fail"}, ""},
		{"a server that allows GET alone", "/s3cret", ddns.Refused, only("GET", 405), []string{"POST /s3cret/fail round 1", "GET /s3cret/fail"}, ""},
		{"Uptime Kuma, all is well", "/api/push/s3cret?status=up&msg=OK&ping=", ddns.Right, nil, []string{"GET /api/push/s3cret?status=up&msg=OK&ping="}, ""},
		{"Uptime Kuma, all is not well", "/api/push/s3cret?status=up&msg=OK&ping=", ddns.Contradicted, nil, []string{"GET /api/push/s3cret?msg=round+1&ping=&status=down"}, ""},
		{"Uptime Kuma without its query", "/api/push/s3cret", ddns.Contradicted, nil, []string{"GET /api/push/s3cret?msg=round+1&status=down"}, ""},
		{"a check that does not exist", "/s3cret", ddns.Right, always(404), []string{"GET /s3cret"}, "answered HTTP 404"},
		{"a redirect is not followed", "/s3cret", ddns.Right, always(302), []string{"GET /s3cret"}, "HTTP 302, which leads elsewhere"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := startMonitoring(t, httptest.NewServer)
			if c.answer != nil {
				m.answer = c.answer
			}
			p := newPinger(Config{Ping: ddns.NewSecret(m.URL + c.path)}, loopback{})
			sent, err := p.ping(t.Context(), ended("1", c.state), "round 1")
			if diff := cmp.Diff(c.want, m.told()); diff != "" || !sent {
				t.Error(diff)
			}
			switch {
			case c.err == "" && err == nil:
			case err == nil || c.err == "" || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "s3cret"):
				t.Error(err)
			}
		})
	}
}

func TestAPingVerifiesTheServer(t *testing.T) {
	m := startMonitoring(t, httptest.NewTLSServer)
	roots := x509.NewCertPool()
	roots.AddCert(m.Certificate())
	config := Config{Ping: ddns.NewSecret(m.URL + "/s3cret"), Version: "1.2.3"}
	known, stranger := newPinger(config, loopback{roots}), newPinger(config, loopback{x509.NewCertPool()})
	if _, err := known.ping(t.Context(), ended("1", ddns.Right), ""); err != nil {
		t.Error(err)
	}
	_, err := stranger.ping(t.Context(), ended("1", ddns.Right), "")
	if err == nil || strings.Contains(err.Error(), "s3cret") || len(m.told()) != 1 {
		t.Error(err, m.told())
	}
	if known.agent != "cfddns/1.2.3 (+https://github.com/cfddns/cfddns)" {
		t.Error(known.agent)
	}
}

func TestTheSameIsNotSaidTwiceInAMinute(t *testing.T) {
	m := startMonitoring(t, httptest.NewServer)
	synctest.Test(t, func(t *testing.T) {
		p := newPinger(Config{Ping: ddns.NewSecret(m.URL + "/x")}, loopback{})
		ping := func(state ddns.TargetState) {
			if _, err := p.ping(t.Context(), ended("1", state), "why"); err != nil {
				t.Error(err)
			}
		}
		for range 5 {
			ping(ddns.Right)
		}
		for range 5 {
			ping(ddns.Held)
		}
		<-time.After(pingApart)
		ping(ddns.Held)
		ping(ddns.Right)
	})
	if diff := cmp.Diff([]string{"GET /x", "POST /x/fail why", "POST /x/fail why", "GET /x"}, m.told()); diff != "" {
		t.Error(diff)
	}
}

func TestABrokenPingIsLoggedOnceAndTriedEachRound(t *testing.T) {
	m := startMonitoring(t, httptest.NewServer)
	m.answer = func(*http.Request) int { return 500 }
	log := &logged{}
	n := New(Config{Ping: ddns.NewSecret(m.URL + "/s3cret")}, loopback{}, log.logger(), summary)
	defer n.Close()
	for i := range 3 {
		n.Report(ended("1", ddns.Right))
		eventually(t, func() bool { return len(m.told()) == i+1 })
	}
	m.mu.Lock()
	m.answer = func(*http.Request) int { return 200 }
	m.mu.Unlock()
	n.Report(ended("2", ddns.Right))
	eventually(t, func() bool { return strings.Contains(log.String(), "notify.ping works again") })
	if strings.Count(log.String(), "does not work") != 1 || strings.Contains(log.String(), "s3cret") {
		t.Error(log)
	}
}
