package configs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"
)

// What is no YAML, JSON or TOML is told in words that hold nothing of the file:
// a parser quotes what it stumbles over, and that may be a password. Only those
// of its sentences are passed on that have no place for a quotation.

// mappingOf returns the mapping that a YAML file is, of which there is one.
func mappingOf(data []byte) (*yaml.Node, *Problem) {
	empty := &yaml.Node{Kind: yaml.MappingNode}
	if problem := notUTF8(data); problem != nil {
		return nil, problem
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return empty, nil
	}
	if err != nil {
		return nil, badYAML(err, data)
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, &Problem{Line: second.Line, Text: "the file has a second part after ---, which nobody would " +
			"read; remove the line or the part"}
	}
	root := document.Content[0]
	switch {
	case root.Kind == yaml.MappingNode:
		return root, keyProblem(root)
	case root.Tag == "!!null":
		return empty, nil
	}
	// The content is not shown: it may be a file with a token.
	return nil, &Problem{Line: root.Line, Text: "the file does not hold keys; see minimal.yaml for one that does"}
}

// keyProblem finds a key that is no word, which YAML allows after a question
// mark, or where somebody wrote braces around a template's name.
func keyProblem(n *yaml.Node) *Problem {
	for i, c := range n.Content {
		if key := n.Kind == yaml.MappingNode && i%2 == 0; key && c.Kind != yaml.ScalarNode && c.Kind != yaml.AliasNode {
			return &Problem{Line: c.Line, Text: "a key is " + kindWord(c) + " here, and a word belongs there; write " +
				"KEY: VALUE, without ? and without brackets around the key"}
		}
		if problem := keyProblem(c); problem != nil {
			return problem
		}
	}
	return nil
}

// notUTF8 finds the line at which a file stops to be UTF-8. Files of UTF-16 that
// say so are left to the parser.
func notUTF8(data []byte) *Problem {
	if utf8.Valid(data) || bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return nil
	}
	line := 0
	for text := range bytes.Lines(data) {
		if line++; !utf8.Valid(text) {
			break
		}
	}
	return &Problem{Line: line, Text: "is not written in UTF-8 here, in a comment or a value; save the file in that " +
		"encoding (older editors write EUC-KR, Shift JIS, Latin-1 or the like)"}
}

// badYAML is the problem of a file that is no YAML.
func badYAML(err error, data []byte) *Problem {
	line, text := lineOf(err.Error())
	p := &Problem{Line: line, Text: "not valid YAML: " + harmless(text) +
		"; look at the indentation and the quotes around this line"}
	switch at, found := starWithoutQuotes(data); {
	case found:
		p.Line, p.Text = at, `a word that begins with * needs quotes in YAML; write "*.example.com"`
	case strings.HasPrefix(text, "unknown anchor"):
		p.Line, p.Text = lineWith(data, "*"), "a word that begins with * refers to one that & marks, and there is "+
			"none; put it in quotes if it is meant (it is not shown: it may be a secret)"
	case strings.HasPrefix(text, "cannot decode"):
		p.Line, p.Text = lineWith(data, "!!"), "a value is not of the type that its tag (!!) says; leave the tag "+
			"out, and put the value in quotes (it is not shown: it may be a secret)"
	default:
		if at, found := tabAtStart(data); found {
			p.Line, p.Text = at, "a tab indents this line, which YAML does not allow; write spaces"
		}
	}
	return p
}

// lineWith is the only line that has a mark at the beginning of a value; 0 if
// there are several, or none.
func lineWith(data []byte, mark string) (line int) {
	at := regexp.MustCompile(`(?:^|[\s:,\[{-])` + regexp.QuoteMeta(mark) + `\S`)
	number := 0
	for text := range bytes.Lines(data) {
		number++
		switch {
		case !at.Match(text) || bytes.HasPrefix(bytes.TrimSpace(text), []byte("#")):
		case line != 0:
			return 0
		default:
			line = number
		}
	}
	return line
}

