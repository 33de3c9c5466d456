package ddns

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// ZoneFacts is what was read of one zone.
type ZoneFacts struct {
	Zone Zone
	// Records at the names in Names, of all types; the whole zone if Whole.
	Records []Record
	Names   []string
	Whole   bool
	Habit   []Record  // how the zone serves what else it has; asked for only if not Whole and a name is new, else nil
	ReadAt  time.Time // zero: must be read before it is believed
	SeenAt  time.Time // when the zone itself, its state and nameservers, was last read

	places map[string][]int // where in Records those of a name are; nil: look through all
}

// Found is what is known of Cloudflare's side. An error stands beside the
// name or zone it concerns; it never shows as an absence of records.
type Found struct {
	Zones   []ZoneFacts      // sorted by name
	Missing map[string]error // names whose zone could not be found, or not asked for
	Failed  map[string]error // zones, by name, whose records could not be read
}

// zoneOf returns the facts of the zone that holds the name: the deepest one.
func (f Found) zoneOf(name string) (ZoneFacts, bool) {
	if i := f.zoneAt(name); i >= 0 {
		return f.Zones[i], true
	}
	return ZoneFacts{}, false
}

// zoneAt returns which of the zones is the deepest that holds the name, or -1.
// Whoever keeps thousands of names in hundreds of zones asks for each.
func (f Found) zoneAt(name string) int {
	for above, more := name, true; more; _, above, more = strings.Cut(above, ".") {
		i, ok := slices.BinarySearchFunc(f.Zones, above, func(z ZoneFacts, name string) int { return strings.Compare(z.Zone.Name, name) })
		if ok {
			return i
		}
	}
	return -1
}

// at returns the records at a name.
func (z ZoneFacts) at(name string) []Record {
	var records []Record
	if z.places != nil {
		for _, i := range z.places[name] {
			records = append(records, z.Records[i])
		}
		return records
	}
	for _, r := range z.Records {
		if r.Name == name {
			records = append(records, r)
		}
	}
	return records
}

// holding returns the facts with other records, and where each name is among them.
func (z ZoneFacts) holding(records []Record) ZoneFacts {
	z.Records, z.places = records, make(map[string][]int, len(records))
	for i, r := range records {
		z.places[r.Name] = append(z.places[r.Name], i)
	}
	return z
}

// covers reports whether the facts say all about the names.
func (z ZoneFacts) covers(names []string) bool {
	if z.Whole || slices.Equal(names, z.Names) {
		return true
	}
	read := make(map[string]bool, len(z.Names))
	for _, name := range z.Names {
		read[name] = true
	}
	return !slices.ContainsFunc(names, func(name string) bool { return !read[name] })
}

// Look reads what the records at the names, each given once, are. Facts younger
// than recheck are used as they are; recheck 0 reads everything afresh. Zones are
// read side by side, as many at once as the API lets through, and one that cannot
// be read does not hold up the others.
func Look(ctx context.Context, api API, names []string, known Found, recheck time.Duration, now time.Time) Found {
	fresh := func(z ZoneFacts) bool {
		return recheck > 0 && !z.ReadAt.IsZero() && now.Sub(z.ReadAt) < recheck && !now.Before(z.ReadAt)
	}
	found := locate(ctx, api, names, known, func(z ZoneFacts) bool {
		return !fresh(z) && (!z.serves() || doubtful(known.Failed[z.Zone.Name]) || now.Sub(z.SeenAt).Abs() >= zoneRecheck)
	}, now)
	inZone := make([][]string, len(found.Zones))
	for _, name := range names {
		if i := found.zoneAt(name); i >= 0 {
			inZone[i] = append(inZone[i], name)
		}
	}
	var mu sync.Mutex // guards found.Failed and the elements of found.Zones
	var reading sync.WaitGroup
	for i, z := range found.Zones {
		wanted := inZone[i]
		if len(wanted) == 0 || fresh(z) && z.covers(wanted) {
			continue
		}
		reading.Go(func() {
			read, err := readZone(ctx, api, z, wanted, now)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				found.Failed[z.Zone.Name] = err
				found.Zones[i].ReadAt = time.Time{}
				return
			}
			found.Zones[i] = read
		})
	}
	reading.Wait()
	return found
}

// zoneRecheck is how long a zone that serves is believed to be as it was: its
// plan, its nameservers, that it is not paused.
const zoneRecheck = 24 * time.Hour

// serves reports whether the world asks Cloudflare for the zone.
func (z ZoneFacts) serves() bool {
	return !z.Zone.Paused && z.Zone.Type != "partial" && (z.Zone.Status == "active" || z.Zone.Status == "")
}

// doubtful reports whether an error says that the zone itself may be gone, and
// not only that nobody answers.
func doubtful(err error) bool {
	k := KindOf(err)
	return k == Conflict || k == NotPermitted || k == NoZone
}

// anyNew reports whether a name has no record that leads visitors anywhere.
func anyNew(names []string, records []Record) bool {
	has := make(map[string]bool, len(records))
	for _, r := range records {
		has[r.Name] = has[r.Name] || r.leads()
	}
	return slices.ContainsFunc(names, func(name string) bool { return !has[name] })
}

