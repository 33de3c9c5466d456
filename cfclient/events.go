package cfclient

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

const (
	// MostEvents is how many events one question returns at most.
	MostEvents = 1000
	// mostMinutes is the same for counts.
	mostMinutes = 10000
)

// The fields of an event. Those of the first list are documented; the others
// are in use everywhere, and a query with a field that Cloudflare does not know
// is refused as a whole.
// https://developers.cloudflare.com/analytics/graphql-api/tutorials/querying-firewall-events/
const (
	documentedFields = "datetime action source clientIP clientRequestPath userAgent"
	eventFields      = documentedFields + " ruleId clientRequestHTTPHost clientRequestHTTPMethodName"
)

// SecurityEvents returns what Cloudflare's security did to the requests of a
// client, or of everybody if client is the zero Addr, the newest first, 1,000
// at most. They come a few minutes late and may be a sample.
func (c *Client) SecurityEvents(ctx context.Context, zone ddns.Zone, since, until time.Time, client netip.Addr) ([]ddns.SecurityEvent, error) {
	q := question{op: "read the security events of " + zone.Name, ids: []string{zone.ID}}
	if err := backwards(q, since, until); err != nil {
		return nil, err
	}
	filter := period(since, until)
	if client.IsValid() {
		filter += fmt.Sprintf(`,clientIP:"%s"`, client.Unmap().WithZone(""))
	}
	ask := func(fields string) (*wireEvents, error) {
		return askGraphQL[wireEvents](ctx, c, q, ofZone(zone, fmt.Sprintf(
			"firewallEventsAdaptive(filter:{%s},limit:%d,orderBy:[datetime_DESC]){%s}", filter, MostEvents, fields)))
	}
	answer, err := ask(eventFields)
	if ddns.KindOf(err) == ddns.Rejected {
		answer, err = ask(documentedFields)
	}
	if err != nil {
		return nil, err
	}
	events := make([]ddns.SecurityEvent, len(answer.Events))
	for i, w := range answer.Events {
		events[i] = w.event()
	}
	slices.SortStableFunc(events, func(a, b ddns.SecurityEvent) int { return b.At.Compare(a.At) })
	return events, nil
}

// wireEvents and wireEvent are events as the API spells them.
type wireEvents struct {
	Events page[wireEvent] `json:"firewallEventsAdaptive"`
}

type wireEvent struct {
	At        time.Time `json:"datetime"`
	Action    string    `json:"action"`
	Source    string    `json:"source"`
	RuleID    string    `json:"ruleId"`
	Client    string    `json:"clientIP"`
	Host      string    `json:"clientRequestHTTPHost"`
	Method    string    `json:"clientRequestHTTPMethodName"`
	Path      string    `json:"clientRequestPath"`
	UserAgent string    `json:"userAgent"`
}

// event returns the event in our words. What a visitor sent is kept from
// steering anybody's terminal.
func (w wireEvent) event() ddns.SecurityEvent {
	client, _ := netip.ParseAddr(w.Client) // an event without an address is one all the same
	return ddns.SecurityEvent{At: w.At, Action: printable(w.Action), Source: printable(w.Source), RuleID: printable(w.RuleID), Client: client,
		Host: printable(w.Host), Method: printable(w.Method), Path: printable(w.Path), UserAgent: printable(w.UserAgent)}
}

// Minutes counts the answers of the edge for one host, minute by minute and
// status by status, the oldest first, the newest 10,000 at most. Minutes
// without a request are left out.
func (c *Client) Minutes(ctx context.Context, zone ddns.Zone, host string, since, until time.Time) ([]ddns.MinuteStatus, error) {
	q := question{op: "count the answers of " + host, ids: []string{zone.ID}}
	if err := backwards(q, since, until); err != nil {
		return nil, err
	}
	if host == "" || len(host) > 253 || strings.IndexFunc(host, notInHost) >= 0 {
		return nil, &ddns.Error{Kind: ddns.Rejected, Op: "count the answers of a host", Err: fmt.Errorf("not sent: %q is no host name", printable(host))}
	}
	answer, err := askGraphQL[wireMinutes](ctx, c, q, ofZone(zone, fmt.Sprintf(
		`httpRequestsAdaptiveGroups(filter:{%s,clientRequestHTTPHost:"%s"},limit:%d,orderBy:[datetimeMinute_DESC]){count dimensions{datetimeMinute edgeResponseStatus}}`,
		period(since, until), host, mostMinutes)))
	if err != nil {
		return nil, err
	}
	minutes := make([]ddns.MinuteStatus, len(answer.Groups))
	for i, g := range answer.Groups {
		minutes[i] = ddns.MinuteStatus{At: g.Dimensions.At, Host: host, Status: g.Dimensions.Status, Requests: g.Count}
	}
	slices.SortStableFunc(minutes, func(a, b ddns.MinuteStatus) int { return a.At.Compare(b.At) })
	return minutes, nil
}

type wireMinutes struct {
	Groups page[wireMinute] `json:"httpRequestsAdaptiveGroups"`
}

type wireMinute struct {
	Count      int `json:"count"`
	Dimensions struct {
		At     time.Time `json:"datetimeMinute"`
		Status int       `json:"edgeResponseStatus"`
	} `json:"dimensions"`
}
