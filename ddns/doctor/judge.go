package doctor

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// Judge says who is to blame. It is pure.
//
// Each suspect is judged by its own rule (the files named after them). Among
// the guilty the culprit is the one that explains what visitors were just
// answered, else one that makes them fail, else one that they will notice
// later. Visitors who fail for no reason that was found are "cannot tell".
func Judge(e Evidence) Diagnosis {
	x := exam{Evidence: e, looks: tallyOf(e.URL, e.Looks)}
	x.looks.alive = x.edgeLives()
	d := Diagnosis{Name: e.Host, Between: []Suspect{}, Culprits: []Suspect{}, Answers: x.looks.list(), Past: []Span{}, Night: x.night()}
	if d.Night != nil {
		d.Past = spans(e.Minutes.Value)
	}
	rules := map[Suspect]func() Finding{
		Cloudflare: x.cloudflare, Edge: x.edge, Origin: x.origin, Client: x.client, Record: x.record, DDNSHost: x.ddnsHost,
		Router: x.router, Resolvers: x.resolvers, Security: x.security, Token: x.token, Clock: x.clock, Self: x.self,
	}
	for _, suspect := range Suspects() {
		f := rules[suspect]()
		f.Suspect = suspect
		d.Findings = append(d.Findings, toldOnce(f, d.Findings))
	}
	return x.conclude(d)
}

// toldOnce refers to an earlier finding where the same hindered both.
func toldOnce(f Finding, earlier []Finding) Finding {
	i := slices.IndexFunc(earlier, func(e Finding) bool { return e.Evidence == f.Evidence })
	if f.State == CannotTell && i >= 0 {
		f.Evidence = fmt.Sprintf("not examined, for the same reason as %s", earlier[i].Suspect)
	}
	return f
}

// exam is the evidence under examination, and what is derived from it.
type exam struct {
	Evidence
	looks tally
}

// blame orders the guilty whose weight is the same: what has to be right first
// comes first.
var blame = []Suspect{Cloudflare, Record, DDNSHost, Router, Origin, Security, Client, Resolvers, Token, Clock, Self, Edge}

// doubt orders those who cannot be told apart: what is likelier, and quicker to
// look at, comes first.
var doubt = []Suspect{Cloudflare, Edge, Record, DDNSHost, Origin, Router, Client, Security, Resolvers, Token, Clock, Self}

// conclude picks the culprit, or says why there is none.
func (x exam) conclude(d Diagnosis) Diagnosis {
	guilty := byWeight(d.Findings)
	visitorsFail := x.looks.known && !x.looks.well() || x.directFails()
	switch {
	case len(guilty) > 0 && (guilty[0].weight > latent || !visitorsFail):
		culprit := guilty[0]
		d.Culprit, d.Exit, d.Summary, d.Mend = &culprit, ExitCulprit, culprit.Sentence, culprit.Mend
		for i, f := range guilty {
			if i == 0 || f.weight > latent {
				d.Culprits = append(d.Culprits, f.Suspect)
			}
		}
	case visitorsFail, !x.well():
		d = x.unclear(d, visitorsFail)
	default:
		d.Exit, d.Summary = ExitWell, x.wellText()
	}
	return d
}

// byWeight are the guilty, the one that matters most first.
func byWeight(findings []Finding) (guilty []Finding) {
	for _, f := range findings {
		if f.State == Guilty {
			guilty = append(guilty, f)
		}
	}
	slices.SortFunc(guilty, func(a, b Finding) int {
		return cmp.Or(int(b.weight-a.weight), slices.Index(blame, a.Suspect)-slices.Index(blame, b.Suspect))
	})
	return guilty
}

