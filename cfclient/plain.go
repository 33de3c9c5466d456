package cfclient

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/cfddns/cfddns/ddns"
)

// call is a request that this package builds itself. Rulesets, settings and
// GraphQL are asked for so: a few fields of plain JSON each, where the library's
// typed packages for them would add megabytes to the program.
type call struct {
	method string
	path   string // below the API's URL: "/zones/ID/rulesets", with its query
	body   any    // sent as JSON; nil sends none
}

// fetch sends a call and returns the answer, whatever it says.
func (c *Client) fetch(ctx context.Context, q question, what call) (answered, error) {
	var body []byte
	if what.body != nil {
		var err error
		if body, err = json.Marshal(what.body); err != nil {
			return answered{}, &ddns.Error{Op: q.op, Err: err}
		}
	}
	return c.exchange(ctx, q, func(ctx context.Context, x *exchange) error {
		request, err := http.NewRequestWithContext(ctx, what.method, c.base+what.path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+c.token.Reveal())
		request.Header.Set("User-Agent", c.agent)
		request.Header.Set("Accept", "application/json")
		if body != nil {
			request.Header.Set("Content-Type", "application/json")
		}
		_, err = x.Do(request) //nolint:bodyclose // what it returns is empty; exchange closes the answer
		return err
	})
}

// askPlain is ask for a call of our own.
func askPlain[T any](ctx context.Context, c *Client, q question, what call) (*envelope[T], error) {
	a, err := c.fetch(ctx, q, what)
	if err != nil {
		return nil, err
	}
	return opened[T](c, q, a)
}
