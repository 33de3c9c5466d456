package ddns_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cfddns/cfddns/cfclient"
	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/nameserver"
	"github.com/cfddns/cfddns/ipsource"
	"github.com/cfddns/cfddns/sandbox"
)

// A house is a home with all that is real: the sandbox's Cloudflare, its
// nameservers, edge and echoes on loopback, our client of the API, the default
// roster. Only the clock can be set.
type house struct {
	t      *testing.T
	world  *sandbox.Sandbox
	client *cfclient.Client
	runner *ddns.Runner
	past   ddns.Past
	ahead  time.Duration // of the real clock
	cellar *cellar
}

// newHouse starts a world with one Free zone, example.com.
func newHouse(t *testing.T, targets []ddns.Target, records ...sandbox.SeedRecord) *house {
	return newHouseIn(t, []sandbox.SeedZone{{Name: "example.com", Records: records}}, targets)
}

func newHouseIn(t *testing.T, zones []sandbox.SeedZone, targets []ddns.Target) *house {
	t.Helper()
	world, err := sandbox.Start(sandbox.Config{Zones: zones})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	h := &house{t: t, world: world, cellar: &cellar{}}
	h.runner = &ddns.Runner{
		Targets: ddns.SortTargets(targets), Resolver: doh{world.World()}, Rollback: h.cellar,
		Recheck: time.Hour, Timeout: 10 * time.Second,
		Clock: func() time.Time { return time.Now().Add(h.ahead) },
		Prover: ddns.Prover{Nameservers: nameserver.Client{World: world.World()}, Edge: visitor{cfclient.Edge{World: world.World()}},
			Resolvers: []string{"https://cloudflare-dns.com/dns-query", "https://dns.google/dns-query"}, Patience: 5 * time.Second},
	}
	h.patience(10 * time.Second)
	h.ask(ddns.IPv4)
	return h
}

// patience exchanges the client of the API for one that waits so long.
func (h *house) patience(d time.Duration) {
	h.client = cfclient.New(cfclient.Config{Token: ddns.NewSecret(h.world.Info().Token), World: h.world.World(), Timeout: d})
	h.t.Cleanup(h.client.CloseIdle)
	h.runner.API, h.runner.Calls = h.client, h.client.Calls
}

// ask makes rounds ask the default roster for the families.
func (h *house) ask(families ...ddns.Family) {
	h.t.Helper()
	byFamily, err := ipsource.Build(ipsource.Config{Families: families, Version: "test",
		Candidates: func() ([]netip.Addr, error) { return []netip.Addr{netip.MustParseAddr(home6)}, nil }}, h.world.World())
	if err != nil {
		h.t.Fatal(err)
	}
	h.runner.Rosters = nil
	for _, f := range families {
		h.runner.Rosters = append(h.runner.Rosters, byFamily[f])
	}
}

// assume makes rounds ask nobody and prove nothing: what is tested is the writing.
func (h *house) assume() *house {
	h.runner.Assume, h.runner.Prover.Patience = homeA, 0
	return h
}

// round makes one round and keeps what it leaves.
func (h *house) round() ddns.Round {
	h.t.Helper()
	return h.roundIn(h.t.Context())
}

func (h *house) roundIn(ctx context.Context) ddns.Round {
	h.t.Helper()
	var round ddns.Round
	round, h.past = h.runner.Round(ctx, ddns.ByOnce, h.past)
	return round
}

// move gives the home another IPv4 address.
func (h *house) move(to netip.Addr) {
	_, f6 := h.world.WAN()
	h.world.SetWAN(to, f6)
}

// fault makes something fail the next few times; 0 is for ever.
func (h *house) fault(on, do string, times int) {
	h.world.AddFault(sandbox.Fault{On: on, Do: do, Times: times})
}

// post sends an order to the sandbox's control address.
func (h *house) post(path string, order any) {
	h.t.Helper()
	body, err := json.Marshal(order)
	if err != nil {
		h.t.Fatal(err)
	}
	answer, err := http.Post(h.world.Info().Control+path, "application/json", bytes.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		h.t.Fatalf("%s: %s", path, answer.Status)
	}
}

