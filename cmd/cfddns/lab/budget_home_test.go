package lab

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/sandbox"
)

// How far away the services are that a budget speaks of.
const (
	echoTrip = 20 * time.Millisecond
	apiTrip  = 60 * time.Millisecond
)

// Where the home is, and where the records of a seeded zone say it was.
var budgetBefore, budgetWAN = netip.MustParseAddr("45.67.88.1"), netip.MustParseAddr("45.67.89.10")

// budgetHome is a home for the real program: a sandbox behind lines, and a
// configuration that uses it.
type budgetHome struct {
	b      *testing.B
	binary string
	world  *sandbox.Sandbox
	api    *line
	echoes []*line
	config string // file
	names  []string
	env    []string // of the program, beside HOME
}

// budgetPlan says what a home has.
type budgetPlan struct {
	plan   string // of the zone; empty is free
	names  int
	seeded bool // a record exists at every name and holds the old address
	env    []string
}

// newBudgetHome builds a home. It ends with the benchmark.
func newBudgetHome(b *testing.B, binary string, p budgetPlan) *budgetHome {
	b.Helper()
	h := &budgetHome{b: b, binary: binary, env: p.env}
	zone := sandbox.SeedZone{Name: "example.com", Plan: p.plan}
	for i := range p.names {
		name := fmt.Sprintf("home%d.example.com", i)
		h.names = append(h.names, name)
		if p.seeded {
			zone.Records = append(zone.Records, sandbox.SeedRecord{Type: "A", Name: name, Content: budgetBefore.String(), TTL: 60})
		}
	}
	var err error
	if h.world, err = sandbox.Start(sandbox.Config{Zones: []sandbox.SeedZone{zone}, IPv4: budgetWAN}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(h.world.Close)
	h.configure(b.TempDir())
	return h
}

// configure writes what `cfddns sandbox --write-config` writes, with the lines
// in between, the API over TLS, and the names of this home.
func (h *budgetHome) configure(dir string) {
	info := h.world.Info()
	info.CA = filepath.Join(dir, "ca.pem")
	h.write(info.CA, string(h.world.PEM()))
	h.api, info.API = h.behind(info.APITLS, apiTrip)
	for i, e := range info.Echoes {
		switch e.Kind {
		case "stun":
			far := newLine(h.b, "udp", e.Address, echoTrip)
			h.echoes, info.Echoes[i].Address = append(h.echoes, far), far.address
		case "https":
			far, address := h.behind(e.Address, echoTrip)
			h.echoes, info.Echoes[i].Address = append(h.echoes, far), address
		}
	}
	before, rest, _ := strings.Cut(string(info.Configuration()), "records:\n")
	_, after, _ := strings.Cut(rest, "ip:\n")
	var records strings.Builder
	for _, name := range h.names {
		fmt.Fprintf(&records, "  - name: %s\n", name)
	}
	text := before + "records:\n" + records.String() + "ip:\n" + after +
		fmt.Sprintf("state: %q\ncontrol: %q\n", filepath.Join(dir, "state"), filepath.Join(dir, "control.sock"))
	h.config = filepath.Join(dir, "cfddns.yaml")
	h.write(h.config, text)
}

// behind puts a line in front of a web service, and returns its URL there.
func (h *budgetHome) behind(address string, trip time.Duration) (*line, string) {
	u, err := url.Parse(address)
	if err != nil {
		h.b.Fatal(err)
	}
	l := newLine(h.b, "tcp", u.Host, trip)
	u.Host = l.address
	return l, u.String()
}

func (h *budgetHome) write(file, text string) {
	h.b.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		h.b.Fatal(err)
	}
}

// calls counts the API calls so far: all, and those that write.
func (h *budgetHome) calls() (all, writes int) {
	calls := h.world.Calls()
	for _, n := range calls {
		all += n
	}
	return all, calls["batch"]
}

// echoBytes is what the sources have cost on the wire so far.
func (h *budgetHome) echoBytes() (sum int64) {
	for _, l := range h.echoes {
		sum += l.bytes.Load()
	}
	return sum
}

