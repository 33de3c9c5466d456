package cfclient

import (
	"context"

	"github.com/cfddns/cfddns/ddns"
)

// OfType lists all records of one type in a zone, every page of them: "CNAME"
// shows what of it hops, "MX" whose mail goes by its names.
func (c *Client) OfType(ctx context.Context, zone ddns.Zone, recordType string) ([]ddns.Record, error) {
	return c.list(ctx, zone, search{kind: recordType})
}
