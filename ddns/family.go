package ddns

import (
	"fmt"
	"net/netip"
)

// Family is one of the two kinds of internet address. The two are observed,
// judged and held apart: trouble with one never holds up the other.
type Family int

// The families, numbered as people name them.
const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// Families lists both in the order in which everything is shown.
var Families = []Family{IPv4, IPv6}

// String returns "ipv4" or "ipv6", the words of the JSON output.
func (f Family) String() string {
	switch f {
	case IPv4:
		return "ipv4"
	case IPv6:
		return "ipv6"
	default:
		return fmt.Sprintf("family(%d)", int(f))
	}
}

// RecordType returns the type of record that holds an address of the family.
func (f Family) RecordType() string {
	if f == IPv6 {
		return "AAAA"
	}
	return "A"
}

// Network pins a Go network name ("tcp", "udp") to the family: "tcp4", "udp6".
func (f Family) Network(base string) string {
	return fmt.Sprintf("%s%d", base, int(f))
}

// FamilyOf returns the family of an address. An IPv4 address in IPv6 clothes
// (::ffff:a.b.c.d) is an IPv4 address.
func FamilyOf(a netip.Addr) Family {
	if a.Unmap().Is4() {
		return IPv4
	}
	return IPv6
}

// FamilyOfType returns the family whose addresses a record type holds; ok is
// false for types that hold no address.
func FamilyOfType(recordType string) (family Family, ok bool) {
	switch recordType {
	case "A":
		return IPv4, true
	case "AAAA":
		return IPv6, true
	default:
		return 0, false
	}
}
