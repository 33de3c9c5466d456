package cfclient

import (
	"context"
	"errors"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cloudflare/cloudflare-go/v7/dns"
	"github.com/cloudflare/cloudflare-go/v7/option"
)

// habitPage is how many DNS-only records of a type are read to tell what a zone
// is used to. Those of mail and validation among them say nothing of it.
const habitPage = 100

// Habit implements ddns.API.
func (c *Client) Habit(ctx context.Context, zone ddns.Zone) ([]ddns.Record, error) {
	records, err := c.byProxy(ctx, zone, true, "", 1)
	for _, recordType := range []string{"A", "CNAME", "AAAA", "MX"} {
		if err != nil || len(records) == 0 || recordType == "MX" && len(records) == 1 {
			break // nothing is proxied, or all is: MX records would change nothing
		}
		var public []ddns.Record
		public, err = c.byProxy(ctx, zone, false, recordType, habitPage)
		records = append(records, public...)
	}
	if errors.Is(err, errPassedOver) {
		return nil, nil
	}
	return records, err
}

// errPassedOver says that an answer holds what was not asked for.
var errPassedOver = errors.New("the API passed over a filter")

// byProxy lists up to a page of records that are proxied, or are not; of one
// type, or of any.
func (c *Client) byProxy(ctx context.Context, zone ddns.Zone, proxied bool, recordType string,
	most int) ([]ddns.Record, error) {
	q := question{op: "look for how " + zone.Name + " serves its records", needs: needsDNSRead, ids: []string{zone.ID}}
	service := dns.NewRecordService()
	answer, err := ask[[]wireRecord](ctx, c, q,
		c.byLibrary(func(ctx context.Context, options ...option.RequestOption) error {
			var params dns.RecordListParams
			params.ZoneID.Value, params.ZoneID.Present = zone.ID, true
			params.Type.Value, params.Type.Present = dns.RecordListParamsType(recordType), recordType != ""
			params.Proxied.Value, params.Proxied.Present = proxied, true
			params.PerPage.Value, params.PerPage.Present = float64(most), true
			_, err := service.List(ctx, params, options...)
			return err
		}))
	if err != nil {
		return nil, err
	}
	if answer.Result == nil {
		return nil, untrusted(q, errNoResult)
	}
	records := []ddns.Record{}
	for _, w := range *answer.Result {
		r, err := w.record()
		if err != nil {
			return nil, untrusted(q, err)
		}
		if r.Proxied != proxied || recordType != "" && r.Type != recordType {
			return nil, errPassedOver
		}
		records = append(records, r)
	}
	return records, nil
}
