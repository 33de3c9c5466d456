//go:build linux

package lab

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cfddns/cfddns/needs"
	"github.com/cfddns/cfddns/sandbox"
)

// The image is built from the Dockerfile by podman and run as docs/container.md
// says. Each scenario is a machine behind a router, with podman and an empty
// store, in namespaces of its own: nothing is left on the machine it runs on,
// whose own containers and networks it does not see. It needs root, since the
// container runs as a user of its own.

// labImage is the variable that names the directory of what was built; outside
// of the namespaces it is not set.
const labImage = "CFDDNS_TEST_IMAGE"

// imageScenarios are run with the image that buildImage made.
func imageScenarios() []scenario {
	return []scenario{
		{"a container is healthy whatever the network says, and not if the loop stands still", healthOfTheLoop},
		{"two containers and a daemon on one network each answer for themselves", threeOnOneNetwork},
		{"on a bridge the router is found, and without IPv6 the A record is kept", onABridge},
		{"with the host's network both records are kept", onTheHostsNetwork},
		{"the image builds for other processors without emulation", otherProcessors},
		{"a container needs no volume, no privilege and no writable file", hardened},
		{"the token is a secret that no inspection shows", tokenAsSecret},
		{"a one-shot in a container ends with its own exit code", onceInAContainer},
		{"a volume is remembered, and one that cannot be written is told", stateInAVolume},
		{"compose.yaml is hardened and runs as it stands", composed},
	}
}

// imageAtOnce scenarios run side by side.
const imageAtOnce = 4

func TestImage(t *testing.T) {
	t.Parallel()
	build := scenario{"it holds the program, certificates, time zones and nothing else", buildImage}
	if os.Getenv(labImage) != "" {
		for _, s := range append(imageScenarios(), build) {
			t.Run(s.name, s.run)
		}
		return
	}
	needs.Time(t, "it builds an image and runs it in half a minute")
	needs.Root(t) // the container runs as a user of its own
	needs.Programs(t, "busybox", "ip", "iptables", "miniupnpd", "nsenter", "podman", "runc", "sysctl", "tar")
	needs.File(t, "/"+goRoots)
	dir := t.TempDir()
	t.Cleanup(func() { removeGroups(t, imageGroup(dir)) })
	if !t.Run(build.name, func(t *testing.T) { imageInside(dir, t.Name()).judge(t) }) {
		return
	}
	sideBySide(t, imageScenarios(), imageAtOnce, func(_ scenario, test string) labEnd { return imageInside(dir, test) })
}

// imageInside runs a test again, as root. The first process of the namespace is
// a shell: it buries what podman leaves to it.
func imageInside(dir, test string) labEnd {
	again := exec.Command("sh", append([]string{"-c", `"$0" "$@"; exit $?`, os.Args[0]}, onlyTest(test, "10m")...)...)
	again.Env = append(os.Environ(), labImage+"="+dir, labProgram+"="+filepath.Join(dir, "cfddns"))
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	return endOf(again)
}

// imageGroup is the control group of all containers here. Such groups are the
// one thing that a namespace does not take with it.
func imageGroup(dir string) string { return filepath.Base(filepath.Dir(dir)) }

// removeGroups removes a control group with those in it, from every hierarchy.
func removeGroups(t *testing.T, name string) {
	roots, err := filepath.Glob("/sys/fs/cgroup/*/" + name)
	must(t, err)
	for _, root := range append(roots, "/sys/fs/cgroup/"+name) {
		removeCgroup(t, root) // most hierarchies have none
	}
}

// A depot is podman with a store of its own.
type depot struct {
	t     *testing.T
	built string   // the directory with what was built
	conf  string   // containers.conf
	at    []string // what leads to the machine it runs on
}

// newDepot covers the places where podman keeps things. Nobody outside of the
// namespace sees that, and the kernel clears it away with it.
func newDepot(t *testing.T) *depot {
	t.Helper()
	if os.Getenv(labImage) == "" {
		t.Fatal("this runs in the namespaces of TestImage only")
	}
	must(t, syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	must(t, syscall.Mount("proc", "/proc", "proc", 0, ""))
	for _, place := range []string{"/var/lib/containers", "/run", "/dev/shm"} {
		must(t, os.MkdirAll(place, 0o755))
		must(t, syscall.Mount("tmpfs", place, "tmpfs", 0, ""))
	}
	for _, place := range []string{"/run/netns", "/run/networks", "/run/lock"} {
		must(t, os.Mkdir(place, 0o755))
	}
	d := &depot{t: t, built: os.Getenv(labImage), conf: filepath.Join(t.TempDir(), "containers.conf")}
	// No systemd answers in here; the limits are ones that a root without
	// CAP_SYS_RESOURCE may set.
	must(t, os.WriteFile(d.conf, []byte(`[containers]
default_ulimits = ["nofile=1024:4096", "nproc=1024:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
network_config_dir = "/run/networks"
`), 0o644))
	t.Cleanup(func() { d.try("rm", "--force", "--all", "--time=0") })
	return d
}

// try runs podman, and returns what it said and its exit code. That no systemd
// is there to call the health check is no news.
func (d *depot) try(args ...string) (stdout, stderr string, code int) {
	d.t.Helper()
	words := append(append(d.at[:len(d.at):len(d.at)], "podman", "--log-level=panic"), args[0])
	if args[0] == "run" { // what is built leaves none
		words = append(words, "--cgroup-parent=/"+imageGroup(d.built))
	}
	words = append(words, args[1:]...)
	needs.Program(d.t, "podman")
	podman := exec.Command(words[0], words[1:]...)
	podman.Env = []string{"PATH=" + needs.Path(), "HOME=/root", "CONTAINERS_CONF=" + d.conf}
	var out, errs bytes.Buffer
	podman.Stdout, podman.Stderr = &out, &errs
	err := podman.Run()
	if said := out.String() + errs.String(); strings.Contains(said, labToken) {
		d.t.Errorf("podman %s shows the token:\n%s", strings.Join(args, " "), said)
	}
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		d.t.Fatalf("podman %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), errs.String(), podman.ProcessState.ExitCode()
}

// podman runs podman, which must end well, and returns what it printed.
func (d *depot) podman(args ...string) string {
	d.t.Helper()
	stdout, stderr, code := d.try(args...)
	if code != 0 {
		d.t.Fatalf("podman %s ended with %d:\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return strings.TrimSpace(stdout)
}

// An imageLab is a machine with podman and the image, behind a router.
type imageLab struct {
	*lab
	*depot
	router *uplink
	box    *box
}

// newImageLab makes a world in which containers run.
func newImageLab(t *testing.T, c sandbox.Config) *imageLab {
	t.Helper()
	d := newDepot(t)
	l := newWideLab(t, c)
	il := &imageLab{lab: l, depot: d, router: l.uplink("line", labHome)}
	il.box = il.router.home("box")
	d.at = il.box.inside().Args
	token := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(token, []byte(labToken), 0o600))
	d.podman("secret", "create", "cfddns-token", token)
	d.podman("load", "--quiet", "--input", filepath.Join(d.built, "image.tar"))
	return il
}
