package sandbox

import "github.com/miekg/dns"

// recordMeta is what Cloudflare knows of a record beside what it holds; it is
// told where `include_shadow_metadata=true` asks for it.
// https://developers.cloudflare.com/dns/manage-dns-records/reference/shadowed-records/
type recordMeta struct {
	ShadowedBy []string `json:"shadowed_by,omitempty"` // IDs of the NS records that delegate the name away
	Shadows    *int     `json:"shadowed_records_count,omitempty"`
}

// delegationOf returns the NS records that delegate a name of a zone away, those
// nearest to the apex; none for a name that the zone answers itself.
func delegationOf(records []*record, name, apex string) []*record {
	var found []*record
	for _, r := range records {
		if r.Type != "NS" || r.Name == apex || r.Name != name && !hasSuffixLabel(name, r.Name) {
			continue
		}
		if len(found) > 0 && len(r.Name) < len(found[0].Name) {
			found = nil
		}
		if len(found) == 0 || r.Name == found[0].Name {
			found = append(found, r)
		}
	}
	return found
}

// showShadows adds to records what delegates them away, and what they do.
func showShadows(views []recordView, all []*record, apex string) {
	shadowed := make(map[string]int) // by the name of the delegation
	by := make(map[string][]*record) // by the record's ID
	for _, r := range all {
		by[r.ID] = delegationOf(all, r.Name, apex)
		if d := by[r.ID]; len(d) > 0 && (r.Type != "NS" || r.Name != d[0].Name) {
			shadowed[d[0].Name]++
		}
	}
	for i, view := range views {
		for _, ns := range by[view.ID] {
			if view.Type == "NS" && view.Name == ns.Name {
				n := shadowed[ns.Name]
				views[i].Meta.Shadows = &n
				break
			}
			views[i].Meta.ShadowedBy = append(views[i].Meta.ShadowedBy, ns.ID)
		}
	}
}

// referral tells who answers for a name that a zone delegates away, if one does.
func (s *Sandbox) referral(n node) (rrs []dns.RR) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, z := range s.zones {
		if z.ID != n.zone.ID {
			continue
		}
		for _, r := range delegationOf(z.Records, n.name, z.Name) {
			if rr, ok := r.wire(dns.Fqdn(r.Name)); ok {
				rrs = append(rrs, rr)
			}
		}
	}
	return rrs
}
