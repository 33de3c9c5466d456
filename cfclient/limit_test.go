package cfclient

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"pgregory.net/rapid"
)

// pipes is a simulated world: every connection is a pipe to one HTTP server,
// and counts as verified.
type pipes struct{ accept chan net.Conn }

func (p pipes) Dial(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("this world has verified connections only")
}

func (p pipes) DialTLS(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.accept <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
func (p pipes) From(netip.Addr) ddns.World { return p }
func (p pipes) Roots() *x509.CertPool      { return nil }

// Accept, Close and Addr make the other end a net.Listener.
func (p pipes) Accept() (net.Conn, error) {
	conn, ok := <-p.accept
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (p pipes) Close() error   { close(p.accept); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// TestTheWaitEnds: no call leaves before Cloudflare's Retry-After has passed,
// and the first one after it does.
func TestTheWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		world := pipes{make(chan net.Conn)}
		defer serveWorld(t, world, func(w http.ResponseWriter, _ *http.Request) {
			if calls.Add(1) == 1 {
				w.Header().Set("Retry-After", "300")
				answer(w, 429, refusalOf(10100, "slow down"))
				return
			}
			answer(w, 200, listOf(t, 0, []int{}))
		})()
		c := New(Config{Token: ddns.NewSecret(testToken), World: world})
		defer c.CloseIdle()

		started := time.Now()
		tick := time.NewTicker(10 * time.Second)
		defer tick.Stop()
		for range tick.C {
			_, err := c.Zones(t.Context())
			if err == nil {
				break
			}
			wantKind(t, err, ddns.Limited)
		}
		if waited, sent := time.Since(started), calls.Load(); waited < 310*time.Second || waited > 320*time.Second || sent != 2 {
			t.Errorf("the second call left after %v, %d calls were sent", waited, sent)
		}
	})
}

// TestNoWindowHoldsMoreThanTheLimit: whenever calls are wanted, and however
// long each may wait, no five minutes hold more than our limit, no second more
// than may leave one address, and who waits long enough is let through.
func TestNoWindowHoldsMoreThanTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l limit
		began := time.Now()
		now := began
		var sent []time.Time
		for range rapid.IntRange(1, 12).Draw(t, "bursts") {
			now = now.Add(rapid.SampledFrom([]time.Duration{0, time.Millisecond, time.Second, time.Minute, limitWindow - time.Second, limitWindow}).Draw(t, "pause"))
			every := rapid.SampledFrom([]time.Duration{0, time.Millisecond, 30 * time.Millisecond, time.Second}).Draw(t, "every")
			write := rapid.Bool().Draw(t, "write")
			patience := rapid.SampledFrom([]time.Duration{0, limitPatience, time.Minute}).Draw(t, "patience")
			for range rapid.IntRange(1, 1500).Draw(t, "calls") {
				now = now.Add(every)
				wait, ok := l.take(now, write, patience)
				if ok != (wait <= patience) {
					t.Fatalf("waits %v with %v of patience, %v", wait, patience, ok)
				}
				if wait > limitWindow+time.Minute {
					t.Fatalf("a call has to wait %v", wait)
				}
				if ok {
					sent = append(sent, now.Add(wait))
				}
			}
		}
		for _, w := range []struct {
			most   int
			within time.Duration
		}{{limitOurs, limitWindow}, {limitSecond, time.Second}} {
			for i := w.most; i < len(sent); i++ {
				if d := sent[i].Sub(sent[i-w.most]); d < w.within {
					t.Fatalf("%d calls within %v", w.most+1, d)
				}
			}
		}
	})
}

