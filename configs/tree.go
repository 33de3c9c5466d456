package configs

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/cfddns/cfddns/ddns"
)

// tree holds a file against the type Config before anything is decoded: it
// sees what a decoder hides (the line, a key that is not known, 0300 that
// YAML takes for 192) and remembers the line of every key.
type tree struct {
	lines    map[string]int
	problems Problems
}

// enough problems have been found when a person stops reading.
const enough = 100

// walk visits the value n at a path, which shall be of type t.
func (w *tree) walk(path string, n *yaml.Node, t reflect.Type) {
	if len(w.problems) >= enough {
		return
	}
	w.lines[path] = n.Line
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		// A key without a value keeps its default.
	case t.Kind() == reflect.Slice:
		w.list(path, n, t.Elem())
	case len(fieldsOf(t)) > 0 && !isWord(n, t):
		w.mapping(path, n, t)
	default:
		w.scalar(path, n, t)
	}
}

// isWord reports whether n is a source written as a word of the catalogue.
func isWord(n *yaml.Node, t reflect.Type) bool {
	return t == reflect.TypeFor[Source]() && n.Kind == yaml.ScalarNode
}

func (w *tree) list(path string, n *yaml.Node, entry reflect.Type) {
	if n.Kind != yaml.SequenceNode {
		w.add(path, n.Line, "is not a list; write its entries in brackets, [a, b], or one below the other, each after a dash")
		return
	}
	for i, c := range n.Content {
		w.walk(index(path, i), c, entry)
	}
}

func (w *tree) mapping(path string, n *yaml.Node, t reflect.Type) {
	if n.Kind == yaml.ScalarNode && fieldsOf(t)[0].key == "name" {
		w.add(path, n.Line, "stands alone; write `name: ` before it, since other keys may follow")
		return
	}
	if n.Kind != yaml.MappingNode {
		w.add(path, n.Line, "has keys of its own; write them below it, such as `"+fieldsOf(t)[0].key+": …`")
		return
	}
	known := map[string]reflect.Type{}
	for _, f := range fieldsOf(t) {
		known[f.key] = f.value
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := join(path, key.Value)
		if fieldType, ok := known[key.Value]; ok {
			w.walk(at, value, fieldType)
			w.lines[at] = key.Line
			continue
		}
		if text := unknownKey(at); value.Tag == "!!null" && strings.HasSuffix(text, "all keys") && holdsSecret(t) {
			// such as {password, hunter2}
			w.add(path, key.Line, "a key without a value is none of its keys (it is not shown: it may be a secret); "+
				"reference.yaml lists them")
		} else {
			w.add(at, key.Line, text)
		}
		if len(w.problems) >= enough {
			return
		}
	}
}

// holdsSecret reports whether a secret belongs to the keys of a mapping.
func holdsSecret(t reflect.Type) bool {
	return slices.ContainsFunc(fieldsOf(t), func(f field) bool { return f.value == reflect.TypeFor[ddns.Secret]() })
}

func unknownKey(path string) string {
	text := "there is no such key"
	known := Keys()
	for _, key := range Keys() {
		if section := parent(key); section != "" && !slices.Contains(known, section) {
			known = append(known, section)
		}
	}
	meant := nearest(plain(path), known)
	if meant != "" && parent(meant) == parent(plain(path)) {
		meant = lastPart(meant)
	}
	if meant != "" {
		return text + "; did you mean " + meant + "?"
	}
	return text + "; reference.yaml lists all keys"
}

func (w *tree) scalar(path string, n *yaml.Node, t reflect.Type) {
	if n.Kind != yaml.ScalarNode {
		w.add(path, n.Line, "is "+kindWord(n)+"; a single value belongs here")
		return
	}
	if text := mismatch(n, t); text != "" {
		w.add(path, n.Line, text)
	}
}

// mismatch says why a scalar is not of the kind that a value of type t is
// written in, or "".
func mismatch(n *yaml.Node, t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Duration]():
		if n.Tag == "!!str" || n.Value == "0" {
			return ""
		}
		return n.Value + " has no unit; write a number with a unit, such as 15s, 20m, 1h or 30d"
	case reflect.TypeFor[Schedule]():
		if n.Tag == "!!str" {
			return ""
		}
		return n.Value + ` is no schedule; write "@every 20m", or five fields of cron such as "0 4 * * *"`
	case reflect.TypeFor[ddns.Keep]():
		if n.Tag == "!!str" || n.Tag == "!!bool" {
			return ""
		}
		return n.Value + " is " + kindWord(n) + "; write keep, true or false"
	case reflect.TypeFor[TTL]():
		if n.Tag == "!!str" || decimal(n) {
			return ""
		}
		return n.Value + " is no number of seconds; write keep, auto, or plain digits such as 300"
	case reflect.TypeFor[Quorum]():
		if n.Tag == "!!str" || decimal(n) {
			return ""
		}
		return n.Value + " is no number of operators; write auto, or plain digits such as 4"
	case reflect.TypeFor[Until]():
		if n.Tag == "!!str" || n.Tag == "!!timestamp" && len(n.Value) == len(time.DateOnly) {
			return ""
		}
	case reflect.TypeFor[ddns.Secret]():
		if n.Tag == "!!str" {
			return ""
		}
		return "is " + kindWord(n) + "; put it in quotes" // never shown
	}
	if n.Tag == "!!str" {
		return ""
	}
	return fmt.Sprintf("%s is %s, and a word belongs here; put it in quotes if it is meant, %q", n.Value, kindWord(n), n.Value)
}

// decimal reports whether an integer is what it looks like (YAML reads 0300
// as octal and 1_0 as ten) and is not 0, which stands for a word inside.
func decimal(n *yaml.Node) bool {
	i, err := strconv.Atoi(n.Value)
	return n.Tag == "!!int" && err == nil && i != 0 && strconv.Itoa(i) == n.Value
}

func kindWord(n *yaml.Node) string {
	switch n.Tag {
	case "!!seq":
		return "a list"
	case "!!map":
		return "a mapping"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "a boolean"
	case "!!timestamp":
		return "a date"
	case "!!null":
		return "empty"
	}
	return "of a type that its tag (!) names" // which may be a password that begins so
}

func (w *tree) add(path string, line int, text string) {
	w.problems = append(w.problems, Problem{Line: line, Key: path, Text: text})
}

// line returns the line of a path, or that of the nearest key around it.
func (w *tree) line(path string) int {
	for {
		if line := w.lines[path]; line > 0 || path == "" {
			return line
		}
		path = parent(path)
	}
}
