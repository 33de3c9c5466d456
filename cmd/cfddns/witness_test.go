package main

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
)

// A homeBehindVPN is a home whose router sends all through a VPN, and a program
// that is run in it by hand.
type homeBehindVPN struct {
	t     *testing.T
	world *sandbox.Sandbox
	file  string
	state string
	ahead time.Duration
}

const (
	lineAt = "45.67.89.10"
	exitAt = "45.67.99.99"
)

// newHomeBehindVPN makes one whose two names, the first behind the proxy, are
// right and proved, and then switches the VPN on.
func newHomeBehindVPN(t *testing.T) *homeBehindVPN {
	t.Helper()
	s, err := sandbox.Start(sandbox.Config{
		Zones: []sandbox.SeedZone{{Name: "example.com", Records: []sandbox.SeedRecord{
			{Type: "A", Name: "www.example.com", Content: lineAt, Proxied: true},
			{Type: "A", Name: "ssh.example.com", Content: lineAt},
		}}},
		IPv4: netip.MustParseAddr(lineAt), Listen: listen, ListenPacket: listenPacket,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	h := &homeBehindVPN{t: t, world: s, file: filepath.Join(t.TempDir(), "c.yaml"), state: filepath.Join(t.TempDir(), "state")}
	h.configure(h.state)
	h.run(0, "once")
	for _, echo := range []string{"cloudflare", "amazon", "google", "akamai", "identme", "desec", "nsupdate", "ipify"} {
		s.AddFault(sandbox.Fault{On: "echo:" + echo, Do: "lie", Value: exitAt})
	}
	return h
}

func (h *homeBehindVPN) configure(state string) {
	h.t.Helper()
	text := "records: [{name: www.example.com}, {name: ssh.example.com}]\n" +
		"control: " + filepath.Join(h.t.TempDir(), "none") + "\n"
	if state != "" {
		text += "state: " + state + "\n"
	}
	if err := os.WriteFile(h.file, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// run runs a command, and returns all that it said.
func (h *homeBehindVPN) run(want int, args ...string) string {
	h.t.Helper()
	var said bytes.Buffer
	a := &app{
		stdout: &said, stderr: &said, terminal: true, network: h.world.World().(network),
		env:   []string{"CLOUDFLARE_API_TOKEN=" + h.world.Info().Token},
		clock: func() time.Time { return time.Now().Add(h.ahead) },
	}
	root := a.root()
	root.SetArgs(append(args, "--config", h.file))
	code := 0
	err := root.ExecuteContext(h.t.Context())
	if coded, ok := errors.AsType[*exitError](err); ok {
		code = coded.code
	}
	if code != want {
		h.t.Errorf("%s ended with %d (%v), want %d:\n%s", args[0], code, err, want, said.String())
	}
	return said.String()
}

func (h *homeBehindVPN) says(said string, words ...string) {
	h.t.Helper()
	for _, w := range words {
		if !strings.Contains(said, w) {
			h.t.Errorf("it does not say %q:\n%s", w, said)
		}
	}
}

func TestAVPNOnTheRouterIsTold(t *testing.T) {
	h := newHomeBehindVPN(t)
	h.says(h.run(ddns.ExitHeld, "once"), "held", "192.168.1.1 names "+lineAt+", and the world sees "+exitAt, "VPN")
	h.ahead = 30 * time.Second
	h.says(h.run(ddns.ExitPartly, "once"), "changed       ssh.example.com A  "+lineAt+" → "+exitAt,
		"held          www.example.com A: ", "visitors still reach this home at "+lineAt)
	h.ahead = time.Hour
	h.says(h.run(ddns.ExitPartly, "check"), "visitors still reach this home at "+lineAt)
	h.world.AddFault(sandbox.Fault{On: "origin", Do: "hang connect"})
	h.says(h.run(ddns.ExitRight, "once"), "changed       www.example.com A  "+lineAt+" → "+exitAt,
		"published all the same")
}

func TestWhatCannotRememberPublishesAndSaysSo(t *testing.T) {
	for name, forget := range map[string]func(*homeBehindVPN){
		"no state": func(h *homeBehindVPN) { h.configure("") },
		"a state that cannot be written": func(h *homeBehindVPN) {
			file := filepath.Join(h.state, "state.json")
			if err := errors.Join(os.Remove(file), os.Mkdir(file, 0o700)); err != nil {
				h.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHomeBehindVPN(t)
			forget(h)
			said := h.run(ddns.ExitRight, "once")
			h.says(said, "changed       ssh.example.com A  "+lineAt+" → "+exitAt, "changed       www.example.com A  ",
				"192.168.1.1 names "+lineAt+", and the world sees "+exitAt)
			if said := h.run(ddns.ExitRight, "once"); strings.Contains(said, "changed") {
				t.Errorf("and again:\n%s", said)
			}
		})
	}
}
