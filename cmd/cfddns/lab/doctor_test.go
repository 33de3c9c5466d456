//go:build linux

package lab

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns/doctor"
	"github.com/cfddns/cfddns/sandbox"
)

// labHop is a name that hops over the DDNS host; labName is an address.
const labHop = "www.example.com"

// examination is a world with one thing wrong, and whom the doctor is to convict.
type examination struct {
	wrong   string
	arrange func(l *lab)
	of      string
	want    doctor.Suspect // empty: nobody
	exit    int
}

func examinations() []examination {
	dark := func(l *lab) { l.control("/duckdns", map[string]bool{"up": false}) }
	attack := func(l *lab) { l.control("/security", map[string]bool{"under_attack": true}) }
	moved := func(l *lab) { l.control("/wan", map[string]string{"ipv4": labMoved}) }
	return []examination{
		{"nothing is wrong", func(*lab) {}, labName, "", doctor.ExitWell},
		{"the DDNS host is dark", dark, labHop, doctor.DDNSHost, doctor.ExitCulprit},
		{"Under Attack mode", attack, labName, doctor.Security, doctor.ExitCulprit},
		{"the address changed and nobody followed", moved, labName, doctor.Record, doctor.ExitCulprit},
		{"a certificate that Cloudflare does not take", func(l *lab) { l.fault("origin bad-cert") }, labName, doctor.Origin, doctor.ExitCulprit},
		{"the server says 500", func(l *lab) { l.fault("origin 500") }, labName, doctor.Origin, doctor.ExitCulprit},
		{"the edge reaches nobody, and neither do we", func(l *lab) { l.fault("origin unreachable") }, labName, "", doctor.ExitUnclear},
	}
}

// The doctor on the real names of everybody it asks.
func doctorOnRealNames(t *testing.T) {
	for _, e := range examinations() {
		t.Run(e.wrong, func(t *testing.T) {
			l := newLab(t, zoneWith(
				sandbox.SeedRecord{Type: "A", Name: labName, Content: labHome, Proxied: true},
				sandbox.SeedRecord{Type: "CNAME", Name: labHop, Content: "myhome.duckdns.org", Proxied: true}))
			for _, s := range examined() {
				l.gate.stand(s)
				t.Cleanup(func() { l.gate.stop(s.host) })
			}
			e.arrange(l)
			began := time.Now()
			p := l.run(e.exit, "doctor", e.of, "--output", "json")
			took := time.Since(began)
			var r struct{ Culprits []doctor.Suspect }
			must(t, json.Unmarshal([]byte(p.stdout.String()), &r))
			if (e.want != "" || len(r.Culprits) > 0) && (len(r.Culprits) == 0 || r.Culprits[0] != e.want) {
				t.Errorf("convicted %v, not %s:\n%s", r.Culprits, e.want, p.stdout)
			}
			t.Logf("after %s: %v", took.Round(100*time.Millisecond), r.Culprits)
		})
	}
}

// examined are the addresses that only the doctor asks.
func examined() []service {
	tcp, both := []string{"tcp"}, []string{"udp", "tcp"}
	return []service{
		{"1.1.1.1", "53", both}, {"8.8.8.8", "53", both},
		{labHome, "443", tcp}, {labMoved, "443", tcp},
	}
}
