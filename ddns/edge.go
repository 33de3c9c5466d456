package ddns

import (
	"errors"
	"fmt"
	"time"
)

// ErrEdgeWaits is in the error of a look at the edge that was connected, asked,
// and not answered in time: the edge waits for the origin, longer than we do.
var ErrEdgeWaits = errors.New("the edge took the question and did not answer in time")

// EdgeAnswer is what Cloudflare's edge answered when it was asked for a page
// of a proxied name.
type EdgeAnswer struct {
	Status int // of the HTTP answer
	// CloudflareError is the number of the error page that Cloudflare itself
	// made: 1016 when it cannot resolve the record's target, 522 when the
	// origin is silent, …; 0 if the answer is no such page.
	CloudflareError int
	Challenge       bool   // a page that asks for a browser, shown to what is none
	Cloudflare      bool   // the answer came through Cloudflare, whoever wrote it
	Location        string // where a redirect points; it was not followed
	Blocked         bool   // a page of Cloudflare's own that turns the client away, without a number

	Cache string        // Cf-Cache-Status: "HIT", "DYNAMIC", …
	Age   time.Duration // of a page from the cache
	Date  time.Time     // what the edge's clock says; zero if it does not

	// Origin is a fingerprint of the web server that wrote the answer: its status
	// and the headers that stay the same from one answer to the next. It is empty
	// if the edge made the answer itself, or took it from a cache.
	Origin string
}

// word says in a few words what kind of answer it is.
func (a EdgeAnswer) word() string {
	switch {
	case a.Challenge:
		return "a challenge"
	case a.CloudflareError != 0:
		return fmt.Sprintf("error %d", a.CloudflareError)
	case a.Cache != "":
		return fmt.Sprintf("%d, cache: %s", a.Status, a.Cache)
	default:
		return fmt.Sprintf("%d", a.Status)
	}
}

// excuse says why an answer tells nothing of the record.
func (a EdgeAnswer) excuse() string {
	switch {
	case a.Challenge:
		return "the edge asks for a browser, so it says nothing of the record"
	case a.CloudflareError != 0:
		return fmt.Sprintf("the edge answers %d: that is between it and the origin, and says nothing of the record", a.CloudflareError)
	default:
		return "the answer did not come through Cloudflare"
	}
}
