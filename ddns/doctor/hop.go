package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/cfddns/cfddns/ddns"
)

// ddnsHost judges the dynamic DNS host that the name's CNAME leads to. It is
// convicted by what its own nameservers say, or do not say while others answer;
// and by the edge, which says 1016 when it cannot resolve what a record leads to.
func (x exam) ddnsHost() Finding {
	h := x.Hop.Value
	switch {
	case !x.Hop.Known && x.looks.has(1016):
		f := notExamined(x.Hop)
		f.Decides = "give cfddns a token that may read the records: cfddns check"
		return f
	case !x.Hop.Known:
		return notExamined(x.Hop)
	case h.Host == "":
		return cleared("no CNAME of this name leads to one")
	case h.Service == "":
		return cleared("the CNAME leads to %s, which is no dynamic DNS host that is known", h.Host)
	}
	if f, ok := gravest(func() (Finding, bool) { return x.darkHop(h) }, func() (Finding, bool) { return x.staleHop(h) }); ok {
		return f
	}
	switch {
	case len(h.Servers) == 0:
		return Finding{State: CannotTell, Evidence: "not examined: " + h.Why}
	case countServers(h, noAddress) > 0:
		return suspicious("", "%s: %s", h.Host, serversText(h))
	default:
		return cleared("%s: %s", h.Host, serversText(h))
	}
}

// darkHop: nobody is told where the host is, or not always.
func (x exam) darkHop(h Hop) (Finding, bool) {
	w, sentence := failing, ""
	if x.looks.has(1016) {
		w = seen
	}
	switch dark := countServers(h, noAddress); {
	case allGone(h):
		sentence = fmt.Sprintf("%s no longer exists at %s, and your name leads there", h.Host, h.Service)
	case allDark(h):
		sentence = fmt.Sprintf("%s is dark: %s does not answer, so Cloudflare cannot find your home", h.Service, h.Host)
	case w == failing:
		return Finding{}, false
	case dark > 0:
		sentence = fmt.Sprintf("%s is dark now and then: %d of its %d nameservers do not answer for %s", h.Service, dark, len(h.Servers), h.Host)
	default:
		sentence = fmt.Sprintf("%s comes and goes: Cloudflare could not resolve %s, which your name leads to", h.Service, h.Host)
	}
	return guilty(w, sentence, x.migrate(), "CNAME %s: %s", h.Host, serversText(h)), true
}

// staleHop: the host leads somewhere else than home.
func (x exam) staleHop(h Hop) (Finding, bool) {
	wrong, w := x.elsewhere(h), failing
	switch unreached := x.looks.unreached() > 0; {
	case len(wrong) == 0:
		return Finding{}, false
	case len(x.Kept) > 0 || slices.ContainsFunc(wrong, x.ours):
		if unreached {
			w = seen
		}
		return guilty(w, fmt.Sprintf("%s is stale at %s: it answers %s, and this home is at %s", h.Host, h.Service, join(wrong), join(x.home())),
			x.migrate()+", or mend the client that updates it", "CNAME %s: %s", h.Host, serversText(h)), true
	case unreached:
		return suspicious(fmt.Sprintf("is %s a server of yours elsewhere? If not, %s is stale: %s", join(wrong), h.Host, x.migrate()),
			"%s answers %s, and this home is at %s", h.Host, join(wrong), join(x.home())), true
	}
	return Finding{}, false
}

// migrate is the command that takes the dynamic DNS host out of the way.
func (x exam) migrate() string { return ddns.CommandLine("cfddns", "migrate", "--apply", x.Host) }

func noAddress(s HopServer) bool { return s.Dark || len(s.Addresses) == 0 }

// elsewhere are the addresses that the host answers and the home is not at. As
// long as it is not known where the home is, there are none.
func (x exam) elsewhere(h Hop) (wrong []netip.Addr) {
	for _, s := range h.Servers {
		for _, a := range s.Addresses {
			home := x.IPv4
			if a.Is6() {
				home = x.IPv6
			}
			if home.Known && home.Value != a && !slices.Contains(wrong, a) {
				wrong = append(wrong, a)
			}
		}
	}
	return wrong
}

func countServers(h Hop, is func(HopServer) bool) (n int) {
	for _, s := range h.Servers {
		if is(s) {
			n++
		}
	}
	return n
}

// allDark reports whether no server gives an address.
func allDark(h Hop) bool { return len(h.Servers) > 0 && countServers(h, noAddress) == len(h.Servers) }

// allGone reports whether every server says that there is no such host.
func allGone(h Hop) bool {
	gone := func(s HopServer) bool { return s.NameError }
	return len(h.Servers) > 0 && countServers(h, gone) == len(h.Servers)
}

// serversText says what each of the host's nameservers answers.
func serversText(h Hop) string {
	var words []string
	for _, s := range h.Servers {
		said := join(s.Addresses)
		switch {
		case s.Dark:
			said = "no answer"
		case s.NameError:
			said = "no such name"
		case said == "":
			said = "no address"
		}
		words = append(words, s.Server+" "+said)
	}
	if len(words) == 0 {
		return "not examined: " + h.Why
	}
	return strings.Join(words, ", ")
}
