package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/sandbox"
	"github.com/google/go-cmp/cmp"
)

// removal is a fake Cloudflare with many hops, and a home that moves them.
type removal struct {
	testing.TB
	world *sandbox.Sandbox
	dir   string
}

func newRemoval(t testing.TB, plan string, names int) *removal {
	t.Helper()
	zone := sandbox.SeedZone{Name: "example.com", Plan: plan}
	for i := range names {
		zone.Records = append(zone.Records, sandbox.SeedRecord{Type: "CNAME", Name: fmt.Sprintf("n%05d.example.com", i), Content: "myhome.duckdns.org", Proxied: i%2 == 0, Comment: fmt.Sprintf("number %d", i)})
	}
	world, err := sandbox.Start(sandbox.Config{Zones: []sandbox.SeedZone{zone}, Token: scriptToken})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	r := &removal{TB: t, world: world, dir: t.TempDir()}
	info := world.Info()
	info.CA = filepath.Join(r.dir, "ca.pem")
	// Proving is not what is tested here, and the edge would be asked for each name.
	text := string(info.Configuration()) + fmt.Sprintf("verify: 0s\nstate: %q\ncontrol: %q\n", filepath.Join(r.dir, "state"), filepath.Join(r.dir, "s"))
	for path, content := range map[string]string{info.CA: string(world.PEM()), r.config(): text} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *removal) config() string { return filepath.Join(r.dir, "c.yaml") }

func (r *removal) command(args ...string) *exec.Cmd {
	cmd := exec.Command("cfddns", append(args, "--config", r.config())...)
	cmd.Env = []string{"HOME=" + r.dir, "PATH=" + os.Getenv("PATH")}
	return cmd
}

// run runs a command to its end, which must have one of the exit codes.
func (r *removal) run(codes []int, args ...string) string {
	r.Helper()
	cmd := r.command(args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	_ = cmd.Run() // the code tells
	if !slices.Contains(codes, cmd.ProcessState.ExitCode()) {
		r.Fatalf("%v ended with %d: %.3000s", args, cmd.ProcessState.ExitCode(), &said)
	}
	return said.String()
}

// fields are the records of the world, field by field.
func (r *removal) fields() []string {
	r.Helper()
	answer, err := http.Get(r.world.Info().Control + "/world")
	if err != nil {
		r.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		r.Fatal(err)
	}
	return fieldByField(string(body))
}

// kept are the names that the configuration keeps.
func (r *removal) kept() int {
	r.Helper()
	cfg, _, err := configs.Load(r.config(), nil)
	if err != nil {
		r.Fatal(err)
	}
	return len(cfg.Records) - 1 // home.example.com was there before
}

// A migration that is killed at any instants ends right when it is run again:
// every name is an address with all that was set, and has its keeper. The way
// back, killed as well, ends where it all began.
func TestAMigrationSurvivesKills(t *testing.T) {
	names := 1000
	if testing.Short() {
		names = 100
	}
	r := newRemoval(t, "pro", names)
	before := r.fields()
	for cycle := range 3 {
		for range 2 {
			r.killed(cycle%2 == 0, "migrate", "--apply")
		}
		hops := strings.Count(strings.Join(r.fields(), "\n"), `"type":"CNAME"`)
		t.Logf("killed twice: %d of %d names are replaced, %d kept", names-hops, names, r.kept())
		r.run([]int{0, 5}, "migrate", "--apply") // 5: no daemon runs
		r.wantMoved(names)
		files, err := filepath.Glob(filepath.Join(r.dir, "state", "rollback-*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("rollback files %v, %v", files, err)
		}
		for _, file := range slices.Backward(files) {
			r.killed(cycle%2 == 0, "migrate", "--rollback", file)
			r.run([]int{0}, "migrate", "--rollback", file)
		}
		if diff := cmp.Diff(before, r.fields()); diff != "" {
			t.Fatalf("before and after the way back (-before +after):\n%.2000s", diff)
		}
		if n := r.kept(); n != 0 {
			t.Fatalf("%d names are still kept", n)
		}
		for _, file := range files {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// wantMoved fails unless every name is an address with all that was set, and kept.
func (r *removal) wantMoved(names int) {
	r.Helper()
	for _, line := range r.fields() {
		if !strings.Contains(line, `"type":"A"`) || !strings.Contains(line, `"content":"45.67.89.10"`) || !strings.Contains(line, `"comment":"number`) {
			r.Fatalf("a record became %s", line)
		}
	}
	if n := r.kept(); n != names {
		r.Fatalf("%d of %d names are kept", n, names)
	}
}

// killed starts a command, and kills it at a random instant: at any, or around
// the first write, where it matters most.
func (r *removal) killed(writing bool, args ...string) {
	r.Helper()
	batches := r.world.Calls()["batch"]
	cmd := r.command(args...)
	if err := cmd.Start(); err != nil {
		r.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }() // ends with the program
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	runs := true
	for runs && writing && r.world.Calls()["batch"] == batches {
		select {
		case <-look.C:
		case <-ended:
			runs = false
		}
	}
	most := map[bool]time.Duration{true: 150 * time.Millisecond, false: 400 * time.Millisecond}[writing]
	select {
	case <-time.After(time.Duration(rand.Int64N(int64(most)))):
	case <-ended:
	}
	_ = cmd.Process.Kill() // it may have ended
	<-ended
}

// Ten thousand names: how many calls, and how long.
func BenchmarkMigrate10000(b *testing.B) {
	const names = 10000
	for b.Loop() {
		r := newRemoval(b, "enterprise", names)
		began := time.Now()
		said := r.run([]int{5}, "migrate", "--apply", "--output", "json")
		b.ReportMetric(time.Since(began).Seconds(), "s/migration")
		var report migrateReport
		if err := json.Unmarshal([]byte(said), &report); err != nil {
			b.Fatal(err)
		}
		calls := 0
		for _, n := range r.world.Calls() {
			calls += n
		}
		b.ReportMetric(float64(calls), "calls")
		if n := r.kept(); n != names || len(report.Names) != names {
			b.Fatalf("%d kept, %d reported", n, len(report.Names))
		}
	}
}
