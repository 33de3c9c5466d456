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

const grantAnalytics = "give the token Zone > Analytics > Read and Zone > Zone Settings > Read: the events say which product it was"

// security judges Cloudflare's defences. What turned a client away is read from
// the setting and the events, never inferred from a 403 alone.
func (x exam) security() Finding {
	events := x.eventsOf(x.clients())
	turned := x.looks.of(challenge) + x.looks.of(blocked)
	source := mostFrequent(events)
	switch {
	case x.looks.of(challenge) > 0 && x.SecurityLevel.Known && x.SecurityLevel.Value == "under_attack":
		return guilty(seen, "Under Attack mode is on: whatever is no browser is challenged, your scripts too",
			x.calm()+", or let one client through: "+x.allow(), "%s, and security_level is under_attack%s", x.turnedText(), x.eventsText(events))
	case x.looks.of(blocked, 1020) > 0:
		return guilty(seen, "a WAF rule of your zone turns this client away", x.past("firewallCustom"), "%s%s", x.turnedText(), x.eventsText(events))
	case x.looks.of(blocked) > 0:
		return guilty(seen, "Cloudflare turns this client away: "+blockText(x.looks), x.past(blockSource(x.looks)), "%s%s", x.turnedText(), x.eventsText(events))
	case (turned > 0 || x.Client.IsValid()) && source != "" && !selfInflicted(source):
		return guilty(x.eventWeight(), fmt.Sprintf("Cloudflare's security turns this client away: %s", product(source)), x.past(source), "%s%s", x.turnedText(), x.eventsText(events))
	case x.looks.of(forbidden) > 0 && mostFrequent(x.recent(events)) != "":
		source = mostFrequent(x.recent(events))
		return guilty(seen, fmt.Sprintf("Cloudflare's security turns this client away: %s", product(source)), x.past(source), "%s%s", x.turnedText(), x.eventsText(x.recent(events)))
	case turned > 0 && source != "" && !storm(events):
		return suspicious("is the rule too strict? dash.cloudflare.com > "+x.zoneName()+" > Security > Security rules", "%s: %s%s", x.turnedText(), product(source), x.eventsText(events))
	case turned > 0 && source != "":
		return cleared("it does what it is there for%s", x.eventsText(events))
	case x.Events.Known && turned > 0:
		return suspicious("events come some minutes late: ask again in five", "%s, security_level %s, and no event of this client yet", x.turnedText(), word(x.SecurityLevel))
	case x.looks.of(limited) > 0 && x.Events.Known:
		return suspicious("is the limit too low? dash.cloudflare.com > "+x.zoneName()+" > Security > Security rules > Rate limiting rules", "%s, and no event of this client yet", x.turnedText())
	case turned+x.looks.of(limited)+x.looks.of(forbidden) > 0:
		return suspicious(grantAnalytics, "%s, and which product it was is not known: security_level %s, events %s", x.turnedText(), word(x.SecurityLevel), x.eventsWhy())
	case x.SecurityLevel.Known && x.SecurityLevel.Value == "under_attack":
		return suspicious("", "Under Attack mode is on, and did not challenge this client")
	case x.looks.known:
		return cleared("nobody was challenged or turned away")
	default:
		return notExamined(x.SecurityLevel)
	}
}

func (x exam) eventWeight() weight {
	if x.looks.of(challenge)+x.looks.of(blocked) > 0 {
		return seen
	}
	return failing
}

// turnedText names the answers that turned us away.
func (x exam) turnedText() string {
	text := x.looks.some(func(a answer) bool {
		return a.kind == challenge || a.kind == blocked || a.kind == limited || a.kind == forbidden
	})
	return cmp.Or(text, "this look was let through")
}

// past is what lets the client past a product: a rule that skips it, where one
// can. Rules against addresses, networks and countries are not skipped by any.
// https://developers.cloudflare.com/waf/custom-rules/skip/options/
func (x exam) past(source string) string {
	dash := "dash.cloudflare.com > " + x.zoneName() + " > Security > "
	switch source {
	case "firewallCustom", "firewallrules":
		return x.allow() + " --include-custom, or " + dash + "Security rules"
	case "botFight":
		return dash + "Settings > Bot Fight Mode: off (on the Free plan no rule can skip it)"
	case "ip", "asn", "country":
		return dash + "Security rules > IP access rules: no other rule can skip those"
	default:
		return x.allow()
	}
}

