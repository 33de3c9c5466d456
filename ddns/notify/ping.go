package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

const (
	// pingDeadline is how long one ping may take, with all there is to it.
	pingDeadline = 10 * time.Second
	// pingApart is how often the same is said: rounds may follow each other
	// every few seconds, and healthchecks.io takes five pings a minute.
	pingApart = time.Minute
	// answerMost is how many bytes of an answer are read.
	answerMost = 4 << 10
)

// pinger checks in. It speaks the two ways that are common:
//
//   - healthchecks.io: a GET of the URL, and for a failure a POST to URL/fail,
//     whose body says why. https://healthchecks.io/docs/http_api/
//   - Uptime Kuma, known by /api/push/ or a status in the query: a GET of the
//     URL as it is, and for a failure with status=down and msg in the query.
//     https://github.com/louislam/uptime-kuma/wiki/Internal-API
type pinger struct {
	client http.Client
	url    ddns.Secret
	agent  string
	last   *checkIn
}

// checkIn is a ping that got through.
type checkIn struct {
	well bool
	at   time.Time
}

func newPinger(config Config, world ddns.World) pinger {
	transport := &http.Transport{
		Proxy: nil, // our traffic goes where the configuration says, and nowhere else
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if at, err := netip.ParseAddrPort(address); err == nil {
				network = ddns.FamilyOf(at.Addr()).Network("tcp")
			}
			return world.Dial(ctx, network, address)
		},
		TLSClientConfig:   &tls.Config{RootCAs: world.Roots(), MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true, // the next one is minutes away, and by then our address may be another
	}
	follow := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return pinger{client: http.Client{Transport: transport, CheckRedirect: follow}, url: config.Ping,
		agent: strings.TrimSuffix("cfddns/"+config.Version, "/") + " (+https://github.com/cfddns/cfddns)"}
}

// ping says how a round ended; sent is false if just that was said a moment ago.
func (p *pinger) ping(ctx context.Context, round ddns.Round, summary string) (sent bool, err error) {
	well := round.Exit() == ddns.ExitRight
	if p.last != nil && p.last.well == well && time.Since(p.last.at) < pingApart {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, pingDeadline)
	defer cancel()
	if err := p.send(ctx, well, summary); err != nil {
		return true, err
	}
	p.last = &checkIn{well: well, at: time.Now()}
	return true, nil
}

// send makes the request. A failure that a server takes by GET alone is sent
// that way, without its body.
func (p *pinger) send(ctx context.Context, well bool, summary string) error {
	u, err := url.Parse(p.url.Reveal())
	if err != nil {
		return errors.New("it is not a URL")
	}
	kuma := u.Query().Has("status") || strings.Contains(u.Path, "/api/push/")
	switch {
	case well:
		return p.do(ctx, http.MethodGet, u, "")
	case kuma:
		query := u.Query()
		query.Set("status", "down")
		query.Set("msg", summary)
		u.RawQuery = query.Encode()
		return p.do(ctx, http.MethodGet, u, "")
	default:
		u = u.JoinPath("fail")
		err := p.do(ctx, http.MethodPost, u, summary)
		if refused, ok := errors.AsType[statusError](err); ok && (refused == http.StatusMethodNotAllowed || refused == http.StatusNotImplemented) {
			err = p.do(ctx, http.MethodGet, u, "")
		}
		return err
	}
}

// statusError is an answer that is no success.
type statusError int

// Error implements error.
func (s statusError) Error() string {
	if s >= 300 && s < 400 {
		return fmt.Sprintf("HTTP %d, which leads elsewhere and is not followed; write the URL it leads to", int(s))
	}
	return fmt.Sprintf("HTTP %d; is the URL the one that the monitoring shows?", int(s))
}

// do sends one request. No error holds more of the URL than its host.
func (p *pinger) do(ctx context.Context, method string, u *url.URL, body string) error {
	request, err := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(body))
	if err != nil {
		return errors.New("it is not a URL")
	}
	request.Header.Set("User-Agent", p.agent)
	if body != "" {
		request.Header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	response, err := p.client.Do(request)
	if whole, ok := errors.AsType[*url.Error](err); ok {
		err = whole.Err
	}
	if err != nil {
		return fmt.Errorf("%s: %w", u.Hostname(), err)
	}
	defer response.Body.Close() // it was only read
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, answerMost))
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("%s answered %w", u.Hostname(), statusError(response.StatusCode))
	}
	return nil
}
