package cfclient

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
)

// call is a request that this package builds itself: a path, and a few fields of
// plain JSON. All but DNS records is asked for so, since the library's typed
// packages for it would add megabytes to the program.
type call struct {
	method string
	path   string // below the API's URL: "/zones/ID/rulesets", with its query
	body   any    // sent as JSON; nil sends none
}

// by has a client send the call.
func (what call) by(c *Client) sender {
	return func(ctx context.Context, x *exchange) error {
		var body []byte
		if what.body != nil {
			var err error
			if body, err = json.Marshal(what.body); err != nil {
				return err
			}
		}
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
	}
}

// fetch sends a call and returns the answer, whatever it says.
func (c *Client) fetch(ctx context.Context, q question, what call) (answered, error) {
	return c.exchange(ctx, q, what.by(c))
}

// askPlain is ask for a call of our own.
func askPlain[T any](ctx context.Context, c *Client, q question, what call) (*envelope[T], error) {
	return ask[T](ctx, c, q, what.by(c))
}
