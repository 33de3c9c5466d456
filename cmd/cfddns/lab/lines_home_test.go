//go:build linux

package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/needs"
	"github.com/cfddns/cfddns/sandbox"
)

// dhcpScript is what udhcpc has done with a lease (busybox, udhcpc --help).
const dhcpScript = `#!/bin/sh
case "$1" in
deconfig) ip addr flush dev "$interface"; ip link set "$interface" up ;;
bound | renew)
	ip addr flush dev "$interface"
	ip addr add "$ip/$mask" dev "$interface"
	ip route replace default via "$router" ;;
esac
`

// lease has the provider lend one address, and no other: whoever asks for
// another is told that it is not his (RFC 2131, DHCPNAK).
func (u *uplink) lease(network string) (provider *program, address string) {
	u.l.Helper()
	address = network + ".10"
	machine{u.l.T, os.Getpid()}.do("ip addr replace " + network + ".1/24 dev " + u.name)
	leases := filepath.Join(u.dir, "leases-"+network)
	return u.l.launch(needs.Command(u.l.T, "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface="+u.name, "--bind-interfaces", "--no-ping",
		"--dhcp-authoritative", "--log-dhcp", "--dhcp-range="+address+","+address+",255.255.255.0,2m", "--dhcp-leasefile="+leases)), address
}

// A cable line: the box holds what the provider leases, and another lease is
// another address.
func lineDHCP(t *testing.T) {
	needs.Programs(t, "dnsmasq", "busybox")
	l := newWideLab(t, oldRecord())
	u := l.uplink("cable", labLine)
	u.do("ip addr flush dev wan0")
	script := filepath.Join(u.dir, "udhcpc")
	must(t, os.WriteFile(script, []byte(dhcpScript), 0o700))
	provider, address := u.lease("45.67.1")
	client := l.launch(u.inside("busybox", "udhcpc", "-f", "-i", "wan0", "-s", script, "-t", "30", "-T", "1"))
	u.set("CFDDNS_PROBE", "0") // the kernel alone tells
	u.set("CFDDNS_SCHEDULE", "@every 6h")
	u.start("run", "--log-level", "debug")
	l.within(20*time.Second, "the record is right", func() bool { return l.holds(labName, address) })

	provider.kill()
	machine{t, os.Getpid()}.do("ip addr del 45.67.1.1/24 dev cable")
	_, address = u.lease("45.67.2")
	client.signal(syscall.SIGUSR1) // renew now: half a lease passes otherwise
	u.has(l, address)
	took := l.within(20*time.Second, "the record follows", func() bool { return l.holds(labName, address) })
	l.Logf("another lease: the record is right %s after the line has the address", took.Round(time.Millisecond))
}

// miniupnpd answers for a router, on the side of its LAN.
func (u *uplink) miniupnpd(wan, lan string) {
	u.l.Helper()
	config := filepath.Join(u.dir, "miniupnpd.conf")
	must(u.l.T, os.WriteFile(config, []byte(fmt.Sprintf(`ext_ifname=%s
listening_ip=%s
enable_natpmp=yes
enable_upnp=yes
uuid=5a1f2f0c-6d0e-4c3c-8a51-3a7c8d2b9e10
lease_file=%s
`, wan, lan, filepath.Join(u.dir, "ports"))), 0o600))
	u.l.launch(u.inside("miniupnpd", "-d", "-f", config, "-P", filepath.Join(u.dir, "miniupnpd.pid")))
}

// A router behind the provider's router. What stands in most homes names no
// address then (miniupnpd: "reserved / private IP address"): the record is right
// all the same.
func lineDoubleNAT(t *testing.T) {
	needs.Programs(t, "miniupnpd", "iptables")
	l := newWideLab(t, oldRecord())
	outer := l.uplink("provider", labLine)
	inner := &uplink{box: outer.home("router"), l: l, lans: 1} // its LAN has another number than that it stands in
	server := inner.home("server")
	inner.do("iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE")
	inner.miniupnpd("eth0", "lan2")
	l.within(20*time.Second, "the router answers", func() bool {
		p := server.start("ip")
		p.wait(10 * time.Second)
		return strings.Contains(p.stdout.String(), "nat-pmp at 192.168.2.1 answers and names no address")
	})
	server.turn(0, labOld+" → "+labLine)
	l.wantHolds(labName, labLine)
}

// A router that does name the private address of its line.
func doubleNATSaid(t *testing.T) {
	l := newLab(t, oldRecord())
	l.labRouter()
	l.control("/router", sandbox.RouterState{DoubleNAT: true})
	r := l.once(0)
	c, ok := has(r, ddns.CodeDoubleNAT)
	if !ok || r.WAN.NAT != string(ddns.NATDouble) || r.WAN.Address != "192.168.0.2" {
		t.Errorf("%+v, conditions %+v", r.WAN, r.Conditions)
	}
	l.Logf("%s; %s", c.Title, c.Hint)
	l.wantHolds(labName, labHome)
}

