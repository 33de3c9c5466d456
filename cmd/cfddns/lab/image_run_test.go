//go:build linux

package lab

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
)

// The flags that docs/container.md gives to docker run and to podman.
var (
	imageSealed = []string{"--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"}
	imageToken  = []string{"--secret=cfddns-token,target=/token,uid=65532,mode=0400", "--env=CLOUDFLARE_API_TOKEN_FILE=/token"}
)

// words are the flags of a container, behind the name of what is to be done.
func (il *imageLab) words(do string, more ...string) []string {
	words := append([]string{do, "--env=CFDDNS_RECORDS=" + labName, "--volume=" + il.roots() + ":/" + goRoots + ":ro"}, imageSealed...)
	return append(append(words, imageToken...), more...)
}

// roots is the file of the certificates that this world trusts.
func (il *imageLab) roots() string {
	for _, v := range il.env {
		if path, ok := strings.CutPrefix(v, "SSL_CERT_FILE="); ok {
			return path
		}
	}
	il.Fatal("no roots")
	return ""
}

// daemon starts a container.
func (il *imageLab) daemon(name string, more ...string) *container {
	il.Helper()
	il.podman(append(il.words("run", "--detach", "--name="+name), more...)...)
	c := &container{il, name}
	il.Cleanup(func() {
		if il.Failed() {
			il.Logf("%s said:\n%s", name, c.logs())
		}
	})
	return c
}

// A container is a daemon that runs in one.
type container struct {
	il   *imageLab
	name string
}

// status is how the daemon stands; the zero value if none answers.
func (c *container) status() (report standing) {
	c.il.Helper()
	stdout, _, _ := c.il.try("exec", c.name, "/cfddns", "status", "--output", "json")
	_ = json.Unmarshal([]byte(stdout), &report)
	return report
}

func (c *container) logs() string {
	stdout, stderr, _ := c.il.try("logs", c.name)
	return stdout + stderr
}

// healthy runs the health check of the image, as docker and podman do every minute.
func (c *container) healthy() bool {
	c.il.Helper()
	_, _, code := c.il.try("healthcheck", "run", c.name)
	return code == 0
}

// right waits until the daemon has proved its names.
func (c *container) right(names int) {
	c.il.Helper()
	c.il.within(20*time.Second, c.name+" has proved its names", func() bool { return c.status().Proved == names })
}

// inspect asks podman about the container.
func (c *container) inspect(format string) string {
	c.il.Helper()
	return c.il.podman("inspect", "--format="+format, c.name)
}

func hardened(t *testing.T) {
	il := newImageLab(t, sandbox.Config{})
	c := il.daemon("cfddns", "--network=host", "--env=CFDDNS_SCHEDULE=CRON_TZ=Europe/Berlin 0 4 * * *", "cfddns")
	c.right(1)
	il.wantHolds(labName, labHome)

	status, err := os.ReadFile("/proc/" + c.inspect("{{.State.Pid}}") + "/status")
	must(t, err)
	for _, want := range []string{"Uid:\t65532\t65532\t65532\t65532", "Gid:\t65532\t65532", "CapPrm:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "NSpid:"} {
		if !strings.Contains(string(status), want) {
			t.Errorf("the process has not %q:\n%s", want, status)
		}
	}
	if _, _, code := il.try("exec", c.name, "sh"); code == 0 {
		t.Error("there is a shell")
	}
	four, err := time.LoadLocation("Europe/Berlin")
	must(t, err)
	var next struct{ Next time.Time }
	must(t, json.Unmarshal([]byte(il.podman("exec", c.name, "/cfddns", "status", "--output=json")), &next))
	if at := next.Next.In(four); at.Hour() != 4 || at.Minute() != 0 {
		t.Errorf("the next round is at %s, and the schedule says 4:00 in Berlin", at)
	}
	il.podman("exec", c.name, "/cfddns", "poke", "--quiet")
	il.podman("exec", c.name, "/cfddns", "poke", "--wait")
	il.podman("exec", c.name, "/cfddns", "once", "--dry-run", "--assume", labMoved)
	il.wantHolds(labName, labHome)

	il.fault("batch hang", "edit hang")
	_, before := il.calls()
	il.world.SetWAN(netip.MustParseAddr(labMoved), netip.Addr{})
	il.router.move(labMoved)
	il.podman("exec", c.name, "/cfddns", "poke")
	il.within(20*time.Second, "a write is under way", func() bool { _, writes := il.calls(); return writes > before })
	began := time.Now()
	il.podman("stop", "--time=10", c.name)
	took := time.Since(began)
	if code := c.inspect("{{.State.ExitCode}}"); code != "0" { // 137 if it had to be killed
		t.Errorf("it is process 1: SIGTERM in the middle of a write ended it with %s after %s", code, took)
	}
	t.Logf("stopped in the middle of a write after %s", took.Round(10*time.Millisecond))
}

