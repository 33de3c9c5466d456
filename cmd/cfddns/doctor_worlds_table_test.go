package main

import (
	"testing"

	"github.com/cfddns/cfddns/ddns/doctor"
	"github.com/cfddns/cfddns/sandbox"
)

func wellWorlds() []brokenWorld {
	return []brokenWorld{
		{name: "nothing is wrong with a proxied A record"},
		{name: "nothing is wrong with a DNS-only A record", records: publicHome},
		{name: "nothing is wrong with a hop that answers", records: overDuck},
		{name: "nothing is wrong, seen without a token", token: "none"},
		{name: "nothing is wrong, and the home cannot reach itself", breaks: noHairpin},
		{name: "nothing is wrong with a name that is not configured", unkept: true},
		{name: "nothing is wrong but an incident elsewhere", breaks: func(_ *testing.T, s *sandbox.Sandbox) {
			s.SetStatus(sandbox.Incident{Name: "DNS trouble in one city", Impact: "minor"})
		}},
		{name: "the origin says that there is no such page", breaks: origin("404")},
		{name: "the status service does not answer", breaks: fault(sandbox.Fault{On: "status", Do: "hang"})},
		{name: "one public resolver is silent", breaks: fault(sandbox.Fault{On: "resolver:8.8.8.8", Do: "hang"})},
		{name: "the router is silent", breaks: func(_ *testing.T, s *sandbox.Sandbox) { s.SetRouter(sandbox.RouterState{Off: true}) }},
	}
}

func hopWorlds() []brokenWorld {
	return []brokenWorld{
		{name: "Duck DNS is dark behind a proxied name", records: overDuck, breaks: duckDown, culprit: doctor.DDNSHost, exit: 8},
		{name: "Duck DNS is dark behind a DNS-only name", records: publicDuck, breaks: duckDown, culprit: doctor.DDNSHost, exit: 8},
		{name: "Duck DNS is dark behind a name that is not configured", records: overDuck, unkept: true, breaks: duckDown, culprit: doctor.DDNSHost, exit: 8},
		{name: "Duck DNS answers an old address", records: overDuck, breaks: fault(sandbox.Fault{On: "duckdns", Do: "stale"}), culprit: doctor.DDNSHost, exit: 8},
		{name: "Duck DNS refuses every question", records: overDuck, breaks: fault(sandbox.Fault{On: "duckdns", Do: "refused"}), culprit: doctor.DDNSHost, exit: 8},
		{name: "Duck DNS says SERVFAIL", records: overDuck, breaks: fault(sandbox.Fault{On: "duckdns", Do: "500"}), culprit: doctor.DDNSHost, exit: 8},
		{name: "the edge says 1016 now and then and Duck DNS answers", records: overDuck, breaks: edgeSays("1016", 3), culprit: doctor.DDNSHost, exit: 8},
		{name: "the host is none of Duck DNS's", records: []sandbox.SeedRecord{recordCNAME("nobody-at-all.duckdns.org", true)}, culprit: doctor.DDNSHost, exit: 8},
		{name: "a hop over another name of the zone", records: []sandbox.SeedRecord{recordCNAME("home.example.com", true),
			{Type: "CNAME", Name: "home.example.com", Content: "myhome.duckdns.org"}}, breaks: duckDown, culprit: doctor.DDNSHost, exit: 8},
	}
}

