package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/needs"
	"pgregory.net/rapid"
)

// by gives a push its sender.
func by(address string) func(*http.Request) {
	return func(r *http.Request) { r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(address), 4321).String() }
}

func guess(r *http.Request) { r.SetBasicAuth("cfddns", "a guess") }

const (
	router   = "192.168.1.1"
	attacker = "192.168.1.66"
)

func TestOneAddressDoesNotTakeTheTurnsOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &house{enter: make(chan struct{}), round: pushedRound("1", ddns.Right)}
		p := newTestPushes(h, slog.New(slog.DiscardHandler))
		var waiting sync.WaitGroup
		for i := range pushesAtOnce {
			sender := attacker
			if i >= pushesOfOne {
				sender = fmt.Sprintf("10.0.0.%d", i)
			}
			if i == pushesAtOnce-1 {
				if code, body := push(p, "", by(attacker)); code != http.StatusTooManyRequests || body != "911" {
					t.Errorf("one more of one address got %d %q", code, body)
				}
				sender = router
			}
			waiting.Go(func() {
				if code, body := push(p, "", by(sender)); code != 200 || !strings.HasPrefix(body, "nochg") {
					t.Errorf("%s got %d %q", sender, code, body)
				}
			})
			synctest.Wait()
		}
		if code, body := push(p, "", by("10.9.9.9")); code != http.StatusTooManyRequests || body != "911" {
			t.Errorf("one more of all got %d %q", code, body)
		}
		close(h.enter)
		waiting.Wait()
		if code, _ := push(p, "", by(attacker)); code != 200 {
			t.Errorf("got %d after all", code)
		}
	})
}

// 400 guessers ask again as soon as they are answered.
func TestGuessersSilenceNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestPushes(&house{round: pushedRound("1", ddns.Right)}, slog.New(slog.DiscardHandler))
		p.delay = wrongDelay
		end := make(chan struct{})
		var guessing sync.WaitGroup
		answered := make(chan struct{}, 1<<20)
		for range 400 {
			guessing.Go(func() {
				for {
					push(p, "", func(r *http.Request) { by(attacker)(r); guess(r) })
					answered <- struct{}{}
					select {
					case <-end:
						return
					default:
					}
				}
			})
		}
		time.Sleep(20 * time.Second) // of the bubble
		if n := len(answered); n > 21*guesses {
			t.Errorf("%d guesses in 20 s", n)
		}
		began := time.Now()
		if code, body := push(p, "", by(router)); code != 200 || time.Since(began) > 0 {
			t.Errorf("from another address: %d %q after %s", code, body, time.Since(began))
		}
		if code, body := push(p, "", by(attacker)); code != 200 || time.Since(began) > guessPatience {
			t.Errorf("from the same address: %d %q after %s", code, body, time.Since(began))
		}
		close(end)
		guessing.Wait()
	})
}

func TestTheSameTroubleIsLoggedOnceAndCounted(t *testing.T) {
	wrongWord := func(i int) string { return fmt.Sprintf("hostname=home.example.com&myip=word%d", i) }
	for _, row := range []struct {
		name  string
		query func(i int) string
		edit  func(*http.Request)
		lines int // in the first minute
	}{
		{"a sniffed password, and any name", func(i int) string { return fmt.Sprintf("hostname=n%d.example.com", i) }, nil, 1},
		{"a sniffed password, and any word for an address", wrongWord, nil, 2}, // and the answer
		{"a sniffed password, and any address", func(i int) string { return fmt.Sprintf("myip=45.67.%d.%d", i/250, i%250) }, nil, 1},
		{"guesses", wrongWord, guess, 1},
		{"pages", wrongWord, func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 1},
		{"other paths", wrongWord, func(r *http.Request) { r.URL.Path = "/update" }, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var said bytes.Buffer
				p := newTestPushes(&house{round: pushedRound("1", ddns.Refused)}, slog.New(slog.NewTextHandler(&said, nil)))
				some := func() {
					for i := range 1000 {
						push(p, row.query(i), row.edit)
					}
				}
				some()
				if n := strings.Count(said.String(), "\n"); n != row.lines {
					t.Errorf("%d lines, want %d:\n%.2000s", n, row.lines, said.String())
				}
				said.Reset()
				time.Sleep(sameQuiet)
				some()
				if n := strings.Count(said.String(), "more=999"); n != row.lines {
					t.Errorf("%d lines say how often, want %d:\n%.2000s", n, row.lines, said.String())
				}
			})
		})
	}
}

func TestManyStrangersAreRememberedInBoundedMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		p := newTestPushes(&house{round: pushedRound("1", ddns.Right)}, slog.New(slog.NewTextHandler(&said, nil)))
		for i := range 3 * pushersMost {
			push(p, "", func(r *http.Request) { by(fmt.Sprintf("10.0.%d.%d", i/250, i%250))(r); guess(r) })
		}
		if n := len(p.pushers.known); n > pushersMost+1 {
			t.Errorf("%d are remembered", n)
		}
		if n := strings.Count(said.String(), "\n"); n != sameOfAll {
			t.Errorf("%d lines", n)
		}
		if code, _ := push(p, "", by(router)); code != 200 {
			t.Errorf("the router got %d", code)
		}
		time.Sleep(2 * sameQuiet)
		said.Reset()
		for i := range pushersMost {
			push(p, "", func(r *http.Request) { by(fmt.Sprintf("10.1.%d.%d", i/250, i%250))(r); guess(r) })
		}
		if n := len(p.pushers.known); n > pushersMost || p.pushers.known[netip.MustParseAddr(router)] == nil {
			t.Errorf("%d are remembered after a while, the router: %v", n, p.pushers.known[netip.MustParseAddr(router)] != nil)
		}
		if want := fmt.Sprintf("more_of_others=%d", 3*pushersMost-sameOfAll); !strings.Contains(said.String(), want) {
			t.Errorf("want %s in\n%.500s", want, said.String())
		}
	})
}

// Those who hang up before they have their turn take none, so that a router
// that shares their address waits for its first turn as if they had not come.
func TestWhoHangsUpTakesNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestPushes(&house{round: pushedRound("1", ddns.Right)}, slog.New(slog.DiscardHandler))
		var guessing sync.WaitGroup
		for range 4000 {
			guessing.Go(func() {
				ctx, hangUp := context.WithCancel(t.Context())
				time.AfterFunc(50*time.Millisecond, hangUp)
				push(p, "", func(r *http.Request) { *r = *r.WithContext(ctx); by(router)(r); guess(r) })
			})
			time.Sleep(time.Millisecond)
		}
		guessing.Wait()
		began := time.Now()
		if code, body := push(p, "", by(router)); code != 200 || time.Since(began) > time.Second {
			t.Errorf("the first push: %d %q after %s", code, body, time.Since(began))
		}
	})
}

// An address that has pushed is not held up by guesses that seem to come from it.
func TestAnAddressThatPushedDoesNotWaitForGuesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestPushes(&house{round: pushedRound("1", ddns.Right)}, slog.New(slog.DiscardHandler))
		push(p, "", by(router))
		var guessing sync.WaitGroup
		for range 2000 {
			guessing.Go(func() { push(p, "", func(r *http.Request) { by(router)(r); guess(r) }) })
		}
		synctest.Wait()
		began := time.Now()
		if code, body := push(p, "", by(router)); code != 200 || time.Since(began) > 0 {
			t.Errorf("%d %q after %s", code, body, time.Since(began))
		}
		guessing.Wait()
	})
}

func TestThePathOfAPushMayHaveSlashesToSpare(t *testing.T) {
	for path, want := range map[string]int{"/nic/update": 200, "//nic/update": 200, "//nic//update/": 200, "/nic/../nic/update": 200,
		"/": 404, "": 404, "/nic": 404, "/nic/updates": 404, "/NIC/update": 404} {
		var said bytes.Buffer
		p := newTestPushes(&house{round: pushedRound("1", ddns.Right)}, slog.New(slog.NewTextHandler(&said, nil)))
		code, _ := push(p, "hostname=home.example.com", func(r *http.Request) { r.URL.Path = path })
		if code != want {
			t.Errorf("%q got %d, want %d", path, code, want)
		}
		if told := strings.Contains(said.String(), "right=/nic/update"); told != (want == 404) {
			t.Errorf("%q: the log says %s", path, said.String())
		}
	}
}

// aConn is a connection of which only the other end's address matters.
type aConn struct {
	net.Conn
	from net.Addr
}

func (a aConn) RemoteAddr() net.Addr { return a.from }
func (aConn) Close() error           { return nil }

