package cfclient

import (
	"context"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cloudflare/cloudflare-go/v7/dns"
	"github.com/cloudflare/cloudflare-go/v7/option"
)

// HasPublic reports whether any address record of a zone is DNS-only, for a
// zone that is too large to be read for that. It asks for one record of each type.
func (c *Client) HasPublic(ctx context.Context, zone ddns.Zone) (bool, error) {
	q := question{op: "look for DNS-only records of " + zone.Name, needs: needsDNSRead, ids: []string{zone.ID}}
	service := dns.NewRecordService()
	for _, recordType := range []dns.RecordListParamsType{dns.RecordListParamsTypeA, dns.RecordListParamsTypeAAAA} {
		answer, err := ask[[]wireRecord](ctx, c, q, c.byLibrary(func(ctx context.Context, options ...option.RequestOption) error {
			var params dns.RecordListParams
			params.ZoneID.Value, params.ZoneID.Present = zone.ID, true
			params.Type.Value, params.Type.Present = recordType, true
			params.Proxied.Value, params.Proxied.Present = false, true
			params.PerPage.Value, params.PerPage.Present = 1, true
			_, err := service.List(ctx, params, options...)
			return err
		}))
		if err != nil {
			return false, err
		}
		if answer.Result == nil {
			return false, untrusted(q, errNoResult)
		}
		for _, w := range *answer.Result {
			if !w.Proxied { // a filter that the server passed over must not say yes
				return true, nil
			}
		}
	}
	return false, nil
}
