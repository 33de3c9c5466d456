package ipsource

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// watchOf is the watch as the program builds it.
func watchOf(every time.Duration) RouterWatch {
	return RouterWatch{Every: every, Router: Router{World: labNet, Gateway: func() (ddns.Gateway, error) { return DefaultGateway("") },
		Hops: labHops, Agent: "test"}}
}

func announcements(_ context.Context, through string) (net.PacketConn, error) {
	i, err := net.InterfaceByName(through)
	if err != nil {
		return nil, err
	}
	return net.ListenMulticastUDP("udp4", i, &net.UDPAddr{IP: net.IPv4(224, 0, 0, 1), Port: 5350})
}

// On the host network a router that announces is heard at once.
func TestLabARealRouterAnnouncesItsNewAddress(t *testing.T) {
	if !lab(t) {
		return
	}
	h := newLabHome(t)
	found, hints := make(chan netip.Addr, 10), make(chan ddns.Hint, 10)
	w := watchOf(time.Hour) // nothing is polled
	w.Announcements = announcements
	w.Found = func(router netip.Addr, _ bool) { found <- router }
	routed := make(chan struct{}, 1)
	w.Routed = routed
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { w.Watch(ctx, func(h ddns.Hint) { hints <- h }) })
	defer watching.Wait()
	defer cancel()
	for router := range found { // it may not have started yet
		if router == gateway4 {
			break
		}
		routed <- struct{}{}
	}
	began := time.Now()
	h.line("45.67.90.77/24", "45.67.90.1/24")
	select {
	case hint := <-hints:
		t.Logf("heard %s after the address was there", time.Since(began).Round(time.Millisecond))
		if hint.Address.String() != "45.67.90.77" || hint.From != "the router 192.168.1.1" || hint.Witness || hint.Says != "45.67.90.77" {
			t.Errorf("%+v", hint)
		}
	case <-time.After(2 * time.Minute):
		t.Error("nothing was heard")
	}
}

// watchHere makes the test binary watch from where it is started.
const watchHere = "CFDDNS_TEST_WATCH"

// Behind a bridge announcements are not heard, and the router is asked.
func TestLabAContainerAsksItsRouterAgainAndAgain(t *testing.T) {
	if os.Getenv(watchHere) != "" {
		w := watchOf(200 * time.Millisecond)
		w.Announcements = announcements
		w.Found = func(router netip.Addr, _ bool) { fmt.Println("watching", router) }
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		w.Watch(ctx, func(h ddns.Hint) { fmt.Println("heard", h.From, h.Says) })
		return
	}
	if !lab(t) {
		return
	}
	h := newLabHome(t)
	eventually(t, func() error { // until the router has started
		_, err := askNATPMP(within(t, time.Second), labNet, gateway4)
		return err
	})
	watch := h.box.inside("unshare", "--user", "--map-user=65534", "--map-group=65534", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	watch.Env = append(os.Environ(), watchHere+"=1")
	output, err := watch.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = watch.Process.Kill()
		_ = watch.Wait()
	}()
	lines := bufio.NewScanner(output)
	until := func(words string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), words) {
				return
			}
		}
		t.Fatalf("it ended without %q", words)
	}
	until("watching 192.168.1.1")
	h.line("45.67.90.77/24", "45.67.90.1/24")
	until("heard the router 192.168.1.1 45.67.90.77")
	h.line("", "")
	h.line("45.67.91.5/24", "45.67.91.1/24")
	until("heard the router 192.168.1.1 45.67.91.5")
}
