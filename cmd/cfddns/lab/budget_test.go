package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/cfddns/cfddns/needs"
	"github.com/cfddns/cfddns/sandbox"
)

// BenchmarkBudget measures every budget of this version with the real, stripped
// program against a sandbox whose sources are 20 ms away and whose API 60 ms,
// and prints a table. It asserts nothing: a busy machine is slow, and a row that
// is over its budget says so.
//
//	go test -run '^$' -bench Budget ./cmd/cfddns/lab
func BenchmarkBudget(b *testing.B) {
	needs.File(b, "/proc/self/status") // memory is read from there
	t := &budgetTable{}
	binary := t.build(b)
	t.oneShot(b, binary)
	t.manyNames(b, binary)

	daemons := []*budgetDaemon{
		newBudgetHome(b, binary, budgetPlan{names: 10, seeded: true}).run(),
		newBudgetHome(b, binary, budgetPlan{plan: "enterprise", names: 10_000, seeded: true}).run(),
	}
	quiet := newBudgetHome(b, binary, budgetPlan{names: 10, seeded: true, env: scaledHour()}).run()
	for _, d := range daemons {
		d.pokeThrough()
		took := d.pokeThrough()
		t.add(fmt.Sprintf("a round that changes nothing, %d names", len(d.home.names)), 0, took.Seconds(), "s", "all sources asked, from the poke until it is logged")
	}
	rest, probed := time.NewTimer(time.Minute), daemons[0].home.echoBytes()
	perRound, api := t.quietHour(quiet)
	<-rest.C
	probed = daemons[0].home.echoBytes() - probed
	t.quietBytes(perRound, api, float64(probed))
	t.memory(daemons[0], daemons[1])
	t.change(daemons[0])
	t.ending(daemons[0], daemons[1])
	t.print()
	b.ReportMetric(0, "ns/op") // how long all of this took means nothing
}

// budgetTable is what was measured.
type budgetTable struct{ rows []string }

// add adds a row. A limit of zero is no budget: the number is for information.
func (t *budgetTable) add(what string, limit, measured float64, unit, how string) {
	budget, verdict := "-", ""
	if limit > 0 {
		budget = fmt.Sprintf("%g %s", limit, unit)
	}
	if limit > 0 && measured > limit {
		verdict = "  MISSED"
	}
	number := fmt.Sprintf("%.2f", measured)
	if measured == float64(int64(measured)) {
		number = fmt.Sprintf("%.0f", measured)
	}
	t.rows = append(t.rows, fmt.Sprintf("%s\t%s\t%s %s%s\t%s", what, budget, number, unit, verdict, how))
}

func (t *budgetTable) print() {
	fmt.Println()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tbudget, at most\tmeasured\thow")
	for _, row := range t.rows {
		fmt.Fprintln(w, row)
	}
	w.Flush()
}

// build makes the program as a release is made.
func (t *budgetTable) build(b *testing.B) string {
	dir := b.TempDir()
	binary, plain := filepath.Join(dir, "cfddns"), filepath.Join(dir, "plain")
	size, sizePlain := compile(b, binary, "-tags=nethttpomithttp2", "-gcflags=all=-l"), compile(b, plain)
	t.add("stripped binary", 14, float64(size)/1e6, "MB", fmt.Sprintf("%d bytes, %s/%s, as make build makes it", size, runtime.GOOS, runtime.GOARCH))
	t.add("  without those flags", 14, float64(sizePlain)/1e6, "MB", fmt.Sprintf("%d bytes, HTTP/2 is in it, and functions are inlined", sizePlain))
	return binary
}

// compile builds the program, stripped, and returns its size in bytes.
func compile(b *testing.B, binary string, flags ...string) int64 {
	args := append([]string{"build", "-trimpath", "-ldflags=-s -w", "-o", binary}, flags...)
	cmd := needs.Command(b, "go", append(args, programPackage)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, said)
	}
	info, err := os.Stat(binary)
	if err != nil {
		b.Fatal(err)
	}
	return info.Size()
}

// oneShot is `cfddns once` on a machine that knows nothing, for a name that
// does not exist yet.
func (t *budgetTable) oneShot(b *testing.B, binary string) {
	h := newBudgetHome(b, binary, budgetPlan{names: 1})
	written, whole := h.once(1)
	all, _ := h.calls()
	t.add("one-shot, cold, to created", 0.5, written.Seconds(), "s", "start of the process until the answer to the write is back")
	t.add("  the same until its end", 0, whole.Seconds(), "s", "with the proof, and the moment that late sources get")
	t.add("  its API calls", 3, float64(all), "calls", "zones, records, write")
}

