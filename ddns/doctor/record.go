package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/cfddns/cfddns/ddns"
)

// record judges the way from the registrar to the record, in the order in
// which a resolver takes it.
func (x exam) record() Finding {
	f, ok := gravest(x.registrar, x.zoneState, x.delegatedAway, x.foreignCNAME, x.unusable, x.missing, x.drifted, x.driftedUnread, x.strayAAAA, x.danglingCNAME, x.unexplained)
	if ok {
		return f
	}
	switch {
	case !x.Records.Known:
		return notExamined(x.Records)
	case x.right():
		return cleared("it leads to this home, %s", x.leads())
	default:
		return cleared("it stands as written: %s", x.leads())
	}
}

// leads says where the records lead.
func (x exam) leads() string {
	var words []string
	for _, r := range x.pointing() {
		how := ", DNS only"
		if r.Proxied {
			how = ", proxied"
		}
		words = append(words, r.Type+" "+r.Content+how)
	}
	return strings.Join(words, "; ")
}

// registrar: the world asks other nameservers than Cloudflare's. Names that
// are Cloudflare's all the same (nameservers of one's own), or of a second
// provider, give what the zone says, and then nothing is wrong with them.
// https://developers.cloudflare.com/dns/nameservers/update-nameservers/
func (x exam) registrar() (Finding, bool) {
	z, servers := x.Zone.Value, x.Delegation.Value.Servers
	if !x.Zone.Known || !x.Delegation.Known || len(z.NameServers) == 0 || len(servers) == 0 || z.Type == "partial" {
		return Finding{}, false
	}
	if slices.ContainsFunc(servers, func(ns string) bool { return slices.Contains(z.NameServers, ns) }) {
		return Finding{}, false
	}
	named, assigned := strings.Join(servers, ", "), strings.Join(z.NameServers, " and ")
	if x.Delegation.Value.AsZone {
		return suspicious("", "delegated to %s, which say what the zone says; assigned are %s", named, assigned), true
	}
	return guilty(failing, fmt.Sprintf("the world is sent to other nameservers than Cloudflare's: the registrar of %s names %s", z.Name, named),
		fmt.Sprintf("at the registrar of %s set the nameservers %s", z.Name, assigned), "delegated to %s, assigned are %s", named, assigned), true
}

// zoneState: Cloudflare does not serve the zone.
// https://developers.cloudflare.com/dns/zone-setups/reference/domain-status/
func (x exam) zoneState() (Finding, bool) {
	z := x.Zone.Value
	switch {
	case !x.Zone.Known || z.ID == "":
		return Finding{}, false
	case z.Status != "active" && z.Status != "":
		return guilty(failing, fmt.Sprintf("the zone %s is %s: the world does not ask Cloudflare for it", z.Name, z.Status),
			fmt.Sprintf("at the registrar set the nameservers %s, then dash.cloudflare.com > %s > Overview > Check nameservers", strings.Join(z.NameServers, " and "), z.Name),
			"%s is %s", z.Name, z.Status), true
	case z.Paused && (x.looks.has(1001) || slices.ContainsFunc(x.pointing(), func(r ddns.Record) bool { return r.Proxied })):
		w := failing
		if x.looks.has(1001) {
			w = seen
		}
		return guilty(w, fmt.Sprintf("the zone %s is paused: Cloudflare proxies nothing of it, and tells everybody the home's own address", z.Name),
			fmt.Sprintf("dash.cloudflare.com > %s > Overview > Advanced actions > Enable Cloudflare on site", z.Name), "%s is paused, and the record is proxied", z.Name), true
	case z.Paused:
		return suspicious("", "the zone %s is paused: Cloudflare hands out the origin's address and proxies nothing", z.Name), true
	}
	return Finding{}, false
}

// delegatedAway: NS records below the apex send the name elsewhere.
func (x exam) delegatedAway() (Finding, bool) {
	for _, r := range x.Records.Value {
		if !x.Records.Known || r.Type != "NS" || r.Name == x.Zone.Value.Name || !x.Zone.Known || !under(x.Host, r.Name) {
			continue
		}
		return guilty(failing, fmt.Sprintf("%s is delegated away: an NS record sends it to %s, and what the zone says below it is never asked for", r.Name, r.Content),
			fmt.Sprintf("dash.cloudflare.com > %s > DNS > Records: delete the NS records of %s, or change the name there", x.Zone.Value.Name, r.Name),
			"%s NS %s stands above it", r.Name, r.Content), true
	}
	return Finding{}, false
}

// foreignCNAME: the edge itself says that a CNAME crosses accounts.
func (x exam) foreignCNAME() (Finding, bool) {
	if !x.looks.has(1014) {
		return Finding{}, false
	}
	return guilty(seen, "the CNAME leads into somebody else's Cloudflare account, which does not let it in",
		"point the name at an address: "+x.migrate()+", or let the other account add it (SSL for SaaS)",
		"%s", x.looks.text()), true
}

