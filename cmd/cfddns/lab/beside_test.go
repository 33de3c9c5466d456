//go:build linux

package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/needs"
	"github.com/cfddns/cfddns/sandbox"
)

// What the next benchmark reads from its environment.
const (
	// besideLasts is how long it runs, such as 1h; twelve minutes if it is not set.
	besideLasts = "BESIDE"
	// besideReport is a directory whose BENCHMARKS.md and docs/time-to-record.svg
	// are written anew; nothing is written if it is not set.
	besideReport = "REPORT"
	// besideHome tells a process inside the namespaces, as JSON, which home it is.
	besideHome = "CFDDNS_BENCH_HOME"
	// besideOnly is a program, a setting or a way, to which it is confined.
	besideOnly = "BESIDE_ONLY"
	// besideSay prints what the programs say, if it is set.
	besideSay = "BESIDE_SAY"
)

// How a program may learn that the home's address changed, and what a home that
// learns nothing measures.
type besideWay string

const (
	byNothing besideWay = "nothing"
	byKernel  besideWay = "kernel"
	byRouter  besideWay = "router"
	byHook    besideWay = "hook"
	byPush    besideWay = "push"
	quietHour besideWay = "quiet"
)

// besideRun is one home with one program.
type besideRun struct {
	Program string // cfddns, inadyn, ddclient
	Setting string // default, shortest
	Way     besideWay
	IPv6    bool
	Copy    int

	Binary string        // of cfddns
	Lasts  time.Duration // how long it is measured
	Result string        // the file to write it to
}

// besideRuns are all homes. A home has one change in five to ten minutes, so it
// takes several to see many.
func besideRuns() (all []besideRun) {
	add := func(copies int, r besideRun) {
		for r.Copy = range copies {
			all = append(all, r)
		}
	}
	add(8, besideRun{Program: "cfddns", Setting: "default", Way: byNothing})
	add(8, besideRun{Program: "cfddns", Setting: "default", Way: byNothing, IPv6: true})
	for _, setting := range []string{"default", "shortest"} {
		for _, program := range []string{"cfddns", "inadyn", "ddclient"} {
			add(1, besideRun{Program: program, Setting: setting, Way: quietHour})
			if setting == "shortest" || program != "cfddns" {
				add(5, besideRun{Program: program, Setting: setting, Way: byNothing})
			}
		}
	}
	add(4, besideRun{Program: "cfddns", Setting: "default", Way: byHook})
	add(4, besideRun{Program: "inadyn", Setting: "default", Way: byHook})
	add(4, besideRun{Program: "ddclient", Setting: "shortest", Way: byHook})
	add(4, besideRun{Program: "cfddns", Setting: "default", Way: byKernel})
	add(4, besideRun{Program: "cfddns", Setting: "default", Way: byKernel, IPv6: true})
	add(4, besideRun{Program: "cfddns", Setting: "default", Way: byRouter})
	add(4, besideRun{Program: "cfddns", Setting: "default", Way: byPush})
	return slices.DeleteFunc(all, func(r besideRun) bool {
		only := os.Getenv(besideOnly)
		return only != "" && only != r.Program && only != r.Setting && only != string(r.Way)
	})
}

// besideResult is what one home saw.
type besideResult struct {
	Run     besideRun
	Version string // of the program
	Changes []besideChange
	Quiet   besideQuiet // of a quiet home
	Trouble string      // why there is no more; "" if all went well
}