// records are what is at Cloudflare, one line each, sorted.
func (h *house) records() []string {
	h.t.Helper()
	answer, err := http.Get(h.world.Info().Control + "/world")
	if err != nil {
		h.t.Fatal(err)
	}
	defer answer.Body.Close()
	var world struct {
		Records map[string][]struct {
			ID, Name, Type, Content, Comment string
			TTL                              int
			Proxied                          bool
		}
	}
	if err := json.NewDecoder(answer.Body).Decode(&world); err != nil {
		h.t.Fatal(err)
	}
	lines := []string{}
	for _, zone := range world.Records {
		for _, r := range zone {
			line := fmt.Sprintf("%s %s %s", r.Name, r.Type, r.Content)
			if r.Proxied {
				line += " proxied"
			}
			if r.Comment != "" {
				line += " " + r.Comment
			}
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

// byHand changes records as a person with a dashboard would.
func (h *house) byHand(change func(zone ddns.Zone, records []ddns.Record) ddns.Batch) {
	h.t.Helper()
	dashboard := cfclient.New(cfclient.Config{Token: ddns.NewSecret(h.world.Info().Token), World: h.world.World()})
	defer dashboard.CloseIdle()
	zones, err := dashboard.Zones(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	listing, err := dashboard.Records(h.t.Context(), zones[0], nil)
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := dashboard.Batch(h.t.Context(), zones[0], change(zones[0], listing.Records)); err != nil {
		h.t.Fatal(err)
	}
}

// setByHand gives the first record of a name another content.
func (h *house) setByHand(name, content string) {
	h.t.Helper()
	h.byHand(func(_ ddns.Zone, records []ddns.Record) ddns.Batch {
		i := slices.IndexFunc(records, func(r ddns.Record) bool { return r.Name == name })
		return ddns.Batch{Patches: []ddns.Patch{{ID: records[i].ID, Content: &content}}}
	})
}

// calls are the API calls that something makes, by effect.
func (h *house) calls(during func()) map[string]int {
	before := h.world.Calls()
	during()
	made := map[string]int{}
	for effect, n := range h.world.Calls() {
		if n > before[effect] {
			made[effect] = n - before[effect]
		}
	}
	return made
}

// states are the states of the targets, in one word each.
func states(r ddns.Round) (words []string) {
	for _, o := range r.Outcomes {
		words = append(words, string(o.State))
	}
	return words
}

// codes are the conditions that stand, as "code name".
func codes(r ddns.Round) (words []string) {
	for _, c := range r.Conditions {
		words = append(words, strings.TrimSpace(string(c.Code)+" "+c.Name))
	}
	return words
}

// want fails the test unless the round ended with the exit code and the states.
func (h *house) want(r ddns.Round, exit int, state ...ddns.TargetState) {
	h.t.Helper()
	if r.Exit() != exit || !slices.EqualFunc(r.Outcomes, state, func(o ddns.Outcome, s ddns.TargetState) bool { return o.State == s }) {
		for _, o := range r.Outcomes {
			h.t.Logf("%s %s: %s (%s)", o.Target.Key(), o.State, o.Why, o.Hint)
		}
		h.t.Fatalf("exit %d, states %v; want %d, %v", r.Exit(), states(r), exit, state)
	}
}

// doh resolves names as any machine would, by asking a resolver over HTTPS.
type doh struct{ world ddns.World }

func (d doh) Lookup(ctx context.Context, f ddns.Family, host string) ([]netip.Addr, error) {
	answer, err := nameserver.Client{World: d.world}.AskDoH(ctx, "https://cloudflare-dns.com/dns-query", host, f.RecordType())
	return answer.Addresses, err
}

// visitor asks the edge at the usual port.
type visitor struct{ cfclient.Edge }

func (v visitor) Look(ctx context.Context, url string, at netip.Addr) (ddns.EdgeAnswer, error) {
	return v.Edge.Look(ctx, url, netip.AddrPortFrom(at, 443))
}

// cellar is where old records are kept.
type cellar struct {
	mu   sync.Mutex
	full bool
	kept []ddns.Record
}

func (c *cellar) Ready() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.full {
		return errors.New("no space left on device")
	}
	return nil
}

func (c *cellar) Keep(records []ddns.Record) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.full {
		return "", errors.New("no space left on device")
	}
	c.kept = append(c.kept, records...)
	return "cellar", nil
}
