package doctor

import (
	"fmt"

	"github.com/cfddns/cfddns/ddns"
)

// origin judges the server at home. Cloudflare's word on it counts only if the
// record is known to lead there; our own look at it may fail for reasons of the
// home's network, and then proves nothing.
func (x exam) origin() Finding {
	if f, ok := gravest(x.tunnel, x.ownAnswer, x.byTheEdge, x.publicOrigin); ok {
		return f
	}
	switch {
	case x.AtHome.Known && x.AtHome.Value.Answered():
		return cleared("it answers %d at %s%s", x.AtHome.Value.Status, x.AtHome.Value.At, x.certificateNote())
	case x.AtRecord.Known && x.AtRecord.Value.Answered():
		return cleared("it answers %d at %s", x.AtRecord.Value.Status, x.AtRecord.Value.At)
	case x.looks.well():
		return cleared("the edge gets its pages%s", x.hereText())
	case x.AtHome.Known:
		return Finding{State: CannotTell, Evidence: fmt.Sprintf("%s at %s: %s, which from inside a home proves nothing%s", x.AtHome.Value.Trouble, x.AtHome.Value.At, x.AtHome.Value.Why, x.hereText())}
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
	own := func(a answer) bool { return a.kind == forbidden || a.kind == failed }
	for _, d := range []Fact[Direct]{x.AtHome, x.AtRecord} {
		if !d.Known || !d.Value.Genuine() && x.port() == "443" || d.Value.Status < 400 || x.looks.of(forbidden, d.Value.Status)+x.looks.of(failed, d.Value.Status) == 0 {
			continue
		}
		return guilty(seen, fmt.Sprintf("the server at home itself answers %d; Cloudflare only passes it on", d.Value.Status),
			fmt.Sprintf("look into the log of the web server at %s", d.Value.At.Addr()), "%s through Cloudflare, and %d when asked directly at %s", x.looks.some(own), d.Value.Status, d.Value.At), true
	}
	if x.looks.of(failed) > 0 {
		return suspicious("ask the server in the home's own network; if it answers the same, its log says why", "%s, without a mark that Cloudflare made it", x.looks.some(own)), true
	}
	if x.looks.of(forbidden) > 0 {
		return suspicious("ask the server in the home's own network: the same 403 is its own", "%s, without a mark that Cloudflare made it", x.looks.some(own)), true
	}
	return Finding{}, false
}

// byTheEdge: the record is right, and Cloudflare gets there and not what it needs.
func (x exam) byTheEdge() (Finding, bool) {
	where := "the server at home"
	switch right := x.right(); {
	case x.looks.has(525, 526) && right:
		return guilty(seen, "Cloudflare does not accept the certificate of "+where+x.certificateText(),
			"renew the certificate (a free one of Cloudflare's: dash.cloudflare.com > "+x.zoneName()+" > SSL/TLS > Origin Server), or SSL/TLS > Overview: Full instead of Full (strict)", "%s%s", x.looks.text(), x.certificateNote()), true
	case x.looks.has(524) && right:
		return guilty(seen, where+" takes the connection and does not answer within 100 seconds", "look into the log of the web server, and at what it waits for", "%s", x.looks.text()), true
	case x.looks.has(520) && right:
		return guilty(seen, where+" answers something that is no HTTP, or cuts the connection", "look into the log of the web server: it crashed, or answers with headers that are too large", "%s", x.looks.text()), true
	case x.looks.has(521) && right && x.holdsAddress() && x.AtHome.Known && x.AtHome.Value.Trouble == Refused:
		return guilty(seen, "nothing listens where visitors come in: the web server is down", "systemctl status nginx (or apache2, caddy), and start it", "%s, and a direct connection to %s is refused too", x.looks.text(), x.AtHome.Value.At), true
	case x.looks.unreached()+x.looks.of(byEdge, 520, 524, 525, 526) > 0 && !x.astray():
		return suspicious("on the machine of the web server: ss -ltn 'sport = :443' shows whether it listens", "%s%s", x.looks.text(), x.directText()), true
	}
	return Finding{}, false
}

// holdsAddress reports whether this machine itself holds the home's address, so
// that no router stands between.
func (x exam) holdsAddress() bool {
	if !x.WAN.Known || x.WAN.Value.NAT != ddns.NATSingle {
		return false
	}
	for _, f := range x.WAN.Value.Findings {
		if f.Held && x.IPv4.Known && f.Address == x.IPv4.Value {
			return true
		}
	}
	return false
}

// publicOrigin: visitors of a name without proxy meet the origin itself.
func (x exam) publicOrigin() (Finding, bool) {
	d := x.AtRecord.Value
	switch {
	case !x.isPublic() || !x.AtRecord.Known:
		return Finding{}, false
	case d.Status >= 500 && d.Genuine():
		return guilty(failing, fmt.Sprintf("the server itself answers %d", d.Status), fmt.Sprintf("look into the log of the web server at %s", d.At.Addr()), "%d at %s", d.Status, d.At), true
	case d.Certificate == Expired && d.Named:
		return guilty(failing, "visitors are shown a warning: the server's certificate has expired", "renew the certificate of "+x.Host, "%s at %s", d.Certificate, d.At), true
	case d.Certificate != Good:
		return suspicious("open https://"+x.Host+"/ from outside (a phone without Wi-Fi): is there a warning?", "the certificate at %s is %s, unless that is the router's own page", d.At, d.Certificate), true
	case d.Trouble == Refused:
		return suspicious("on the machine of the web server: ss -ltn 'sport = :443' shows whether it listens", "a connection to %s is refused%s", d.At, x.hereText()), true
	case d.Trouble == BadTLS:
		return suspicious("on the machine of the web server: look into its log", "no TLS with %s: %s", d.At, d.Why), true
	}
	return Finding{}, false
}

// directText is what the origin answered us.
func (x exam) directText() string {
	if !x.AtHome.Known {
		return ""
	}
	d := x.AtHome.Value
	if d.Answered() {
		return fmt.Sprintf("; asked directly at %s it answers %d", d.At, d.Status)
	}
	return fmt.Sprintf("; asked directly at %s: %s%s", d.At, d.Trouble, x.hereText())
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

func (x exam) certificateText() string {
	if !x.AtHome.Known || x.AtHome.Value.Certificate == Good {
		return ""
	}
	return ": it is " + string(x.AtHome.Value.Certificate)
}

// certificateNote says what is odd about the certificate and does not hurt yet.
func (x exam) certificateNote() string {
	if x.certificateText() == "" {
		return ""
	}
	return fmt.Sprintf("; its certificate is %s, which is fine for SSL/TLS mode Full and not for Full (strict)", x.AtHome.Value.Certificate)
}
