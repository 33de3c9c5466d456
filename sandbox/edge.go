package sandbox

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

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

// edgeHTTP answers as the edge does: it finds the record behind the name, lets
// security judge the visit, and fetches from the origin or says why not. What
// it answers for a zone's names is remembered by the analytics.
func (s *Sandbox) edgeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "cloudflare")
	w.Header().Set("CF-RAY", newRay())
	v := s.visitOf(r)
	n, ok := s.nodeAt(v.host)
	var done []sanction
	if ok {
		w = &answerRecorder{ResponseWriter: w, note: func(status int) { s.noteAnswer(v, done, status) }}
	}
	if fault, ok := s.takeFaultAt("edge", s.dialled(r)); ok {
		s.faultyEdge(w, r, fault)
		return
	}
	switch {
	case !ok || !n.proxied():
		s.edgeError(w, r, troubleOf(1001))
		return
	case r.URL.Path == "/cdn-cgi/trace":
		s.trace(w, r)
		return
	}
	done = s.defend(v, n.zone.rules)
	if last := len(done) - 1; last >= 0 && done[last].final() {
		s.turnAway(w, r, done[last])
		return
	}
	if trouble := s.reach(r.Context(), n); trouble.code != 0 {
		s.edgeError(w, r, trouble)
		return
	}
	s.fetchOrigin(w, r)
}

// visitOf is a request as rules see it.
func (s *Sandbox) visitOf(r *http.Request) *visit {
	scheme := "http"
	if tlsState(r) != nil {
		scheme = "https"
	}
	return &visit{
		client: s.edgeCallerOf(r), host: hostName(hostOf(r.Host)), method: r.Method, uri: r.URL.RequestURI(),
		path: r.URL.Path, query: r.URL.RawQuery, userAgent: r.UserAgent(), scheme: scheme, header: r.Header, at: time.Now(),
	}
}

// faultyEdge answers as an edge that is unwell.
func (s *Sandbox) faultyEdge(w http.ResponseWriter, r *http.Request, f Fault) {
	switch {
	case f.Do == "500" || f.Do == "done-but-500":
		s.edgeError(w, r, troubleOf(500))
	case f.Do == "error":
		if t := troubleNamed(f.Value); t != nil {
			s.edgeError(w, r, *t)
		}
	case !s.faultySite(w, r, f):
		somebodyElse(w)
	}
}

// troubleNamed finds an error of the edge by its number; nil if there is none.
func troubleNamed(word string) *edgeTrouble {
	code, err := strconv.Atoi(word)
	if t := troubleOf(code); err == nil && t.code == code {
		return &t
	}
	return nil
}

// reach decides whether the edge gets through to the origin of a name. The
// origin is the home: it answers at its own current address and nowhere else.
func (s *Sandbox) reach(ctx context.Context, n node) edgeTrouble {
	if s.leadsToTunnel(n) {
		return troubleOf(1033) // nobody here runs cloudflared
	}
	addrs, err := s.originsOf(ctx, n)
	if err != nil {
		return troubleOf(1016)
	}
	for _, a := range addrs {
		if s.isHome(a) {
			return edgeTrouble{}
		}
	}
	for _, a := range addrs {
		if isCloudflare(a) {
			return troubleOf(1000)
		}
	}
	s.pause(ctx, originPatience)
	return troubleOf(522)
}

// leadsToTunnel reports whether a name is a CNAME to a tunnel, at once or
// through others of our zones.
func (s *Sandbox) leadsToTunnel(n node) bool {
	for range maxChain {
		alias, ok := n.alias()
		if !ok {
			return false
		}
		target := hostName(alias.Content)
		if strings.HasSuffix(target, ".cfargotunnel.com") {
			return true
		}
		if n, ok = s.nodeAt(target); !ok {
			return false
		}
	}
	return false
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

// hostOf drops the port of a Host header.
func hostOf(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}
