//go:build linux

package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/cfddns/cfddns/needs"
)

// The laboratory runs the program that users run, unmodified and with its
// default configuration, on the real host names of the services it talks to.
// Each scenario lives in namespaces of its own: a network that is empty but
// for loopback, and its own /etc/hosts and /etc/resolv.conf. In there a
// sandbox is the internet, and a gateway (gateway_test.go) stands on the
// real names and leads to it. Nothing of it outlives the scenario, and no root
// is needed where unprivileged user namespaces are allowed.

// labProgram is the variable that tells a test process inside the namespaces
// where the program is; outside it is not set.
const labProgram = "CFDDNS_TEST_LAB"

// programPackage is the program's.
const programPackage = "github.com/cfddns/cfddns/cmd/cfddns"

// labToken is the token of every program here; no output may ever show it.
const labToken = "cfut_thisTokenMustShowInNoOutputAtAll0123456789"

// A scenario is one test inside namespaces of its own.
type scenario struct {
	name string
	run  func(t *testing.T)
}

// scenarios lists all of them, those that wait for long first.
func scenarios() []scenario {
	all := []scenario{
		{"a record edited by hand is mended at the recheck", editedByHand},
		{"the daemon starts before the network exists", startedBeforeTheNetwork},
		{"a refused token does not end the daemon", tokenRefused},
		{"IPv6 comes, goes and comes back", ipv6ComesAndGoes},
		{"the doctor on real names", doctorOnRealNames},
	}
	for _, o := range outages() {
		all = append(all, scenario{"the daemon outlives: " + o.name, o.run})
	}
	for _, n := range notices() {
		all = append(all, scenario{"a change is noticed: " + n.name, n.run})
	}
	all = append(all, lineScenarios()...)
	all = append(all, boxScenarios()...)
	all = append(all, nameScenarios()...)
	return append(all, []scenario{
		{"killed while it creates", killedCreating},
		{"killed while it updates", killedUpdating},
		{"killed while it replaces a CNAME", killedReplacing},
		{"bad sources alone and in pairs", badSources},
		{"too many bad sources", tooManyBadSources},
		{"SIGTERM in the middle of a write", endedInAWrite},
		{"a full disk does not stop publishing", fullDisk},
		{"a machine without time zones", withoutTimeZones},
		{"a machine without any other file", withoutAnything},
		{"a cold start creates the record", coldStart},
		{"a CNAME at the name", aliasAtTheName},
		{"several records at the name", severalRecords},
		{"a write whose answer is lost", answerLost},
		{"a record moved twice is contested", contestedRecord},
		{"an update keeps what is not ours", metadataKept},
		{"IPv4 and IPv6", bothFamilies},
		{"an IPv6 lease that is dead", deadLease},
		{"behind the provider's NAT", behindCGNAT},
	}...)
}

// labAtOnce scenarios run side by side: most of them wait most of the time.
const labAtOnce = 6

func TestLab(t *testing.T) {
	t.Parallel()
	if inside := os.Getenv(labProgram); inside != "" {
		for _, s := range scenarios() {
			t.Run(s.name, s.run)
		}
		return
	}
	needs.Time(t, "it takes about 70 s, most of it waiting")
	needs.Program(t, "ip") // all of them need it
	place := needs.Namespaces(t, syscall.CLONE_NEWNET|syscall.CLONE_NEWNS|syscall.CLONE_NEWPID)
	program := buildProgram(t)
	sideBySide(t, scenarios(), labAtOnce, func(s scenario, test string) labEnd { return s.inside(place, program, test) })
}

// buildProgram builds what users run, by the line of README.md.
func buildProgram(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "cfddns")
	readme, err := os.ReadFile("../../../README.md")
	must(t, err)
	line := regexp.MustCompile(`(?m)^.*go build -o cfddns .*$`).FindString(string(readme))
	if line == "" {
		t.Fatal("README.md has no line that builds the program")
	}
	build := needs.Command(t, "sh", "-c", strings.Replace(line, "-o cfddns", `-o "$0"`, 1), program)
	build.Dir = "../../.."
	build.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false") // a clone may be another user's
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, output)
	}
	return program
}

// inside runs a test of the laboratory where it has all to itself.
func (s scenario) inside(place *syscall.SysProcAttr, program, test string) labEnd {
	if s.hasKernel() {
		return runInUML(program, test)
	}
	return runInside(place, program, test)
}

// runInside runs a test again, in new namespaces. That of processes makes all
// of them end with it.
func runInside(place *syscall.SysProcAttr, program, test string) labEnd {
	again := exec.Command(os.Args[0], onlyTest(test, "10m")...)
	again.Env = append(os.Environ(), labProgram+"="+program)
	again.SysProcAttr = place
	return endOf(again)
}

// mustRun runs one command a line; one that fails ends the test.
func mustRun(t *testing.T, lines string) {
	t.Helper()
	for words := range commands(lines) {
		if output, err := needs.Command(t, words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", words, err, output)
		}
	}
}

// ownFile lays a file of ours over one of the system, for this namespace only,
// and returns its path.
func ownFile(t *testing.T, path string) string {
	t.Helper()
	ours := filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.WriteFile(ours, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(ours, path, "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(fmt.Errorf("lay %s over %s: %w", ours, path, err))
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(path, 0); err != nil {
			t.Error(fmt.Errorf("unmount %s: %w", path, err))
		}
	})
	return ours
}