// around adds to names of a zone those whose records say whose they are: the
// names above them, which may be delegated away, and where external-dns marks
// what it keeps.
func around(zone Zone, names []string) []string {
	all := slices.Clone(names)
	for _, name := range names {
		all = append(all, "a-"+name, "aaaa-"+name, "cname-"+name)
		for _, above, ok := strings.Cut(name, "."); ok && above != zone.Name && zone.Owns(above); _, above, ok = strings.Cut(above, ".") {
			all = append(all, above)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// locate finds the zone of each name. The zones of the token are listed only
// if a name has none yet, or what is known of one is old; which of them holds
// a name is then a matter of walking up its labels.
func locate(ctx context.Context, api API, names []string, known Found, old func(ZoneFacts) bool, now time.Time) Found {
	found := Found{Missing: map[string]error{}, Failed: map[string]error{}}
	var homeless []string
	wanted := make([]bool, len(known.Zones))
	for _, name := range names {
		if i := known.zoneAt(name); i >= 0 {
			wanted[i] = true
		} else {
			homeless = append(homeless, name)
		}
	}
	for i, z := range known.Zones {
		if wanted[i] {
			found.Zones = append(found.Zones, z)
		}
	}
	if len(homeless) == 0 && !slices.ContainsFunc(found.Zones, old) {
		return found
	}
	zones, err := api.Zones(ctx)
	if err != nil { // what is known of the others stands
		for _, name := range homeless {
			found.Missing[name] = err
		}
		return found
	}
	return found.relocate(names, zones, now)
}

// relocate gives each name its zone among those that were listed. What is
// known of a zone's records stays.
func (f Found) relocate(names []string, zones []Zone, now time.Time) Found {
	before := make(map[string]ZoneFacts, len(f.Zones)) // by ID: a zone may have been made anew
	for _, z := range f.Zones {
		before[z.Zone.ID] = z
	}
	listed := Found{Zones: make([]ZoneFacts, len(zones))}
	for i, zone := range zones {
		listed.Zones[i] = before[zone.ID]
		listed.Zones[i].Zone, listed.Zones[i].SeenAt = zone, now
	}
	byName := func(a, b ZoneFacts) int { return strings.Compare(a.Zone.Name, b.Zone.Name) }
	slices.SortStableFunc(listed.Zones, byName) // of two of one name the first counts
	wanted := make([]bool, len(listed.Zones))
	for _, name := range names {
		if i := listed.zoneAt(name); i >= 0 {
			wanted[i] = true
		} else {
			f.Missing[name] = noZone(name, len(zones))
		}
	}
	f.Zones = nil
	for i, z := range listed.Zones {
		if wanted[i] {
			f.Zones = append(f.Zones, z)
		}
	}
	return f
}

// deepest returns the zone that holds the name: of a zone and its delegated
// child, the child.
func deepest(zones []Zone, name string) (best Zone, ok bool) {
	for _, z := range zones {
		if z.Owns(name) && len(z.Name) > len(best.Name) {
			best, ok = z, true
		}
	}
	return best, ok
}

// noZone is the error of a name that lies in none of the token's zones.
func noZone(name string, zones int) error {
	hint := "give the token the permission Zone > Zone > Read for that zone, or correct the name"
	if zones == 0 {
		hint = "the token sees no zone at all: give it the permission Zone > Zone > Read"
	}
	return &Error{Kind: NoZone, Op: "find the zone of " + name, Hint: hint,
		Err: fmt.Errorf("no zone that the token sees holds it (it sees %d)", zones)}
}

// readZone lists the records of one zone.
func readZone(ctx context.Context, api API, z ZoneFacts, names []string, now time.Time) (ZoneFacts, error) {
	listing, err := api.Records(ctx, z.Zone, around(z.Zone, names))
	var habit []Record
	if err == nil && !listing.Whole && anyNew(names, listing.Records) {
		habit, err = api.Habit(ctx, z.Zone)
	}
	if err != nil {
		return ZoneFacts{}, fmt.Errorf("read %s: %w", z.Zone.Name, err)
	}
	read := ZoneFacts{Habit: habit, Zone: z.Zone, SeenAt: z.SeenAt, Names: names, Whole: listing.Whole, ReadAt: now}
	return read.holding(listing.Records), nil
}

// wrote returns the facts after Cloudflare confirmed changes: what was
// confirmed is known without reading it again.
func (f Found) wrote(zoneID string, result BatchResult) Found {
	f.Zones = slices.Clone(f.Zones)
	for i, z := range f.Zones {
		if z.Zone.ID != zoneID {
			continue
		}
		gone := make(map[string]bool, len(result.Deleted)+len(result.Patched))
		for _, r := range slices.Concat(result.Deleted, result.Patched) {
			gone[r.ID] = true
		}
		records := slices.DeleteFunc(slices.Clone(z.Records), func(r Record) bool { return gone[r.ID] })
		records = append(records, result.Patched...)
		f.Zones[i] = z.holding(append(records, result.Posted...))
	}
	return f
}

// doubt returns the facts after an answer that cannot be trusted: the zone
// must be read again before anything else is believed of it.
func (f Found) doubt(zoneID string) Found {
	f.Zones = slices.Clone(f.Zones)
	for i := range f.Zones {
		if f.Zones[i].Zone.ID == zoneID {
			f.Zones[i].ReadAt = time.Time{}
		}
	}
	return f
}

// stale returns the facts of which nothing is believed before it is read again.
func (f Found) stale() Found {
	f.Zones = slices.Clone(f.Zones)
	for i := range f.Zones {
		f.Zones[i].ReadAt = time.Time{}
	}
	return f
}

func hasID(records []Record, id string) bool {
	return slices.ContainsFunc(records, func(r Record) bool { return r.ID == id })
}
