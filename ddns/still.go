package ddns

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
)

// Whether this home still answers at what is published only visitors can show:
// the edge is asked for a page, as they ask. An answer counts only if nothing
// else can have given it: it comes from no cache, the name has this one address
// and no other, and the web server behind it answers as when the name was last
// proved.

// stillNames is how many names are asked for at most, side by side.
const stillNames = 3

// lookStill asks the edge whether this home answers at the address that the
// witness names, which is what is published.
func (r *Runner) lookStill(ctx context.Context, found Found, wan WAN, m Memory) Still {
	if r.Bound {
		return Still{Why: "ip.bind says which line counts"}
	}
	claims := r.stillClaims(found, wan.Address, m)
	if r.Prover.Nameservers == nil || r.Prover.Edge == nil || len(claims) == 0 {
		return Still{Why: fmt.Sprintf("no name behind the proxy shows whether this home still answers at %s",
			wan.Address)}
	}
	seen := make([]Still, len(claims))
	var asking sync.WaitGroup
	for i, c := range claims {
		asking.Go(func() { seen[i] = r.Prover.still(ctx, c, m.Origins[c.target.Key()]) })
	}
	asking.Wait()
	if i := slices.IndexFunc(seen, func(s Still) bool { return s.Answers }); i >= 0 {
		return seen[i]
	}
	return seen[0]
}

// stillClaims are proxied names that lead to one address alone and whose web
// server was seen before.
func (r *Runner) stillClaims(found Found, at netip.Addr, m Memory) (claims []claim) {
	for _, t := range r.Targets {
		z, ok := found.zoneOf(t.Name)
		known := m.Origins[t.Key()] != "" && t.Check != "off"
		if !ok || !z.serves() || t.Family() != FamilyOf(at) || !known || len(claims) == stillNames {
			continue
		}
		records := slices.DeleteFunc(z.at(t.Name), func(rec Record) bool {
			_, address := FamilyOfType(rec.Type)
			return !address && rec.Type != "CNAME"
		})
		if len(records) == 1 && records[0].Proxied && records[0].Address() == at {
			claims = append(claims, claim{target: t, zone: z.Zone, address: at, proxied: true})
		}
	}
	return claims
}

// still asks the edge for one name.
func (p Prover) still(ctx context.Context, c claim, origin string) Still {
	ctx, cancel := context.WithTimeout(ctx, 2*proofTimeout)
	defer cancel()
	s := Still{Name: c.target.Name}
	proof, answer := p.byNameservers(ctx, c)
	if proof.Outcome == ProofUnasked && ctx.Err() == nil {
		proof, answer = p.byResolvers(ctx, c, proof)
	}
	if proof.Outcome != ProofSeen || len(answer.Addresses) == 0 {
		s.Why = "the nameservers do not lead to the edge"
		return s
	}
	seen, err := p.Edge.Look(ctx, c.page(), answer.Addresses[0])
	switch {
	case err != nil:
		s.Why = err.Error()
	case seen.Origin == "":
		s.Why = fmt.Sprintf("%s is not answered by this home through the edge (%s)", c.target.Shown, seen.word())
	case seen.Origin != origin:
		s.Why = fmt.Sprintf("%s is not answered as it was when last proved", c.target.Shown)
	default:
		s.Answers = true
	}
	return s
}