// written waits until so many writes have arrived at the API, and returns when
// the answer to the last is back.
func (h *budgetHome) written(writes int) time.Time {
	h.b.Helper()
	h.until(func() bool { _, n := h.calls(); return n >= writes })
	return time.Now().Add(apiTrip)
}

// until looks every millisecond until it is so.
func (h *budgetHome) until(so func() bool) {
	h.b.Helper()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	patience := time.NewTimer(3 * time.Minute)
	defer patience.Stop()
	for !so() {
		select {
		case <-look.C:
		case <-patience.C:
			h.b.Fatal("what was waited for did not come within three minutes")
		}
	}
}

// command is the program with arguments, in this home, and what it says.
func (h *budgetHome) command(args ...string) (*exec.Cmd, *voice) {
	said := new(voice)
	cmd := exec.CommandContext(h.b.Context(), h.binary, append(args, "--config", h.config)...)
	cmd.Env = append([]string{"HOME=" + filepath.Dir(h.config)}, h.env...)
	cmd.Stdout, cmd.Stderr = said, said
	return cmd, said
}

// once runs `cfddns once`. It returns when the names were written, and when
// the program was done, both counted from its start.
func (h *budgetHome) once(writes int) (written, whole time.Duration) {
	h.b.Helper()
	cmd, said := h.command("once")
	began := time.Now()
	if err := cmd.Start(); err != nil {
		h.b.Fatal(err)
	}
	at := h.written(writes)
	if err := cmd.Wait(); err != nil {
		h.b.Fatalf("cfddns once: %v\n%s", err, said.String())
	}
	return at.Sub(began), time.Since(began)
}

// budgetDaemon is a running `cfddns run`.
type budgetDaemon struct {
	home *budgetHome
	cmd  *exec.Cmd
	said *voice // its log
}

// run starts `cfddns run` and waits for its first round.
func (h *budgetHome) run() *budgetDaemon {
	h.b.Helper()
	d := &budgetDaemon{home: h}
	d.cmd, d.said = h.command("run", "--log-level", "debug")
	if err := d.cmd.Start(); err != nil {
		h.b.Fatal(err)
	}
	h.until(func() bool { return d.rounds() >= 1 })
	return d
}

// rounds is how many rounds have ended, by the daemon's log: to ask it would
// cost the memory that is measured.
func (d *budgetDaemon) rounds() int { return strings.Count(d.said.String(), " trigger=") }

// poke asks for a round now.
func (d *budgetDaemon) poke() {
	d.home.b.Helper()
	ctx, cancel := context.WithTimeout(d.home.b.Context(), 10*time.Second)
	defer cancel()
	// Not by the program: starting it would take longer than what is measured.
	socket := filepath.Join(filepath.Dir(d.home.config), "control.sock")
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "unix", socket)
	}}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://cfddns/poke", nil)
	if err != nil {
		d.home.b.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		d.home.b.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		d.home.b.Fatalf("a poke was answered %s", response.Status)
	}
}

// pokeThrough asks for a round and returns how long it was until it had ended.
func (d *budgetDaemon) pokeThrough() time.Duration {
	d.home.b.Helper()
	before, began := d.rounds(), time.Now()
	d.poke()
	d.home.until(func() bool { return d.rounds() > before })
	return time.Since(began)
}

// end sends SIGTERM and returns how long the daemon took to end.
func (d *budgetDaemon) end() time.Duration {
	d.home.b.Helper()
	began := time.Now()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		d.home.b.Fatal(err)
	}
	if err := d.cmd.Wait(); err != nil {
		d.home.b.Fatalf("cfddns run: %v\n%s", err, d.said.String())
	}
	return time.Since(began)
}

// memory reads what Linux says of the daemon's memory, in MiB.
func (d *budgetDaemon) memory(key string) float64 {
	d.home.b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		d.home.b.Fatal(err)
	}
	for _, l := range strings.Split(string(text), "\n") {
		if value, ok := strings.CutPrefix(l, key+":"); ok {
			kB, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			if err != nil {
				d.home.b.Fatal(err)
			}
			return float64(kB) / 1024
		}
	}
	d.home.b.Fatalf("/proc/PID/status does not tell %s", key)
	return 0
}
