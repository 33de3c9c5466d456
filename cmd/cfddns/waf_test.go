package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/cfclient"
	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
)

// newOffice is Cloudflare's side with one zone, and what commands need to reach it.
func newOffice(t *testing.T) (*sandbox.Sandbox, *parts, ddns.Zone) {
	t.Helper()
	world, err := sandbox.Start(sandbox.Config{Zones: []sandbox.SeedZone{{Name: "example.com", Records: []sandbox.SeedRecord{
		{Type: "A", Name: "api.example.com", Content: "45.67.89.10", Proxied: true}}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	p := &parts{client: cfclient.New(cfclient.Config{Token: ddns.NewSecret(world.Info().Token), World: world.World()})}
	t.Cleanup(p.client.CloseIdle)
	zones, err := p.client.Zones(t.Context())
	if err != nil || len(zones) != 1 {
		t.Fatal(zones, err)
	}
	return world, p, zones[0]
}

func TestWhatIsSkippedFollowsFromWhatStoppedTheHost(t *testing.T) {
	host := netip.MustParseAddr("45.67.89.99")
	mine := ddns.Rule{ID: "r1", Description: "no bots", Action: "managed_challenge", Enabled: true}
	tests := []struct {
		name   string
		events []sandbox.Event
		had    []string
		custom bool
		want   []string
		says   string
	}{
		{"nothing was seen", nil, nil, false, []string{"securityLevel"}, ""},
		{"the browser check", []sandbox.Event{{Source: "bic", Action: "block"}}, nil, false, []string{"bic"}, "stopped in the last 24 hours by bic 1×"},
		{"what the rule skips already stays", []sandbox.Event{{Source: "bic", Action: "block"}}, []string{"securityLevel"}, false, []string{"bic", "securityLevel"}, "bic 1×"},
		{"a rule of the user's own is named, and not skipped", []sandbox.Event{{Source: "firewallCustom", Action: "block", RuleID: "r1"}}, nil, false, []string{"securityLevel"}, "(no bots): it is not skipped unless you say --include-custom"},
		{"unless it is asked for", []sandbox.Event{{Source: "firewallCustom", Action: "block", RuleID: "r1"}}, nil, true, []string{"custom"}, ""},
		{"Bot Fight Mode cannot be skipped", []sandbox.Event{{Source: "botFight", Action: "managed_challenge"}}, nil, false, []string{"securityLevel"}, "switch it off"},
		{"somebody else's events are no evidence", []sandbox.Event{{Source: "bic", Action: "block", Client: netip.MustParseAddr("45.67.89.1")}}, nil, false, []string{"securityLevel"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			world, p, zone := newOffice(t)
			now := time.Now()
			for _, e := range tt.events {
				if e.At, e.Host = now.Add(-time.Hour), "api.example.com"; !e.Client.IsValid() {
					e.Client = host
				}
				if err := world.AddEvent(e); err != nil {
					t.Fatal(err)
				}
			}
			w := ddns.WayIn{Name: "backup"}
			notes := p.judge(t.Context(), &w, evidenceOf{zone: zone, set: ddns.RuleSet{Rules: []ddns.Rule{mine}}, asked: []netip.Addr{host, host}, had: tt.had, custom: tt.custom}, now)
			if !slices.Equal(w.Skips, tt.want) || !strings.Contains(strings.Join(notes, "; "), tt.says) {
				t.Errorf("skips %q, notes %q", w.Skips, notes)
			}
		})
	}
}

func TestEventsThatCannotBeSeenAreSaidAndHinderNothing(t *testing.T) {
	world, p, zone := newOffice(t)
	world.AddFault(sandbox.Fault{On: "analytics", Do: "500"})
	w := ddns.WayIn{Name: "backup"}
	notes := p.judge(t.Context(), &w, evidenceOf{zone: zone, asked: []netip.Addr{netip.MustParseAddr("45.67.89.99")}}, time.Now())
	if !slices.Equal(w.Skips, []string{"securityLevel"}) || len(notes) != 1 || !strings.Contains(notes[0], "could not be seen") {
		t.Errorf("skips %q, notes %q", w.Skips, notes)
	}
}

func TestUnderAttackGoesBackToTheLevelBefore(t *testing.T) {
	world, p, zone := newOffice(t)
	p.config.State = t.TempDir()
	if err := p.client.SetSecurityLevel(t.Context(), zone, "high"); err != nil {
		t.Fatal(err)
	}
	on := func(string) string { return cfclient.UnderAttack }
	if r := setLevel(t.Context(), p, zone, on); r.State != ddns.Changed || r.Before != "high" || !r.UnderAttack {
		t.Errorf("on: %+v", r)
	}
	if r := setLevel(t.Context(), p, zone, on); r.State != ddns.Right {
		t.Errorf("on again: %+v", r)
	}
	if r := setLevel(t.Context(), p, zone, p.levelBefore(zone)); r.State != ddns.Changed || r.Level != "high" {
		t.Errorf("off: %+v", r)
	}
	if r := setLevel(t.Context(), p, zone, p.levelBefore(zone)); r.State != ddns.Right || r.Level != "high" {
		t.Errorf("off again: %+v", r)
	}
	// Done, and reported as failed: settled by reading.
	world.AddFault(sandbox.Fault{On: "settings", Do: "done-but-500", Every: 2, Times: 1})
	if r := setLevel(t.Context(), p, zone, on); r.State != ddns.Changed {
		t.Errorf("on, reported as failed: %+v", r)
	}
	p.config.State = ""
	if r := setLevel(t.Context(), p, zone, p.levelBefore(zone)); r.Level != "medium" {
		t.Errorf("off, with nothing remembered: %+v", r)
	}
}

func TestChallengesInSpiteOfTheLevelAreShown(t *testing.T) {
	world, p, zone := newOffice(t)
	a := &app{clock: time.Now}
	if r := a.levelStatus(t.Context(), p, zone); r.Challenged != 0 || r.UnderAttack || r.Why != "" {
		t.Errorf("got %+v", r)
	}
	event := sandbox.Event{At: time.Now().Add(-time.Minute), Source: "securitylevel", Action: "managed_challenge", Host: "api.example.com", Path: "/admin", Client: netip.MustParseAddr("45.67.89.1")}
	if err := world.AddEvent(event); err != nil {
		t.Fatal(err)
	}
	if r := a.levelStatus(t.Context(), p, zone); r.Challenged != 1 || !strings.Contains(r.Why, "api.example.com/admin, although the zone's level is medium") || !strings.Contains(r.Hint, "Configuration Rule") {
		t.Errorf("got %+v", r)
	}
}

func TestTheLinesForTheConfigurationKeepWhatWasAllowed(t *testing.T) {
	tests := []struct {
		name  string
		flags allowFlags
		skips []string
		want  string
	}{
		{"this home", allowFlags{hosts: []string{"a.example.com", "b.example.com"}, self: true}, []string{"bic", "securityLevel"},
			"198.51.100.7 → a.example.com, b.example.com, past Under Attack mode and the security level, the browser integrity check"},
		{"two addresses and this home, for a while, in a zone of its own", allowFlags{hosts: []string{"a.example.com"}, addresses: []string{"198.51.100.8", "2001:db8:1:2::9"}, self: true, until: "2099-12-31", zone: "example.com"}, []string{"securityLevel"},
			"198.51.100.7, 198.51.100.8, 2001:db8:1:2::/64 → a.example.com, past Under Attack mode and the security level, until 2100-01-01T00:00:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "c.yaml")
			if err := os.WriteFile(path, []byte("ip:\n  sources: [default]\n"+tt.flags.configLines("here", tt.skips)), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg, _, err := configs.Load(path, nil)
			if err != nil || len(cfg.WaysIn()) != 1 {
				t.Fatalf("%v\n%s", err, tt.flags.configLines("here", tt.skips))
			}
			k := cfg.WaysIn()[0]
			if k.Self {
				k.Addresses = append(k.Addresses, netip.MustParsePrefix("198.51.100.7/32"))
			}
			if got := k.String(); got != tt.want || k.Zone != tt.flags.zone {
				t.Errorf("it is kept as %s in %q", got, k.Zone)
			}
		})
	}
}
