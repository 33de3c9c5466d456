package cfclient

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// pipes is a simulated world: every connection is a pipe to one HTTP server,
// and counts as verified.
type pipes struct{ accept chan net.Conn }

func (p pipes) Dial(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("this world has verified connections only")
}

func (p pipes) DialTLS(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.accept <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
func (p pipes) From(netip.Addr) ddns.World { return p }
func (p pipes) Roots() *x509.CertPool      { return nil }

// Accept, Close and Addr make the other end a net.Listener.
func (p pipes) Accept() (net.Conn, error) {
	conn, ok := <-p.accept
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (p pipes) Close() error   { close(p.accept); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// TestTheWaitEnds: no call leaves before Cloudflare's Retry-After has passed,
// and the first one after it does.
func TestTheWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		world := pipes{make(chan net.Conn)}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if calls.Add(1) == 1 {
				w.Header().Set("Retry-After", "300")
				answer(w, 429, refusalOf(10100, "slow down"))
				return
			}
			answer(w, 200, listOf(t, 0, []int{}))
		})}
		ended := make(chan struct{})
		go func() { defer close(ended); _ = server.Serve(world) }()
		defer func() { _ = server.Close(); <-ended }()
		c := New(Config{Token: ddns.NewSecret(testToken), World: world})
		defer c.CloseIdle()

		started := time.Now()
		tick := time.NewTicker(10 * time.Second)
		defer tick.Stop()
		for range tick.C {
			_, err := c.Zones(t.Context())
			if err == nil {
				break
			}
			wantKind(t, err, ddns.Limited)
		}
		if waited, sent := time.Since(started), calls.Load(); waited < 310*time.Second || waited > 320*time.Second || sent != 2 {
			t.Errorf("the second call left after %v, %d calls were sent", waited, sent)
		}
	})
}
