package doctor

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// remembers makes Cloudflare remember n requests a minute from one time to
// another, in minutes before now.
func (e *Evidence) remembers(from, to, status, n int) {
	e.Minutes.Known = true
	for m := from; m > to; m-- {
		e.Minutes.Value = append(e.Minutes.Value, ddns.MinuteStatus{At: e.At.Add(-time.Duration(m) * time.Minute), Host: host, Status: status, Requests: n})
	}
}

func (e *Evidence) turnedAwayThen(source, client string, ago int) {
	e.Events = Known(append(e.Events.Value, ddns.SecurityEvent{At: e.At.Add(-time.Duration(ago) * time.Minute), Action: "managed_challenge", Source: source, Client: netip.MustParseAddr(client), Host: host}))
}

// A time in the night, in minutes before now.
func (e *Evidence) then(from, to int) Stretch {
	return Stretch{e.At.Add(-time.Duration(from) * time.Minute), e.At.Add(-time.Duration(to) * time.Minute)}
}

func TestWhoItWasInTheNight(t *testing.T) {
	tests := []struct {
		name    string
		shape   shape
		was     func(e *Evidence)
		suspect Suspect
		says    string
	}{
		{"530 while the journal says that the host was dark", proxiedA, func(e *Evidence) {
			e.remembers(120, 60, 530, 4)
			e.Past.Value.Hops = []HopNight{{duckHost, e.then(125, 55)}}
		}, DDNSHost, "myhome.duckdns.org did not answer"},
		{"530 until the CNAME was replaced", proxiedA, func(e *Evidence) {
			e.remembers(120, 60, 530, 4)
			e.Past.Value.Replaced = []Replaced{{host, duckHost, e.At.Add(-time.Hour)}}
		}, DDNSHost, "it was Duck DNS: the name led to myhome.duckdns.org until 00:30 UTC"},
		{"530 after the CNAME was replaced", proxiedA, func(e *Evidence) {
			e.remembers(120, 60, 530, 4)
			e.Past.Value.Replaced = []Replaced{{host, duckHost, e.At.Add(-5 * time.Hour)}}
		}, "", "cannot be told"},
		{"530 of a name that still hops", proxiedHop, func(e *Evidence) { e.remembers(120, 60, 530, 4) }, DDNSHost, "it was Duck DNS"},
		{"530 of a name with an address, and nothing is remembered", proxiedA, func(e *Evidence) { e.remembers(120, 60, 530, 4) }, "", "cannot be told"},
		{"522 while the address changed", proxiedA, func(e *Evidence) {
			e.remembers(120, 117, 522, 4)
			e.Past.Value.Moves = []Stretch{e.then(121, 116)}
		}, Record, "address changed"},
		{"522 while the home was without a line", proxiedA, func(e *Evidence) {
			e.remembers(120, 60, 522, 4)
			e.Past.Value.Offline = []Stretch{e.then(121, 59)}
		}, Router, "own line"},
		{"521 between pages that were served", proxiedA, func(e *Evidence) {
			e.remembers(180, 120, 200, 4)
			e.remembers(120, 60, 521, 4)
			e.remembers(60, 0, 200, 4)
		}, Origin, "it refused connections"},
		{"522 between pages that were served", proxiedA, func(e *Evidence) {
			e.remembers(180, 120, 200, 4)
			e.remembers(120, 60, 522, 4)
			e.remembers(60, 0, 200, 4)
		}, "", "the server, the router or the line"},
		{"526", proxiedA, func(e *Evidence) { e.remembers(120, 60, 526, 4) }, Origin, "certificate"},
		{"502 that nobody signed", proxiedA, func(e *Evidence) { e.remembers(120, 60, 502, 4) }, "", "Cloudflare or the server"},
		{"403 by the security level", proxiedA, func(e *Evidence) {
			e.remembers(120, 60, 403, 4)
			e.turnedAwayThen("securitylevel", "46.4.100.4", 90)
		}, Security, "turned 46.4.100.4 away"},
		{"403 by the DDoS rules", proxiedA, func(e *Evidence) {
			e.remembers(120, 60, 403, 4)
			e.turnedAwayThen("l7ddos", "46.4.100.4", 90)
		}, Client, "it was 46.4.100.4, which asked too often"},
		{"403 whose events are of another time", proxiedA, func(e *Evidence) {
			e.remembers(120, 60, 403, 4)
			e.turnedAwayThen("l7ddos", "46.4.100.4", 10)
		}, "", "events do not say"},
		{"a few scanners are refused among many pages", proxiedA, func(e *Evidence) {
			e.remembers(120, 60, 403, 1)
			e.remembers(120, 60, 200, 50)
		}, "", "no visitor failed"},
		{"530, and then 403", proxiedA, func(e *Evidence) {
			e.remembers(180, 60, 530, 4)
			e.remembers(60, 30, 403, 4)
			e.Past.Value.Hops = []HopNight{{duckHost, e.then(185, 55)}}
			e.turnedAwayThen("securitylevel", "46.4.100.4", 45)
		}, DDNSHost, "; then from 00:30 to 01:00 UTC (403) it was Cloudflare's security"},
		{"nothing was asked", proxiedA, func(e *Evidence) { e.Minutes = Known[[]ddns.MinuteStatus](nil) }, "", "remembers no request"},
		{"Cloudflare does not tell", proxiedA, func(e *Evidence) { e.Minutes = Unknown[[]ddns.MinuteStatus]("not permitted") }, "", "not permitted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := healthy(tt.shape)
			e.Since = e.At.Add(-4 * time.Hour)
			tt.was(e)
			d := Judge(*e)
			if d.Exit != ExitWell || d.Night == nil {
				t.Fatalf("exit %d: %s, night %v", d.Exit, d.Summary, d.Night)
			}
			if d.Night.Suspect != tt.suspect || !strings.Contains(d.Night.Sentence, tt.says) {
				t.Errorf("%q: %s", d.Night.Suspect, d.Night.Sentence)
			}
		})
	}
	if d := Judge(*healthy(proxiedA)); d.Night != nil {
		t.Errorf("nobody asked, and it says %v", d.Night)
	}
}
