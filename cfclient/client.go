// Package cfclient is everything that talks to Cloudflare: its API, and its
// edge as a visitor sees it.
//
// One Client asks the API on behalf of one token. It implements ddns.API for
// the rounds (zones.go, records.go, batch.go) and ddns.RuleAPI for the ways in
// (rules.go). The commands and the doctor ask it for more: settings.go, the
// past in events.go and graphql.go, the token itself in tokens.go. Every
// question goes through one function, ask (ask.go), which sends it, reads the
// answer into types of this package and sorts what went wrong into a
// *ddns.Error (errors.go, network.go). The request comes from the library
// cloudflare-go, or is a few fields of JSON (plain.go).
//
// Beside the API stand the two that need no token: Edge (edge.go), and Status
// (status.go), Cloudflare's own word on how it is doing.
//
// Nothing here is ever sent twice. Cloudflare's answer decides what is known;
// where there is none, a reading is Unreachable and a write is Uncertain, and
// the caller settles it by reading.
package cfclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cloudflare/cloudflare-go/v7/option"
)

// DefaultBaseURL is where Cloudflare serves its API.
const DefaultBaseURL = "https://api.cloudflare.com/client/v4"

// DefaultTimeout bounds one call, from the dialling to the last byte.
const DefaultTimeout = 10 * time.Second

// Config says how to talk to Cloudflare's API.
type Config struct {
	// Token is an API token of a user or of an account.
	Token ddns.Secret
	// TokenSource is where the token came from, for the hint of a refused one:
	// the name of a variable, or the path of a file. Empty: not said.
	TokenSource string
	// ReplaceToken says how a token is replaced there. Empty: not said.
	ReplaceToken string
	// BaseURL of the API; empty means DefaultBaseURL. https only, except on
	// loopback: a token does not travel in the clear.
	BaseURL string
	// World is the way to the network.
	World ddns.World
	// UserAgent names us: "cfddns/VERSION". Empty means "cfddns".
	UserAgent string
	// Timeout of one call, the reading of the answer counted in; 0 means
	// DefaultTimeout.
	Timeout time.Duration
	// Broken is called, once for each, when a connection on which calls went
	// well turns out to be broken: reset, unreachable, or silent for the timeout
	// of a call. That may mean that our address has changed. It must not block.
	// Nil: nobody is told.
	Broken func()
}

// Validate names everything that is wrong with the configuration, the form of
// the token included. It asks nobody.
func (c Config) Validate() error {
	var wrong []error
	if _, err := TokenKindOf(c.Token); err != nil {
		wrong = append(wrong, err)
	}
	if _, err := parseBaseURL(c.BaseURL); err != nil {
		wrong = append(wrong, err)
	}
	if c.World == nil {
		wrong = append(wrong, errors.New("no way to the network was given"))
	}
	if c.Timeout < 0 {
		wrong = append(wrong, fmt.Errorf("the timeout of a call is %v: it must be positive, or 0 for %v", c.Timeout, DefaultTimeout))
	}
	return errors.Join(wrong...)
}

// parseBaseURL returns the URL of the API, or says why it cannot be that.
func parseBaseURL(text string) (*url.URL, error) {
	if text == "" {
		text = DefaultBaseURL
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "":
		return nil, fmt.Errorf("the API's address is not a URL: it looks like %s", DefaultBaseURL)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the API's address has a user, a query or a fragment: leave them out, the token goes elsewhere")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return u, nil
	case u.Scheme == "http":
		return nil, errors.New("the API's address is plain http: the token would travel readable, use https (plain http is for loopback only)")
	default:
		return nil, fmt.Errorf("the API's address begins with %q: use https", u.Scheme)
	}
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// Client talks to Cloudflare's API with one token. Its methods may be called
// from anywhere.
type Client struct {
	refused error        // why the configuration cannot work; said instead of every call
	token   *ddns.Secret // a pointer: fmt shows unexported values, but not what pointers in them point at
	options []option.RequestOption
	base    string // URL of the API, without a final slash
	address string // HOST:PORT of the API
	open    opener // of a connection to it
	agent   string // what we call ourselves
	source  string // where the token came from
	replace string // and how it is replaced there
	timeout time.Duration
	dialer  *dialer
	http    *http.Client
	queue   queue
	limit   limit
	large   sync.Map // by ID: zones that hold more than smallZone records
	calls   atomic.Int64
}

var (
	_ ddns.API     = (*Client)(nil)
	_ ddns.RuleAPI = (*Client)(nil)
)

// New makes a client. With a Config that Validate refuses, every call returns
// that error and nothing is sent.
func New(config Config) *Client {
	c := &Client{
		refused: config.Validate(),
		token:   &config.Token,
		source:  config.TokenSource,
		replace: config.ReplaceToken,
		timeout: config.Timeout,
		dialer:  &dialer{world: config.World, broken: config.Broken, open: map[*apiConn]struct{}{}},
		queue:   queue{slots: make(chan struct{}, callsAtOnce)},
	}
	if c.timeout == 0 {
		c.timeout = DefaultTimeout
	}
	c.http = &http.Client{
		Transport:     c.dialer.transport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	base, err := parseBaseURL(config.BaseURL)
	if err != nil {
		return c
	}
	if strings.HasPrefix(DefaultBaseURL, "https://"+base.Hostname()+"/") {
		c.dialer.world, c.dialer.ours = ddns.Named(config.World, ddns.Complete), true
	}
	agent := config.UserAgent
	if agent == "" {
		agent = "cfddns"
	}
	c.base, c.agent = strings.TrimSuffix(base.String(), "/"), agent
	c.address, c.open = net.JoinHostPort(base.Hostname(), cmp.Or(base.Port(), "443")), c.dialer.verified
	if base.Scheme == "http" {
		c.address, c.open = net.JoinHostPort(base.Hostname(), cmp.Or(base.Port(), "80")), c.dialer.plain
	}
	c.options = []option.RequestOption{
		option.WithBaseURL(base.String()),
		option.WithAPIToken(config.Token.Reveal()),
		option.WithHeader("User-Agent", agent),
		// The library would send a POST again after a dropped connection, and
		// obey a Retry-After of any length.
		option.WithMaxRetries(0),
	}
	return c
}

// CloseIdle closes the connections that wait for the next call, that of Connect
// too. After a change of our address they lead nowhere, and a call on one would
// wait for its deadline.
func (c *Client) CloseIdle() {
	c.dialer.dropSpare()
	c.http.CloseIdleConnections()
}

// Calls returns how many calls were sent since New.
func (c *Client) Calls() int64 { return c.calls.Load() }

// SmallHello reports whether the line to the API lets only small TLS
// greetings through, so that connections are made without ML-KEM.
func (c *Client) SmallHello() bool { return c.dialer.small.Load() }

// LogValue implements slog.LogValuer: a client in a log is a name.
func (c *Client) LogValue() slog.Value { return slog.StringValue("cfclient.Client") }

// dialWorld opens a connection to HOST:PORT in the family of the host, or in
// either if it is a name.
func dialWorld(ctx context.Context, world ddns.World, address string) (net.Conn, error) {
	network := "tcp"
	if at, err := netip.ParseAddrPort(address); err == nil {
		network = ddns.FamilyOf(at.Addr()).Network("tcp")
	}
	return world.Dial(ctx, network, address)
}
