package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
)

// play plays the acts in order. An error is about the stage, not the story:
// what was not seen is in the steps.
func (s *story) play(ctx context.Context) error {
	acts := []func(context.Context) error{s.actBefore, s.actDark, s.actMend, s.actMove, s.actScript, s.actDoctor, s.actWayIn}
	for _, act := range acts {
		if err := act(ctx); err != nil {
			return err
		}
		if err := s.breathe(ctx); err != nil {
			return err
		}
	}
	return nil
}

// actBefore: all is well, over a hop.
func (s *story) actBefore(ctx context.Context) error {
	s.say("1. A home at %s. Its names are CNAMEs to a free DDNS host,", demoBefore)
	s.say("   behind Cloudflare's proxy.")
	for _, name := range demoNames {
		s.say("     %s  →  myhome.duckdns.org  →  %s", name, demoBefore)
	}
	s.visit(ctx, "visitors reach the home", 200, 0)
	if err := s.configure("refuse"); err != nil {
		return err
	}
	began := time.Now()
	s.start(ctx)
	status, err := s.round(ctx, 0)
	if err != nil {
		return err
	}
	s.say("   cfddns starts, with its ordinary configuration. It asks five operators")
	s.say("   and touches nothing yet:")
	s.sayFirst(*status.Round)
	codes := conditionCodes(*status.Round)
	s.step("cfddns touches no CNAME unasked", "cname", began, codes, codes == string(ddns.CodeCNAME))
	return nil
}

// actDark: the DDNS host goes dark.
func (s *story) actDark(ctx context.Context) error {
	s.say("")
	s.say("2. Duck DNS goes dark. Nothing else changed; the home is well.")
	s.world.SetDuckDNS(false)
	s.visit(ctx, "Duck DNS dark: visitors fail", 530, 1016)
	return nil
}

// actMend: cfddns takes the hop out, while two sources misbehave.
func (s *story) actMend(ctx context.Context) error {
	s.say("")
	s.say("3. The owner lets cfddns replace the CNAMEs (on_cname: replace), on a bad night:")
	s.say("   one address service lies (%s), and one shows a login page.", demoLie)
	s.world.AddFault(sandbox.Fault{On: "echo:amazon", Do: "lie", Value: demoLie})
	s.world.AddFault(sandbox.Fault{On: "echo:akamai", Do: "portal"})
	before, err := s.rounds(ctx)
	if err != nil {
		return err
	}
	if err := s.configure("replace"); err != nil {
		return err
	}
	began := time.Now()
	if err := s.reload(); err != nil {
		return err
	}
	status, err := s.round(ctx, before)
	if err != nil {
		return err
	}
	s.sayVoices(*status.Round)
	s.sayChanges(*status.Round)
	s.published("the names became A records, as agreed", began, status, demoBefore)
	s.visit(ctx, "Duck DNS still dark: visitors reach the home", 200, 0)
	s.world.ClearFaults()
	return nil
}

// actMove: the provider changes the address.
func (s *story) actMove(ctx context.Context) error {
	s.say("")
	s.say("4. The provider changes the address: %s → %s.", demoBefore, demoAfter)
	s.say("   Visitors fail until the records follow:")
	s.world.SetWAN(demoAfter, s.wan6())
	s.visit(ctx, "the old address is dead: visitors fail", 522, 522)
	before, err := s.rounds(ctx)
	if err != nil {
		return err
	}
	s.say("   The router's hook runs: cfddns poke")
	began := time.Now()
	if err := s.poke(ctx); err != nil {
		return err
	}
	status, err := s.round(ctx, before)
	if err != nil {
		return err
	}
	s.sayChanges(*status.Round)
	s.published("the records followed, in one API write", began, status, demoAfter)
	s.visit(ctx, "visitors reach the home again", 200, 0)
	return nil
}

// rounds is how many rounds the daemon has made, none being under way.
func (s *story) rounds(ctx context.Context) (int, error) {
	status, err := s.round(ctx, 0)
	return status.Rounds, err
}

// say prints a line of the story, unless a script listens.
func (s *story) say(format string, args ...any) {
	if !s.app.json() {
		sayf(s.app.stdout, format+"\n", args...)
	}
}