func TestWhatIsLeftIsObeyedAhead(t *testing.T) {
	tests := []struct {
		name   string
		left   string
		policy string
		write  bool
		calls  int // that are let through
		wait   time.Duration
	}{
		{"a write leaves some to others", `"default";r=103;t=60`, `"default";q=1200;w=300`, true, 3, time.Minute},
		{"a reading leaves some to writes", `"default";r=303;t=60`, `"default";q=1200;w=300`, false, 3, time.Minute},
		{"a small budget has a small margin", `"burst";r=10;t=7`, `"burst";q=60;w=60`, true, 5, 7 * time.Second},
		{"the tightest of two counts", `"default";r=900;t=300, "burst";r=6;t=9`, `"default";q=1200;w=300, "burst";q=60;w=60`, true, 1, 9 * time.Second},
		{"without a policy it is the usual one", `"default";r=101;t=60`, ``, true, 1, time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var l limit
			now := time.Now()
			l.learn(now, &http.Response{StatusCode: 200, Header: http.Header{"Ratelimit": {tt.left}, "Ratelimit-Policy": {tt.policy}}})
			for range tt.calls {
				if wait, ok := l.take(now, tt.write, 0); !ok {
					t.Fatalf("has to wait %v", wait)
				}
			}
			if wait, ok := l.take(now, tt.write, limitPatience); ok || wait != tt.wait {
				t.Errorf("one more waits %v, %v; want %v", wait, ok, tt.wait)
			}
			if wait, ok := l.take(now.Add(tt.wait), tt.write, 0); !ok {
				t.Errorf("the wait has no end: another %v", wait)
			}
		})
	}
}

// manyZones is an API with a thousand zones of some records, all wrong, and
// Cloudflare's limit of calls.
type manyZones struct {
	t     *testing.T
	names int  // in each zone
	says  bool // the answers say what is left

	mu      sync.Mutex // guards the following
	content []string
	window  time.Time
	used    int
	refused int

	now, most atomic.Int64 // calls under way
}

const zonesOfMany = 1000

func (m *manyZones) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.most.Store(max(m.most.Load(), m.now.Add(1)))
	defer m.now.Add(-1)
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); now.Sub(m.window) >= limitWindow {
		m.window, m.used = now, 0
	}
	if m.used++; m.used > limitAll {
		m.refused++
		w.Header().Set("Retry-After", "300")
		answer(w, 429, refusalOf(10100, "slow down"))
		return
	}
	if m.says {
		w.Header().Set("Ratelimit", fmt.Sprintf(`"default";r=%d;t=%d`, limitAll-m.used, 1+int(time.Until(m.window.Add(limitWindow))/time.Second)))
		w.Header().Set("Ratelimit-Policy", `"default";q=1200;w=300`)
	}
	m.serve(w, r)
}

// zoneName is the name of one zone.
func zoneName(i int) string { return fmt.Sprintf("z%03d.example", i) }

func (m *manyZones) record(zone, i int) map[string]any {
	n := zone*m.names + i
	return wire(n+1, fmt.Sprintf("h%d.%s", i, zoneName(zone)), "A", m.content[n])
}

func (m *manyZones) serve(w http.ResponseWriter, r *http.Request) {
	part := strings.Split(strings.TrimPrefix(r.URL.Path, "/client/v4/"), "/")
	if len(part) == 1 {
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		var zones []map[string]any
		for i := (page - 1) * zonesPerPage; i < page*zonesPerPage; i++ {
			zones = append(zones, map[string]any{"id": recordID(i), "name": zoneName(i), "status": "active", "plan": map[string]any{"legacy_id": "free"}})
		}
		answer(w, 200, listOf(m.t, zonesOfMany, zones))
		return
	}
	zone, _ := strconv.ParseInt(part[1], 16, 64)
	if r.Method == http.MethodGet {
		var records []map[string]any
		for i := range m.names {
			if strings.Contains(m.content[int(zone)*m.names+i], r.URL.Query().Get("content.contains")) {
				records = append(records, m.record(int(zone), i))
			}
		}
		answer(w, 200, listOf(m.t, len(records), records))
		return
	}
	var batch wireBatch
	if err := json.NewDecoder(r.Body).Decode(&batch); err != nil {
		m.t.Error(err)
	}
	var patched []map[string]any
	for _, p := range batch.Patches {
		n, _ := strconv.ParseInt(p.ID, 16, 64)
		m.content[n-1] = *p.Content
		patched = append(patched, m.record(int(zone), int(n-1)%m.names))
	}
	answer(w, 200, resultOf(encode(m.t, map[string]any{"patches": patched})))
}

