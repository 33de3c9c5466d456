//go:build linux

package lab

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/journal"
	"github.com/cfddns/cfddns/sandbox"
)

// The scenarios that kill the program at random instants, and look at what one
// more run makes of what it left.

// killings is how often each of them kills.
const killings = 16

// killAndMend kills a run at a random instant, killings times, and wants
// another run to put right whatever that left. Prepare makes the world in
// which there is something to write.
func killAndMend(l *lab, state string, prepare func()) {
	l.Helper()
	prepare()
	began := time.Now()
	l.once(0)
	whole := time.Since(began)
	written := 0 // how many were killed after the write had been sent
	for i := range killings {
		prepare()
		_, before := l.calls()
		p := l.start("once")
		if i%2 == 0 {
			p.killAfter(time.Duration(rand.Int64N(int64(whole))))
		} else { // around the write it matters most
			l.within(20*time.Second, "a write, or the end", func() bool { _, writes := l.calls(); return writes > before || !p.runs() })
			p.killAfter(time.Duration(rand.Int64N(int64(20 * time.Millisecond))))
		}
		if _, writes := l.calls(); writes > before {
			written++
		}
		if p := l.run(0, "once", "--output", "json"); p.stderr.String() != "" {
			l.Errorf("killed, and the next run says:\n%s", p.stderr)
		}
		l.wantHolds(labName, labHome)
		l.loads(state, labHome)
	}
	l.Logf("killed %d times within %s, %d of them after the write was sent", killings, whole.Round(time.Millisecond), written)
}

// killAfter lets a program run for a while, and kills it if it has not ended.
func (p *program) killAfter(d time.Duration) {
	select {
	case <-time.After(d):
	case <-p.ended:
	}
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// loads fails unless the state directory loads, and remembers the address.
func (l *lab) loads(state, address string) {
	l.Helper()
	j, err := journal.Open(state)
	must(l.T, err)
	m, note, err := j.Memory()
	if err != nil || note != "" || !strings.Contains(fmt.Sprint(m.Of(ddns.IPv4).Confirmed), address) {
		l.Fatalf("the state remembers %v, want %s; %q, %v", m.Of(ddns.IPv4).Confirmed, address, note, err)
	}
	if aside, _ := filepath.Glob(filepath.Join(state, "*.aside-*")); len(aside) > 0 {
		l.Fatalf("a state was broken and set aside: %v", aside)
	}
}

func killedCreating(t *testing.T) {
	l := newLab(t, sandbox.Config{})
	killAndMend(l, l.stateDir(), func() { l.clear(labName) })
}

func killedUpdating(t *testing.T) {
	l := newLab(t, zoneWith(sandbox.SeedRecord{Type: "A", Name: labName, Content: labOld, TTL: 300, Comment: "door"}))
	id := l.records(labName)[0]["id"]
	state := l.stateDir()
	killAndMend(l, state, func() {
		must(t, os.RemoveAll(state)) // or it were a contest
		l.edit(l.records(labName)[0], record{"content": labOld})
	})
	if r := l.records(labName)[0]; r["id"] != id || r["comment"] != "door" || r["ttl"] != 300.0 {
		l.Errorf("the record became %v", r)
	}
}

func killedReplacing(t *testing.T) {
	l := newLab(t, sandbox.Config{})
	l.configure(replaceHome)
	state := l.stateDir()
	killAndMend(l, state, func() {
		l.clear(labName)
		l.create(record{"type": "CNAME", "name": labName, "content": "myhome.duckdns.org", "proxied": true, "comment": "the way in"})
	})
	if r := l.records(labName)[0]; r["type"] != "A" || r["proxied"] != true || r["comment"] != "the way in" {
		l.Errorf("the record became %v", r)
	}
	if kept := l.rollback(state); len(kept) != 1 || kept[0].Type != "CNAME" {
		l.Errorf("the rollback file keeps %+v", kept)
	}
}
