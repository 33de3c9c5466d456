package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The queries of Cloudflare's analytics are read by a small scanner: one
// operation, fields with arguments, aliases and variables. Fragments and
// directives are not understood, and said to be so.
// https://spec.graphql.org/October2021/#sec-Language

// selection is a field that a query asks for.
type selection struct {
	name   string
	alias  string // what the answer calls it
	args   map[string]any
	fields []selection
}

// arg returns the object that is an argument, nil if it is not there.
func (s selection) arg(name string) map[string]any {
	object, _ := s.args[name].(map[string]any)
	return object
}

// gqlWord is a word without quotes: true, null, datetime_ASC.
type gqlWord string

// parseGraphQL reads a query; variables stand in for $NAME.
func parseGraphQL(text string, variables map[string]any) ([]selection, error) {
	p := &gqlParser{text: text, variables: variables}
	if word := p.word(); word != "" {
		if word != "query" {
			return nil, errors.New("only queries are understood, not " + word)
		}
		p.word() // its name
		if p.take('(') {
			p.skipDefinitions()
		}
	}
	fields := p.fields()
	p.blank()
	if p.wrong == nil && p.at < len(p.text) {
		p.fail("unexpected %q after the query", p.text[p.at])
	}
	return fields, p.wrong
}

type gqlParser struct {
	text      string
	at        int
	depth     int
	variables map[string]any
	wrong     error // the first one; nothing is read after it
}

func (p *gqlParser) fail(format string, args ...any) {
	if p.wrong == nil {
		line := 1 + strings.Count(p.text[:p.at], "\n")
		p.wrong = fmt.Errorf("syntax error on line %d: "+format, append([]any{line}, args...)...)
	}
	p.at = len(p.text)
}

// blank passes over what means nothing: spaces, commas, comments.
func (p *gqlParser) blank() {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case strings.IndexByte(" \t\r\n,", c) >= 0:
			p.at++
		case c == '#':
			end := strings.IndexByte(p.text[p.at:], '\n')
			if end < 0 {
				end = len(p.text) - p.at
			}
			p.at += end
		default:
			return
		}
	}
}

func (p *gqlParser) take(c byte) bool {
	p.blank()
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *gqlParser) must(c byte) {
	if !p.take(c) {
		p.fail("expected %q", c)
	}
}

// word takes a name or a number, "" if none comes next.
func (p *gqlParser) word() string {
	p.blank()
	start := p.at
	for p.at < len(p.text) && (wordByte(p.text[p.at]) || p.text[p.at] == '-') {
		p.at++
	}
	return p.text[start:p.at]
}

// deeper guards against nesting without end.
func (p *gqlParser) deeper() (back func()) {
	p.depth++
	if p.depth > maxDepth {
		p.fail("too deeply nested")
	}
	return func() { p.depth-- }
}

// skipDefinitions passes over ($zone: string!, …): what a variable is shows
// in its value.
func (p *gqlParser) skipDefinitions() {
	end := strings.IndexByte(p.text[p.at:], ')')
	if end < 0 {
		p.fail("expected ')'")
		return
	}
	p.at += end + 1
}

func (p *gqlParser) fields() []selection {
	defer p.deeper()()
	p.must('{')
	var all []selection
	for p.wrong == nil && !p.take('}') {
		name := p.word()
		if name == "" {
			p.fail("expected the name of a field")
			break
		}
		f := selection{name: name, alias: name}
		if p.take(':') {
			f.name = p.word()
		}
		if p.take('(') {
			f.args = p.pairs(')')
		}
		if p.blank(); p.at < len(p.text) && p.text[p.at] == '{' {
			f.fields = p.fields()
		}
		all = append(all, f)
	}
	if p.wrong == nil && len(all) == 0 {
		p.fail("expected a field between { and }")
	}
	return all
}

// pairs reads "name: value …" up to the closing sign.
func (p *gqlParser) pairs(end byte) map[string]any {
	defer p.deeper()()
	object := make(map[string]any)
	for p.wrong == nil && !p.take(end) {
		name := p.word()
		if name == "" {
			p.fail("expected a name or %q", end)
			break
		}
		p.must(':')
		object[name] = p.value()
	}
	return object
}

// value reads a text, a number, a word, a variable, a list or an object.
func (p *gqlParser) value() any {
	defer p.deeper()()
	p.blank()
	switch {
	case p.wrong != nil || p.at == len(p.text):
		p.fail("expected a value")
		return nil
	case p.text[p.at] == '"':
		return p.quoted()
	case p.take('$'):
		name := p.word()
		value, ok := p.variables[name]
		if !ok {
			p.fail("variable $%s has no value", name)
		}
		return value
	case p.take('{'):
		return p.pairs('}')
	case p.take('['):
		list := []any{}
		for p.wrong == nil && !p.take(']') {
			list = append(list, p.value())
		}
		return list
	}
	word := p.word()
	if n, err := strconv.ParseFloat(word, 64); err == nil {
		return n
	}
	switch word {
	case "":
		p.fail("expected a value")
		return nil
	case "true", "false":
		return word == "true"
	}
	return gqlWord(word)
}

// quoted reads "text", escaped as JSON escapes it.
func (p *gqlParser) quoted() string {
	start := p.at
	for p.at++; p.at < len(p.text) && p.text[p.at] != '"' && p.text[p.at] != '\n'; p.at++ {
		if p.text[p.at] == '\\' {
			p.at++
		}
	}
	if p.at >= len(p.text) || p.text[p.at] != '"' {
		p.at = start
		p.fail("a text does not end")
		return ""
	}
	p.at++
	var text string
	if json.Unmarshal([]byte(p.text[start:p.at]), &text) != nil {
		p.fail("a text has a wrong escape")
	}
	return text
}
