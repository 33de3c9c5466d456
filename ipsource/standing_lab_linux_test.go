package ipsource

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/needs"
)

// echoesOn starts HTTPS echoes of three operators, and a STUN server that says
// nothing, at one address; the world leads to them by name.
func echoesOn(t *testing.T, address string) (loopback, []Spec) {
	t.Helper()
	world := loopback{hosts: map[string]string{}, roots: x509.NewCertPool()}
	var specs []Spec
	for i := range 3 {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			host, _, _ := net.SplitHostPort(r.RemoteAddr)
			fmt.Fprintln(w, host)
		}))
		listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
		if err != nil {
			t.Fatal(err)
		}
		server.Listener.Close()
		server.Listener, server.Config.ErrorLog = listener, log.New(io.Discard, "", 0)
		server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		server.StartTLS()
		t.Cleanup(server.Close)
		world.roots.AddCert(server.Certificate())
		port := netip.MustParseAddrPort(listener.Addr().String()).Port()
		world.hosts[fmt.Sprintf("example.com:%d", port)] = listener.Addr().String()
		specs = append(specs, Spec{HTTPS: fmt.Sprintf("https://example.com:%d/", port), Operator: fmt.Sprint("operator", i)})
	}
	return world, specs
}

// A machine with a lease of a prefix that the provider no longer routes, and an
// address of the new one: whatever the kernel would choose, the living one is
// found in the first round, and nothing else is ever published.
func TestLabADeadLeaseDoesNotHoldTheFamily(t *testing.T) {
	needs.Programs(t, "ip", "nft")
	if !lab(t) {
		return
	}
	const dead, living, third = "2a01:4f8:1:1::66", "2a01:4f8:1:2::10", "2a01:4f8:1:3::10"
	run(t, `ip link add wan0 type veth peer name isp0
		ip link set isp0 up
		ip link set wan0 up
		ip -6 addr add `+dead+`/128 dev wan0 nodad preferred_lft 3000 valid_lft 3600
		ip -6 addr add `+living+`/64 dev wan0 nodad preferred_lft 3000 valid_lft 3600
		ip -6 route add default via fe80::1 dev wan0
		ip -6 addr add 2a02:6ea0::53/128 dev lo nodad
		nft add table ip6 filter
		nft add chain ip6 filter in { type filter hook input priority 0 ; }`)
	world, specs := echoesOn(t, "2a02:6ea0::53")
	survey := func(c Config) ddns.Verdict {
		c.Sources, c.Families = specs, []ddns.Family{ddns.IPv6}
		rosters, err := Build(c, world)
		if err != nil {
			t.Fatal(err)
		}
		return ddns.Survey(t.Context(), []ddns.Roster{rosters[ddns.IPv6]}, 4*time.Second)[0]
	}
	deaden := func(rules ...string) {
		run(t, "nft flush chain ip6 filter in")
		for _, r := range rules {
			run(t, "nft add rule ip6 filter in "+r)
		}
	}
	for _, chosen := range []string{dead, living} {
		run(t, "ip -6 route replace default via fe80::1 dev wan0 src "+chosen)
		if first, err := Candidate(""); err != nil || first.String() != chosen {
			t.Errorf("the kernel chooses %s, and the first candidate is %s, %v", chosen, first, err)
		}
		deaden("ip6 saddr " + dead + " drop")
		if v := survey(Config{}); v.State != ddns.Agreed || v.Address.String() != living {
			t.Errorf("the kernel chooses %s: %s %s (%s)", chosen, v.State, v.Address, v.Why)
		}
		deaden("ip6 saddr " + dead + " reject with icmpv6 type admin-prohibited")
		if v := survey(Config{}); v.State != ddns.Agreed || v.Address.String() != living {
			t.Errorf("the kernel chooses %s, and the dead one is forbidden: %s %s (%s)", chosen, v.State, v.Address, v.Why)
		}
	}

	standing := &Standing{}
	deaden("ip6 saddr 2a01::/16 drop")
	if v := survey(Config{Standing: standing}); v.State != ddns.Unknown {
		t.Errorf("the line is silent: %s %s", v.State, v.Address)
	}
	deaden()
	if v := survey(Config{Standing: standing}); v.State != ddns.Agreed || v.Address.String() != living {
		t.Errorf("the line is back, and the kernel chooses %s: %s %s (%s)", living, v.State, v.Address, v.Why)
	}

	run(t, "ip -6 addr add "+third+"/64 dev wan0 nodad preferred_lft 2000 valid_lft 3600")
	deaden("ip6 saddr "+dead+" drop", "ip6 saddr "+living+" drop")
	if v := survey(Config{Standing: standing}); v.State != ddns.Agreed || v.Address.String() != third {
		t.Errorf("two of three are dead: %s %s (%s)", v.State, v.Address, v.Why)
	}
	if v := survey(Config{Bind: dead}); v.State != ddns.Unknown {
		t.Errorf("a person binds the dead one, and is not obeyed: %s %s", v.State, v.Address)
	}
}

// A default route says nothing where the only addresses are the home's own:
// that is said at once.
func TestLabWithoutAPublicAddressNobodyIsAskedOverIPv6(t *testing.T) {
	needs.Programs(t, "ip")
	if !lab(t) {
		return
	}
	run(t, `ip link add wan0 type veth peer name isp0
		ip link set isp0 up
		ip link set wan0 up
		ip -6 addr add fd00:1:2:3::10/64 dev wan0 nodad
		ip -6 route add default via fe80::1 dev wan0`)
	rosters, err := Build(Config{Families: []ddns.Family{ddns.IPv6}}, loopback{})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	v := ddns.Survey(t.Context(), []ddns.Roster{rosters[ddns.IPv6]}, 4*time.Second)[0]
	if v.State != ddns.Unknown || !strings.Contains(v.Why, "no public IPv6 address") || time.Since(began) > 2*time.Second {
		t.Errorf("after %s: %s, %s", time.Since(began), v.State, v.Why)
	}
}

// A router that has no address on its own line asks by that of another interface.
func TestLabTheKernelsChoiceMayBeOfAnotherInterface(t *testing.T) {
	needs.Programs(t, "ip")
	if !lab(t) {
		return
	}
	run(t, `ip link add wan0 type veth peer name isp0
		ip link add lan0 type veth peer name host0
		ip link set isp0 up
		ip link set wan0 up
		ip link set host0 up
		ip link set lan0 up
		ip -6 addr add 2a01:4f8:1:2::1/64 dev lan0 nodad
		ip -6 route add default via fe80::1 dev wan0`)
	if got, err := Candidates(""); err != nil || len(got) != 1 || got[0].String() != "2a01:4f8:1:2::1" {
		t.Errorf("got %v, %v", got, err)
	}
}
