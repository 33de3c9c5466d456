//go:build linux

package lab

import (
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/sandbox"
)

// timerInstead runs the one-shot by its timer, beside and without the daemon.
func timerInstead(t *testing.T) {
	l := newLab(t, sandbox.Config{})
	s := l.boot(l.serviceTree().configure())
	s.run("systemctl", "start", "cfddns-once") // as the timer does
	l.wantHolds(labName, labHome)
	s.write("/etc/systemd/system/cfddns-once.timer.d/lab.conf", "[Timer]\nOnCalendar=\nOnCalendar=*:*:*\nRandomizedDelaySec=0\n", 0o644)
	s.run("systemctl", "daemon-reload")
	l.world.SetWAN(netip.MustParseAddr(labMoved), netip.Addr{})
	s.run("systemctl", "enable", "--now", "cfddns-once.timer")
	l.within(20*time.Second, "the timer's round follows the home", func() bool { return l.holds(labName, labMoved) })

	s.serves(labMoved) // the daemon reads what the rounds remembered, and they are skipped
	l.within(20*time.Second, "rounds are skipped beside the daemon", func() bool {
		return strings.Contains(s.journal("cfddns-once"), "unmet condition check (ConditionPathExists=!/run/cfddns)")
	})
	s.run("systemctl", "disable", "--now", "cfddns-once.timer")
	s.run("systemctl", "stop", "cfddns")

	l.fault("api 500") // nobody here can mend that: told, and no failure
	s.run("systemctl", "start", "cfddns-once")
	s.says("cfddns-once", "unreachable")
	s.wantShow("cfddns-once", "Result", "success")
	l.world.ClearFaults()
	s.write("/etc/cfddns/token", "cfut_anotherTokenThatNobodyKnows0123456789012\n", 0o600)
	s.fails("systemctl", "start", "cfddns-once") // a person must
	s.wantShow("cfddns-once", "ExecMainStatus", "4")
}

// tokenElsewhere takes the token from an environment file, and from an
// encrypted credential.
func tokenElsewhere(t *testing.T) {
	l := newLab(t, sandbox.Config{})
	s := l.boot(l.serviceTree())
	s.write("/etc/cfddns/environment", "CFDDNS_RECORDS="+labName+"\nCLOUDFLARE_API_TOKEN="+labToken+"\n", 0o600)
	s.serves(labHome)
	s.run("systemctl", "stop", "cfddns")
	s.write("/etc/cfddns/environment", "CFDDNS_RECORDS="+labName+"\n", 0o600)
	s.script("systemd-creds encrypt --name=cloudflare-token - /etc/cfddns/token.cred", labToken)
	s.dropIn("cfddns", "[Service]\nLoadCredentialEncrypted=cloudflare-token:/etc/cfddns/token.cred\n")
	s.serves(labHome)
	s.says("cfddns", `token="the credential cloudflare-token"`)
}

// machineIll takes from the running service what a machine may lose: the room
// for its state, the right to write it, IPv6.
func machineIll(t *testing.T) {
	l := newLab(t, sandbox.Config{})
	mustRun(t, "sysctl -q -w net.ipv6.conf.all.disable_ipv6=1")
	r := l.serviceTree().configure()
	s := l.boot(r)
	s.run("mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "state", "/var/lib/private")
	s.serves(labHome)
	s.script("head -c 64k /dev/zero >/var/lib/private/full || true", "")
	l.world.SetWAN(netip.MustParseAddr(labMoved), netip.Addr{})
	s.run("cfddns", "poke", "--wait")
	l.wantHolds(labName, labMoved)
	if said := s.run("cfddns", "status"); !strings.Contains(said, "no space left on device") {
		t.Errorf("a full disk is not told:\n%s", said)
	}
	s.run("rm", "/var/lib/private/full")
	s.run("cfddns", "poke", "--wait")
	if said := s.run("cfddns", "status"); strings.Contains(said, "no space left on device") {
		t.Errorf("there is room again, and it is told all the same:\n%s", said)
	}

	s.dropIn("cfddns", "[Service]\nReadOnlyPaths=/var/lib/private/cfddns\n")
	s.run("systemctl", "restart", "cfddns")
	l.world.SetWAN(netip.MustParseAddr(labHome), netip.Addr{})
	s.run("cfddns", "poke", "--wait")
	s.right(labHome)
	if said := s.run("cfddns", "status"); !strings.Contains(said, "read-only file system") {
		t.Errorf("a state that cannot be written is not told:\n%s", said)
	}
	s.wantShow("cfddns", "NRestarts", "0")
}

// installPage runs every block of the install page, one after the other, as
// a person who copies and pastes does.
func installPage(t *testing.T) {
	l := newLab(t, sandbox.Config{})
	r := l.newTree()
	r.copy(os.Getenv(labProgram), "/root/cfddns", 0o755)
	for _, file := range []string{"systemd/cfddns.service", "systemd/cfddns-once.service", "systemd/cfddns-once.timer", "configs/minimal.yaml"} {
		r.copy("../../../"+file, "/root/"+file, 0o644)
	}
	r.write("/usr/local/bin/sudo", "#!/bin/sh\nexec \"$@\"\n", 0o755) // we are root already
	s := l.boot(r)
	page, err := os.ReadFile("../../../systemd/README.md")
	must(t, err)
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 8 {
		t.Fatalf("%d blocks on the page", len(blocks))
	}
	for _, block := range blocks {
		s.script("cd /root\n"+block[1], labToken+"\n")
		if strings.Contains(block[1], "systemctl restart cfddns") || strings.Contains(block[1], "enable --now cfddns\n") {
			s.right(labHome)
		}
	}
	if left, _ := s.try("bash", "-c", "ls -d /etc/cfddns /usr/bin/cfddns /etc/systemd/system/*cfddns* /var/lib/cfddns /var/lib/private/cfddns /run/cfddns 2>/dev/null"); left != "" {
		t.Errorf("the page's last block leaves %s", left)
	}
	l.wantHolds(labName, labHome) // nothing at Cloudflare is deleted
}
