//go:build linux

package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/needs"
	"github.com/cfddns/cfddns/sandbox"
)

// A umlBox is a machine with a kernel of its own, whose clock may be wrong, and
// whose power can be cut. It hangs at a router by a tap device.
type umlBox struct {
	*box
	router *uplink
	kernel []string // arguments of the kernel
}

// umlHome puts such a machine behind the router.
func (u *uplink) umlHome(name string) *umlBox {
	u.l.Helper()
	needsUML(u.l.T)
	tap, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	needs.Kernel(u.l.T, "a tap device", err)
	tap.Close()
	u.do(`iptables -t nat -A POSTROUTING -o wan0 -s 192.168.9.0/24 -j MASQUERADE
		ip tuntap add tap0 mode tap
		ip addr add 192.168.9.1/24 dev tap0
		ip link set tap0 up`)
	return &umlBox{box: u.l.box(name, u.machine), router: u, kernel: []string{"vec0:transport=tap,ifname=tap0"}}
}

// boot starts the machine with its clock at a time, and the daemon on it. What
// the program says is what the machine says.
func (b *umlBox) boot(clock time.Time) *program {
	b.l.Helper()
	return b.bootTo(clock, umlRuns)
}

// umlRuns starts the daemon on such a machine, and umlAsks the doctor.
const (
	umlRuns = `"$PROGRAM" run --log-level debug 2>&1`
	umlAsks = `"$PROGRAM" doctor ` + labName + ` 2>&1`
)

// bootTo starts the machine with its clock at a time, and has it do something.
func (b *umlBox) bootTo(clock time.Time, do string) *program {
	b.l.Helper()
	script := filepath.Join(b.l.TempDir(), "boot") // it holds the token, which no file of the program may
	var exports strings.Builder
	for _, e := range b.env {
		name, value, _ := strings.Cut(e, "=")
		fmt.Fprintf(&exports, "export %s='%s'\n", name, value)
	}
	must(b.l.T, os.WriteFile(script, fmt.Appendf(nil, `ip link set vec0 up
ip addr add 192.168.9.10/24 dev vec0
ip route add default via 192.168.9.1
busybox date -s @%d >/dev/null
busybox mount -o bind '%s' /etc/hosts
busybox mount -o bind '%s' /etc/resolv.conf
busybox mount -t hostfs none /srv -o '%s'
%sexport CFDDNS_STATE=/srv/state PROGRAM='%s'
%s
`, clock.Unix(), b.l.gate.hosts, b.l.gate.conf, b.dir, exports.String(), os.Getenv(labProgram), do), 0o600))
	boot, err := umlCommand(b.l.Context(), script, b.kernel...)
	must(b.l.T, err)
	inside := b.inside(boot.Args...)
	inside.SysProcAttr = boot.SysProcAttr
	return b.l.launch(inside)
}

// One of two boxes has a clock that is wrong. Hours off harm nothing; at 1970
// no certificate is valid yet: it says so, stays, and hinders nobody. Then its
// power is cut, and it comes back with a clock that is right.
func boxesApartInTime(t *testing.T) {
	l := newWideLab(t, oldRecord())
	firewall := l.uplink("firewall", labLine)
	server := firewall.umlHome("server")
	server.set("TZ", "UTC")

	far := server.boot(time.Now().Add(9 * time.Hour))
	l.within(30*time.Second, "nine hours ahead, and the record is right", func() bool { return l.holds(labName, labLine) })
	far.kill()

	old := server.bootTo(time.Unix(60, 0), umlAsks+"\n"+umlRuns)
	firewall.start("run", "--log-level", "debug")
	said := func(p *program, what string) func() bool {
		return func() bool { return strings.Contains(p.stdout.String(), what) }
	}
	l.within(30*time.Second, "the doctor convicts the clock", said(old, "clock: this machine's clock says 1970-01-01, when nobody's certificate is valid"))
	l.within(30*time.Second, "it says that the clock is wrong", said(old, "the clock says 1970-01-01, before this program was built"))
	address := firewall.move(lineAfter(1))
	took := l.within(20*time.Second, "the other box follows", func() bool { return l.holds(labName, address) })
	l.Logf("beside a box of 1970 the record is right after %s", took.Round(time.Millisecond))
	if !old.runs() {
		t.Errorf("it ended:\n%s", old.stdout)
	}
	_, before := l.calls()
	old.kill()

	now := server.boot(time.Now())
	l.within(30*time.Second, "it finds the name right", said(now, "1 name right at "+address))
	if _, after := l.calls(); after != before {
		t.Errorf("%d writes, and all was right", after-before)
	}
	l.wantHolds(labName, address)
}

// withDisk gives the machine a disk of its own, on which it remembers. Unlike
// the files of this machine, what was not synced to it is lost with the power.
func (b *umlBox) withDisk() {
	b.l.Helper()
	disk := filepath.Join(b.l.TempDir(), "disk")
	must(b.l.T, os.WriteFile(disk, nil, 0o600))
	must(b.l.T, os.Truncate(disk, 8<<20))
	mustRun(b.l.T, "mkfs.ext4 -q "+disk)
	b.kernel = append(b.kernel, "ubd0="+disk)
}

// umlDisk mounts it; it writes by itself in ten minutes only.
const umlDisk = "busybox mount -t ext4 -o commit=600 /dev/ubda /mnt || exit\nexport CFDDNS_STATE=/mnt/state\n"

// The power of a machine is cut as soon as a write was confirmed, and while it
// migrates: what was confirmed, and the way back, are on its disk.
func powerCutAfterAWrite(t *testing.T) {
	const hop = "myhome.duckdns.org"
	l := newWideLab(t, zoneWith(sandbox.SeedRecord{Type: "A", Name: labName, Content: labOld, TTL: 60}, sandbox.SeedRecord{Type: "CNAME", Name: "www.example.com", Content: hop, TTL: 60}))
	l.world.SetDuckHost(hop, netip.MustParseAddr(labLine))
	server := l.uplink("firewall", labLine).umlHome("server")
	server.withDisk()
	cut := func(do, when string) string {
		p := server.bootTo(time.Now(), umlDisk+do+"; echo; echo over; busybox sleep 60")
		l.within(30*time.Second, "it has "+when, func() bool { return strings.Contains(p.stdout.String(), "\nover") || !p.runs() })
		p.kill()
		return p.stdout.String()
	}
	cut(`"$PROGRAM" once`, "written")
	said := cut(`cat /mnt/state/state.json /mnt/state/journal.jsonl; "$PROGRAM" migrate --apply www.example.com & until ls /mnt/state/rollback-*.json; do :; done`, "begun to migrate")
	for _, want := range []string{`"Address": "` + labLine + `"`, `"receipt":"confirmed"`} {
		if !strings.Contains(said, want) {
			t.Errorf("after the first cut the disk does not hold %s:\n%s", want, said)
		}
	}
	said = cut(`cat /mnt/state/rollback-*.json; "$PROGRAM" migrate --apply www.example.com 2>&1`, "migrated again")
	if !strings.Contains(said, `"content": "`+hop+`"`) {
		t.Errorf("after the second cut there is no way back:\n%s", said)
	}
	l.wantHolds(labName, labLine)
	l.wantHolds("www.example.com", labLine)
	if _, writes := l.calls(); writes != 2 {
		t.Errorf("%d writes, want one for each name", writes)
	}
}
