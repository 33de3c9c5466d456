package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// The control socket carries HTTP: GET /config, GET /status, GET /health, GET
// /hops, POST /poke, POST /reload. It is a Unix socket. The daemon answers its
// own user and root only, and a command believes no other user's daemon either
// (controlplace.go). It asks GET /config first: that says for which configuration
// the daemon answers.

// ownOnly takes connections of the same user and root only; an abstract socket
// has no file permissions that would see to it.
type ownOnly struct{ net.Listener }

// Accept implements net.Listener.
func (l ownOnly) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if mayAsk(conn) {
			return conn, nil
		}
		conn.Close()
	}
}

// StatusReport is what `cfddns status` shows.
type StatusReport struct {
	Version string       `json:"version"`
	PID     int          `json:"pid"`
	Started time.Time    `json:"started"`
	Rounds  int          `json:"rounds"`
	Running bool         `json:"running"`
	Next    time.Time    `json:"next"`
	Line    string       `json:"line"`
	Refused string       `json:"refused"` // why the configuration that was read last is not in force; empty if it is
	Pending string       `json:"pending"` // what stands between the configuration and the daemon; empty if nothing does
	Config  InForce      `json:"config"`
	Proved  int          `json:"proved"`
	Round   *ddns.Report `json:"round"` // the last one; null before the first has ended
	Names   []NameStatus `json:"names"`
	ReadAt  *time.Time   `json:"read_at"` // when the records were read, the longest ago; null if they could not be
}

// NameStatus is how a name stands now, as far as is known.
type NameStatus struct {
	Name  string           `json:"name"`
	Type  string           `json:"type"`
	State ddns.TargetState `json:"state"`
	Holds []string         `json:"holds"` // empty: nothing, or it was never seen
	Known bool             `json:"known"` // false: the records could not be read, and it is what was last seen
	AsOf  time.Time        `json:"as_of"`
	Why   string           `json:"why"`
}

// serveControl answers on the socket until the context ends.
func (d *theDaemon) serveControl(ctx context.Context, listener net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /config", func(w http.ResponseWriter, _ *http.Request) { answer(w, d.inForce()) })
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		status, err := d.loop.Status(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		answer(w, d.report(status))
	})
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, r *http.Request) {
		if _, err := d.loop.Status(r.Context()); err != nil {
			http.Error(w, "the loop does not turn", http.StatusServiceUnavailable)
			return
		}
		answer(w, map[string]bool{"healthy": true})
	})
	mux.HandleFunc("GET /hops", func(w http.ResponseWriter, r *http.Request) {
		status, err := d.loop.Status(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		answer(w, status.Past.Memory.Hops)
	})
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, r *http.Request) {
		if err := d.reload(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		answer(w, d.inForce())
	})
	mux.HandleFunc("POST /poke", d.pokeAnswer)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop() // the socket may be opened anew many times
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// inForce says which configuration is in use. It waits for nothing, not even
// for a disk.
func (d *theDaemon) inForce() InForce {
	if now := d.now.Load(); now != nil {
		return *now
	}
	return InForce{PID: os.Getpid()}
}

// putInForce notes which configuration is in use from now on.
func (d *theDaemon) putInForce(p *parts) {
	read := p.config.Read
	d.now.Store(&InForce{Config: read.File, Digest: read.Digest, Environment: read.Environment, Token: p.fingerprint,
		Names: len(p.runner.Targets), PID: os.Getpid()})
}

func answer(w http.ResponseWriter, doc any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(doc)
}
