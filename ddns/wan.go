package ddns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// A WANFinding is what one witness says of the side of the router that faces
// the provider. Witnesses explain; they never vote.
type WANFinding struct {
	By      string     // "nat-pmp at 192.168.1.1", "upnp at 192.168.1.1", "interface ppp0", "hop 2"
	Address netip.Addr // zero if the witness names none
	// Empty is set if the witness answered and names no address: a router
	// without a public one does so.
	Empty bool
	// Backing says how far the word can be believed.
	Backing Backing
	// Hop is set if the address is that of a router on the way out. It is a
	// hint in the text and decides nothing.
	Hop  bool
	Err  error // no answer
	Took time.Duration
}

// Backing says how much stands behind the word of a witness. Anybody in the
// house can send a datagram in the router's name; Hold says what each can hold.
type Backing int

// The backings, the weakest first.
const (
	// Hearsay is one datagram, or a push. It explains, and holds nothing.
	Hearsay Backing = iota
	// Repeated: two questions from two ports were answered alike, and nobody
	// answered otherwise.
	Repeated
	// Connected: over TCP, at the default gateway's own address.
	Connected
	// OwnLine: the address is this machine's own, on the interface of the
	// default route, which is no tunnel.
	OwnLine
)

// WANWitness looks at the WAN side: the router, and the way out.
type WANWitness interface {
	// WAN tells each finding as it comes, one at a time, and returns when there
	// are no more or the context ends.
	WAN(ctx context.Context, tell func(WANFinding))
}

// FindingsOf waits for all that a witness finds.
func FindingsOf(ctx context.Context, w WANWitness) (findings []WANFinding) {
	w.WAN(ctx, func(f WANFinding) { findings = append(findings, f) })
	return findings
}

// Gateway is the way out of this machine over IPv4: its default route.
type Gateway struct {
	Address   netip.Addr // of the router; zero on a line without one, such as ppp0
	Interface string     // that the route leads through; empty if it is none of this machine's
	Local     netip.Addr // what this machine has there; zero if nothing is known
	Tunnel    bool       // the interface is a VPN's
	Chosen    bool       // a person chose it (ip.bind)
}

// NAT says how the home's address and the WAN side go together.
type NAT string

// The ways in which a home is connected.
const (
	NATUnknown   NAT = ""          // no witness answered, or none names an address
	NATSingle    NAT = "single"    // the router holds the agreed address, or this machine does
	NATDouble    NAT = "double"    // the router's WAN address is private: another router stands before it
	NATCarrier   NAT = "carrier"   // CGNAT (RFC 6598): the provider shares one address among many homes
	NATDSLite    NAT = "ds-lite"   // IPv4 goes through the provider's translator (RFC 6333)
	NATElsewhere NAT = "elsewhere" // the router holds another public address: fail-over, VPN or policy route
)

// Shared reports whether the provider translates, so that no visitor who comes
// to the agreed address reaches this home.
func (n NAT) Shared() bool { return n == NATCarrier || n == NATDSLite }

// WAN is what the findings of a round add up to.
type WAN struct {
	NAT      NAT
	Address  netip.Addr // what the witness named; zero if none did
	Why      string
	Hint     string // what a person can do; empty if nothing
	Findings []WANFinding
	Backing  Backing    // of what NAT says
	Agreed   netip.Addr // what it was compared to; zero if nothing was agreed on
	// At is when a witness last answered; zero if none did.
	At time.Time
	// Accepted is set if a shared address is published all the same (ip.cgnat: publish).
	Accepted bool
	// Forgets is set if nothing is remembered from one round to the next: a hold
	// that counts time would have no end.
	Forgets bool
	// Still is what visitors find at Address, where that is what is published.
	Still Still
}

// Ranges that a home's line has where the provider translates.
var (
	carrierRange = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598
	dsLiteRange  = netip.MustParsePrefix("192.0.0.0/29")  // RFC 6333; RFC 7335 gives it to 464XLAT too
)

// TranslatedByProvider reports the addresses that a line has where the provider
// translates.
func TranslatedByProvider(a netip.Addr) bool {
	return carrierRange.Contains(a) || dsLiteRange.Contains(a)
}

