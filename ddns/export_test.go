package ddns

import (
	"context"
	"net/netip"
)

// VerifyTargets asks whether the targets of a zone are seen at an address.
func (p Prover) VerifyTargets(ctx context.Context, zone Zone, address netip.Addr, targets ...Target) []Proof {
	claims := make([]claim, len(targets))
	for i, t := range targets {
		claims[i] = claim{target: t, zone: zone, address: address}
	}
	return p.Verify(ctx, claims)
}
