package configs

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cfddns/cfddns/ddns"
)

// spliced changes the text itself: lines of removed entries go, and lines for
// the new ones come after the last. A list in flow style is written anew in
// block style, and all around it stays. Of anything else the caller sees that
// it did not work.
func spliced(old []byte, root *yaml.Node, remove map[int]bool, add []Record) []byte {
	crlf := bytes.Contains(old, []byte("\r\n"))
	lines := strings.SplitAfter(strings.ReplaceAll(string(old), "\r\n", "\n"), "\n")
	if n := len(lines); lines[n-1] == "" {
		lines = lines[:n-1]
	} else {
		lines[n-1] += "\n"
	}
	at, list := value(root, "records")
	var text string
	switch {
	case at < 0:
		end := contentEnd(lines, 0, len(lines), isDocumentEnd)
		text = strings.Join(lines[:end], "") + "records:\n" + entryLines(add, "  ") + strings.Join(lines[end:], "")
	case list.Kind == yaml.SequenceNode && list.Style&yaml.FlowStyle == 0:
		text = splicedBlock(lines, root, remove, add)
	default:
		text = splicedFlow(lines, root, remove, add)
	}
	if crlf {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return []byte(text)
}

// splicedBlock changes a list in block style.
func splicedBlock(lines []string, root *yaml.Node, remove map[int]bool, add []Record) string {
	at, list := value(root, "records")
	end := keyEnd(lines, root, at)
	indent := strings.Repeat(" ", max(list.Column-1, 0))
	gone := map[int]bool{} // lines
	last := 0
	for i, entry := range list.Content {
		from, to := entry.Line-1, end
		if i+1 < len(list.Content) {
			to = list.Content[i+1].Line - 1
		}
		to = contentEnd(lines, from, to, isNoContent)
		for line := from; remove[i] && line < to; line++ {
			gone[line] = true
		}
		last = to
	}
	var text strings.Builder
	for i, line := range lines[:last] {
		if !gone[i] {
			text.WriteString(line)
		}
	}
	return text.String() + entryLines(add, indent) + strings.Join(lines[last:], "")
}

// splicedFlow writes a list in flow style, or what stands in the place of none,
// anew: an entry a line, with its comments.
func splicedFlow(lines []string, root *yaml.Node, remove map[int]bool, add []Record) string {
	at, list := value(root, "records")
	key := root.Content[at]
	from := key.Line - 1
	to := contentEnd(lines, from, keyEnd(lines, root, at), isNoContent)
	anew := yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for i, entry := range entries(root) {
		if !remove[i] {
			anew.Content = append(anew.Content, entry)
		}
	}
	named := *key
	named.HeadComment, named.FootComment, named.LineComment = "", "", list.LineComment // those around it stay where they are
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if len(anew.Content) == 0 || key.Column != 1 {
		line, comment, _ := strings.Cut(lines[to-1], "#")
		if b.WriteString("records:"); line != lines[to-1] {
			b.WriteString(" # " + strings.TrimSpace(comment))
		}
		b.WriteString("\n")
	} else if e.Encode(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{&named, &anew}}) != nil || e.Close() != nil {
		return "" // which holds nothing, and is not taken
	}
	return strings.Join(lines[:from], "") + b.String() + entryLines(add, "  ") + strings.Join(lines[to:], "")
}

// keyEnd is the line at which the value of a key ends at the latest: that of the next key.
func keyEnd(lines []string, root *yaml.Node, at int) int {
	if at+2 < len(root.Content) {
		return root.Content[at+2].Line - 1
	}
	return len(lines)
}

// contentEnd is where the content of lines[from:to] ends: what is none and
// comes after it belongs to what follows.
func contentEnd(lines []string, from, to int, none func(line string) bool) int {
	for to > from+1 && none(strings.TrimSpace(lines[to-1])) {
		to--
	}
	return to
}

// isNoContent reports whether a line is blank, a comment, or the end of the document.
func isNoContent(line string) bool {
	return line == "" || strings.HasPrefix(line, "#") || isDocumentEnd(line)
}

// isDocumentEnd reports whether a line ends a document.
func isDocumentEnd(line string) bool { return line == "..." }

// entryLines spells entries in block style.
func entryLines(records []Record, indent string) string {
	var b strings.Builder
	for _, r := range records {
		name := r.Name
		if strings.ContainsAny(name, "*\"'") {
			name = strconv.Quote(name)
		}
		fmt.Fprintf(&b, "%s- name: %s\n", indent, name)
		if !slices.Equal(r.Types, []string{"A"}) || r.Proxied != nil || r.TTL != nil {
			fmt.Fprintf(&b, "%s  types: [%s]\n", indent, strings.Join(r.Types, ", "))
		}
		if r.Proxied != nil {
			fmt.Fprintf(&b, "%s  proxied: %s\n", indent, keepWord(*r.Proxied))
		}
		if r.TTL != nil {
			fmt.Fprintf(&b, "%s  ttl: %s\n", indent, ttlWord(*r.TTL))
		}
	}
	return b.String()
}

// keepWord and ttlWord spell settings as the file does.
func keepWord(k ddns.Keep) string {
	switch k {
	case ddns.SetTrue:
		return "true"
	case ddns.SetFalse:
		return "false"
	case ddns.KeepIt:
	}
	return "keep"
}

func ttlWord(ttl TTL) string {
	switch ttl {
	case 0:
		return "keep"
	case 1:
		return "auto"
	}
	return strconv.Itoa(int(ttl))
}
