package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// Night is who it was, after the fact: what Cloudflare remembers of the time
// that was asked for, explained by what this installation remembers of it.
type Night struct {
	Sentence string  `json:"sentence"`
	Suspect  Suspect `json:"suspect"` // of the longest trouble; empty if it cannot be told
}

// A stretch of trouble is one in which visitors failed in the same way.
type stretch struct {
	Span

	who Suspect
	why string
}

// night explains the stretches of trouble in the order in which they began.
func (x exam) night() *Night {
	switch {
	case x.Since.IsZero():
		return nil
	case !x.Minutes.Known:
		return &Night{Sentence: "it cannot be told who it was: " + x.Minutes.Why}
	case len(x.Minutes.Value) == 0:
		return &Night{Sentence: "Cloudflare remembers no request for " + x.Host + " since " + x.clockTime(x.Since)}
	}
	all := x.trouble()
	if len(all) == 0 {
		return &Night{Sentence: "no visitor failed since " + x.clockTime(x.Since) + ", as far as Cloudflare remembers"}
	}
	longest, words := all[0], []string{}
	for _, s := range all {
		if s.length() > longest.length() {
			longest = s
		}
		from, to := s.From.In(x.At.Location()), s.To.In(x.At.Location())
		words = append(words, fmt.Sprintf("from %s to %s (%d) %s", from.Format("15:04"), to.Format("15:04 MST"), s.Status, s.why))
	}
	return &Night{Sentence: strings.Join(words, "; then "), Suspect: longest.who}
}

func (s Span) length() time.Duration { return s.To.Sub(s.From) }

func (s Span) holds(at time.Time) bool { return !at.Before(s.From) && at.Before(s.To) }

// mostStretches bounds how many are told: the longest.
const mostStretches = 4

// trouble are the stretches that visitors will remember: errors, and refusals
// that were at least half of what was answered. A scanner's 403 among a
// thousand pages is none.
func (x exam) trouble() (all []stretch) {
	kinds := slices.Clone(x.Minutes.Value)
	for i := range kinds {
		kinds[i].Status = alike(kinds[i].Status)
	}
	for _, s := range spans(kinds) {
		whole := 0
		for _, m := range x.Minutes.Value {
			if s.holds(m.At) {
				whole += m.Requests
			}
		}
		refusal := s.Status == 403 || s.Status == 429
		if s.Status >= 500 && s.Requests*5 >= whole || refusal && s.Requests*2 >= whole {
			who, why := x.explain(s)
			all = append(all, stretch{s, who, why})
		}
	}
	slices.SortStableFunc(all, func(a, b stretch) int { return int(b.length() - a.length()) })
	all = all[:min(mostStretches, len(all))]
	slices.SortStableFunc(all, func(a, b stretch) int { return a.From.Compare(b.From) })
	return all
}

// alike is one status for those that have the same cause.
func alike(status int) int {
	if status == 523 {
		return 522
	}
	return status
}

// explain says who one stretch of trouble is due to.
func (x exam) explain(s Span) (who Suspect, why string) {
	switch {
	case s.Status == 530:
		return x.explainName(s)
	case s.Status == 521 || s.Status == 522:
		return x.explainWay(s)
	case s.Status == 520 || s.Status >= 524 && s.Status <= 526:
		return Origin, "it was the server at home: " + Meaning(s.Status)
	case s.Status == 403 || s.Status == 429:
		return x.explainDefence(s)
	default:
		return "", Meaning(s.Status) + "; it cannot be told whether Cloudflare or the server made that error"
	}
}

