package sandbox

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// edgeTrouble is an error that Cloudflare itself answers with.
// https://developers.cloudflare.com/support/troubleshooting/http-status-codes/
type edgeTrouble struct {
	status   int
	code     int // the 1xxx code, or the status again for a 5xx
	name     string
	title    string
	detail   string
	category string // of the JSON answer
	again    bool   // worth trying again
	owner    bool   // only the owner of the site can mend it
}

var (
	unknownHost = edgeTrouble{status: http.StatusConflict, code: 1001, name: "dns_resolution_error", category: "dns",
		title: "DNS resolution error", detail: "This host is not configured on Cloudflare, or its record is not proxied.", owner: true}
	prohibitedAddress = edgeTrouble{status: http.StatusForbidden, code: 1000, name: "dns_points_to_prohibited_ip", category: "dns",
		title: "DNS points to prohibited IP", detail: "The record of this host points at an address of Cloudflare.", owner: true}
	deadTarget = edgeTrouble{status: 530, code: 1016, name: "origin_dns_error", category: "dns",
		title: "Origin DNS error", detail: "Cloudflare cannot resolve the origin that this host points at.", owner: true}
	internalError = edgeTrouble{status: http.StatusInternalServerError, code: 500, name: "internal_server_error", category: "edge",
		title: "Internal server error", detail: "Something went wrong at Cloudflare.", again: true}
	originRefused = edgeTrouble{status: 521, code: 521, name: "web_server_is_down", category: "origin",
		title: "Web server is down", detail: "The origin refused the connection.", again: true, owner: true}
	staleAddress = edgeTrouble{status: 522, code: 522, name: "connection_timed_out", category: "origin",
		title: "Connection timed out", detail: "No connection to the origin came about in time.", again: true, owner: true}
	originSlow = edgeTrouble{status: 524, code: 524, name: "a_timeout_occurred", category: "origin",
		title: "A timeout occurred", detail: "The origin accepted the connection and did not answer in time.", again: true, owner: true}
)

// edgeError answers with an error page in the form that the client accepts:
// JSON for programs that ask for it, HTML for browsers, else one line of text.
func (s *Sandbox) edgeError(w http.ResponseWriter, r *http.Request, t edgeTrouble) {
	w.Header().Set("CF-Error-Type", strconv.Itoa(t.code))
	w.Header().Set("CF-Error-Origin", "edge")
	accept := r.Header.Get("Accept")
	for _, kind := range []string{"application/problem+json", "application/json"} {
		if strings.Contains(accept, kind) {
			say(w, t.status, kind, t.json(r, w.Header().Get("CF-RAY")))
			return
		}
	}
	if strings.Contains(accept, "text/html") {
		say(w, t.status, "text/html; charset=UTF-8", t.page(r, w.Header().Get("CF-RAY")))
		return
	}
	say(w, t.status, "text/plain; charset=UTF-8", fmt.Sprintf("error code: %d", t.code))
}

// json is the answer by RFC 9457, with Cloudflare's own members.
func (t edgeTrouble) json(r *http.Request, ray string) string {
	doc, err := json.Marshal(map[string]any{
		"type":                  fmt.Sprintf("https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-%s-errors/error-%d/", series(t.code), t.code),
		"title":                 fmt.Sprintf("Error %d: %s", t.code, t.title),
		"status":                t.status,
		"detail":                t.detail,
		"instance":              ray,
		"error_code":            t.code,
		"error_name":            t.name,
		"error_category":        t.category,
		"ray_id":                ray,
		"timestamp":             time.Now().UTC().Format(time.RFC3339),
		"zone":                  hostOf(r.Host),
		"cloudflare_error":      true,
		"retryable":             t.again,
		"retry_after":           nil,
		"owner_action_required": t.owner,
	})
	if err != nil {
		return "{}"
	}
	return string(doc)
}

func series(code int) string {
	if code >= 1000 {
		return "1xxx"
	}
	return "5xx"
}

func (t edgeTrouble) page(r *http.Request, ray string) string {
	host := html.EscapeString(hostOf(r.Host))
	return fmt.Sprintf(`<!DOCTYPE html>
<html lang="en-US"><head><title>%[1]s | %[2]s | Cloudflare</title></head>
<body><div id="cf-wrapper"><h1>Error %[3]d</h1><p>Ray ID: %[4]s</p><h2>%[1]s</h2><p>%[5]s</p></div></body></html>
`, t.title, host, t.code, ray, t.detail)
}

// challenge answers with a page that only a browser gets past.
func challenge(w http.ResponseWriter) {
	w.Header().Set("CF-Mitigated", "challenge")
	say(w, http.StatusForbidden, "text/html; charset=UTF-8", `<!DOCTYPE html>
<html lang="en-US"><head><title>Just a moment...</title></head>
<body><noscript>Enable JavaScript and cookies to continue</noscript><script>/* a puzzle for browsers */</script></body></html>
`)
}

// newRay makes the id by which Cloudflare finds a request again.
func newRay() string {
	raw := make([]byte, 8)
	rand.Read(raw) // crypto/rand.Read never fails
	return hex.EncodeToString(raw) + "-FRA"
}
