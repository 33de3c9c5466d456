package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// resolvers judges who still hands out what no longer holds. That an answer
// differs convicts a resolver only if the zone's own is known to be right.
func (x exam) resolvers() Finding {
	var stale, silentOnes, notes []string
	for _, r := range x.Resolvers {
		switch {
		case !r.Said.Known:
			silentOnes = append(silentOnes, r.Name)
		case r.Name == system && r.Said.Value.inside():
			notes = append(notes, fmt.Sprintf("; inside this home it leads to %s", r.Said.Value.text()))
		case x.behind(r.Said.Value):
			stale = append(stale, fmt.Sprintf("%s says %s", r.Name, r.Said.Value.lasting()))
		}
	}
	answered := len(x.Resolvers) - len(silentOnes)
	switch {
	case answered == 0:
		return Finding{State: CannotTell, Evidence: "not examined: no resolver answered"}
	case len(stale) > 0 && x.authorityRight():
		return guilty(failing, fmt.Sprintf("the zone says the right thing, and some visitors are still told the old: %s", stale[0]),
			"wait for it to pass, or ask them to forget: https://one.one.one.one/purge-cache/ and https://dns.google/cache", "%s", strings.Join(stale, "; "))
	case len(stale) > 0:
		return suspicious("", "they differ from the zone's own nameservers: %s", strings.Join(stale, "; "))
	case !x.Authority.Known:
		return Finding{State: CannotTell, Evidence: fmt.Sprintf("%d of %d answer, and there is nothing to compare them with", answered, len(x.Resolvers))}
	case len(silentOnes) > 0:
		return cleared("%d of %d answer as the zone does; no answer from %s%s", answered, len(x.Resolvers), strings.Join(silentOnes, ", "), strings.Join(notes, ""))
	default:
		return cleared("all %d answer as the zone does%s", answered, strings.Join(notes, ""))
	}
}

// inside reports an answer that is meant for this home alone: a private address
// (the usual way round a router that does not lead back in), or none at all
// because a filter blocks the name.
func (a Answer) inside() bool {
	return len(a.Addresses) > 0 && !slices.ContainsFunc(a.Addresses, func(a netip.Addr) bool {
		return !a.IsPrivate() && !a.IsLoopback() && !a.IsUnspecified()
	})
}

// behind reports whether an answer shares no address with the zone's own, in a
// family of which both are known. Of the edge any address will do: which one is
// told depends on who asks.
func (x exam) behind(a Answer) bool {
	own := x.Authority.Value
	return x.Authority.Known && !own.NameError && slices.ContainsFunc(ddns.Families, func(f ddns.Family) bool {
		mine, theirs := own.of(f), a.of(f)
		switch {
		case len(mine) == 0 || slices.Contains(own.Unasked, f) || slices.Contains(a.Unasked, f):
			return false
		case len(theirs) == 0:
			return a.NameError || len(a.Addresses) == 0 && a.TTL > 0
		}
		return !slices.ContainsFunc(theirs, func(address netip.Addr) bool {
			return slices.Contains(mine, address) || ddns.Cloudflares(address) && slices.ContainsFunc(mine, ddns.Cloudflares)
		})
	})
}

// of are the addresses of a family.
func (a Answer) of(f ddns.Family) (all []netip.Addr) {
	for _, address := range a.Addresses {
		if ddns.FamilyOf(address) == f {
			all = append(all, address)
		}
	}
	return all
}

// authorityRight reports whether what the zone's own nameservers say is known
// to be right: this home, or an edge that serves the page.
func (x exam) authorityRight() bool {
	if !x.Authority.Known || !x.Records.Known {
		return false
	}
	said := x.Authority.Value
	return isAt(said.Addresses, x.home()) || x.isProxied() && x.right() && slices.ContainsFunc(said.Addresses, ddns.Cloudflares)
}

// lasting is an answer, and for how long it will be given.
func (a Answer) lasting() string {
	if a.TTL == 0 {
		return a.text()
	}
	return fmt.Sprintf("%s for %s more", a.text(), a.TTL)
}