// breathe gives a person time to read.
func (s *story) breathe(ctx context.Context) error {
	if !s.app.terminal || s.app.json() {
		return ctx.Err()
	}
	pause := time.NewTimer(1500 * time.Millisecond)
	defer pause.Stop()
	select {
	case <-pause.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// step notes what was seen.
func (s *story) step(title, want string, began time.Time, seen string, ok bool) {
	s.steps = append(s.steps, demoStep{Title: title, Want: want, Seen: seen, OK: ok, TookMS: time.Since(began).Milliseconds()})
}

// published notes how many names were written and proved.
func (s *story) published(title string, began time.Time, status StatusReport, address netip.Addr) {
	words := func(confirmed, proved int) string { return fmt.Sprintf("%d confirmed, %d proved", confirmed, proved) }
	want, seen := words(len(demoNames), len(demoNames)), words(confirmed(*status.Round, address.String()), status.Proved)
	s.step(title, want, began, seen, seen == want)
}

func (s *story) allSeen() bool {
	for _, step := range s.steps {
		if !step.OK {
			return false
		}
	}
	return len(s.steps) > 0
}

// visit has a visitor fetch every name, until the wanted answer comes.
func (s *story) visit(ctx context.Context, title string, status, code int) {
	began := time.Now()
	var pages []page
	so := func() bool {
		pages = pages[:0]
		ok := true
		for _, name := range demoNames {
			p := s.visitor.get(ctx, name)
			pages = append(pages, p)
			ok = ok && p.status == status && (code == 0 || strings.Contains(p.body, fmt.Sprint(code)) || p.code == code)
		}
		return ok
	}
	stop := s.app.progress("visitors wait for an answer")
	err := eventually(ctx, so)
	stop()
	for i, p := range pages {
		s.say("     a visitor asks https://%s/: %s", demoNames[i], p)
	}
	want := fmt.Sprint(status)
	if code >= 1000 {
		want = fmt.Sprintf("%d, error %d", status, code)
	}
	seen := "no answer"
	if len(pages) > 0 {
		seen = pages[0].short()
	}
	s.step(title, want, began, seen, err == nil)
}

// sayFirst prints what the first round found.
func (s *story) sayFirst(r ddns.Report) {
	for _, v := range r.Verdicts {
		s.say("     %s: %s", v.State, v.Why)
	}
	for _, t := range r.Targets[:1] {
		s.say("     %s %s: %s", t.Name, t.State, t.Why)
	}
}

// sayVoices prints who said what.
func (s *story) sayVoices(r ddns.Report) {
	for _, v := range r.Verdicts {
		for _, o := range v.Observations {
			s.say("     %-10s  %s", o.Source, joinNonEmpty("", o.Address, o.Error))
		}
		s.say("     %s on %s: %s", v.State, v.Address, v.Why)
	}
}

// sayChanges prints what was written and proved.
func (s *story) sayChanges(r ddns.Report) {
	for _, c := range r.Changes {
		s.say("     %s %s: %s → %s %s, %s", c.Op, c.Name, c.Before.Content, c.After.Type, c.After.Content, c.Receipt)
	}
	for _, by := range []string{"nameserver", "resolver", "edge"} {
		var names, answers []string
		for _, p := range r.Proofs {
			if p.By == by && p.Outcome == ddns.ProofSeen {
				names, answers = append(names, p.Name), append(answers, p.Answer)
			}
		}
		if len(names) > 0 {
			slices.Sort(answers)
			s.say("     proof: the %s answers %s for %d names", by, strings.Join(slices.Compact(answers), " and "), len(names))
		}
	}
}

// confirmed counts the changes to an address that Cloudflare confirmed.
func confirmed(r ddns.Report, address string) (n int) {
	for _, c := range r.Changes {
		if c.Receipt == ddns.Confirmed && c.After != nil && c.After.Content == address {
			n++
		}
	}
	return n
}

func conditionCodes(r ddns.Report) string {
	var codes []string
	for _, c := range r.Conditions {
		codes = append(codes, string(c.Code))
	}
	slices.Sort(codes)
	return strings.Join(slices.Compact(codes), ", ")
}

// table prints what happened and how long it took.
func (s *story) table() {
	sayf(s.app.stdout, "\n")
	t := table{head: []string{"what happened", "seen", "took", ""}}
	for _, step := range s.steps {
		verdict := "✓"
		if !step.OK {
			verdict = "✗ wanted " + step.Want
		}
		t.add(step.Title, step.Seen, fmt.Sprintf("%d ms", step.TookMS), verdict)
	}
	sayTable(s.app.stdout, t)
}

// visitor is somebody out in the world with a browser.
type visitor struct{ client *http.Client }

func newVisitor(w ddns.World) *visitor { return &visitor{client: visitorClient(w)} }

// page is what a visitor gets.
type page struct {
	status int
	code   int // Cloudflare's error, 0 if the page is none
	body   string
	err    error
}

// String says what came, in one line.
func (p page) String() string {
	if p.err != nil {
		return p.err.Error()
	}
	first, _, _ := strings.Cut(p.body, "\n")
	return fmt.Sprintf("%d %s", p.status, first)
}

func (p page) short() string {
	if p.code >= 1000 {
		return fmt.Sprintf("%d, error %d", p.status, p.code)
	}
	if p.err != nil {
		return "no answer"
	}
	return fmt.Sprint(p.status)
}

// get fetches the front page of a name.
func (v *visitor) get(ctx context.Context, name string) page {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+name+"/", nil)
	if err != nil {
		return page{err: err}
	}
	response, err := v.client.Do(request)
	if err != nil {
		return page{err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	p := page{status: response.StatusCode, body: strings.TrimSpace(string(body)), err: err}
	_, _ = fmt.Sscanf(response.Header.Get("cf-error-type"), "%d", &p.code)
	return p
}

// visitorClient is a client that reaches a world as a visitor does, with a
// fresh connection for every page.
func visitorClient(w ddns.World) *http.Client {
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DialContext:       w.Dial,
		TLSClientConfig:   &tls.Config{RootCAs: w.Roots()},
		DisableKeepAlives: true,
	}}
}

func (s *story) wan6() netip.Addr {
	_, six := s.world.WAN()
	return six
}
