package cfclient

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cloudflare/cloudflare-go/v7/dns"
	"github.com/cloudflare/cloudflare-go/v7/option"
)

const (
	// recordsPerPage makes one page of almost every zone: 3 MiB of JSON, some
	// 300 kB on the wire. Cloudflare allows more; memory then grows with it.
	recordsPerPage = 5000
	// smallZone is the most records a Free zone can hold. A zone up to this is
	// read whole: one call whatever the number of names, and it shows what else
	// is in the zone.
	smallZone = 1000
	// Of a larger zone up to fewNames names are asked for by name, in one call
	// as well. For more of them the whole zone is cheaper than the search: a
	// record takes some 500 bytes, 50 by gzip. Their query has up to fewBytes,
	// so that with the rest the URL stays below the 8 kB that servers take.
	fewNames = 60
	fewBytes = 7000
	// fewMissing is how many names are asked for once more, each by a call of
	// its own.
	fewMissing = 20
)

// Records implements ddns.API.
//
// A name that a search for several does not show is asked for once more on its
// own: what seems to be missing will be created, and a search that leaves
// something out must not lead to that. If they are many, the whole zone is read.
func (c *Client) Records(ctx context.Context, zone ddns.Zone, names []string) (ddns.Listing, error) {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	few := len(names) <= fewNames && len(url.Values{"name": names}.Encode()) <= fewBytes
	if few && c.isLarge(zone) {
		return c.byName(ctx, zone, names)
	}
	most := longestList
	if few {
		most = smallZone
	}
	records, err := c.list(ctx, zone, search{most: most})
	if errors.Is(err, errLonger) {
		c.large.Store(zone.ID, true)
		return c.byName(ctx, zone, names)
	}
	return ddns.Listing{Records: records, Whole: err == nil}, err
}

// isLarge reports whether the zone was seen to hold more than smallZone
// records.
func (c *Client) isLarge(zone ddns.Zone) bool {
	_, large := c.large.Load(zone.ID)
	return large
}

// byName lists the records at a few names.
func (c *Client) byName(ctx context.Context, zone ddns.Zone, names []string) (ddns.Listing, error) {
	var listing ddns.Listing
	missing := names
	if len(names) > 1 {
		records, err := c.list(ctx, zone, search{names: names})
		if err != nil {
			return ddns.Listing{}, err
		}
		listing.Records = records
		missing = without(names, records)
	}
	if len(missing) > fewMissing {
		records, err := c.list(ctx, zone, search{})
		return ddns.Listing{Records: records, Whole: err == nil}, err
	}
	for _, name := range missing {
		records, err := c.list(ctx, zone, search{names: []string{name}})
		if err != nil {
			return ddns.Listing{}, err
		}
		listing.Records = append(listing.Records, records...)
	}
	return listing, nil
}

// without returns the names at which no record was found.
func without(names []string, found []ddns.Record) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return slices.ContainsFunc(found, func(r ddns.Record) bool { return r.Name == name })
	})
}

// Holding implements ddns.API.
func (c *Client) Holding(ctx context.Context, zone ddns.Zone, text string) ([]ddns.Record, error) {
	if text == "" {
		return nil, &ddns.Error{Op: "search the records of " + zone.Name, Err: errors.New("not sent: there is nothing to search for")}
	}
	return c.list(ctx, zone, search{content: text})
}

// search says which records of a zone to list: at most so many, at these names
// (none means all), with this text in their content, of this type.
type search struct {
	most    int    // 0 means longestList
	kind    string // "" means all types
	names   []string
	content string
}

// query is the search as the API wants it. The library's parameter holds one
// name only; several are `match=any&name=a&name=b`.
func (s search) query() (params dns.RecordListParams, more []option.RequestOption) {
	perPage := min(recordsPerPage, cmp.Or(s.most, recordsPerPage))
	params.PerPage.Value, params.PerPage.Present = float64(perPage), true
	if s.content != "" {
		params.Content.Value.Contains.Value, params.Content.Value.Contains.Present = s.content, true
		params.Content.Present = true
	}
	if s.kind != "" {
		params.Type.Value, params.Type.Present = dns.RecordListParamsType(s.kind), true
	}
	switch len(s.names) {
	case 0:
	case 1:
		params.Name.Value.Exact.Value, params.Name.Value.Exact.Present = s.names[0], true
		params.Name.Present = true
	default:
		params.Match.Value, params.Match.Present = dns.RecordListParamsMatchAny, true
		for _, name := range s.names {
			more = append(more, option.WithQueryAdd("name", name))
		}
	}
	return params, more
}

// fits reports whether a record is what the search meant: a filter that the
// server passed over must not widen the answer.
func (s search) fits(r ddns.Record) bool {
	return (len(s.names) == 0 || slices.Contains(s.names, r.Name)) && (s.kind == "" || r.Type == s.kind) &&
		strings.Contains(strings.ToLower(r.Content), strings.ToLower(s.content))
}

// list lists the records that a search describes.
func (c *Client) list(ctx context.Context, zone ddns.Zone, s search) ([]ddns.Record, error) {
	q := question{op: "list records of " + zone.Name, needs: needsDNSRead, ids: []string{zone.ID}, long: true}
	service := dns.NewRecordService()
	wire, err := askPages[wireRecord](ctx, c, q, cmp.Or(s.most, longestList), func(page int) sender {
		return c.byLibrary(func(ctx context.Context, options ...option.RequestOption) error {
			params, more := s.query()
			params.ZoneID.Value, params.ZoneID.Present = zone.ID, true
			params.Page.Value, params.Page.Present = float64(page), true
			_, err := service.List(ctx, params, append(options, more...)...)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	records := make([]ddns.Record, 0, len(wire))
	for i := range wire {
		r, err := wire[i].record()
		if err != nil {
			return nil, untrusted(q, err)
		}
		if s.fits(r) {
			records = append(records, r)
		}
	}
	return records, nil
}

// wireRecord is a record as the API spells it.
type wireRecord struct {
	ID       string          `json:"id"`
	Name     string          `json:"name"`
	Type     string          `json:"type"`
	Content  string          `json:"content"`
	Proxied  bool            `json:"proxied"`
	TTL      int             `json:"ttl"`
	Comment  string          `json:"comment"` // null where there is none
	Tags     page[string]    `json:"tags"`
	Settings json.RawMessage `json:"settings"`
}

func (w wireRecord) key() string { return w.ID }

// record returns the record in our words. One without an ID, a name or a type
// is not to be planned with.
func (w *wireRecord) record() (ddns.Record, error) {
	if w.ID == "" || w.Name == "" || w.Type == "" {
		return ddns.Record{}, errors.New("the answer holds a record without ID, name or type")
	}
	r := ddns.Record{
		ID:      w.ID,
		Name:    strings.ToLower(strings.TrimSuffix(w.Name, ".")),
		Type:    w.Type,
		Content: w.Content,
		Proxied: w.Proxied,
		TTL:     w.TTL,
		Comment: w.Comment,
		Tags:    w.Tags,
	}
	if hasSettings(w.Settings) {
		r.Settings = w.Settings
	}
	return r, nil
}

// hasSettings reports whether settings say anything.
func hasSettings(settings json.RawMessage) bool {
	text := strings.TrimSpace(string(settings))
	return text != "" && text != "null" && text != "{}"
}
