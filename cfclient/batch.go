package cfclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cloudflare/cloudflare-go/v7/dns"
	"github.com/cloudflare/cloudflare-go/v7/option"
)

// Batch implements ddns.API. Success is what the answer shows record by
// record: an answer that does not hold every change as it was sent leaves the
// batch Uncertain.
// https://developers.cloudflare.com/dns/manage-dns-records/how-to/batch-record-changes/
func (c *Client) Batch(ctx context.Context, zone ddns.Zone, batch ddns.Batch) (ddns.BatchResult, error) {
	q := question{op: "change records of " + zone.Name, needs: needsDNSEdit, ids: []string{zone.ID}, long: true, write: true}
	if batch.Size() == 0 {
		return ddns.BatchResult{}, nil
	}
	body, err := batchBody(zone, batch)
	if err != nil {
		return ddns.BatchResult{}, &ddns.Error{Op: q.op, Err: fmt.Errorf("not sent: %w", err)}
	}
	service := dns.NewRecordService()
	answer, err := ask[wireResult](ctx, c, q, c.byLibrary(func(ctx context.Context, options ...option.RequestOption) error {
		var params dns.RecordBatchParams
		params.ZoneID.Value, params.ZoneID.Present = zone.ID, true
		_, err := service.Batch(ctx, params, append(options, option.WithRequestBody("application/json", body))...)
		return err
	}))
	if err != nil {
		return ddns.BatchResult{}, err
	}
	result, err := confirmed(batch, answer.Result)
	if err != nil {
		return ddns.BatchResult{}, untrusted(q, err)
	}
	return result, nil
}

// wireBatch, wirePatch and wirePost are a batch as the API wants it. The
// library's own types would do for one record; they are built on interfaces
// for every type of record there is.
type wireBatch struct {
	Deletes []wireID    `json:"deletes,omitempty"`
	Patches []wirePatch `json:"patches,omitempty"`
	Posts   []wirePost  `json:"posts,omitempty"`
}

type wireID struct {
	ID string `json:"id"`
}

type wirePatch struct {
	ID      string  `json:"id,omitempty"`
	Content *string `json:"content,omitempty"`
	Proxied *bool   `json:"proxied,omitempty"`
	TTL     *int    `json:"ttl,omitempty"`
	Comment *string `json:"comment,omitempty"`
}

type wirePost struct {
	Name     string          `json:"name"`
	Type     string          `json:"type"`
	Content  string          `json:"content"`
	TTL      int             `json:"ttl"`
	Proxied  bool            `json:"proxied"`
	Comment  string          `json:"comment,omitempty"`
	Tags     []string        `json:"tags,omitempty"`
	Settings json.RawMessage `json:"settings,omitempty"`
}

// batchBody spells a batch, and refuses what Cloudflare would only refuse as a
// whole.
func batchBody(zone ddns.Zone, batch ddns.Batch) ([]byte, error) {
	if batch.Size() > zone.BatchLimit() {
		return nil, fmt.Errorf("%d changes in one batch, and the plan of %s allows %d", batch.Size(), zone.Name, zone.BatchLimit())
	}
	var wire wireBatch
	for _, id := range batch.Deletes {
		if id == "" {
			return nil, errors.New("a record without ID was to be deleted")
		}
		wire.Deletes = append(wire.Deletes, wireID{id})
	}
	for _, p := range batch.Patches {
		if p.ID == "" || p == (ddns.Patch{ID: p.ID}) {
			return nil, errors.New("a change names no record, or changes nothing")
		}
		wire.Patches = append(wire.Patches, wirePatch(p))
	}
	for _, r := range batch.Posts {
		post := wirePost{Name: r.Name, Type: r.Type, Content: r.Content, TTL: r.TTL, Proxied: r.Proxied, Comment: r.Comment, Tags: r.Tags}
		if post.TTL == 0 {
			post.TTL = 1 // auto
		}
		if hasSettings(r.Settings) {
			post.Settings = r.Settings
		}
		wire.Posts = append(wire.Posts, post)
	}
	return json.Marshal(wire)
}

// wireResult is what the API says of a batch. A list is null where nothing
// was asked.
type wireResult struct {
	Deletes page[wireRecord] `json:"deletes"`
	Patches page[wireRecord] `json:"patches"`
	Posts   page[wireRecord] `json:"posts"`
}

// confirmed holds an answer against the batch that was sent, and returns it in
// the batch's order.
func confirmed(batch ddns.Batch, wire *wireResult) (ddns.BatchResult, error) {
	var result ddns.BatchResult
	if len(wire.Deletes) != len(batch.Deletes) || len(wire.Patches) != len(batch.Patches) || len(wire.Posts) != len(batch.Posts) {
		return result, fmt.Errorf("the answer shows %d deleted, %d changed and %d created records; %d, %d and %d were sent",
			len(wire.Deletes), len(wire.Patches), len(wire.Posts), len(batch.Deletes), len(batch.Patches), len(batch.Posts))
	}
	deleted := index(wire.Deletes, func(w *wireRecord) string { return w.ID })
	for _, id := range batch.Deletes {
		w, ok := deleted.take(id)
		if !ok {
			return result, fmt.Errorf("the answer does not show the deletion of record %s", id)
		}
		r, _ := w.record() // the ID may stand alone here
		r.ID = id
		result.Deleted = append(result.Deleted, r)
	}
	patched := index(wire.Patches, func(w *wireRecord) string { return w.ID })
	for _, p := range batch.Patches {
		w, ok := patched.take(p.ID)
		r, err := w.record()
		if !ok || err != nil || !shows(r, p) {
			return result, fmt.Errorf("the answer does not show the change of record %s as it was sent", p.ID)
		}
		result.Patched = append(result.Patched, r)
	}
	posted := index(wire.Posts, func(w *wireRecord) string { return identity(w.Name, w.Type, w.Content) })
	for _, p := range batch.Posts {
		w, ok := posted.take(identity(p.Name, p.Type, p.Content))
		r, err := w.record()
		if !ok || err != nil || r.Proxied != p.Proxied {
			return result, fmt.Errorf("the answer does not show the new record %s %s as it was sent", p.Name, p.Type)
		}
		result.Posted = append(result.Posted, r)
	}
	return result, nil
}

// pile holds the records of an answer by key, until each is taken.
type pile map[string][]wireRecord

func index(records []wireRecord, key func(*wireRecord) string) pile {
	p := make(pile, len(records))
	for _, w := range records {
		p[key(&w)] = append(p[key(&w)], w)
	}
	return p
}

func (p pile) take(key string) (w wireRecord, ok bool) {
	if len(p[key]) == 0 {
		return w, false
	}
	w, p[key] = p[key][0], p[key][1:]
	return w, true
}

// identity makes equal what Cloudflare takes as equal.
func identity(name, recordType, content string) string {
	return strings.ToLower(name) + " " + recordType + " " + canonical(content)
}

// canonical returns an address in its one spelling, and a name in lower case.
func canonical(content string) string {
	if a, err := netip.ParseAddr(content); err == nil {
		return a.String()
	}
	return strings.ToLower(strings.TrimSuffix(content, "."))
}

// shows reports whether a record has what a patch set. The TTL of a proxied
// record is always auto, whatever was sent.
func shows(r ddns.Record, p ddns.Patch) bool {
	return (p.Content == nil || canonical(r.Content) == canonical(*p.Content)) &&
		(p.Proxied == nil || r.Proxied == *p.Proxied) &&
		(p.TTL == nil || r.Proxied || r.TTL == *p.TTL) &&
		(p.Comment == nil || r.Comment == *p.Comment)
}
