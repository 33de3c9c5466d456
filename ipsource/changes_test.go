package ipsource

import (
	"net/netip"
	"testing"

	"github.com/cfddns/cfddns/ddns"
)

func TestWhatIsNewInAPicture(t *testing.T) {
	a, b, private := netip.MustParseAddr("45.67.89.10"), netip.MustParseAddr("45.67.90.77"), netip.MustParseAddr("192.168.1.10")
	v6 := netip.MustParseAddr("2a01:4f8:1:2::10")
	v6old := netip.MustParseAddr("2a01:4f8:1:1::10")
	of := func(route string, at ...netip.Addr) picture {
		p := picture{routes: map[ddns.Family]string{}, at: map[netip.Addr]string{}, all: map[netip.Addr]bool{}}
		if route != "" {
			p.routes[ddns.IPv4] = route
		}
		for _, x := range at {
			p.at[x], p.all[x] = "ppp0", true
		}
		return p
	}
	elsewhere := of("wwan0", b)
	elsewhere.all[a] = true // it is still there, and no longer on the way out
	for _, c := range []struct {
		name          string
		before, after picture
		says          string
		address       netip.Addr
		gone          int
	}{
		{"nothing", of("ppp0", a), of("ppp0", a), "", netip.Addr{}, 0},
		{"another address", of("ppp0", a), of("ppp0", b), "ppp0 has 45.67.90.77; ppp0 has lost 45.67.89.10", b, 1},
		{"a private address is named, and is no address of a home", of("", a), of("", a, private), "ppp0 has 192.168.1.10", netip.Addr{}, 0},
		{"a prefix", of("ppp0", a), of("ppp0", a, v6), "ppp0 has 2a01:4f8:1:2::10", v6, 0},
		{"the old address with another prefix, which is news", of("", v6old), of("", a, v6), "ppp0 has 45.67.89.10; ppp0 has 2a01:4f8:1:2::10; ppp0 has lost 2a01:4f8:1:1::10", netip.Addr{}, 1},
		{"the line is lost", of("ppp0", a), of(""), "ppp0 has lost 45.67.89.10; no default route over ipv4 any more", netip.Addr{}, 1},
		{"fail-over to another line", of("ppp0", a), elsewhere, "ppp0 has 45.67.90.77; the default route over ipv4 leads through wwan0", b, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, ok := hintOf(c.before, c.after)
			if ok != (c.says != "") || h.Says != c.says || h.Address != c.address || len(h.Gone) != c.gone {
				t.Errorf("got %+v, %v", h, ok)
			}
		})
	}
}
