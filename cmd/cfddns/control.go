package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
)

// The control socket carries HTTP: GET /status, GET /health, GET /hops, POST
// /poke, POST /reload. It is
// a Unix socket, open to the daemon's user and root only.

// socketPaths are where the socket may be, the best first. A name that begins
// with @ is in Linux's abstract namespace and leaves no file behind.
func socketPaths(cfg configs.Config) []string {
	if cfg.Control != "" {
		return []string{cfg.Control}
	}
	if own := abstractSocket(); own != "" {
		return []string{own, systemdSocket}
	}
	return []string{filepath.Join(os.TempDir(), fmt.Sprintf("cfddns-%d.sock", os.Getuid()))}
}

// systemdSocket is where the shipped unit has its socket.
const systemdSocket = "/run/cfddns/control.sock"

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
		if mayControl(conn) {
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
	Proved  int          `json:"proved"`
	Round   *ddns.Report `json:"round"` // the last one; null before the first has ended
}

// serveControl answers on the socket until the context ends.
func (d *theDaemon) serveControl(ctx context.Context, listener net.Listener) error {
	mux := http.NewServeMux()
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
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	go func() { // ends with ctx
		<-ctx.Done()
		server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// InForce is the configuration that a running daemon uses.
type InForce struct {
	Config string `json:"config"` // the file; empty if there is only the environment
	Names  int    `json:"names"`
}

// inForce says which configuration is in use.
func (d *theDaemon) inForce() InForce {
	d.mu.Lock()
	defer d.mu.Unlock()
	return InForce{Config: configs.Find(d.app.configFile, d.app.env), Names: len(d.parts.runner.Targets)}
}

func answer(w http.ResponseWriter, doc any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(doc)
}

// controlTimeout is how long the daemon may take to answer, where it waits for nothing.
const controlTimeout = 5 * time.Second

// anothers is said of a daemon that this user may not ask.
const anothers = "the control socket of the cfddns here is another user's; ask it with sudo"

// ask asks the running daemon.
func (a *app) ask(ctx context.Context, method, path string, into any) error {
	return a.askWithin(ctx, controlTimeout, method, path, into)
}

// askWithin asks the running daemon, which may take that long to answer.
func (a *app) askWithin(ctx context.Context, patience time.Duration, method, path string, into any) error {
	// Whether the loop turns has nothing to do with what somebody is writing
	// into the configuration meanwhile.
	cfg, _, err := configs.Load(configs.Find(a.configFile, a.env), a.env)
	if err != nil {
		cfg = configs.Default()
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://cfddns"+path, nil)
	if err != nil {
		return err
	}
	paths := socketPaths(cfg)
	var met atomic.Bool
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := dialAny(ctx, paths)
		met.Store(err == nil)
		return conn, err
	}}}
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	switch {
	case err == nil:
	case errors.Is(err, context.DeadlineExceeded):
		return exit(ddns.ExitUnreached, fmt.Errorf("cfddns runs here and does not answer within %s; its log says more", patience))
	case met.Load():
		return exit(ddns.ExitUnreached, errors.New("the running cfddns was stopped before it answered; what it had written is kept, ask again once it runs"))
	case errors.Is(err, fs.ErrPermission):
		return exit(ddns.ExitUnreached, errors.New(anothers))
	default:
		return exit(ddns.ExitUnreached, fmt.Errorf("no running cfddns answers on %s; start it with: cfddns run, or as a service: systemctl start cfddns", strings.Join(paths, " or ")))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<20))
	if err != nil || response.StatusCode != http.StatusOK {
		return exit(ddns.ExitUnexpected, fmt.Errorf("the running cfddns answered %s: %.200s", response.Status, body))
	}
	return json.Unmarshal(body, into)
}

// dialAny connects to the first socket that somebody answers on.
func dialAny(ctx context.Context, paths []string) (net.Conn, error) {
	var errs []error
	var d net.Dialer
	for _, path := range paths {
		conn, err := d.DialContext(ctx, "unix", path)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}