// manyNames puts a zone full of wrong records right.
func (t *budgetTable) manyNames(b *testing.B, binary string) {
	pro := newBudgetHome(b, binary, budgetPlan{plan: "pro", names: 1000, seeded: true})
	written, whole := pro.once(1)
	all, writes := pro.calls()
	how := fmt.Sprintf("a Pro zone: %d write, and one reading of what still holds the old address; a Free plan would take 5", writes)
	t.add("1,000 names in one zone, calls", 8, float64(all), "calls", how)
	t.add("  written after", 0, written.Seconds(), "s", "cold")
	t.add("  the same until its end", 0, whole.Seconds(), "s", "with the proof of every name")
	free := newBudgetHome(b, binary, budgetPlan{names: 200, seeded: true})
	written, _ = free.once(1)
	all, writes = free.calls()
	t.add("200 names, all that a Free zone holds", 4, float64(all), "calls", fmt.Sprintf("cold: %d write of 200, one reading afterwards; written after %.2f s", writes, written.Seconds()))
}

// scaledHour is the default rhythm 60 times as fast: a round every 20 s instead
// of minutes, and the records read again every minute instead of hour. Probes
// are counted elsewhere.
func scaledHour() []string {
	return []string{"CFDDNS_SCHEDULE=@every 20s", "CFDDNS_CLOUDFLARE_RECHECK=1m", "CFDDNS_PROBE=0"}
}

// quietHour counts what a quiet daemon does between one reading of the records
// and the next: its calls, and the bytes of a round and of a reading.
func (t *budgetTable) quietHour(d *budgetDaemon) (perRound, api float64) {
	h := d.home
	calls, _ := h.calls()
	rounds, echo, before := d.rounds(), h.echoBytes(), h.api.bytes.Load()
	lists := h.world.Calls()["list"]
	h.until(func() bool { return h.world.Calls()["list"] > lists })
	h.until(func() bool { return d.rounds() > rounds })
	after, _ := h.calls()
	t.add("API calls in a quiet hour", 1, float64(after-calls), "calls", "the default rhythm, 60 times as fast: until the records were read again")
	return float64(h.echoBytes()-echo) / float64(d.rounds()-rounds), float64(h.api.bytes.Load() - before)
}

// quietBytes adds up a quiet hour from its parts.
func (t *budgetTable) quietBytes(perRound, api, probesAMinute float64) {
	t.add("bytes on the wire in a quiet hour, IPv4", 100, (3*perRound+api+60*probesAMinute)/1e3, "kB",
		fmt.Sprintf("3 rounds of %.1f kB, a reading of %.1f kB, probes of %.1f kB, headers estimated; real chains of certificates add 2 to 4 kB a connection", perRound/1e3, api/1e3, 60*probesAMinute/1e3))
}

// memory reads what quiet daemons take.
func (t *budgetTable) memory(small, large *budgetDaemon) {
	how := "quiet, three rounds and 60 s after the start; /proc/PID/status"
	t.add("memory, 10 names, RssAnon", 7, small.memory("RssAnon"), "MiB", how)
	t.add("  VmRSS", 16, small.memory("VmRSS"), "MiB", fmt.Sprintf("at most %.1f MiB since the start", small.memory("VmHWM")))
	t.add("memory, 10,000 names, VmRSS", 60, large.memory("VmRSS"), "MiB", fmt.Sprintf("after changing all of them; at most %.1f MiB, RssAnon %.1f MiB", large.memory("VmHWM"), large.memory("RssAnon")))
}

// change moves the home, and tells the daemon as a router's hook does.
func (t *budgetTable) change(d *budgetDaemon) {
	const moves = 3 // one more would be held for a while, as flapping
	var slowest time.Duration
	all, writes := d.home.calls()
	for i := range moves - 1 { // the first round was the first of them
		d.home.world.SetWAN(netip.AddrFrom4([4]byte{45, 67, 90, byte(i + 1)}), netip.Addr{})
		_, before := d.home.calls()
		rounds := d.rounds()
		began := time.Now()
		d.poke()
		slowest = max(slowest, d.home.written(before+1).Sub(began))
		d.home.until(func() bool { return d.rounds() > rounds })
	}
	allAfter, writesAfter := d.home.calls()
	t.add("a poke → 10 records changed", 0.5, slowest.Seconds(), "s", fmt.Sprintf("the slower of %d changes", moves-1))
	t.add("API calls for one change of address", 2, float64(allAfter-all)/(moves-1), "calls", fmt.Sprintf("10 names: %g write, one reading after it", float64(writesAfter-writes)/(moves-1)))
}

// ending ends a daemon that is quiet, and one whose write hangs.
func (t *budgetTable) ending(hanging, quiet *budgetDaemon) {
	t.add("SIGTERM to the end, quiet", 0, float64(quiet.end().Milliseconds()), "ms", "10,000 names")
	h := hanging.home
	h.world.AddFault(sandbox.Fault{On: "batch", Do: "hang"})
	h.world.SetWAN(netip.MustParseAddr("45.67.91.9"), netip.Addr{})
	_, before := h.calls()
	hanging.poke()
	h.written(before + 1)
	t.add("SIGTERM to the end, while a write hangs", 0, float64(hanging.end().Milliseconds()), "ms", "10 names")
}
