package ipsource

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/cfddns/cfddns/ddns"
)

// routeTable is where Linux lists the IPv4 routes of its main table (proc_pid_net(5)).
// Under ProcSubset=pid (systemd.exec(5)) there is no /proc/net, which leads here.
const routeTable = "/proc/self/net/route"

// ErrNoGateway says that this machine has no default route over IPv4.
var ErrNoGateway = errors.New("this machine has no default route for IPv4")

// DefaultGateway returns the default route over IPv4: that through the
// interface, or the best one if its name is empty. Where the system's routes
// cannot be read, nothing is known of them.
func DefaultGateway(interfaceName string) (ddns.Gateway, error) {
	table, err := os.ReadFile(routeTable)
	if err != nil {
		return ddns.Gateway{}, fmt.Errorf("routes of this machine are not known: %w", err)
	}
	routes, err := parseRoutes(string(table))
	if err != nil {
		return ddns.Gateway{}, err
	}
	gateway, ok := bestRoute(routes, interfaceName)
	if !ok {
		return ddns.Gateway{}, ErrNoGateway
	}
	if local, err := (ownInterface{name: gateway.Interface}).ask(context.Background(), nil, ddns.IPv4); err == nil {
		gateway.Local = local
	}
	return gateway, nil
}

// route4 is one line of the table.
type route4 struct {
	through     string
	gateway     netip.Addr // zero on a line without a router
	metric      uint64
	isDefault   bool
	unreachable bool
}

// Flags of a route, as the kernel's include/uapi/linux/route.h has them.
const (
	routeUp     = 0x0001
	routeReject = 0x0200
)

// parseRoutes reads the table: a line of headings, then eleven columns, of
// which addresses are hexadecimal numbers in the machine's own byte order.
func parseRoutes(table string) ([]route4, error) {
	heading, rest, _ := strings.Cut(table, "\n")
	if columns := strings.Fields(heading); len(columns) < 8 || columns[0] != "Iface" || columns[6] != "Metric" {
		return nil, errors.New("kernel's table of routes: its heading is not the known one")
	}
	var routes []route4
	for line := range strings.Lines(rest) {
		columns := strings.Fields(line)
		if len(columns) == 0 {
			continue
		}
		if len(columns) < 8 {
			return nil, fmt.Errorf("kernel's table of routes: a line of %d columns", len(columns))
		}
		destination, err1 := parseRouteAddress(columns[1])
		gateway, err2 := parseRouteAddress(columns[2])
		flags, err3 := strconv.ParseUint(columns[3], 16, 16)
		metric, err4 := strconv.ParseUint(columns[6], 10, 32)
		mask, err5 := parseRouteAddress(columns[7])
		if err := cmp.Or(err1, err2, err3, err4, err5); err != nil {
			return nil, fmt.Errorf("kernel's table of routes: %w", err)
		}
		r := route4{through: columns[0], metric: metric, isDefault: destination.IsUnspecified() && mask.IsUnspecified(),
			unreachable: flags&routeUp == 0 || flags&routeReject != 0}
		if !gateway.IsUnspecified() {
			r.gateway = gateway
		}
		routes = append(routes, r)
	}
	return routes, nil
}

// parseRouteAddress reads an address as the table has it.
func parseRouteAddress(word string) (netip.Addr, error) {
	var b [4]byte
	if len(word) != 2*len(b) {
		return netip.Addr{}, fmt.Errorf("%.20q is no address", word)
	}
	if _, err := hex.Decode(b[:], []byte(word)); err != nil {
		return netip.Addr{}, fmt.Errorf("%.20q is no address", word)
	}
	// The word is the number that the four bytes are to this machine.
	binary.NativeEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:]))
	return netip.AddrFrom4(b), nil
}

// bestRoute returns the usable default route with the lowest metric; of several, the first.
func bestRoute(routes []route4, through string) (ddns.Gateway, bool) {
	best := -1
	for i, r := range routes {
		if !r.isDefault || r.unreachable || through != "" && r.through != through {
			continue
		}
		if best < 0 || r.metric < routes[best].metric {
			best = i
		}
	}
	if best < 0 {
		return ddns.Gateway{}, false
	}
	return ddns.Gateway{Address: routes[best].gateway, Interface: routes[best].through}, true
}