// unusable: an address at which no home can be reached.
func (x exam) unusable() (Finding, bool) {
	var odd Finding
	for _, r := range x.pointing() {
		a := r.Address()
		family, _ := ddns.FamilyOfType(r.Type)
		why := ddns.Sane(a, family)
		if !a.IsValid() || why == nil || slices.Contains(x.home(), a) {
			continue
		}
		evidence := fmt.Sprintf("%s %s: %v", r.Type, r.Content, why)
		if x.kept(r) || x.looks.has(1000, 1001, 1034, 520, 521, 522, 523) {
			return guilty(seen, fmt.Sprintf("the %s record leads to %s, where no visitor can be served", r.Type, r.Content), x.putRight(r), "%s", evidence), true
		}
		odd = suspicious("", "%s", evidence)
	}
	return odd, odd.State != ""
}

// missing: nothing stands at the name.
func (x exam) missing() (Finding, bool) {
	gone := x.Authority.Known && x.Authority.Value.NameError
	nothing := x.Records.Known && x.Zone.Known && x.Zone.Value.ID != "" && len(x.pointing()) == 0
	switch {
	case gone && x.Records.Known && !nothing:
		return guilty(failing, fmt.Sprintf("the record of %s is there, and Cloudflare's nameservers do not serve it", x.Host),
			"wait five minutes; if it stays so, save the record again: dash.cloudflare.com > "+x.zoneName()+" > DNS > Records", "the nameservers say that there is no such name"), true
	case gone || nothing && (len(x.Kept) > 0 || x.looks.has(1001) || x.Authority.Known && len(x.Authority.Value.Addresses) == 0):
		mend := "dash.cloudflare.com > " + x.zoneName() + " > DNS > Records: add it, or add it to the configuration and run: cfddns once"
		if len(x.Kept) > 0 {
			mend = "cfddns once"
		}
		return guilty(failing, fmt.Sprintf("%s does not exist: no record stands at the name", x.Host), mend, "no A, AAAA or CNAME record"), true
	case nothing:
		return suspicious("ask again with the exact name", "no A, AAAA or CNAME record stands at the name"), true
	}
	return Finding{}, false
}

// drifted: an address record that does not hold the home's address. It is
// convicted only if it is known that it should.
func (x exam) drifted() (Finding, bool) {
	var odd *ddns.Record
	for _, r := range x.pointing() {
		family, ok := ddns.FamilyOfType(r.Type)
		home := x.homeOf(family)
		if !ok || !home.Known || r.Address() == home.Value {
			continue
		}
		if f, ok := x.stale(r, home.Value); ok {
			return f, true
		}
		odd = &r
	}
	if odd != nil && (x.looks.unreached() > 0 || x.isPublic() && !x.AtRecord.Value.Answered()) {
		return suspicious(fmt.Sprintf("is %s a server of yours elsewhere? If not, the record is stale: add the name to the configuration and run: cfddns once", odd.Content),
			"%s %s, and this home is at %s", odd.Type, odd.Content, join(x.home())), true
	}
	return Finding{}, false
}

// stale convicts a record that is known to be meant for this home.
func (x exam) stale(r ddns.Record, home netip.Addr) (Finding, bool) {
	alone := !slices.ContainsFunc(x.pointing(), func(o ddns.Record) bool { return o.Type == r.Type && o.Address() == home })
	w := failing
	if x.looks.unreached() > 0 {
		w = seen
	}
	evidence := fmt.Sprintf("%s %s, and this home is at %s%s", r.Type, r.Content, home, x.contested(r))
	which := r.Type + " record"
	if r.Name != x.Host {
		which += " of " + r.Name
	}
	switch {
	case r.Type == "AAAA" && !x.kept(r) && x.looks.has(522, 523) && x.rightIn(ddns.IPv4):
		return guilty(seen, fmt.Sprintf("the AAAA record leads to %s, where nobody answers, and Cloudflare tries it too", r.Content),
			"dash.cloudflare.com > "+x.zoneName()+" > DNS > Records: delete the AAAA record of "+x.Host+", or keep it: types: [A, AAAA]", "%s", evidence), true
	case alone && x.meant(r) || x.ours(r.Address()):
		words := fmt.Sprintf("the %s is stale: it leads to %s, and this home is at %s", which, r.Content, home)
		if !alone {
			words = fmt.Sprintf("a second %s still leads to this home's old address %s: some visitors are sent there", which, r.Content)
		}
		return guilty(w, words, x.putRight(r), "%s", evidence), true
	}
	return Finding{}, false
}

