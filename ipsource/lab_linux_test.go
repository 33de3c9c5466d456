package ipsource

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/needs"
)

// The tests of this file run in a network namespace of their own: a private
// copy of the kernel's network, made by running the test binary again. They
// need no root where unprivileged user namespaces are allowed.

const inLab = "CFDDNS_TEST_LAB"

// lab runs the rest of the test in a network namespace, and reports whether
// this process is the one inside.
func lab(t *testing.T) (inside bool) {
	t.Helper()
	if os.Getenv(inLab) == t.Name() {
		run(t, "ip link set lo up")
		return true
	}
	again := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=5m")
	again.Env = append(os.Environ(), inLab+"="+t.Name())
	again.SysProcAttr = needs.Namespaces(t, syscall.CLONE_NEWNET)
	output, err := again.CombinedOutput()
	needs.Outcome(t, string(output), err)
	return false
}

// run runs one command a line; one that fails ends the test.
func run(t *testing.T, lines string) {
	t.Helper()
	for line := range strings.Lines(lines) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if output, err := needs.Command(t, words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.TrimSpace(line), err, output)
		}
	}
}

func setSysctl(t *testing.T, key, value string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join("/proc/sys/net", key), []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}

func TestLabTheKernelTellsWhichAddressesLast(t *testing.T) {
	if !lab(t) {
		return
	}
	if _, err := Candidate(""); err == nil || !strings.Contains(err.Error(), "no default route for IPv6") {
		t.Errorf("without a route: %v", err)
	}
	run(t, `ip link add wan0 type veth peer name isp0
		ip link set wan0 address 02:00:00:00:00:01
		ip link set isp0 up
		ip link set wan0 up
		ip -6 route add default via fe80::1 dev isp0 metric 2000
		ip -6 route add default via fe80::1 dev wan0 metric 1000`)
	expect := func(what, want string) {
		t.Helper()
		for _, name := range []string{"", "wan0"} {
			got, err := Candidate(name)
			if want == "" && !errors.Is(err, ErrNoCandidate) && !errors.Is(err, errNoPublic6) || want != "" && (err != nil || got.String() != want) {
				t.Errorf("%s, interface %q: got %v, %v; want %q", what, name, got, err, want)
			}
		}
	}
	expect("a link-local address alone", "")

	run(t, "ip -6 addr add 2a01:4f8:1:1::66/64 dev wan0 nodad preferred_lft 0 valid_lft 3600")
	expect("a deprecated address", "")

	setSysctl(t, "ipv6/conf/wan0/use_tempaddr", "2")
	run(t, "ip -6 addr add 2a01:4f8:1:2:0:ff:fe00:1/64 dev wan0 nodad mngtmpaddr preferred_lft 600 valid_lft 3600")
	eventually(t, func() error {
		output, err := needs.Command(t, "ip", "-6", "addr", "show", "dev", "wan0").Output()
		if err == nil && !strings.Contains(string(output), "temporary") {
			return errors.New("no temporary address yet")
		}
		return err
	})
	expect("a temporary address beside one of the hardware's", "2a01:4f8:1:2:0:ff:fe00:1")

	run(t, "ip -6 addr add 2a01:4f8:1:2::128/128 dev wan0 nodad preferred_lft 300 valid_lft 3600")
	expect("a lease of DHCPv6", "2a01:4f8:1:2::128")

	setSysctl(t, "ipv6/conf/wan0/dad_transmits", "100")
	run(t, "ip -6 addr add 2a01:4f8:1:2::10/64 dev wan0")
	expect("a tentative address", "2a01:4f8:1:2::128")
	run(t, "ip -6 addr del 2a01:4f8:1:2::10/64 dev wan0")

	setSysctl(t, "ipv6/conf/wan0/dad_transmits", "1")
	run(t, "ip -6 addr add 2a01:4f8:1:2::11/64 dev isp0 nodad\nip -6 addr add 2a01:4f8:1:2::11/64 dev wan0")
	eventually(t, func() error {
		output, err := needs.Command(t, "ip", "-6", "addr", "show", "dev", "wan0").Output()
		if err == nil && !strings.Contains(string(output), "dadfailed") {
			return errors.New("no duplicate seen yet")
		}
		return err
	})
	expect("an address that somebody else has", "2a01:4f8:1:2::128")

	run(t, "ip -6 addr add 2a01:4f8:1:2::12/64 dev wan0 nodad")
	expect("an address set by hand", "2a01:4f8:1:2::12")

	run(t, "ip addr add 192.168.100.2/24 dev wan0\nip addr add 45.67.89.10 peer 45.67.89.1/32 dev wan0")
	if got, err := (ownInterface{name: "wan0"}).ask(t.Context(), nil, ddns.IPv4); got != home4 {
		t.Errorf("IPv4: got %v, %v; want %s", got, err, home4)
	}
	if got, err := (ownInterface{name: "wan0"}).ask(t.Context(), nil, ddns.IPv6); got.String() != "2a01:4f8:1:2::12" {
		t.Errorf("IPv6: got %v, %v", got, err)
	}
	got, err := ownInterface{name: "isp0"}.ask(t.Context(), nil, ddns.IPv4)
	wantError(t, got, err, "interface isp0 has no IPv4 address")
	got, err = ownInterface{name: "ppp9"}.ask(t.Context(), nil, ddns.IPv4)
	wantError(t, got, err, "there is no interface ppp9 here")
}