func recordWorlds() []brokenWorld {
	return []brokenWorld{
		{name: "the A record is stale", records: staleA, culprit: doctor.Record, exit: 8},
		{name: "the A record is stale and the home cannot reach itself", records: staleA, breaks: noHairpin, culprit: doctor.Record, exit: 8},
		{name: "a DNS-only A record is stale", records: publicOld, culprit: doctor.Record, exit: 8},
		{name: "a name that is not configured leads to a silent address", records: staleA, unkept: true, exit: 9, between: []doctor.Suspect{doctor.Record}},
		{name: "the record holds an address of Cloudflare", records: []sandbox.SeedRecord{recordA("104.21.16.9", true)}, culprit: doctor.Record, exit: 8},
		{name: "the record holds a private address", records: []sandbox.SeedRecord{recordA("192.168.1.10", false)}, culprit: doctor.Record, exit: 8},
		{name: "the name does not exist", records: []sandbox.SeedRecord{{Type: "A", Name: "other.example.com", Content: sickHome.String()}}, culprit: doctor.Record, exit: 8},
		{name: "the name does not exist and is not configured", records: []sandbox.SeedRecord{{Type: "A", Name: "other.example.com", Content: sickHome.String()}}, unkept: true, culprit: doctor.Record, exit: 8},
		{name: "a wildcard serves the name", records: []sandbox.SeedRecord{{Type: "A", Name: "*.example.com", Content: sickHome.String(), Proxied: true}}},
		{name: "the edge says that the CNAME crosses accounts", records: overDuck, breaks: edgeSays("1014", 0), culprit: doctor.Record, exit: 8},
		{name: "the registrar names other nameservers", breaks: zoneIs(`{"name":"example.com","delegation":["ns1.registrar.example","ns2.registrar.example"]}`), culprit: doctor.Record, exit: 8},
		{name: "the zone is paused", breaks: zoneIs(`{"name":"example.com","paused":true}`), culprit: doctor.Record, exit: 8},
		{name: "the name leads to another name of the zone, whose record is stale", records: []sandbox.SeedRecord{recordCNAME("home.example.com", true),
			{Type: "A", Name: "home.example.com", Content: sickOld}}, culprit: doctor.Record, exit: 8},
		{name: "the edge does not know a record that is there", breaks: edgeSays("1001", 0), exit: 9, between: []doctor.Suspect{doctor.Record}},
		{name: "the zone is pending", breaks: zoneIs(`{"name":"example.com","status":"pending"}`), culprit: doctor.Record, exit: 8},
		{name: "a resolver still says the old address", records: publicHome, breaks: fault(sandbox.Fault{On: "resolver:8.8.8.8", Do: "lie", Value: sickOld}), culprit: doctor.Resolvers, exit: 8},
	}
}

func zoneIs(order string) func(*testing.T, *sandbox.Sandbox) {
	return func(t *testing.T, s *sandbox.Sandbox) { ask(t, s, "/zones", order) }
}

func originWorlds() []brokenWorld {
	return []brokenWorld{
		{name: "the origin refuses connections", breaks: origin("refuse"), exit: 9, between: []doctor.Suspect{doctor.Origin, doctor.Router}},
		{name: "the origin refuses, and the home cannot reach itself", breaks: all(origin("refuse"), noHairpin), exit: 9, between: []doctor.Suspect{doctor.Origin, doctor.Router}},
		{name: "the origin is silent", breaks: fault(sandbox.Fault{On: "origin", Do: "hang", Value: "connect"}), exit: 9, between: []doctor.Suspect{doctor.Origin, doctor.Router}},
		{name: "the origin is slow", breaks: origin("hang"), culprit: doctor.Origin, exit: 8},
		{name: "the certificate is of nobody", breaks: origin("bad-cert"), culprit: doctor.Origin, exit: 8},
		{name: "the certificate has expired", breaks: origin("expired-cert"), culprit: doctor.Origin, exit: 8},
		{name: "the origin speaks no TLS", breaks: origin("no-tls"), culprit: doctor.Origin, exit: 8},
		{name: "the origin answers nonsense", breaks: origin("garbage"), culprit: doctor.Origin, exit: 8},
		{name: "the origin itself says 403", breaks: origin("403"), culprit: doctor.Origin, exit: 8},
		{name: "the origin itself says 500", breaks: origin("500"), culprit: doctor.Origin, exit: 8},
		{name: "the origin itself says 500 now and then", breaks: all(noHairpin, fault(sandbox.Fault{On: "origin", Do: "500", Every: 2})), culprit: doctor.Origin, exit: 8},
		{name: "the origin refuses, and pages were served an hour ago", breaks: all(noHairpin, origin("refuse"), pages), culprit: doctor.Origin, exit: 8},
		{name: "the certificate of a DNS-only name has expired", records: publicHome, breaks: origin("expired-cert"), culprit: doctor.Origin, exit: 8},
		{name: "a firewall keeps Cloudflare out", breaks: edgeSays("522", 0), culprit: doctor.Router, exit: 8},
		{name: "a firewall keeps Cloudflare out now and then", breaks: edgeSays("522", 4), culprit: doctor.Router, exit: 8},
		{name: "the provider translates", breaks: all(cgnat, noHairpin, edgeSays("522", 0)), culprit: doctor.Router, exit: 8},
		{name: "the tunnel has no connector", records: []sandbox.SeedRecord{recordCNAME("6ff42ae2.cfargotunnel.com", true)}, culprit: doctor.Origin, exit: 8},
	}
}

