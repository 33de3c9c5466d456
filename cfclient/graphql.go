package cfclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

const needsAnalytics = "Zone > Analytics > Read"

// hintNight is what to do about a question about the past that was refused.
const hintNight = "Cloudflare keeps these for as little as 24 hours on the Free plan, and answers for a bounded time at once: ask for a later or shorter time"

// askGraphQL sends one query about one zone and returns what it says of it. An
// answer that holds errors is no answer, whatever else it holds.
// https://developers.cloudflare.com/analytics/graphql-api/errors/
func askGraphQL[T any](ctx context.Context, c *Client, q question, query string) (*T, error) {
	q.needs, q.long, q.apart = needsAnalytics, true, true
	a, err := c.fetch(ctx, q, call{method: http.MethodPost, path: "/graphql", body: map[string]string{"query": query}})
	if err != nil {
		return nil, err
	}
	data, err := readGraphQL[T](a.status, a.body)
	if err == nil {
		return data, nil
	}
	e := c.sort(q, a.status, a.wait, err)
	no, refused := errors.AsType[*refusal](err)
	switch {
	case e.Kind == ddns.Limited:
		e.Hint = "wait five minutes: Cloudflare answers 320 such questions in that time, the dashboard's counted in"
	// it has no codes of the other API
	case refused && (no.problems[0].word == "authz" || e.Kind == ddns.Denied && e.Code == 0):
		e.Kind, e.Hint = ddns.NotPermitted, hintPermission(q)
	case refused && a.status < 300:
		e.Kind, e.Hint = ddns.Rejected, hintNight
	case e.Kind == ddns.Rejected && e.Hint == "":
		e.Hint = hintNight
	}
	return nil, e
}

// readGraphQL takes an answer apart: the one zone of it.
func readGraphQL[T any](status int, body []byte) (*T, error) {
	var answer struct {
		Data *struct {
			Viewer struct {
				Zones page[T] `json:"zones"`
			} `json:"viewer"`
		} `json:"data"`
		Errors problems `json:"errors"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return nil, errNotTheAPI
	}
	switch {
	case len(answer.Errors) > 0:
		return nil, &refusal{status: status, problems: answer.Errors}
	case status < 200 || status > 299 || answer.Data == nil:
		return nil, errNotTheAPI
	case len(answer.Data.Viewer.Zones) != 1:
		return nil, fmt.Errorf("%w: it speaks of %d zones", errNoResult, len(answer.Data.Viewer.Zones))
	}
	return &answer.Data.Viewer.Zones[0], nil
}

// ofZone is a query about one zone. Values stand in the query itself: the types
// of its variables go by different names in different places. Each is made of
// letters, digits and few signs, and is checked before.
func ofZone(zone ddns.Zone, selection string) string {
	return fmt.Sprintf(`query{viewer{zones(filter:{zoneTag:"%s"}){%s}}}`, zone.ID, selection)
}

// period is a filter for a time, both ends included.
func period(since, until time.Time) string {
	return fmt.Sprintf(`datetime_geq:"%s",datetime_leq:"%s"`, since.UTC().Format(time.RFC3339), until.UTC().Format(time.RFC3339))
}

// backwards refuses a time that ends before it begins.
func backwards(q question, since, until time.Time) error {
	if since.Before(until) && since.Year() >= 2000 && until.Year() < 3000 {
		return nil
	}
	return &ddns.Error{Kind: ddns.Rejected, Op: q.op, Err: errors.New("not sent: the time ends before it begins")}
}

// notInHost reports whether a character occurs in no host name.
func notInHost(r rune) bool { return notPlain(r) && !strings.ContainsRune(".*", r) }
