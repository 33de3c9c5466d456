package sandbox

import (
	"context"
	"net"
	"sync"
)

// The services that listen, by the name under which places keeps them.
const (
	placeDNS     = "dns"       // the zones' nameservers
	placeQuad9   = "quad9-doh" // dns.quad9.net over HTTPS
	placeStatus  = "status"    // www.cloudflarestatus.com
	placeEdge    = "edge"
	placeOrigin  = "origin" // the home's own web server
	placeDuckAPI = "duckdns-api"
	placeDuckDNS = "duckdns-dns"
	placeAPI     = "api" // api.cloudflare.com, with TLS
)

// places says where each service listens, by family.
type places struct {
	mu sync.Mutex
	at map[string]map[family]string
}

func (p *places) put(name string, at map[family]string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at == nil {
		p.at = make(map[string]map[family]string)
	}
	p.at[name] = at
}

// find returns the HOST:PORT of a service, "" if it does not listen (yet).
func (p *places) find(name string, f family) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at[name][f]
}

// connect opens a connection to a listener of the sandbox.
func (s *Sandbox) connect(ctx context.Context, network, address string) (net.Conn, error) {
	if s.cfg.Dial != nil {
		return s.cfg.Dial(ctx, network, address)
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, network, address)
}
