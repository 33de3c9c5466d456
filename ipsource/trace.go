package ipsource

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/cfddns/cfddns/ddns"
)

// maxTrace is the longest trace taken, in bytes; a real one has about 300.
const maxTrace = 4 << 10

// tracePath is where every host behind Cloudflare shows how it was reached.
// https://developers.cloudflare.com/fundamentals/reference/cdn-cgi-endpoint/
const tracePath = "/cdn-cgi/trace"

// trace is a host behind Cloudflare that answers with lines of KEY=VALUE.
type trace struct {
	url   string
	agent string // User-Agent
}

func (t trace) ask(ctx context.Context, world ddns.World, family ddns.Family) (netip.Addr, error) {
	reply, err := fetch(ctx, world, family, fetching{url: t.url, agent: t.agent, limit: maxTrace})
	if err != nil {
		return netip.Addr{}, err
	}
	address, err := parseTrace(reply.body, reply.host, family)
	if err != nil {
		return netip.Addr{}, err
	}
	return notItself(address, reply.server)
}

// parseTrace takes the address from a trace that is about the host asked. An
// answer that came through WARP or a Zero Trust gateway is refused: it names
// the way out of a VPN, where no visitor comes in.
func parseTrace(body []byte, host string, family ddns.Family) (netip.Addr, error) {
	values, err := traceValues(string(body))
	if err != nil {
		return netip.Addr{}, err
	}
	if h := values["h"]; h != host {
		return netip.Addr{}, fmt.Errorf("answered a trace of host %.80q, not of %s", h, host)
	}
	for _, key := range []string{"warp", "gateway"} {
		if v, ok := values[key]; ok && v != "off" {
			return netip.Addr{}, fmt.Errorf("answered %s=%.20q: this machine leaves through Cloudflare's VPN, whose address is not the home's", key, v)
		}
	}
	address, err := netip.ParseAddr(values["ip"])
	if err != nil {
		return netip.Addr{}, fmt.Errorf("answered a trace with ip=%.50q, not an address", values["ip"])
	}
	return ofFamily(address, family)
}

// traceValues reads lines of KEY=VALUE, each key once.
func traceValues(body string) (map[string]string, error) {
	values := map[string]string{}
	for line := range strings.Lines(body) {
		key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		if !ok {
			return nil, errors.New("answered 200 with something that is no trace: a login page or a challenge?")
		}
		if _, twice := values[key]; twice {
			return nil, fmt.Errorf("answered a trace that says %.20q twice", key)
		}
		values[key] = value
	}
	return values, nil
}
