package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// cloudflare is guilty when names that have nothing to do with us fail too,
// with pages of Cloudflare's own that blame no record and no origin. What its
// status service reports makes it suspicious: an incident somewhere proves
// nothing about this name.
func (x exam) cloudflare() Finding {
	touching := x.touching()
	waiting := x.looks.of(waits) > 0 && !x.looks.alive
	mend := "nothing to do here but wait: https://www.cloudflarestatus.com/"
	switch {
	case x.strangersFail() && x.looks.has(500, 502, 503, 504):
		return guilty(seen, "Cloudflare itself is in trouble: names that have nothing to do with yours fail as well", mend,
			"%s here, and the same for other sites%s", x.looks.text(), touching)
	case touching != "" && x.looks.has(500, 502, 503, 504):
		return suspicious("see whether other sites behind Cloudflare work, and "+mend, "%s%s", x.looks.text(), touching)
	case touching != "" && !waiting:
		return suspicious("", "its status service reports an incident%s", touching)
	case waiting:
		return suspicious("see whether other sites behind Cloudflare work", "the edge takes questions and does not answer, not for itself either: %s", x.looks.text())
	case x.looks.has(500, 502, 503, 504):
		return suspicious("see whether other sites behind Cloudflare work", "the edge answers with errors of its own: %s", x.looks.text())
	case !x.Incidents.Known && !x.looks.well():
		return notExamined(x.Incidents)
	case !x.Incidents.Known:
		return cleared("it serves this name, %s", x.looks.text())
	default:
		return cleared("its status service reports no incident of DNS or the edge")
	}
}

// touching names the incidents that touch what serves names or pages.
func (x exam) touching() string {
	var words []string
	for _, i := range x.Incidents.Value {
		if x.Incidents.Known && i.Touches {
			words = append(words, fmt.Sprintf(": %q (%s)", i.Name, i.Impact))
		}
	}
	return strings.Join(words, "")
}

// edgeLives reports whether the edge answered for itself, at the name: a page
// of its own, for which it needs no origin.
func (x exam) edgeLives() bool {
	return x.Trace.Known && slices.ContainsFunc(x.Trace.Value, func(l Look) bool { return l.Trouble == "" && l.Answer.Cloudflare })
}

// strangersFail reports whether the edge answers for nobody: of two names or
// more, each with an error of Cloudflare's own.
func (x exam) strangersFail() bool {
	return x.Strangers.Known && len(x.Strangers.Value) >= 2 && !slices.ContainsFunc(x.Strangers.Value, func(l Look) bool {
		a := answerOf("", l)
		return a.kind != byEdge || !slices.Contains([]int{500, 502, 503, 504}, a.code)
	})
}

// edge is the messenger. Its answers convict others; it is never guilty itself.
func (x exam) edge() Finding {
	switch {
	case !x.Looks.Known:
		return notExamined(x.Looks)
	case !x.looks.known:
		return Finding{State: CannotTell, Evidence: "not examined: no address of the edge is known"}
	case x.looks.of(silent) == x.looks.all:
		return suspicious("ask from another line, or see whether a firewall here blocks port 443", "no connection to any of its addresses: %s", firstWhy(x.Looks.Value))
	case x.looks.well():
		return cleared("%s%s", x.looks.text(), x.cachedText())
	default:
		return cleared("it is only the messenger: %s%s%s", x.looks.text(), x.meaning(), x.cachedText())
	}
}

// cachedText says how many pages the edge had itself: they say nothing of the origin.
func (x exam) cachedText() string {
	n, oldest := 0, time.Duration(0)
	for _, l := range x.Looks.Value {
		if c := l.Answer.Cache; c == "HIT" || c == "STALE" || c == "UPDATING" {
			n, oldest = n+1, max(oldest, l.Answer.Age)
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %d came from its cache, up to %s old, and say nothing of the origin", n, oldest)
}

// meaning says what the most telling answer is about.
func (x exam) meaning() string {
	meanings := []struct {
		is   bool
		says string
	}{
		{x.looks.has(1016), "it cannot resolve what the record leads to"},
		{x.looks.has(1000), "the record leads to Cloudflare's own addresses, or back to itself"},
		{x.looks.has(1001), "the name is not, or no longer, served by Cloudflare"},
		{x.looks.has(1014), "the CNAME leads into another account"},
		{x.looks.has(1033), "the tunnel has no connector"},
		{x.looks.has(521), "the origin refuses connections"},
		{x.looks.has(522), "the origin is silent"},
		{x.looks.has(523), "there is no way to the origin"},
		{x.looks.has(524), "the origin takes the connection and does not answer"},
		{x.looks.has(525, 526), "it does not accept the origin's certificate"},
		{x.looks.has(520), "it does not understand the origin"},
		{x.looks.of(challenge) > 0, "it asks for a browser"},
		{x.looks.of(blocked) > 0, "it turns this client away"},
		{x.looks.of(limited) > 0, "it says that this client asks too often"},
		{x.looks.of(waits) > 0 && x.looks.alive, "it waits for the origin"},
	}
	for _, m := range meanings {
		if m.is {
			return " (" + m.says + ")"
		}
	}
	return ""
}

func firstWhy(looks []Look) string {
	for _, l := range looks {
		if l.Why != "" {
			return l.Why
		}
	}
	return "no reason was given"
}
