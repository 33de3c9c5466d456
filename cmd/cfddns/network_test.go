package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/needs"
)

func listenOn(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	needs.Kernel(t, "listening at "+address, err) // some have no IPv6
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	return l
}

func TestTheInternetDialsTheFamilyThatIsAskedFor(t *testing.T) {
	n, err := newInternet("")
	if err != nil {
		t.Fatal(err)
	}
	l := listenOn(t, "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(l.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := n.Dial(ctx, "tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if conn, err := n.Dial(ctx, "tcp6", l.Addr().String()); err == nil {
		conn.Close()
		t.Error("an IPv4 address was dialled over tcp6")
	}
	if conn, err := n.From(netip.MustParseAddr("127.0.0.2")).Dial(ctx, "tcp4", l.Addr().String()); err != nil {
		t.Error(err)
	} else if conn.Close(); !strings.HasPrefix(conn.LocalAddr().String(), "127.0.0.2:") {
		t.Errorf("dialled from %s, want from 127.0.0.2", conn.LocalAddr())
	}
	conn, err = n.Dial(ctx, "tcp", "localhost:"+port)
	if err != nil {
		t.Errorf("localhost with both families: %v", err)
	} else {
		conn.Close()
	}
}

func TestADeadAddressDoesNotHoldUpTheNext(t *testing.T) {
	n, err := newInternet("")
	if err != nil {
		t.Fatal(err)
	}
	l := listenOn(t, "127.0.0.1:0")
	port := netip.MustParseAddrPort(l.Addr().String()).Port()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// Nobody listens on 127.0.0.3; it refuses at once, or, where packets are dropped, is overtaken.
	conn, err := n.race(ctx, "tcp", []netip.Addr{netip.MustParseAddr("127.0.0.3"), netip.MustParseAddr("127.0.0.1")}, port)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if _, err := n.race(ctx, "tcp", []netip.Addr{netip.MustParseAddr("127.0.0.3")}, port); err == nil {
		t.Error("a connection to nobody")
	}
}

func TestASilentResolverIsReplacedAfterAMinute(t *testing.T) {
	r := &resolver{over: dohServers}
	if r.heard(false) {
		t.Error("replaced at the first silence")
	}
	r.silentSince = time.Now().Add(-resolverPatience)
	if !r.heard(false) {
		t.Error("not replaced after a minute of silence")
	}
	if r.heard(true); r.heard(false) {
		t.Error("replaced although it answered in between")
	}
	want := netip.MustParseAddr("45.67.89.1")
	r.doh = func(_ context.Context, s dohServer, f ddns.Family, host string) ([]netip.Addr, error) {
		if s.host == "cloudflare-dns.com" {
			return nil, errors.New("silent too")
		}
		return []netip.Addr{want}, nil
	}
	got, err := r.overHTTPS(t.Context(), []ddns.Family{ddns.IPv4}, "api.cloudflare.com", errors.New("no answer"))
	if err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("got %v, %v; want %v of the second resolver", got, err, want)
	}
}

func TestRootsThatAreNoneAreRefused(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{empty, filepath.Join(dir, "missing.pem")} {
		if _, err := newInternet(path); err == nil || !strings.HasPrefix(err.Error(), "tls_roots: ") {
			t.Errorf("%s: %v, want an error about tls_roots", filepath.Base(path), err)
		}
	}
}

func TestTheRouterOfABoundAddressIsThatOfItsOwnLine(t *testing.T) {
	for where, address := range map[string]string{"loopback, by which no default route leads": "127.0.0.1", "no interface": "198.51.100.77"} {
		bound, err := (&internet{}).forSources(address)
		if err != nil {
			t.Fatal(err)
		}
		if gateway, err := bound.Gateway(); err == nil {
			t.Errorf("the address is on %s, and the router of another line was found: %+v", where, gateway)
		}
	}
}

// A lookup that ran out of time says so, and never that somebody broke it off.
func TestALookupThatRunsOutOfTimeSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			ctx, stop := context.WithTimeout(t.Context(), time.Second)
			asking, done := untraced(ctx)
			<-asking.Done()
			if !errors.Is(asking.Err(), context.DeadlineExceeded) {
				t.Fatalf("it ended as %v", asking.Err())
			}
			done()
			stop()
		}
		ctx, stop := context.WithCancel(t.Context())
		asking, done := untraced(ctx)
		defer done()
		stop()
		<-asking.Done()
		if !errors.Is(asking.Err(), context.Canceled) {
			t.Errorf("what was broken off ended as %v", asking.Err())
		}
	})
}
