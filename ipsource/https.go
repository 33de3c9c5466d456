package ipsource

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// maxEcho is the longest body of an echo, in bytes: an IPv6 address takes 39,
// and some end it with a line break. Anything longer is a page.
const maxEcho = 64

// echo is a web service that answers with the caller's address and nothing else.
type echo struct {
	url   string
	agent string // User-Agent
}

func (e echo) ask(ctx context.Context, world ddns.World, family ddns.Family) (netip.Addr, error) {
	reply, err := fetch(ctx, world, family, fetching{url: e.url, agent: e.agent, limit: maxEcho})
	if err != nil {
		return netip.Addr{}, err
	}
	address, err := parseEcho(reply.body, family)
	if err != nil {
		return netip.Addr{}, err
	}
	return notItself(address, reply.server)
}

// parseEcho takes the address that is the whole body, white space around it
// aside.
func parseEcho(body []byte, family ddns.Family) (netip.Addr, error) {
	text := strings.Trim(string(body), " \t\r\n")
	if text == "" {
		return netip.Addr{}, errors.New("answered 200 with an empty body")
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("answered 200 with %q, not an address", text)
	}
	return ofFamily(address, family)
}

// fetching is one HTTP request: a GET, or a POST if there is a body.
type fetching struct {
	url   string
	agent string
	kind  string // media type of the body sent and of the one wanted; empty for text
	soap  string // SOAPAction, if the body is a call of that kind
	body  []byte
	limit int // longest body taken, in bytes
}

// fetched is an answer with status 200.
type fetched struct {
	body   []byte
	host   string // name of the server that was asked
	server netip.Addr
}

// fetch asks once, over a connection of its own: no proxy, no redirect, no
// cookie, no second try.
func fetch(ctx context.Context, world ddns.World, family ddns.Family, f fetching) (fetched, error) {
	method := http.MethodGet
	if f.body != nil {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(ctx, method, f.url, bytes.NewReader(f.body))
	if err != nil {
		return fetched{}, err
	}
	request.Header.Set("User-Agent", f.agent)
	if f.kind != "" {
		request.Header.Set("Accept", f.kind)
		request.Header.Set("Content-Type", f.kind)
	}
	if f.soap != "" {
		request.Header.Set("SOAPAction", f.soap)
	}
	var server netip.Addr // written by the dial, read once there is an answer
	dial := func(context.Context, string, string) (net.Conn, error) {
		// The question's own context: the transport's would outlive it.
		conn, err := connect(ctx, world, family, request.URL)
		if err == nil {
			server = addressOf(conn.RemoteAddr())
		}
		return conn, err
	}
	transport := &http.Transport{
		DialContext:            dial,
		DialTLSContext:         dial,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 16 << 10,
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return fetched{}, overdue(ctx, err)
	}
	defer response.Body.Close()
	body, err := readAnswer(response, f.limit)
	return fetched{body: body, host: request.URL.Hostname(), server: server}, overdue(ctx, err)
}

// connect opens a connection for a URL; for https it is verified.
func connect(ctx context.Context, world ddns.World, family ddns.Family, u *url.URL) (net.Conn, error) {
	network, address := family.Network("tcp"), net.JoinHostPort(u.Hostname(), portOf(u))
	if u.Scheme != "https" {
		return world.Dial(ctx, network, address)
	}
	if simulated, ok := world.(ddns.SimulatedWorld); ok {
		return simulated.DialTLS(ctx, network, address)
	}
	conn, err := world.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	secure, err := ddns.Handshake(ctx, conn, &tls.Config{
		ServerName: u.Hostname(),
		RootCAs:    world.Roots(),
		// The address that comes back is no secret worth a post-quantum key
		// exchange, which would double the bytes. P-256 costs nothing unless
		// a server knows nothing else.
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256},
	})
	if err != nil {
		return nil, err // no typed nil: a caller would take it for a connection
	}
	return secure, nil
}

// portOf returns the port of a URL, the scheme's own if it names none.
func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}

// readAnswer reads the body of an answer that can be what was asked for, and
// for any other says what came.
func readAnswer(response *http.Response, limit int) ([]byte, error) {
	if response.StatusCode != http.StatusOK || challenged(response) {
		return nil, refusal(response)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("answer broke off after %d bytes: %w", len(body), err)
	}
	if len(body) <= limit {
		return body, nil
	}
	size := fmt.Sprintf("more than %d bytes", limit)
	if response.ContentLength > 0 {
		size = fmt.Sprintf("%d bytes", response.ContentLength)
	}
	return nil, fmt.Errorf("answered 200 with a page of %s, not an address: a login page or a challenge?", size)
}

// challenged reports whether Cloudflare wants to see a browser.
// https://developers.cloudflare.com/cloudflare-challenges/challenge-types/challenge-pages/detect-response/
func challenged(response *http.Response) bool {
	return response.Header.Get("Cf-Mitigated") == "challenge"
}

// refusal makes an error of an answer that holds no address. Its kind is
// Limited if the server does not want to be asked.
func refusal(response *http.Response) error {
	e := &ddns.Error{
		Kind:       ddns.Unreachable,
		Op:         response.Request.URL.Hostname(),
		Status:     response.StatusCode,
		RetryAfter: retryAfter(response.Header.Get("Retry-After"), time.Now()),
	}
	text := fmt.Sprintf("status %d", e.Status)
	switch {
	case challenged(response):
		e.Kind = ddns.Limited
		text += ", a challenge for browsers (cf-mitigated: challenge)"
	case e.Status == http.StatusTooManyRequests, e.Status == http.StatusForbidden:
		e.Kind = ddns.Limited
	case e.Status/100 == 3:
		text += fmt.Sprintf(", a redirect to %s, not followed: a login page?", redirectTo(response))
	}
	if e.RetryAfter > 0 {
		text += fmt.Sprintf(", asks to wait %.0f s", e.RetryAfter.Seconds())
	}
	e.Err = errors.New(text)
	return e
}

// redirectTo names the scheme and the host that a redirect leads to; the rest
// of it may hold anything.
func redirectTo(response *http.Response) string {
	to, err := response.Location()
	if err != nil {
		return "nowhere"
	}
	return fmt.Sprintf("%.80q", to.Scheme+"://"+to.Host)
}

// retryAfter reads a Retry-After header (RFC 9110, section 10.2.3): seconds or
// a date. What cannot be read asks for nothing; nobody is obeyed for over a day.
func retryAfter(header string, now time.Time) time.Duration {
	const most = 24 * time.Hour
	if seconds, err := strconv.ParseUint(header, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, most)
	}
	until, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return min(max(until.Sub(now), 0), most)
}
