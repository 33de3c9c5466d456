//go:build linux

package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/needs"
)

// besideProgram is a dynamic DNS updater in a home, configured as its manual
// says, with the host names of the services as they are.
type besideProgram struct {
	args []string
	env  []string
	// hook is what a hook of the router, or of the DHCP client, would do.
	hook func(h *besideHouse, p *besideProgram) error

	cmd   *exec.Cmd
	said  *voice
	ended chan struct{}
}

// program is what runs in the home, and its version.
func (h *besideHouse) program() (p *besideProgram, version string) {
	switch h.run.Program {
	case "cfddns":
		return h.cfddns(), ""
	case "inadyn":
		return h.inadyn(), debianVersion(h.b, "inadyn")
	}
	return h.ddclient(), debianVersion(h.b, "ddclient")
}

func debianVersion(b *testing.B, pkg string) string {
	said, err := needs.Command(b, "dpkg-query", "--show", "--showformat=${Version}", pkg).Output()
	if err != nil {
		return "unknown"
	}
	return string(said)
}

// shortest are the shortest settings that each program takes.
const (
	shortestCfddns   = "5s" // probe
	shortestInadyn   = 30   // seconds; less is raised to it
	shortestDdclient = 60   // seconds; less is raised to it
)

func (h *besideHouse) cfddns() *besideProgram {
	config := filepath.Join(h.dir, "cfddns.yaml")
	types := "A"
	if h.run.IPv6 {
		types = "AAAA"
	}
	text := "records:\n  - name: " + labName + "\n    types: [" + types + "]\n"
	if h.run.Setting == "shortest" {
		text += "probe: " + shortestCfddns + "\n"
	}
	if h.run.IPv6 && h.run.Way == byNothing {
		text += "ip: {bind: \"fd00:1::10\"}\n" // behind NAT66 no address of the machine is one that the world can reach: it is told which to ask from
	}
	if h.run.Way == byPush {
		text += besidePush
	}
	h.write(config, text)
	env := []string{"CFDDNS_STATE=" + filepath.Join(h.dir, "state"), "CFDDNS_CONFIG=" + config, "CLOUDFLARE_API_TOKEN=" + labToken}
	poke := func(h *besideHouse, _ *besideProgram) error {
		poke := h.home.inside(h.run.Binary, "poke")
		poke.Env = append(h.env, env...)
		return said(poke.CombinedOutput())
	}
	args := []string{h.run.Binary, "run"}
	if os.Getenv(besideSay) != "" {
		args = append(args, "--log-level", "debug")
	}
	return &besideProgram{args: args, env: env, hook: poke}
}

// inadyn is configured as examples/cloudflare-ipv4-only.conf, and asks an echo
// that the sandbox plays.
func (h *besideHouse) inadyn() *besideProgram {
	period := ""
	if h.run.Setting == "shortest" {
		period = fmt.Sprintf("period = %d\n", shortestInadyn)
	}
	config := filepath.Join(h.dir, "inadyn.conf")
	h.write(config, period+`ca-trust-file = `+filepath.Join(h.dir, "roots.pem")+`
provider cloudflare.com {
	checkip-server = checkip.amazonaws.com
	username = example.com
	password = `+labToken+`
	hostname = `+labName+`
	ttl = 1
	proxied = false
}
`)
	cache := filepath.Join(h.dir, "cache")
	if err := os.Mkdir(cache, 0o700); err != nil {
		h.b.Fatal(err)
	}
	return &besideProgram{
		args: []string{"inadyn", "-n", "-f", config, "--cache-dir=" + cache, "-P", filepath.Join(h.dir, "inadyn.pid")},
		hook: func(_ *besideHouse, p *besideProgram) error { return p.cmd.Process.Signal(syscall.SIGUSR2) }, // check the address now
	}
}

