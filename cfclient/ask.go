package cfclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cloudflare/cloudflare-go/v7/option"
)

// The permissions, as the dashboard names them.
const (
	needsZoneRead = "Zone > Zone > Read"
	needsDNSRead  = "Zone > DNS > Read"
	needsDNSEdit  = "Zone > DNS > Edit"
)

// question is one call to the API, as errors speak of it.
type question struct {
	op    string        // "list records of example.com"
	needs string        // the permission it takes; empty if any good token will do
	least string        // what would do to look only, if that is less
	hide  []ddns.Secret // besides the token: nobody's words may show them
	ids   []string      // of zones and the like, that become part of the path
	long  bool          // the answer is a list, and may be large
	write bool          // it changes something, so that silence is not "nothing happened"
	apart bool          // it has a limit of its own: a 429 to it says nothing of the other calls
}

// sendFunc has the library build and send the request of a question.
type sendFunc func(ctx context.Context, options ...option.RequestOption) error

// ask is the one way to the API. It sends at most once, within the client's
// timeout, and returns the envelope of an answer that says success and carries
// a result; everything else is an *ddns.Error.
func ask[T any](ctx context.Context, c *Client, q question, send sender) (*envelope[T], error) {
	a, err := c.exchange(ctx, q, send)
	if err != nil {
		return nil, err
	}
	return opened[T](c, q, a)
}

// sender builds the request of a question and has the exchange send it. There
// are two: byLibrary and call.by.
type sender func(ctx context.Context, x *exchange) error

// byLibrary has the library build the request. It gets an empty answer into a
// variable nobody reads: its decoder spends 186 kB a record, takes
// `"success":false` under 200 for a success, and its errors carry the request,
// token and all.
func (c *Client) byLibrary(send sendFunc) sender {
	return func(ctx context.Context, x *exchange) error {
		var unused *http.Response
		return send(ctx, append(slices.Clone(c.options), option.WithHTTPClient(x), option.WithResponseBodyInto(&unused))...)
	}
}

// opened takes the envelope off an answer.
func opened[T any](c *Client, q question, a answered) (*envelope[T], error) {
	env, err := readEnvelope[T](a.status, a.body)
	if err != nil {
		return nil, c.sort(q, a.status, a.wait, err)
	}
	env.size = len(a.body)
	return env, nil
}

// answered is an answer that came whole, of whatever status.
type answered struct {
	status int
	body   []byte
	wait   time.Duration // before the next call, as the server asked
}

// exchange has a request sent, once, and returns the answer to it.
func (c *Client) exchange(ctx context.Context, q question, send sender) (answered, error) {
	if c.refused != nil {
		return answered{}, misconfigured(q, c.refused)
	}
	for _, id := range q.ids {
		if id == "" || strings.IndexFunc(id, notPlain) >= 0 { // the library panics on some
			return answered{}, &ddns.Error{Op: q.op, Err: fmt.Errorf("not sent: %q is no ID of Cloudflare's", id)}
		}
	}
	if err := c.queue.enter(ctx); err != nil {
		return answered{}, &ddns.Error{Kind: ddns.Unreachable, Op: q.op, Err: err}
	}
	defer c.queue.leave()
	if err := c.turn(ctx, q); err != nil {
		return answered{}, err
	}
	a, err := c.sendOnce(ctx, q, send)
	if a.status != 0 {
		c.queue.heard.Add(1)
	} else if ctx.Err() == nil {
		c.queue.silent.Add(1)
	}
	return a, err
}

// turn waits until the limit of calls lets a question through.
func (c *Client) turn(ctx context.Context, q question) error {
	now := time.Now()
	if q.apart {
		if wait := c.limit.shut(now); wait > 0 {
			return notYet(q, wait)
		}
		return nil
	}
	patience := limitPatience
	if end, bounded := ctx.Deadline(); bounded {
		patience = min(patience, end.Sub(now))
	}
	wait, ok := c.limit.take(now, q.write, patience)
	if !ok {
		return notYet(q, wait)
	}
	if wait == 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return &ddns.Error{Kind: ddns.Unreachable, Op: q.op, Err: fmt.Errorf("not sent: %w", ctx.Err())}
	}
	if wait := c.limit.shut(time.Now()); wait > 0 { // another call heard of it meanwhile
		return notYet(q, wait)
	}
	return nil
}

