//go:build linux

package lab

import (
	"net/netip"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/sandbox"
)

// A notice is one way to notice a change, alone: the schedule is hours away.
type notice struct {
	name, probe string
	change      func(l *lab, d *program)
	led         string // what the log says led to the round
}

func notices() []notice {
	move := func(l *lab) { l.world.SetWAN(netip.MustParseAddr(labMoved), netip.Addr{}) }
	return []notice{
		{"the kernel tells of an address", "0", func(l *lab, _ *program) {
			move(l)
			mustRun(l.T, "ip addr add "+labMoved+"/32 dev eth0")
		}, `trigger=event .* hint="the kernel: eth0 has ` + labMoved},
		{"the router is asked by NAT-PMP", "5s", func(l *lab, _ *program) {
			l.gate.stop("stun.l.google.com") // no probe gets through
			move(l)
		}, `hint="the router 192.168.1.1: ` + labMoved},
		{"a probe finds it", "5s", func(l *lab, _ *program) {
			l.gate.stop("192.168.1.1")
			move(l)
		}, `trigger=probe .* hint="the probe of google over ipv4: ` + labMoved},
		{"a signal", "0", func(l *lab, d *program) {
			move(l)
			d.signal(syscall.SIGUSR1)
		}, "trigger=signal"},
	}
}

func (n notice) run(t *testing.T) {
	l := newLab(t, zoneWith(sandbox.SeedRecord{Type: "A", Name: labName, Content: labOld, TTL: 300}))
	l.labRouter()
	l.set("CFDDNS_SCHEDULE", "@every 6h")
	l.set("CFDDNS_PROBE", n.probe)
	d := l.daemon()
	l.within(20*time.Second, "the router is watched", func() bool { return strings.Contains(d.stderr.String(), "the router is watched") })
	_, before := l.calls()
	n.change(l, d)
	took := l.within(30*time.Second, "the record follows", func() bool { return l.holds(labName, labMoved) })
	l.Logf("%s: the record holds the new address %s after the change", n.name, took.Round(time.Millisecond))
	if _, after := l.calls(); after != before+1 {
		l.Errorf("%d writes, want one", after-before)
	}
	led := regexp.MustCompile(n.led)
	l.within(20*time.Second, "it says what led to the round", func() bool { return led.MatchString(d.stderr.String()) })
}
