package ddns

import (
	"errors"
	"net/netip"
	"slices"
)

// Behind NAT66 (RFC 6296) no server ever hears the address it was asked from.
// Such answers are errors, and no votes: usually they mean a temporary address
// or a dead prefix. But where nobody heard the address, and a quorum heard the
// same other one although it was asked from a lasting address, that one is
// where visitors come in.

// translated is an error of a source whose question was sent from a lasting
// address and was heard as coming from another.
type translated interface {
	HeardAddress() netip.Addr
	Translated() bool
}

// behindNAT66 votes on what was heard instead. The second value is false where
// that is no case for it.
func (v Verdict) behindNAT66(r Roster, observations []Observation) (Verdict, bool) {
	if r.Family != IPv6 || len(v.Voices) > 0 || len(v.Contradicted) > 0 {
		return v, false
	}
	heard := slices.Clone(observations)
	for i, o := range heard {
		var t translated
		if errors.As(o.Err, &t) && t.Translated() {
			heard[i].Address, heard[i].Err = t.HeardAddress(), nil
		}
	}
	w := count(r, heard)
	w.NAT66 = w.State == Agreed
	return w, w.NAT66
}
