package cfclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
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

// dialer opens the connections to the API.
//
// Since Go 1.24 the greeting of a TLS client carries an ML-KEM key share and no
// longer fits one packet. Some lines drop the second packet, or the server
// behind them never sees the whole, and the handshake waits for ever. Such a
// handshake is tried once more without ML-KEM; where that works it is done so
// from then on.
type dialer struct {
	world ddns.World
	small atomic.Bool
}

// transport speaks HTTP/1.1 on purpose. A round makes its calls one after the
// other, so HTTP/2 gains nothing, and one dead connection would take every
// later call with it.
func (d *dialer) transport() *http.Transport {
	return &http.Transport{
		Proxy: nil, // where the token goes is said by the configuration alone
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, connectTimeout)
			defer cancel()
			return dialWorld(ctx, d.world, address)
		},
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if world, ok := d.world.(ddns.SimulatedWorld); ok {
				return world.DialTLS(ctx, network, address)
			}
			return d.dialTLS(ctx, address)
		},
		MaxIdleConnsPerHost: 2,
		IdleConnTimeout:     idleTimeout,
	}
}

// dialTLS opens a verified connection, by a small greeting if the usual one
// goes unanswered.
func (d *dialer) dialTLS(ctx context.Context, address string) (net.Conn, error) {
	small := d.small.Load()
	conn, err := handshake(ctx, d.world, address, small)
	if small || !errors.Is(err, errSilent) {
		return conn, err
	}
	conn, errSmall := handshake(ctx, d.world, address, true)
	if errSmall != nil {
		return nil, err
	}
	d.small.Store(true)
	return conn, nil
}

// handshake connects to HOST:PORT and verifies that it is HOST. It tells a
// server that stays silent (errSilent) from one that refuses.
func handshake(ctx context.Context, world ddns.World, address string, small bool) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	connecting, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	raw, err := dialWorld(connecting, world, address)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{ServerName: host, RootCAs: world.Roots(), MinVersion: tls.VersionTLS12}
	if small {
		config.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256}
	}
	shaking, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(shaking); err != nil {
		_ = raw.Close()
		if shaking.Err() != nil && ctx.Err() == nil {
			return nil, fmt.Errorf("%w within %v by %s", errSilent, handshakeTimeout, address)
		}
		return nil, err
	}
	return conn, nil
}
