package ipsource

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/cfddns/cfddns/ddns"
)

// Changes hears from the kernel when this machine's addresses or its way out
// change. Only the interfaces of the default routes are looked at, or the one
// that is bound: bridges and containers come and go all day.
type Changes struct {
	// Bind is what ip.bind names: an interface, or one of our addresses. Empty:
	// the default routes say what matters.
	Bind string
	// Routed is called when a default route leads elsewhere. It must not block.
	// Nil: nobody wants to know.
	Routed func()
}

// kernel is who gives the hints.
const kernel = "the kernel"

// picture is the part of this machine's addresses that matters.
type picture struct {
	routes map[ddns.Family]string // where the default route leads, in words
	at     map[netip.Addr]string  // lasting global addresses that matter, and their interfaces
	all    map[netip.Addr]bool    // those of all interfaces
}

// hintOf says what is new in a picture; ok is false if nothing is. It names an
// address only where that is all the news: what is new in one family is news,
// whatever came back in the other.
func hintOf(before, after picture) (h ddns.Hint, ok bool) {
	h = ddns.Hint{Trigger: ddns.ByEvent, From: kernel}
	var words []string
	for _, a := range slices.SortedFunc(maps.Keys(after.at), netip.Addr.Compare) {
		if _, had := before.at[a]; had {
			continue
		}
		words = append(words, fmt.Sprintf("%s has %s", after.at[a], a))
		if !h.Address.IsValid() && ddns.Sane(a, ddns.FamilyOf(a)) == nil {
			h.Address = a
		}
	}
	for _, a := range slices.SortedFunc(maps.Keys(before.at), netip.Addr.Compare) {
		if after.all[a] {
			continue // it is only no longer where the way out is
		}
		words = append(words, fmt.Sprintf("%s has lost %s", before.at[a], a))
		h.Gone = append(h.Gone, a)
	}
	if h.Address.IsValid() && bothFamilies(before.at, after.at) {
		h.Address = netip.Addr{}
	}
	if moved := rerouted(before, after); moved != "" {
		words = append(words, moved)
	}
	h.Says = strings.Join(words, "; ")
	return h, len(words) > 0
}

// bothFamilies reports whether addresses of both families came or went.
func bothFamilies(before, after map[netip.Addr]string) bool {
	differ := map[ddns.Family]bool{}
	for _, pair := range [][2]map[netip.Addr]string{{before, after}, {after, before}} {
		for a := range pair[0] {
			if _, both := pair[1][a]; !both {
				differ[ddns.FamilyOf(a)] = true
			}
		}
	}
	return len(differ) > 1
}

// rerouted says which default routes lead elsewhere; "" if none does.
func rerouted(before, after picture) string {
	var words []string
	for _, f := range ddns.Families {
		switch after.routes[f] {
		case before.routes[f]:
		case "":
			words = append(words, fmt.Sprintf("no default route over %s any more", f))
		default:
			words = append(words, fmt.Sprintf("the default route over %s leads through %s", f, after.routes[f]))
		}
	}
	return strings.Join(words, "; ")
}

// lasting are those addresses that a record could hold, or that a router would
// translate: global, and neither temporary nor on their way in or out.
func lasting(addresses []localAddress) map[netip.Addr]bool {
	fit := map[netip.Addr]bool{}
	for _, a := range addresses {
		unfit := uint32(flagDADFailed | flagDeprecated | flagTentative)
		if a.address.Is6() {
			unfit |= flagTemporary // for IPv4 the bit says that there is another one
		}
		if a.global && a.flags&unfit == 0 && a.preferred > 0 {
			fit[a.address] = true
		}
	}
	return fit
}
