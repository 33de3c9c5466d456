package sandbox

import (
	"testing"

	"github.com/miekg/dns"
)

func TestARecordBelowADelegationIsShadowed(t *testing.T) {
	t.Parallel()
	cfg := homeZone(
		SeedRecord{Type: "NS", Name: "lab", Content: "ns1.other.net"},
		SeedRecord{Type: "NS", Name: "deep.lab", Content: "ns2.other.net"},
		SeedRecord{Type: "A", Name: "www.lab", Content: "45.67.89.10"},
		SeedRecord{Type: "A", Name: "www.deep.lab", Content: "45.67.89.10"},
		SeedRecord{Type: "A", Name: "www", Content: "45.67.89.10"},
	)
	cfg.Token = testToken
	s := settled(t, cfg)
	var plain, shown []recordView
	callAPI(t, s, "GET", zonePath(s, "/dns_records"), "").into(t, &plain)
	callAPI(t, s, "GET", zonePath(s, "/dns_records?include_shadow_metadata=true"), "").into(t, &shown)
	ns := s.zones[0].Records[0].ID
	for i, r := range shown {
		var want []string
		if r.Name != "www.example.com" && r.ID != ns {
			want = []string{ns}
		}
		if len(r.Meta.ShadowedBy) != len(want) || len(want) > 0 && r.Meta.ShadowedBy[0] != ns {
			t.Errorf("%s %s: %+v, want %v", r.Type, r.Name, r.Meta, want)
		}
		if (r.Meta.Shadows != nil) != (r.ID == ns) || r.ID == ns && *r.Meta.Shadows != 3 {
			t.Errorf("%s %s: %v shadowed", r.Type, r.Name, r.Meta.Shadows)
		}
		if len(plain[i].Meta.ShadowedBy) > 0 {
			t.Errorf("told unasked: %+v", plain[i])
		}
	}
	m := mustAsk(t, s.Info().DNS, "www.deep.lab.example.com", dns.TypeA, manner{})
	if m.Authoritative || len(m.Answer) > 0 || len(m.Ns) != 1 || m.Ns[0].(*dns.NS).Ns != "ns1.other.net." {
		t.Errorf("the nameserver: %v", m)
	}
	if m := mustResolve(t, s, "8.8.8.8", "www.lab.example.com", dns.TypeA); m.Rcode != dns.RcodeServerFailure {
		t.Errorf("a resolver: %v", m)
	}
	if m := mustResolve(t, s, "8.8.8.8", "www.example.com", dns.TypeA); len(m.Answer) != 1 {
		t.Errorf("beside the delegation: %v", m)
	}
}
