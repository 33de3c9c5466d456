package sandbox

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

const scriptHost = "45.90.28.4"

// visitorFrom is an HTTP client on another machine.
func visitorFrom(t testing.TB, s *Sandbox, client string) *http.Client {
	t.Helper()
	return clientOf(t, s.WorldFrom(netip.MustParseAddr(client)), "tcp4")
}

// rulesOf gives a zone these custom rules, as the API would.
func rulesOf(t testing.TB, s *Sandbox, rules ...string) {
	t.Helper()
	r := request("PUT", zonePath(s, entrypointPath), `{"rules":[`+strings.Join(rules, ",")+`]}`)
	r.Header.Set("Authorization", "Bearer "+s.token)
	if got := send(t, s, r); got.Status != 200 {
		t.Fatal(got.Raw)
	}
}

func skipOf(parameters string) string {
	return fmt.Sprintf(`{"action":"skip","expression":"ip.src eq %s","action_parameters":%s,"logging":{"enabled":true}}`, scriptHost, parameters)
}

// TestWhoGetsPastTheDefences tells what a script host gets, and why.
func TestWhoGetsPastTheDefences(t *testing.T) {
	t.Parallel()
	const url = "https://www.example.com/api/x"
	attack := func(s *Sandbox) { s.SetUnderAttack(true) }
	with := func(d Defences) func(*Sandbox) {
		return func(s *Sandbox) {
			if err := s.SetDefences(d); err != nil {
				panic(err)
			}
		}
	}
	block := `{"action":"block","expression":"http.host eq \"www.example.com\""}`
	challengeRule := `{"action":"managed_challenge","expression":"true"}`
	for _, c := range []struct {
		name   string
		set    func(*Sandbox)
		rules  []string
		want   string // status, and cf-mitigated or cf-error-type
		events string // action and source of each
	}{
		{"nothing stands in the way", func(*Sandbox) {}, nil, "200", ""},
		{"Under Attack mode challenges", attack, nil, "403 challenge", "jschallenge securitylevel"},
		{"a skip of the security level lets in", attack, []string{skipOf(`{"products":["securityLevel"]}`)}, "200", "skip firewallCustom"},
		{"a skip of another product does not", attack, []string{skipOf(`{"products":["bic"]}`)}, "403 challenge", "skip firewallCustom, jschallenge securitylevel"},
		{"a skip for another address does not", attack, []string{`{"action":"skip","expression":"ip.src eq 1.2.3.4","action_parameters":{"products":["securityLevel"]}}`}, "403 challenge", "jschallenge securitylevel"},
		{"a rule that is switched off does not", attack, []string{`{"enabled":false,"action":"skip","expression":"true","action_parameters":{"products":["securityLevel"]}}`}, "403 challenge", "jschallenge securitylevel"},
		{"a block before the skip ends the visit", attack, []string{block, skipOf(`{"products":["securityLevel"]}`)}, "403 1020", "block firewallCustom"},
		{"a block after the skip does too", attack, []string{skipOf(`{"products":["securityLevel"]}`), block}, "403 1020", "skip firewallCustom, block firewallCustom"},
		{"a skip of the remaining rules passes the block", attack, []string{skipOf(`{"ruleset":"current","products":["securityLevel"]}`), block}, "200", "skip firewallCustom"},
		{"a skip of the remaining rules alone does not pass the security level", attack, []string{skipOf(`{"ruleset":"current"}`), block}, "403 challenge", "skip firewallCustom, jschallenge securitylevel"},
		{"a rule challenges", func(*Sandbox) {}, []string{challengeRule}, "403 challenge", "managed_challenge firewallCustom"},
		{"Under Attack for a path", with(Defences{UnderAttackPath: "/api/"}), nil, "403 challenge", "jschallenge securitylevel"},
		{"Under Attack for another path", with(Defences{UnderAttackPath: "/wp/"}), nil, "200", ""},
		{"the Browser Integrity Check", with(Defences{BIC: true}), nil, "403 1010", "block bic"},
		{"the Browser Integrity Check skipped", with(Defences{BIC: true}), []string{skipOf(`{"products":["bic"]}`)}, "200", "skip firewallCustom"},
		{"Bot Fight Mode", with(Defences{BotFight: true}), nil, "403 challenge", "managed_challenge botFight"},
		{"Bot Fight Mode cannot be skipped", with(Defences{BotFight: true}), []string{skipOf(`{"ruleset":"current","products":["bic","securityLevel","waf","hot"],"phases":["http_request_sbfm"]}`)}, "403 challenge", "skip firewallCustom, managed_challenge botFight"},
		{"a managed rule", with(Defences{ManagedRule: `http.request.uri.path contains "/api"`}), nil, "403", "block firewallManaged"},
		{"a managed rule skipped by its phase", with(Defences{ManagedRule: `ssl`}), []string{skipOf(`{"phases":["http_request_firewall_managed"]}`)}, "200", "skip firewallCustom"},
		{"a managed rule skipped by product", with(Defences{ManagedRule: `ssl`}), []string{skipOf(`{"products":["waf"]}`)}, "200", "skip firewallCustom"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := settled(t, homeZone(SeedRecord{Type: "A", Name: "www", Content: "45.67.89.10", Proxied: true}))
			c.set(s)
			rulesOf(t, s, c.rules...)
			p := get(t, visitorFrom(t, s, scriptHost), url)
			got := strings.TrimSpace(fmt.Sprint(p.status, " ", p.header.Get("Cf-Mitigated"), p.header.Get("Cf-Error-Type")))
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			var events []string
			for _, e := range s.Events() {
				events = append(events, e.Action+" "+e.Source)
				if e.Client.String() != scriptHost || e.Host != "www.example.com" || e.Path != "/api/x" || e.Method != "GET" || e.Status != p.status {
					t.Errorf("event %+v", e)
				}
			}
			if got := strings.Join(events, ", "); got != c.events {
				t.Errorf("events: %s, want %s", got, c.events)
			}
		})
	}
}

