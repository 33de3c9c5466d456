package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns/doctor"
)

// The second half of the story: a script on another machine calls the home's
// API. It kept retrying while the names were down, somebody switched Under
// Attack mode on, and now the script is asked to be a browser.

// scriptAddress is where the script's host is, and scriptName what it calls.
var scriptAddress = netip.MustParseAddr("88.99.12.34")

const scriptName = "home.example.com"

// actScript: the names are right again, and the script is shut out.
func (s *story) actScript(ctx context.Context) error {
	s.say("")
	s.say("5. A script on another host, %s, calls https://%s/", scriptAddress, scriptName)
	s.say("   ten times a second, and went on while the names were down. Somebody")
	s.say("   switches Cloudflare's Under Attack mode on.")
	s.script = newVisitor(s.world.WorldFrom(scriptAddress))
	s.calls(ctx, "the script reaches the home", 200)
	s.world.SetUnderAttack(true)
	s.calls(ctx, "Under Attack: the script must be a browser", 403)
	return nil
}

// scriptTries is how often the script calls in a second.
const scriptTries = 10

// calls has the script call for a second; every call must end so.
func (s *story) calls(ctx context.Context, title string, status int) {
	began := time.Now()
	pause := time.NewTicker(time.Second / scriptTries)
	defer pause.Stop()
	n, last := 0, page{}
	for range scriptTries {
		if last = s.script.get(ctx, scriptName); last.status == status {
			n++
		}
		<-pause.C
	}
	s.say("     the script calls https://%s/ %d times in a second: %d", scriptName, scriptTries, last.status)
	words := func(n int) string { return fmt.Sprintf("%d of %d calls: %d", n, scriptTries, status) }
	s.step(title, words(scriptTries), began, words(n), n == scriptTries)
}

// actDoctor: the doctor clears the suspects one by one, and convicts.
func (s *story) actDoctor(ctx context.Context) error {
	s.say("")
	s.say("6. The owner asks who it is: cfddns doctor %s --client %s", scriptName, scriptAddress)
	began := time.Now()
	stop := s.app.progress("the doctor examines the suspects")
	out, err := s.command(ctx, "doctor", scriptName, "--client", scriptAddress.String(), "--output", "json")
	stop()
	var report doctorReport
	if err := errors.Join(json.Unmarshal(out, &report), ctx.Err()); err != nil {
		return fmt.Errorf("the doctor said nothing that can be read: %w", err)
	}
	s.sayAside(func(a *app) {
		a.sayFindings(report.Diagnosis)
		a.sayDiagnosis(report.Diagnosis)
	})
	convicted := "nobody"
	if report.Culprit != nil {
		convicted = string(report.Culprit.Suspect)
	}
	s.step("the doctor convicts", string(doctor.Security), began, convicted, convicted == string(doctor.Security) && codeOf(err) == doctor.ExitCulprit)
	return nil
}

// sayAside prints what another command of cfddns would, a little to the right.
func (s *story) sayAside(print func(*app)) {
	var out bytes.Buffer
	aside := *s.app
	aside.stdout = &output{to: &out, width: max(0, widthOf(s.app.stdout)-5)}
	print(&aside)
	for line := range strings.Lines(out.String()) {
		s.say("     %s", clean(strings.TrimRight(line, "\n")))
	}
}

// codeOf is the exit code that a command ended with.
func codeOf(err error) int {
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	return 0
}

// actWayIn: a way in for the script, and for nobody else.
func (s *story) actWayIn(ctx context.Context) error {
	s.say("")
	s.say("7. The owner lets the script in:")
	s.say("   cfddns waf allow script --host %s --address %s", scriptName, scriptAddress)
	began := time.Now()
	out, err := s.command(ctx, "waf", "allow", "script", "--host", scriptName, "--address", scriptAddress.String())
	s.sayAside(func(a *app) { sayf(a.stdout, "%s", clean(out)) })
	s.step("one rule is written, first, and read back", "done", began, seenOf(err), err == nil)
	s.calls(ctx, "the script reaches the home again", 200)
	began = time.Now()
	other := s.visitor.get(ctx, scriptName)
	s.say("     another machine that is no browser: %d", other.status)
	s.step("Under Attack still stands for all others", "403", began, other.short(), other.status == 403)
	return nil
}

// command runs another command of cfddns at the home, and returns what it printed.
func (s *story) command(ctx context.Context, args ...string) ([]byte, error) {
	var out bytes.Buffer
	home := *s.home
	home.stdout = &out
	home.env = append(slices.Clip(home.env), "CFDDNS_CONFIG="+s.home.configFile) // a place that commands need not name
	root := home.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	return out.Bytes(), err
}

func seenOf(err error) string {
	if err != nil {
		return err.Error()
	}
	return "done"
}
