//go:build linux

package lab

import (
	"strings"
	"testing"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
)

// labRouter puts the world's router on its real address, at the end of a default route.
func (l *lab) labRouter() {
	l.Helper()
	const address = "192.168.1.1"
	udp := []string{"udp"}
	mustRun(l.T, `ip link add eth0 type veth peer name lan0
		ip link set lan0 up
		ip link set eth0 up
		ip addr add 192.168.1.10/24 dev eth0
		ip route add default via 192.168.1.1`)
	for _, s := range []service{{address, "5351", udp}, {address, "1900", udp}, {address, "5000", []string{"tcp"}}} {
		l.gate.stand(s)
	}
	l.Cleanup(func() { l.gate.stop(address) })
}

// Behind the provider's NAT no visitor arrives over IPv4, and the program says
// so instead of publishing an address that is shared; a person may overrule it.
func behindCGNAT(t *testing.T) {
	l := newLab(t, zoneWith(sandbox.SeedRecord{Type: "A", Name: labName, Content: labOld, TTL: 300}))
	l.labRouter()
	l.control("/router", sandbox.RouterState{CGNAT: true})
	p := l.run(3, "once")
	for _, words := range []string{"held", "192.168.1.1 names 100.64.1.2", "CGNAT", "no A record is created or changed", "ip.cgnat: publish"} {
		if !strings.Contains(p.stderr.String(), words) {
			t.Errorf("it does not say %q:\n%s", words, p.stderr)
		}
	}
	l.wantHolds(labName, labOld)
	r := l.once(3)
	if c, ok := has(r, ddns.CodeCGNAT); !ok || c.Severity != ddns.Alarm || r.WAN.NAT != "carrier" || r.WAN.Address != "100.64.1.2" {
		t.Errorf("%+v, conditions %+v", r.WAN, r.Conditions)
	}
	if p := l.run(0, "ip"); !strings.Contains(p.stdout.String(), "router: carrier") {
		t.Errorf("cfddns ip says:\n%s", p.stdout)
	}
	l.control("/router", sandbox.RouterState{CGNAT: true, Off: true}) // silence publishes
	l.once(0)
	l.wantHolds(labName, labHome)

	l.clear(labName)
	l.control("/router", sandbox.RouterState{CGNAT: true})
	l.once(3)
	l.set("CFDDNS_IP_CGNAT", "publish")
	if c, ok := has(l.once(0), ddns.CodeCGNAT); !ok || c.Severity != ddns.Warning {
		t.Errorf("%+v", c)
	}
	l.wantHolds(labName, labHome)

	l.control("/router", sandbox.RouterState{})
	l.set("CFDDNS_IP_CGNAT", "hold")
	if r := l.once(0); r.WAN.NAT != "single" {
		t.Errorf("%+v", r.WAN)
	}
	l.set("CFDDNS_IP_SOURCES", "")
	l.configure("ip: {sources: [{router: auto}], quorum: 1}\nrecords: [{name: " + labName + "}]\n")
	l.clear(labName)
	r = l.once(0)
	l.wantHolds(labName, labHome)
	if len(r.Verdicts) != 1 || len(r.Verdicts[0].Observations) != 1 || r.Verdicts[0].Observations[0].Source != "router" {
		t.Errorf("%+v", r.Verdicts)
	}
}