// unclear says between whom it cannot be told, and what would decide.
func (x exam) unclear(d Diagnosis, visitorsFail bool) Diagnosis {
	d.Exit = ExitUnclear
	var words []string
	for _, suspect := range doubt {
		i := slices.IndexFunc(d.Findings, func(f Finding) bool { return f.Suspect == suspect })
		f := d.Findings[i]
		if f.Decides == "" || f.State == Cleared || len(d.Between) == 2 {
			continue
		}
		d.Between, words = append(d.Between, suspect), append(words, title(suspect))
		if d.Mend == "" {
			d.Mend = f.Decides
		}
	}
	d.Mend = cmp.Or(d.Mend, "see what answers this machine: cfddns ip --all, then cfddns check")
	switch {
	case len(words) == 0 && !visitorsFail:
		d.Summary = fmt.Sprintf("too little could be asked to say whether %s works", x.Host)
	case len(words) == 0:
		d.Summary = fmt.Sprintf("%s does not work for visitors (%s), and nothing that was examined says why", x.Host, x.looks.text())
	case len(words) == 1:
		d.Summary = fmt.Sprintf("%s is the one suspect, and it is not proved", words[0])
	default:
		d.Summary = fmt.Sprintf("it is %s or %s, and what was seen does not tell which", words[0], words[1])
	}
	return d
}

// title is how a suspect is spoken of.
func title(s Suspect) string {
	return map[Suspect]string{
		Cloudflare: "Cloudflare itself", Edge: "Cloudflare's edge", Origin: "the server at home", Client: "the client that asks",
		Record: "the record or its zone", DDNSHost: "the dynamic DNS host", Router: "the router or a firewall", Resolvers: "a resolver",
		Security: "Cloudflare's security", Token: "the token", Clock: "this machine's clock", Self: "cfddns itself",
	}[s]
}

// proxied reports whether visitors come through Cloudflare.
func (x exam) proxied() (yes, known bool) {
	paused := x.Zone.Known && x.Zone.Value.Paused // then nothing is
	if x.Records.Known && !paused {
		for _, r := range x.pointing() {
			return r.Proxied, true
		}
	}
	if x.Authority.Known && len(x.Authority.Value.Addresses) > 0 {
		return slices.ContainsFunc(x.Authority.Value.Addresses, ddns.Cloudflares), true
	}
	return false, false
}

func (x exam) isProxied() bool {
	yes, known := x.proxied()
	return yes && known
}

func (x exam) isPublic() bool {
	yes, known := x.proxied()
	return !yes && known
}

// pointing are the records by which visitors of the name are led: at the end of
// the aliases that stay in the zone.
func (x exam) pointing() []ddns.Record {
	records := x.at(x.Host)
	for range longestChain {
		if len(records) != 1 || records[0].Type != "CNAME" {
			return records
		}
		next := x.at(target(records[0]))
		if len(next) == 0 {
			return records
		}
		for i := range next { // visitors meet the first one's proxy
			next[i].Proxied = records[0].Proxied
		}
		records = next
	}
	return records
}

// longestChain bounds how many aliases of a zone are followed.
const longestChain = 8

// at are the records that lead on from a name, or from its wildcard.
func (x exam) at(name string) []ddns.Record {
	if !x.Records.Known {
		return nil
	}
	return leadingOn(x.Records.Value, name)
}

// leadingOn are those records of a list that lead on from a name. A wildcard is
// for names that have no record.
func leadingOn(list []ddns.Record, name string) (records []ddns.Record) {
	for _, name := range []string{name, wildcard(name)} {
		for _, r := range list {
			if r.Name == name && (r.Type == "A" || r.Type == "AAAA" || r.Type == "CNAME") {
				records = append(records, r)
			}
		}
		if len(records) > 0 {
			return records
		}
	}
	return nil
}

// target is the name that a CNAME leads to.
func target(r ddns.Record) string { return strings.TrimSuffix(strings.ToLower(r.Content), ".") }

func wildcard(host string) string {
	_, rest, ok := strings.Cut(host, ".")
	if !ok {
		return ""
	}
	return "*." + rest
}

// right reports whether the records are known to lead to this home and nowhere
// else. Without knowing where the home is, nothing is known to be right.
func (x exam) right() bool {
	if !x.Records.Known {
		return false
	}
	n := 0
	for _, r := range x.pointing() {
		if r.Type == "CNAME" {
			return x.hopIsHere()
		}
		family, _ := ddns.FamilyOfType(r.Type)
		home := x.homeOf(family)
		if !home.Known || r.Address() != home.Value {
			return false
		}
		n++
	}
	return n > 0
}