func TestLabADefaultRouteOfTwoWaysLeadsThroughTheFirst(t *testing.T) {
	if !lab(t) {
		return
	}
	run(t, `ip link add wan0 type veth peer name isp0
		ip link set isp0 up
		ip link set wan0 up
		ip -6 addr add 2a01:4f8:1:2::12/64 dev wan0 nodad
		ip -6 route add unreachable default metric 10
		ip -6 route add default metric 1000 nexthop via fe80::1 dev wan0 nexthop via fe80::2 dev wan0`)
	if got, err := Candidate(""); err != nil || got.String() != "2a01:4f8:1:2::12" {
		t.Errorf("got %v, %v", got, err)
	}
}

// A home with IPv6 and a STUN server, all on one loopback: the address that
// STUN hears is the one that the question comes from.
func TestLabIPv6IsHeardFromTheCandidate(t *testing.T) {
	if !lab(t) {
		return
	}
	needs.Programs(t, "ip", "nft", "turnserver")
	run(t, `ip link add wan0 type veth peer name isp0
		ip link set isp0 up
		ip link set wan0 up
		ip -6 addr add 2a01:4f8:1:2::10/64 dev wan0 nodad
		ip -6 addr add 2a01:4f8:1:2::99/64 dev wan0 nodad preferred_lft 0
		ip -6 route add default via fe80::1 dev wan0
		ip -6 addr add 2a02:6ea0::53/128 dev lo nodad`)
	dir := t.TempDir()
	start(t, needs.Command(t, "turnserver", "-n", "--no-cli", "--no-tls", "--no-dtls", "--no-auth", "--stun-only", "--listening-ip=2a02:6ea0::53",
		"--listening-port=3478", "--simple-log", "--log-file="+dir+"/log", "--pidfile="+dir+"/pid"))

	world := loopback{hosts: map[string]string{"stun.test:3478": "[2a02:6ea0::53]:3478"}}
	config := Config{Sources: []Spec{{STUN: "stun.test:3478", Operator: "a"}}, Quorum: 1, Families: []ddns.Family{ddns.IPv6}}
	ask := func(config Config) (netip.Addr, error) {
		rosters, err := Build(config, world)
		if err != nil {
			t.Fatal(err)
		}
		return rosters[ddns.IPv6].Members[0].Ask(t.Context(), ddns.IPv6)
	}
	eventually(t, func() error {
		got, err := ask(config)
		if err == nil && got != home6 {
			t.Fatalf("got %s, want %s", got, home6)
		}
		return err
	})
	config.Bind = "2a01:4f8:1:2::77" // not ours
	got, err := ask(config)
	wantError(t, got, err, "cannot assign requested address")

	// NAT66: what leaves is rewritten to another address.
	run(t, `nft add table ip6 nat
		nft add chain ip6 nat out { type nat hook postrouting priority 100 ; }
		nft add rule ip6 nat out ip6 daddr 2a02:6ea0::53 snat to 2a01:4f8:1:2::99`)
	config.Bind = "wan0"
	got, err = ask(config)
	wantError(t, got, err, "asked from 2a01:4f8:1:2::10, was heard as 2a01:4f8:1:2::99")
}

