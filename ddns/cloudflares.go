package ddns

import "net/netip"

// Cloudflares reports whether an address is of Cloudflare's own ranges, which
// the edge answers at: https://www.cloudflare.com/ips/
func Cloudflares(a netip.Addr) bool {
	for _, r := range ranges {
		if r.what == cloudflares && r.prefix.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}
