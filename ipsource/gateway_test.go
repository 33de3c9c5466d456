package ipsource

import "testing"

const routeHeading = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"

func TestDefaultRoutes(t *testing.T) {
	for _, c := range []struct {
		name, table, through string
		want                 string
	}{
		{"a router", routeHeading + "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\neth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n", "", "192.168.1.1 eth0"},
		{"the lowest metric", routeHeading + "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\neth0\t00000000\t0201A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n", "", "192.168.1.2 eth0"},
		{"of an interface", routeHeading + "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\neth0\t00000000\t0201A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n", "wlan0", "192.168.1.1 wlan0"},
		{"a line without a router", routeHeading + "ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n", "", "invalid IP ppp0"},
		{"one that refuses", routeHeading + "*\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0\n", "", ""},
		{"half of the world is no default", routeHeading + "tun0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0\n", "", ""},
		{"none", routeHeading, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			routes, err := parseRoutes(c.table)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if g, ok := bestRoute(routes, c.through); ok {
				got = g.Address.String() + " " + g.Interface
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	for _, table := range []string{"", "Iface Destination\n", routeHeading + "eth0 00000000\n", routeHeading + "eth0 0000000g 00000000 0003 0 0 0 00000000\n",
		routeHeading + "eth0 00000000 00000000 0003 0 0 -1 00000000\n", routeHeading + "eth0 000000 00000000 0003 0 0 0 00000000\n"} {
		if routes, err := parseRoutes(table); err == nil {
			t.Errorf("%q: %+v", table, routes)
		}
	}
}

func FuzzRoutes(f *testing.F) {
	f.Add(routeHeading + "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n")
	f.Fuzz(func(t *testing.T, table string) {
		routes, err := parseRoutes(table)
		if g, ok := bestRoute(routes, ""); err == nil && ok && (g.Interface == "" || g.Address.IsValid() && !g.Address.Is4()) {
			t.Fatalf("%q: %+v", table, g)
		}
	})
}