func (a Answer) text() string {
	switch {
	case a.NameError:
		return "that the name does not exist"
	case len(a.Addresses) == 0:
		return "that there is no address"
	default:
		return join(a.Addresses)
	}
}

// token judges what keeps the names right from now on.
func (x exam) token() Finding {
	t := x.Token.Value
	switch {
	case !x.Token.Known:
		return notExamined(x.Token)
	case t.Refused || t.Status != "" && t.Status != "active":
		state := t.Status
		if t.Refused {
			state = "not accepted"
		}
		return guilty(latent, "Cloudflare does not accept the token: the next change of address cannot be published",
			"make a new one (dash.cloudflare.com > My Profile > API Tokens) and put it into "+t.Source, "it is %s", state)
	case t.Missing != "" && len(x.Kept) > 0:
		return guilty(latent, "the token may not read the records that it should keep right", "add "+t.Missing+" to it (dash.cloudflare.com > My Profile > API Tokens), then: cfddns check", "it lacks %s", t.Missing)
	case t.Missing != "":
		return suspicious("", "it may not read the records of this zone (%s)", t.Missing)
	case !t.Expires.IsZero() && t.Expires.Sub(x.At) < 14*24*time.Hour:
		return suspicious("", "it expires on %s", t.Expires.UTC().Format(time.DateOnly))
	default:
		return cleared("Cloudflare says that it is %s", t.Status)
	}
}

// clockTolerance is how far a clock may be off before certificates, tokens and
// logs begin to mislead.
const clockTolerance = 5 * time.Minute

func (x exam) clock() Finding {
	off := x.ClockAhead.Value
	switch {
	case !x.ClockAhead.Known && x.OutOfTime.Value > 0: // whoever would tell the time is not believed either
		return guilty(seen, fmt.Sprintf("this machine's clock says %s, when nobody's certificate is valid: nothing can be asked over TLS, and nothing be published", x.day()),
			"timedatectl set-ntp true; if date -u says the right day, somebody answers in everybody's place (the login page of a line?)",
			"of the operators that were asked %d have a certificate that is not valid on %s, and nobody has one that is", x.OutOfTime.Value, x.day())
	case !x.ClockAhead.Known:
		return notExamined(x.ClockAhead)
	case off.Abs() > clockTolerance:
		word := "ahead"
		if off < 0 {
			word = "behind"
		}
		return guilty(latent, fmt.Sprintf("this machine's clock is %s %s: certificates and tokens look invalid to it", off.Abs().Round(time.Second), word),
			"timedatectl set-ntp true", "%s %s", off.Abs().Round(time.Second), word)
	default:
		return cleared("within %s of the world's", max(off.Abs().Round(time.Second), time.Second))
	}
}

// day is the day on this machine.
func (x exam) day() string { return x.At.UTC().Format(time.DateOnly) }

// self judges cfddns: does it run, and what does it complain of? What it
// complains of is convicted where it belongs; here it is only shown.
func (x exam) self() Finding {
	d := x.Daemon.Value
	switch {
	case !x.Daemon.Known:
		return notExamined(x.Daemon)
	case !d.Running && d.Instead != "":
		return Finding{State: CannotTell, Evidence: d.Instead}
	case !d.Running && len(x.Kept) > 0:
		return Finding{State: CannotTell, Evidence: "no daemon runs here; a timer or another machine may keep the name (systemctl status cfddns)"}
	case !d.Running:
		return cleared("no daemon runs here, and the name is not configured")
	}
	var words []string
	for _, c := range d.Conditions {
		if c.Severity != ddns.Notice {
			words = append(words, fmt.Sprintf("%s %s: %s", c.Code, c.Name, c.Title))
		}
	}
	switch {
	case len(words) > 0:
		return suspicious("", "the daemon says: %s", strings.Join(words, "; "))
	case d.LastRound.IsZero():
		return cleared("the daemon runs, and has not ended a round yet")
	default:
		return cleared("the daemon runs; its last round was %s ago", x.At.Sub(d.LastRound).Round(time.Second))
	}
}
