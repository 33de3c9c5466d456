// Package nameserver asks one DNS server one question and says what is odd
// about the answer.
//
// It serves the proof that a zone's own nameservers publish what was written.
// They are asked directly and without recursion (RD=0), and their answer bears
// the AA bit: without it, somebody in between answered, from a cache or from
// imagination. Where port 53 is intercepted like that, AskDoH asks a resolver
// over HTTPS.
//
// A question goes over UDP first and over TCP if the answer was cut, did not
// come, or came altered. An answer counts only with our number and our
// question, in the letters we wrote it with: their case is random, which makes
// a forged answer harder to guess. Some servers lower it; these are asked
// over TCP, where nobody can forge from afar.
package nameserver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/miekg/dns"
)

// DefaultTimeout bounds one question, UDP and TCP together.
const DefaultTimeout = 5 * time.Second

// Client asks DNS servers through a World. The zero Timeout means
// DefaultTimeout; a context that ends earlier holds.
type Client struct {
	World   ddns.World
	Timeout time.Duration
}

// Ask asks a server, HOST:PORT, for the records of a type ("A", "AAAA",
// "CNAME") at a name. The server may be given by name; it is then resolved by
// the World.
//
// That a name does not exist is an answer. An error means that nothing is
// known: no answer within the deadline, one to another question, or a server
// that refuses or fails.
func (c Client) Ask(ctx context.Context, server, name, recordType string) (ddns.Answer, error) {
	query, err := newQuery(name, recordType)
	if err != nil {
		return ddns.Answer{}, fmt.Errorf("ask %s: %w", server, err)
	}
	_, answer, err := c.exchange(ctx, server, query)
	if err != nil {
		return ddns.Answer{}, fmt.Errorf("ask %s for %s %s: %w", server, name, recordType, err)
	}
	return answer, nil
}

// exchange asks over UDP, and over TCP if that brought nothing to rely on. It
// returns the whole message too.
func (c Client) exchange(ctx context.Context, server string, query *dns.Msg) (*dns.Msg, ddns.Answer, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	reply, answer, err := c.over(ctx, "udp", server, query)
	if err != nil && ctx.Err() == nil && !errors.Is(err, errServer) {
		reply, answer, err = c.over(ctx, "tcp", server, query)
	}
	return reply, answer, err
}

func (c Client) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	return context.WithTimeout(ctx, timeout)
}

var (
	errServer    = errors.New("the server does not answer the question")
	errTruncated = errors.New("the answer was cut")
	errQuestion  = errors.New("the answer is to another question")
	errCase      = errors.New("the answer changed the letters of the question")
)

// newQuery makes a question without recursion, its name in random case.
func newQuery(name, recordType string) (*dns.Msg, error) {
	qtype, ok := dns.StringToType[recordType]
	if !ok {
		return nil, fmt.Errorf("%q is no type of record", recordType)
	}
	if _, ok := dns.IsDomainName(name); !ok || name == "" {
		return nil, fmt.Errorf("%q is no domain name", name)
	}
	query := new(dns.Msg)
	query.SetQuestion(randomCase(dns.Fqdn(name)), qtype)
	query.RecursionDesired = false
	return query, nil
}

// randomCase flips a coin for every letter.
// https://datatracker.ietf.org/doc/html/draft-vixie-dnsext-dns0x20-00
func randomCase(name string) string {
	letters := []byte(strings.ToLower(name))
	for i, b := range letters {
		if b >= 'a' && b <= 'z' && rand.N(2) == 1 {
			letters[i] = b - 'a' + 'A'
		}
	}
	return string(letters)
}

// over asks over one transport, on a connection of its own. UDP gets half of
// the time that is left, so that TCP has the other half.
func (c Client) over(ctx context.Context, transport, server string, query *dns.Msg) (*dns.Msg, ddns.Answer, error) {
	end, _ := ctx.Deadline()
	left := time.Until(end)
	if transport == "udp" {
		left /= 2
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	conn, err := c.World.Dial(ctx, network(transport, server), server)
	if err != nil {
		return nil, ddns.Answer{}, err
	}
	defer conn.Close()
	// The library obeys a deadline but not a cancellation.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()

	library := dns.Client{Timeout: left}
	reply, _, err := library.ExchangeWithConnContext(ctx, query, &dns.Conn{Conn: conn})
	switch {
	case ctx.Err() != nil:
		return nil, ddns.Answer{}, fmt.Errorf("no answer over %s: %w", transport, ctx.Err())
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, ddns.Answer{}, fmt.Errorf("no answer over %s: %w", transport, context.DeadlineExceeded)
	case err != nil:
		return nil, ddns.Answer{}, fmt.Errorf("no answer over %s: %w", transport, err)
	case transport == "udp" && reply.Truncated:
		return nil, ddns.Answer{}, errTruncated
	}
	answer, err := readReply(reply, query)
	if errors.Is(err, errCase) && transport == "tcp" {
		err = nil
	}
	answer.Server, answer.Over = server, transport
	return reply, answer, err
}

// network pins the family where the server is given by address.
func network(transport, server string) string {
	if at, err := netip.ParseAddrPort(server); err == nil {
		return ddns.FamilyOf(at.Addr()).Network(transport)
	}
	return transport
}