// BenchmarkBeside measures cfddns beside inadyn and ddclient as Debian ships
// them. Each home is a machine behind a real router, in network namespaces of
// its own, and a sandbox is its internet (beside_home_test.go). All of them run
// at the same time. It asserts nothing.
//
//	BESIDE=1h REPORT=../../.. go test -run '^$' -bench Beside -timeout 3h ./cmd/cfddns/lab
func BenchmarkBeside(b *testing.B) {
	if inside := os.Getenv(besideHome); inside != "" {
		var r besideRun
		if err := json.Unmarshal([]byte(inside), &r); err != nil {
			b.Fatal(err)
		}
		liveBeside(b, r)
		return
	}
	needs.Programs(b, "curl", "ddclient", "inadyn", "ip", "ip6tables", "iptables", "miniupnpd", "nsenter", "sysctl")
	place := needs.Namespaces(b, syscall.CLONE_NEWNET|syscall.CLONE_NEWNS|syscall.CLONE_NEWPID)
	lasts := 12 * time.Minute
	if text := os.Getenv(besideLasts); text != "" {
		var err error
		if lasts, err = time.ParseDuration(text); err != nil {
			b.Fatalf("%s: %v", besideLasts, err)
		}
	}
	binary := filepath.Join(b.TempDir(), "cfddns")
	compile(b, binary, "-tags=nethttpomithttp2", "-gcflags=all=-l")
	report := besideTables(measureBeside(b, place, binary, lasts), lasts)
	fmt.Printf("\n%s\n", report.markdown)
	if dir := os.Getenv(besideReport); dir != "" {
		splice(b, filepath.Join(dir, "BENCHMARKS.md"), "beside", report.markdown)
		plot := filepath.Join(dir, "docs", "time-to-record.svg")
		if err := os.MkdirAll(filepath.Dir(plot), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(plot, []byte(report.plot), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(0, "ns/op") // how long all of this took means nothing
}

// measureBeside runs all homes, and returns what they saw in the order of
// besideRuns. They do not all start at once: that would be a storm of its own.
func measureBeside(b *testing.B, place *syscall.SysProcAttr, binary string, lasts time.Duration) []besideResult {
	runs, dir := besideRuns(), b.TempDir()
	results := make([]besideResult, len(runs))
	var homes sync.WaitGroup
	for i, r := range runs {
		r.Binary, r.Lasts, r.Result = binary, lasts, filepath.Join(dir, fmt.Sprint(i))
		start := time.After(time.Duration(i) * 300 * time.Millisecond)
		homes.Go(func() {
			<-start
			results[i] = runBeside(b, place, r)
		})
	}
	homes.Wait()
	return results
}

// runBeside runs this test binary again, in new namespaces, for one home. The
// namespace of processes makes all of them end with it.
func runBeside(b *testing.B, place *syscall.SysProcAttr, r besideRun) besideResult {
	text, err := json.Marshal(r)
	if err != nil {
		return besideResult{Run: r, Trouble: err.Error()}
	}
	again := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkBeside$", "-test.benchtime=1x", "-test.timeout=0")
	again.Env = append(os.Environ(), besideHome+"="+string(text))
	again.SysProcAttr = place
	said, failed := again.CombinedOutput()
	result := besideResult{Run: r}
	if text, err = os.ReadFile(r.Result); err == nil {
		err = json.Unmarshal(text, &result)
	}
	if failed != nil || err != nil {
		result.Trouble = fmt.Sprintf("%v %v\n%s", failed, err, said)
	}
	return result
}

// liveBeside is one home, inside its namespaces.
func liveBeside(b *testing.B, r besideRun) {
	result := besideResult{Run: r}
	h := newBesideHome(b, r)
	var p *besideProgram
	p, result.Version = h.program()
	if r.Way == byRouter {
		h.announce()
	}
	p.start(h)
	h.wait("the first record to be right", func() bool { return h.right() })
	if r.Way == quietHour {
		result.Quiet = h.quiet(p)
	} else {
		result.Changes = h.changes(p)
	}
	select {
	case <-p.ended:
		result.Trouble = "it ended:\n" + p.said.String()
	default:
	}
	text, err := json.Marshal(result)
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(r.Result, text, 0o600); err != nil {
		b.Fatal(err)
	}
}

// besideZone is the zone of a home: its name, and the address it has.
func besideZone(ipv6 bool, content string) sandbox.SeedZone {
	kind := "A"
	if ipv6 {
		kind = "AAAA"
	}
	return sandbox.SeedZone{Name: "example.com", Records: []sandbox.SeedRecord{{Type: kind, Name: labName, Content: content, TTL: 60}}}
}