// explainName: Cloudflare did not find out where the home is.
func (x exam) explainName(s Span) (Suspect, string) {
	past, hop := x.Past.Value, x.Hop.Value
	for _, h := range past.Hops {
		if x.Past.Known && h.From.Before(s.To) && s.From.Before(h.To) {
			return DDNSHost, "it was the dynamic DNS host: " + h.Host + " did not answer (this machine's journal)"
		}
	}
	for _, r := range past.Replaced {
		service, ok := ddns.DDNSService(r.Target)
		if x.Past.Known && ok && r.Name == x.Host && r.At.After(s.From) {
			return DDNSHost, fmt.Sprintf("it was %s: the name led to %s until %s, which Cloudflare could not resolve", service, r.Target, x.clockTime(r.At))
		}
	}
	switch {
	case x.Hop.Known && hop.Service != "":
		return DDNSHost, fmt.Sprintf("it was %s: the name leads to %s, which Cloudflare could not resolve", hop.Service, hop.Host)
	case x.Hop.Known && strings.HasSuffix(hop.Host, ".cfargotunnel.com"):
		return Origin, "it was the tunnel: its cloudflared was not connected"
	}
	return "", Meaning(s.Status) + "; it cannot be told who it was"
}

// explainWay: Cloudflare knew where the home is, or was, and did not get in.
func (x exam) explainWay(s Span) (Suspect, string) {
	for _, m := range x.Past.Value.Moves {
		if x.Past.Known && m.From.Before(s.To) && s.From.Before(m.To) {
			return Record, fmt.Sprintf("it was the record: the home's address changed, and cfddns published the new one at %s", x.clockTime(m.To))
		}
	}
	for _, o := range x.Past.Value.Offline {
		if x.Past.Known && o.From.Before(s.To) && s.From.Before(o.To) {
			return Router, "it was this home's own line: no source of addresses answered either (this machine's journal)"
		}
	}
	before, after := x.servedAround(s)
	if s.Status == 521 && before && after && x.right() {
		return Origin, "it was the server at home: it refused connections, and pages were served before and after"
	}
	return "", Meaning(s.Status) + "; it cannot be told whether that was the server, the router or the line"
}

// servedAround reports whether pages were served in the hour before a stretch,
// and in the hour after it.
func (x exam) servedAround(s Span) (before, after bool) {
	for _, m := range x.Minutes.Value {
		if m.Status < 400 {
			before = before || m.At.Before(s.From) && s.From.Sub(m.At) < time.Hour
			after = after || !m.At.Before(s.To) && m.At.Sub(s.To) < time.Hour
		}
	}
	return before, after
}

// explainDefence: Cloudflare's security, by what it wrote down itself.
func (x exam) explainDefence(s Span) (Suspect, string) {
	var events []ddns.SecurityEvent
	for _, e := range x.Events.Value {
		if x.Events.Known && s.holds(e.At) && (e.Host == "" || e.Host == x.Host) && slices.Contains(mitigated, e.Action) {
			events = append(events, e)
		}
	}
	source := mostFrequent(events)
	switch {
	case source == "":
		return "", Meaning(s.Status) + "; the events do not say who it was"
	case selfInflicted(source):
		return Client, fmt.Sprintf("it was %s, which asked too often: %s turned it away", busiest(events), product(source))
	default:
		return Security, fmt.Sprintf("it was Cloudflare's security: %s turned %s away", product(source), busiest(events))
	}
}

// busiest is the client of most events.
func busiest(events []ddns.SecurityEvent) (client netip.Addr) {
	counts := map[netip.Addr]int{}
	for _, e := range events {
		counts[e.Client]++
	}
	for c, n := range counts {
		if n > counts[client] || n == counts[client] && c.Less(client) {
			client = c
		}
	}
	return client
}

// Meaning is what a status of the past means, in words.
func Meaning(status int) string {
	switch {
	case status == 530:
		return "Cloudflare could not resolve where the name led, or had no tunnel"
	case status == 403:
		return "visitors were challenged or turned away"
	case status == 521 || status == 522 || status == 523:
		return "Cloudflare did not get through to the server"
	case status == 520:
		return "Cloudflare did not understand what the server answered"
	case status == 524:
		return "the server did not answer in time"
	case status == 525 || status == 526:
		return "Cloudflare did not accept the server's certificate"
	case status == 429:
		return "somebody asked too often"
	case status >= 500:
		return "the answer was an error"
	default:
		return ""
	}
}
