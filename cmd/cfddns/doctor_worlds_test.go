package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns/doctor"
	"github.com/cfddns/cfddns/sandbox"
)

// A brokenWorld is a sandbox in which something is wrong, and what the doctor
// has to say about it.
type brokenWorld struct {
	name    string
	records []sandbox.SeedRecord // at www.example.com; nil: a proxied A record with the home's address
	token   string               // permissions; empty: all; "none": there is no token
	unkept  bool                 // the name is not in the configuration
	args    []string
	breaks  func(t *testing.T, s *sandbox.Sandbox)
	culprit doctor.Suspect // empty: nobody
	exit    int
	between []doctor.Suspect
}

const sickName = "www.example.com"

var (
	sickHome  = netip.MustParseAddr("45.67.89.10")
	sickOld   = "45.67.88.3"
	farClient = "46.4.100.4"
)

func recordA(content string, proxied bool) sandbox.SeedRecord {
	return sandbox.SeedRecord{Type: "A", Name: sickName, Content: content, Proxied: proxied, TTL: 60}
}

func recordCNAME(content string, proxied bool) sandbox.SeedRecord {
	return sandbox.SeedRecord{Type: "CNAME", Name: sickName, Content: content, Proxied: proxied, TTL: 60}
}

var (
	overDuck   = []sandbox.SeedRecord{recordCNAME("myhome.duckdns.org", true)}
	publicDuck = []sandbox.SeedRecord{recordCNAME("myhome.duckdns.org", false)}
	staleA     = []sandbox.SeedRecord{recordA(sickOld, true)}
	publicHome = []sandbox.SeedRecord{recordA(sickHome.String(), false)}
	publicOld  = []sandbox.SeedRecord{recordA(sickOld, false)}
)

// fault makes the sandbox misbehave.
func fault(faults ...sandbox.Fault) func(*testing.T, *sandbox.Sandbox) {
	return func(_ *testing.T, s *sandbox.Sandbox) {
		for _, f := range faults {
			s.AddFault(f)
		}
	}
}

// all breaks several things at once.
func all(breaks ...func(*testing.T, *sandbox.Sandbox)) func(*testing.T, *sandbox.Sandbox) {
	return func(t *testing.T, s *sandbox.Sandbox) {
		for _, b := range breaks {
			b(t, s)
		}
	}
}

func duckDown(_ *testing.T, s *sandbox.Sandbox)    { s.SetDuckDNS(false) }
func underAttack(_ *testing.T, s *sandbox.Sandbox) { s.SetUnderAttack(true) }
func noHairpin(_ *testing.T, s *sandbox.Sandbox)   { s.SetHairpin(false) }
func cgnat(_ *testing.T, s *sandbox.Sandbox)       { s.SetRouter(sandbox.RouterState{CGNAT: true}) }

// pages makes Cloudflare remember that some were served an hour ago.
func pages(t *testing.T, s *sandbox.Sandbox) {
	if err := s.AddMinute(sandbox.Minute{At: time.Now().Add(-time.Hour).Truncate(time.Minute), Host: sickName, Status: 200, Requests: 9}); err != nil {
		t.Error(err)
	}
}

func defended(d sandbox.Defences) func(*testing.T, *sandbox.Sandbox) {
	return func(t *testing.T, s *sandbox.Sandbox) {
		if err := s.SetDefences(d); err != nil {
			t.Error(err)
		}
	}
}

func edgeSays(code string, every int) func(*testing.T, *sandbox.Sandbox) {
	return fault(sandbox.Fault{On: "edge", Do: "error", Value: code, Every: every})
}

func origin(do string) func(*testing.T, *sandbox.Sandbox) {
	return fault(sandbox.Fault{On: "origin", Do: do})
}

func brokenWorlds() []brokenWorld {
	return slices.Concat(wellWorlds(), hopWorlds(), recordWorlds(), originWorlds(), edgeWorlds(), defenceWorlds(), halfBlindWorlds(), doublyBrokenWorlds())
}

func TestTheDoctorInBrokenWorlds(t *testing.T) {
	worlds := brokenWorlds()
	if len(worlds) < 60 {
		t.Errorf("only %d worlds", len(worlds))
	}
	reports := make([]doctorRun, len(worlds))
	slots := make(chan struct{}, 8)
	var running sync.WaitGroup
	for i, w := range worlds {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			reports[i] = w.run(t)
		})
	}
	running.Wait()
	for i, w := range worlds {
		t.Run(w.name, func(t *testing.T) {
			// On a busy machine answers are too late, and the doctor cannot tell. It
			// must not convict another for that.
			for again := 0; again < 3 && reports[i].exit == cannotTell && w.exit != cannotTell; again++ {
				reports[i] = w.run(t)
			}
			w.check(t, reports[i])
		})
	}
}

