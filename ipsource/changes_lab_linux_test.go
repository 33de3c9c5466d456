package ipsource

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/needs"
)

// changing listens to the kernel while a test changes the network.
type changing struct {
	t     *testing.T
	hints chan ddns.Hint
}

func listening(t *testing.T, c Changes) changing {
	t.Helper()
	l := changing{t, make(chan ddns.Hint, 100)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Watch(ctx, func(h ddns.Hint) { l.hints <- h }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
	l.settle()
	return l
}

// settle waits until it is known to listen: a change that matters is heard.
func (l changing) settle() {
	l.t.Helper()
	for n := range 200 {
		address := fmt.Sprintf("192.168.77.%d", n+1)
		run(l.t, "ip addr add "+address+"/32 dev wan0")
		heard := l.within(100*time.Millisecond, "has "+address)
		run(l.t, "ip addr del "+address+"/32 dev wan0")
		if heard {
			l.within(20*time.Second, "lost "+address)
			return
		}
	}
	l.t.Fatal("the kernel is not heard")
}

// within passes over hints until one holds the words.
func (l changing) within(d time.Duration, words string) bool {
	over := time.After(d)
	for {
		select {
		case h := <-l.hints:
			if strings.Contains(h.Says, words) {
				return true
			}
		case <-over:
			return false
		}
	}
}

// hear waits for a hint whose words hold these.
func (l changing) hear(words string) ddns.Hint {
	l.t.Helper()
	select {
	case h := <-l.hints:
		if h.From != "the kernel" || h.Trigger != ddns.ByEvent || !strings.Contains(h.Says, words) {
			l.t.Fatalf("heard %+v, want %q", h, words)
		}
		return h
	case <-time.After(time.Minute):
		l.t.Fatalf("nothing was heard, want %q", words)
	}
	return ddns.Hint{}
}

// silent does something that must give no hint: the next hint is that of the
// address that is added after it.
func (l changing) silent(lines string) {
	l.t.Helper()
	run(l.t, lines)
	run(l.t, "ip addr add 192.168.78.1/32 dev wan0")
	l.hear("wan0 has 192.168.78.1")
	run(l.t, "ip addr del 192.168.78.1/32 dev wan0")
	l.hear("wan0 has lost 192.168.78.1")
}

func TestLabTheKernelTellsOfChanges(t *testing.T) {
	if !lab(t) {
		return
	}
	run(t, `ip link add wan0 type veth peer name isp0
		ip link set wan0 up
		ip link set isp0 up
		ip addr add 192.168.1.10/24 dev wan0
		ip route add default via 192.168.1.1`)
	routed := make(chan struct{}, 100)
	l := listening(t, Changes{Routed: func() { routed <- struct{}{} }})

	run(t, "ip addr add 45.67.89.10/32 dev wan0")
	began := time.Now() // just after the address was there
	if h := l.hear("wan0 has 45.67.89.10"); h.Address.String() != "45.67.89.10" || h.Witness || len(h.Gone) != 0 {
		t.Errorf("%+v", h)
	}
	t.Logf("heard %s after `ip addr add` had ended", time.Since(began).Round(time.Millisecond))
	run(t, "ip addr del 45.67.89.10/32 dev wan0")
	if h := l.hear("wan0 has lost 45.67.89.10"); len(h.Gone) != 1 || h.Gone[0].String() != "45.67.89.10" || h.Address.IsValid() {
		t.Errorf("%+v", h)
	}

	var noise strings.Builder
	for i := range 100 {
		fmt.Fprintf(&noise, "link add noise%[1]d type veth peer name other%[1]d\nlink set noise%[1]d up\naddr add 172.18.%[1]d.1/24 dev noise%[1]d\nlink del noise%[1]d\n", i)
	}
	ip(t, noise.String()) // containers come and go
	l.silent("ip link set isp0 up")

	run(t, "ip -6 addr add 2a01:4f8:1:2::10/64 dev wan0 nodad")
	run(t, "ip -6 route add default via fe80::1 dev wan0")
	heard := l.hear("2a01:4f8:1:2::10") // the two may come as one
	if !strings.Contains(heard.Says, "over ipv6") {
		l.hear("the default route over ipv6 leads through wan0")
	}
	l.silent("ip -6 addr change 2a01:4f8:1:2::10/64 dev wan0 valid_lft 7200 preferred_lft 3600") // as a router's advertisements do
	run(t, "ip -6 addr change 2a01:4f8:1:2::10/64 dev wan0 valid_lft 7200 preferred_lft 0")      // the prefix is withdrawn
	if h := l.hear("has lost 2a01:4f8:1:2::10"); len(h.Gone) != 1 || h.Gone[0] != netip.MustParseAddr("2a01:4f8:1:2::10") {
		t.Errorf("%+v", h)
	}
	for len(routed) > 0 {
		<-routed
	}
	run(t, "ip route replace default via 192.168.1.2")
	l.hear("the default route over ipv4 leads through wan0, by 192.168.1.2")
	if len(routed) != 1 {
		select {
		case <-routed:
		case <-time.After(time.Minute):
			t.Error("it was not told that the route leads elsewhere")
		}
	}
	run(t, "ip route del default")
	l.hear("no default route over ipv4 any more")
}

func TestLabAStormOfChangesIsSurvived(t *testing.T) {
	if !lab(t) {
		return
	}
	run(t, `ip link add wan0 type veth peer name isp0
		ip link set wan0 up
		ip link set isp0 up
		ip link add side0 type veth peer name side1
		ip link set side0 up
		ip addr add 192.168.1.10/24 dev wan0
		ip route add default via 192.168.1.1`)
	l := listening(t, Changes{})
	var batch strings.Builder
	for _, what := range []string{"add", "del"} {
		for i := range 5000 { // more than the socket holds
			fmt.Fprintf(&batch, "route %s 10.%d.%d.0/24 dev side0\n", what, i/250, i%250)
		}
	}
	before := cpuTime(t)
	ip(t, batch.String())
	t.Logf("10,000 messages took %s of processor time", cpuTime(t)-before)
	run(t, "ip addr add 45.67.89.10/32 dev wan0")
	l.hear("wan0 has 45.67.89.10")
}

func TestListeningToTheKernelEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	open := func() int {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	var before int
	for i := range 100 {
		if err := (Changes{}).Watch(ctx, func(ddns.Hint) {}); err != nil {
			t.Error(err)
		}
		if i == 0 {
			before = open() // the runtime has what it needs for waiting
		}
	}
	if after := open(); after > before {
		t.Errorf("%d files were open after the first, %d after 100", before, after)
	}
}

// cpuTime is what this process has used of the processors so far.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// ip runs many commands of ip at once.
func ip(t *testing.T, batch string) {
	t.Helper()
	cmd := needs.Command(t, "ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(batch)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ip -batch: %v\n%s", err, said)
	}
}
