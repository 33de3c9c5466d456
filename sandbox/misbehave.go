package sandbox

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// faultsOn lists the ways in which a thing can misbehave; nil means that there
// is no such thing.
func faultsOn(on string) []string {
	usual := []string{"500", "429", "hang", "drop", "html", "done-but-500", "lie", "portal", "huge"}
	switch on {
	case "api", effectZones, effectList, effectVerify, effectUsage, effectSettings, effectRules, effectEvents, effectAccounts, effectUser, effectIPs,
		effectCreate, effectEdit, effectDelete, effectBatch:
		return append(usual, "done-but-drop")
	case "dns":
		return append(usual, "refused")
	case "edge":
		return append(usual, "challenge", "redirect", "error")
	case "origin":
		return append(usual, "refuse", "unreachable", "bad-cert", "expired-cert", "no-tls", "403", "404", "slow", "garbage")
	case "duckdns":
		return append(usual, "refused", "stale")
	case "status":
		return usual
	}
	if at, ok := strings.CutPrefix(on, "resolver:"); ok && slices.Contains(resolverNames(), at) {
		return append(usual, "refused", "servfail")
	}
	name, ok := strings.CutPrefix(on, "echo:")
	name = strings.TrimSuffix(name, "-tcp")
	if !ok || !slices.ContainsFunc(echoTable(), func(e echo) bool { return e.name == name }) {
		return nil
	}
	return append(usual, "challenge", "redirect", "twice", "private", "wrong-family")
}

// misbehave answers a call of the API wrongly, in the way that was asked for.
// do is what would have been right; it is done where the fault says so.
func (s *Sandbox) misbehave(w http.ResponseWriter, r *http.Request, f Fault, do func() answer) {
	switch f.Do {
	case "429":
		wait := 30
		if n, err := strconv.Atoi(f.Value); err == nil && n >= 0 {
			wait = n
		}
		room := limit{reset: time.Duration(wait) * time.Second, over: true}
		room.writeTo(w.Header())
		write(w, answer{refusal: errTooMany(), after: room.wait()})
	case "hang":
		s.hold(r.Context())
	case "drop":
		hangUp(w)
	case "html":
		say(w, http.StatusBadGateway, "text/html; charset=UTF-8", badGateway)
	case "portal", "lie":
		say(w, http.StatusOK, "text/html; charset=utf-8", loginPage)
	case "huge":
		pour(w)
	case "done-but-drop":
		do()
		hangUp(w)
	case "done-but-500":
		do()
		write(w, apiBroken())
	default:
		write(w, apiBroken())
	}
}

func apiBroken() answer {
	return answer{refusal: refuse(http.StatusInternalServerError, 10001, "Internal server error.")}
}

// loginPage is what a network shows to whoever has not logged in to it.
const loginPage = "<html><head><title>Welcome</title></head><body><form>Log in to use the internet. Your address is 45.67.89.98.</form></body></html>\n"

// badGateway is what Cloudflare's own edge answers when the API is not there.
const badGateway = `<html>
<head><title>502 Bad Gateway</title></head>
<body>
<center><h1>502 Bad Gateway</h1></center>
<hr><center>cloudflare</center>
</body>
</html>
`