func onceInAContainer(t *testing.T) {
	il := newImageLab(t, sandbox.Config{})
	once := func(want int) {
		t.Helper()
		stdout, stderr, code := il.try(append(il.words("run", "--rm", "--network=host"), "cfddns", "once")...)
		if code != want {
			t.Errorf("it ended with %d, want %d:\n%s%s", code, want, stdout, stderr)
		}
	}
	once(0)
	il.wantHolds(labName, labHome)
	il.control("/tokens", record{"status": "disabled"})
	once(ddns.ExitRefused)
	il.control("/tokens", record{"status": "active"})
	for _, s := range []string{"cloudflare", "amazon", "google", "akamai", "identme", "desec", "nsupdate", "ipify"} {
		il.fault("echo:" + s + " portal")
	}
	once(ddns.ExitHeld)
	il.wantHolds(labName, labHome)
}

func tokenAsSecret(t *testing.T) {
	il := newImageLab(t, sandbox.Config{})
	c := il.daemon("cfddns", "--network=host", "cfddns")
	c.right(1)
	il.podman("inspect", c.name) // try looks for the token in what any call prints
	il.podman("inspect", "cfddns")
	il.podman("exec", c.name, "/cfddns", "check")
	if said := c.logs(); !strings.Contains(said, "token=CLOUDFLARE_API_TOKEN_FILE") {
		t.Errorf("it does not say where the token came from:\n%s", said)
	}

	// Root's own file, shown to a container whose user is not root.
	file := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(file, []byte(labToken+"\n"), 0o600))
	words := append([]string{"run", "--rm", "--network=host", "--env=CFDDNS_RECORDS=" + labName, "--volume=" + il.roots() + ":/" + goRoots + ":ro", "--volume=" + file + ":/token:ro", "--env=CLOUDFLARE_API_TOKEN_FILE=/token"}, imageSealed...)
	stdout, stderr, code := il.try(append(words, "cfddns")...)
	if code != ddns.ExitUsage || !strings.Contains(stderr, "CLOUDFLARE_API_TOKEN_FILE: /token: ") || !strings.Contains(stderr, "chown 65532") {
		t.Errorf("it ended with %d and said:\n%s%s", code, stdout, stderr)
	}
	t.Log(stderr)
	must(t, os.Chown(file, 65532, 65532))
	if _, stderr, code := il.try(append(words, "cfddns", "once")...); code != 0 {
		t.Errorf("with the remedy it ended with %d:\n%s", code, stderr)
	}
}

