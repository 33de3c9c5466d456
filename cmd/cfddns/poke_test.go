package main

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// eared is a listener that says when somebody's first words have come.
type eared struct {
	net.Listener
	heard chan struct{}
}

func (l eared) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return earedConn{conn, l.heard}, err
}

type earedConn struct {
	net.Conn
	heard chan struct{}
}

func (c earedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	select {
	case c.heard <- struct{}{}:
	default:
	}
	return n, err
}

func TestWhoeverWaitsAtADaemonThatIsStoppedIsToldSo(t *testing.T) {
	for range 20 { // the request may be at any stage
		place := filepath.Join(t.TempDir(), "c.sock")
		ctx, stop := context.WithCancel(t.Context())
		listener, err := listenControl(ctx, place)
		if err != nil {
			t.Fatal(err)
		}
		d := &theDaemon{loop: ddns.NewLoop(time.Now, func(ddns.Round, ddns.Past) {})} // no round ever ends
		heard := make(chan struct{}, 1)
		var beside sync.WaitGroup
		beside.Go(func() { _ = d.serveControl(ctx, eared{listener, heard}) })
		a := &app{stdout: io.Discard, stderr: io.Discard, clock: time.Now, env: []string{"CFDDNS_CONTROL=" + place}}
		beside.Go(func() {
			err := a.pokeAndWait(t.Context())
			if e, ok := errors.AsType[*exitError](err); !ok || e.code != ddns.ExitNoDaemon || !strings.Contains(err.Error(), "was stopped before it answered") {
				t.Errorf("told %v", err)
			}
		})
		<-heard
		stop()
		beside.Wait()
	}
}
