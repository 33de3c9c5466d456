package cfclient

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/sandbox"
)

// startSandbox starts the fake Cloudflare with a hop to Duck DNS in its zone,
// and a client that talks to it as to the real one: by TLS, under its name.
func startSandbox(t *testing.T) (*sandbox.Sandbox, *Client, ddns.Zone) {
	t.Helper()
	s, err := sandbox.Start(sandbox.Config{Zones: []sandbox.SeedZone{{Name: "example.com", Plan: "free", Records: []sandbox.SeedRecord{
		{Type: "CNAME", Name: "www.example.com", Content: "myhome.duckdns.org", Proxied: true},
		{Type: "A", Name: "home.example.com", Content: "45.67.89.10", TTL: 60, Comment: "mine"},
		{Type: "TXT", Name: "example.com", Content: "v=spf1 ip4:45.67.89.10 -all"},
		{Type: "MX", Name: "example.com", Content: "home.example.com"},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	c := New(Config{Token: ddns.NewSecret(s.Info().Token), World: s.World(), Timeout: time.Minute})
	t.Cleanup(c.CloseIdle)
	zones, err := c.Zones(t.Context())
	if err != nil || len(zones) != 1 || zones[0].Name != "example.com" {
		t.Fatalf("zones %+v, %v", zones, err)
	}
	return s, c, zones[0]
}

// at lists the records at a name.
func at(t *testing.T, c *Client, zone ddns.Zone, name string) []ddns.Record {
	t.Helper()
	listing, err := c.Records(t.Context(), zone, []string{name})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(listing.Records, func(r ddns.Record) bool { return r.Name != name })
}

func TestSandboxRoundTrip(t *testing.T) {
	s, c, zone := startSandbox(t)
	if zone.Plan != "free" || zone.Status != "active" || zone.AccountID == "" || len(zone.NameServers) != 2 {
		t.Errorf("zone %+v", zone)
	}
	if token, err := c.VerifyToken(t.Context(), zone.AccountID); err != nil || token.Status != "active" {
		t.Errorf("token %+v, %v", token, err)
	}
	if quota, err := c.Quota(t.Context(), zone); err != nil || quota != (Quota{Used: 4, Limit: 200}) {
		t.Errorf("quota %+v, %v", quota, err)
	}
	if holding, err := c.Holding(t.Context(), zone, "45.67.89.10"); err != nil || len(holding) != 2 {
		t.Errorf("holding %+v, %v", holding, err)
	}
	hop, home := at(t, c, zone, "www.example.com")[0], at(t, c, zone, "home.example.com")[0]
	if hop.Type != "CNAME" || !hop.Proxied || home.Comment != "mine" {
		t.Errorf("records %+v, %+v", hop, home)
	}

	edge := Edge{World: s.World(), Address: s.Info().Edge[len("http://"):]}
	s.SetDuckDNS(false)
	answer, err := edge.Look(t.Context(), "www.example.com", netip.AddrPort{})
	if err != nil || answer.CloudflareError != 1016 || answer.Status != 530 {
		t.Errorf("behind a dark hop the edge says %+v, %v", answer, err)
	}

	batch := ddns.Batch{
		Deletes: []string{hop.ID},
		Patches: []ddns.Patch{{ID: home.ID, Content: ptr("45.67.89.11")}},
		Posts:   []ddns.Record{{Name: "www.example.com", Type: "A", Content: "45.67.89.11", Proxied: true, TTL: 1}},
	}
	result, err := c.Batch(t.Context(), zone, batch)
	if err != nil || result.Deleted[0].Content != "myhome.duckdns.org" || result.Patched[0].Comment != "mine" || result.Posted[0].ID == "" {
		t.Fatalf("batch %+v, %v", result, err)
	}
	if answer, err := edge.Look(t.Context(), "www.example.com", netip.AddrPort{}); err != nil || answer.CloudflareError == 1016 {
		t.Errorf("after the change the edge says %+v, %v", answer, err)
	}
	touched, err := c.Touch(t.Context(), zone, result.Posted[0])
	if err != nil || touched.Content != "45.67.89.11" {
		t.Errorf("touched %+v, %v", touched, err)
	}
	_, err = c.Batch(t.Context(), zone, batch)
	wantKind(t, err, ddns.Conflict)
	_, err = c.Batch(t.Context(), zone, ddns.Batch{Posts: []ddns.Record{{Name: "www.example.com", Type: "CNAME", Content: "x.duckdns.org"}}})
	wantKind(t, err, ddns.Conflict)
	_, err = c.Batch(t.Context(), zone, ddns.Batch{Patches: []ddns.Patch{{ID: home.ID, TTL: ptr(7)}}})
	wantKind(t, err, ddns.Rejected)

	wrong := New(Config{Token: ddns.NewSecret("cfut_wrong"), World: s.World()})
	defer wrong.CloseIdle()
	_, err = wrong.Zones(t.Context())
	wantKind(t, err, ddns.TokenRefused)
}

func TestSandboxInBadWeather(t *testing.T) {
	tests := []struct {
		name, on, do string
		read, write  ddns.Kind // Unexpected: no error
		done         bool      // the write is done all the same
	}{
		{"done, and reported as failed", "batch", "done-but-500", ddns.Unexpected, ddns.Uncertain, true},
		{"a 500 of the batch", "batch", "500", ddns.Unexpected, ddns.Uncertain, false},
		{"a limit", "batch", "429", ddns.Unexpected, ddns.Limited, false},
		{"a page in place of an answer", "batch", "html", ddns.Unexpected, ddns.Uncertain, false},
		{"a batch that hangs", "batch", "hang", ddns.Unexpected, ddns.Uncertain, false},
		{"a batch that is dropped", "batch", "drop", ddns.Unexpected, ddns.Uncertain, false},
		{"a list that is dropped", "list", "drop", ddns.Unreachable, ddns.Unexpected, true},
		{"a list that hangs", "list", "hang", ddns.Unreachable, ddns.Unexpected, true},
		{"a list that is a page", "list", "html", ddns.Unreachable, ddns.Unexpected, true},
		{"a list that fails", "list", "500", ddns.Unreachable, ddns.Unexpected, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, c, zone := startSandbox(t)
			home := at(t, c, zone, "home.example.com")[0]
			if tt.do == "hang" {
				c = withTimeout(c, 2*time.Second)
			}
			s.AddFault(sandbox.Fault{On: tt.on, Do: tt.do})
			_, err := c.Records(t.Context(), zone, []string{"home.example.com"})
			check := func(err error, want ddns.Kind) {
				t.Helper()
				if want != ddns.Unexpected {
					wantKind(t, err, want)
				} else if err != nil {
					t.Error(err)
				}
			}
			check(err, tt.read)
			_, err = c.Batch(t.Context(), zone, ddns.Batch{Patches: []ddns.Patch{{ID: home.ID, Content: ptr("45.67.89.99")}}})
			check(err, tt.write)
			s.ClearFaults()
			c = New(Config{Token: ddns.NewSecret(s.Info().Token), World: s.World()})
			defer c.CloseIdle()
			if done := at(t, c, zone, "home.example.com")[0].Content == "45.67.89.99"; done != tt.done {
				t.Errorf("done %v, want %v", done, tt.done)
			}
		})
	}
}

// What a large zone is used to shows in one proxied record and in those that are DNS-only.
func TestHabitOfALargeZone(t *testing.T) {
	_, c, zone := startSandbox(t)
	records, err := c.Habit(t.Context(), zone)
	if err != nil || len(records) != 3 || records[2].Content != "home.example.com" || records[0].Name != "www.example.com" || !records[0].Proxied || records[1].Name != "home.example.com" || records[1].Proxied {
		t.Errorf("%+v, %v", records, err)
	}
	www := at(t, c, zone, "www.example.com")[0]
	hidden := false
	if _, err := c.Batch(t.Context(), zone, ddns.Batch{Patches: []ddns.Patch{{ID: www.ID, Proxied: &hidden}}}); err != nil {
		t.Fatal(err)
	}
	if records, err := c.Habit(t.Context(), zone); err != nil || records == nil || len(records) != 0 {
		t.Errorf("a zone that proxies nothing: %+v, %v", records, err)
	}
}