// calm is the command that ends Under Attack mode.
func (x exam) calm() string {
	if len(x.Kept) == 0 && x.Zone.Known {
		return ddns.CommandLine("cfddns", "under-attack", "off", "--zone", x.Zone.Value.Name)
	}
	return "cfddns under-attack off"
}

// allow is the command that lets one client in.
func (x exam) allow() string {
	command := ddns.CommandLine("cfddns", "waf", "allow", "script", "--host", x.Host)
	switch clients := x.clients(); {
	case x.Client.IsValid():
		return command + " --address " + x.Client.String()
	case len(clients) > 0:
		return command + " --address " + clients[0].String()
	default:
		return command + " --self"
	}
}

// clients are the addresses whose events are looked at.
func (x exam) clients() []netip.Addr {
	if x.Client.IsValid() {
		return []netip.Addr{x.Client}
	}
	return x.home()
}

// mitigated are the actions that turn a client away.
var mitigated = []string{"block", "challenge", "jschallenge", "js_challenge", "managed_challenge", "managedchallenge", "connection_close", "connectionclose"}

// eventsOf are the events in which one of the clients was turned away.
func (x exam) eventsOf(clients []netip.Addr) (events []ddns.SecurityEvent) {
	for _, e := range x.Events.Value {
		if x.Events.Known && slices.Contains(mitigated, e.Action) && slices.Contains(clients, e.Client) {
			events = append(events, e)
		}
	}
	return events
}

// recent are the events of the last two minutes, those of our own looks among
// them: older ones say nothing of a 403 that nobody signed.
func (x exam) recent(events []ddns.SecurityEvent) []ddns.SecurityEvent {
	return slices.DeleteFunc(slices.Clone(events), func(e ddns.SecurityEvent) bool { return x.At.Sub(e.At) > 2*time.Minute })
}

// mostFrequent is the product that turned the client away most often.
func mostFrequent(events []ddns.SecurityEvent) (source string) {
	counts := map[string]int{}
	for _, e := range events {
		counts[e.Source]++
	}
	for s, n := range counts {
		if n > counts[source] || n == counts[source] && s < source {
			source = s
		}
	}
	return source
}

// selfInflicted are the products that count what one client does.
func selfInflicted(source string) bool {
	return slices.Contains([]string{"l7ddos", "ratelimit", "rateLimit"}, source)
}

// product names a source of events as the dashboard does.
func product(source string) string {
	names := map[string]string{
		"securitylevel": "the security level (Under Attack mode for a path, a country or a network)", "securityLevel": "the security level (Under Attack mode for a path, a country or a network)",
		"firewallCustom": "a custom rule of your zone", "firewallManaged": "a managed WAF rule", "waf": "a managed WAF rule", "bic": "the Browser Integrity Check",
		"botFight": "Bot Fight Mode", "firewallrules": "a firewall rule", "uablock": "a rule against its User-Agent", "country": "a rule against its country",
		"ip": "an IP access rule", "asn": "a rule against its network", "l7ddos": "the HTTP DDoS rules", "ratelimit": "a rate limiting rule", "zonelockdown": "Zone Lockdown",
	}
	if name, ok := names[source]; ok {
		return name
	}
	return source
}

// blockSource is the product whose error page was seen.
func blockSource(t tally) string {
	switch {
	case t.of(blocked, 1005, 1006, 1007, 1008, 1009) > 0:
		return "ip"
	case t.of(blocked, 1010) > 0:
		return "bic"
	default:
		return "waf"
	}
}

func blockText(t tally) string {
	switch {
	case t.of(blocked, 1010) > 0:
		return "the Browser Integrity Check does not like how it introduces itself"
	case t.of(blocked, 1005, 1009) > 0:
		return "a rule against its network or country"
	case t.of(blocked, 1006, 1007, 1008) > 0:
		return "a rule against its address"
	default:
		return "a block page"
	}
}

