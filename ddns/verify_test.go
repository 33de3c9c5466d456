package ddns_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
	"github.com/google/go-cmp/cmp"
)

// proofs spells what the world was seen to show, one proof a line.
func proofs(r ddns.Round) (lines []string) {
	for _, p := range r.Proofs {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", p.Target.Name, p.By, p.Outcome, p.Answer)))
	}
	return lines
}

// edgeSays answers every look the same, and counts them.
type edgeSays struct {
	answer ddns.EdgeAnswer
	err    error
	looks  int
}

func (e *edgeSays) Look(context.Context, string, netip.Addr) (ddns.EdgeAnswer, error) {
	e.looks++
	return e.answer, e.err
}

// overheard counts the questions to resolvers about names of the zone.
type overheard struct {
	ddns.Nameservers
	mu        sync.Mutex
	names     []string
	resolvers int
}

func (o *overheard) Ask(ctx context.Context, server, name, recordType string) (ddns.Answer, error) {
	o.mu.Lock()
	o.names = append(o.names, name)
	o.mu.Unlock()
	return o.Nameservers.Ask(ctx, server, name, recordType)
}

func (o *overheard) AskDoH(ctx context.Context, url, name, recordType string) (ddns.Answer, error) {
	o.mu.Lock()
	if name != "myhome.duckdns.org" { // where a CNAME leads is asked of the world too
		o.resolvers++
	}
	o.mu.Unlock()
	return o.Nameservers.AskDoH(ctx, url, name, recordType)
}

// interceptor is a server that answers without authority, as a resolver does
// to which a line leads all of port 53.
const interceptor = "8.8.8.8:53"

