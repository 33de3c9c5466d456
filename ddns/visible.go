package ddns

import (
	"net/netip"
	"slices"
	"strings"
)

// This file knows when a change shows the home's address to everybody, and
// whether a zone is one that hides it. The first is said, always; the second
// refuses what nobody asked for.

// becomesPublic is what a plan, a result and the journal say of a change that
// makes an address visible that was not.
const becomesPublic = "the home's address becomes public"

// Revealing marks the changes that make an address of the home visible, and
// says so in their reason. Where one record of a name is proxied, Cloudflare
// proxies all of them, so that a name is judged as a whole, before and after.
// https://developers.cloudflare.com/dns/proxy-status/
func Revealing(changes []Change, found Found, hops map[string]Hop) []Change {
	marked := slices.Clone(changes)
	byName := map[string][]int{}
	for _, c := range changes {
		// without one of these nothing changes hands
		if !c.Drill && (c.Op != Update || c.Before.Proxied != c.After.Proxied ||
			c.After.Type == "CNAME" || c.comesOut()) {
			byName[c.Target.Name] = nil
		}
	}
	for i, c := range changes {
		if _, judged := byName[c.Target.Name]; judged && !c.Drill {
			byName[c.Target.Name] = append(byName[c.Target.Name], i)
		}
	}
	for name, at := range byName {
		z, _ := found.zoneOf(name)
		n := servedName{hops: hops, before: served(z.at(name))}
		n.after = slices.Clone(n.before)
		for _, i := range at {
			n.after = changes[i].on(n.after)
		}
		for _, i := range at {
			if n.reveals(changes[i], z.Zone) {
				marked[i].Reveals, marked[i].Why = true, changes[i].Why+"; "+becomesPublic
				if z.Zone.Paused {
					marked[i].Why += ", since the zone is paused and hides nothing"
				}
			}
		}
	}
	return marked
}

// servedName is the records that visitors of a name are served by.
type servedName struct {
	before, after []Record
	hops          map[string]Hop
}

// served are the records among those of a name that lead visitors anywhere.
func served(records []Record) []Record {
	return slices.DeleteFunc(slices.Clone(records), func(r Record) bool { return !r.leads() })
}

// leads reports whether a record leads visitors to an address.
func (r Record) leads() bool {
	_, address := FamilyOfType(r.Type)
	return address || r.Type == "CNAME"
}

// on returns the records of a name after the change.
func (c Change) on(records []Record) []Record {
	if c.Before != nil {
		records = slices.DeleteFunc(slices.Clone(records), func(r Record) bool { return r.ID == c.Before.ID })
	}
	if c.After != nil {
		records = append(records, *c.After)
	}
	return records
}

// hides reports whether visitors of the records see Cloudflare's addresses.
func hides(records []Record, zone Zone) bool {
	return !zone.Paused && slices.ContainsFunc(records, func(r Record) bool { return r.Proxied })
}

// comesOut reports whether a record that held an address of no use outside, of
// the LAN or a placeholder, holds one of the internet from now on.
func (c Change) comesOut() bool {
	return c.Op == Update && outside(*c.After) && !outside(*c.Before)
}

// outside reports whether a record holds an address that can be reached from anywhere.
func outside(r Record) bool { return Sane(r.Address(), FamilyOf(r.Address())) == nil }

// hidesAt reports whether visitors of a name see Cloudflare's addresses.
func (f Found) hidesAt(name string) bool {
	z, ok := f.zoneOf(name)
	return ok && hides(served(z.at(name)), z.Zone)
}

// reveals reports whether a change of the name makes an address visible that
// was not.
func (n servedName) reveals(c Change, zone Zone) bool {
	switch hid := hides(n.before, zone); {
	case hides(n.after, zone):
		return false
	case c.After == nil:
		return hid && len(n.after) > 0 && c.Before.Proxied // what stays is what it hid
	case hid:
		return true
	case c.Op == Update && c.After.Type != "CNAME":
		return c.comesOut()
	case c.After.Type == "CNAME":
		return c.Op == Create && len(n.before) == 0
	default:
		return !n.showed(c.Target.Family())
	}
}

// showed reports whether a CNAME showed an address of the family already. Of a
// host of which nothing is known, it showed IPv4, which all of them have.
func (n servedName) showed(f Family) bool {
	i := slices.IndexFunc(n.before, func(r Record) bool { return r.Type == "CNAME" })
	if i < 0 {
		return false
	}
	known := n.hops[pointsTo(n.before[i])].Addresses()
	return len(known) == 0 && f == IPv4 || slices.ContainsFunc(known, func(a netip.Addr) bool {
		return FamilyOf(a) == f
	})
}

// losesProxy reports whether our record must become a proxied one, so that the
// name stays what it is: a proxied record of its type is deleted beside it, and
// none stays. What the other family has may go in the same round.
func (d differ) losesProxy(records, others []Record, address netip.Addr) bool {
	goes := func(r Record) bool { return hasID(others, r.ID) && d.mayDelete(r, address) }
	stays := slices.DeleteFunc(slices.Clone(records), goes)
	return hides(records, Zone{}) && !hides(stays, Zone{})
}

