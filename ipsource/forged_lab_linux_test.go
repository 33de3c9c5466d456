package ipsource

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/needs"
)

// forgesHere makes the test binary flood from where it is started.
const forgesHere = "CFDDNS_TEST_FORGES"

// forgedFirst to forgedLast are the ports from which the machine of the laboratory
// asks: a flood reaches each every few milliseconds.
const forgedFirst, forgedLast = 40000, 41000

// A device of the LAN answers NAT-PMP in the router's name, to all ports at once
// and without an end, and names an address of CGNAT. Where the router keeps
// silent nothing tells the forger from it. A change is held for two minutes.
func TestLabAFloodOfForgedAnswersHoldsNoChangeForLong(t *testing.T) {
	if os.Getenv(forgesHere) != "" {
		flood(t)
		return
	}
	if !lab(t) {
		return
	}
	needs.Programs(t, "nft", "nsenter")
	router, forger := newLabHost(t), newLabHost(t)
	run(t, "ip link add lan0 type veth peer name lan1 netns "+router.name()+`
		ip addr add 192.168.1.10/24 dev lan0
		ip link set lan0 up
		ip route add default via 192.168.1.1`)
	setSysctl(t, "ipv4/ip_local_port_range", "40000 40999")
	router.run("ip link add lan2 type veth peer name eth0 netns " + forger.name() + `
		ip link add lan type bridge
		ip link set lan1 master lan
		ip link set lan2 master lan
		ip addr add 192.168.1.1/24 dev lan
		ip link set lan1 up
		ip link set lan2 up
		ip link set lan up
		sysctl -q -w net.ipv4.icmp_ratelimit=0`)
	forger.run("ip addr add 192.168.1.66/24 dev eth0\nip link set eth0 up")
	attack := forger.inside("env", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	attack.Env = append(os.Environ(), forgesHere+"=1")
	start(t, attack)

	witness := Router{World: labNet, Gateway: func() (ddns.Gateway, error) { return DefaultGateway("") }, Agent: "test"}
	for _, c := range []struct {
		name, router string
		reached      bool // it is known to get through
	}{
		{"the router refuses the question", "", false},
		{"the router drops the question", `nft add table ip in
			nft add chain ip in guard { type filter hook input priority 0 ; }
			nft add rule ip in guard udp dport 5351 drop`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			router.run(c.router)
			published, home := netip.MustParseAddr("45.67.80.1"), netip.MustParseAddr("45.67.89.10")
			v := ddns.Verdict{Family: ddns.IPv4, State: ddns.Agreed, Address: home}
			var m ddns.FamilyMemory
			began, believed := time.Unix(1_800_000_000, 0), 0
			for _, lived := range []time.Duration{0, 6 * time.Second, time.Minute, 119 * time.Second, 2 * time.Minute} {
				w := ddns.JudgeWAN(v, ddns.FindingsOf(within(t, 4*time.Second), witness))
				var h ddns.Holding
				h, m = ddns.Hold(v, []netip.Addr{published}, w, m, began.Add(lived))
				t.Logf("after %s: %s: %s", lived, h.Decision, w.Why)
				if w.NAT == ddns.NATCarrier {
					believed++
				}
				if w.Backing > ddns.Repeated || (h.Decision == ddns.Publish) != (lived >= 2*time.Minute || w.NAT != ddns.NATCarrier) {
					t.Errorf("backing %d, %+v", w.Backing, h)
				}
			}
			if c.reached && believed == 0 {
				t.Error("the flood never got through: this tries nothing")
			}
		})
	}
}

// flood sends forged answers until it is ended.
func flood(t *testing.T) {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_RAW)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(socket)
	datagram := forgedAnswer("192.168.1.1", "192.168.1.10", "100.64.0.1")
	to := &syscall.SockaddrInet4{Addr: [4]byte{192, 168, 1, 10}}
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(5 * time.Millisecond) {
		for port := forgedFirst; port < forgedLast; port++ {
			binary.BigEndian.PutUint16(datagram[22:], uint16(port))
			_ = syscall.Sendto(socket, datagram, 0, to) // the neighbour may not be known yet
		}
	}
}

// forgedAnswer is a NAT-PMP answer with its heads of IP and UDP; the port that it
// goes to is left out. UDP needs no checksum over IPv4 (RFC 768).
func forgedAnswer(from, to, names string) []byte {
	said := pmp(0, names)
	b := make([]byte, 28, 28+len(said))
	b[0], b[8], b[9] = 0x45, 64, syscall.IPPROTO_UDP
	binary.BigEndian.PutUint16(b[2:], uint16(28+len(said)))
	copy(b[12:], net.ParseIP(from).To4())
	copy(b[16:], net.ParseIP(to).To4())
	binary.BigEndian.PutUint16(b[20:], 5351)
	binary.BigEndian.PutUint16(b[24:], uint16(8+len(said)))
	return append(b, said...)
}
