package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	// pushAgain is how soon a place that could not be opened is tried again: the
	// address may not be there yet, or another program still at its port.
	pushAgain = 5 * time.Second
	// headerPatience is how long a request may take to be sent: a few hundred bytes
	// of the home's network.
	headerPatience = time.Second
	// bodyPatience is how long the body of a request may take, which nobody wants.
	bodyPatience = time.Second
)

// pushDoor is where routers push. What cannot be opened now is no reason to
// end: it is said, and tried again.
type pushDoor struct {
	place   func() string // where it shall stand now; "" is nowhere
	handler http.Handler
	log     *slog.Logger
	again   time.Duration
	moved   chan struct{} // holds one if the place may be another
}

func newPushDoor(place func() string, handler http.Handler, log *slog.Logger) *pushDoor {
	return &pushDoor{place: place, handler: handler, log: log, again: pushAgain, moved: make(chan struct{}, 1)}
}

// move has the door look where it shall stand. It waits for nothing.
func (d *pushDoor) move() {
	select {
	case d.moved <- struct{}{}:
	default: // it will look anyway
	}
}

// stand keeps the door open until the context ends.
func (d *pushDoor) stand(ctx context.Context) {
	said := "" // what was wrong, so that it is said once
	for ctx.Err() == nil {
		place := d.place()
		err := d.open(ctx, place)
		if err == nil {
			said = ""
			continue
		}
		if said != err.Error() {
			d.log.Error("no router can push: its place cannot be opened; it is tried again", "every", d.again.String(), "err", err)
		}
		said = err.Error()
		pause, end := context.WithTimeout(ctx, d.again)
		d.wait(place, pause.Done())
		end()
	}
}

// wait waits until the door shall stand elsewhere, or until over.
func (d *pushDoor) wait(place string, over <-chan struct{}) {
	for d.place() == place {
		select {
		case <-d.moved:
		case <-over:
			return
		}
	}
}

// open answers at a place until the door shall stand elsewhere. The error is
// that nobody can listen there. Those who wait for an answer get one before it
// closes.
func (d *pushDoor) open(ctx context.Context, place string) error {
	if place == "" {
		d.wait(place, ctx.Done())
		return nil
	}
	var c net.ListenConfig
	listener, err := c.Listen(ctx, "tcp", place)
	if err != nil {
		return err
	}
	d.log.Info("routers can push", "url", pushURL(place))
	inner, stop := context.WithCancel(ctx)
	defer stop()
	server := d.server(inner)
	ended := make(chan struct{})
	go func() { // ends with the server, and is awaited below
		defer close(ended)
		defer stop()
		if err := server.Serve(newCrowd(listener)); inner.Err() == nil {
			d.log.Error("no router can push any more; the place is opened again", "err", err)
		}
	}()
	d.wait(place, inner.Done())
	stop()
	closing, done := context.WithTimeout(context.WithoutCancel(ctx), 500*time.Millisecond)
	defer done()
	if err := server.Shutdown(closing); err != nil {
		server.Close()
	}
	<-ended
	return nil
}

// server bounds whatever a stranger in the home's network could do.
func (d *pushDoor) server(ctx context.Context) *http.Server {
	server := &http.Server{
		Handler:           unread(d.handler),
		ConnContext:       withGuest,
		ReadHeaderTimeout: headerPatience,
		WriteTimeout:      pushPatience + 10*time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(d.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	server.SetKeepAlivesEnabled(false) // a router asks once
	return server
}

// unread bounds what a request may have behind its header. The server reads
// that before it closes, and one that never comes would hold its connection for
// ever: no other deadline stands once the header was read.
func unread(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyPatience)) // a connection has deadlines
		}
		next.ServeHTTP(w, r)
	})
}
