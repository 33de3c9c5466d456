package sandbox

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// trace answers /cdn-cgi/trace, which every host of Cloudflare's has: what the
// edge knows of the visitor, one key=value a line.
func (s *Sandbox) trace(w http.ResponseWriter, r *http.Request) {
	wan := s.edgeCallerOf(r)
	if !wan.IsValid() {
		hangUp(w)
		return
	}
	ip := wan.String()
	if fault, ok := s.takeFault("echo:cloudflare"); ok {
		if s.faultySite(w, r, fault) {
			return
		}
		ip = fault.told(wan)
	}
	scheme, version, sni, kex := "http", "off", "off", "none"
	if state := tlsState(r); state != nil {
		scheme, version, sni, kex = "https", tlsName(state.Version), "plaintext", state.CurveID.String()
		if state.ServerName == "" {
			sni = "off"
		}
	}
	w.Header().Set("Server", "cloudflare")
	w.Header().Set("CF-RAY", newRay())
	lines := []string{
		"fl=455f123", "h=" + r.Host, "ip=" + ip, fmt.Sprintf("ts=%.3f", float64(time.Now().UnixMilli())/1000),
		"visit_scheme=" + scheme, "uag=" + r.UserAgent(), "colo=FRA", "sliver=none", "http=" + strings.ToLower(r.Proto),
		"loc=DE", "tls=" + version, "sni=" + sni, "warp=off", "gateway=off", "rbi=off", "kex=" + kex,
	}
	say(w, http.StatusOK, "text/plain", strings.Join(lines, "\n")+"\n")
}

func tlsName(version uint16) string {
	if version == tls.VersionTLS13 {
		return "TLSv1.3"
	}
	return "TLSv1.2"
}

// doh answers DNS over HTTPS (RFC 8484): the whoami questions of its operator,
// and whatever a resolver answers.
func (s *Sandbox) doh(e echo) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		fault, faulty := s.takeFault("echo:" + e.name)
		if faulty && s.faultySite(w, r, fault) {
			return
		}
		q, ok := dohQuery(w, r)
		if !ok {
			say(w, http.StatusBadRequest, "text/plain", "this is no DNS message\n")
			return
		}
		q.way, _ = s.ways.of("tcp", r.RemoteAddr)
		var lies []netip.Addr
		if wan := s.callerOf(r); faulty && wan.IsValid() {
			lies = fault.distort(wan)
		}
		m := s.answerDoH(e, q, lies)
		if m == nil {
			if !q.cut {
				s.hold(r.Context())
			}
			hangUp(w)
			return
		}
		wire, err := q.finish(m).Pack()
		if err != nil {
			say(w, http.StatusInternalServerError, "text/plain", "the answer cannot be sent\n")
			return
		}
		w.Header().Set("Content-Type", "application/dns-message")
		_, _ = w.Write(wire)
	}
}

// answerDoH answers one question; lies are told instead of the caller's address.
func (s *Sandbox) answerDoH(e echo, q *query, lies []netip.Addr) *dns.Msg {
	kind, whoami := whoamiOf(q)
	switch {
	case whoami && kind.echo == "cloudflare-dns" && e.operator != "cloudflare":
		return q.reply(dns.RcodeNotImplemented)
	case whoami && !kind.authority && len(lies) > 0:
		return q.tell(kind, lies)
	}
	return s.resolvers[map[string]string{"cloudflare": "1.1.1.1", "google": "8.8.8.8", "quad9": quad9}[e.operator]].answer(q)
}

// dohQuery reads the question from the body of a POST or the URL of a GET.
func dohQuery(w http.ResponseWriter, r *http.Request) (q *query, ok bool) {
	var wire []byte
	var err error
	switch {
	case r.Method == http.MethodGet:
		wire, err = base64.RawURLEncoding.DecodeString(r.URL.Query().Get("dns"))
	case r.Method == http.MethodPost && r.Header.Get("Content-Type") == "application/dns-message":
		wire, err = io.ReadAll(http.MaxBytesReader(w, r.Body, dns.MaxMsgSize))
	default:
		return nil, false
	}
	m := new(dns.Msg)
	if err != nil || m.Unpack(wire) != nil {
		return nil, false
	}
	return newQuery(m, cameBy(r), "https")
}