func TestBrowsersPassWhatIsForMachines(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone(SeedRecord{Type: "A", Name: "www", Content: "45.67.89.10", Proxied: true}))
	if err := s.SetDefences(Defences{BIC: true, BotFight: true}); err != nil {
		t.Fatal(err)
	}
	if p := get(t, visitor(t, s, "tcp4"), "https://www.example.com/", "User-Agent", "Mozilla/5.0 (X11)"); p.status != 200 {
		t.Errorf("%+v", p)
	}
}

func TestAFloodIsChallengedAndOthersAreNot(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone(SeedRecord{Type: "A", Name: "www", Content: "45.67.89.10", Proxied: true}))
	if err := s.SetDefences(Defences{Flood: 3}); err != nil {
		t.Fatal(err)
	}
	rulesOf(t, s, skipOf(`{"ruleset":"current","products":["securityLevel"]}`))
	script := visitorFrom(t, s, scriptHost)
	var got []int
	for range 5 {
		got = append(got, get(t, script, "https://www.example.com/").status)
	}
	if fmt.Sprint(got) != "[200 200 200 403 403]" {
		t.Errorf("got %v", got)
	}
	if p := get(t, visitor(t, s, "tcp4"), "https://www.example.com/"); p.status != 200 {
		t.Errorf("the home: %+v", p)
	}
	events := s.Events()
	if last := events[len(events)-1]; last.Source != "l7ddos" || last.Client.String() != scriptHost {
		t.Errorf("last event %+v", last)
	}
}

func TestClientsHaveAddresses(t *testing.T) {
	t.Parallel()
	cfg := homeZone(SeedRecord{Type: "A", Name: "www", Content: "45.67.89.10", Proxied: true})
	cfg.IPv6 = wan6
	s := settled(t, cfg)
	for client, want := range map[string]string{scriptHost: "tcp4", "2a00:1450::7": "tcp6"} {
		world := s.WorldFrom(netip.MustParseAddr(client))
		for _, url := range []string{"https://api64.ipify.org/", "https://icanhazip.com/", "https://www.cloudflare.com/cdn-cgi/trace", "https://www.example.com/cdn-cgi/trace"} {
			if p := get(t, clientOf(t, world, want), url); !strings.Contains(p.body, client) {
				t.Errorf("%s from %s: %q", url, client, p.body)
			}
		}
		other := map[string]string{"tcp4": "tcp6", "tcp6": "tcp4"}[want]
		if _, err := world.Dial(t.Context(), other, "api64.ipify.org:443"); err == nil {
			t.Errorf("%s dialled %s", client, other)
		}
	}
	rulesOf(t, s, `{"action":"block","expression":"ip.src in {45.90.28.0/24}"}`)
	request, err := http.NewRequest(http.MethodGet, s.Info().Edge+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "www.example.com"
	for _, client := range []string{"", scriptHost} {
		request.Header.Set("CF-Sandbox-Client", client)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if blocked := answer.StatusCode == 403; blocked != (client != "") {
			t.Errorf("over loopback from %q: %d", client, answer.StatusCode)
		}
	}
}

func TestHowAConnectionCameAboutIsForgottenWithIt(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone(SeedRecord{Type: "A", Name: "www", Content: "45.67.89.10", Proxied: true}))
	world := s.WorldFrom(netip.MustParseAddr(scriptHost))
	for network, address := range map[string]string{"tcp4": "www.example.com:443", "udp4": "stun.l.google.com:19302"} {
		conn, err := world.Dial(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		end := conn.LocalAddr()
		if one, ok := s.ways.of(end.Network(), end.String()); !ok || one.from.String() != scriptHost {
			t.Errorf("%s: open, it is known as %+v, %t", network, one, ok)
		}
		conn.Close()
		if one, ok := s.ways.of(end.Network(), end.String()); ok {
			t.Errorf("%s: closed, it is still known as %+v", network, one)
		}
	}
}
