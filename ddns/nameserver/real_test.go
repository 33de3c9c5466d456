package nameserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/needs"
	"github.com/miekg/dns"
)

func TestMain(m *testing.M) { os.Exit(needs.Main(m)) }

// TestRealServers asks an authoritative server and a resolver that other
// people wrote. The resolver plays the box that intercepts port 53: it answers
// for the zone's nameserver, from its cache.
func TestRealServers(t *testing.T) {
	dir := t.TempDir()
	knot := startKnot(t, dir, "192.0.2.1", 1)
	unbound := startUnbound(t, dir, knot.address)
	client := Client{World: loopback{}, Timeout: 3 * time.Second}

	answer, err := client.Ask(t.Context(), knot.address, "home.example.com", "A")
	if err != nil || !answer.Authoritative || !holds(answer.Addresses, "192.0.2.1") {
		t.Fatalf("the authority says %+v, %v", answer, err)
	}
	answer, err = client.Ask(t.Context(), knot.address, "nothing.example.com", "A")
	if err != nil || !answer.NameError {
		t.Errorf("the authority says of a name that does not exist: %+v, %v", answer, err)
	}
	answer, err = client.Ask(t.Context(), knot.address, "alias.example.com", "A")
	if err != nil || answer.CNAME != "home.example.com" || !holds(answer.Addresses, "192.0.2.1") {
		t.Errorf("the authority says of an alias: %+v, %v", answer, err)
	}
	answer, err = client.Ask(t.Context(), knot.address, "many.example.com", "A")
	if err != nil || len(answer.Addresses) != 60 || answer.Over != "tcp" {
		t.Errorf("of 60 addresses came %d over %s, %v", len(answer.Addresses), answer.Over, err)
	}

	warm(t, unbound.address, "home.example.com.")
	knot.stop()
	knot = startKnot(t, dir, "192.0.2.2", 2, knot.address)
	answer, err = client.Ask(t.Context(), knot.address, "home.example.com", "A")
	if err != nil || !holds(answer.Addresses, "192.0.2.2") {
		t.Fatalf("after the change the authority says %+v, %v", answer, err)
	}
	answer, err = client.Ask(t.Context(), unbound.address, "home.example.com", "A")
	if err != nil || answer.Authoritative || !holds(answer.Addresses, "192.0.2.1") {
		t.Errorf("the resolver says %+v, %v; want the old address, without authority", answer, err)
	}
}

func holds(addresses []netip.Addr, want string) bool {
	return len(addresses) == 1 && addresses[0] == netip.MustParseAddr(want)
}

// warm has a resolver learn a name, as any other machine of the house does.
func warm(t *testing.T, server, name string) {
	t.Helper()
	query := new(dns.Msg).SetQuestion(name, dns.TypeA)
	reply, err := dns.ExchangeContext(t.Context(), query, server)
	if err != nil || len(reply.Answer) != 1 {
		t.Fatalf("the resolver does not resolve: %v, %v", reply, err)
	}
}

// daemon is a server of somebody else, in the foreground of the test.
type daemon struct {
	address string
	stop    func()
}

func startKnot(t *testing.T, dir, home string, serial int, at ...string) daemon {
	t.Helper()
	address := freePort(t)
	if len(at) > 0 {
		address = at[0]
	}
	zone := fmt.Sprintf("@ 300 SOA ns.example.com. root.example.com. %d 60 60 60 60\n@ NS ns\nns 300 A 127.0.0.1\nhome 300 A %s\nalias 300 CNAME home\n", serial, home)
	for i := range 60 {
		zone += fmt.Sprintf("many 300 A 198.51.100.%d\n", i+1)
	}
	write(t, dir, "example.com.zone", zone)
	at0 := netip.MustParseAddrPort(address)
	conf := write(t, dir, "knot.conf", fmt.Sprintf(`server:
    rundir: %[1]q
    listen: %[2]s@%[3]d
database:
    storage: %[1]q
zone:
  - domain: example.com
    storage: %[1]q
    file: example.com.zone
    zonefile-load: whole
    journal-content: none
`, dir, at0.Addr(), at0.Port()))
	return start(t, address, "knotd", "-c", conf)
}

func startUnbound(t *testing.T, dir, authority string) daemon {
	t.Helper()
	address := freePort(t)
	at, from := netip.MustParseAddrPort(address), netip.MustParseAddrPort(authority)
	conf := write(t, dir, "unbound.conf", fmt.Sprintf(`server:
    interface: %s@%d
    access-control: 127.0.0.0/8 allow_snoop
    do-not-query-localhost: no
    do-daemonize: no
    use-syslog: no
    username: ""
    chroot: ""
    directory: %q
    pidfile: ""
    module-config: "iterator"
remote-control:
    control-enable: no
stub-zone:
    name: example.com
    stub-addr: %s@%d
`, at.Addr(), at.Port(), dir, from.Addr(), from.Port()))
	return start(t, address, "unbound", "-c", conf)
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func freePort(t *testing.T) string {
	t.Helper()
	udp, tcp := listenBoth(t)
	defer udp.Close()
	defer tcp.Close()
	return tcp.Addr().String()
}

// start runs a server until the test ends, and returns when it answers.
func start(t *testing.T, address, program string, args ...string) daemon {
	t.Helper()
	path := needs.Program(t, program)
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	var said lockedBuffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	stop := func() { cancel(); <-ended }
	t.Cleanup(stop)
	if err := answers(t.Context(), address, ended); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, said.String())
	}
	return daemon{address: address, stop: stop}
}

// answers returns when a server answers anything.
func answers(ctx context.Context, address string, ended <-chan struct{}) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for {
		query := new(dns.Msg).SetQuestion("ns.example.com.", dns.TypeA)
		if reply, err := dns.ExchangeContext(ctx, query, address); err == nil && reply.Rcode == dns.RcodeSuccess {
			return nil
		}
		select {
		case <-tick.C:
		case <-ended:
			return errors.New("it ended")
		case <-deadline:
			return errors.New("it does not answer")
		}
	}
}

// lockedBuffer collects what a program writes while the test may read it.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
