package nameserver

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/miekg/dns"
)

// longestChain is the most aliases followed inside one answer.
const longestChain = 16

// readReply turns a message into an answer, if it is one to the query. With
// errCase the answer is complete, and in other letters.
func readReply(reply, query *dns.Msg) (ddns.Answer, error) {
	asked := query.Question[0]
	switch {
	case !reply.Response, reply.Opcode != dns.OpcodeQuery, reply.Id != query.Id:
		return ddns.Answer{}, errQuestion
	case reply.Rcode != dns.RcodeSuccess && reply.Rcode != dns.RcodeNameError:
		return ddns.Answer{}, fmt.Errorf("%w: it says %s", errServer, rcode(reply.Rcode))
	case len(reply.Question) != 1, !sameQuestion(reply.Question[0], asked):
		return ddns.Answer{}, errQuestion
	}
	answer := follow(reply.Answer, asked)
	answer.Authoritative = reply.Authoritative
	// With an alias in the answer, the code speaks of the name at the end of
	// the chain. https://www.rfc-editor.org/rfc/rfc6604#section-2
	answer.NameError = reply.Rcode == dns.RcodeNameError && answer.CNAME == ""
	if reply.Question[0].Name != asked.Name {
		return answer, errCase
	}
	return answer, nil
}

func rcode(code int) string {
	if word, ok := dns.RcodeToString[code]; ok {
		return word
	}
	return fmt.Sprintf("code %d", code)
}

func sameQuestion(a, b dns.Question) bool {
	return a.Qtype == b.Qtype && a.Qclass == b.Qclass && strings.EqualFold(a.Name, b.Name)
}

// follow collects the addresses of a name from the records of an answer, along
// the aliases among them.
func follow(records []dns.RR, asked dns.Question) ddns.Answer {
	var answer ddns.Answer
	name := asked.Name
	for range longestChain {
		target := ""
		for _, rr := range records {
			if !strings.EqualFold(rr.Header().Name, name) || rr.Header().Class != asked.Qclass {
				continue
			}
			address, alias := valueOf(rr, asked.Qtype)
			if !address.IsValid() && alias == "" {
				continue
			}
			if answer.CNAME == "" && len(answer.Addresses) == 0 {
				answer.TTL = time.Duration(rr.Header().Ttl) * time.Second
			}
			if address.IsValid() {
				answer.Addresses = append(answer.Addresses, address)
			}
			target = alias
		}
		if target == "" {
			break
		}
		if answer.CNAME == "" {
			answer.CNAME = strings.ToLower(strings.TrimSuffix(target, "."))
		}
		name = target
	}
	slices.SortFunc(answer.Addresses, netip.Addr.Compare)
	answer.Addresses = slices.Compact(answer.Addresses)
	return answer
}

// valueOf returns the address a record holds, if it is of the type asked for,
// or where it points, if it is an alias.
func valueOf(rr dns.RR, qtype uint16) (address netip.Addr, alias string) {
	switch rr := rr.(type) {
	case *dns.A:
		if a, ok := netip.AddrFromSlice(rr.A); ok && qtype == dns.TypeA {
			return a.Unmap(), ""
		}
	case *dns.AAAA:
		if a, ok := netip.AddrFromSlice(rr.AAAA); ok && qtype == dns.TypeAAAA {
			return a, ""
		}
	case *dns.CNAME:
		if rr.Target != "." {
			return netip.Addr{}, rr.Target
		}
	}
	return netip.Addr{}, ""
}