func TestProof(t *testing.T) {
	open := sandbox.SeedRecord{Type: "A", Name: "home.example.com", Content: "45.67.89.10"}
	behind := sandbox.SeedRecord{Type: "A", Name: "home.example.com", Content: "45.67.89.10", Proxied: true}
	edge := func(status, code int, more ...func(*ddns.EdgeAnswer)) func(*house) {
		e := &edgeSays{answer: ddns.EdgeAnswer{Status: status, CloudflareError: code, Cloudflare: true}}
		for _, m := range more {
			m(&e.answer)
		}
		return func(h *house) { h.runner.Prover.Edge = e }
	}
	for _, tt := range []struct {
		name   string
		record sandbox.SeedRecord // Type "" is none: the name is created
		set    func(*house)
		want   []string
		why    string // is in the first proof's Why
		exit   int
	}{
		{name: "a public name is seen at the zone's nameservers", record: open, want: []string{"home.example.com nameserver seen 45.67.89.10"}},
		{name: "a new name is seen there", want: []string{"home.example.com nameserver seen 45.67.89.10"}},
		{name: "nameservers that say something else contradict", record: open, set: func(h *house) { h.world.AddFault(sandbox.Fault{On: "dns", Do: "lie", Value: stranger}) },
			want: []string{"home.example.com nameserver contradicted 45.67.70.1"}, why: "still answers 45.67.70.1 instead of 45.67.89.10", exit: ddns.ExitContradicted},
		{name: "a nameserver that is late is waited for", record: open, set: func(h *house) {
			h.world.AddFault(sandbox.Fault{On: "dns", Do: "lie", Value: stranger, Times: 3})
			h.runner.Prover.Patience = 5 * time.Second
		},
			want: []string{"home.example.com nameserver seen 45.67.89.10"}},
		{name: "nameservers that refuse could not be asked", record: open, set: func(h *house) { h.fault("dns", "refused", 0) },
			want: []string{"home.example.com nameserver unasked"}, why: "REFUSED"},
		{name: "nameservers that are silent could not be asked", record: open, set: func(h *house) { h.fault("dns", "hang", 0) },
			want: []string{"home.example.com nameserver unasked"}, why: "no answer"},
		{name: "one silent nameserver hinders nothing", record: open, set: func(h *house) { h.runner.Prover.Servers = []string{"45.67.1.1:53", "ada.ns.cloudflare.com:53"} },
			want: []string{"home.example.com nameserver seen 45.67.89.10"}},
		{name: "on a line that intercepts port 53 resolvers are asked over HTTPS, and that is said", record: open, set: func(h *house) { h.runner.Prover.Servers = []string{interceptor} },
			want: []string{"home.example.com resolver seen 45.67.89.10"}, why: "without authority: somebody on this line intercepts port 53"},
		{name: "what a resolver remembers from before contradicts nothing", record: open,
			set: func(h *house) {
				h.runner.Prover.Servers = []string{interceptor}
				h.world.AddFault(sandbox.Fault{On: "dns", Do: "lie", Value: stranger})
			}, want: []string{"home.example.com resolver unasked 45.67.70.1"}, why: "which may be remembered from before"},
		{name: "a new name is not asked of resolvers, which would remember that it is not there", set: func(h *house) { h.runner.Prover.Servers = []string{interceptor} },
			want: []string{"home.example.com nameserver unasked"}, why: "without authority"},
		{name: "a proxied name answers with the edge, which reaches the home", record: behind,
			want: []string{"home.example.com nameserver seen 104.21.16.1, 172.67.128.1", "home.example.com edge seen 200"}},
		{name: "a proxied name that answers the home's own address contradicts", record: behind, set: func(h *house) { h.world.AddFault(sandbox.Fault{On: "dns", Do: "lie", Value: "45.67.89.10"}) },
			want: []string{"home.example.com nameserver contradicted 45.67.89.10"}, why: "instead of the edge's", exit: ddns.ExitContradicted},
		{name: "530 with 1016 contradicts", record: behind, set: edge(530, 1016),
			want: []string{"home.example.com nameserver seen 104.21.16.1, 172.67.128.1", "home.example.com edge contradicted 530, error 1016"}, exit: ddns.ExitContradicted},
		{name: "522 is between the edge and the home", record: behind, set: func(h *house) { h.move(homeB) },
			want: []string{"home.example.com nameserver seen 104.21.16.1, 172.67.128.1", "home.example.com edge unasked 522"}},
		{name: "a challenge says nothing of the record", record: behind, set: func(h *house) { h.world.SetUnderAttack(true) },
			want: []string{"home.example.com nameserver seen 104.21.16.1, 172.67.128.1", "home.example.com edge unasked 403"}},
		{name: "a 403 of the home itself came through", record: behind, set: edge(403, 0),
			want: []string{"home.example.com nameserver seen 104.21.16.1, 172.67.128.1", "home.example.com edge seen 403"}},
		{name: "530 without a code of the record contradicts nothing", record: behind, set: edge(530, 530),
			want: []string{"home.example.com nameserver seen 104.21.16.1, 172.67.128.1", "home.example.com edge unasked 530"}},
		{name: "a page that did not come through Cloudflare says nothing", record: behind, set: edge(200, 0, func(e *ddns.EdgeAnswer) { e.Cloudflare = false }),
			want: []string{"home.example.com nameserver seen 104.21.16.1, 172.67.128.1", "home.example.com edge unasked 200"}},
		{name: "an edge that does not answer contradicts nothing", record: behind, set: func(h *house) { h.runner.Prover.Edge = &edgeSays{err: errors.New("connection refused")} },
			want: []string{"home.example.com nameserver seen 104.21.16.1, 172.67.128.1", "home.example.com edge unasked"}},
		{name: "with check: off the edge is not asked", record: behind, set: func(h *house) { h.runner.Targets[0].Check = "off" },
			want: []string{"home.example.com nameserver seen 104.21.16.1, 172.67.128.1"}},
		{name: "without patience nothing is asked", record: open, set: func(h *house) { h.runner.Prover.Patience = 0 }},
		{name: "a paused zone is not asked about", record: open, set: func(h *house) { h.runner.API = zoneAs{h.client, func(z *ddns.Zone) { z.Paused = true }} }},
		{name: "nor is one whose nameservers are not set yet", record: open, set: func(h *house) { h.runner.API = zoneAs{h.client, func(z *ddns.Zone) { z.Status = "pending" }} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var records []sandbox.SeedRecord
			if tt.record.Type != "" {
				records = append(records, tt.record)
			}
			h := newHouse(t, []ddns.Target{target("home.example.com", "A")}, records...)
			h.runner.Assume, h.runner.Prover.Patience = homeA, 2*time.Second
			if tt.set != nil {
				tt.set(h)
			}
			round := h.round()
			if diff := cmp.Diff(tt.want, proofs(round)); diff != "" {
				t.Errorf("proofs (-want +got):\n%s", diff)
			}
			if round.Exit() != tt.exit {
				t.Errorf("exit %d, want %d", round.Exit(), tt.exit)
			}
			if len(round.Proofs) > 0 && !strings.Contains(round.Proofs[0].Why, tt.why) {
				t.Errorf("why %q, want %q", round.Proofs[0].Why, tt.why)
			}
		})
	}
}

func TestANewNameIsNeverAskedOfAResolver(t *testing.T) {
	replaced := target("www.example.com", "A")
	replaced.ReplaceHop = true
	h := newHouse(t, []ddns.Target{target("home.example.com", "A"), replaced}, sandbox.SeedRecord{Type: "CNAME", Name: "www.example.com", Content: "myhome.duckdns.org"})
	heard := &overheard{Nameservers: h.runner.Prover.Nameservers}
	h.runner.Assume, h.runner.Prover.Patience = homeA, 2*time.Second
	h.runner.Prover.Nameservers, h.runner.Prover.Servers = heard, []string{interceptor}
	h.want(h.round(), ddns.ExitRight, ddns.Changed, ddns.Changed)
	if heard.resolvers != 0 {
		t.Errorf("%d questions to resolvers", heard.resolvers)
	}
	h.want(h.round(), ddns.ExitRight, ddns.Right, ddns.Right)
	if heard.resolvers != 2 || len(h.past.Unproved) != 0 {
		t.Errorf("later: %d questions to resolvers, unproved %v", heard.resolvers, h.past.Unproved)
	}
}