// A line that drops large packets to TLS servers, as some do with the greeting
// of post-quantum key exchange. https://tldr.fail/
func lineDropsLargeHellos(t *testing.T) {
	needs.Programs(t, "nft")
	l := newWideLab(t, oldRecord())
	firewall, server := twoBoxes(l)
	rules := firewall.inside("nft", "-f", "-")
	rules.Stdin = strings.NewReader("table ip lossy {\n set greeters { type inet_service; flags dynamic; size 1000; }\n" +
		" chain through {\n type filter hook forward priority 0;\n tcp dport 443 ip length > 1300 add @greeters { tcp sport } drop\n }\n}\n")
	if output, err := rules.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v\n%s", err, output)
	}
	d := server.start("run", "--log-level", "debug")
	took := l.within(30*time.Second, "the record is right", func() bool { return l.holds(labName, labLine) })
	// How many connections began with a large greeting; each is sent again for a
	// while by the kernel, whoever has given it up.
	large := func() int {
		said, err := firewall.inside("nft", "--json", "list", "set", "ip", "lossy", "greeters").Output()
		must(t, err)
		var list struct {
			Nftables []struct{ Set struct{ Elem []int } }
		}
		must(t, json.Unmarshal(said, &list))
		n := 0
		for _, entry := range list.Nftables {
			n += len(entry.Set.Elem)
		}
		return n
	}
	first := large()
	if first == 0 {
		t.Error("the line dropped nothing")
	}
	address := firewall.move(lineAfter(1))
	server.start("poke").wait(20 * time.Second)
	again := l.within(30*time.Second, "the record follows", func() bool { return l.holds(labName, address) })
	l.Logf("right after %s at first, then after %s", took.Round(time.Millisecond), again.Round(time.Millisecond))
	if n := strings.Count(d.stderr.String(), "drops large TLS greetings"); n != 1 {
		t.Errorf("it is said %d times, want once", n)
	}
	if n := large(); n != first {
		t.Errorf("it did not remember what works on this line: %d large greetings were dropped, and then %d more", first, n-first)
	}
}

// IPv6 is switched off on this machine, and the name has both families.
func lineWithoutIPv6(t *testing.T) {
	c := zoneWith(sandbox.SeedRecord{Type: "A", Name: labName, Content: labOld, TTL: 60}, sandbox.SeedRecord{Type: "AAAA", Name: labName, Content: labHome6, TTL: 60})
	l := newWideLab(t, c)
	_, server := twoBoxes(l)
	server.do("sysctl -q -w net.ipv6.conf.all.disable_ipv6=1\nsysctl -q -w net.ipv6.conf.default.disable_ipv6=1")
	config := filepath.Join(server.dir, "cfddns.yaml")
	must(t, os.WriteFile(config, []byte("records: [{name: "+labName+", types: [A, AAAA]}]\n"), 0o600))
	server.set("CFDDNS_RECORDS", "")
	server.set("CFDDNS_CONFIG", config)
	p := server.start("once")
	code, _ := p.wait(20 * time.Second)
	says := p.stdout.String() + p.stderr.String()
	if code != ddns.ExitPartly || !strings.Contains(says, "AAAA: ") || !strings.Contains(says, "no IPv6 here") || !strings.Contains(says, "what stands is kept") {
		t.Errorf("ended with %d, want %d:\n%s", code, ddns.ExitPartly, says)
	}
	for _, r := range l.records(labName) {
		if want := map[any]string{"A": labLine, "AAAA": labHome6}[r["type"]]; r["content"] != want {
			t.Errorf("%v: want %s", r, want)
		}
	}
}

// The machine is up long before the line, which comes up at the router: no
// kernel tells.
func lineComesLate(t *testing.T) {
	l := newWideLab(t, oldRecord())
	firewall, server := twoBoxes(l)
	firewall.do("ip link set wan0 down")
	server.set("CFDDNS_PROBE", "15s") // the default
	d := server.start("run", "--log-level", "debug")
	l.during(darkFor, "it stays, and so does the record", func() bool { return d.runs() && l.holds(labName, labOld) })
	firewall.do("ip link set wan0 up\nip route replace " + uplinkProvider + " dev wan0\nip route replace default via " + uplinkProvider)
	took := l.within(labPromise, "the record is right", func() bool { return l.holds(labName, labLine) })
	l.Logf("dark for %s: right %s after the line came", darkFor, took.Round(100*time.Millisecond))
}

// darkFor is long enough for its patience to have grown to its longest.
const darkFor = 30 * time.Second