// Of those who have most connections the one that came first goes, and one that
// pushes only if all of them do.
func TestWhoHasFewConnectionsIsNeverTheOneWhoHasToGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCrowd(nil)
		came := map[*guest]int{}
		arrive := func(who int) (g, out *guest) {
			g = &guest{Conn: aConn{}, crowd: c, who: netip.AddrFrom4([4]byte{10, 0, 0, byte(who)})}
			came[g] = len(came)
			return g, c.enter(g)
		}
		for range rapid.IntRange(pushConnections-20, pushConnections+200).Draw(t, "flood") {
			g, _ := arrive(rapid.IntRange(0, 3).Draw(t, "flooder"))
			g.let(rapid.Bool().Draw(t, "pushes"))
		}
		before := map[netip.Addr]int{}
		for who, n := range c.count {
			before[who] = n
		}
		g, out := arrive(rapid.IntRange(0, 5).Draw(t, "who comes"))
		if len(c.inside) > pushConnections {
			t.Fatalf("%d are inside", len(c.inside))
		}
		if out == nil {
			return
		}
		before[g.who]++
		for who, n := range before {
			if n > before[out.who] {
				t.Fatalf("%s had to go with %d, and %s has %d", out.who, before[out.who], who, n)
			}
		}
		for _, other := range c.inside {
			if before[other.who] == before[out.who] && !other.may && (out.may || came[other] < came[out]) {
				t.Fatalf("the one that came as number %d had to go, and number %d stays", came[out], came[other])
			}
		}
		for _, o := range append([]*guest{}, c.inside...) {
			if err := o.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if len(c.inside)+len(c.count) != 0 {
			t.Fatalf("left: %v %v", c.inside, c.count)
		}
	})
}

func TestOneDeviceIsOneStranger(t *testing.T) {
	for remote, want := range map[string]string{"192.168.1.66:1": "192.168.1.66", "[::ffff:192.168.1.66]:1": "192.168.1.66",
		"[2001:db8::1:2:3:4]:1": "2001:db8::", "[fe80::1%eth0]:1": "fe80::", "@": "invalid IP"} {
		if got := whoOf(remote).String(); got != want {
			t.Errorf("%s is %s, want %s", remote, got, want)
		}
	}
}

// TestThousandsOfHalfOpenConnectionsSilenceNobody floods the door over real
// sockets, from one address and from more than may be inside. A router whose push
// fails pushes again.
func TestThousandsOfHalfOpenConnectionsSilenceNobody(t *testing.T) {
	for name, most := range map[string]int{"one address": 1, "many addresses": 2000} {
		t.Run(name, func(t *testing.T) { flooded(t, most) })
	}
}

func flooded(t *testing.T, most int) {
	p := newTestPushes(&house{round: pushedRound("1", ddns.Right)}, slog.New(slog.DiscardHandler))
	place := freePlace(t)
	startDoor(t, p.ServeHTTP, place)
	becomes(t, place, true)
	flooder := func(n int) *net.Dialer {
		return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(n%most/200), byte(2+n%most%200))}}
	}
	first, err := flooder(0).DialContext(t.Context(), "tcp", place)
	needs.Kernel(t, "a second address of loopback", err)
	first.Close()
	end, full := make(chan struct{}), make(chan struct{}, 1)
	var flooding sync.WaitGroup
	for w := range 8 {
		own := func(n int) *net.Dialer { return flooder(8*n + w) }
		flooding.Go(func() { flood(t, own, place, full, end) })
	}
	<-full
	for from, local := range map[string]*net.Dialer{"another address": {}, "the same address": flooder(0)} {
		answered := false
		for range 10 {
			answered = answered || pushOver(t, local, place)
		}
		if !answered {
			t.Errorf("of ten pushes from %s none was answered", from)
		}
	}
	close(end)
	flooding.Wait()
}

// flood opens connections that ask nothing, or half of something, without end.
func flood(t *testing.T, from func(n int) *net.Dialer, place string, full chan<- struct{}, end <-chan struct{}) {
	const many = 500
	var open []net.Conn
	defer func() {
		for _, conn := range open {
			conn.Close()
		}
	}()
	for n := 0; ; n++ {
		select {
		case <-end:
			return
		default:
		}
		conn, err := from(n).DialContext(t.Context(), "tcp", place)
		if err != nil {
			continue
		}
		if n%2 == 0 {
			_, _ = io.WriteString(conn, "GET /nic/upd") // it may be closed already
		}
		if open = append(open, conn); len(open) > many {
			open[0].Close()
			open = open[1:]
			select {
			case full <- struct{}{}:
			default:
			}
		}
	}
}

// pushOver makes a push over a connection of its own; true if it was answered.
func pushOver(t *testing.T, from *net.Dialer, place string) bool {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+place+pushPath+"?hostname=home.example.com", nil)
	if err != nil {
		t.Error(err)
		return false
	}
	r.SetBasicAuth("cfddns", pushPassword)
	client := &http.Client{Transport: &http.Transport{DialContext: from.DialContext, DisableKeepAlives: true}, Timeout: 5 * time.Second}
	answer, err := client.Do(r)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}