func TestAChallengeIsNotAskedForTwice(t *testing.T) {
	h := newHouse(t, []ddns.Target{target("home.example.com", "A")}, sandbox.SeedRecord{Type: "A", Name: "home.example.com", Content: oldHome, Proxied: true})
	e := &edgeSays{answer: ddns.EdgeAnswer{Status: 403, Challenge: true, Cloudflare: true}}
	h.runner.Assume, h.runner.Prover.Edge = homeA, e
	h.want(h.round(), ddns.ExitRight, ddns.Changed)
	if e.looks != 1 || len(h.past.Unproved) != 0 {
		t.Errorf("%d looks, unproved %v", e.looks, h.past.Unproved)
	}
}

func TestAWildcardIsAskedForByANameBelowIt(t *testing.T) {
	h := newHouse(t, []ddns.Target{target("*.example.com", "A")}, sandbox.SeedRecord{Type: "A", Name: "*.example.com", Content: oldHome, Proxied: true})
	heard := &overheard{Nameservers: h.runner.Prover.Nameservers}
	h.runner.Assume, h.runner.Prover.Nameservers = homeA, heard
	round := h.round()
	if diff := cmp.Diff([]string{"*.example.com nameserver seen 104.21.16.1, 172.67.128.1", "*.example.com edge seen 200"}, proofs(round)); diff != "" {
		t.Error(diff)
	}
	for _, name := range heard.names {
		if name != "cfddns-proof.example.com" {
			t.Errorf("asked for %s", name)
		}
	}
}

func TestPatienceEndsAndProvingGoesOnByItself(t *testing.T) {
	h := newHouse(t, []ddns.Target{target("home.example.com", "A"), target("www.example.com", "A")},
		sandbox.SeedRecord{Type: "A", Name: "home.example.com", Content: oldHome}, sandbox.SeedRecord{Type: "A", Name: "www.example.com", Content: "45.67.89.10"})
	h.runner.Assume, h.runner.Prover.Patience = homeA, time.Second
	h.world.AddFault(sandbox.Fault{On: "dns", Do: "lie", Value: stranger})
	began := time.Now()
	first := h.round()
	if took := time.Since(began); took < time.Second || took > time.Minute {
		t.Errorf("took %v", took)
	}
	h.want(first, ddns.ExitContradicted, ddns.Contradicted, ddns.Contradicted)
	if diff := cmp.Diff([]string{"contradicted home.example.com A", "contradicted www.example.com A"}, codes(first)); diff != "" {
		t.Error(diff)
	}
	h.world.ClearFaults()
	var again ddns.Round
	var past ddns.Past
	if made := h.calls(func() { again, past = h.runner.Prove(t.Context(), first, h.past) }); len(made) != 0 {
		t.Errorf("the proof made calls: %v", made)
	}
	h.want(again, ddns.ExitRight, ddns.Changed, ddns.Right)
	if len(again.Conditions) != 0 || len(past.Unproved) != 0 || !again.Again || first.Again {
		t.Errorf("conditions %v, unproved %v, again %v", codes(again), past.Unproved, again.Again)
	}
	if first.Outcomes[0].State != ddns.Contradicted {
		t.Error("the first round was changed")
	}
}

// zoneAs shows zones in another state than they are.
type zoneAs struct {
	ddns.API
	change func(*ddns.Zone)
}

func (z zoneAs) Zones(ctx context.Context) ([]ddns.Zone, error) {
	zones, err := z.API.Zones(ctx)
	for i := range zones {
		z.change(&zones[i])
	}
	return zones, err
}

// lateFor is a nameserver that shows some names wrongly for ever.
type lateFor string

func (l lateFor) Ask(ctx context.Context, server, name, _ string) (ddns.Answer, error) {
	answer := ddns.Answer{Server: server, Authoritative: true, Addresses: []netip.Addr{homeA}}
	if strings.HasPrefix(name, string(l)) {
		answer.Addresses = []netip.Addr{homeB}
	}
	timer := time.NewTimer(50 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return answer, nil
	case <-ctx.Done():
		return ddns.Answer{}, ctx.Err()
	}
}

func (l lateFor) AskDoH(context.Context, string, string, string) (ddns.Answer, error) {
	return ddns.Answer{}, errors.New("not asked")
}

func TestNamesThatAreLateDoNotKeepOthersFromBeingAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		targets, _ := many(40, "")
		targets = append(targets, target("zz.example.com", "A"))
		p := ddns.Prover{Nameservers: lateFor("n"), Servers: []string{"ns1:53"}, Patience: 10 * time.Second}
		began := time.Now()
		proofs := p.VerifyTargets(t.Context(), ddns.Zone{Name: "example.com"}, homeA, targets...)
		if took := time.Since(began); took > 12*time.Second {
			t.Errorf("took %v", took)
		}
		for _, proof := range proofs {
			want := ddns.ProofContradicted
			if proof.Target.Name == "zz.example.com" {
				want = ddns.ProofSeen
			}
			if proof.Outcome != want {
				t.Errorf("%s %s: %s", proof.Target.Name, proof.Outcome, proof.Why)
			}
		}
	})
}
