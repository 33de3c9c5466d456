//go:build linux

package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/needs"
	"github.com/cfddns/cfddns/sandbox"
)

// debianLife is the life of the Debian package, with systemd and without.
func debianLife(t *testing.T) {
	needs.Programs(t, "dpkg", "man", "pidof", "rpm", "tar")
	l := newLab(t, sandbox.Config{})
	r := release{dir: os.Getenv(labProgram)}
	tree := l.newTree()
	tree.copy(r.only(t, "old/*.deb"), "/root/old.deb", 0o644)
	tree.copy(r.only(t, "new/*_amd64.deb"), "/root/new.deb", 0o644)
	tree.copy(r.only(t, "old/*.rpm"), "/root/old.rpm", 0o644)
	tree.copy(r.only(t, "new/*.x86_64.rpm"), "/root/new.rpm", 0o644)
	// What images of Debian use to keep services from starting, and manuals out.
	must(t, os.RemoveAll(filepath.Join(tree.root, "usr/sbin/policy-rc.d")))
	must(t, os.RemoveAll(filepath.Join(tree.root, "etc/dpkg/dpkg.cfg.d")))
	// Without this file no list of all manuals is made anew after each step; see mandb(8).
	must(t, os.RemoveAll(filepath.Join(tree.root, "var/lib/man-db/auto-update")))
	r.installedInAnImage(t, tree)
	p := packaged{l, l.boot(tree)}
	p.installed()
	p.configured()
	p.upgraded()
	p.leftStopped()
	p.removed()
	p.broughtBack()
	p.purged()
	p.rpm()
}

// installedInAnImage installs and purges where no systemd runs.
func (r release) installedInAnImage(t *testing.T, tree tree) {
	t.Helper()
	here := []string{"PATH=" + needs.Path()} // of the machine, in the tree too
	sh(t, "/", here, `chroot "$0" dpkg --install /root/old.deb`, tree.root)
	link := filepath.Join(tree.root, "etc/systemd/system/multi-user.target.wants/cfddns.service")
	if _, err := os.Lstat(link); err != nil {
		t.Errorf("installed in an image, the service is not enabled: %v", err)
	}
	sh(t, "/", here, `chroot "$0" dpkg --purge cfddns`, tree.root)
	if _, err := os.Lstat(link); err == nil {
		t.Errorf("purged in an image, the service is still enabled")
	}
	sh(t, "/", here, `rpm="chroot $0 rpm --force-debian --nodeps"; $rpm --install /root/old.rpm; $rpm --upgrade /root/new.rpm; $rpm --erase cfddns`, tree.root)
	// Alpine's, where OpenRC does not run either.
	for _, script := range []string{"post-upgrade", "pre-deinstall"} {
		sh(t, "/", here, `tar -xzOf "$1" "."$2 2>/dev/null | chroot "$0" sh -e`, tree.root, r.only(t, "new/*_x86_64.apk"), script)
	}
}

// packaged is a booted system on which packages are installed.
type packaged struct {
	*lab
	on *system
}

// wants fails unless the service stands so.
func (p packaged) wants(when, enabled, active string) {
	p.Helper()
	isEnabled, _ := p.on.try("systemctl", "is-enabled", "cfddns")
	isActive, _ := p.on.try("systemctl", "is-active", "cfddns")
	if isEnabled != enabled || isActive != active {
		p.Fatalf("%s the service is %s and %s, want %s and %s", when, isEnabled, isActive, enabled, active)
	}
	if failed := p.on.run("systemctl", "list-units", "--failed", "--plain", "--no-legend", "cfddns*"); failed != "" {
		p.Fatalf("%s this has failed: %s", when, failed)
	}
}

// keeps waits until the running service has put the record right.
func (p packaged) keeps(address string) {
	p.Helper()
	p.control("/wan", map[string]string{"ipv4": address})
	p.on.run("cfddns", "poke", "--wait")
	p.wantHolds(labName, address)
}

// dpkg runs dpkg as an administrator does.
func (p packaged) dpkg(args ...string) {
	p.Helper()
	p.Log(p.on.run(append([]string{"env", "DEBIAN_FRONTEND=noninteractive", "dpkg"}, args...)...))
}

func (p packaged) installed() {
	p.Helper()
	p.dpkg("--install", "/root/old.deb")
	p.wants("freshly installed", "enabled", "inactive")
	if met := p.on.show("cfddns", "ConditionResult"); met != "no" {
		p.Fatalf("without a configuration the service was not skipped: ConditionResult=%s", met)
	}
	if differs := p.on.run("dpkg", "--verify", "cfddns"); differs != "" {
		p.Errorf("installed otherwise than packed: %s", differs)
	}
	p.on.script(`man --warnings cfddns-once | grep -q 'Put every name right, once'; test -r /usr/share/doc/cfddns/examples/minimal.yaml
		test "$(stat -c '%a %U' /etc/cfddns)" = '755 root'; test -z "$(ls -A /etc/cfddns)"`, "")
}

