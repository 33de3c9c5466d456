package ipsource

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/needs"
)

// A labHost is a machine of the laboratory: a network namespace beside that of
// the test, kept open by a process that sleeps in it.
type labHost struct {
	t   *testing.T
	pid int
}

func newLabHost(t *testing.T) labHost {
	t.Helper()
	sleeper := exec.Command("sleep", "infinity")
	sleeper.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	start(t, sleeper)
	h := labHost{t, sleeper.Process.Pid}
	h.run("ip link set lo up\nsysctl -q -w net.ipv4.ip_forward=1")
	return h
}

// name is how ip names its namespace.
func (h labHost) name() string { return strconv.Itoa(h.pid) }

// inside is a command that runs on the host.
func (h labHost) inside(words ...string) *exec.Cmd {
	h.t.Helper()
	needs.Program(h.t, words[0])
	return needs.Command(h.t, "nsenter", append([]string{fmt.Sprintf("--net=/proc/%d/ns/net", h.pid)}, words...)...)
}

// run runs one command a line on the host.
func (h labHost) run(lines string) {
	h.t.Helper()
	for line := range strings.Lines(lines) {
		if words := strings.Fields(line); len(words) > 0 {
			if output, err := h.inside(words...).CombinedOutput(); err != nil {
				h.t.Fatalf("%s: %v\n%s", strings.TrimSpace(line), err, output)
			}
		}
	}
}

// labHome is a home with a real router. The test runs on a machine of its LAN,
// 192.168.1.10, and a container stands behind a bridge of that machine.
type labHome struct {
	t                *testing.T
	router, isp, box labHost
}

func newLabHome(t *testing.T) *labHome {
	t.Helper()
	needs.Programs(t, "ip", "miniupnpd", "nft", "nsenter", "sysctl")
	h := &labHome{t, newLabHost(t), newLabHost(t), newLabHost(t)}
	run(t, fmt.Sprintf(`ip link add lan0 type veth peer name lan1 netns %[1]d
		ip link add docker0 type veth peer name eth0 netns %[2]d
		ip addr add 192.168.1.10/24 dev lan0
		ip addr add 172.17.0.1/16 dev docker0
		ip link set lan0 up
		ip link set docker0 up
		ip route add default via 192.168.1.1
		sysctl -q -w net.ipv4.ip_forward=1
		nft add table ip nat
		nft add chain ip nat out { type nat hook postrouting priority 100 ; }
		nft add rule ip nat out oifname lan0 masquerade`, h.router.pid, h.box.pid))
	h.box.run(`ip addr add 172.17.0.2/16 dev eth0
		ip link set eth0 up
		ip route add default via 172.17.0.1`)
	h.router.run(fmt.Sprintf(`ip link add wan0 type veth peer name wan1 netns %d
		ip addr add 192.168.1.1/24 dev lan1
		ip link set lan1 up
		ip link set wan0 up
		nft add table ip nat
		nft add chain ip nat out { type nat hook postrouting priority 100 ; }
		nft add rule ip nat out oifname wan0 masquerade`, h.isp.pid))
	h.isp.run(`ip link set wan1 up
		ip link add net0 type veth peer name net1
		ip link set net0 up
		ip link set net1 up
		ip addr add 62.1.1.1/24 dev net0
		ip route add default via 62.1.1.2`)
	h.line("45.67.89.10/24", "45.67.89.1/24")
	dir := t.TempDir()
	conf := filepath.Join(dir, "miniupnpd.conf")
	if err := os.WriteFile(conf, []byte(`ext_ifname=wan0
listening_ip=lan1
http_port=5000
enable_natpmp=yes
enable_upnp=yes
uuid=2d5c3b0e-7f5a-4d3c-9b53-0d1f6c0f7a11
upnp_table_name=miniupnpd
upnp_nat_table_name=miniupnpd
lease_file=`+dir+`/leases
`), 0o644); err != nil {
		t.Fatal(err)
	}
	start(t, h.router.inside("miniupnpd", "-d", "-f", conf, "-P", filepath.Join(dir, "pid")))
	return h
}

// line gives the router an address of the provider; "" takes it away.
func (h *labHome) line(address, provider string) {
	h.t.Helper()
	h.router.run("ip addr flush dev wan0")
	h.isp.run("ip addr flush dev wan1")
	if address == "" {
		return
	}
	h.isp.run("ip addr add " + provider + " dev wan1")
	gateway, _, _ := strings.Cut(provider, "/")
	h.router.run("ip addr add " + address + " dev wan0\nip route replace default via " + gateway)
}

// labNet is the real network of the namespace, on which all is dialled.
var labNet = loopback{}

// protocols asks by NAT-PMP and by UPnP, and returns what each named.
func (h *labHome) protocols(ctx context.Context) (pmp, upnp netip.Addr, errs [2]error) {
	pmp, errs[0] = askNATPMP(ctx, labNet, gateway4)
	upnp, errs[1] = igd{agent: "test"}.ask(ctx, labNet, gateway4)
	return pmp, upnp, errs
}

