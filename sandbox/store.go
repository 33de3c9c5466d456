package sandbox

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"time"
)

// A transaction changes the records of one zone, all or nothing: until commit
// the zone stands as it was. The records themselves are never changed but
// replaced, so whoever holds the old list may go on reading it.
type transaction struct {
	zone    *zone
	plan    plan
	now     time.Time
	records []*record // nil where one was deleted
	count   int
	byID    map[string]int // place in records
	byName  map[string][]int
}

// begin starts a transaction; the caller holds s.mu until it is committed or
// forgotten.
func begin(z *zone, now time.Time) *transaction {
	t := &transaction{
		zone:    z,
		now:     now.UTC().Truncate(time.Microsecond),
		records: slices.Clone(z.Records),
		count:   len(z.Records),
		byID:    make(map[string]int, len(z.Records)),
		byName:  make(map[string][]int, len(z.Records)),
	}
	t.plan, _ = planNamed(z.Plan)
	for i, r := range t.records {
		t.byID[r.ID] = i
		t.byName[r.Name] = append(t.byName[r.Name], i)
	}
	return t
}

// commit makes the zone hold what the transaction made of it.
func (t *transaction) commit() {
	t.zone.Records = slices.DeleteFunc(t.records, func(r *record) bool { return r == nil })
}

func (t *transaction) delete(id string) (*record, error) {
	i, ok := t.byID[id]
	if !ok {
		return nil, errNoRecord()
	}
	old := t.records[i]
	t.records[i] = nil
	t.count--
	delete(t.byID, id)
	t.unname(old.Name, i)
	return old, nil
}

// patch changes the fields that are there.
func (t *transaction) patch(id string, f fields) (*record, error) {
	i, ok := t.byID[id]
	if !ok {
		return nil, errNoRecord()
	}
	return t.edit(i, *t.records[i], f)
}

// put changes the fields that are there and empties the others.
func (t *transaction) put(id string, f fields) (*record, error) {
	i, ok := t.byID[id]
	if !ok {
		return nil, errNoRecord()
	}
	old := t.records[i]
	return t.edit(i, record{ID: old.ID, TTL: 1, Created: old.Created, Modified: old.Modified}, f)
}

// post creates a record.
func (t *transaction) post(f fields) (*record, error) {
	if t.count >= t.plan.records {
		return nil, errQuota()
	}
	r := record{ID: newID(), TTL: 1, Created: t.now, Modified: t.now}
	if err := f.writeTo(&r, t.plan); err != nil {
		return nil, err
	}
	if err := r.settle(t.zone.Name); err != nil {
		return nil, err
	}
	if err := t.allow(&r, -1); err != nil {
		return nil, err
	}
	r.stamp(&record{}, t.now)
	i := len(t.records)
	t.records = append(t.records, &r)
	t.count++
	t.byID[r.ID] = i
	t.byName[r.Name] = append(t.byName[r.Name], i)
	return &r, nil
}

// edit makes r, with the fields written into it, the record at a place.
func (t *transaction) edit(i int, r record, f fields) (*record, error) {
	old := t.records[i]
	if err := f.writeTo(&r, t.plan); err != nil {
		return nil, err
	}
	// https://developers.cloudflare.com/fundamentals/api/reference/deprecations/
	if r.Type != old.Type && slices.Contains(recordTypes(), r.Type) {
		return nil, invalid(9023, "Editing types after a record has been created is not allowed.")
	}
	if err := r.settle(t.zone.Name); err != nil {
		return nil, err
	}
	if err := t.allow(&r, i); err != nil {
		return nil, err
	}
	if !r.same(old) {
		r.Modified = t.now
	}
	r.stamp(old, t.now)
	t.records[i] = &r
	if r.Name != old.Name {
		t.unname(old.Name, i)
		t.byName[r.Name] = append(t.byName[r.Name], i)
	}
	return &r, nil
}

func (t *transaction) unname(name string, i int) {
	t.byName[name] = slices.DeleteFunc(t.byName[name], func(j int) bool { return j == i })
}

// allow tells whether a record may stand beside the others of its name; self is
// its own place, if it has one.
// https://developers.cloudflare.com/dns/manage-dns-records/troubleshooting/records-with-same-name/
func (t *transaction) allow(r *record, self int) error {
	for _, i := range t.byName[r.Name] {
		if i == self {
			continue
		}
		if err := conflict(r, t.records[i], r.Name == t.zone.Name); err != nil {
			return err
		}
	}
	return nil
}

// conflict tells why r cannot stand beside other, which has the same name.
func conflict(r, other *record, apex bool) error {
	if r.Type == other.Type && r.Content == other.Content && samePriority(r.Priority, other.Priority) {
		return errIdentical()
	}
	hosts := []string{"A", "AAAA", "CNAME"}
	switch {
	case r.Type == "CNAME" && slices.Contains(hosts, other.Type):
		return errHostTaken()
	case other.Type == "CNAME" && slices.Contains(hosts, r.Type):
		return errCNAMEThere()
	case apex || r.Type == other.Type || r.Type == "DS" || other.Type == "DS":
		return nil
	case r.Type == "NS":
		return errNotOnlyNS()
	case other.Type == "NS":
		return errNSThere()
	}
	return nil
}

// stamp notes when the comment and the tags were changed last.
func (r *record) stamp(old *record, now time.Time) {
	r.CommentModified, r.TagsModified = old.CommentModified, old.TagsModified
	if r.Comment != old.Comment {
		r.CommentModified = now
	}
	if !slices.Equal(r.Tags, old.Tags) {
		r.TagsModified = now
	}
}

// newID returns an identifier as Cloudflare writes them: 32 hexadecimal digits.
func newID() string {
	id := make([]byte, 16)
	rand.Read(id)
	return hex.EncodeToString(id)
}
