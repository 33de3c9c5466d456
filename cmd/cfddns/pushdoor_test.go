package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A hinge is where the door of a test shall stand.
type hinge struct {
	door  *pushDoor
	place atomic.Value
}

// move moves the door.
func (h *hinge) move(place string) {
	h.place.Store(place)
	h.door.move()
}

// startDoor keeps a door open until the test ends.
func startDoor(t *testing.T, handler http.HandlerFunc, place string) (h *hinge, stop func()) {
	t.Helper()
	h = &hinge{}
	h.place.Store(place)
	h.door = newPushDoor(func() string { return h.place.Load().(string) }, handler, slog.New(slog.DiscardHandler))
	h.door.again = 10 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	var standing sync.WaitGroup
	standing.Go(func() { h.door.stand(ctx) })
	stop = func() {
		cancel()
		standing.Wait()
	}
	t.Cleanup(stop)
	return h, stop
}

// taken takes a port that is free.
func taken(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

// freePlace is a place where nobody listens.
func freePlace(t *testing.T) string {
	t.Helper()
	listener := taken(t)
	listener.Close()
	return listener.Addr().String()
}

// answers reports what a place answers, if anything.
func answers(place string) (string, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	response, err := client.Get("http://" + place)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// becomes waits until a place is open, or closed.
func becomes(t *testing.T, place string, open bool) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); <-look.C {
		if conn, err := net.Dial("tcp", place); (err == nil) == open {
			if err == nil {
				conn.Close()
			}
			return
		}
	}
	t.Fatalf("%s: want open %t", place, open)
}

func here(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "here") }

func TestTheDoorMovesWithAReload(t *testing.T) {
	first, second := freePlace(t), freePlace(t)
	h, stop := startDoor(t, here, first)
	becomes(t, first, true)
	if body, err := answers(first); body != "here" || err != nil {
		t.Errorf("got %q, %v", body, err)
	}
	h.move(first) // is no move
	if body, err := answers(first); body != "here" || err != nil {
		t.Errorf("got %q, %v", body, err)
	}
	h.move(second)
	becomes(t, second, true)
	becomes(t, first, false)
	h.move("")
	becomes(t, second, false)
	h.move(first)
	becomes(t, first, true)
	stop()
	becomes(t, first, false)
}

func TestAPlaceThatIsTakenIsOpenedWhenItIsFree(t *testing.T) {
	other := taken(t)
	startDoor(t, here, other.Addr().String())
	other.Close()
	becomes(t, other.Addr().String(), true)
	if body, err := answers(other.Addr().String()); body != "here" || err != nil {
		t.Errorf("got %q, %v", body, err)
	}
}

func TestAPlaceThatIsTakenCanBeGivenUp(t *testing.T) {
	other, free := taken(t), freePlace(t)
	h, _ := startDoor(t, here, other.Addr().String())
	h.move(free)
	becomes(t, free, true)
}

// Who waits for his round when the door closes is told so at once.
func TestWhoWaitsIsAnsweredWhenTheDoorCloses(t *testing.T) {
	place, entered := freePlace(t), make(chan struct{})
	_, stop := startDoor(t, func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		fmt.Fprint(w, pushTrouble)
	}, place)
	becomes(t, place, true)
	got := make(chan string, 1)
	go func() { // awaited below
		body, err := answers(place)
		got <- fmt.Sprint(body, err)
	}()
	<-entered
	stop()
	if answer := <-got; !strings.HasPrefix(answer, pushTrouble) {
		t.Errorf("got %q", answer)
	}
}

func TestTheDoorClosesThoughSomebodySaysNothing(t *testing.T) {
	place := freePlace(t)
	_, stop := startDoor(t, here, place)
	becomes(t, place, true)
	for range pushConnections + 1 {
		conn, err := net.Dial("tcp", place)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	stop()
	becomes(t, place, false)
}

func TestBodiesThatNeverComeHoldNobodyUp(t *testing.T) {
	place := freePlace(t)
	startDoor(t, here, place)
	becomes(t, place, true)
	for i := range pushConnections {
		conn, err := net.Dial("tcp", place)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		length := []string{"Content-Length: 10", "Expect: 100-continue\r\nContent-Length: 10", "Transfer-Encoding: chunked"}[i%3]
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", length)
	}
	if body, err := answers(place); body != "here" || err != nil {
		t.Errorf("behind those that do not end their request: %q, %v", body, err)
	}
}
