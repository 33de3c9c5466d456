//go:build linux

package lab

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// besideReportOf is what is shown of all that was measured.
type besideReportOf struct{ markdown, plot string }

// besideGroup are the changes that homes of one kind saw.
type besideGroup struct {
	run     besideRun // of the first
	seconds []float64 // until the record was right, sorted; a change that was never followed is missing
	lost    int
	calls   []float64
	trips   int64 // most
}

// label says what runs there, and what tells it of a change.
func (g besideGroup) label() string {
	words := g.run.Program + ", " + g.run.Setting
	if g.run.IPv6 {
		words += ", IPv6"
	}
	return words
}

func (g besideGroup) told() string {
	switch g.run.Way {
	case byKernel:
		if g.run.IPv6 {
			return "the kernel: a new prefix"
		}
		return "the kernel: it runs on the router"
	case byRouter:
		return "the router: NAT-PMP"
	case byPush:
		return "the router: a DynDNS 2 push"
	case byHook:
		return map[string]string{"cfddns": "a hook: `cfddns poke`", "inadyn": "a hook: SIGUSR2", "ddclient": "a hook: SIGHUP"}[g.run.Program]
	default:
		return "nothing"
	}
}

// besideGroups gathers homes of one kind, in their order.
func besideGroups(results []besideResult) (groups []*besideGroup) {
	at := map[besideRun]*besideGroup{}
	for _, r := range results {
		if r.Run.Way == quietHour {
			continue
		}
		kind := besideRun{Program: r.Run.Program, Setting: r.Run.Setting, Way: r.Run.Way, IPv6: r.Run.IPv6}
		g, ok := at[kind]
		if !ok {
			g = &besideGroup{run: kind}
			at[kind] = g
			groups = append(groups, g)
		}
		for _, c := range r.Changes {
			if c.Lost {
				g.lost++
				continue
			}
			g.seconds, g.calls, g.trips = append(g.seconds, c.After.Seconds()), append(g.calls, float64(c.Calls)), max(g.trips, c.Trips)
		}
	}
	for _, g := range groups {
		slices.Sort(g.seconds)
		slices.Sort(g.calls)
	}
	return groups
}

// besideTables draws up the tables and the plot.
func besideTables(results []besideResult, lasts time.Duration) besideReportOf {
	var s strings.Builder
	fmt.Fprintf(&s, "%s. Beside it inadyn %s and ddclient %s, as Debian ships them. Measured for %s.\n\n", theMachine(), versionIn(results, "inadyn"), versionIn(results, "ddclient"), lasts)
	groups := besideGroups(results)
	changeTable(&s, groups)
	quietTable(&s, results)
	for _, r := range results {
		if r.Trouble != "" {
			fmt.Fprintf(&s, "\nNot measured to the end: %s, %s, %s, copy %d: %s\n", r.Run.Program, r.Run.Setting, r.Run.Way, r.Run.Copy, r.Trouble)
		}
	}
	return besideReportOf{s.String(), timePlot(groups)}
}

func changeTable(s *strings.Builder, groups []*besideGroup) {
	s.WriteString("### From the change of the address to the right record\n\n" +
		"| program, setting | what tells it | changes | median, s | mean, s | least–most, s | API calls a change | round trips, most |\n|---|---|--:|--:|--:|--:|--:|--:|\n")
	for _, g := range groups {
		changes := fmt.Sprint(len(g.seconds) + g.lost)
		if g.lost > 0 {
			changes += fmt.Sprintf(", %d of them never followed", g.lost)
		}
		if len(g.seconds) == 0 {
			fmt.Fprintf(s, "| %s | %s | %s | – | – | – | – | – |\n", g.label(), g.told(), changes)
			continue
		}
		trips := "–"
		if g.run.Program == "cfddns" {
			trips = fmt.Sprint(g.trips)
		}
		fmt.Fprintf(s, "| %s | %s | %s | %s | %s | %s–%s | %.3g | %s |\n", g.label(), g.told(), changes, short(middle(g.seconds)), short(mean(g.seconds)),
			short(g.seconds[0]), short(g.seconds[len(g.seconds)-1]), middle(g.calls), trips)
	}
}

func quietTable(s *strings.Builder, results []besideResult) {
	s.WriteString("\n### A quiet hour\n\n" +
		"| program, setting | watched for | API calls/h | kB/h | packets/h | CPU, s/h | RssAnon, MiB | VmRSS, MiB | VmHWM, MiB |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, r := range results {
		q := r.Quiet
		if r.Run.Way != quietHour || q.Window == 0 {
			continue
		}
		hourly := func(n float64) float64 { return n * float64(time.Hour) / float64(q.Window) }
		fmt.Fprintf(s, "| %s, %s | %s | %.3g | %.0f | %.0f | %.2f | %.1f | %.1f | %.1f |\n", r.Run.Program, r.Run.Setting, q.Window.Round(time.Minute),
			hourly(float64(q.Calls)), hourly(float64(q.Bytes))/1e3, hourly(float64(q.Packets)), hourly(q.CPU.Seconds()),
			q.Memory["RssAnon"], q.Memory["VmRSS"], q.Memory["VmHWM"])
	}
}

// short is a number with three digits that count.
func short(n float64) string {
	if n >= 100 {
		return fmt.Sprintf("%.0f", n)
	}
	return fmt.Sprintf("%.3g", n)
}

// middle is the median of sorted values.
func middle(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func mean(values []float64) (sum float64) {
	for _, v := range values {
		sum += v / float64(len(values))
	}
	return sum
}

func versionIn(results []besideResult, program string) string {
	for _, r := range results {
		if r.Run.Program == program && r.Version != "" {
			return r.Version
		}
	}
	return "(not measured)"
}

// theMachine says on what and when it was measured.
func theMachine() string {
	kernel := "unknown"
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel = strings.TrimSpace(string(text))
	}
	memory := "?"
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) == nil {
		memory = fmt.Sprint(uint64(info.Totalram) * uint64(info.Unit) >> 30)
	}
	return fmt.Sprintf("%s: %d cores, %s GiB, %s/%s, Linux %s, %s", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), memory, runtime.GOOS, runtime.GOARCH, kernel, runtime.Version())
}

// splice puts text between two marks of a file, in the place of what is there.
func splice(b *testing.B, file, mark, text string) {
	b.Helper()
	old, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	begin, end := "<!-- "+mark+": begin -->\n", "<!-- "+mark+": end -->"
	before, rest, ok := strings.Cut(string(old), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		b.Fatalf("%s has no place for %s", file, mark)
	}
	if err := os.WriteFile(file, []byte(before+begin+text+end+after), 0o644); err != nil {
		b.Fatal(err)
	}
}
