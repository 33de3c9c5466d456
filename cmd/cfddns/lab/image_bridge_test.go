//go:build linux

package lab

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
)

// dualStack is a world with both families, and a home with a prefix of its own.
func dualStack(t *testing.T) *imageLab {
	t.Helper()
	il := newImageLab(t, sandbox.Config{IPv6: netip.MustParseAddr(labHome6)})
	machine{t, os.Getpid()}.do(`ip -6 addr add fe80::1/64 dev line nodad
		ip -6 route add 2a01:4f8:1:2::/64 via fe80::2 dev line`)
	il.router.do(`ip -6 addr add fe80::2/64 dev wan0 nodad
		ip -6 route add default via fe80::1 dev wan0
		ip -6 addr add fe80::1/64 dev lan1 nodad
		ip -6 route add 2a01:4f8:1:2::/64 dev lan1`)
	il.box.do("ip -6 addr add " + labHome6 + "/64 dev eth0 nodad\nip -6 route add default via fe80::1 dev eth0")
	il.router.miniupnpd("wan0", "lan1")
	return il
}

// bothTypes is a configuration that wants A and AAAA, as a file for containers.
func (il *imageLab) bothTypes() string {
	path := filepath.Join(il.TempDir(), "cfddns.yaml")
	must(il.T, os.WriteFile(path, []byte("records: [{name: "+labName+", types: [A, AAAA]}]\n"), 0o644))
	return "--volume=" + path + ":/etc/cfddns/cfddns.yaml:ro"
}

func onABridge(t *testing.T) {
	il := dualStack(t)
	c := il.daemon("cfddns", "--env=CFDDNS_RECORDS=", il.bothTypes(), "cfddns", "run", "--log-level=debug")
	c.right(1)
	il.wantHolds(labName, labHome)
	r := c.status().Round
	if r.WAN.NAT != string(ddns.NATSingle) || r.WAN.Address != labHome {
		t.Errorf("behind the bridge the router says %+v", r.WAN)
	}
	il.within(10*time.Second, "the router is watched", func() bool { return strings.Contains(c.logs(), "router=192.168.1.1 by=NAT-PMP") })
	for _, target := range r.Targets {
		t.Logf("%s %s: %s", target.Type, target.State, target.Why)
	}
	said := il.podman("exec", c.name, "/cfddns", "status")
	if !strings.Contains(said, "it is a container: run it on the host's network (--network host), or give its bridge IPv6") {
		t.Errorf("it does not say what to do about IPv6:\n%s", said)
	}
	moved := il.router.move(labMoved)
	took := il.within(20*time.Second, "the record follows", func() bool { return il.holds(labName, moved) })
	t.Logf("moved: right after %s, behind the bridge", took.Round(10*time.Millisecond))
}

func onTheHostsNetwork(t *testing.T) {
	il := dualStack(t)
	c := il.daemon("cfddns", "--network=host", "--env=CFDDNS_RECORDS=", il.bothTypes(), "cfddns")
	c.right(2)
	held := map[any]bool{}
	for _, r := range il.records(labName) {
		held[r["content"]] = true
	}
	if len(held) != 2 || !held[labHome] || !held[labHome6] {
		t.Errorf("the records are %v", held)
	}
	if r := c.status().Round; r.WAN.NAT != string(ddns.NATSingle) {
		t.Errorf("the router says %+v", r.WAN)
	}
}
