package cfclient

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// maxPage is as much of a page as is read: Cloudflare's error documents are
// about 1 KiB.
const maxPage = 64 << 10

// Edge asks Cloudflare's edge for a page, as a visitor who is no browser would.
type Edge struct {
	World ddns.World
	// Address, HOST:PORT, is asked instead of the address a name has; for the
	// sandbox.
	Address string
	// UserAgent names us; empty means "cfddns".
	UserAgent string
	// Timeout of one look; 0 means DefaultTimeout.
	Timeout time.Duration
}

// Look fetches a URL (or https://HOST/ of a bare host name) from the edge at
// one address, and says what kind of answer came. It follows no redirect and
// is never repeated here: a challenge answered by more questions becomes a
// block. Its errors are of kind Unreachable.
func (e Edge) Look(ctx context.Context, page string, at netip.AddrPort) (ddns.EdgeAnswer, error) {
	if !strings.Contains(page, "://") {
		page = "https://" + page + "/"
	}
	op := "ask the edge for " + page
	u, err := url.Parse(page)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ddns.EdgeAnswer{}, &ddns.Error{Op: op, Err: errors.New("this is neither a host name nor a web address")}
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(e.Timeout, DefaultTimeout))
	defer cancel()
	answer, err := e.fetch(ctx, u, at)
	if err != nil {
		hint, err := explain(err)
		return ddns.EdgeAnswer{}, &ddns.Error{Kind: ddns.Unreachable, Op: op, Err: err, Hint: hint}
	}
	return answer, nil
}

func (e Edge) fetch(ctx context.Context, u *url.URL, at netip.AddrPort) (ddns.EdgeAnswer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return ddns.EdgeAnswer{}, err
	}
	// Cloudflare then sends its error pages as JSON, with the code as a field.
	// https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors/
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", cmp.Or(e.UserAgent, "cfddns"))
	transport := e.transport(ctx, at)
	defer transport.CloseIdleConnections()
	var asked atomic.Bool
	request = request.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) { asked.Store(info.Err == nil) },
	}))
	response, err := transport.RoundTrip(request)
	switch {
	case err != nil && asked.Load() && errors.Is(err, context.DeadlineExceeded):
		return ddns.EdgeAnswer{}, fmt.Errorf("%w: %w", ddns.ErrEdgeWaits, err)
	case err != nil:
		return ddns.EdgeAnswer{}, err
	}
	defer response.Body.Close()
	var body []byte
	if response.StatusCode >= 400 {
		if body, err = io.ReadAll(io.LimitReader(response.Body, maxPage)); err != nil {
			return ddns.EdgeAnswer{}, fmt.Errorf("the page broke off: %w", err)
		}
	}
	return edgeAnswer(response, body), nil
}

// transport serves one request to the edge at an address.
func (e Edge) transport(ctx context.Context, at netip.AddrPort) *http.Transport {
	return oneQuestion(ctx, e.World, cmp.Or(e.Address, at.String()))
}

// oneQuestion is a transport for one request over a connection to HOST:PORT;
// ctx bounds the connection as well. Nothing secret is sent, so the greeting is
// small and passes every line (see dialer).
func oneQuestion(ctx context.Context, world ddns.World, address string) *http.Transport {
	dial := func(context.Context, string, string) (net.Conn, error) { return dialWorld(ctx, world, address) }
	secure := func(_ context.Context, _, host string) (net.Conn, error) {
		if simulated, ok := world.(ddns.SimulatedWorld); ok {
			return simulated.DialTLS(ctx, "tcp", address)
		}
		conn, err := dialWorld(ctx, world, address)
		if err != nil {
			return nil, err
		}
		shaking, cancel := context.WithTimeout(ctx, handshakeTimeout)
		defer cancel()
		verified, err := ddns.Handshake(shaking, conn, &tls.Config{
			ServerName: hostOf(host), RootCAs: world.Roots(), MinVersion: tls.VersionTLS12,
			CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256},
		})
		if err != nil {
			return nil, err // no typed nil
		}
		return verified, nil
	}
	return &http.Transport{DisableKeepAlives: true, DialContext: dial, DialTLSContext: secure}
}

// edgeAnswer reads the marks that Cloudflare puts on what it made itself.
// https://developers.cloudflare.com/cloudflare-challenges/challenge-types/challenge-pages/detect-response/
func edgeAnswer(response *http.Response, body []byte) ddns.EdgeAnswer {
	header := response.Header
	code := edgeError(response.StatusCode, header.Get("Cf-Error-Type"), body)
	age, _ := strconv.Atoi(header.Get("Age"))
	date, _ := http.ParseTime(header.Get("Date"))
	answer := ddns.EdgeAnswer{
		Status:          response.StatusCode,
		CloudflareError: code,
		Challenge:       header.Get("Cf-Mitigated") == "challenge",
		Cloudflare:      header.Get("Cf-Ray") != "" || header.Get("Server") == "cloudflare",
		Location:        header.Get("Location"),
		Blocked:         code == 0 && response.StatusCode == http.StatusForbidden && isBlockPage(body),
		Cache:           header.Get("Cf-Cache-Status"),
		Age:             time.Duration(min(max(age, 0), maxAge)) * time.Second,
		Date:            date,
	}
	answer.Origin = originOf(response, answer)
	return answer
}