func (p packaged) configured() {
	p.Helper()
	p.on.write("/etc/cfddns/cfddns.yaml", "records: [{name: "+labName+"}]\n", 0o644)
	p.on.write("/etc/cfddns/token", labToken+"\n", 0o600)
	p.on.run("systemctl", "start", "cfddns")
	p.within(20*time.Second, "the record is right", func() bool { return p.holds(labName, labHome) })
	p.wants("configured", "enabled", "active")
}

func (p packaged) upgraded() {
	p.Helper()
	before := p.on.show("cfddns", "InvocationID")
	p.dpkg("--install", "/root/new.deb")
	p.wants("upgraded", "enabled", "active")
	if p.on.show("cfddns", "InvocationID") == before {
		p.Fatalf("the upgrade did not start the service again")
	}
	if version := p.on.run("sh", "-c", "/proc/$(systemctl show --value -p MainPID cfddns)/exe version"); !strings.Contains(version, " "+strings.TrimPrefix(packagedNew, "v")+" ") {
		p.Fatalf("after the upgrade this runs: %s", version)
	}
	p.keeps(labMoved)
}

// leftStopped is about a person's decision, which an upgrade respects.
func (p packaged) leftStopped() {
	p.Helper()
	p.on.run("systemctl", "disable", "--now", "cfddns")
	p.dpkg("--install", "/root/new.deb")
	p.wants("installed over one that was disabled", "disabled", "inactive")
	p.on.run("systemctl", "enable", "--now", "cfddns")
	p.on.run("systemctl", "enable", "cfddns-once.timer")
	p.wants("enabled again", "enabled", "active")
}

// gone are the traces of an installation that must not be there any more.
func (p packaged) gone(when string, traces ...string) {
	p.Helper()
	for _, trace := range traces {
		if found, code := p.on.try("sh", "-c", "ls -d "+trace); code == 0 {
			p.Errorf("%s there still is %s", when, found)
		}
	}
}

func (p packaged) removed() {
	p.Helper()
	_, written := p.calls()
	p.dpkg("--remove", "cfddns")
	p.gone("removed,", "/usr/bin/cfddns", "/etc/systemd/system/*/cfddns*", "/etc/systemd/system/cfddns*", "/run/cfddns")
	if _, code := p.on.try("pidof", "cfddns"); code == 0 {
		p.Fatalf("the removed program still runs")
	}
	p.on.script("test -s /etc/cfddns/cfddns.yaml; test -s /etc/cfddns/token; test -n \"$(ls -A /var/lib/private/cfddns)\"", "")
	if _, now := p.calls(); now != written {
		p.Errorf("removing the package wrote to Cloudflare: %d writes, and %d before", now, written)
	}
	p.wantHolds(labName, labMoved)
}

func (p packaged) broughtBack() {
	p.Helper()
	p.dpkg("--install", "/root/new.deb")
	p.wants("brought back", "enabled", "active")
	p.keeps(labHome)
}

func (p packaged) purged() {
	p.Helper()
	p.on.run("systemctl", "start", "cfddns-once.timer") // which leaves a stamp
	p.dpkg("--purge", "cfddns")
	p.gone("purged,", "/usr/bin/cfddns", "/var/lib/systemd/timers/*cfddns*", "/etc/systemd/system/*/cfddns*", "/etc/systemd/system/cfddns*", "/etc/cfddns", "/var/lib/cfddns", "/var/lib/private/cfddns",
		"/var/lib/systemd/deb-systemd-helper-*/cfddns*", "/var/lib/systemd/deb-systemd-helper-*/*/cfddns*", "/usr/share/doc/cfddns", "/var/lib/dpkg/info/cfddns*")
	p.wantHolds(labName, labHome)
}

// rpm lives the same life with the other package manager, on the same system.
func (p packaged) rpm() {
	p.Helper()
	rpm := func(args ...string) {
		p.Helper()
		p.Log(p.on.run(append([]string{"rpm", "--force-debian", "--nodeps"}, args...)...))
	}
	rpm("--install", "/root/old.rpm")
	p.wants("freshly installed by rpm", "enabled", "inactive") // as Debian's presets say
	p.on.run("rpm", "--verify", "--nodeps", "cfddns")
	p.configured()
	before := p.on.show("cfddns", "InvocationID")
	rpm("--upgrade", "/root/new.rpm")
	p.wants("upgraded by rpm", "enabled", "active")
	if p.on.show("cfddns", "InvocationID") == before {
		p.Fatalf("the upgrade by rpm did not start the service again")
	}
	p.keeps(labMoved)
	rpm("--erase", "cfddns")
	p.gone("erased by rpm,", "/usr/bin/cfddns", "/etc/systemd/system/*/cfddns*", "/run/cfddns", "/usr/share/doc/cfddns", "/usr/share/licenses/cfddns")
	p.on.script("test -s /etc/cfddns/cfddns.yaml; test -s /etc/cfddns/token", "")
	p.wantHolds(labName, labMoved)
}