// eventsText says what the events hold.
func (x exam) eventsText(events []ddns.SecurityEvent) string {
	if len(events) == 0 {
		return ""
	}
	counts := map[string]int{}
	for _, e := range events {
		counts[e.Source]++
	}
	var words []string
	for source, n := range counts {
		words = append(words, fmt.Sprintf("%s %d", source, n))
	}
	slices.Sort(words)
	first, last := bounds(events)
	return fmt.Sprintf("; events of this client: %s, from %s to %s", strings.Join(words, ", "), first.In(x.At.Location()).Format("15:04:05"), last.In(x.At.Location()).Format("15:04:05 MST"))
}

func bounds(events []ddns.SecurityEvent) (first, last time.Time) {
	for _, e := range events {
		if first.IsZero() || e.At.Before(first) {
			first = e.At
		}
		if e.At.After(last) {
			last = e.At
		}
	}
	return first, last
}

func (x exam) eventsWhy() string {
	if x.Events.Known {
		return "show none of this client"
	}
	return cmp.Or(x.Events.Why, "were not asked for")
}

func word(f Fact[string]) string {
	if f.Known {
		return f.Value
	}
	return "is not known"
}

// A client feeds a defence by asking so often within so short a time.
const (
	stormEvents = 10
	stormTime   = 10 * time.Second
)

// client judges whoever asks: is it turned away because it is no browser, or
// because its own retries set off a defence that counts?
func (x exam) client() Finding {
	events := x.eventsOf(x.clients())
	source := mostFrequent(events)
	w := failing
	if x.looks.of(challenge)+x.looks.of(limited) > 0 {
		w = seen
	}
	switch {
	case storm(events) && selfInflicted(source) && (w == seen || x.Client.IsValid()):
		return guilty(w, "the client's own retries keep the defence up: "+product(source)+" counts them",
			"stop the client for ten minutes, then let it wait between tries (1 s, 2 s, 4 s, …)", "%d or more of its requests within %s were turned away%s", stormEvents, stormTime, x.eventsText(events))
	case storm(events):
		return suspicious("", "it goes on asking while it is turned away, which feeds the next defence%s", x.eventsText(events))
	case x.looks.of(limited) > 0 || w == seen && selfInflicted(source):
		return suspicious("stop what asks from here for ten minutes, and ask again", "%s: something here asks too often%s", x.turnedText(), x.eventsText(events))
	case x.Client.IsValid() && !x.Events.Known:
		return Finding{State: CannotTell, Evidence: "not examined: " + x.eventsWhy(), Decides: grantAnalytics}
	case x.Client.IsValid() && len(events) == 0:
		return cleared("Cloudflare remembers no request of %s that was turned away", x.Client)
	case x.looks.of(challenge) > 0:
		return cleared("it is challenged because it is no browser; a browser would pass")
	case x.looks.known:
		return cleared("it was not turned away for what it is%s", x.topClients())
	default:
		return notExamined(x.Looks)
	}
}

// storm reports whether enough events came within a short time.
func storm(events []ddns.SecurityEvent) bool {
	at := make([]time.Time, len(events))
	for i, e := range events {
		at[i] = e.At
	}
	slices.SortFunc(at, time.Time.Compare)
	for i := stormEvents - 1; i < len(at); i++ {
		if at[i].Sub(at[i-stormEvents+1]) <= stormTime {
			return true
		}
	}
	return false
}

// topClients names who was turned away most often, for a person to look at.
func (x exam) topClients() string {
	counts := map[netip.Addr]int{}
	for _, e := range x.Events.Value {
		if x.Events.Known && slices.Contains(mitigated, e.Action) {
			counts[e.Client]++
		}
	}
	addresses := make([]netip.Addr, 0, len(counts))
	for a := range counts {
		addresses = append(addresses, a)
	}
	slices.SortFunc(addresses, func(a, b netip.Addr) int { return cmp.Or(counts[b]-counts[a], a.Compare(b)) })
	var words []string
	for _, a := range addresses[:min(3, len(addresses))] {
		words = append(words, fmt.Sprintf("%s (%d)", a, counts[a]))
	}
	if len(words) == 0 {
		return ""
	}
	return "; most often turned away: " + strings.Join(words, ", ")
}