// originOf is the fingerprint of the web server behind the edge: what stays the
// same from one answer to the next. Of most headers only that they are there is
// taken, and nothing of those that the edge makes or changes. It is empty if
// the edge made the answer itself or took it from a cache, since it then says
// nothing of the web server.
// https://developers.cloudflare.com/cache/concepts/cache-responses/
func originOf(response *http.Response, answer ddns.EdgeAnswer) string {
	header := response.Header
	fresh := slices.Contains([]string{"", "DYNAMIC", "MISS", "BYPASS", "EXPIRED", "NONE/UNKNOWN"},
		header.Get("Cf-Cache-Status"))
	ofEdge := answer.CloudflareError != 0 || answer.Challenge || answer.Blocked || header.Get("Cf-Mitigated") != ""
	if ofEdge || !answer.Cloudflare || !fresh || header.Get("Age") != "" {
		return ""
	}
	marks := []string{strconv.Itoa(response.StatusCode)}
	for name, values := range header {
		switch {
		case strings.HasPrefix(name, "Cf-") || slices.Contains(passingHeaders(), name):
		case slices.Contains([]string{"Content-Type", "Location", "Www-Authenticate", "X-Powered-By"}, name):
			marks = append(marks, name+": "+strings.Join(values, ", "))
		default:
			marks = append(marks, name)
		}
	}
	slices.Sort(marks)
	sum := sha256.Sum256([]byte(strings.Join(marks, "\n")))
	return hex.EncodeToString(sum[:8])
}

// passingHeaders are those that the edge writes, and those that come and go with
// the page or the moment.
func passingHeaders() []string {
	return []string{"Accept-Ranges", "Age", "Alt-Svc", "Cache-Control", "Connection", "Content-Encoding",
		"Content-Length", "Date", "Etag", "Expect-Ct", "Expires", "Keep-Alive", "Last-Modified", "Nel", "Pragma",
		"Priority", "Report-To", "Reporting-Endpoints", "Retry-After", "Server", "Server-Timing", "Set-Cookie",
		"Speculation-Rules", "Transfer-Encoding", "Vary"}
}

// maxAge bounds what is believed of an Age, in seconds: a year.
const maxAge = 365 * 24 * 3600

// isBlockPage reports whether a page is the one that Cloudflare shows a browser
// which a WAF rule turned away: its markup, not its words, which are translated.
func isBlockPage(body []byte) bool {
	return bytes.Contains(body, []byte(`id="cf-error-details"`)) || bytes.Contains(body, []byte(`id="cf-wrapper"`))
}

// edgeError finds the number of an error page: in the header of newer ones, in
// the JSON we ask for, in the one line that clients get which are no browser.
func edgeError(status int, header string, body []byte) int {
	if status < 400 {
		return 0
	}
	if code, ok := errorNumber(header); ok {
		return code
	}
	var document struct {
		Code       json.Number `json:"error_code"`
		Cloudflare bool        `json:"cloudflare_error"`
	}
	if json.Unmarshal(body, &document) == nil && document.Cloudflare {
		code, _ := errorNumber(document.Code.String())
		return code
	}
	if line, ok := strings.CutPrefix(strings.TrimSpace(string(body)), "error code: "); ok {
		code, _ := errorNumber(line)
		return code
	}
	return pageError(status, body)
}

// pageError finds the number in the page that browsers get: where its markup
// puts it, or in its title ("example.com | 522: Connection timed out"). A page
// with Cloudflare's name at its foot and no number is that of its status.
func pageError(status int, body []byte) int {
	if title, ok := between(body, "<title>", "</title>"); ok && isBlockPage(body) {
		if i := bytes.LastIndex(title, []byte("| ")); i >= 0 {
			number, _, _ := bytes.Cut(title[i+2:], []byte(":"))
			if code, ok := errorNumber(string(number)); ok {
				return code
			}
		}
	}
	for _, mark := range []string{`class="cf-error-code">`, `data-translate="error">Error</span> <span>`} {
		if number, ok := between(body, mark, "<"); ok {
			if code, ok := errorNumber(string(bytes.TrimSpace(number))); ok {
				return code
			}
		}
	}
	if status >= 500 && (isBlockPage(body) || bytes.Contains(body, []byte("<center>cloudflare</center>"))) {
		return status
	}
	return 0
}

// between is what stands between two marks.
func between(body []byte, from, to string) ([]byte, bool) {
	_, rest, ok := bytes.Cut(body, []byte(from))
	text, _, end := bytes.Cut(rest, []byte(to))
	return text, ok && end
}

// errorNumber parses the number of an error page: 520 to 526, 1000 to 1200 and
// some, never longer than four digits.
func errorNumber(text string) (int, bool) {
	code, err := strconv.Atoi(text)
	if err != nil || code < 100 || code > 9999 {
		return 0, false
	}
	return code, true
}
