package ddns

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Record is a record found at Cloudflare, as its API shows it.
// https://developers.cloudflare.com/api/resources/dns/subresources/records/
type Record struct {
	ID       string
	Name     string // complete, lower case, Punycode, no final dot
	Type     string // "A", "AAAA", "CNAME", …
	Content  string // the address, or the target of a CNAME
	Proxied  bool
	TTL      int // seconds; 1 is Cloudflare's "auto"
	Comment  string
	Tags     []string
	Settings json.RawMessage // as Cloudflare sent it; kept, never read
}

// Address returns the address an A or AAAA record holds; the zero Addr for
// any other record and for content that is no address.
func (r Record) Address() netip.Addr {
	if _, ok := FamilyOfType(r.Type); !ok {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(r.Content)
	if err != nil {
		return netip.Addr{}
	}
	return a
}

// Zone is a zone found at Cloudflare.
type Zone struct {
	ID          string
	Name        string
	Status      string // "active", "pending", "initializing", "moved"
	Paused      bool
	Type        string // "full", "partial", "secondary"
	Plan        string // Cloudflare's legacy id: "free", "pro", "business", "enterprise"
	AccountID   string
	NameServers []string // host names that Cloudflare assigned to the zone
}

// Owns reports whether name is the zone's apex or lies below it.
func (z Zone) Owns(name string) bool {
	return name == z.Name || strings.HasSuffix(name, "."+z.Name)
}

// BatchLimit is the number of changes one batch call may carry: 200 on the
// Free plan, 3,500 on the others.
// https://developers.cloudflare.com/dns/manage-dns-records/how-to/batch-record-changes/
func (z Zone) BatchLimit() int {
	if z.Plan == "" || z.Plan == "free" {
		return 200
	}
	return 3500
}

// CommentLimit is the longest comment of a record: 100 characters on the Free
// plan, 500 on the others.
// https://developers.cloudflare.com/dns/manage-dns-records/reference/record-attributes/
func (z Zone) CommentLimit() int {
	if z.Plan == "" || z.Plan == "free" {
		return 100
	}
	return 500
}

// LeastTTL is the shortest time to live of a DNS-only record, in seconds.
// https://developers.cloudflare.com/dns/manage-dns-records/reference/ttl/
func (z Zone) LeastTTL() int {
	if z.Plan == "enterprise" {
		return leastTTL
	}
	return 60
}

// leastTTL is the shortest that any plan takes.
const leastTTL = 30

// Patch names the fields of a record to change. A nil field is not sent, so
// that Cloudflare keeps what stands there.
type Patch struct {
	ID      string
	Content *string
	Proxied *bool
	TTL     *int
	Comment *string
}

// Batch is what one call changes in one zone, in one transaction: Cloudflare
// deletes first, then patches, then posts, and on any mistake does nothing.
type Batch struct {
	Deletes []string // record IDs
	Patches []Patch
	Posts   []Record // without IDs
}

// Size is the number of changes in the batch.
func (b Batch) Size() int { return len(b.Deletes) + len(b.Patches) + len(b.Posts) }

// BatchResult is what Cloudflare confirmed, in the order of the batch.
type BatchResult struct {
	Deleted []Record
	Patched []Record
	Posted  []Record
}

// Listing is what was read of a zone.
type Listing struct {
	Records []Record
	Whole   bool // these are all records of the zone, not only those at the names asked for
}

// API is what a round asks of Cloudflare. Every error is an *Error. An error
// never comes with a partial answer, and an empty answer is never an error.
type API interface {
	// Zones lists every zone that the token sees, every page of them.
	Zones(ctx context.Context) ([]Zone, error)
	// Records lists the records of all types at the given names of the zone,
	// every page of them; of a small zone, all records.
	Records(ctx context.Context, zone Zone, names []string) (Listing, error)
	// Holding lists the records of the zone, of any name and type, whose
	// content contains the text.
	Holding(ctx context.Context, zone Zone, text string) ([]Record, error)
	// Habit lists enough of a large zone's records to tell whether it proxies
	// what it has: a proxied one, if there is one, and then those address records
	// and CNAMEs that are DNS-only, a page of each type. Nil means that nobody knows.
	Habit(ctx context.Context, zone Zone) ([]Record, error)
	// Batch changes records of a zone in one transaction. It is never sent
	// twice: an answer that cannot be trusted is an *Error of kind Uncertain.
	Batch(ctx context.Context, zone Zone, batch Batch) (BatchResult, error)
}

// Keep says what a setting of a record does: left as it is, or set.
type Keep int

// The three states of a setting.
const (
	KeepIt Keep = iota // leave what stands
	SetTrue
	SetFalse
)

// Target is a record the configuration wants: one name, one type.
type Target struct {
	Name        string // complete, lower case, Punycode, no final dot
	Shown       string // as the person wrote it
	Type        string // "A" or "AAAA"
	Proxied     Keep
	TTL         int    // seconds; 0 keeps what stands, 1 is "auto"
	ReplaceHop  bool   // on_cname: replace
	DeleteExtra bool   // extra: delete
	Check       string // how the edge is asked: "auto", a URL, "off"
	ByVariable  bool   // CFDDNS_RECORDS names it, so that a hint speaks of variables
}

// Family returns the family of the target's addresses.
func (t Target) Family() Family {
	f, _ := FamilyOfType(t.Type)
	return f
}

// targetID tells targets apart, as Key does, in the maps of one round.
type targetID struct{ name, recordType string }

func (t Target) id() targetID { return targetID{t.Name, t.Type} }

// Key names the target in maps and logs: "home.example.com A".
func (t Target) Key() string { return t.Name + " " + t.Type }

// SortTargets orders targets by name, then type, and drops repetitions.
func SortTargets(targets []Target) []Target {
	sorted := slices.Clone(targets)
	slices.SortStableFunc(sorted, func(a, b Target) int { return strings.Compare(a.Key(), b.Key()) })
	return slices.CompactFunc(sorted, func(a, b Target) bool { return a.Key() == b.Key() })
}

// Answer is what a DNS server said to one question about addresses.
type Answer struct {
	Server        string // HOST:PORT or URL that was asked
	Authoritative bool   // the AA bit
	NameError     bool   // NXDOMAIN: the server says that the name does not exist
	Addresses     []netip.Addr
	CNAME         string        // where the name points, if it is an alias
	TTL           time.Duration // of the first record
	Over          string        // "udp", "tcp", "https"
}
