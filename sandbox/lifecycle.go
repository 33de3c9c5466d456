package sandbox

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// lifecycle is what every service of a sandbox needs to start and to end:
// sockets on loopback, goroutines that Close waits for, and a channel that
// says when to let go.
type lifecycle struct {
	openStream func(network, address string) (net.Listener, error)
	openPacket func(network, address string) (net.PacketConn, error)

	done chan struct{} // closed when the sandbox ends: whoever hangs lets go
	wait sync.WaitGroup

	closing sync.Mutex // guards the following
	closed  bool
	closers []func()
}

func newLifecycle(cfg Config) *lifecycle {
	l := &lifecycle{
		openStream: cfg.Listen,
		openPacket: cfg.ListenPacket,
		done:       make(chan struct{}),
	}
	if l.openStream == nil {
		l.openStream = net.Listen
	}
	if l.openPacket == nil {
		l.openPacket = net.ListenPacket
	}
	return l
}

// listen opens a TCP listener on HOST:PORT; empty means a free port of
// 127.0.0.1. It ends with the sandbox. Anything but loopback is refused.
func (l *lifecycle) listen(address string) (net.Listener, error) {
	address, err := loopback(address)
	if err != nil {
		return nil, err
	}
	listener, err := l.openStream("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	l.onClose(func() { listener.Close() })
	return listener, nil
}

// listenPacket opens a UDP socket as listen opens a TCP one.
func (l *lifecycle) listenPacket(address string) (net.PacketConn, error) {
	address, err := loopback(address)
	if err != nil {
		return nil, err
	}
	conn, err := l.openPacket("udp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s (UDP): %w", address, err)
	}
	l.onClose(func() { conn.Close() })
	return conn, nil
}

// serve runs f in a goroutine that Close waits for. f must end soon after
// done is closed and the closers have run.
func (l *lifecycle) serve(f func()) { l.wait.Go(f) }

// serveHTTP answers HTTP on a listener (a TLS one too) until the sandbox
// ends. Close waits for the requests under way; a handler that hangs must
// watch done or the request's context, both of which end with the sandbox.
func (l *lifecycle) serveHTTP(listener net.Listener, handler http.Handler) {
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !l.enter() {
				hangUp(w) // nothing said would be a 200
				return
			}
			defer l.wait.Done()
			handler.ServeHTTP(w, r)
			select {
			case <-l.done:
				hangUp(w) // whatever hung lets go now: that is no answer
			default:
			}
		}),
		ConnContext:       keepConn,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // a client that cuts a handshake is no news here
	}
	l.onClose(func() { server.Close() })
	l.serve(func() { _ = server.Serve(listener) })
}

// enter counts one more piece of work that end must wait for; whoever got true
// calls wait.Done. It is false once the sandbox is ending.
func (l *lifecycle) enter() bool {
	l.closing.Lock()
	defer l.closing.Unlock()
	if l.closed {
		return false
	}
	l.wait.Add(1)
	return true
}

// onClose has f called when the sandbox ends, the last one first; at once if
// it has ended already.
func (l *lifecycle) onClose(f func()) {
	l.closing.Lock()
	ended := l.closed
	if !ended {
		l.closers = append(l.closers, f)
	}
	l.closing.Unlock()
	if ended {
		f()
	}
}

// end closes everything and waits for every goroutine. A second call waits too.
func (l *lifecycle) end() {
	l.closing.Lock()
	closers := l.closers
	l.closers = nil
	if !l.closed {
		l.closed = true
		close(l.done)
	}
	l.closing.Unlock()
	for i := len(closers) - 1; i >= 0; i-- {
		closers[i]()
	}
	l.wait.Wait()
}

// loopback checks that an address to listen on is one of this machine's own:
// a fake Cloudflare on a real network would be a trap for somebody.
func loopback(address string) (string, error) {
	if address == "" {
		return "127.0.0.1:0", nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("address to listen on %q: want HOST:PORT, such as 127.0.0.1:0: %w", address, err)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.IsLoopback() {
		return "", fmt.Errorf("address to listen on %q is not loopback; the sandbox listens on 127.0.0.0/8 and ::1 only", address)
	}
	return net.JoinHostPort(host, port), nil
}
