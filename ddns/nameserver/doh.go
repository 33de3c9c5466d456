package nameserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/cfddns/cfddns/ddns"
	"github.com/miekg/dns"
)

// AskDoH asks a resolver over HTTPS, at a URL such as
// https://cloudflare-dns.com/dns-query, for the records of a type at a name.
// It is a resolver: its answer may be as old as the record's TTL, and is never
// authoritative.
// https://www.rfc-editor.org/rfc/rfc8484
func (c Client) AskDoH(ctx context.Context, address, name, recordType string) (ddns.Answer, error) {
	answer, err := c.askDoH(ctx, address, name, recordType)
	if err != nil {
		return ddns.Answer{}, fmt.Errorf("ask %s for %s %s: %w", address, name, recordType, err)
	}
	answer.Server, answer.Over, answer.Authoritative = address, "https", false
	return answer, nil
}

func (c Client) askDoH(ctx context.Context, address, name, recordType string) (ddns.Answer, error) {
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" || u.Host == "" {
		return ddns.Answer{}, errors.New("a resolver over HTTPS has a URL that begins with https://")
	}
	query, err := newQuery(name, recordType)
	if err != nil {
		return ddns.Answer{}, err
	}
	query.RecursionDesired = true
	query.Id = 0 // the connection carries one question: nothing to tell apart
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	reply, err := c.post(ctx, address, query)
	if err != nil {
		return ddns.Answer{}, err
	}
	answer, err := readReply(reply, query)
	if errors.Is(err, errCase) {
		err = nil // TLS says who wrote it
	}
	return answer, err
}

// secure opens a connection to a resolver, and has it prove who it is. Resolvers
// over HTTPS are chosen by us: their names are complete.
func (c Client) secure(ctx context.Context, address string) (net.Conn, error) {
	world := ddns.Named(c.World, ddns.Complete)
	if simulated, ok := world.(ddns.SimulatedWorld); ok {
		return simulated.DialTLS(ctx, "tcp", address)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	conn, err := world.Dial(ctx, network("tcp", address), address)
	if err != nil {
		return nil, err
	}
	secure, err := ddns.Handshake(ctx, conn, &tls.Config{
		ServerName: host, RootCAs: world.Roots(), MinVersion: tls.VersionTLS12,
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256},
	})
	if err != nil {
		return nil, err
	}
	return secure, nil
}

// post sends a query by HTTPS and returns the message that answers it.
func (c Client) post(ctx context.Context, address string, query *dns.Msg) (*dns.Msg, error) {
	packed, err := query.Pack()
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	const mediaType = "application/dns-message"
	request.Header.Set("Content-Type", mediaType)
	request.Header.Set("Accept", mediaType)
	request.Header.Set("User-Agent", "cfddns")
	transport := c.transport(ctx)
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != mediaType {
		return nil, fmt.Errorf("%w: HTTP %d, %q", errServer, response.StatusCode, response.Header.Get("Content-Type"))
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, dns.MaxMsgSize))
	if err != nil {
		return nil, err
	}
	reply := new(dns.Msg)
	if err := reply.Unpack(body); err != nil {
		return nil, fmt.Errorf("the answer is no DNS message: %w", err)
	}
	return reply, nil
}

// transport serves one request; ctx bounds the connection as well. A question
// is no secret, so the greeting offers no ML-KEM: with it, it would not fit one
// packet, and some lines drop the second.
func (c Client) transport(ctx context.Context) *http.Transport {
	return &http.Transport{
		DisableKeepAlives: true,
		DialTLSContext: func(_ context.Context, _, address string) (net.Conn, error) {
			return c.secure(ctx, address)
		},
	}
}
