package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cfddns/cfddns/ddns"
)

// router judges what stands between the provider's line and the server: the
// provider's own translation, the router's forwarding, a firewall.
func (x exam) router() Finding {
	silentSide := x.looks.unreached() > 0
	carrier := x.WAN.Known && (x.WAN.Value.NAT == ddns.NATCarrier || x.WAN.Value.NAT == ddns.NATDSLite)
	switch {
	case carrier && x.leadsToIPv4() && (silentSide || x.isPublic()):
		w := failing
		if silentSide {
			w = seen
		}
		return guilty(w, "the provider shares one IPv4 address among many homes (CGNAT): visitors cannot come in over IPv4",
			"ask the provider for a public IPv4 address, or serve the name over IPv6 (types: [AAAA]) or a tunnel", "%s", x.WAN.Value.Why)
	case silentSide && x.right() && x.AtHome.Known && x.AtHome.Value.Genuine():
		return guilty(seen, "the server answers this machine and not Cloudflare: a firewall or the router keeps Cloudflare out",
			"let the addresses of https://www.cloudflare.com/ips/ in on port "+x.port()+", in the firewall and in the router's forwarding", "%s, and %d when asked directly at %s", x.looks.text(), x.AtHome.Value.Status, x.AtHome.Value.At)
	case silentSide && x.right() && x.Here.Known && x.Here.Value.Genuine():
		return guilty(seen, "the server runs on this machine, and what comes in from outside does not reach it",
			"in the router forward TCP port "+x.port()+" to this machine, and let it through the firewall here", "%s, and this machine answers %d with the certificate of %s", x.looks.text(), x.Here.Value.Status, x.Host)
	case carrier:
		return suspicious("", "%s; visitors come in some other way", x.WAN.Value.Why)
	case silentSide && x.astray():
		return Finding{State: CannotTell, Evidence: "not examined: visitors are led elsewhere" + x.wanText()}
	case silentSide:
		return suspicious("from outside (a phone without Wi-Fi): does https://"+x.homeText()+"/ connect? If not, forward TCP port "+x.port()+" in the router; if it does, let https://www.cloudflare.com/ips/ in", "%s%s", x.looks.text(), x.wanText())
	case !x.WAN.Known:
		return notExamined(x.WAN)
	case x.WAN.Value.NAT == ddns.NATDouble || x.WAN.Value.NAT == ddns.NATElsewhere:
		return suspicious("", "%s", x.WAN.Value.Why)
	case x.WAN.Value.NAT == ddns.NATUnknown:
		return Finding{State: CannotTell, Evidence: cmp.Or(strings.TrimPrefix(x.wanText(), "; "), "no router answered")}
	default:
		return cleared("%s", x.WAN.Value.Why)
	}
}

// leadsToIPv4 reports whether the records are known to lead to the home's IPv4 address.
func (x exam) leadsToIPv4() bool {
	if !x.Records.Known {
		return false
	}
	if x.rightIn(ddns.IPv4) {
		return true
	}
	for _, r := range x.pointing() {
		if r.Type == "CNAME" {
			return x.hopIsHere()
		}
	}
	return false
}

func (x exam) homeText() string {
	if x.IPv4.Known {
		return x.IPv4.Value.String()
	}
	return x.Host
}

// wanText is what a router said, if any did.
func (x exam) wanText() string {
	silent := !slices.ContainsFunc(x.WAN.Value.Findings, func(f ddns.WANFinding) bool {
		return f.Err == nil && (!f.Hop || ddns.TranslatedByProvider(f.Address))
	})
	if !x.WAN.Known || x.WAN.Value.Why == "" || silent {
		return ""
	}
	return "; " + x.WAN.Value.Why
}

// port is the port of the page.
func (x exam) port() string {
	if strings.HasPrefix(x.URL, "http://") {
		return "80"
	}
	return fmt.Sprint(443)
}
