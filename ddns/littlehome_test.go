package ddns_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// A little home for the loop: three operators, one zone, one name, all in
// memory, so that days pass in milliseconds of testing/synctest.
type littleHome struct {
	mu      sync.Mutex // guards the following
	wan     netip.Addr
	line    error // why nothing at all gets through; nil: the line is up
	api     error // what the API answers instead
	records []ddns.Record
	asked   int           // questions to sources
	reads   int           // listings of records
	writes  int           // batches
	slow    time.Duration // how long a source takes
	offset  time.Duration // how far the wall clock was set away
	shown   []netip.Addr  // what the nameservers show; nil: what the records hold
	reports []ddns.Round
	hops    map[string][]netip.Addr // what DDNS hosts answer; those that are not in it are silent
	hangs   bool                    // the resolver does not answer at all
	held    []netip.Addr            // what public resolvers hold of any host
	lookups int                     // questions about DDNS hosts

	turnEvery time.Duration // of the loop; zero leaves its own
}

func newLittleHome() *littleHome {
	return &littleHome{wan: homeA, slow: 20 * time.Millisecond,
		records: []ddns.Record{{ID: "1", Name: "home.example.com", Type: "A", Content: homeA.String(), TTL: 60}}}
}

// clock is the wall clock: without the monotonic reading it can be set.
func (h *littleHome) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Now().Round(0).Add(h.offset)
}

func (h *littleHome) set(change func(*littleHome)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(h)
}

func (h *littleHome) source(name string) ddns.Source {
	return ddns.Source{Name: name, Operator: name, Class: ddns.Authenticated, Transport: name, Ask: func(ctx context.Context, _ ddns.Family) (netip.Addr, error) {
		h.mu.Lock()
		h.asked++
		line, slow := h.line, h.slow
		h.mu.Unlock()
		if line != nil {
			return netip.Addr{}, line
		}
		select {
		case <-time.After(slow):
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.wan, nil
		case <-ctx.Done():
			return netip.Addr{}, ctx.Err()
		}
	}}
}

func (h *littleHome) trouble() error {
	if h.line != nil {
		return &ddns.Error{Kind: ddns.Unreachable, Op: "reach Cloudflare", Err: h.line}
	}
	return h.api
}

func (h *littleHome) Zones(context.Context) ([]ddns.Zone, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.trouble(); err != nil {
		return nil, err
	}
	return []ddns.Zone{{ID: "z", Name: "example.com", Status: "active", Type: "full", Plan: "free", NameServers: []string{"ns1", "ns2"}}}, nil
}

func (h *littleHome) Records(context.Context, ddns.Zone, []string) (ddns.Listing, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reads++
	if err := h.trouble(); err != nil {
		return ddns.Listing{}, err
	}
	return ddns.Listing{Records: slices.Clone(h.records), Whole: true}, nil
}

func (h *littleHome) Holding(context.Context, ddns.Zone, string) ([]ddns.Record, error) {
	return nil, nil
}

func (h *littleHome) Habit(context.Context, ddns.Zone) ([]ddns.Record, error) {
	return []ddns.Record{}, nil
}

func (h *littleHome) Batch(_ context.Context, _ ddns.Zone, b ddns.Batch) (result ddns.BatchResult, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.trouble(); err != nil {
		return result, err
	}
	h.writes++
	at := map[string]int{}
	for i, r := range h.records {
		at[r.ID] = i
	}
	for _, p := range b.Patches {
		if i, ok := at[p.ID]; ok && p.Content != nil {
			h.records[i].Content = *p.Content
			result.Patched = append(result.Patched, h.records[i])
		}
	}
	return result, nil
}

func (h *littleHome) Ask(_ context.Context, server, _, _ string) (ddns.Answer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.line != nil {
		return ddns.Answer{}, h.line
	}
	shown := h.shown
	if shown == nil {
		shown = []netip.Addr{h.records[0].Address()}
	}
	return ddns.Answer{Server: server, Authoritative: true, Addresses: shown}, nil
}

func (h *littleHome) AskDoH(_ context.Context, _, host, recordType string) (ddns.Answer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if answer, known := h.hops[host]; known && !h.hangs && h.line == nil {
		if recordType == "AAAA" {
			return ddns.Answer{}, nil
		}
		return ddns.Answer{Addresses: answer}, nil
	}
	if len(h.held) == 0 {
		return ddns.Answer{}, errors.New("nobody")
	}
	return ddns.Answer{Addresses: h.held}, nil
}

func (h *littleHome) Lookup(ctx context.Context, f ddns.Family, host string) ([]netip.Addr, error) {
	h.mu.Lock()
	h.lookups++
	answer, known := h.hops[strings.TrimSuffix(host, ".")]
	hangs, line := h.hangs, h.line
	h.mu.Unlock()
	switch {
	case line != nil:
		return nil, line
	case hangs || !known:
		<-ctx.Done()
		return nil, ctx.Err()
	case f == ddns.IPv6:
		return nil, nil
	}
	return answer, nil
}

func (h *littleHome) runner() *ddns.Runner {
	return &ddns.Runner{
		Targets: []ddns.Target{{Name: "home.example.com", Shown: "home.example.com", Type: "A"}},
		Rosters: []ddns.Roster{{Family: ddns.IPv4, Members: []ddns.Source{h.source("one"), h.source("two"), h.source("three")}}},
		API:     h, Resolver: h, Recheck: time.Hour, Timeout: 4 * time.Second, Clock: h.clock,
		Calls:  func() int64 { return 0 },
		Prover: ddns.Prover{Nameservers: h, Patience: 10 * time.Second},
	}
}

// last is the round that was reported last.
func (h *littleHome) last() ddns.Round {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reports[len(h.reports)-1]
}

// reported are all rounds that were reported.
func (h *littleHome) reported() []ddns.Round {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.reports)
}

func (h *littleHome) content() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.records[0].Content
}

// live runs a loop over the home until the test ends.
func (h *littleHome) live(t *testing.T, s ddns.Settings) (*ddns.Loop, context.CancelFunc) {
	t.Helper()
	loop := ddns.NewLoop(h.clock, func(r ddns.Round, _ ddns.Past) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.reports = append(h.reports, r)
	})
	if h.turnEvery > 0 {
		loop.TurnEvery = h.turnEvery
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		loop.Run(ctx, s, ddns.Past{})
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return loop, func() { cancel(); <-ended }
}

func (h *littleHome) every(d time.Duration) ddns.Settings {
	return ddns.Settings{Runner: h.runner(), Every: d}
}

// after lets time pass and the loop come to rest.
func after(d time.Duration) {
	time.Sleep(d) // of the bubble's clock
	synctest.Wait()
}