// sendOnce sends a question and returns the answer to it. With an error the
// status says whether anything was heard.
func (c *Client) sendOnce(ctx context.Context, q question, send sender) (answered, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()

	x := &exchange{client: c, started: time.Now()}
	err := send(ctx, x)
	switch {
	case x.err != nil:
		return answered{}, c.noAnswer(q, x, x.err)
	case x.answer == nil:
		return answered{}, &ddns.Error{Kind: ddns.Unexpected, Op: q.op, Err: fmt.Errorf("not sent: no request was made: %w", err)}
	}
	defer x.answer.Body.Close()
	budget := &c.limit
	if q.apart {
		budget = new(limit)
	}
	wait := budget.learn(time.Now(), x.answer)
	body, err := q.readBody(x.answer)
	if err != nil && x.answer.StatusCode < 300 {
		return answered{status: x.answer.StatusCode}, c.noAnswer(q, x, err)
	}
	x.worked()
	return answered{x.answer.StatusCode, body, wait}, nil
}

// exchange is the sending of one question; to the library, its HTTP client.
type exchange struct {
	client  *Client
	started time.Time
	sent    atomic.Bool // a connection was there: the request may have left
	conn    atomic.Pointer[apiConn]
	answer  *http.Response
	err     error
}

// Do sends the request once, keeps the answer, and gives the library an empty
// one. It implements the library's HTTPClient.
func (x *exchange) Do(request *http.Request) (*http.Response, error) {
	for name := range request.Header {
		if strings.HasPrefix(name, "X-Stainless-") {
			request.Header.Del(name) // our system and versions are nobody's business
		}
	}
	trace := &httptrace.ClientTrace{
		// The transport asks for another connection only if it could write
		// nothing to the one it had.
		GetConn: func(string) { x.sent.Store(false) },
		GotConn: func(info httptrace.GotConnInfo) {
			x.conn.Store(tracked(info.Conn))
			x.sent.Store(true)
		},
	}
	x.client.calls.Add(1)
	x.answer, x.err = x.client.http.Do(request.WithContext(httptrace.WithClientTrace(request.Context(), trace)))
	if x.err != nil {
		return nil, x.err
	}
	return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: http.NoBody}, nil
}

// worked notes that the connection is good for more calls.
func (x *exchange) worked() {
	if conn := x.conn.Load(); conn != nil {
		conn.kept.Store(true)
	}
}

// silent notes that no answer came within the time of a call.
func (x *exchange) silent() {
	if conn := x.conn.Load(); conn != nil && time.Since(x.started) >= x.client.timeout {
		conn.tell()
	}
}

// envelope is what wraps every answer of the API.
type envelope[T any] struct {
	Success bool     `json:"success"`
	Errors  problems `json:"errors"`
	Result  *T       `json:"result"`
	Info    *struct {
		TotalCount *int `json:"total_count"`
	} `json:"result_info"`
	size int // bytes of the answer
}

// readEnvelope takes an answer apart. Its error is a *refusal if Cloudflare's
// API said no, and anything else if this is no answer of that API.
func readEnvelope[T any](status int, body []byte) (*envelope[T], error) {
	env := new(envelope[T])
	if status < 200 || status > 299 || json.Unmarshal(body, env) != nil || !env.Success {
		return nil, readRefusal(status, body)
	}
	if env.Result == nil {
		return nil, errNoResult
	}
	return env, nil
}

// readRefusal reads an answer that is no success, whatever its result is.
func readRefusal(status int, body []byte) error {
	var no envelope[unread]
	if json.Unmarshal(body, &no) != nil || no.Success || len(no.Errors) == 0 {
		return errNotTheAPI
	}
	return &refusal{status: status, problems: no.Errors}
}