const knotConfig = `
server:
    listen: [ 208.67.222.222@53, 193.108.88.1@53 ]
    rundir: "%[1]s"
    pidfile: "%[1]s/knot.pid"
log:
  - target: stderr
    any: warning
database:
    storage: "%[1]s"
template:
  - id: default
    storage: "%[1]s"
    module: mod-whoami
zone:
  - domain: myip.opendns.com
    file: "%[1]s/zone"
  - domain: whoami.akamai.net
    file: "%[1]s/zone"
`

const knotZone = `$TTL 1
@ SOA ns admin 1 1 1 1 1
@ NS ns
ns A 193.108.88.1
`

const unboundConfig = `
server:
    interface: 127.0.0.1
    port: 5353
    username: ""
    chroot: ""
    directory: "%[1]s"
    pidfile: "%[1]s/unbound.pid"
    use-syslog: no
    do-daemonize: no
    module-config: "iterator"
    outgoing-interface: 45.67.89.53
    access-control: 0.0.0.0/0 allow
remote-control:
    control-enable: no
stub-zone:
    name: "myip.opendns.com"
    stub-addr: 208.67.222.222
stub-zone:
    name: "whoami.akamai.net"
    stub-addr: 193.108.88.1
`

// A line that answers port 53 itself: all plain DNS then tells the address of
// the line's resolver. Who asks the authority notices; over TCP it is escaped.
func TestLabALineThatInterceptsPort53(t *testing.T) {
	if !lab(t) {
		return
	}
	needs.Programs(t, "ip", "knotd", "nft", "unbound")
	run(t, `ip addr add 45.67.89.10/32 dev lo
		ip addr add 45.67.89.53/32 dev lo
		ip addr add 208.67.222.222/32 dev lo
		ip addr add 193.108.88.1/32 dev lo`)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("zone", knotZone)
	start(t, needs.Command(t, "knotd", "-c", write("knot.conf", fmt.Sprintf(knotConfig, dir))))
	start(t, needs.Command(t, "unbound", "-d", "-c", write("unbound.conf", fmt.Sprintf(unboundConfig, dir))))

	world := loopback{local: home4, hosts: map[string]string{"ns1-1.akamaitech.net:53": "193.108.88.1:53"}}
	sources := map[string]ddns.Source{}
	for _, s := range Everything(Config{}, world)[ddns.IPv4].Members {
		sources[s.Name] = s
	}
	expect := func(name, want string) {
		t.Helper()
		eventually(t, func() error {
			got, err := sources[name].Ask(within(t, time.Minute), ddns.IPv4)
			if err == nil && got.String() != want {
				t.Fatalf("%s: got %s, want %s", name, got, want)
			}
			return err
		})
	}
	for _, name := range []string{"opendns", "opendns-tcp", "akamai-dns"} {
		expect(name, home4.String())
	}

	run(t, `nft add table ip hijack
		nft add chain ip hijack out { type nat hook output priority -100 ; }
		nft add rule ip hijack out ip saddr 45.67.89.10 udp dport 53 dnat to 127.0.0.1:5353`)
	setSysctl(t, "ipv4/conf/all/route_localnet", "1")
	expect("opendns", "45.67.89.53") // fooled: this is why plain DNS is one voice
	expect("opendns-tcp", home4.String())
	got, err := sources["akamai-dns"].Ask(within(t, time.Minute), ddns.IPv4)
	wantError(t, got, err, "answered")
	t.Logf("intercepted, the authority's whoami fails closed: %v", err)
}

func FuzzNetlink(f *testing.F) {
	for _, request := range [][2]int{{syscall.RTM_GETADDR, syscall.AF_UNSPEC}, {syscall.RTM_GETROUTE, syscall.AF_UNSPEC}} {
		dump, err := syscall.NetlinkRIB(request[0], request[1])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(dump)
	}
	f.Fuzz(func(t *testing.T, dump []byte) {
		addresses, _ := parseAddresses(dump)
		for _, a := range addresses {
			if !a.address.IsValid() {
				t.Fatalf("%x: an address that is none", dump)
			}
		}
		for _, got := range pick6(addresses, netip.Addr{}) {
			if !netip.MustParsePrefix("2000::/3").Contains(got) {
				t.Fatalf("%x: candidate %s", dump, got)
			}
		}
		if index, err := parseDefaultRoute(dump); err == nil && index <= 0 {
			t.Fatalf("%x: interface %d", dump, index)
		}
	})
}