// hintShared is what a person behind a provider's NAT can do.
const hintShared = "IPv6 is not translated: keep AAAA records; or ask the provider for a public IPv4 address, or use a tunnel (cloudflared); to publish all the same: ip.cgnat: publish"

// hintElsewhere is what a person can do where the router names another address.
const hintElsewhere = "if visitors come in by the router's address, ask it alone: ip.sources: [{router: auto}] with " +
	"ip.quorum: 1; or set ip.bind to the line that they use"

// JudgeWAN says how the home is connected, from the verdict over IPv4 and what
// the witnesses found. It is pure, and the order of the findings does not matter:
// a witness that names the agreed address settles it, since whoever asks a
// router behind the right one finds a private address as well. Of what a router
// says by a datagram and over TCP, the latter counts.
func JudgeWAN(v Verdict, findings []WANFinding) WAN {
	w := WAN{Findings: slices.Clone(findings)}
	if v.State == Agreed {
		w.Agreed = v.Address
	}
	var by string
	naming := naming(findings)
	for _, f := range naming {
		nat := natOf(f.Address, v)
		better := natRank(nat) < natRank(w.NAT) || natRank(nat) == natRank(w.NAT) && f.By < by
		if !w.Address.IsValid() || better {
			w.NAT, w.Address, by = nat, f.Address, f.By
		}
	}
	for _, f := range naming {
		if f.Address == w.Address {
			w.Backing = max(w.Backing, f.Backing)
		}
	}
	w.Why = w.explain(v, by)
	switch w.NAT {
	case NATCarrier, NATDSLite:
		w.Hint = hintShared
	case NATDouble:
		w.Hint = "ports have to be forwarded on both routers, or the outer one has to be a bridge"
	case NATElsewhere:
		w.Hint = hintElsewhere
	case NATUnknown, NATSingle: // nothing to do
	}
	return w
}

// naming are the findings that name an address, but for those that are outweighed.
func naming(findings []WANFinding) []WANFinding {
	names := func(f WANFinding) bool { return !f.Hop && f.Err == nil && f.Address.IsValid() }
	best := Hearsay
	for _, f := range findings {
		switch {
		case !names(f):
		case f.Backing == OwnLine: // it is no router's, and outweighs hearsay alone
			best = max(best, Repeated)
		default:
			best = max(best, f.Backing)
		}
	}
	return slices.DeleteFunc(slices.Clone(findings), func(f WANFinding) bool { return !names(f) || f.Backing < best })
}

// natOf says what an address on the WAN side means.
func natOf(a netip.Addr, v Verdict) NAT {
	switch {
	case v.State == Agreed && a == v.Address:
		return NATSingle
	case carrierRange.Contains(a):
		return NATCarrier
	case dsLiteRange.Contains(a):
		return NATDSLite
	case a.IsPrivate():
		return NATDouble
	case v.State == Agreed && Sane(a, IPv4) == nil:
		return NATElsewhere
	default: // a public address with nothing to compare it to, or none of a line
		return NATUnknown
	}
}

// natRank orders what witnesses find by how much it settles.
func natRank(n NAT) int {
	return slices.Index([]NAT{NATSingle, NATCarrier, NATDSLite, NATDouble, NATElsewhere, NATUnknown}, n)
}

// explain says in one line who named what, and what that means.
func (w WAN) explain(v Verdict, by string) string {
	named := fmt.Sprintf("%s names %s", by, w.Address)
	seenAs := "this home's address"
	if v.State == Agreed {
		seenAs = v.Address.String()
	}
	switch w.NAT {
	case NATSingle:
		return named + " as well"
	case NATCarrier:
		return fmt.Sprintf("%s: the provider's NAT shares %s among many homes (CGNAT)", named, seenAs)
	case NATDSLite:
		return fmt.Sprintf("%s: IPv4 goes through the provider's translator, which shares %s among many homes (DS-Lite or 464XLAT)", named, seenAs)
	case NATDouble:
		return named + ", a private address: another router stands before it"
	case NATElsewhere:
		return fmt.Sprintf("%s, and the world sees %s: fail-over, a VPN or a policy route", named, seenAs)
	case NATUnknown:
	}
	if w.Address.IsValid() {
		return named + ", and there is nothing to compare it to"
	}
	return w.explainSilence(v)
}

