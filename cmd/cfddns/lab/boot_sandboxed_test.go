//go:build linux

package lab

import (
	"io"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/needs"
	"github.com/cfddns/cfddns/sandbox"
)

// sandboxedConfig uses all that a unit could take away.
const sandboxedConfig = labConfig + `probe: 5s
schedule: "@every 6h"
ip:
  sources: [default, {command: [/bin/cat, /etc/my-address], operator: me}]
notify:
  command: [/bin/sh, -c, "cat >>/var/lib/cfddns/told"]
  on_change: [/bin/sh, -c, "echo $OLD $NEW >>/var/lib/cfddns/changed"]
push: {listen: "192.168.1.10:8245", user: cfddns}
`

// labPassword is that of the pushes.
const labPassword = "aPasswordForPushes"

// serviceSandboxed runs the hardened unit, and every part of the program that
// asks something of the kernel.
func serviceSandboxed(t *testing.T) {
	l := newLab(t, sandbox.Config{})
	l.wireRouter()
	l.gate.stand(service{"192.168.1.1", "1900", []string{"udp"}}) // UPnP alone at first
	l.gate.stand(service{"192.168.1.1", "5000", []string{"tcp"}})
	r := l.serviceTree().configure()
	r.write("/etc/cfddns/cfddns.yaml", sandboxedConfig, 0o644)
	r.write("/etc/my-address", labHome+"\n", 0o644)
	r.write("/etc/cfddns/push-password", labPassword+"\n", 0o600)
	r.write("/etc/systemd/system/cfddns.service.d/push.conf", "[Service]\nLoadCredential=push-password:/etc/cfddns/push-password\n", 0o644)
	s := l.boot(r)
	s.serves(labHome)
	refused := s.traced()

	s.run("cfddns", "poke", "--wait")
	told := s.run("cfddns", "status", "--output", "json")
	for _, words := range []string{`"source":"cat","operator":"me","address":"` + labHome, "upnp at 192.168.1.1"} {
		if !strings.Contains(compact(told), words) {
			t.Errorf("the round does not say %s:\n%s", words, told)
		}
	}

	s.notices("45.67.90.2", "the kernel: eth0 has", func() { mustRun(t, "ip addr add 45.67.90.2/32 dev eth0") })
	mustRun(t, "ip addr del 45.67.90.2/32 dev eth0")

	l.gate.stand(service{"192.168.1.1", "5351", []string{"udp"}}) // now NAT-PMP as well
	l.gate.stop("stun.l.google.com")                              // no probe gets through
	s.run("systemctl", "reload", "cfddns")
	s.says("cfddns", "the router is watched for a new address")
	s.run("cfddns", "poke", "--wait") // after the round that the reload began
	s.notices("45.67.90.3", "the router 192.168.1.1: 45.67.90.3", func() {})
	s.pushed("45.67.90.4")

	l.gate.stop("192.168.1.1")
	l.gate.stand(service{"stun.l.google.com", "19302", []string{"udp"}})
	l.within(10*time.Second, "the command of notify.on_change has run", func() bool {
		changed, _ := s.try("cat", "/var/lib/cfddns/changed")
		return strings.Contains(changed, "45.67.90.3 45.67.90.4")
	})
	s.run("systemctl", "reload", "cfddns") // the router is gone: the way out is looked at, hop by hop
	s.right("45.67.90.4")
	s.run("cfddns", "poke", "--wait")
	doctor, _ := s.try("env", "CLOUDFLARE_API_TOKEN_FILE=/etc/cfddns/token", "CFDDNS_PUSH_PASSWORD="+labPassword, "cfddns", "doctor", labName)
	if !strings.Contains(doctor, "the daemon runs; its last round was") {
		t.Errorf("the doctor does not reach the daemon:\n%s", doctor)
	}
	if denied := refused(); denied != "" {
		t.Errorf("the unit does not let the program do all that it does:\n%s", denied)
	}
}

// wireRouter lays a cable to a router at the end of a default route.
func (l *lab) wireRouter() {
	l.Helper()
	mustRun(l.T, `ip link add eth0 type veth peer name lan0
		ip link set lan0 up
		ip link set eth0 up
		ip addr add 192.168.1.10/24 dev eth0
		ip route add default via 192.168.1.1`)
	l.Cleanup(func() { l.gate.stop("192.168.1.1") })
}

// compact is a document without blanks.
func compact(document string) string {
	return regexp.MustCompile(`\s*([\[\]{}:,"])\s*`).ReplaceAllString(document, "$1")
}

// notices moves the home, and waits until the record has followed for a reason.
func (s *system) notices(address, because string, tell func()) {
	s.l.Helper()
	s.write("/etc/my-address", address+"\n", 0o644)
	s.l.world.SetWAN(netip.MustParseAddr(address), netip.Addr{})
	tell()
	s.right(address)
	s.says("cfddns", because)
}

// pushed moves the home, and has a router push that.
func (s *system) pushed(address string) {
	s.l.Helper()
	s.l.world.SetWAN(netip.MustParseAddr(address), netip.Addr{})
	s.write("/etc/my-address", address+"\n", 0o644)
	request, err := http.NewRequest(http.MethodGet, "http://192.168.1.10:8245/nic/update?hostname="+labName+"&myip="+address, nil)
	must(s.l.T, err)
	request.SetBasicAuth("cfddns", labPassword)
	response, err := http.DefaultClient.Do(request)
	must(s.l.T, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	must(s.l.T, err)
	if !strings.Contains(string(answer), address) {
		s.l.Fatalf("the push was answered %s %q; the journal:\n%s", response.Status, answer, s.journal("cfddns"))
	}
	s.right(address)
}

// traced watches what the service asks of the kernel from now on, and returns
// a question: which of that was refused by permission?
func (s *system) traced() func() string {
	s.l.Helper()
	said := new(voice)
	pid := s.process(s.show("cfddns", "MainPID"))
	// epoll_ctl(2) takes no regular files, and Go tries; what rt_sigreturn(2)
	// returns is the interrupted call's.
	strace := needs.Command(s.l.T, "strace", "-f", "-Z", "-e", "trace=!epoll_ctl,rt_sigreturn", "-p", strconv.Itoa(pid))
	strace.Stderr = said
	must(s.l.T, strace.Start())
	s.l.Cleanup(func() {
		_ = strace.Process.Kill()
		_ = strace.Wait()
	})
	s.l.within(10*time.Second, "strace is attached", func() bool { return strings.Contains(said.String(), " attached") })
	return func() string {
		_ = strace.Process.Signal(syscall.SIGTERM)
		_ = strace.Wait() // by that signal, when it has said all
		if !strings.Contains(said.String(), "= -1 EAGAIN") {
			s.l.Errorf("strace saw nothing of a service that waits for the network:\n%s", said)
		}
		var denied []string
		refusal := regexp.MustCompile(`= -1 E(PERM|ACCES|AFNOSUPPORT|ROFS) `)
		for line := range strings.Lines(said.String()) {
			if refusal.MatchString(line) {
				denied = append(denied, line)
			}
		}
		return strings.Join(denied, "")
	}
}