func TestLabARealRouterNamesItsAddress(t *testing.T) {
	if !lab(t) {
		return
	}
	h := newLabHome(t)
	if got, err := DefaultGateway(""); err != nil || got != (ddns.Gateway{Address: gateway4, Interface: "lan0", Local: netip.MustParseAddr("192.168.1.10")}) {
		t.Fatalf("default route: %+v, %v", got, err)
	}
	named := func(want string) {
		t.Helper()
		eventually(t, func() error {
			pmp, upnp, errs := h.protocols(within(t, 2*time.Second))
			if pmp.String() != want || upnp.String() != want {
				return fmt.Errorf("NAT-PMP names %v (%w), UPnP %v (%w); want %s", pmp, errs[0], upnp, errs[1], want)
			}
			return nil
		})
	}
	nothing := func(what string) {
		t.Helper()
		eventually(t, func() error {
			pmp, upnp, errs := h.protocols(within(t, 2*time.Second))
			if !errors.Is(errs[0], errNoWAN) || !errors.Is(errs[1], errNoWAN) {
				return fmt.Errorf("%s: NAT-PMP names %v (%w), UPnP %v (%w)", what, pmp, errs[0], upnp, errs[1])
			}
			return nil
		})
	}
	witness := Router{World: labNet, Gateway: func() (ddns.Gateway, error) { return DefaultGateway("") },
		Hops: labHops, Agent: "test"}
	judged := func(home, nat ddns.NAT, says string) {
		t.Helper()
		v := ddns.Verdict{Family: ddns.IPv4, State: ddns.Agreed, Address: netip.MustParseAddr(string(home))}
		eventually(t, func() error {
			w := ddns.JudgeWAN(v, ddns.FindingsOf(within(t, 2*time.Second), witness))
			if w.NAT != nat || !strings.Contains(w.Why, says) {
				return fmt.Errorf("%q (%s), want %q that says %q", w.NAT, w.Why, nat, says)
			}
			return nil
		})
	}
	named("45.67.89.10")
	judged("45.67.89.10", ddns.NATSingle, "192.168.1.1")
	judged("45.67.90.77", ddns.NATElsewhere, "the world sees 45.67.90.77")

	h.line("45.67.90.77/24", "45.67.90.1/24")
	named("45.67.90.77")
	judged("45.67.90.77", ddns.NATSingle, "192.168.1.1")

	h.line("100.64.1.2/24", "100.64.1.1/24") // this router does not tell such an address
	nothing("behind CGNAT")
	judged("45.67.89.10", ddns.NATUnknown, "hop 2 on the way out is 100.64.1.1, as behind a provider's NAT")

	h.line("", "")
	nothing("without a line")
	judged("45.67.89.10", ddns.NATUnknown, "names no address")
}

// labHops is the way out of the laboratory's home.
func labHops(ctx context.Context, heard func(int, netip.Addr)) []netip.Addr {
	return Hops(ctx, labNet, heard)
}

// hopsHere makes the test binary print the way out of where it is started.
const hopsHere = "CFDDNS_TEST_HOPS"

// In a container there is no privilege, and its gateway is a bridge that answers
// nothing: the router is the second hop.
func TestLabAContainerFindsItsRouter(t *testing.T) {
	if os.Getenv(hopsHere) != "" {
		gateway, err := DefaultGateway("")
		fmt.Println("uid", os.Getuid(), "gateway", gateway.Address, err, "hops", labHops(t.Context(), func(int, netip.Addr) {}))
		r := Router{World: labNet, Gateway: func() (ddns.Gateway, error) { return gateway, err },
			Hops: labHops, Agent: "test"}
		address, err := r.ask(t.Context(), nil, ddns.IPv4)
		fmt.Println("the router says", address, err)
		return
	}
	if !lab(t) {
		return
	}
	h := newLabHome(t)
	look := func(want ...string) {
		t.Helper()
		eventually(t, func() error {
			// A user namespace of its own has no rights over this network.
			look := h.box.inside("unshare", "--user", "--map-user=65534", "--map-group=65534", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
			look.Env = append(os.Environ(), hopsHere+"=1")
			output, err := look.CombinedOutput()
			for _, words := range want {
				if err == nil && !strings.Contains(string(output), words) {
					err = fmt.Errorf("it does not say %q:\n%s", words, output)
				}
			}
			return err
		})
	}
	look("uid 65534 gateway 172.17.0.1", "hops [172.17.0.1 192.168.1.1 45.67.89.1]", "the router says 45.67.89.10 <nil>")
	h.line("100.64.1.2/24", "100.64.1.1/24")
	look("hops [172.17.0.1 192.168.1.1 100.64.1.1]", "names no address")
}

func FuzzHops(f *testing.F) {
	exceeded := make([]byte, syscall.CmsgSpace(extendedErrSize+16))
	copy(exceeded, []byte{byte(syscall.CmsgLen(extendedErrSize + 16))})
	exceeded[12], exceeded[20], exceeded[21], exceeded[32] = syscall.IP_RECVERR, originICMP, icmpExceeded, syscall.AF_INET
	copy(exceeded[36:], []byte{192, 168, 1, 1})
	f.Add(exceeded)
	f.Fuzz(func(t *testing.T, control []byte) {
		if hop := parseHop(control); hop.IsValid() && !hop.Is4() {
			t.Fatalf("%x: %s", control, hop)
		}
	})
	if got := parseHop(exceeded); got != gateway4 {
		f.Errorf("got %v from the seed", got)
	}
}
