package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/files"
	"github.com/cfddns/cfddns/sandbox"
	"github.com/spf13/cobra"
)

func (a *app) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "See the whole story in a sandbox, in about ten seconds",
		Long: `Plays the story behind cfddns against a fake Cloudflare, a fake Duck DNS and
fake address services on loopback. cfddns itself is the real one: the daemon
with its ordinary configuration, over real sockets and verified TLS. Every line
is what the parts answered; nothing is written anywhere else.

Exit code 0 only if every step was seen to be so.`,
		Example: "  cfddns demo\n  cfddns demo --output json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context()) },
	}
}

// demoNames are the names of the story; all hop over one Duck DNS host.
var demoNames = []string{"www.example.com", "blog.example.com", "home.example.com"}

// The home's addresses in the story, before and after.
var (
	demoBefore = netip.MustParseAddr("45.67.89.10")
	demoAfter  = netip.MustParseAddr("45.67.90.77")
	demoLie    = "45.67.91.200"
)

// story is a demo under way: the fake world, the real daemon in it, and what
// was seen so far.
type story struct {
	app     *app
	world   *sandbox.Sandbox
	home    *app // the daemon's own app: its files, its network, its output
	dir     string
	log     *lineBuffer
	daemon  sync.WaitGroup
	stop    context.CancelFunc
	ended   error
	steps   []demoStep
	visitor *visitor
	script  *visitor
}

// demoStep is one thing that should happen, and what was seen.
type demoStep struct {
	Title  string `json:"title"`
	Want   string `json:"want"`
	Seen   string `json:"seen"`
	OK     bool   `json:"ok"`
	TookMS int64  `json:"took_ms"`
}

func (a *app) demo(ctx context.Context) error {
	s, err := a.newStory()
	if err != nil {
		return exit(ddns.ExitUnexpected, err)
	}
	defer s.close()
	err = s.play(ctx)
	if a.json() {
		if err := a.printJSON(map[string]any{"steps": s.steps, "ok": err == nil && s.allSeen()}); err != nil {
			return exit(ddns.ExitUnexpected, err)
		}
	} else {
		s.table()
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return exit(ddns.ExitUnexpected, err)
	case !s.allSeen():
		return exit(ddns.ExitUnexpected, errors.New("not every step was seen to be so; the lines above say which"))
	default:
		return nil
	}
}

// newStory makes the world and the home in it.
func (a *app) newStory() (*story, error) {
	zone := sandbox.SeedZone{Name: "example.com"}
	for _, name := range demoNames {
		zone.Records = append(zone.Records, sandbox.SeedRecord{Type: "CNAME", Name: name, Content: "myhome.duckdns.org", Proxied: true})
	}
	world, err := sandbox.Start(sandbox.Config{Zones: []sandbox.SeedZone{zone}, IPv4: demoBefore, Listen: listen, ListenPacket: listenPacket})
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "cfddns-demo-")
	if err != nil {
		world.Close()
		return nil, err
	}
	s := &story{app: a, world: world, dir: dir, log: &lineBuffer{}, visitor: newVisitor(world.World())}
	out, ok := world.World().(network)
	if !ok {
		return nil, errors.Join(errors.New("the sandbox's world resolves no names"), s.remove())
	}
	s.home = &app{stdout: io.Discard, stderr: s.log, clock: a.clock, network: out, output: "text",
		configFile: filepath.Join(dir, "cfddns.yaml"), env: []string{"CLOUDFLARE_API_TOKEN=" + world.Info().Token}}
	return s, nil
}

// close ends the daemon and the world, and leaves nothing behind.
func (s *story) close() {
	if s.stop != nil {
		s.stop()
	}
	s.daemon.Wait()
	_ = s.remove()
}

func (s *story) remove() error {
	s.world.Close()
	return os.RemoveAll(s.dir)
}

// configure writes the home's configuration: the defaults, the names, and
// whether their CNAMEs may be replaced.
func (s *story) configure(onCNAME string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "state: %q\ncontrol: %q\nrecords:\n", filepath.Join(s.dir, "state"), filepath.Join(s.dir, "control.sock"))
	for _, name := range demoNames {
		fmt.Fprintf(&b, "  - {name: %s, on_cname: %s}\n", name, onCNAME)
	}
	return files.Write(s.home.configFile, []byte(b.String()), 0o600)
}

// start starts the daemon, as `cfddns run` does.
func (s *story) start(ctx context.Context) {
	ctx, s.stop = context.WithCancel(ctx)
	s.daemon.Go(func() { s.ended = s.home.run(ctx) })
}

// reload makes the daemon read its configuration again, as `kill -HUP` does.
func (s *story) reload() error { return syscall.Kill(os.Getpid(), syscall.SIGHUP) }

// poke asks the daemon for a round, as a router's hook does.
func (s *story) poke(ctx context.Context) error {
	var done map[string]bool
	return s.home.ask(ctx, "POST", "/poke", &done)
}

// round waits for the daemon's next round after the given number of them, and
// returns it.
func (s *story) round(ctx context.Context, after int) (StatusReport, error) {
	var status StatusReport
	stop := s.app.progress("the daemon works on a round")
	err := eventually(ctx, func() bool {
		status = StatusReport{}
		return s.home.ask(ctx, "GET", "/status", &status) == nil && status.Rounds > after && !status.Running
	})
	stop()
	if err != nil {
		return status, fmt.Errorf("the daemon made no round in time: %w; it said: %s", err, s.log.text())
	}
	return status, nil
}

// eventually looks until it is so, for at most storyPatience.
func eventually(ctx context.Context, so func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, storyPatience)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !so() {
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// storyPatience is how long a step may take.
const storyPatience = 20 * time.Second

// lineBuffer collects what the daemon logs.
type lineBuffer struct {
	mu  sync.Mutex // guards the following
	buf bytes.Buffer
}

// Write implements io.Writer.
func (b *lineBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lineBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
