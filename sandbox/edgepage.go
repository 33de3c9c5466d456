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

// edgeError answers with an error page in the form that the client accepts:
// JSON for programs that ask for it, HTML for browsers, else one line of text.
func (s *Sandbox) edgeError(w http.ResponseWriter, r *http.Request, t edgeTrouble) {
	w.Header().Set("CF-Error-Type", strconv.Itoa(t.code))
	w.Header().Set("CF-Error-Origin", "edge")
	if t.after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(t.after))
	}
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
	var after any // null unless there is one
	if t.after > 0 {
		after = t.after
	}
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
		"retry_after":           after,
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