// sentences are those of a parser that quote nothing but punctuation.
var sentences = regexp.MustCompile(`^[A-Za-z -]+('[^A-Za-z0-9]'[A-Za-z ,-]*)*$`)

// harmless is what a parser says, if no part of the file can be in it.
func harmless(text string) string {
	if sentences.MatchString(text) {
		return text
	}
	return "the parser stops here (what it read is not shown: it may be a secret)"
}

// Problems of one file get its name.
func (ps Problems) of(file string) Problems {
	for i := range ps {
		ps[i].File = file
	}
	return ps
}

// unparsed turns the error of a format's own parser into problems.
func unparsed(err error, format string, data []byte) (problems Problems) {
	if parse, ok := errors.AsType[viper.ConfigParseError](err); ok {
		err = parse.Unwrap()
	}
	if wrongType, ok := errors.AsType[*yaml.TypeError](err); ok {
		for _, text := range wrongType.Errors {
			problems = append(problems, typeProblem(text))
		}
		return problems
	}
	if format == "yaml" {
		return Problems{*badYAML(err, data)}
	}
	line, text := lineOf(err.Error())
	if at, ok := errors.AsType[*json.SyntaxError](err); ok {
		line = 1 + bytes.Count(data[:min(max(at.Offset, 0), int64(len(data)))], []byte("\n"))
	}
	if at, ok := errors.AsType[interface {
		error
		Position() (row, column int)
	}](err); ok { // the TOML library's
		line, _ = at.Position()
	}
	return Problems{{Line: line, Text: "not valid " + strings.ToUpper(format) + ": " +
		harmless(strings.TrimPrefix(text, "toml: "))}}
}

// definedTwice is what the YAML library says of a key that stands there again.
var definedTwice = regexp.MustCompile(`^mapping key "(.*)" already defined at line ([0-9]+)$`)

// typeProblem is one thing that the YAML library could not decode. A key that
// stands there twice is named if it is one of ours.
func typeProblem(said string) Problem {
	line, text := lineOf(said)
	twice := definedTwice.FindStringSubmatch(text)
	switch {
	case twice == nil:
		return Problem{Line: line, Text: "not valid YAML: " + harmless(text)}
	case isKey(twice[1]):
		return Problem{Line: line, Text: fmt.Sprintf("mapping key %q already defined at line %s; keep one of the two",
			twice[1], twice[2])}
	default:
		return Problem{Line: line,
			Text: fmt.Sprintf("this key is already defined at line %s; keep one of the two", twice[2])}
	}
}

// isKey reports whether a word is a key, at whatever place.
func isKey(word string) bool {
	return slices.ContainsFunc(Keys(), func(path string) bool {
		return slices.Contains(strings.FieldsFunc(path, func(r rune) bool {
			return strings.ContainsRune(".[]", r)
		}), word)
	})
}

// lineOf takes the line off the front of what the YAML library says.
func lineOf(text string) (int, string) {
	text = strings.TrimPrefix(text, "yaml: ")
	rest, found := strings.CutPrefix(text, "line ")
	if !found {
		return 0, text
	}
	number, rest, _ := strings.Cut(rest, ": ")
	line, err := strconv.Atoi(number)
	if err != nil {
		return 0, text
	}
	return line, rest
}

// starWithoutQuotes finds a wildcard that YAML takes for an alias.
func starWithoutQuotes(data []byte) (line int, found bool) {
	at := regexp.MustCompile(`[:\-\[,]\s*\*\.`).FindIndex(data)
	if at == nil {
		return 0, false
	}
	line = 1
	for _, b := range data[:at[1]] {
		if b == '\n' {
			line++
		}
	}
	return line, true
}

// tabAtStart finds a line that a tab indents.
func tabAtStart(data []byte) (line int, found bool) {
	for text := range bytes.Lines(data) {
		line++
		if indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]; bytes.ContainsRune(indent, '\t') &&
			len(bytes.TrimSpace(text)) > 0 {
			return line, true
		}
	}
	return 0, false
}
