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
	switch on {
	case "api", effectZones, effectList, effectVerify, effectUsage, effectSettings, effectAccounts, effectUser, effectIPs:
		return []string{"500", "429", "hang", "drop", "html", "huge"}
	case effectCreate, effectEdit, effectDelete, effectBatch:
		return []string{"500", "429", "hang", "drop", "html", "huge", "done-but-500", "done-but-drop"}
	case "dns":
		return []string{"500", "hang", "drop", "lie", "refused"}
	case "edge":
		return []string{"500", "hang", "drop", "challenge"}
	case "origin":
		return []string{"500", "hang", "drop", "refuse"}
	case "duckdns":
		return []string{"500", "429", "hang", "drop", "html", "lie", "huge"}
	}
	name, ok := strings.CutPrefix(on, "echo:")
	name = strings.TrimSuffix(name, "-tcp")
	if !ok || !slices.ContainsFunc(echoTable(), func(e echo) bool { return e.name == name }) {
		return nil
	}
	return []string{"500", "429", "hang", "drop", "html", "lie", "huge", "portal", "challenge", "redirect",
		"twice", "private", "wrong-family"}
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

// badGateway is what Cloudflare's own edge answers when the API is not there.
const badGateway = `<html>
<head><title>502 Bad Gateway</title></head>
<body>
<center><h1>502 Bad Gateway</h1></center>
<hr><center>cloudflare</center>
</body>
</html>
`
