package configs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
)

func TestWaysInAreReadAsTheyAreMeant(t *testing.T) {
	path := write(t, "c.yaml", `
waf:
  allow:
    - {name: backup, hosts: [API.example.com., files.example.com], address: 198.51.100.7, until: 2026-12-31}
    - {name: monitor, zone: example.com, hosts: [www.example.com], address: monitor.example.net, until: "2026-12-31T18:00:00+01:00"}
    - {name: here, hosts: [api.example.com], address: self, products: [securityLevel, bic]}
    - {name: six, hosts: [api.example.com], address: "2001:db8:1:2:3::4"}
    - {name: office, hosts: [api.example.com], address: 198.51.100.128/28}
    - {name: both, hosts: [api.example.com], address: "198.51.100.7,  2001:db8:1:2:3::4, self"}
`)
	c, warnings, err := configs.Load(path, nil)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	if err := c.NeedRecords(); err != nil {
		t.Errorf("ways in alone are something to keep: %v", err)
	}
	if families := c.Roster("").Families; len(families) != 1 || families[0] != ddns.IPv4 {
		t.Errorf("for self the address must be learnt: %v", families)
	}
	var got []string
	for _, k := range c.WaysIn() {
		line := k.Name + ": " + k.String()
		if k.Self {
			line += " (self)"
		}
		got = append(got, strings.TrimSpace(line+" "+k.From+" "+k.Zone))
	}
	want := []string{
		"backup: 198.51.100.7 → api.example.com, files.example.com, past Under Attack mode and the security level, until 2027-01-01T00:00:00Z",
		"monitor:  → www.example.com, past Under Attack mode and the security level, until 2026-12-31T17:00:00Z monitor.example.net example.com",
		"here:  → api.example.com, past Under Attack mode and the security level, the browser integrity check (self)",
		"six: 2001:db8:1:2::/64 → api.example.com, past Under Attack mode and the security level",
		"office: 198.51.100.128/28 → api.example.com, past Under Attack mode and the security level",
		"both: 198.51.100.7, 2001:db8:1:2::/64 → api.example.com, past Under Attack mode and the security level (self)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ways in (-want +got):\n%s", diff)
	}
}

func TestADayIsReadInEveryFormat(t *testing.T) {
	for name, until := range map[string]string{
		"c.toml": "[[waf.allow]]\nname = \"backup\"\nhosts = [\"api.example.com\"]\naddress = \"198.51.100.7\"\nuntil = 2026-12-31\n",
		"c.json": `{"waf": {"allow": [{"name": "backup", "hosts": ["api.example.com"], "address": "198.51.100.7", "until": "2026-12-31"}]}}`,
		"c.yaml": "waf: {allow: [{name: backup, hosts: [api.example.com], address: 198.51.100.7, until: 2026-12-31}]}\n",
	} {
		c, _, err := configs.Load(write(t, name, until), nil)
		if err != nil || len(c.WAF.Allow) != 1 || c.WAF.Allow[0].Until.Format(time.RFC3339) != "2027-01-01T00:00:00Z" {
			t.Errorf("%s: %v, %v", name, c.WAF, err)
		}
	}
}

func TestADayLastsUntilItsMidnight(t *testing.T) {
	for text, want := range map[string]string{
		"2026-12-31":                "2027-01-01T00:00:00Z",
		"2026-12-31T23:00:00Z":      "2026-12-31T23:00:00Z",
		"2026-12-31T23:00:00-01:00": "2027-01-01T00:00:00Z",
	} {
		if got, err := configs.ParseUntil(text); err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%s: %v, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "tomorrow", "2026-02-30", "2026-12-31 18:00"} {
		if got, err := configs.ParseUntil(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestWaysInDoNotFitIntoAVariable(t *testing.T) {
	if _, _, err := configs.Load("", []string{"CFDDNS_WAF_ALLOW=backup"}); err == nil || !strings.Contains(err.Error(), "CFDDNS_WAF_ALLOW") {
		t.Errorf("got %v", err)
	}
}
