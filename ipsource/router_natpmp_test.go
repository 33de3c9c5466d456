package ipsource

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestARouterIsBelievedWhereNothingUnsaysIt(t *testing.T) {
	right, forged, tale := pmp(0, "45.67.89.10"), pmp(0, "100.64.0.1"), pmp(0, "100.64.0.2")
	noLine := pmp(3, "0.0.0.0")
	for _, c := range []struct {
		name          string
		first, second [][]byte // what comes to each of the two ports
		want          string   // an address, or part of an error
	}{
		{"both answers agree", [][]byte{right}, [][]byte{right}, "45.67.89.10"},
		{"an answer comes twice", [][]byte{right, right}, [][]byte{right}, "45.67.89.10"},
		{"the second names another", [][]byte{forged}, [][]byte{right}, "named 100.64.0.1 to one port and 45.67.89.10 to another"},
		{"somebody tells another tale each time", [][]byte{forged}, [][]byte{tale}, "to another"},
		{"the router answers the first port as well", [][]byte{forged, right}, [][]byte{forged}, "something else as well"},
		{"the router says as well that it has no line", [][]byte{forged, noLine}, [][]byte{forged}, "something else as well"},
		{"the router has no line", [][]byte{noLine}, nil, errNoWAN.Error()},
		{"what is no answer unsays nothing", [][]byte{right, []byte("hello")}, [][]byte{right}, "45.67.89.10"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked atomic.Int32
			world := loopback{hosts: map[string]string{"192.168.1.1:5351": udpServer(t, func([]byte) [][]byte {
				if asked.Add(1) == 1 {
					return c.first
				}
				return c.second
			})}}
			got, err := confirmNATPMP(within(t, 3*time.Second), world, gateway4)
			if err == nil && got.String() != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v; want %s", got, err, c.want)
			}
		})
	}
}

func TestWhatElseCameToAPort(t *testing.T) {
	router, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer router.Close()
	for name, c := range map[string]struct {
		came [][]byte
		want bool
	}{
		"nothing":        {nil, true},
		"the same":       {[][]byte{pmp(0, "45.67.89.10")}, true},
		"another":        {[][]byte{pmp(0, "45.67.89.10"), pmp(0, "100.64.0.1")}, false},
		"no line":        {[][]byte{pmp(3, "0.0.0.0")}, false},
		"what is no PMP": {[][]byte{[]byte("hello")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("udp4", router.LocalAddr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for _, b := range c.came {
				if _, err := router.WriteTo(b, conn.LocalAddr()); err != nil {
					t.Fatal(err)
				}
			}
			if err := contradicted(conn, home4); (err == nil) != c.want {
				t.Errorf("got %v", err)
			}
		})
	}
}
