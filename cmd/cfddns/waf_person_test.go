package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
)

// A hostOfScripts is a machine that calls a name in the zone example.com, and has
// no record of its own. It runs the commands in a world of the sandbox.
type hostOfScripts struct {
	*testing.T
	world  *sandbox.Sandbox
	config string
}

func newHostOfScripts(t *testing.T) hostOfScripts {
	t.Helper()
	world, err := sandbox.Start(sandbox.Config{Zones: []sandbox.SeedZone{{Name: "example.com", Records: []sandbox.SeedRecord{
		{Type: "A", Name: "api.example.com", Content: "45.67.90.1", Proxied: true}}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	config := filepath.Join(t.TempDir(), "c.yaml")
	text := "waf:\n  allow:\n    - {name: here, hosts: [api.example.com], address: self}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return hostOfScripts{t, world, config}
}

// run runs a command, and fails the test unless it ends with the code and says
// all of the words.
func (s hostOfScripts) run(code int, words []string, args ...string) string {
	s.Helper()
	var said bytes.Buffer
	a := &app{stdout: &said, stderr: &said, clock: time.Now, network: s.world.World().(network), env: []string{"CLOUDFLARE_API_TOKEN=" + s.world.Info().Token}}
	if got := cfddns(append(args, "--config", s.config), a); got != code {
		s.Fatalf("%v ended with %d, want %d:\n%s", args, got, code, said.String())
	}
	for _, w := range words {
		if !strings.Contains(said.String(), w) {
			s.Errorf("%v does not say %q:\n%s", args, w, said.String())
		}
	}
	return said.String()
}

func TestAScriptHostBehindCGNATIsToldToUseAHeader(t *testing.T) {
	s := newHostOfScripts(t)
	s.world.SetRouter(sandbox.RouterState{CGNAT: true})
	s.run(0, []string{"router: carrier", "192.168.1.1 names 100.64.1.2", "(CGNAT)"}, "ip")
	for _, args := range [][]string{{"waf", "allow", "here", "--host", "api.example.com", "--self"}, {"once"}} {
		s.run(ddns.ExitRefused, []string{"refused", "45.67.89.10 is shared with other customers of the provider (CGNAT)", "nothing was changed", "cfddns waf allow here --header"}, args...)
	}
	s.run(0, []string{"0 custom rules", "here is configured, and has no rule yet", "cfddns once --config " + s.config}, "waf", "status")
	s.run(0, []string{"whoever sends the right x-cfddns-way-in", "curl -sI -H 'x-cfddns-way-in: "}, "waf", "allow", "phone", "--host", "api.example.com", "--header")
	s.world.SetRouter(sandbox.RouterState{})
	s.run(0, []string{"changed", "lets in 45.67.89.10 → api.example.com"}, "once")
}

func TestTheRouterOfAHomeIsOneShortLine(t *testing.T) {
	s := newHostOfScripts(t)
	for name, tt := range map[string]struct {
		state sandbox.RouterState
		words string
	}{
		"it holds the address": {sandbox.RouterState{}, "\nrouter: single  "},
		"it is behind another": {sandbox.RouterState{DoubleNAT: true}, "\nrouter: double  "},
		"it keeps silent":      {sandbox.RouterState{Off: true}, "\nrouter: unknown  no answer from nat-pmp at 192.168.1.1, upnp at 192.168.1.1\n"},
		"it names no address":  {sandbox.RouterState{Empty: true}, "\nrouter: unknown  "},
	} {
		t.Run(name, func(t *testing.T) {
			s.world.SetRouter(tt.state)
			said := s.run(0, []string{tt.words}, "ip")
			_, line, _ := strings.Cut(said, "\nrouter: ")
			if line, _, _ = strings.Cut(line, "\n"); len(line) > 220 {
				t.Errorf("%d characters: %s", len(line), line)
			}
		})
	}
}

func TestUnderEveryFaultOneDocumentIsPrinted(t *testing.T) {
	s := newHostOfScripts(t)
	commands := [][]string{
		{"waf", "status"}, {"waf", "allow", "here", "--host", "api.example.com", "--self"}, {"waf", "revoke", "here"},
		{"under-attack", "status"}, {"under-attack", "on"}, {"under-attack", "off"},
	}
	for _, on := range []string{"zones", "rules", "settings", "analytics", "list"} {
		for _, do := range []string{"500", "429", "html", "drop", "done-but-500"} {
			for _, args := range commands {
				s.world.AddFault(sandbox.Fault{On: on, Do: do, Value: "1", Times: 1})
				var out, problems bytes.Buffer
				a := &app{stdout: &output{to: &out}, stderr: &problems, clock: time.Now, network: s.world.World().(network), env: []string{"CLOUDFLARE_API_TOKEN=" + s.world.Info().Token}}
				code := cfddns(append(args, "--output", "json", "--config", s.config), a)
				s.world.ClearFaults()
				decoder := json.NewDecoder(&out)
				var doc struct{ Exit *int }
				if err := decoder.Decode(&doc); err != nil || doc.Exit == nil || *doc.Exit != code || decoder.More() {
					t.Errorf("%s at %s: %v ended with %d, and printed %v (%v); %s", do, on, args, code, doc.Exit, err, problems.String())
				}
				if code != 0 && code != ddns.ExitUnreached {
					t.Errorf("%s at %s: %v ended with %d: %s", do, on, args, code, problems.String())
				}
			}
		}
	}
}