// unhidden reports whether a name is proxied for the sake of a record that goes,
// and no change of ours makes up for it: what stays there is another's.
func (d differ) unhidden(changes []Change) bool {
	return d.staysProxied && d.target.Proxied != SetFalse &&
		!slices.ContainsFunc(changes, func(c Change) bool { return c.After != nil && c.After.Proxied })
}

// hidesHome reports whether the zone's own habit is to hide: every other address
// record and CNAME that says anything of it is proxied, and there is one. What
// the configuration makes public says nothing of the rest. A habit that was not
// asked for is not known, and a home is then not made public either.
func (d differ) hidesHome() bool {
	records := d.zone.Records
	if !d.zone.Whole {
		if records = d.zone.Habit; records == nil {
			return true
		}
	}
	var mail map[string]bool
	proxied := false
	for _, r := range records {
		if !r.leads() || r.Name == d.target.Name {
			continue
		}
		if r.Proxied {
			proxied = true
			continue
		}
		if mail == nil {
			mail = mailHosts(records)
		}
		if r.saysHabit() && !mail[r.Name] && !d.isPublic(r) {
			return false
		}
	}
	return proxied
}

// mailHosts are the names that MX records name: Cloudflare cannot proxy mail,
// so that they are DNS-only whatever a person likes.
// https://developers.cloudflare.com/dns/manage-dns-records/how-to/email-records/
func mailHosts(records []Record) map[string]bool {
	names := map[string]bool{}
	for _, r := range records {
		if r.Type == "MX" {
			names[pointsTo(r)] = true
		}
	}
	return names
}

// saysHabit reports whether a DNS-only record says that its zone does not hide:
// a record that must be DNS-only, or that shows no address of the internet,
// says nothing.
func (r Record) saysHabit() bool {
	first, _, _ := strings.Cut(r.Name, ".")
	switch a := r.Address(); {
	case strings.HasPrefix(r.Name, "_"), strings.Contains(r.Name, "._"):
		return false // proves something, or serves no browser
	case slices.Contains(mailLabels, strings.TrimRight(first, "0123456789")):
		return false
	case a.IsValid():
		return !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast()
	}
	return !slices.ContainsFunc(unproxiedHosts, func(h ddnsHost) bool { return under(pointsTo(r), h.suffix) })
}

// mailLabels are the first labels of names that serve mail, or tell programs where it is.
var mailLabels = []string{"mail", "smtp", "imap", "pop", "mx", "autodiscover", "autoconfig"}

// unproxiedHosts are those of mail and of validation, whose CNAMEs work DNS-only alone.
var unproxiedHosts = []ddnsHost{
	{"outlook.com", "Microsoft 365",
		"https://learn.microsoft.com/en-us/microsoft-365/enterprise/external-domain-name-system-records"},
	{"lync.com", "Microsoft 365",
		"https://learn.microsoft.com/en-us/microsoft-365/enterprise/external-domain-name-system-records"},
	{"enterpriseregistration.windows.net", "Microsoft 365",
		"https://learn.microsoft.com/en-us/microsoft-365/enterprise/external-domain-name-system-records"},
	{"manage.microsoft.com", "Microsoft 365",
		"https://learn.microsoft.com/en-us/microsoft-365/enterprise/external-domain-name-system-records"},
	{"sendgrid.net", "SendGrid",
		"https://www.twilio.com/docs/sendgrid/ui/account-and-settings/how-to-set-up-domain-authentication"},
	{"mailgun.org", "Mailgun", "https://documentation.mailgun.com/docs/mailgun/user-manual/domains/domains-verify"},
	{"acm-validations.aws", "AWS Certificate Manager",
		"https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html"},
	{"dv.googlehosted.com", "Google's verification", "https://support.google.com/a/answer/47283"},
	{"verify.bing.com", "Bing's verification", "https://www.bing.com/webmasters/help/add-and-verify-site-12184f8b"},
}

// isPublic reports whether the configuration sets proxied: false for a record.
func (d differ) isPublic(r Record) bool {
	return slices.ContainsFunc(d.wishes.Targets, func(t Target) bool {
		return t.Name == r.Name && t.Proxied == SetFalse && (t.Type == r.Type || r.Type == "CNAME")
	})
}

// proxyUnclear refuses a new name that would show a home which its zone hides.
func (d differ) proxyUnclear() Outcome {
	const why = "every other address and CNAME of the zone is proxied, and a new DNS-only record would make the " +
		"home's address public: nothing was created"
	if !d.target.ByVariable {
		return d.refused(CodeProxyUnclear, why, "a web site: set proxied: true for "+d.target.Shown+
			", which hides it behind Cloudflare; VPN, ssh, games: proxied: false, and the address becomes public")
	}
	hint := "a web site: CFDDNS_PROXIED=true hides it behind Cloudflare; VPN, ssh, games: CFDDNS_PROXIED=false, and " +
		"the address becomes public"
	if slices.ContainsFunc(d.wishes.Targets, func(t Target) bool { return t.ByVariable && t.Name != d.target.Name }) {
		hint += ". It is said of all names of CFDDNS_RECORDS; where they differ, list them in a file"
	}
	return d.refused(CodeProxyUnclear, why, hint)
}
