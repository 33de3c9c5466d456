package sandbox

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// originPatience is how long the edge waits for an origin that does not
// answer. Cloudflare waits 19 s for a connection and 120 s for an answer.
const originPatience = 500 * time.Millisecond

// startEdge serves Cloudflare's edge, and the home's own web server behind it.
func (s *Sandbox) startEdge() error {
	edge, err := s.serveSite(site{address: s.cfg.Edge, certificate: s.edgeCertificate, handler: http.HandlerFunc(s.edgeHTTP)})
	if err != nil {
		return err
	}
	s.places.put(placeEdge, edge)
	origin, err := s.serveSite(site{certificate: s.originCertificate, handler: http.HandlerFunc(s.originHTTP)})
	if err != nil {
		return err
	}
	s.places.put(placeOrigin, origin)
	return nil
}

// edgeCertificate makes certificates for the names of the zones; a handshake
// for any other name fails, as at Cloudflare.
func (s *Sandbox) edgeCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := hostName(hello.ServerName)
	if name == "" || name == "localhost" {
		return s.authority.certificateFor("127.0.0.1")
	}
	if _, ok := s.nodeAt(name); !ok {
		return nil, nil // no certificate: the client is told that the name is not recognised
	}
	return s.authority.certificateFor(name)
}

// originCertificate makes one for any name: a home server has what it needs.
func (s *Sandbox) originCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := hostName(hello.ServerName)
	if name == "" {
		name = "127.0.0.1"
	}
	return s.authority.certificateFor(name)
}

// edgeHTTP answers as the edge does: it finds the record behind the name,
// challenges in Under Attack mode, and fetches from the origin or says why not.
func (s *Sandbox) edgeHTTP(w http.ResponseWriter, r *http.Request) {
	ray := newRay()
	w.Header().Set("Server", "cloudflare")
	w.Header().Set("CF-RAY", ray)
	if fault, ok := s.takeFault("edge"); ok {
		s.faultyEdge(w, r, fault)
		return
	}
	n, ok := s.nodeAt(hostName(hostOf(r.Host)))
	switch {
	case !ok || !n.proxied():
		s.edgeError(w, r, unknownHost)
	case r.URL.Path == "/cdn-cgi/trace":
		s.trace(w, r)
	case s.isUnderAttack():
		challenge(w)
	default:
		if trouble := s.reach(r.Context(), n); trouble.code != 0 {
			s.edgeError(w, r, trouble)
			return
		}
		s.fetchOrigin(w, r)
	}
}

func (s *Sandbox) isUnderAttack() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.underAttack
}

// faultyEdge answers as an edge that is unwell.
func (s *Sandbox) faultyEdge(w http.ResponseWriter, r *http.Request, f Fault) {
	switch {
	case f.Do == "500" || f.Do == "done-but-500":
		s.edgeError(w, r, internalError)
	case !s.faultySite(w, r, f):
		somebodyElse(w)
	}
}

// somebodyElse is the lie of a web server: the page of another one.
func somebodyElse(w http.ResponseWriter) {
	say(w, http.StatusOK, "text/plain; charset=utf-8", "hello from somebody else's server\n")
}

// reach decides whether the edge gets through to the origin of a name. The
// origin is the home: it answers at its own current address and nowhere else.
func (s *Sandbox) reach(ctx context.Context, n node) edgeTrouble {
	addrs, err := s.originsOf(ctx, n)
	if err != nil {
		return deadTarget
	}
	for _, a := range addrs {
		if s.isHome(a) {
			return edgeTrouble{}
		}
	}
	for _, a := range addrs {
		if isCloudflare(a) {
			return prohibitedAddress
		}
	}
	s.pause(ctx, originPatience)
	return staleAddress
}

// originsOf returns the addresses of both families that a name leads to. It
// is an error if there is none.
func (s *Sandbox) originsOf(ctx context.Context, n node) ([]netip.Addr, error) {
	var all []netip.Addr
	for _, f := range bothFamilies {
		addrs, err := s.originAddrs(ctx, n.name, f)
		if err != nil && !isNotFound(err) {
			return nil, err
		}
		all = append(all, addrs...)
	}
	if len(all) == 0 {
		return nil, noSuchHost(n.name)
	}
	return all, nil
}

// isCloudflare reports whether an address is of the edge's main ranges: a
// record that points there would make the edge ask itself. https://www.cloudflare.com/ips/
func isCloudflare(a netip.Addr) bool {
	for _, text := range [...]string{"104.16.0.0/13", "104.24.0.0/14", "172.64.0.0/13", "162.158.0.0/15", "188.114.96.0/20", "2606:4700::/32"} {
		if netip.MustParsePrefix(text).Contains(a) {
			return true
		}
	}
	return false
}

// fetchOrigin passes a request on, with what may go wrong at the origin.
func (s *Sandbox) fetchOrigin(w http.ResponseWriter, r *http.Request) {
	fault, ok := s.takeFault("origin")
	if !ok {
		s.home(w, r)
		return
	}
	switch fault.Do {
	case "drop", "refuse":
		s.edgeError(w, r, originRefused)
	case "hang":
		s.pause(r.Context(), originPatience)
		s.edgeError(w, r, originSlow)
	default:
		s.faultyOrigin(w, r, fault)
	}
}

// originHTTP is the home's web server, asked directly.
func (s *Sandbox) originHTTP(w http.ResponseWriter, r *http.Request) {
	fault, ok := s.takeFault("origin")
	if !ok {
		s.home(w, r)
		return
	}
	if fault.Do == "refuse" {
		hangUp(w)
		return
	}
	s.faultyOrigin(w, r, fault)
}

// faultyOrigin answers as a home server that is unwell.
func (s *Sandbox) faultyOrigin(w http.ResponseWriter, r *http.Request, f Fault) {
	switch {
	case f.Do == "500" || f.Do == "done-but-500":
		originError(w)
	case !s.faultySite(w, r, f):
		somebodyElse(w)
	}
}

func (s *Sandbox) home(w http.ResponseWriter, r *http.Request) {
	f4, f6 := s.WAN()
	at := f4
	if !at.IsValid() {
		at = f6
	}
	say(w, http.StatusOK, "text/plain; charset=utf-8", fmt.Sprintf("hello from home, %s, for %s\n", at, hostOf(r.Host)))
}

func originError(w http.ResponseWriter) {
	say(w, http.StatusInternalServerError, "text/plain; charset=utf-8", "the home server is unwell\n")
}

// hostOf drops the port of a Host header.
func hostOf(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}
