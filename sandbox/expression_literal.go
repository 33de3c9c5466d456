package sandbox

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// literal is a value on the right, or a range of them.
type literal struct {
	datum
	covers func(datum) bool // of ranges, networks and lists; nil for one value
}

// order compares a value with the literal.
func (l literal) order(of kind, d datum) int {
	switch of {
	case kindNumber:
		return int(min(1, max(-1, d.number-l.number)))
	case kindAddress:
		return d.address.Compare(l.address)
	case kindTruth:
		if d.truth == l.truth {
			return 0
		}
		return 1
	case kindText:
	}
	return strings.Compare(d.text, l.text)
}

// set reads { literal … }.
func (p *expressionParser) set(of kind) func(datum) bool {
	if p.sign("$") {
		p.fail("list " + p.peek() + " does not exist")
		return func(datum) bool { return false }
	}
	p.must("{")
	var members []literal
	for p.wrong == nil && !p.sign("}") {
		if p.at == len(p.text) {
			p.fail("expected literal \"}\"")
			break
		}
		members = append(members, p.literal(of))
	}
	if len(members) == 0 {
		p.fail("a set has one value or more")
	}
	return func(d datum) bool {
		return slices.ContainsFunc(members, func(l literal) bool {
			if l.covers != nil {
				return l.covers(d)
			}
			return l.order(of, d) == 0
		})
	}
}

// literal reads a value of a kind.
func (p *expressionParser) literal(of kind) literal {
	switch of {
	case kindNumber:
		low := p.number()
		if !p.sign("..") {
			return literal{datum: datum{number: low}}
		}
		high := p.number()
		return literal{covers: func(d datum) bool { return low <= d.number && d.number <= high }}
	case kindAddress:
		return p.address()
	case kindTruth:
		truth := p.word("true", "")
		if !truth && !p.word("false", "") {
			p.fail("expected true or false")
		}
		return literal{datum: datum{truth: truth}}
	case kindText:
	}
	return literal{datum: datum{text: p.quoted()}}
}

func (p *expressionParser) number() int64 {
	p.blank()
	start := p.at
	for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
		p.at++
	}
	n, err := strconv.ParseInt(p.text[start:p.at], 10, 64)
	if err != nil {
		p.failAt(start, "expected digit")
	}
	return n
}

// address reads an address, a network, or a range of addresses.
func (p *expressionParser) address() literal {
	p.blank()
	start := p.at
	for p.at < len(p.text) && strings.IndexByte("0123456789abcdefABCDEF.:/", p.text[p.at]) >= 0 {
		p.at++
	}
	word := p.text[start:p.at]
	if network, err := netip.ParsePrefix(word); err == nil {
		network = network.Masked()
		return literal{covers: func(d datum) bool { return network.Contains(d.address) }}
	}
	if first, last, ok := strings.Cut(word, ".."); ok {
		low, err1 := netip.ParseAddr(first)
		high, err2 := netip.ParseAddr(last)
		if err1 == nil && err2 == nil && low.BitLen() == high.BitLen() {
			return literal{covers: func(d datum) bool {
				return d.address.BitLen() == low.BitLen() && low.Compare(d.address) <= 0 && d.address.Compare(high) <= 0
			}}
		}
	}
	a, err := netip.ParseAddr(word)
	if err != nil {
		p.failAt(start, "couldn't parse address in network")
	}
	return literal{datum: datum{address: a}}
}

// quoted reads "text", with \" and \\ in it, or r"text" as it is.
func (p *expressionParser) quoted() string {
	raw := p.sign(`r"`)
	if !raw && !p.sign(`"`) {
		p.fail("expected literal \"\\\"\"")
		return ""
	}
	var b strings.Builder
	for ; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return b.String()
		case c == '\\' && !raw:
			p.at++
			if p.at == len(p.text) || p.text[p.at] != '"' && p.text[p.at] != '\\' {
				p.fail(`expected \" or \\`)
				return ""
			}
			fallthrough
		default:
			b.WriteByte(p.text[p.at])
		}
	}
	p.fail("missing ending quote")
	return ""
}
