package ddns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// ProofOutcome is what the world's answer means.
type ProofOutcome string

// The outcomes, as in the JSON output.
const (
	ProofSeen         ProofOutcome = "seen"
	ProofContradicted ProofOutcome = "contradicted"
	ProofUnasked      ProofOutcome = "unasked" // nobody could be asked
)

// Proof is what the zone's own nameservers, or the edge, answer for a target.
type Proof struct {
	Target  Target
	By      string // "nameserver", "resolver" or "edge"
	Outcome ProofOutcome
	Answer  string
	Why     string
	Hint    string
	Origin  string // the fingerprint of an answer through the edge; see EdgeAnswer
}

// Nameservers asks one DNS server one question.
type Nameservers interface {
	// Ask asks HOST:PORT without recursion.
	Ask(ctx context.Context, server, name, recordType string) (Answer, error)
	// AskDoH asks a recursive resolver over HTTPS, for lines on which port 53 is intercepted.
	AskDoH(ctx context.Context, url, name, recordType string) (Answer, error)
}

// EdgeProbe asks Cloudflare's edge for a URL, as a visitor would.
type EdgeProbe interface {
	// Look asks at an address that the nameservers gave.
	Look(ctx context.Context, url string, at netip.Addr) (EdgeAnswer, error)
}

// Prover asks the world whether it sees what was published.
type Prover struct {
	Nameservers Nameservers
	Edge        EdgeProbe // nil: the edge is not asked
	// Servers to ask instead of the zones' own, HOST:PORT.
	Servers []string
	// Resolvers are asked over HTTPS where port 53 is intercepted.
	Resolvers []string
	// Patience is how long to wait for a change to be seen.
	Patience time.Duration
}

// claim is what a target should look like from outside.
type claim struct {
	target  Target
	zone    Zone
	address netip.Addr
	proxied bool
	follows string // the name that a CNAME was pointed at; empty: an address stands there
	created bool   // new: a resolver that is asked too early remembers that the name does not exist
}

// proofsAtOnce bounds how many names are asked about at the same time.
const proofsAtOnce = 16

// Verify asks about all claims side by side until each is seen or the
// patience is over.
func (p Prover) Verify(ctx context.Context, claims []claim) []Proof {
	ctx, cancel := context.WithTimeout(ctx, p.Patience+proofTimeout)
	defer cancel()
	deadline := time.Now().Add(p.Patience)
	proofs := make([][]Proof, len(claims))
	slots := make(chan struct{}, proofsAtOnce)
	var asking sync.WaitGroup
	for i, c := range claims {
		slots <- struct{}{} // thousands of names are not thousands of goroutines
		asking.Go(func() { proofs[i] = p.prove(ctx, c, deadline, slots) })
	}
	asking.Wait()
	return slices.Concat(proofs...)
}

// proofTimeout is how long one question may take.
const proofTimeout = 2 * time.Second

// prove asks about one claim, again and again while the answer is not ours
// yet: changes are seen within seconds, and take up to five minutes. It begins
// with a slot, which is held while asking and not while waiting: a slow name
// keeps nobody from being asked about.
// https://developers.cloudflare.com/dns/troubleshooting/faq/
func (p Prover) prove(ctx context.Context, c claim, deadline time.Time, slots chan struct{}) []Proof {
	wait := 100 * time.Millisecond
	for {
		proofs, settled := p.look(ctx, c)
		<-slots
		left := time.Until(deadline)
		if settled || left <= 0 {
			return proofs
		}
		timer := time.NewTimer(min(wait, left))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			if errors.Is(ctx.Err(), context.Canceled) {
				return []Proof{{Target: c.target, By: "nameserver", Outcome: ProofUnasked, Why: "something newer came first"}}
			}
			return proofs
		}
		wait = min(wait*2, 2*time.Second)
		slots <- struct{}{}
	}
}

// look asks once; settled is false if asking again may bring another answer.
func (p Prover) look(ctx context.Context, c claim) (proofs []Proof, settled bool) {
	proof, answer := p.byNameservers(ctx, c)
	if proof.Outcome == ProofUnasked && ctx.Err() == nil {
		proof, answer = p.byResolvers(ctx, c, proof)
	}
	if proof.Outcome != ProofSeen || !c.proxied || p.Edge == nil || c.target.Check == "off" || len(answer.Addresses) == 0 {
		return []Proof{proof}, proof.Outcome == ProofSeen
	}
	edge := p.byEdge(ctx, c, answer.Addresses[0])
	return []Proof{proof, edge}, edge.Outcome != ProofContradicted
}

// servers are the nameservers to ask: the zone's own, unless others are set.
func (p Prover) servers(z Zone) []string {
	if len(p.Servers) > 0 {
		return p.Servers
	}
	servers := make([]string, len(z.NameServers))
	for i, host := range z.NameServers {
		servers[i] = net.JoinHostPort(host, "53")
	}
	return servers
}

// asked is what one server said.
type asked struct {
	answer Answer
	err    error
}

