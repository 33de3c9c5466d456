package sandbox

import (
	"slices"
	"strconv"
	"strings"
)

const (
	maxExpression = 4096 // characters
	maxDepth      = 64   // parentheses and negations within each other
)

// compile reads an expression. The error is a *syntaxError.
func compile(text string) (predicate, error) {
	p := &expressionParser{text: text}
	if len(text) > maxExpression {
		return nil, &syntaxError{text: text[:80], at: 0, what: "expression is longer than " + strconv.Itoa(maxExpression) + " characters"}
	}
	result := p.or()
	p.blank()
	if p.at < len(text) {
		p.fail("unrecognised input")
	}
	if p.wrong != nil {
		return nil, p.wrong
	}
	return result, nil
}

// expressionParser reads from left to right. The first thing that is wrong
// ends it: what it reads from then on is nothing.
type expressionParser struct {
	text  string
	at    int
	depth int
	wrong *syntaxError
}

func (p *expressionParser) fail(what string) { p.failAt(p.at, what) }

func (p *expressionParser) failAt(at int, what string) {
	if p.wrong == nil {
		p.wrong = &syntaxError{text: p.text, at: at, what: what}
	}
	p.at = len(p.text)
}

func (p *expressionParser) blank() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// sign takes a sign such as "(" or "==" if it comes next.
func (p *expressionParser) sign(s string) bool {
	p.blank()
	if !strings.HasPrefix(p.text[p.at:], s) {
		return false
	}
	p.at += len(s)
	return true
}

func (p *expressionParser) must(s string) {
	if !p.sign(s) {
		p.fail("expected literal " + strconv.Quote(s))
	}
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.'
}

// peek is the word that comes next, "" if none does.
func (p *expressionParser) peek() string {
	p.blank()
	end := p.at
	for end < len(p.text) && wordByte(p.text[end]) {
		end++
	}
	return p.text[p.at:end]
}

// word takes a word, or the sign that stands for it, if it comes next.
func (p *expressionParser) word(word, sign string) bool {
	if p.peek() == word {
		p.at += len(word)
		return true
	}
	return sign != "" && p.sign(sign)
}

func (p *expressionParser) or() predicate {
	left := p.xor()
	for p.word("or", "||") {
		a, b := left, p.xor()
		left = func(v *visit) bool { return a(v) || b(v) }
	}
	return left
}

func (p *expressionParser) xor() predicate {
	left := p.and()
	for p.word("xor", "^^") {
		a, b := left, p.and()
		left = func(v *visit) bool { return a(v) != b(v) }
	}
	return left
}

func (p *expressionParser) and() predicate {
	left := p.term()
	for p.word("and", "&&") {
		a, b := left, p.term()
		left = func(v *visit) bool { return a(v) && b(v) }
	}
	return left
}

func (p *expressionParser) term() predicate {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		p.fail("expression is nested too deeply")
		return nothing
	}
	switch {
	case p.word("not", "!"):
		inner := p.term()
		return func(v *visit) bool { return !inner(v) }
	case p.sign("("):
		inner := p.or()
		p.must(")")
		return inner
	case p.word("true", ""):
		return func(*visit) bool { return true }
	case p.word("false", ""):
		return nothing
	}
	for _, over := range []string{"any", "all"} {
		if p.word(over, "") {
			p.must("(")
			inner := p.comparison(over)
			p.must(")")
			return inner
		}
	}
	return p.comparison("")
}

func nothing(*visit) bool { return false }

// comparison reads what stands for true or false. over is "any" or "all" of
// many values, "" where there is one.
func (p *expressionParser) comparison(over string) predicate {
	p.blank()
	start := p.at
	left := p.operand()
	pass := p.judgement(left.kind)
	switch {
	case p.wrong != nil:
		return nothing
	case left.many != (over != ""):
		p.failAt(start, "any() and all() are for many values, such as those of [*], and many values need them")
		return nothing
	case over == "all":
		return left.every(pass)
	}
	return left.some(pass)
}

// operand reads a field or a function of one.
func (p *expressionParser) operand() operand {
	start, name := p.at, p.peek()
	none := operand{of: func(*visit) []datum { return nil }}
	p.at += len(name)
	if name == "http.request.headers" {
		return p.headers()
	}
	if slices.Contains([]string{"lower", "upper", "len", "starts_with", "ends_with"}, name) {
		return p.function(name)
	}
	field, ok := fieldNamed(name)
	if !ok {
		p.failAt(start, "unknown identifier")
		return none
	}
	return field
}

func (p *expressionParser) headers() operand {
	p.must("[")
	name := p.quoted()
	p.must("]")
	p.must("[")
	values := headersNamed(name)
	if p.sign("*") {
		p.must("]")
		return values
	}
	place := p.number()
	p.must("]")
	if place < 0 {
		p.fail("an index is 0 or more")
	}
	return values.at(int(place))
}

func (p *expressionParser) function(name string) operand {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		p.fail("expression is nested too deeply")
	}
	p.must("(")
	p.blank()
	start := p.at
	inner := operand{of: func(*visit) []datum { return nil }}
	if p.wrong == nil {
		inner = p.operand()
	}
	if inner.kind != kindText {
		p.failAt(start, "expected a value of type Bytes")
	}
	second := ""
	if strings.HasSuffix(name, "_with") {
		p.must(",")
		second = p.quoted()
	}
	p.must(")")
	return functionNamed(name, inner, second)
}

// judgement reads an operator and its right side; without one, a value that is
// true or false stands for itself.
func (p *expressionParser) judgement(of kind) func(datum) bool {
	if p.word("in", "") {
		return p.set(of)
	}
	for _, o := range operators {
		if p.word(o.word, o.sign) {
			return p.against(of, o.word)
		}
	}
	if of == kindText {
		switch {
		case p.word("contains", ""):
			part := p.quoted()
			return func(d datum) bool { return strings.Contains(d.text, part) }
		case p.word("wildcard", ""):
			return wildcard(p.quoted(), false)
		case p.word("strict", ""):
			if !p.word("wildcard", "") {
				p.fail("expected \"wildcard\"")
			}
			return wildcard(p.quoted(), true)
		case p.word("matches", "~"):
			p.fail("the use of operator Matches is not allowed, it requires a Business plan or higher")
		}
	}
	if of != kindTruth {
		p.fail("expected comparison operator")
	}
	return func(d datum) bool { return d.truth }
}

// operators that compare; the longer sign before the one it begins with.
var operators = [...]struct{ word, sign string }{
	{"eq", "=="}, {"ne", "!="}, {"le", "<="}, {"ge", ">="}, {"lt", "<"}, {"gt", ">"},
}

func (p *expressionParser) against(of kind, operator string) func(datum) bool {
	right := p.literal(of)
	equal := operator == "eq" || operator == "ne"
	if !equal && (of == kindTruth || right.covers != nil) {
		p.fail("there is no order of such values")
	}
	return func(d datum) bool {
		if equal && right.covers != nil {
			return right.covers(d) == (operator == "eq")
		}
		c := right.order(of, d)
		switch operator {
		case "lt":
			return c < 0
		case "le":
			return c <= 0
		case "gt":
			return c > 0
		case "ge":
			return c >= 0
		case "ne":
			return c != 0
		}
		return c == 0
	}
}
