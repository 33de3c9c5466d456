//go:build linux

package lab

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/sandbox"
)

// The scenarios of two boxes that keep the same name: the firewall, which holds
// the address of the line, and the home server behind it. Nothing is configured
// between them. They agree because the truth is outside.

func boxScenarios() []scenario {
	return []scenario{
		{"two boxes, and the address moves again and again while they are killed", boxesKilled},
		{"two boxes leave by lines of their own and contest the name", boxesContest},
		{ownKernel + "a contest, hours of it", contestGrows},
		{"two boxes whose clocks are apart", boxesApartInTime},
		{"the power is cut right after a write", powerCutAfterAWrite},
		{"two boxes follow a move without flapping", boxesFollow},
		{"two boxes begin at once in an empty zone", boxesBegin},
		{"a daemon and cron share a state directory", boxesShareState},
	}
}

const (
	labLine  = "45.67.1.10" // what the line of the boxes begins with
	labLine2 = "45.68.1.10" // and their second line
)

// lineAfter is the address of the line after so many moves.
func lineAfter(moves int) string { return fmt.Sprintf("45.67.%d.10", 1+moves) }

// oldRecord is a zone in which the name holds an address that the home had.
func oldRecord() sandbox.Config {
	return zoneWith(sandbox.SeedRecord{Type: "A", Name: labName, Content: labOld, TTL: 60, Comment: "door"})
}

// twoBoxes is a firewall that holds the address, and a server behind it.
func twoBoxes(l *lab) (firewall *uplink, server *box) {
	l.Helper()
	firewall = l.uplink("firewall", labLine)
	return firewall, firewall.home("server")
}

func boxesFollow(t *testing.T) {
	l := newWideLab(t, oldRecord())
	firewall, server := twoBoxes(l)
	v := l.watch(labName)
	firewall.start("run", "--log-level", "debug")
	server.start("run", "--log-level", "debug")
	l.agree(20*time.Second, labLine, firewall.box, server)
	held := []string{labOld, labLine}
	for i := range 2 {
		calls, writes := l.calls()
		address := firewall.move(lineAfter(i + 1))
		took := l.within(20*time.Second, "the record follows", func() bool { return l.holds(labName, address) })
		l.agree(20*time.Second, address, firewall.box, server)
		callsAfter, writesAfter := l.calls()
		l.Logf("moved: the record is right after %s; both took %d calls, %d of them writes", took.Round(time.Millisecond), callsAfter-calls, writesAfter-writes)
		if writesAfter-writes > 2 || callsAfter-calls > 6 {
			t.Errorf("%d calls, %d writes for one move and two boxes", callsAfter-calls, writesAfter-writes)
		}
		held = append(held, address)
	}
	_, before := l.calls()
	l.during(3*time.Second, "nobody writes", func() bool { _, writes := l.calls(); return writes == before })
	v.end(held...)
	if r := l.records(labName)[0]; r["comment"] != "door" || r["ttl"] != 60.0 {
		t.Errorf("the record became %v", r)
	}
}

// Cloudflare refuses a second record of the same content, so that who comes
// second is refused, reads, and finds it right.
func boxesBegin(t *testing.T) {
	l := newWideLab(t, sandbox.Config{})
	firewall, server := twoBoxes(l)
	writes, starts := 0, 0
	// How often they meet is chance; that they never do in forty times is none.
	for ; starts < 8 || writes == starts && starts < 40; starts++ {
		l.clear(labName)
		_, before := l.calls()
		programs := []*program{firewall.start("once", "--output", "json"), server.start("once", "--output", "json")}
		for _, p := range programs {
			if code, _ := p.wait(20 * time.Second); code != 0 {
				t.Errorf("ended with %d:\n%s%s", code, p.stdout, p.stderr)
			}
		}
		l.wantHolds(labName, labLine)
		_, after := l.calls()
		writes += after - before
		for _, b := range []*box{firewall.box, server} {
			l.loads(b.state(), labLine)
		}
	}
	l.Logf("%d times at once: %d writes", starts, writes)
	if writes <= starts {
		t.Error("the two never met: this shows nothing")
	}
}

// boxesMoves makes it move that often; by itself it is as often as is quick.
const boxesMoves = "BOXES_MOVES"

// Beyond the third move within ten minutes each is said twice before it is
// written (ARCHITECTURE.md, damping).
func boxesKilled(t *testing.T) {
	moves := 5
	if n, err := strconv.Atoi(os.Getenv(boxesMoves)); err == nil {
		moves = n
	}
	l := newWideLab(t, oldRecord())
	firewall, server := twoBoxes(l)
	boxes := []*box{firewall.box, server}
	running := []*program{firewall.start("run", "--log-level", "debug"), server.start("run", "--log-level", "debug")}
	l.agree(20*time.Second, labLine, boxes...)
	v := l.watch(labName)
	held := []string{labLine}
	var worst time.Duration
	for i := range moves {
		_, before := l.calls()
		address := firewall.move(lineAfter(i + 1))
		began := time.Now()
		victim := i % 2
		if i%3 == 0 { // around the write it matters most
			l.within(30*time.Second, "a write", func() bool { _, writes := l.calls(); return writes > before })
			running[victim].killAfter(time.Duration(rand.Int64N(int64(20 * time.Millisecond))))
		} else {
			running[victim].killAfter(time.Duration(rand.Int64N(int64(time.Second))))
		}
		running[victim] = boxes[victim].start("run", "--log-level", "debug")
		l.within(30*time.Second, "the record follows", func() bool { return l.holds(labName, address) })
		worst = max(worst, time.Since(began))
		held = append(held, address)
	}
	l.agree(30*time.Second, lineAfter(moves), boxes...)
	v.end(held...)
	_, writes := l.calls()
	l.Logf("%d moves and kills: right after %s at the latest, %d writes", moves, worst.Round(time.Millisecond), writes)
	for i, b := range boxes {
		running[i].signal(syscall.SIGTERM)
		running[i].wait(5 * time.Second)
		l.loads(b.state(), lineAfter(moves))
	}
	if most := 3 * (moves + 1); writes > most {
		t.Errorf("%d writes, want %d at most", writes, most)
	}
}

// What cron's round and the daemon's leave is whole whenever anybody looks.
func boxesShareState(t *testing.T) {
	l := newWideLab(t, oldRecord())
	firewall, _ := twoBoxes(l)
	d := firewall.start("run", "--log-level", "debug")
	l.agree(20*time.Second, labLine, firewall.box)
	v := l.watch(labName)
	held := []string{labLine}
	for i := range 3 {
		address := firewall.move(lineAfter(i + 1))
		crons := []*program{firewall.start("once"), firewall.start("once")}
		for _, c := range crons {
			if code, _ := c.wait(20 * time.Second); code != 0 {
				t.Errorf("cron ended with %d:\n%s", code, c.stderr)
			}
			l.loads(firewall.state(), address)
		}
		l.agree(20*time.Second, address, firewall.box)
		l.loads(firewall.state(), address)
		held = append(held, address)
	}
	v.end(held...)
	if !d.runs() {
		t.Error("the daemon ended")
	}
}
