package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// token is what may be done with one API token.
type token struct {
	value    string
	disabled bool
	readOnly bool
	may      []string  // permissions, such as "dns:edit"; nil = all
	zones    []string  // names; nil = all
	expires  time.Time // zero = never
	window   time.Time // when the current window of the rate limit began
	used     int       // calls in it
}

// id is what the API calls a token.
func (t *token) id() string { return idOf("token " + t.value) }

// idOf makes an identifier that is the same in every run.
func idOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

func (t *token) status(now time.Time) string {
	switch {
	case t.disabled:
		return "disabled"
	case !t.expires.IsZero() && !now.Before(t.expires):
		return "expired"
	}
	return "active"
}

// ofAccount tells a token that belongs to the account from one of a user.
// https://developers.cloudflare.com/fundamentals/api/get-started/token-formats/
func (t *token) ofAccount() bool { return strings.HasPrefix(t.value, "cfat_") }

func (t *token) allowsZone(name string) bool {
	return t.zones == nil || slices.Contains(t.zones, name)
}

// tokenPermissions are those that a token may have. One to edit allows to read.
// https://developers.cloudflare.com/fundamentals/api/reference/permissions/
func tokenPermissions() []string {
	return []string{"zone:read", "dns:read", "dns:edit", "settings:read", "settings:edit", "waf:read", "waf:edit", "analytics:read"}
}

// allows reports whether a token may make a call.
func (t *token) allows(e endpoint, method string) bool {
	reads := method == http.MethodGet || method == http.MethodHead || e.effect == effectEvents
	if t.readOnly && !reads {
		return false
	}
	var about string
	switch e.effect {
	case effectZones:
		about = "zone"
	case effectList, effectUsage, effectCreate, effectEdit, effectDelete, effectBatch:
		about = "dns"
	case effectSettings:
		about = "settings"
	case effectRules:
		about = "waf"
	case effectEvents:
		about = "analytics"
	}
	oneZone := e.effect == effectZones && e.path != "/zones" // any permission for the zone shows the zone
	if t.may == nil || about == "" || oneZone {
		return true
	}
	return slices.Contains(t.may, about+":edit") || reads && slices.Contains(t.may, about+":read")
}

// globalKey is the form of a user's Global API Key, which comes with an e-mail
// address in headers of its own, and never as a bearer token.
var globalKey = regexp.MustCompile(`^(cfk_[A-Za-z0-9]+|[0-9a-f]{37,45})$`)

// bearer is the form of an API token.
var bearer = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// credentials returns the token or key that a request shows.
func credentials(r *http.Request) (string, *refusal) {
	authorization := r.Header.Get("Authorization")
	key := r.Header.Get("X-Auth-Key")
	malformed := func(code int, header string) *refusal {
		bad := invalid(6003, "Invalid request headers")
		bad.chain = []message{{Code: code, Message: fmt.Sprintf("Invalid format for %s header", header)}}
		return bad
	}
	switch {
	case authorization != "":
		scheme, value, _ := strings.Cut(authorization, " ")
		if !strings.EqualFold(scheme, "Bearer") || !bearer.MatchString(value) || globalKey.MatchString(value) {
			return "", malformed(6111, "Authorization")
		}
		return value, nil
	case key != "" && !globalKey.MatchString(key):
		return "", malformed(6103, "X-Auth-Key")
	case key != "" && !strings.Contains(r.Header.Get("X-Auth-Email"), "@"):
		return "", malformed(6102, "X-Auth-Email")
	case key != "":
		return key, nil
	}
	return "", invalid(9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
}

// admit looks a token up, counts the call against its limit, and tells what
// speaks against the call.
func (s *Sandbox) admit(value string, e endpoint, r *http.Request, now time.Time) (token, limit, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tokens[value]
	if t == nil {
		return token{}, untouched(), badToken(e, r)
	}
	room := t.spend(now)
	if room.over {
		return token{}, room, errTooMany()
	}
	switch {
	case e.effect == effectVerify:
		// A token that was switched off may still ask what became of it.
	case t.status(now) != "active":
		return token{}, room, badToken(e, r)
	case !t.allows(e, r.Method):
		return token{}, room, refuse(http.StatusForbidden, 10000, "Authentication error")
	}
	return *t, room, nil
}

// badToken refuses a token that is not known or no longer good; the parts of
// the API each have their own words for it.
func badToken(e endpoint, r *http.Request) *refusal {
	switch {
	case e.effect == effectVerify:
		return refuse(http.StatusUnauthorized, 1000, "Invalid API Token")
	case strings.Contains(r.URL.Path, "/dns_records"), e.effect == effectEvents:
		return refuse(http.StatusUnauthorized, 10000, "Authentication error")
	}
	return refuse(http.StatusForbidden, 9109, "Invalid access token")
}

// The limit is Cloudflare's: calls of one user, over all of the API.
// https://developers.cloudflare.com/fundamentals/api/reference/limits/
const (
	rateCalls  = 1200
	rateWindow = 5 * time.Minute
)

// limit is how far a token is from the rate limit.
type limit struct {
	left  int
	reset time.Duration // until the window ends
	over  bool
}

// untouched is the limit of a caller who made no call yet.
func untouched() limit { return limit{left: rateCalls, reset: rateWindow} }

// wait is how long a caller must be quiet: not at all, below the limit.
func (l limit) wait() time.Duration {
	if l.over {
		return l.reset
	}
	return 0
}

// spend counts one call.
func (t *token) spend(now time.Time) limit {
	if now.Sub(t.window) >= rateWindow {
		t.window, t.used = now, 0
	}
	t.used++
	return limit{left: max(0, rateCalls-t.used), reset: rateWindow - now.Sub(t.window), over: t.used > rateCalls}
}

func errTooMany() *refusal {
	return refuse(http.StatusTooManyRequests, 10100, "More than %d requests per %d seconds reached. "+
		"Please wait and consider throttling your request speed", rateCalls, int(rateWindow.Seconds()))
}

// writeTo writes the headers of
// https://developers.cloudflare.com/fundamentals/api/reference/limits/#rate-limit-headers
func (l limit) writeTo(h http.Header) {
	h.Set("Ratelimit", fmt.Sprintf(`"default";r=%d;t=%d`, l.left, seconds(l.reset)))
	h.Set("Ratelimit-Policy", fmt.Sprintf(`"default";q=%d;w=%d`, rateCalls, int(rateWindow.Seconds())))
}

func (s *Sandbox) verifyUserToken(c *call) answer {
	if c.token.ofAccount() {
		return failed(refuse(http.StatusUnauthorized, 1000, "Invalid API Token"))
	}
	return verified(c)
}

func (s *Sandbox) verifyAccountToken(c *call) answer {
	switch {
	case !identifier.MatchString(c.PathValue("account")):
		return s.noRoute(c)
	case !c.token.ofAccount() || c.PathValue("account") != s.account:
		return failed(refuse(http.StatusUnauthorized, 1000, "Invalid API Token"))
	}
	return verified(c)
}

func verified(c *call) answer {
	status := c.token.status(c.now)
	result := map[string]any{"id": c.token.id(), "status": status}
	if !c.token.expires.IsZero() {
		result["expires_on"] = c.token.expires.UTC().Format(time.RFC3339)
	}
	words := "This API Token is valid and active"
	if status != "active" {
		words = "This API Token is " + status
	}
	return answer{result: result, messages: []message{{Code: 10000, Message: words}}}
}