// ddclient is configured as its sample says. Its shortest setting also lowers
// the least time between two updates, five minutes, which else holds changes;
// so does the home that has a hook.
func (h *besideHouse) ddclient() *besideProgram {
	daemon, least := 300, "" // as Debian's service has it
	if h.run.Setting == "shortest" || h.run.Way == byHook {
		daemon, least = shortestDdclient, "min-interval=30, \\\n"
	}
	config := filepath.Join(h.dir, "ddclient.conf")
	h.write(config, fmt.Sprintf(`daemon=%d
ssl=yes
ssl_ca_file=%s
use=web, web=checkip.amazonaws.com/
protocol=cloudflare, \
zone=example.com, \
ttl=1, \
%slogin=token, \
password=%s \
%s
`, daemon, filepath.Join(h.dir, "roots.pem"), least, labToken, labName))
	return &besideProgram{
		args: []string{"ddclient", "-foreground", "-file", config, "-cache", filepath.Join(h.dir, "ddclient.cache"), "-pid", filepath.Join(h.dir, "ddclient.pid")},
		hook: func(_ *besideHouse, p *besideProgram) error { return p.cmd.Process.Signal(syscall.SIGHUP) }, // ends its sleep
	}
}

// start starts the program: at home, or on the machine that has the address of
// the line, for the kernel to tell.
func (p *besideProgram) start(h *besideHouse) {
	at := h.home
	if h.run.Way == byKernel && !h.run.IPv6 {
		at = h.router
	}
	p.cmd, p.said, p.ended = at.inside(p.args...), new(voice), make(chan struct{})
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = h.dir, append(h.env, p.env...), p.said, p.said
	if os.Getenv(besideSay) != "" {
		p.cmd.Stdout, p.cmd.Stderr = os.Stderr, os.Stderr
	}
	if err := p.cmd.Start(); err != nil {
		h.b.Fatal(err)
	}
	go func() { // ends with the program, which the cleanup waits for
		defer close(p.ended)
		_ = p.cmd.Wait()
	}()
	h.b.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.ended
		if h.b.Failed() {
			h.b.Logf("%s said:\n%s", h.run.Program, p.said)
		}
	})
}

// announce starts a router daemon that tells the LAN each new address, by
// NAT-PMP (RFC 6886, section 3.2.1).
func (h *besideHouse) announce() {
	config := filepath.Join(h.dir, "miniupnpd.conf")
	h.write(config, `ext_ifname=wan0
listening_ip=lan0
enable_natpmp=yes
enable_upnp=no
uuid=5a1f2f0c-6d0e-4c3c-8a51-3a7c8d2b9e10
lease_file=`+filepath.Join(h.dir, "leases")+"\n")
	daemon := h.router.inside("miniupnpd", "-d", "-f", config, "-P", filepath.Join(h.dir, "miniupnpd.pid"))
	said := new(voice)
	daemon.Stdout, daemon.Stderr = said, said
	if err := daemon.Start(); err != nil {
		h.b.Fatal(err)
	}
	h.b.Cleanup(func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
		if h.b.Failed() {
			h.b.Logf("miniupnpd said:\n%s", said)
		}
	})
}

// besidePush is what a router's own updater can push to.
const besidePush = "push: {listen: 192.168.1.10:8245, password: a-word-for-the-router}\n"

// push tells the program the new address as a router does that speaks the
// DynDNS 2 protocol. The router waits for the answer, which comes when the
// round has ended, and nobody else does.
func (h *besideHouse) push() error {
	push := h.router.inside("curl", "-sS", "-u", "cfddns:a-word-for-the-router", "http://192.168.1.10:8245/nic/update?hostname="+labName+"&myip="+h.address().String())
	if err := push.Start(); err != nil {
		return err
	}
	go func() { _ = push.Wait() }() // ends with the answer, or with the namespace
	return nil
}

func said(output []byte, err error) error {
	if err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	return nil
}

// memory is what Linux says of the program's memory, in MiB, by key of /proc/PID/status.
func (p *besideProgram) memory(b *testing.B) map[string]float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	memory := map[string]float64{}
	for l := range strings.Lines(string(text)) {
		if words := strings.Fields(l); len(words) == 3 && words[2] == "kB" {
			kB, _ := strconv.ParseFloat(words[1], 64) // the kernel writes numbers
			memory[strings.TrimSuffix(words[0], ":")] = kB / 1024
		}
	}
	return memory
}

// cpu is the processor time that the program and its children have taken.
func (p *besideProgram) cpu(b *testing.B) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name may hold blanks
	words := strings.Fields(rest)
	const utime, tick = 14 - 3, 10 * time.Millisecond // proc(5): field 14; Linux tells hundredths everywhere
	sum := 0
	for _, word := range words[utime : utime+4] { // user and system, and the same of children
		n, _ := strconv.Atoi(word)
		sum += n
	}
	return time.Duration(sum) * tick
}
