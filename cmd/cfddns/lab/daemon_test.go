//go:build linux

package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/journal"
	"github.com/cfddns/cfddns/sandbox"
)

// The scenarios of the daemon.

// labPromise is how soon after the end of an outage the records are right.
const labPromise = 30 * time.Second

// outageLasts is how long each outage takes.
const outageLasts = 8 * time.Second

// An outage begins while the daemon runs and all is right. Meanwhile the home
// moves, and somebody pokes the daemon.
type outage struct {
	name       string
	begin, end func(l *lab)
	mostCalls  int // that may reach the API while it lasts
}

func outages() []outage {
	well := func(l *lab) { l.world.ClearFaults() }
	fault := func(f string) func(*lab) { return func(l *lab) { l.fault(f) } }
	return []outage{
		{"the API answers 500", fault("api 500"), well, 6},
		{"the API answers 429 and asks for 6 s", fault("api 429 6"), well, 4},
		{"the API hangs", fault("api hang"), well, 4},
		{"nothing listens at the API", func(l *lab) { l.gate.stop("api.cloudflare.com") },
			func(l *lab) { l.gate.stand(services()[0]) }, 0},
		{"DNS is gone", dnsGone, func(l *lab) { l.gate.resolve(true) }, 0},
	}
}

// dnsGone waits until the program has noticed: what it read of the hosts file
// and of resolv.conf is good for five seconds.
func dnsGone(l *lab) {
	l.Helper()
	l.gate.resolve(false)
	l.during(6*time.Second, "the record is as it was", func() bool { return l.holds(labName, labHome) })
}

func (o outage) run(t *testing.T) {
	l := newLab(t, sandbox.Config{})
	d := l.daemon()
	o.begin(l)
	l.world.SetWAN(netip.MustParseAddr(labMoved), netip.Addr{})
	before, _ := l.calls()
	l.poke()
	l.during(outageLasts, "the daemon runs, and the record is as it was", func() bool { return d.runs() && l.holds(labName, labHome) })
	l.run(0, "healthcheck")
	after, _ := l.calls()
	o.end(l)
	took := l.within(labPromise, "the record is right", func() bool { return l.holds(labName, labMoved) })
	l.Logf("%s for %s: %d calls meanwhile, right %s after its end", o.name, outageLasts, after-before, took.Round(100*time.Millisecond))
	if after-before > o.mostCalls {
		l.Errorf("%d calls in %s are a storm; want %d at most", after-before, outageLasts, o.mostCalls)
	}
	l.within(labPromise, "the move is proved", func() bool { return l.proved() == 1 })
	d.signal(syscall.SIGTERM)
	if code, _ := d.wait(5 * time.Second); code != 0 {
		l.Errorf("ended with %d", code)
	}
}

func startedBeforeTheNetwork(t *testing.T) {
	l := newDarkLab(t, sandbox.Config{})
	d := l.start("run", "--log-level", "debug")
	l.within(20*time.Second, "the first round has ended", func() bool { return l.status().Rounds > 0 })
	l.during(12*time.Second, "it stays", d.runs)
	l.run(0, "healthcheck")
	l.gate.start()
	took := l.within(labPromise, "the record is right", func() bool { return l.holds(labName, labHome) })
	l.Logf("right %s after the network came", took.Round(100*time.Millisecond))
}

func tokenRefused(t *testing.T) {
	l := newLab(t, sandbox.Config{})
	l.control("/tokens", record{"status": "disabled"})
	d := l.start("run", "--log-level", "debug")
	told := func() bool {
		r := l.status().Round
		return r != nil && slices.ContainsFunc(r.Conditions, func(c ddns.Condition) bool { return c.Code == ddns.CodeToken })
	}
	l.within(20*time.Second, "it says that the token is refused", told)
	before, _ := l.calls()
	l.during(outageLasts, "it stays", d.runs)
	after, _ := l.calls()
	l.control("/tokens", record{"status": "active"})
	took := l.within(labPromise, "the record is right", func() bool { return l.holds(labName, labHome) })
	l.Logf("token refused for %s: %d calls meanwhile, right %s after its end", outageLasts, after-before, took.Round(100*time.Millisecond))
	if after-before > 6 {
		l.Errorf("%d calls in %s are a storm", after-before, outageLasts)
	}
}

func editedByHand(t *testing.T) {
	l := newLab(t, sandbox.Config{})
	l.set("CFDDNS_CLOUDFLARE_RECHECK", "1m")
	l.set("CFDDNS_SCHEDULE", "@every 10s")
	d := l.daemon()
	l.edit(l.records(labName)[0], record{"content": labOther})
	took := l.within(90*time.Second, "the record is put back", func() bool { return l.holds(labName, labHome) })
	l.Logf("rechecked every minute, put back after %s", took.Round(100*time.Millisecond))
	l.within(20*time.Second, "it says so", func() bool {
		return strings.Contains(d.stderr.String(), "somebody moved it to "+labOther) || strings.Contains(d.stderr.String(), labOther+" → "+labHome)
	})
}

// A write that hangs does not hold up the end of the program.
func endedInAWrite(t *testing.T) {
	for _, c := range []struct {
		command string
		code    int
	}{{"run", 0}, {"once", ddns.ExitSignal + int(syscall.SIGTERM)}} {
		t.Run(c.command, func(t *testing.T) {
			l := newLab(t, sandbox.Config{})
			l.stateDir()
			l.fault("batch hang", "create hang")
			p := l.start(c.command)
			l.within(20*time.Second, "a write is under way", func() bool { _, writes := l.calls(); return writes > 0 })
			p.signal(syscall.SIGTERM)
			code, took := p.wait(2 * time.Second)
			l.Logf("%s ended with %d, %s after the signal", c.command, code, took.Round(time.Millisecond))
			if code != c.code {
				l.Errorf("ended with %d, want %d", code, c.code)
			}
			l.world.ClearFaults()
			l.once(0)
			l.wantHolds(labName, labHome)
		})
	}
}

func fullDisk(t *testing.T) {
	l := newLab(t, sandbox.Config{})
	dir := l.stateDir()
	l.fill(dir)
	p := l.run(0, "once")
	l.wantHolds(labName, labHome)
	const full = "no space left on device"
	if !strings.Contains(p.stderr.String(), full) {
		l.Errorf("once does not say that nothing is remembered:\n%s", p.stderr)
	}
	d := l.daemon()
	l.within(20*time.Second, "it says at once that the disk is full", func() bool {
		return strings.Contains(d.stderr.String(), "what this round leaves could not be kept; the next one tries again")
	})
	l.world.SetWAN(netip.MustParseAddr(labMoved), netip.Addr{})
	l.poke()
	l.within(20*time.Second, "the record follows", func() bool { return l.holds(labName, labMoved) })
	l.within(20*time.Second, "it says that the disk is full", func() bool { return strings.Contains(d.stderr.String(), full) })
	must(t, os.Remove(filepath.Join(dir, "ballast")))
	l.run(0, "poke", "--wait")
	for _, c := range l.status().Round.Conditions {
		l.Errorf("there is room again, and the round that found it still says: %s %s", c.Code, c.Title)
	}
	l.within(20*time.Second, "what was confirmed is remembered", func() bool {
		j, err := journal.Open(dir)
		must(t, err)
		m, note, err := j.Memory()
		return err == nil && note == "" && strings.Contains(fmt.Sprint(m), labMoved)
	})
}