// byNameservers asks all nameservers of the zone. An answer without the AA bit
// did not come from one of them: somebody on the line answers port 53.
func (p Prover) byNameservers(ctx context.Context, c claim) (Proof, Answer) {
	servers := p.servers(c.zone)
	said := make([]asked, len(servers))
	var asking sync.WaitGroup
	for i, server := range servers {
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, proofTimeout)
			defer cancel()
			said[i].answer, said[i].err = p.Nameservers.Ask(ctx, server, questionName(c.target.Name), c.target.Type)
		})
	}
	asking.Wait()
	proof := Proof{Target: c.target, By: "nameserver", Outcome: ProofUnasked, Why: "no nameserver of the zone is known"}
	var seen *Answer
	for _, s := range said {
		if s.err != nil || !s.answer.Authoritative {
			if proof.Outcome == ProofUnasked {
				proof.Why = s.excuse()
			}
			continue
		}
		if why := c.differs(s.answer); why != "" {
			proof.Outcome, proof.Answer, proof.Why = ProofContradicted, answerText(s.answer), fmt.Sprintf("%s %s", s.answer.Server, why)
			proof.Hint = "changes take up to five minutes to be seen; cfddns status shows when they are"
			return proof, s.answer
		}
		seen = &s.answer
	}
	if seen == nil {
		return proof, Answer{}
	}
	proof.Outcome, proof.Answer, proof.Why = ProofSeen, answerText(*seen), ""
	return proof, *seen
}

// excuse says why a server's answer does not count.
func (s asked) excuse() string {
	if s.err != nil {
		return s.err.Error()
	}
	return s.answer.Server + " answers without authority: somebody on this line intercepts port 53"
}

// byResolvers asks resolvers over HTTPS, which nobody on the line can forge.
// A name that was only just made is not asked for: the resolver would remember
// for half an hour that it does not exist.
func (p Prover) byResolvers(ctx context.Context, c claim, before Proof) (Proof, Answer) {
	if c.created {
		return before, Answer{}
	}
	proof, said := before, Answer{}
	for _, url := range p.Resolvers {
		asking, cancel := context.WithTimeout(ctx, proofTimeout)
		answer, err := p.Nameservers.AskDoH(asking, url, questionName(c.target.Name), c.target.Type)
		cancel()
		if err != nil {
			continue
		}
		proof = Proof{Target: c.target, By: "resolver", Outcome: ProofSeen, Answer: answerText(answer), Why: before.Why}
		said = answer
		why := c.differs(answer)
		if why == "" {
			break
		}
		proof.Outcome, proof.Why = ProofUnasked, fmt.Sprintf("%s; %s %s, which may be remembered from before", before.Why, url, why)
	}
	return proof, said
}

// byEdge asks the edge for the name. It can only contradict: 530 with a code
// of 10xx speaks of the record; anything else is the origin's affair.
func (p Prover) byEdge(ctx context.Context, c claim, at netip.Addr) Proof {
	ctx, cancel := context.WithTimeout(ctx, 2*proofTimeout)
	defer cancel()
	proof := Proof{Target: c.target, By: "edge"}
	answer, err := p.Edge.Look(ctx, c.page(), at)
	switch {
	case err != nil:
		proof.Outcome, proof.Why = ProofUnasked, err.Error()
	case answer.Status == 530 && answer.CloudflareError >= 1000 && answer.CloudflareError < 1100:
		proof.Outcome, proof.Answer = ProofContradicted, fmt.Sprintf("530, error %d", answer.CloudflareError)
		proof.Why = fmt.Sprintf("the edge answers visitors 530 with error %d", answer.CloudflareError)
		proof.Hint = "the edge learns a change within five minutes; https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors/ explains the code"
	case answer.CloudflareError != 0 || answer.Challenge || !answer.Cloudflare:
		proof.Outcome, proof.Answer = ProofUnasked, fmt.Sprintf("%d", answer.Status)
		proof.Why = answer.excuse()
	default:
		proof.Outcome, proof.Answer, proof.Origin = ProofSeen, fmt.Sprintf("%d", answer.Status), answer.Origin
	}
	return proof
}

// page is the URL that the edge is asked for.
func (c claim) page() string {
	if url := c.target.Check; url != "auto" && url != "" {
		return url
	}
	return "https://" + questionName(c.target.Name) + "/"
}

// differs says how an answer differs from the claim, or "".
func (c claim) differs(a Answer) string {
	own := slices.Contains(a.Addresses, c.address)
	switch {
	case a.NameError:
		return "says that the name does not exist"
	case c.follows != "" && !c.proxied && !strings.EqualFold(strings.TrimSuffix(a.CNAME, "."), c.follows):
		return fmt.Sprintf("still points at %s instead of %s", cmp.Or(a.CNAME, "nothing"), c.follows)
	case c.follows != "" && len(a.Addresses) == 0: // in another zone, of which this server knows nothing
		return ""
	case len(a.Addresses) == 0:
		return "has no " + c.target.Type + " for it"
	case c.proxied && own:
		return fmt.Sprintf("still answers the home's address %s instead of the edge's", c.address)
	case !c.proxied && !own:
		return fmt.Sprintf("still answers %s instead of %s", join(a.Addresses), c.address)
	default:
		return ""
	}
}

// questionName is the name to ask for: any name below a wildcard will do.
func questionName(name string) string {
	if rest, ok := strings.CutPrefix(name, "*."); ok {
		return "cfddns-proof." + rest
	}
	return name
}

func answerText(a Answer) string {
	if a.NameError {
		return "no such name"
	}
	return join(a.Addresses)
}
