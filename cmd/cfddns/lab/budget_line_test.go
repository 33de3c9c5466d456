package lab

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A line lies between cfddns and a service on loopback, and makes it as far
// away as a real one: a connection takes one round trip to open, and every
// answer comes one round trip late. It counts what would be on the wire.
type line struct {
	trip  time.Duration
	bytes atomic.Int64

	address string // HOST:PORT, to be asked instead of the service

	mu     sync.Mutex // guards the following
	closed bool
	open   map[io.Closer]struct{} // listeners and connections
	busy   sync.WaitGroup
}

// Bytes of headers: IPv4 and UDP, IPv4 and TCP with time stamps.
// A TCP connection opens with three packets and closes with four.
const (
	headerUDP    = 28
	headerTCP    = 52
	segmentTCP   = 1448
	packetsAside = 7
)

// newLine puts a line in front of a service. It ends with the benchmark.
func newLine(b *testing.B, network, service string, trip time.Duration) *line {
	b.Helper()
	l := &line{trip: trip, open: map[io.Closer]struct{}{}}
	if network == "udp" {
		socket, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		l.address = socket.LocalAddr().String()
		l.keep(socket)
		l.busy.Go(func() { l.serveUDP(socket, service) })
	} else {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		l.address = listener.Addr().String()
		l.keep(listener)
		l.busy.Go(func() { l.serveTCP(listener, service) })
	}
	b.Cleanup(l.close)
	return l
}

// keep has c closed with the line; false means that the line is closed already.
func (l *line) keep(c io.Closer) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.open[c] = struct{}{}
		return true
	}
	c.Close()
	return false
}

func (l *line) drop(c io.Closer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
	c.Close()
}

func (l *line) close() {
	l.mu.Lock()
	l.closed = true
	for c := range l.open {
		c.Close()
	}
	l.mu.Unlock()
	l.busy.Wait()
}

func (l *line) serveTCP(listener net.Listener, service string) {
	for {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", service)
		if err != nil {
			near.Close()
			continue
		}
		if !l.keep(near) || !l.keep(far) {
			return
		}
		l.bytes.Add(packetsAside * headerTCP)
		l.busy.Go(func() {
			<-time.After(l.trip) // loopback has opened the connection at once
			l.carry(far, near, 0)
		})
		l.busy.Go(func() { l.carry(near, far, l.trip) })
	}
}

// chunk is what was read, and when it is to arrive.
type chunk struct {
	data []byte
	due  time.Time
}

// carry carries what comes from one end to the other, so much later; what
// follows closely arrives as closely. Then both ends are closed.
func (l *line) carry(to, from net.Conn, late time.Duration) {
	chunks := make(chan chunk, 1024)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(chunks)
		for {
			buffer := make([]byte, 32<<10)
			n, err := from.Read(buffer)
			if n > 0 {
				chunks <- chunk{buffer[:n], time.Now().Add(late)}
			}
			if err != nil {
				return
			}
		}
	})
	for c := range chunks {
		if wait := time.Until(c.due); wait > 0 {
			<-time.After(wait)
		}
		segments := (len(c.data) + segmentTCP - 1) / segmentTCP
		l.bytes.Add(int64(len(c.data) + (segments+1)*headerTCP)) // and one packet that confirms
		if _, err := to.Write(c.data); err != nil {
			from.Close() // ends the reading; what is left is read and dropped
		}
	}
	reading.Wait()
	l.drop(to)
	l.drop(from)
}

func (l *line) serveUDP(socket net.PacketConn, service string) {
	buffer := make([]byte, 64<<10)
	for {
		n, client, err := socket.ReadFrom(buffer)
		if err != nil {
			return
		}
		question := append([]byte(nil), buffer[:n]...)
		l.busy.Go(func() { l.relay(socket, client, service, question) })
	}
}

// relay brings one datagram to the service, and its answer back.
func (l *line) relay(socket net.PacketConn, client net.Addr, service string, question []byte) {
	far, err := net.Dial("udp", service)
	if err != nil || !l.keep(far) {
		return
	}
	defer l.drop(far)
	l.bytes.Add(int64(len(question) + headerUDP))
	answer := make([]byte, 64<<10)
	if _, err := far.Write(question); err != nil {
		return
	}
	n, err := far.Read(answer)
	if err != nil {
		return
	}
	<-time.After(l.trip)
	l.bytes.Add(int64(n + headerUDP))
	_, _ = socket.WriteTo(answer[:n], client)
}
