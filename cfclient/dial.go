package cfclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

const (
	connectTimeout   = 5 * time.Second
	handshakeTimeout = 3 * time.Second
	// idleTimeout keeps a connection for the calls of one round, not for the
	// next round: by then our address may have changed and the connection hang.
	idleTimeout = 30 * time.Second
)

// errSilent is a TLS server that does not answer our greeting.
var errSilent = errors.New("the TLS handshake was not answered")

// dialer opens the connections to the API, and knows those that are open.
//
// Since Go 1.24 the greeting of a TLS client carries an ML-KEM key share and no
// longer fits one packet. Some lines drop the second packet, or the server
// behind them never sees the whole, and the handshake waits for ever. Such a
// handshake is tried once more without ML-KEM; where that works it is done so
// from then on.
type dialer struct {
	world  ddns.World
	ours   bool   // the API's name is our own: another way to find it may be tried
	broken func() // may be nil; see Config.Broken
	small  atomic.Bool

	mu      sync.Mutex // guards the following
	open    map[*apiConn]struct{}
	dialing int    // by calls
	spare   *spare // nil: none
}

// transport speaks HTTP/1.1 on purpose: over HTTP/2 one dead connection would
// take every call with it.
func (d *dialer) transport() *http.Transport {
	return &http.Transport{
		Proxy:       nil, // where the token goes is said by the configuration alone
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) { return d.dial(ctx, d.plain, address) },
		DialTLSContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return d.dial(ctx, d.verified, address)
		},
		MaxIdleConnsPerHost: callsAtOnce,
		IdleConnTimeout:     idleTimeout,

		MaxResponseHeaderBytes: mostHeaderBytes,
	}
}

// opener opens one connection to HOST:PORT.
type opener func(ctx context.Context, address string) (net.Conn, error)

// dial is how a call gets a connection: the spare one, or one of its own.
func (d *dialer) dial(ctx context.Context, open opener, address string) (net.Conn, error) {
	if conn := d.takeSpare(ctx); conn != nil {
		return conn, nil
	}
	d.count(+1)
	defer d.count(-1)
	return open(ctx, address)
}

func (d *dialer) count(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dialing += n
}

// plain opens a connection without TLS.
func (d *dialer) plain(ctx context.Context, address string) (net.Conn, error) {
	conn, err := d.connect(ctx, d.world, address)
	if err != nil {
		return nil, err // no typed nil
	}
	return conn, nil
}

// connect opens a connection in a world.
func (d *dialer) connect(ctx context.Context, world ddns.World, address string) (*apiConn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := dialWorld(ctx, world, address)
	if err != nil {
		return nil, err
	}
	return d.track(conn), nil
}

// verified opens a connection to whom it should be, by a small greeting if the
// usual one goes unanswered.
func (d *dialer) verified(ctx context.Context, address string) (net.Conn, error) {
	if world, ok := d.world.(ddns.SimulatedWorld); ok {
		conn, err := world.DialTLS(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		return d.track(conn), nil
	}
	conn, err := d.greeted(ctx, d.world, address)
	if err == nil || !d.ours || ctx.Err() != nil || !misled(err) {
		return conn, err
	}
	around, ok := ddns.GoAround(d.world)
	if !ok {
		return nil, err
	}
	conn, otherwise := d.greeted(ctx, around, address)
	if otherwise != nil {
		return nil, err
	}
	around.Proved(hostOf(address))
	return conn, nil
}

// misled reports whether the name may have led to somebody else, or to nobody.
func misled(err error) bool {
	return ddns.SomebodyElse(err) || errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, errSilent)
}

// hostOf is the host of HOST:PORT.
func hostOf(address string) string {
	host, _, _ := net.SplitHostPort(address)
	return host
}

// greeted opens a connection by the usual greeting, or by a small one.
func (d *dialer) greeted(ctx context.Context, world ddns.World, address string) (net.Conn, error) {
	small := d.small.Load()
	conn, err := d.handshake(ctx, world, address, small)
	if small || !errors.Is(err, errSilent) {
		return conn, err
	}
	conn, errSmall := d.handshake(ctx, world, address, true)
	if errSmall != nil {
		return nil, err
	}
	d.small.Store(true)
	return conn, nil
}

// handshake connects to HOST:PORT and verifies that it is HOST. It tells a
// server that stays silent (errSilent) from one that refuses.
func (d *dialer) handshake(ctx context.Context, world ddns.World, address string, small bool) (net.Conn, error) {
	raw, err := d.connect(ctx, world, address)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{ServerName: hostOf(address), RootCAs: world.Roots(), MinVersion: tls.VersionTLS12}
	if small {
		config.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256}
	}
	shaking, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn, err := ddns.Handshake(shaking, raw, config)
	if err != nil {
		if shaking.Err() != nil && ctx.Err() == nil {
			return nil, fmt.Errorf("%w within %v by %s", errSilent, handshakeTimeout, address)
		}
		return nil, err
	}
	return conn, nil
}
