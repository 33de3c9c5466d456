package doctor

import (
	"fmt"
	"slices"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// origin judges the server at home. Cloudflare's word on it counts only if the
// record is known to lead there; our own look at it may fail for reasons of the
// home's network, and then proves nothing.
func (x exam) origin() Finding {
	if f, ok := gravest(x.tunnel, x.ownAnswer, x.signs, x.byTheEdge, x.publicOrigin); ok {
		return f
	}
	for _, d := range []Fact[Direct]{x.AtHome, x.AtRecord} {
		if d.Known && d.Value.Genuine() {
			return cleared("it answers %d at %s%s", d.Value.Status, d.Value.At, d.Value.certificateNote())
		}
	}
	switch {
	case x.looks.well():
		return cleared("the edge gets its pages%s", x.hereText())
	case x.AtHome.Known:
		return Finding{State: CannotTell, Evidence: x.AtHome.Value.text() + ", which from inside a home proves nothing" + x.hereText()}
	default:
		return notExamined(x.AtHome)
	}
}

// tunnel: the edge has nobody to hand the request to.
func (x exam) tunnel() (Finding, bool) {
	if !x.looks.has(1033) {
		return Finding{}, false
	}
	return guilty(seen, "the name is served by a Cloudflare Tunnel, and its cloudflared is not connected",
		"on the machine of the tunnel: systemctl restart cloudflared; dash.cloudflare.com > Zero Trust > Networks > Connectors shows its state", "%s", x.looks.text()), true
}

// ownAnswer: the origin says the same when it is asked without Cloudflare.
func (x exam) ownAnswer() (Finding, bool) {
	if x.looks.of(loop) > 0 {
		return guilty(seen, fmt.Sprintf("the page redirects to itself: Cloudflare asks the origin over plain HTTP, and the origin sends visitors to %s", x.URL),
			"dash.cloudflare.com > "+x.zoneName()+" > SSL/TLS > Overview: Full (strict), or Full with a certificate of your own", "%s", x.looks.text()), true
	}
	for _, d := range []Fact[Direct]{x.AtHome, x.AtRecord} {
		if !d.Known || !d.Value.Genuine() && x.port() == "443" || d.Value.Status < 400 || x.looks.of(forbidden, d.Value.Status)+x.looks.of(failed, d.Value.Status) == 0 {
			continue
		}
		return guilty(seen, fmt.Sprintf("the server at home itself answers %d; Cloudflare only passes it on", d.Value.Status),
			fmt.Sprintf("look into the log of the web server at %s", d.Value.At.Addr()), "%s through Cloudflare, and %d when asked directly at %s", x.looks.some(unsigned), d.Value.Status, d.Value.At), true
	}
	return Finding{}, false
}

func unsigned(a answer) bool { return a.kind == forbidden || a.kind == failed }

// signs: Cloudflare marks the errors that it makes itself, in a header or in
// the document; 500, 501 and 503 without a mark were passed on. A 403, and the
// 502 and 504 of old pages, may lack it all the same.
// https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/
func (x exam) signs() (Finding, bool) {
	switch {
	case x.looks.of(failed, 500, 501, 503) > 0:
		return guilty(seen, "the server behind Cloudflare itself answers with an error, which Cloudflare only passes on",
			"look into the log of the web server, and of what runs behind it", "%s, without the mark that Cloudflare's own errors bear", x.looks.some(unsigned)), true
	case x.looks.of(failed)+x.looks.of(forbidden) > 0:
		return suspicious("ask the server in the home's own network; if it answers the same, its log says why", "%s, without a mark that Cloudflare made it", x.looks.some(unsigned)), true
	}
	return Finding{}, false
}

// byTheEdge: the record is right, and Cloudflare gets there and not what it needs.
func (x exam) byTheEdge() (Finding, bool) {
	where := "the server at home"
	mend := "renew its certificate (a free one of Cloudflare's: dash.cloudflare.com > " + x.zoneName() + " > SSL/TLS > Origin Server)"
	switch right := x.right(); {
	case x.looks.has(526) && right:
		return guilty(seen, "Cloudflare does not accept the certificate of "+where+x.certificateText(),
			mend+", or SSL/TLS > Overview: Full instead of Full (strict)", "%s%s", x.looks.text(), x.directText()), true
	case x.looks.has(525) && right:
		return guilty(seen, where+" and Cloudflare cannot agree on TLS: it speaks none on that port, or has no certificate to show",
			"let the web server speak TLS on port "+x.port()+", and "+mend, "%s%s", x.looks.text(), x.directText()), true
	case x.looks.has(524) && right:
		return guilty(seen, where+" takes the connection and does not answer in time (Cloudflare waits two minutes)", "look into the log of the web server, and at what it waits for", "%s", x.looks.text()), true
	case x.looks.has(520) && right:
		return guilty(seen, where+" answers something that is no HTTP, or cuts the connection", "look into the log of the web server: it crashed, or answers with headers that are too large", "%s", x.looks.text()), true
	case x.looks.has(521) && right && x.nothingListens():
		return guilty(seen, "nothing listens where visitors come in: the web server is down", startServer, "%s, and a direct connection to %s is refused too", x.looks.text(), x.AtHome.Value.At), true
	case x.looks.has(521) && right && !x.lastServed().IsZero():
		return guilty(seen, fmt.Sprintf("the web server is down: its machine refuses connections, and pages were served through the same router until %s", x.clockTime(x.lastServed())),
			startServer, "%s%s", x.looks.text(), x.directText()), true
	case x.looks.unreached()+x.looks.of(byEdge, 520, 524, 525, 526) > 0 && !x.astray():
		return suspicious("on the machine of the web server: ss -ltn 'sport = :"+x.port()+"' shows whether it listens; if it does, forward TCP port "+x.port()+" to it in the router",
			"%s%s%s", x.looks.text(), x.directText(), x.servedText()), true
	}
	return Finding{}, false
}

const startServer = "on the machine of the web server: systemctl status nginx (or apache2, caddy), and start it"

// nothingListens reports whether this machine is where visitors arrive, and
// nothing listens there. A machine that passes packets on may hand them to
// another one, which a connection from itself does not show.
func (x exam) nothingListens() bool {
	refused := x.AtHome.Known && x.AtHome.Value.Trouble == Refused
	return refused && x.holdsAddress() && x.Forwards.Known && !x.Forwards.Value
}

// holdsAddress reports whether this machine itself holds the home's address, so
// that no router stands between.
func (x exam) holdsAddress() bool {
	return x.WAN.Known && x.WAN.Value.NAT == ddns.NATSingle && x.IPv4.Known && slices.ContainsFunc(x.WAN.Value.Findings, func(f ddns.WANFinding) bool {
		return f.Backing == ddns.OwnLine && f.Address == x.IPv4.Value
	})
}

// lastServed is when Cloudflare last passed on an answer of the origin, by its
// memory of the last day; zero if it is not known, or nothing was. The minutes of
// this examination do not count: the edge answers /cdn-cgi/trace itself, and we ask.
func (x exam) lastServed() (last time.Time) {
	began := x.At.Truncate(time.Minute)
	for _, m := range x.Minutes.Value {
		if x.Minutes.Known && m.Status < 400 && m.At.Before(began) && m.At.After(last) {
			last = m.At
		}
	}
	return last
}

func (x exam) servedText() string {
	if last := x.lastServed(); !last.IsZero() {
		return "; pages were served until " + x.clockTime(last)
	}
	return ""
}

// publicOrigin: visitors of a name without proxy meet the origin itself. Many
// such names are of no web server at all, so that silence proves nothing.
func (x exam) publicOrigin() (Finding, bool) {
	d := x.AtRecord.Value
	switch {
	case !x.isPublic() || !x.AtRecord.Known:
		return Finding{}, false
	case d.Status >= 500 && d.Genuine():
		return guilty(failing, fmt.Sprintf("the server itself answers %d", d.Status), fmt.Sprintf("look into the log of the web server at %s", d.At.Addr()), "%d at %s", d.Status, d.At), true
	case d.Certificate == Expired && d.Named:
		return guilty(failing, "visitors are shown a warning: the server's certificate has expired", "renew the certificate of "+x.Host, "%s at %s", d.Certificate, d.At), true
	case !d.Answered() && !x.Asked && x.right():
		return cleared("no web server answers at %s (%s), which may be as it should be", d.At, d.Trouble), true
	case d.Certificate != Good:
		return suspicious("open https://"+x.Host+"/ from outside (a phone without Wi-Fi): is there a warning?", "the certificate at %s is %s, unless that is the router's own page", d.At, d.Certificate), true
	case d.Trouble == Refused:
		return suspicious("on the machine of the web server: ss -ltn 'sport = :"+x.port()+"' shows whether it listens", "a connection to %s is refused%s", d.At, x.hereText()), true
	case d.Trouble == BadTLS:
		return suspicious("on the machine of the web server: look into its log", "no TLS with %s: %s", d.At, d.Why), true
	}
	return Finding{}, false
}

// text is what came of a direct question. An answer under another name's
// certificate may be the router's or a proxy's, and is said to be so.
func (d Direct) text() string {
	switch {
	case d.Genuine():
		return fmt.Sprintf("asked directly at %s it answers %d%s", d.At, d.Status, d.certificateNote())
	case d.Answered():
		return fmt.Sprintf("at %s somebody answers with the certificate of another name", d.At)
	default:
		return fmt.Sprintf("asked directly at %s: %s", d.At, d.Trouble)
	}
}

func (x exam) directText() string {
	if !x.AtHome.Known {
		return ""
	}
	return "; " + x.AtHome.Value.text() + x.hereText()
}

// hereText is what listens on this machine, which may be another one than the origin.
func (x exam) hereText() string {
	switch {
	case !x.Here.Known:
		return ""
	case x.Here.Value.Answered():
		return fmt.Sprintf("; this machine answers %d on its port %d", x.Here.Value.Status, x.Here.Value.At.Port())
	default:
		return fmt.Sprintf("; nothing listens on port %d of this machine", x.Here.Value.At.Port())
	}
}

// certificateText says what is wrong with the certificate, if it is the origin's own.
func (x exam) certificateText() string {
	if d := x.AtHome.Value; x.AtHome.Known && d.Genuine() && d.Certificate != Good {
		return ": it is " + string(d.Certificate)
	}
	return ""
}

// certificateNote says what is odd about the certificate and does not hurt yet.
func (d Direct) certificateNote() string {
	if d.Certificate == Good || !d.Genuine() {
		return ""
	}
	return fmt.Sprintf("; its certificate is %s, which is fine for SSL/TLS mode Full and not for Full (strict)", d.Certificate)
}