// driftedUnread: without the records, what the nameservers say of a name that
// is not proxied says the same.
func (x exam) driftedUnread() (Finding, bool) {
	said := x.Authority.Value
	if x.Records.Known || !x.isPublic() || said.CNAME != "" {
		return Finding{}, false
	}
	for _, f := range ddns.Families {
		home := x.homeOf(f)
		if len(said.of(f)) != 1 || !home.Known || said.of(f)[0] == home.Value || !slices.Contains(x.Kept, f.RecordType()) {
			continue
		}
		return guilty(failing, fmt.Sprintf("the %s record is stale: it leads to %s, and this home is at %s", f.RecordType(), said.of(f)[0], home.Value),
			"cfddns once (it needs a token: cfddns check)", "the nameservers say %s, and this home is at %s", said.of(f)[0], home.Value), true
	}
	return Finding{}, false
}

// strayAAAA: Cloudflare tries the addresses of both families, and one of them
// is not known to lead here.
func (x exam) strayAAAA() (Finding, bool) {
	if x.looks.of(byEdge, 522, 523) == 0 || x.IPv6.Known || !x.rightIn(ddns.IPv4) {
		return Finding{}, false
	}
	for _, r := range x.pointing() {
		if r.Type == "AAAA" {
			return suspicious(fmt.Sprintf("does %s lead to your server? If not: dash.cloudflare.com > %s > DNS > Records: delete the AAAA record of %s", r.Content, x.zoneName(), r.Name),
				"AAAA %s, and no IPv6 address of this home is known; the A record is right", r.Content), true
		}
	}
	return Finding{}, false
}

// meant reports whether a record is to hold this home's address: it is kept, or
// it is where a name leads that is.
func (x exam) meant(r ddns.Record) bool { return x.kept(r) || slices.Contains(x.Kept, r.Type) }

// rightIn reports whether the address records of a family lead to this home.
func (x exam) rightIn(f ddns.Family) bool {
	home, there := x.homeOf(f), false
	for _, r := range x.pointing() {
		if r.Type == f.RecordType() {
			if !home.Known || r.Address() != home.Value {
				return false
			}
			there = true
		}
	}
	return there
}

// contested says that somebody else keeps moving the record, if so.
func (x exam) contested(r ddns.Record) string {
	for _, c := range x.Past.Value.Contests {
		if x.Past.Known && c.Theirs == r.Content {
			return fmt.Sprintf("; somebody else moved it there, after it was put back %d times", c.PutBack)
		}
	}
	return ""
}

// putRight is the command that makes the record hold the home's address.
func (x exam) putRight(r ddns.Record) string {
	switch {
	case x.contested(r) != "":
		return "find who else writes it: dash.cloudflare.com > Manage account > Audit logs; then: cfddns once"
	case x.kept(r):
		return "cfddns once"
	default:
		return "add " + r.Name + " to records: in the configuration, then: cfddns once"
	}
}

// danglingCNAME: a CNAME to a host that is no dynamic DNS service and does not exist.
func (x exam) danglingCNAME() (Finding, bool) {
	h := x.Hop.Value
	tunnel := strings.HasSuffix(h.Host, ".cfargotunnel.com") // those are for Cloudflare alone to resolve
	if !x.Hop.Known || h.Host == "" || h.Service != "" || tunnel || !allDark(h) && !x.looks.has(1016) {
		return Finding{}, false
	}
	w := failing
	if x.looks.has(1016) {
		w = seen
	}
	return guilty(w, fmt.Sprintf("the CNAME leads to %s, which does not resolve", h.Host),
		"dash.cloudflare.com > "+x.zoneName()+" > DNS > Records: correct the CNAME of "+x.Host, "CNAME %s: %s", h.Host, serversText(h)), true
}

// unexplained: what the edge says of the record, which could not be read.
func (x exam) unexplained() (Finding, bool) {
	switch {
	case x.Zone.Known && x.Zone.Value.ID == "":
		return suspicious("give the token Zone > Zone > Read for that zone, or correct the name", "no zone that the token sees holds %s", x.Host), true
	case x.Records.Known && x.looks.has(1000, 1001, 1034):
		return suspicious("wait five minutes; if it stays so, save the record again: dash.cloudflare.com > "+x.zoneName()+" > DNS > Records", "%s, and the record stands as written: %s", x.looks.text(), x.leads()), true
	case x.Records.Known:
		return Finding{}, false
	case x.looks.has(1000, 1001, 1016, 1034):
		return suspicious("give cfddns a token that may read the records: cfddns check", "%s, and the records could not be read: %s", x.looks.text(), x.Records.Why), true
	case x.looks.unreached() > 0:
		return suspicious("give cfddns a token that may read the records: cfddns check; the commonest cause is a record with an old address", "the records could not be read: %s", x.Records.Why), true
	}
	return Finding{}, false
}

// zoneName is the zone as the dashboard shows it.
func (x exam) zoneName() string {
	if x.Zone.Known && x.Zone.Value.Name != "" {
		return x.Zone.Value.Name
	}
	return "your zone"
}

// under reports whether host is the suffix or lies below it.
func under(host, suffix string) bool {
	return host == suffix || strings.HasSuffix(host, "."+suffix)
}