// doctorRun is what one run of the command came to.
type doctorRun struct {
	report doctorReport
	exit   int
	said   string
}

// cannotTell is how the command ends that convicts nobody and clears not all.
const cannotTell = 9

func (w brokenWorld) run(t *testing.T) (run doctorRun) {
	zone := sandbox.SeedZone{Name: "example.com", Records: w.records}
	if w.records == nil {
		zone.Records = []sandbox.SeedRecord{recordA(sickHome.String(), true)}
	}
	s, err := sandbox.Start(sandbox.Config{Zones: []sandbox.SeedZone{zone}, IPv4: sickHome, Listen: listen, ListenPacket: listenPacket})
	if err != nil {
		t.Error(err)
		return run
	}
	defer s.Close()
	if w.breaks != nil {
		w.breaks(t, s)
	}
	return w.examine(t, s)
}

// examine runs the real command in the world.
func (w brokenWorld) examine(t *testing.T, s *sandbox.Sandbox) (run doctorRun) {
	var out, problems bytes.Buffer
	a := &app{stdout: &out, stderr: &problems, clock: time.Now, network: s.World().(network), looksOver: 150 * time.Millisecond}
	dir := t.TempDir()
	text := fmt.Sprintf("control: %q\nip: {timeout: 2s}\n", filepath.Join(dir, "none.sock"))
	if !w.unkept {
		text += "records: [{name: " + sickName + "}]\n"
	}
	config := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Error(err)
	}
	if w.token != "none" {
		a.env = append(a.env, "CLOUDFLARE_API_TOKEN="+w.tokenIn(t, s))
	}
	root := a.root()
	root.SetArgs(append([]string{"doctor", sickName, "--config", config, "--output", "json"}, w.args...))
	err := root.ExecuteContext(t.Context())
	run.said = out.String() + problems.String()
	if coded, ok := errors.AsType[*exitError](err); ok {
		run.exit = coded.code
	} else if err != nil {
		t.Errorf("%s: %v", w.name, err)
	}
	if err := json.Unmarshal(out.Bytes(), &run.report); err != nil {
		t.Errorf("%s: %v: %s", w.name, err, run.said)
	}
	return run
}

func (w brokenWorld) check(t *testing.T, run doctorRun) {
	got := doctor.Suspect("")
	if run.report.Culprit != nil {
		got = run.report.Culprit.Suspect
	}
	if got != w.culprit || run.exit != w.exit {
		t.Errorf("culprit %q, exit %d; want %q, exit %d\n%s", got, run.exit, w.culprit, w.exit, summary(run.report))
	}
	for _, s := range w.between {
		if !slices.Contains(run.report.Between, s) {
			t.Errorf("it is between %v, want %s among them\n%s", run.report.Between, s, summary(run.report))
		}
	}
	if w.exit != 0 && (run.report.Mend == "" || run.report.Summary == "") {
		t.Errorf("what mends it is not said\n%s", summary(run.report))
	}
}

// summary is a report as a person would read it.
func summary(r doctorReport) string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%-12s %-10s %s\n", f.State, f.Suspect, f.Evidence)
	}
	return b.String() + r.Summary + "\n" + r.Mend
}

// tokenIn gives the sandbox's token what the world says, and returns it.
func (w brokenWorld) tokenIn(t *testing.T, s *sandbox.Sandbox) string {
	switch {
	case w.token == "disabled":
		ask(t, s, "/tokens", `{"status":"disabled"}`)
	case w.token != "":
		ask(t, s, "/tokens", `{"permissions":["`+strings.Join(strings.Fields(w.token), `","`)+`"]}`)
	}
	return s.Info().Token
}

// ask sends an order to the sandbox's control.
func ask(t *testing.T, s *sandbox.Sandbox, path, body string) {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Info().Control+path, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Error(err)
		return
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		said, _ := io.ReadAll(response.Body)
		t.Errorf("POST %s %s: %s %s", path, body, response.Status, said)
	}
}

// turnedAway makes Cloudflare remember that a client was, once a second.
func turnedAway(source, client string, times int) func(*testing.T, *sandbox.Sandbox) {
	return func(t *testing.T, s *sandbox.Sandbox) {
		for i := range times {
			if err := s.AddEvent(sandbox.Event{At: time.Now().Add(-time.Duration(i) * 500 * time.Millisecond), Action: "managed_challenge", Source: source,
				Client: netip.MustParseAddr(client), Host: sickName, Method: "GET", Path: "/"}); err != nil {
				t.Error(err)
			}
		}
	}
}
