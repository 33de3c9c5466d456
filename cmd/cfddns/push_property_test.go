package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
)

// Whatever a router pushes, while the home moves and two of five operators say
// what was pushed, the record and every answer hold an address of the home.
// A loop follows a few hints in vain and then no more, so that several are tried.
func TestWhatIsPushedIsNeverPublished(t *testing.T) {
	for try := range 4 {
		t.Run(fmt.Sprintf("loop %d", try+1), pushAnything)
	}
}

func pushAnything(t *testing.T) {
	world, err := sandbox.Start(sandbox.Config{Token: scriptToken})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	p, loop := pushedLoop(t, world)
	handler := newPushes(func() pushing { return p }, loop, slog.New(slog.DiscardHandler))
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	homes := []string{"45.67.89.10", "45.67.90.77", "45.67.91.3"}
	for range 25 {
		if random.IntN(3) == 0 {
			world.SetWAN(netip.MustParseAddr(homes[random.IntN(len(homes))]), netip.Addr{})
		}
		pushed := fmt.Sprintf("45.66.1.%d", 1+random.IntN(4))
		world.ClearFaults()
		for _, echo := range []string{"amazon", "google", "identme"}[:random.IntN(3)] {
			world.AddFault(sandbox.Fault{On: "echo:" + echo, Do: "lie", Value: pushed})
		}
		code, body := push(handler, "hostname=home.example.com&myip="+pushed, nil)
		if _, address, _ := strings.Cut(body, " "); code != 200 || body != pushTrouble && !slices.Contains(homes, address) {
			t.Fatalf("%s: got %d %q", pushed, code, body)
		}
		if held := heldRecord(t, world); !slices.Contains(homes, held) {
			t.Fatalf("%s: the record holds %s", pushed, held)
		}
	}
}

// pushedLoop starts a loop that keeps home.example.com of a world, and returns
// when its first round has ended.
func pushedLoop(t *testing.T, world *sandbox.Sandbox) (pushing, *ddns.Loop) {
	t.Helper()
	dir := t.TempDir()
	info := world.Info()
	info.CA = filepath.Join(dir, "ca.pem")
	for file, content := range map[string][]byte{info.CA: world.PEM(), filepath.Join(dir, "c.yaml"): append(info.Configuration(), "probe: 0\nverify: 0s\n"...)} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := &app{stdout: io.Discard, stderr: io.Discard, clock: time.Now, configFile: filepath.Join(dir, "c.yaml")}
	cfg, err := a.load()
	if err != nil {
		t.Fatal(err)
	}
	p, err := a.wire(cfg)
	if err != nil {
		t.Fatal(err)
	}
	first := make(chan struct{})
	var once sync.Once
	loop := ddns.NewLoop(time.Now, func(ddns.Round, ddns.Past) { once.Do(func() { close(first) }) })
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { loop.Run(ctx, settingsOf(p), ddns.Past{}) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	<-first
	return pushing{user: "cfddns", password: ddns.NewSecret(pushPassword), targets: cfg.Targets()}, loop
}

// heldRecord is what home.example.com holds.
func heldRecord(t *testing.T, world *sandbox.Sandbox) string {
	t.Helper()
	response, err := http.Get(world.Info().Control + "/world")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`"content":\s*"(45\.[0-9.]+)"`).FindAllSubmatch(body, -1)
	if len(found) != 1 {
		t.Fatalf("want one record: %s", body)
	}
	return string(found[0][1])
}
