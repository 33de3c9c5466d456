package sandbox

const controlHelp = `The world of this sandbox, as JSON over HTTP. What is absent from a body stays as it is.

GET    /world      records, rules, events so far, API calls made, addresses, switches, faults
POST   /wan        {"ipv4":"45.67.89.11","ipv6":""}   the home's addresses; "" takes a family away
POST   /home       {"hairpin":false}                  whether the home reaches itself by its public address
POST   /router     {"cgnat":true}                     the home's router as a whole: cgnat, double_nat, off (it answers nothing),
                   empty (it names no address, as many do behind CGNAT), wan (another address for it to name); {} is well
POST   /duckdns    {"up":false}                       takes Duck DNS down, or brings it back
                   {"host":"other","addresses":["45.67.90.5"]}   what other.duckdns.org answers
POST   /zones      {"name":"example.com","paused":true,"status":"pending","type":"partial","delegation":["ns1.other.net"]}
                   delegation: the nameservers that the registrar has; [] = Cloudflare's again
POST   /security   {"under_attack":true}              switches Under Attack mode
                   {"under_attack_path":"/api/"}      the same by a Configuration Rule, for one path
                   {"bic":true}                       Browser Integrity Check: blocks what is no browser
                   {"bot_fight":true}                 Bot Fight Mode: challenges what is no browser; no rule skips it
                   {"managed_rule":"http.request.uri.path contains \"/wp-\""}   a managed rule that blocks
                   {"flood":20}                       an HTTP DDoS rule: more requests than that of one client in
                                                      ten seconds are challenged; no rule skips it
POST   /history    {"events":[{"at":"2026-11-24T03:00:00Z","action":"managed_challenge","source":"securitylevel","client":"45.90.28.4",
                   "host":"www.example.com","method":"GET","path":"/","user_agent":"","rule_id":"","status":403}],
                   "minutes":[{"at":"2026-11-24T03:00:00Z","host":"www.example.com","status":530,"requests":12}]}
                   adds to what the analytics of the zones remember
POST   /status     {"incidents":[{"name":"DNS trouble","status":"investigating","impact":"major","components":["Authoritative DNS"]}]}
                   what www.cloudflarestatus.com tells; [] = all is well
POST   /resolvers  {"flush":true}                     the public resolvers forget what they remember
                   {"pass":"30m"}                     lets that time pass for what they remember
POST   /faults     {"on":"batch","do":"500","value":"","times":1,"every":0,"at":""}   one, or a list of them
                   times 0 = until cleared; every 3 = every third time; at = one address or name of several (edge, dns, duckdns)
DELETE /faults     makes everything well again
POST   /tokens     {"value":"","status":"active","read_only":false,"zones":["example.com"],"expires_on":"2030-01-01T00:00:00Z",
                   "permissions":["zone:read","dns:read","dns:edit","settings:read","settings:edit","waf:read","waf:edit","analytics:read"]}
                   what a token may do; value "" is the sandbox's own, another is added; zones or permissions absent = all

The edge takes whoever asks over loopback for the home; the header "` + clientHeader + `: ADDRESS" names another client.

on: api (any call of the API); zones, list, create, edit, delete, batch, verify, usage, settings, rules, analytics, accounts,
    user, ips (those calls); dns (the nameservers); edge; origin; duckdns; status; echo:NAME (NAME as in the first line);
    resolver:ADDRESS (1.1.1.1, 8.8.8.8, 9.9.9.9, 208.67.222.222)
do, everywhere:
    500            an error of the server; of DNS, SERVFAIL
    429            too many calls (value = seconds of Retry-After); of DNS, REFUSED; of STUN, an error
    hang           no answer
    drop           the connection is cut before anything is done
    html           an error page of the edge, 502
    done-but-500   done, and reported as failed; of what only reads, the same as 500
    lie            value = what is said: an address on dns, duckdns and resolver, anything on echo:NAME;
                   a page of somebody else on the others
    portal         the page of a hotel's network, 200
    huge           a body without end
    Where an answer has no pages, as in DNS, html, portal and huge are SERVFAIL, and silence in STUN.
do, in some places:
    done-but-drop  api and its calls: done, and the answer lost
    refused        dns, duckdns, resolver: REFUSED
    servfail       resolver: SERVFAIL
    stale          duckdns: answers where the home was long ago (value = the address)
    error          edge: an error of Cloudflare's (value = 1000, 1001, 1006, 1009, 1010, 1014, 1015, 1016, 1020, 1033, 1034, 500, 502, 504, 520 to 526)
    challenge      edge, echo:NAME: a puzzle for browsers
    redirect       edge, echo:NAME: to a login page
    refuse         origin: the connection is refused (521)
    hang           origin: no answer (524); value connect = not even a connection (522)
    unreachable    origin: no route (523)
    no-tls, bad-cert, expired-cert   origin: no handshake (525), a certificate of nobody known, an old one (526)
    garbage        origin: what is no HTTP (520)
    slow           origin: value = milliseconds; beyond half a second the edge gives up (524)
    403, 404       origin: its own, 403 for all but browsers
    twice, private, wrong-family   echo:NAME: two addresses, a private one, one of the other family
`
