package ipsource

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// maxDepth is how deep elements may lie in each other; a description needs nine.
const maxDepth = 32

// element is one that has begun and not ended.
type element struct {
	name   string // as written, with its prefix
	text   string
	parent bool // it holds elements
}

// scanXML reads the few documents of a router, and calls ended for each element
// where it ends, with the name without its prefix and, if it holds no other
// element, its text. It knows tags, comments and the declaration. What else XML
// can do (document types, entities, sections of raw text) is refused where it
// matters: no router needs it, and somebody else may have written the document.
func scanXML(doc []byte, ended func(name, text string) error) error {
	var open []element
	roots := 0
	for len(doc) > 0 {
		text, rest, found := bytes.Cut(doc, []byte("<"))
		if len(open) > 0 {
			open[len(open)-1].text += string(text)
		} else if len(bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))) > 0 {
			return errors.New("no XML: text outside of its elements")
		}
		if !found {
			break
		}
		tag, after, err := cutTag(rest)
		if err != nil {
			return err
		}
		doc = after
		if tag == "" { // a comment or a declaration
			continue
		}
		if len(open) == 0 {
			roots++
		}
		if open, err = apply(tag, open, ended); err != nil {
			return err
		}
	}
	if len(open) > 0 || roots != 1 {
		return errors.New("no XML: it does not end where it should")
	}
	return nil
}

// cutTag splits what follows a "<" into the tag and the rest. The tag is empty
// for what is none.
func cutTag(b []byte) (tag string, rest []byte, err error) {
	end, skip := ">", false
	switch {
	case bytes.HasPrefix(b, []byte("!--")):
		b, end, skip = b[3:], "-->", true
	case bytes.HasPrefix(b, []byte("?")):
		end, skip = "?>", true
	case bytes.HasPrefix(b, []byte("!")):
		return "", nil, errors.New("a document type or a section of raw text, which no router needs: refused")
	}
	inside, rest, found := bytes.Cut(b, []byte(end))
	if !found {
		return "", nil, errors.New("no XML: a tag does not end")
	}
	if skip {
		return "", rest, nil
	}
	if len(inside) == 0 || bytes.ContainsRune(inside, '<') {
		return "", nil, errors.New("no XML: a tag without a name")
	}
	return string(inside), rest, nil
}

// apply begins or ends an element, or both.
func apply(tag string, open []element, ended func(name, text string) error) ([]element, error) {
	if name, closes := strings.CutPrefix(tag, "/"); closes {
		if len(open) == 0 || open[len(open)-1].name != strings.TrimRight(name, " \t\r\n") {
			return nil, fmt.Errorf("no XML: %.40q ends what did not begin", tag)
		}
		return end(open, ended)
	}
	inner, empty := strings.CutSuffix(tag, "/")
	name, _, _ := strings.Cut(strings.Map(spaces, inner), " ")
	if name == "" || len(open) >= maxDepth {
		return nil, fmt.Errorf("no XML of a router: %.40q", tag)
	}
	if len(open) > 0 {
		open[len(open)-1].parent = true
	}
	open = append(open, element{name: name})
	if empty {
		return end(open, ended)
	}
	return open, nil
}

// end takes the innermost element away and tells of it.
func end(open []element, ended func(name, text string) error) ([]element, error) {
	last := open[len(open)-1]
	if last.parent {
		last.text = ""
	}
	local := last.name[strings.LastIndexByte(last.name, ':')+1:]
	if strings.ContainsRune(last.text, '&') {
		switch local {
		case "serviceType", "controlURL", "NewExternalIPAddress":
			return nil, fmt.Errorf("an entity in %s: refused", local)
		}
	}
	return open[:len(open)-1], ended(local, last.text)
}

// spaces turns every white space into a blank.
func spaces(r rune) rune {
	if r == '\t' || r == '\r' || r == '\n' {
		return ' '
	}
	return r
}
