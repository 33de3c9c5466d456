package configs

import (
	"bytes"
	"fmt"
	"regexp"
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
	lines := linesOf(string(old))
	if n := len(lines); n > 0 && breakOf(lines[n-1]) == "" {
		lines[n-1] += newBreak(lines, n-1)
	}
	at, list := value(root, "records")
	switch {
	case at < 0:
		end := len(lines)
		if i := slices.IndexFunc(lines, func(line string) bool {
			return isDocumentEnd(strings.TrimSpace(line))
		}); i >= 0 {
			end = i
		}
		return replaced(lines, end, end, "records:\n"+entryLines(add, "  "))
	case list.Kind == yaml.SequenceNode && list.Style&yaml.FlowStyle == 0:
		return splicedBlock(lines, root, remove, add)
	default:
		return splicedFlow(lines, root, remove, add)
	}
}

// lineBreaks are those of YAML 1.1 (section 4.2), by which its parser counts lines.
var lineBreaks = regexp.MustCompile("\r\n|[\r\n\u0085\u2028\u2029]")

// linesOf parts a text into lines, each with its own break.
func linesOf(text string) (lines []string) {
	from := 0
	for _, at := range lineBreaks.FindAllStringIndex(text, -1) {
		lines, from = append(lines, text[from:at[1]]), at[1]
	}
	if from < len(text) {
		lines = append(lines, text[from:])
	}
	return lines
}

// breakOf is how a line ends; "" if it is the last and does not.
func breakOf(line string) string {
	for _, end := range []string{"\r\n", "\n", "\r", "\u0085", "\u2028", "\u2029"} {
		if strings.HasSuffix(line, end) {
			return end
		}
	}
	return ""
}

// newBreak is how a new line ends that comes at a place: as the one before it.
func newBreak(lines []string, at int) string {
	if at > 0 && at <= len(lines) {
		return breakOf(lines[at-1])
	}
	return "\n"
}

// replaced puts new lines in the place of lines[from:to].
func replaced(lines []string, from, to int, anew string) []byte {
	end := newBreak(lines, from)
	if to > from {
		end = breakOf(lines[from])
	}
	return []byte(strings.Join(lines[:from], "") + strings.ReplaceAll(anew, "\n", end) + strings.Join(lines[to:], ""))
}

// splicedBlock changes a list in block style.
func splicedBlock(lines []string, root *yaml.Node, remove map[int]bool, add []Record) []byte {
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
	end = last
	kept := slices.Clone(lines)
	for i := len(lines) - 1; i >= 0; i-- {
		if gone[i] {
			kept = slices.Delete(kept, i, i+1)
			end--
		}
	}
	return replaced(kept, end, end, entryLines(add, indent))
}

// splicedFlow writes a list in flow style, or what stands in the place of none,
// anew: an entry a line, with its comments.
func splicedFlow(lines []string, root *yaml.Node, remove map[int]bool, add []Record) []byte {
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
		return nil // which holds nothing, and is not taken
	}
	return replaced(lines, from, to, b.String()+entryLines(add, "  "))
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

// Entries spells records that are listed, and more of them, as entries of the
// list, for a person to add by hand. Whatever the defaults are, they mean what
// they mean here; more do not follow the defaults.
func (c Config) Entries(listed, more []Record) string {
	if !c.Defaults.usual() {
		listed, more = saidBy(c.Defaults, listed), saidBy(Defaults{}, more)
	}
	return entryLines(slices.Concat(listed, more), "  ")
}

// saidBy are the records with all said that defaults would otherwise say.
func saidBy(d Defaults, records []Record) []Record {
	whole := slices.Clone(records)
	for i, r := range records {
		whole[i].Proxied, whole[i].TTL = new(r.proxied(d)), new(r.ttl(d))
	}
	return whole
}

// InVariable spells the variable that lists these names beside those that are
// listed now; sayable is false if the variables in force say another thing of one.
func (c Config) InVariable(more []Record) (line string, sayable bool) {
	var names []string
	listed := map[string]bool{}
	if c.ByVariable {
		for _, r := range c.Records {
			names = append(names, r.Name)
			listed[r.Name] = true
		}
	}
	for _, r := range more {
		types := func(list []string) []string { return slices.Sorted(slices.Values(list)) }
		same := slices.Equal(types(r.completed(Default().Defaults).Types), types(c.Defaults.Types)) &&
			r.proxied(Defaults{}) == c.Defaults.Proxied && r.ttl(Defaults{}) == c.Defaults.TTL
		if !same || listed[r.Name] {
			return "", false
		}
		names = append(names, r.Name)
	}
	return prefix + "RECORDS=" + strings.Join(names, ","), true
}
