package main

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
)

// pushQuery is what a push asks for.
type pushQuery struct {
	names     []pushName // in the order in which they were asked for
	every     bool       // none was asked for, so that all are meant
	addresses []netip.Addr
	ignored   []string // words that are no address
}

// pushName is one name of a push, and the targets of it that are kept.
type pushName struct {
	shown   string
	refusal string // the word that answers it; "" if it is kept
	targets []ddns.Target
}

// Limits of one push. A router that has more to say is none.
const (
	pushNames     = 255
	pushAddresses = 8
	pushWord      = 80 // of a word that is logged, in bytes
)

// parsePush reads the query of a push. A parameter that cannot be read is as
// good as left out: routers fill in patterns without a thought for escaping.
func parsePush(raw string, kept []ddns.Target) pushQuery {
	values, _ := url.ParseQuery(raw)
	q := pushQuery{}
	for _, word := range words(values, "hostname") {
		if len(q.names) < pushNames {
			q.names = append(q.names, nameOf(word, kept))
		}
	}
	if q.every = len(q.names) == 0; q.every {
		q.names = []pushName{{shown: "all names", targets: kept}}
		if len(kept) == 0 {
			q.names[0].refusal = pushNoHost
		}
	}
	for _, word := range words(values, "myip", "myipv4", "myipv6") {
		a, err := netip.ParseAddr(word)
		switch {
		case err != nil || a.Zone() != "" || len(q.addresses) == pushAddresses:
			q.ignored = append(q.ignored, word)
		case !slices.Contains(q.addresses, a.Unmap()):
			q.addresses = append(q.addresses, a.Unmap())
		}
	}
	q.ignored = q.ignored[:min(len(q.ignored), pushAddresses)]
	return q
}

// words are the values of some parameters, of which each may hold several with
// commas between them. Empty ones are none: a router without IPv6 leaves them so.
func words(values url.Values, keys ...string) (all []string) {
	for _, key := range keys {
		for _, value := range values[key] {
			for word := range strings.SplitSeq(value, ",") {
				if word = strings.TrimSpace(word); word != "" {
					all = append(all, word)
				}
			}
		}
	}
	return all
}

// nameOf finds the targets of a name.
func nameOf(shown string, kept []ddns.Target) pushName {
	n := pushName{shown: shown}
	name, err := configs.Name(shown)
	if err != nil {
		n.refusal = pushNotFQDN
		return n
	}
	for _, t := range kept {
		if t.Name == name {
			n.targets = append(n.targets, t)
		}
	}
	if len(n.targets) == 0 {
		n.refusal = pushNoHost
	}
	return n
}

// known reports whether one of the names is kept.
func (q pushQuery) known() bool {
	return slices.ContainsFunc(q.names, func(n pushName) bool { return n.refusal == "" })
}

// asked are the names as they were written.
func (q pushQuery) asked() string {
	var shown []string
	for _, n := range q.names {
		shown = append(shown, n.shown)
	}
	return strings.Join(shown, ", ")
}

// shortened is a word of a stranger, as it is logged.
func shortened(word string) string { return word[:min(len(word), pushWord)] }

// lines are the answers: for each name its refusal, or what answer says of it.
func (q pushQuery) lines(answer func([]ddns.Target) string) (lines []string) {
	for _, n := range q.names {
		line := n.refusal
		if line == "" {
			line = answer(n.targets)
		}
		lines = append(lines, line)
	}
	return lines
}

// says is what the router says, in a person's words.
func (q pushQuery) says() string {
	if len(q.addresses) == 0 {
		return "something changed"
	}
	var shown []string
	for _, a := range q.addresses {
		shown = append(shown, a.String())
	}
	return strings.Join(shown, ", ")
}

// hint is what the push is worth. An address at which no home can be is not
// handed on: a router behind another one may know no better.
func (q pushQuery) hint(user string) ddns.Hint {
	h := ddns.Hint{Trigger: ddns.ByEvent, From: "the router, pushing as " + user, Says: q.says()}
	for _, a := range q.addresses {
		if ddns.Sane(a, ddns.IPv4) == nil {
			h.Address, h.Witness = a, true
			break
		}
	}
	return h
}

// fromPage reports whether a browser says that a page made it ask: a page of
// somebody else must not push. What a person types into the browser may.
func fromPage(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return r.Header.Get("Origin") != "" || site != "" && site != "none"
}

// strangeHost reports whether a request calls us by a name that anybody may
// point at this machine (DNS rebinding). Names that no public DNS has are not
// strange, nor are those that we keep; routers use addresses, or nothing.
// RFC 6762 (.local), RFC 8375 (.home.arpa), RFC 6761 (.localhost). Routers name
// homes .home and .localdomain as well, which were never delegated, and
// fritz.box belongs to the maker of those that answer it.
func strangeHost(host string, kept []ddns.Target) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || !strings.Contains(host, ".") {
		return false
	}
	for _, private := range []string{".local", ".lan", ".home.arpa", ".internal", ".localhost", ".home", ".localdomain", ".fritz.box"} {
		if strings.HasSuffix(host, private) {
			return false
		}
	}
	return !slices.ContainsFunc(kept, func(t ddns.Target) bool { return t.Name == host })
}