// TestAThousandZonesUnderTheLimit: rounds over more zones than may be asked for
// in five minutes end right, one after the other, without one refused call. Each
// goes on where the one before stopped.
func TestAThousandZonesUnderTheLimit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		says  bool
		names int
	}{{"the answers say what is left", true, 1}, {"our own count is all there is", false, 10}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &manyZones{t: t, says: tt.says, names: tt.names, content: slices.Repeat([]string{"45.67.80.1"}, zonesOfMany*tt.names)}
				world := pipes{make(chan net.Conn)}
				defer serveWorld(t, world, m.ServeHTTP)()
				c := New(Config{Token: ddns.NewSecret(testToken), World: world})
				defer c.CloseIdle()
				r := &ddns.Runner{API: c, Recheck: time.Hour, Timeout: time.Second, Clock: time.Now, Calls: c.Calls,
					Assume: netip.MustParseAddr("45.67.89.10"), Rosters: []ddns.Roster{{Family: ddns.IPv4}}}
				for zone := range zonesOfMany {
					for i := range m.names {
						name := fmt.Sprintf("h%d.%s", i, zoneName(zone))
						r.Targets = append(r.Targets, ddns.Target{Name: name, Shown: name, Type: "A"})
					}
				}
				r.Targets = ddns.SortTargets(r.Targets)
				began, rounds := time.Now(), 0
				var past ddns.Past
				for wait := time.Duration(1); wait > 0; rounds++ {
					<-time.After(wait)
					var round ddns.Round
					round, past = r.Round(t.Context(), ddns.BySchedule, past)
					c.CloseIdle()
					wait = retryOf(round)
					if wait == 0 && round.Exit() != 0 {
						t.Fatalf("a round ended with exit %d and no wait", round.Exit())
					}
				}
				t.Logf("%d rounds, %d calls, %v", rounds, c.Calls(), time.Since(began).Round(time.Second))
				if wrong := slices.IndexFunc(m.content, func(a string) bool { return a != "45.67.89.10" }); wrong >= 0 {
					t.Errorf("name %d of the zones is still wrong", wrong)
				}
				if m.refused > 0 {
					t.Errorf("%d calls were refused", m.refused)
				}
				if calls := c.Calls(); calls > 3100 || rounds > 8 || time.Since(began) > 20*time.Minute {
					t.Errorf("%d calls, %d rounds, %v", calls, rounds, time.Since(began))
				}
				if n := m.most.Load(); n > callsAtOnce {
					t.Errorf("%d calls at once", n)
				}
			})
		})
	}
}

// retryOf is how long the next round has to wait after this one; 0 means that
// all was done.
func retryOf(round ddns.Round) (wait time.Duration) {
	for _, o := range round.Outcomes {
		var e *ddns.Error
		if errors.As(o.Err, &e) {
			wait = max(wait, e.RetryAfter)
		}
	}
	return wait
}

// TestWhoWaitsBehindSilenceIsNotSent: with hundreds of zones and an API that
// answers nothing, a round ends after one timeout and not after dozens.
func TestWhoWaitsBehindSilenceIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hang atomic.Bool
		hang.Store(true)
		world := pipes{make(chan net.Conn)}
		defer serveWorld(t, world, func(w http.ResponseWriter, r *http.Request) {
			if hang.Load() {
				<-r.Context().Done()
				return
			}
			answer(w, 200, listOf(t, 0, []int{}))
		})()
		c := New(Config{Token: ddns.NewSecret(testToken), World: world})
		defer c.CloseIdle()
		askAll := func() (failed int64) {
			var asking sync.WaitGroup
			var n atomic.Int64
			for range 100 {
				asking.Go(func() {
					if _, err := c.Holding(t.Context(), testZone, "x"); err != nil {
						n.Add(1)
						if ddns.KindOf(err) != ddns.Unreachable {
							t.Error(err)
						}
					}
				})
			}
			asking.Wait()
			return n.Load()
		}
		began := time.Now()
		if failed := askAll(); failed != 100 || time.Since(began) != DefaultTimeout || c.Calls() != callsAtOnce {
			t.Errorf("%d failed, after %v and %d calls", failed, time.Since(began), c.Calls())
		}
		hang.Store(false)
		if failed := askAll(); failed != 0 {
			t.Errorf("%d failed although all is well again", failed)
		}
	})
}