func edgeWorlds() []brokenWorld {
	return []brokenWorld{
		{name: "the edge fails with errors of its own", breaks: edgeSays("502", 0), exit: 9, between: []doctor.Suspect{doctor.Cloudflare}},
		{name: "the edge fails now and then", breaks: edgeSays("502", 4), exit: 9, between: []doctor.Suspect{doctor.Cloudflare}},
		{name: "the edge fails while an incident is open", breaks: all(edgeSays("504", 0), func(_ *testing.T, s *sandbox.Sandbox) {
			s.SetStatus(sandbox.Incident{Name: "Elevated 5xx errors", Impact: "major", Components: []string{"CDN/Cache"}})
		}), exit: 9, between: []doctor.Suspect{doctor.Cloudflare}},
		{name: "a rule blocks", breaks: edgeSays("1020", 0), culprit: doctor.Security, exit: 8},
		{name: "an address is banned", breaks: edgeSays("1006", 0), culprit: doctor.Security, exit: 8},
		{name: "a country is blocked", breaks: edgeSays("1009", 0), culprit: doctor.Security, exit: 8},
		{name: "too many requests", breaks: edgeSays("1015", 0), exit: 9, between: []doctor.Suspect{doctor.Client}},
		{name: "the edge hangs", breaks: fault(sandbox.Fault{On: "edge", Do: "hang"}), exit: 9, between: []doctor.Suspect{doctor.Cloudflare}},
	}
}

func defenceWorlds() []brokenWorld {
	return []brokenWorld{
		{name: "Under Attack mode is on", breaks: underAttack, culprit: doctor.Security, exit: 8},
		{name: "Under Attack mode is on for a path", breaks: defended(sandbox.Defences{UnderAttackPath: "/"}), culprit: doctor.Security, exit: 8},
		{name: "the Browser Integrity Check blocks", breaks: defended(sandbox.Defences{BIC: true}), culprit: doctor.Security, exit: 8},
		{name: "Bot Fight Mode challenges", breaks: defended(sandbox.Defences{BotFight: true}), culprit: doctor.Security, exit: 8},
		{name: "a managed rule blocks", breaks: defended(sandbox.Defences{ManagedRule: `http.host eq "www.example.com"`}), culprit: doctor.Security, exit: 8},
		{name: "the script host was challenged", args: []string{"--client", farClient}, breaks: turnedAway("securitylevel", farClient, 3), culprit: doctor.Security, exit: 8},
		{name: "the script host storms", args: []string{"--client", farClient}, breaks: turnedAway("l7ddos", farClient, 30), culprit: doctor.Client, exit: 8},
		{name: "somebody else is turned away all the time", breaks: turnedAway("firewallManaged", "45.155.1.1", 50)},
	}
}

