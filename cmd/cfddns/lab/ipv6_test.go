//go:build linux

package lab

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cfddns/cfddns/needs"
	"github.com/cfddns/cfddns/sandbox"
)

// Without a way out over IPv6 nobody is asked again and again: the kernel tells
// when there is one, and then it is used at once, each time that it comes.
func ipv6ComesAndGoes(t *testing.T) {
	l := newLab(t, sandbox.Config{IPv6: netip.MustParseAddr(labHome6)})
	l.look = 250 * time.Millisecond // it waits for long, and each look is a process
	l.configure("probe: 0\nrecords: [{name: " + labName + ", types: [A, AAAA]}]\n")
	holds6 := func(address string) func() bool {
		return func() bool {
			for _, r := range l.records(labName) {
				if r["type"] == "AAAA" {
					return r["content"] == address
				}
			}
			return false
		}
	}
	rests := func() bool {
		s := l.status()
		return !s.Running && time.Until(s.Next) > 10*time.Minute
	}
	ipv6 := func(address string) {
		mustRun(t, "sysctl -q -w net.ipv6.conf.wan0.disable_ipv6=0\nip -6 addr add "+address+"/64 dev wan0\nip -6 route add default via fe80::1 dev wan0")
	}
	mustRun(t, "ip link add wan0 type veth peer name isp0\nip link set isp0 up\nip link set wan0 up\nsysctl -q -w net.ipv6.conf.wan0.disable_ipv6=1")

	d := l.start("run", "--log-level", "debug")
	took := l.within(40*time.Second, "it looks no more for IPv6", rests)
	rounds := l.status().Rounds
	l.Logf("without IPv6 it rests after %s and %d rounds", took.Round(time.Second), rounds)
	if rounds > 6 || !l.holds(labName, labHome) {
		t.Errorf("%d rounds, and %v", rounds, l.records(labName))
	}

	ipv6(labHome6)
	took = l.within(10*time.Second, "IPv6 is published", holds6(labHome6))
	l.Logf("published %s after it came", took.Round(time.Millisecond))

	mustRun(t, "sysctl -q -w net.ipv6.conf.wan0.disable_ipv6=1")
	l.within(40*time.Second, "it looks no more for IPv6", func() bool { return l.status().Rounds > rounds+2 && rests() })
	if !d.runs() || !holds6(labHome6)() {
		t.Errorf("without IPv6 what stood is not kept: %v", l.records(labName))
	}

	const moved = "2a01:4f8:9:9::10"
	l.world.SetWAN(netip.MustParseAddr(labHome), netip.MustParseAddr(moved))
	ipv6(moved)
	took = l.within(10*time.Second, "the new IPv6 is published", holds6(moved))
	l.Logf("published %s after it came back with another address", took.Round(time.Millisecond))
	if _, writes := l.calls(); writes != 3 {
		t.Errorf("%d writes, want 3: A, AAAA, and the new AAAA", writes)
	}
}

// The provider has given the home another prefix, and a lease of the old one
// stands on: by whichever the kernel would leave, the one that is heard is
// published, by what runs once too.
func deadLease(t *testing.T) {
	needs.Programs(t, "ip", "nft")
	const dead = "2a01:4f8:1:1::66"
	l := newLab(t, sandbox.Config{IPv6: netip.MustParseAddr(labHome6)})
	l.configure("records: [{name: " + labName + ", types: [A, AAAA]}]\n")
	mustRun(t, `ip link add wan0 type veth peer name isp0
		ip link set isp0 up
		ip link set wan0 up
		ip -6 addr add `+dead+`/128 dev wan0 nodad preferred_lft 3000 valid_lft 3600
		ip -6 addr add `+labHome6+`/64 dev wan0 nodad preferred_lft 3000 valid_lft 3600
		nft add table ip6 filter
		nft add chain ip6 filter in { type filter hook input priority 0 ; }
		nft add rule ip6 filter in ip6 saddr `+dead+` drop`)
	for _, chosen := range []string{dead, labHome6} {
		l.clear(labName)
		mustRun(t, "ip -6 route replace default via fe80::1 dev wan0 src "+chosen)
		l.once(0)
		at := l.records(labName)
		if len(at) != 2 || !slices.ContainsFunc(at, func(r record) bool { return r["content"] == labHome6 }) {
			t.Errorf("the kernel would leave by %s: %v", chosen, at)
		}
	}
}