// astray reports whether visitors are known to be led elsewhere. What the edge
// says of an origin is then not about this home.
func (x exam) astray() bool {
	return slices.ContainsFunc(x.pointing(), func(r ddns.Record) bool {
		family, ok := ddns.FamilyOfType(r.Type)
		home := x.homeOf(family)
		return ok && home.Known && r.Address() != home.Value || r.Type == "CNAME" && x.Hop.Known && len(x.elsewhere(x.Hop.Value)) > 0
	})
}

// hopIsHere reports whether every nameserver of the hop answers this home.
func (x exam) hopIsHere() bool {
	if !x.Hop.Known || x.Hop.Value.Host == "" || len(x.Hop.Value.Servers) == 0 {
		return false
	}
	return !slices.ContainsFunc(x.Hop.Value.Servers, func(s HopServer) bool { return !isAt(s.Addresses, x.home()) })
}

// isAt reports whether all addresses are among the home's, and there is one.
func isAt(addresses, home []netip.Addr) bool {
	return len(addresses) > 0 && !slices.ContainsFunc(addresses, func(a netip.Addr) bool { return !slices.Contains(home, a) })
}

// directFails reports whether a name without proxy is known to be broken for
// whoever asks it. Silence is no proof: many homes cannot reach themselves by
// their own public address.
func (x exam) directFails() bool {
	d := x.AtRecord
	if !x.isPublic() || !d.Known {
		return false
	}
	unasked := !x.Asked && x.right()
	return !unasked && (d.Value.Trouble == Refused || d.Value.Trouble == BadTLS) || d.Value.Genuine() && d.Value.Status >= 500
}

// well reports whether the name is known to work.
func (x exam) well() bool {
	if x.Client.IsValid() && !x.Events.Known {
		return false // what becomes of that client shows in the events alone
	}
	if x.looks.known {
		return x.looks.well()
	}
	said := x.Authority.Value
	whole := len(said.Unasked) == 0 || x.right()
	return x.isPublic() && x.Authority.Known && (isAt(said.Addresses, x.home()) && whole || x.AtRecord.Known && x.AtRecord.Value.Genuine())
}

func (x exam) wellText() string {
	if x.looks.known {
		return fmt.Sprintf("nothing is wrong with %s: %d of %d looks at the edge were answered as they should be", x.Host, x.looks.of(fine), x.looks.all)
	}
	return fmt.Sprintf("nothing is wrong with %s: its nameservers say %s", x.Host, join(x.Authority.Value.Addresses))
}

// clockTime is a time of day where this is read.
func (x exam) clockTime(t time.Time) string { return t.In(x.At.Location()).Format("15:04 MST") }

// gravest tries all rules of a suspect: of those that convict it returns the
// heaviest, else the first that has something to say. What is merely odd must
// not hide what is proved.
func gravest(rules ...func() (Finding, bool)) (worst Finding, ok bool) {
	for _, rule := range rules {
		if f, said := rule(); said && (!ok || f.weight > worst.weight) {
			worst, ok = f, true
		}
	}
	return worst, ok
}

// notExamined is the finding about what could not be asked.
func notExamined[T any](f Fact[T]) Finding {
	why := f.Why
	if why == "" {
		why = "nobody was asked"
	}
	return Finding{State: CannotTell, Evidence: "not examined: " + why}
}

func cleared(format string, args ...any) Finding {
	return Finding{State: Cleared, Evidence: fmt.Sprintf(format, args...)}
}

func suspicious(decides, format string, args ...any) Finding {
	return Finding{State: Suspicious, Evidence: fmt.Sprintf(format, args...), Decides: decides}
}

func guilty(w weight, sentence, mend, format string, args ...any) Finding {
	return Finding{State: Guilty, Evidence: fmt.Sprintf(format, args...), Sentence: sentence, Mend: mend, weight: w}
}

func join(addresses []netip.Addr) string {
	words := make([]string, len(addresses))
	for i, a := range addresses {
		words[i] = a.String()
	}
	return strings.Join(words, ", ")
}