// explainSilence says what is known where no witness names an address.
func (w WAN) explainSilence(v Verdict) string {
	noName := "without a line, behind CGNAT or behind another router"
	if v.State == Agreed {
		noName = "behind CGNAT or behind another router" // there is a line
	}
	var words, reasons, silent []string
	for _, f := range w.Findings {
		switch {
		case f.Hop && carrierRange.Contains(f.Address):
			words = append(words, fmt.Sprintf("%s on the way out is %s, as behind a provider's NAT (CGNAT)", f.By, f.Address))
		case f.Hop:
		case f.Empty:
			words = append(words, f.By+" answers and names no address, as "+noName)
		case f.Err != nil && unanswered(f.Err):
			silent = append(silent, f.By)
		case f.Err != nil:
			reasons = append(reasons, f.By+": "+f.Err.Error())
		}
	}
	slices.Sort(words)
	slices.Sort(reasons)
	slices.Sort(silent)
	silent = slices.CompactFunc(silent, func(next, before string) bool { return strings.HasPrefix(next, before+":") }) // another port of the same
	if len(silent) > 0 {
		reasons = append(reasons, "no answer from "+strings.Join(silent, ", "))
	}
	switch {
	case len(words) > 0:
		return strings.Join(words, "; ")
	case len(reasons) > 0:
		return strings.Join(reasons, "; ")
	default:
		return "no witness was asked"
	}
}

// unanswered reports whether an error is silence: most routers answer one
// protocol, or none, and how they do not answer the others is of no interest.
func unanswered(err error) bool {
	var network *net.OpError
	return errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// routed reports whether a router itself answered.
func (w WAN) routed() bool {
	return slices.ContainsFunc(w.Findings, func(f WANFinding) bool {
		return !f.Hop && f.Err == nil && (f.Empty || f.Backing == Repeated || f.Backing == Connected)
	})
}

// answered reports whether any witness but a hop did.
func (w WAN) answered() bool {
	return slices.ContainsFunc(w.Findings, func(f WANFinding) bool { return !f.Hop && f.Err == nil })
}

// assess says what is odd about the way visitors come in. What anybody in the
// house can say raises no alarm.
func (w WAN) assess(h Holding, before []Condition) []Condition {
	name := IPv4.String()
	stood := func(c Condition) bool { return c.Code == CodeDisagrees && c.Name == name }
	switch {
	case h.Against != "" && h.Hint == hintElsewhere:
		return []Condition{condition(CodeDisagrees, name, h.Why, h.Hint)}
	case h.Against != "": // another guard holds the change
		return []Condition{condition(CodeDisagrees, name, h.Against, hintElsewhere)}
	case w.NAT.Shared() && w.Backing == Hearsay:
		return nil
	case w.NAT.Shared() && w.Accepted:
		c := condition(CodeCGNAT, name, w.Why+"; A records are published all the same, since ip.cgnat says so", "visitors reach this home over IPv4 only if the provider forwards to it")
		c.Severity = Warning
		return []Condition{c}
	case w.NAT.Shared() && h.Guard == CGNATGuard:
		return []Condition{condition(CodeCGNAT, name, w.Why+"; A records are neither created nor changed, and those that stand do not lead to this home", w.Hint)}
	case w.NAT.Shared():
		return []Condition{condition(CodeCGNAT, name, w.Why+"; A records lead to an address that is not this home's own, and visitors do not arrive", w.Hint)}
	case w.NAT == NATDouble:
		return []Condition{condition(CodeDoubleNAT, name, w.Why, w.Hint)}
	case w.NAT == NATElsewhere && slices.ContainsFunc(before, stood): // it still names what was published
		return []Condition{condition(CodeDisagrees, name, w.Why, w.Hint)}
	case w.NAT == NATElsewhere:
		return []Condition{condition(CodeRouter, name, w.Why, w.Hint)}
	}
	return nil
}