func halfBlindWorlds() []brokenWorld {
	return []brokenWorld{
		{name: "1016 without a token", records: overDuck, token: "none", breaks: duckDown, exit: 9},
		{name: "522 without a token", records: staleA, token: "none", exit: 9},
		{name: "a challenge without a token", token: "none", breaks: underAttack, exit: 9, between: []doctor.Suspect{doctor.Security}},
		{name: "a challenge with a token that may read DNS alone", token: "zone:read dns:edit", breaks: underAttack, exit: 9, between: []doctor.Suspect{doctor.Security}},
		{name: "a challenge with a token that may read settings", token: "zone:read dns:edit settings:read", breaks: underAttack, culprit: doctor.Security, exit: 8},
		{name: "a challenge for a path with a token that may read events", token: "zone:read dns:edit analytics:read", breaks: defended(sandbox.Defences{UnderAttackPath: "/"}), culprit: doctor.Security, exit: 8},
		{name: "the tunnel without a token", records: []sandbox.SeedRecord{recordCNAME("6ff42ae2.cfargotunnel.com", true)}, token: "none", culprit: doctor.Origin, exit: 8},
		{name: "Duck DNS is dark, and the token may read DNS alone", records: overDuck, token: "zone:read dns:edit", breaks: duckDown, culprit: doctor.DDNSHost, exit: 8},
		{name: "the API hangs while the record is stale", records: staleA, breaks: fault(sandbox.Fault{On: "api", Do: "hang"}), exit: 9},
		{name: "the API fails and all is well", breaks: fault(sandbox.Fault{On: "api", Do: "500"})},
		{name: "the token may not read records", token: "zone:read", culprit: doctor.Token, exit: 8},
		{name: "Duck DNS is dark behind a DNS-only name, seen without a token", records: publicDuck, token: "none", breaks: duckDown, culprit: doctor.DDNSHost, exit: 8},
		{name: "a DNS-only A record is stale, seen without a token", records: publicOld, token: "none", culprit: doctor.Record, exit: 8},
		{name: "the token is disabled", token: "disabled", culprit: doctor.Token, exit: 8},
		{name: "the name does not exist, seen without a token", records: []sandbox.SeedRecord{{Type: "A", Name: "other.example.com", Content: sickHome.String()}}, token: "none", culprit: doctor.Record, exit: 8},
	}
}

func doublyBrokenWorlds() []brokenWorld {
	return []brokenWorld{
		{name: "Duck DNS is dark and Under Attack mode hides it", records: overDuck, breaks: all(duckDown, underAttack), culprit: doctor.Security, exit: 8},
		{name: "the record is stale and the certificate has expired", records: staleA, breaks: origin("expired-cert"), culprit: doctor.Record, exit: 8},
		{name: "Duck DNS is dark and the token may not read settings", records: overDuck, token: "zone:read dns:read", breaks: duckDown, culprit: doctor.DDNSHost, exit: 8},
		{name: "the certificate has expired behind CGNAT that visitors get through", breaks: all(cgnat, origin("expired-cert")), culprit: doctor.Origin, exit: 8},
		{name: "the token is disabled and Under Attack mode is on", token: "disabled", breaks: underAttack, exit: 9, between: []doctor.Suspect{doctor.Security}},
		{name: "a resolver is stale and Duck DNS is dark", records: overDuck, breaks: all(duckDown, fault(sandbox.Fault{On: "resolver:8.8.8.8", Do: "lie", Value: sickOld})), culprit: doctor.DDNSHost, exit: 8},
		{name: "Duck DNS is stale and the home cannot reach itself", records: overDuck, breaks: all(noHairpin, fault(sandbox.Fault{On: "duckdns", Do: "stale"})), culprit: doctor.DDNSHost, exit: 8},
		{name: "everything hangs", breaks: fault(sandbox.Fault{On: "edge", Do: "hang"}, sandbox.Fault{On: "api", Do: "hang"}, sandbox.Fault{On: "dns", Do: "hang"},
			sandbox.Fault{On: "status", Do: "hang"}, sandbox.Fault{On: "duckdns", Do: "hang"}, sandbox.Fault{On: "resolver:1.1.1.1", Do: "hang"},
			sandbox.Fault{On: "resolver:8.8.8.8", Do: "hang"}, sandbox.Fault{On: "resolver:9.9.9.9", Do: "hang"}), exit: 9},
	}
}
