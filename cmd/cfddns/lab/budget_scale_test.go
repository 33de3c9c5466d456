package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/cfddns/cfddns/needs"
	"github.com/cfddns/cfddns/sandbox"
)

// BenchmarkScale measures how the real, stripped program grows with the names
// it keeps, against a sandbox whose sources are 20 ms away and whose API 60 ms:
// `cfddns once` from all names wrong to all right, and a daemon whose home
// moves. All zones are on the Free plan, and Cloudflare's limit of calls holds.
//
//	go test -run '^$' -bench Scale ./cmd/cfddns/lab
func BenchmarkScale(b *testing.B) {
	needs.File(b, "/proc/self/status") // memory is read from there
	binary := filepath.Join(b.TempDir(), "cfddns")
	compile(b, binary, "-tags=nethttpomithttp2", "-gcflags=all=-l")
	var rows []scaleRow
	for _, size := range []struct{ names, zones int }{{10, 1}, {100, 10}, {1_000, 100}, {10_000, 100}} {
		rows = append(rows, measureScale(b, binary, size.names, size.zones))
	}
	printScale(rows)
	b.ReportMetric(0, "ns/op") // how long all of this took means nothing
}

// scaleRow is what one size took.
type scaleRow struct {
	names, zones         int
	once, change, steady scaleCost
}

// scaleCost is what one run, or one round, took.
type scaleCost struct {
	calls, refused int
	written, whole time.Duration // from the beginning to the answer to the last write, and to the end
	cpu            time.Duration // of the program
	peak           float64       // MiB of memory, at most
	bytes          int64         // to the API and back, headers estimated
}

// newScaleHome is a home whose names, all wrong, are spread over zones.
func newScaleHome(b *testing.B, binary string, names, zones int) *budgetHome {
	b.Helper()
	h := &budgetHome{b: b, binary: binary}
	seeds := make([]sandbox.SeedZone, zones)
	for i := range seeds {
		seeds[i].Name = fmt.Sprintf("zone%d.example", i)
	}
	for i := range names {
		zone := &seeds[i%zones]
		name := fmt.Sprintf("home%d.%s", i, zone.Name)
		h.names = append(h.names, name)
		zone.Records = append(zone.Records, sandbox.SeedRecord{Type: "A", Name: name, Content: budgetBefore.String(), TTL: 60})
	}
	var err error
	if h.world, err = sandbox.Start(sandbox.Config{Zones: seeds, IPv4: budgetWAN}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(h.world.Close)
	h.configure(b.TempDir())
	return h
}

// measureScale runs the program once, and then as a daemon whose home moves.
func measureScale(b *testing.B, binary string, names, zones int) scaleRow {
	row := scaleRow{names: names, zones: zones}
	row.once = newScaleHome(b, binary, names, zones).scaleOnce(zones)
	d := newScaleHome(b, binary, names, zones).run()
	row.change = d.scaleRound(func() { d.home.world.SetWAN(netip.MustParseAddr("45.67.90.1"), netip.Addr{}) }, zones)
	row.steady = d.scaleRound(func() {}, 0)
	d.end()
	return row
}

// scaleOnce is one run of `cfddns once`.
func (h *budgetHome) scaleOnce(writes int) (c scaleCost) {
	h.b.Helper()
	cmd, said := h.command("once")
	began := time.Now()
	if err := cmd.Start(); err != nil {
		h.b.Fatal(err)
	}
	c.written = h.written(writes).Sub(began)
	if err := cmd.Wait(); err != nil {
		h.b.Fatalf("cfddns once: %v\n%s", err, said.String())
	}
	c.whole, c.cpu = time.Since(began), cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()
	if used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		c.peak = float64(used.Maxrss) / 1024
	}
	c.calls, _ = h.calls()
	c.refused, c.bytes = refusedIn(said), h.api.bytes.Load()
	return c
}

// scaleRound is one round of a daemon after something happened.
func (d *budgetDaemon) scaleRound(happens func(), writes int) (c scaleCost) {
	h := d.home
	calls, written := h.calls()
	rounds, bytes, cpu := d.rounds(), h.api.bytes.Load(), d.cpu()
	happens()
	began := time.Now()
	d.poke()
	if writes > 0 {
		c.written = h.written(written + writes).Sub(began)
	}
	h.until(func() bool { return d.rounds() > rounds })
	c.whole, c.cpu, c.peak = time.Since(began), d.cpu()-cpu, d.memory("VmHWM")
	after, _ := h.calls()
	c.calls, c.refused, c.bytes = after-calls, refusedIn(d.said), h.api.bytes.Load()-bytes
	return c
}

// refusedIn counts the calls that Cloudflare refused for being too many, by what
// the program said.
func refusedIn(said *voice) int { return strings.Count(said.String(), "HTTP 429") }

// cpu is the processor time that the daemon has used. Linux counts it in
// hundredths of a second.
func (d *budgetDaemon) cpu() time.Duration {
	d.home.b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.cmd.Process.Pid))
	if err != nil {
		d.home.b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name may hold spaces
	var user, system time.Duration
	if _, err := fmt.Sscanf(rest, "%s"+strings.Repeat(" %s", 10)+" %d %d", scanned(11, &user, &system)...); err != nil {
		d.home.b.Fatal(err)
	}
	return (user + system) * 10 * time.Millisecond
}

// scanned skips some words and then scans two numbers.
func scanned(skip int, numbers ...any) []any {
	var into []any
	for range skip {
		into = append(into, new(string))
	}
	return append(into, numbers...)
}

func printScale(rows []scaleRow) {
	fmt.Println()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "names\tzones\twhat\tcalls\trefused\twritten\twhole\tCPU\tmemory, at most\tAPI bytes\tCPU a name\tbytes a name")
	for _, r := range rows {
		for _, what := range []struct {
			name string
			cost scaleCost
		}{{"once, all wrong", r.once}, {"the home moves", r.change}, {"nothing changed", r.steady}} {
			c := what.cost
			fmt.Fprintf(w, "%d\t%d\t%s\t%d\t%d\t%.2f s\t%.2f s\t%.2f s\t%.1f MiB\t%.1f kB\t%.0f µs\t%d\n", r.names, r.zones, what.name, c.calls, c.refused,
				c.written.Seconds(), c.whole.Seconds(), c.cpu.Seconds(), c.peak, float64(c.bytes)/1e3, float64(c.cpu.Microseconds())/float64(r.names), c.bytes/int64(r.names))
		}
	}
	w.Flush()
	first, last := rows[0], rows[len(rows)-1]
	grown := func(what string, from, to float64) {
		fmt.Printf("  %s: %.3g → %.3g, × %.3g\n", what, from, to, to/max(from, 1e-9))
	}
	fmt.Printf("from %d to %d names (× %d), once:\n", first.names, last.names, last.names/first.names)
	grown("calls", float64(first.once.calls), float64(last.once.calls))
	grown("CPU, s", first.once.cpu.Seconds(), last.once.cpu.Seconds())
	grown("written after, s", first.once.written.Seconds(), last.once.written.Seconds())
	grown("memory, MiB", first.once.peak, last.once.peak)
	grown("API, kB", float64(first.once.bytes)/1e3, float64(last.once.bytes)/1e3)
}