func stateInAVolume(t *testing.T) {
	il := newImageLab(t, sandbox.Config{})
	const state = "--env=CFDDNS_STATE=/state"
	once := func(volume string) string {
		t.Helper()
		stdout, stderr, code := il.try(append(il.words("run", "--rm", "--network=host", state), volume, "cfddns", "once")...)
		if code != 0 {
			t.Errorf("with %s it ended with %d:\n%s%s", volume, code, stdout, stderr)
		}
		return stdout + stderr
	}
	if said := once("--volume=cfddns:/state"); strings.Contains(said, "state") {
		t.Errorf("with a new volume it says:\n%s", said)
	}
	kept, err := filepath.Glob(il.podman("volume", "inspect", "--format={{.Mountpoint}}", "cfddns") + "/*")
	must(t, err)
	if len(kept) == 0 {
		t.Error("the volume is empty")
	}
	il.clear(labName)
	if said := once("--tmpfs=/tmp"); !strings.Contains(said, "in a container as a volume") {
		t.Errorf("without a volume it says:\n%s", said)
	}
	roots := t.TempDir()
	must(t, os.Chmod(roots, 0o755))
	il.clear(labName)
	said := once("--volume=" + roots + ":/state")
	il.wantHolds(labName, labHome)
	t.Log(said)
	if !strings.Contains(said, "/state") || !strings.Contains(said, "chown 65532") {
		t.Errorf("with a directory of root it says:\n%s", said)
	}
}

func healthOfTheLoop(t *testing.T) {
	il := newImageLab(t, sandbox.Config{})
	c := il.daemon("cfddns", "--network=host", "cfddns")
	c.right(1)
	after := func(what string) {
		t.Helper()
		if !c.healthy() {
			t.Errorf("%s: it is unhealthy", what)
		}
	}
	raised := func(code ddns.Code) {
		t.Helper()
		il.podman("exec", c.name, "/cfddns", "poke")
		il.within(20*time.Second, fmt.Sprint(code, " is raised"), func() bool {
			r := c.status().Round
			if r == nil {
				return false
			}
			_, raised := has(*r, code)
			return raised
		})
		after(string(code))
	}
	after("all is well")
	il.control("/tokens", record{"status": "disabled"})
	il.router.move(labMoved)
	raised(ddns.CodeToken)
	il.control("/tokens", record{"status": "active"})
	il.fault("echo:cloudflare lie 45.67.91.200", "echo:amazon lie 45.67.91.200", "echo:google lie 45.67.91.201", "echo:akamai lie 45.67.91.201")
	raised(ddns.CodeSplit)
	il.world.ClearFaults()
	il.router.do("ip link set wan0 down")
	raised(ddns.CodeNoQuorum)
	il.podman("kill", "--signal=STOP", c.name)
	if c.healthy() {
		t.Error("its process is stopped, and it is healthy")
	}
	il.podman("kill", "--signal=CONT", c.name)
	after("it goes on")
}

// Abstract sockets belong to the network: on that of the host none may answer
// for another, whoever their users are.
func threeOnOneNetwork(t *testing.T) {
	il := newImageLab(t, sandbox.Config{})
	host := il.box.start("run", "--log-level=debug")
	names := map[string]string{"one": "one.example.com", "two": "two.example.com"}
	at := map[string]*container{}
	for name, record := range names {
		at[name] = il.daemon(name, "--network=host", "--user=0", "--secret=cfddns-token,target=/own,mode=0400", "--env=CLOUDFLARE_API_TOKEN_FILE=/own", "--env=CFDDNS_RECORDS="+record, "cfddns")
	}
	il.within(20*time.Second, "the host's daemon is right", func() bool { return il.box.status().Proved == 1 })
	for name, c := range at {
		c.right(1)
		if r := c.status().Round; r == nil || len(r.Targets) != 1 || r.Targets[0].Name != names[name] {
			t.Errorf("%s is told of %v", name, r.Targets)
		}
	}
	if r := il.box.status().Round; len(r.Targets) != 1 || r.Targets[0].Name != labName {
		t.Errorf("the host's status tells of %v", r.Targets)
	}
	il.podman("kill", "--signal=STOP", "one")
	if at["one"].healthy() {
		t.Error("one stands still, and is healthy")
	}
	if !at["two"].healthy() {
		t.Error("two is unhealthy, for one stands still")
	}
	il.podman("stop", "--time=5", "two")
	_, _, code := il.try(append(il.words("run", "--rm", "--network=host", "--user=0"), "cfddns", "healthcheck")...)
	if code != ddns.ExitUnexpected {
		t.Errorf("where no daemon runs the health check ends with %d", code)
	}
	if !host.runs() {
		t.Error("the host's daemon ended")
	}
}
