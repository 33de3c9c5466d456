package ddns

import (
	"slices"
	"strings"
)

// markOff in the comment of a record asks us to leave it alone.
const markOff = "cfddns:off"

// mark is the word in a record's comment that says whose it is.
func mark(owner string) string { return "cfddns:" + owner }

// marked reports whether the comment holds the word, between blanks.
func marked(comment, word string) bool {
	return slices.Contains(strings.Fields(comment), word)
}

// leftAlone reports whether a comment asks us to leave the record alone. The
// word may stand in brackets or at the end of a sentence.
func leftAlone(comment string) bool {
	words := strings.FieldsFunc(strings.ToLower(comment), func(r rune) bool {
		letter, digit := r >= 'a' && r <= 'z', r >= '0' && r <= '9'
		return !letter && !digit && r != ':' && r != '-' && r != '_'
	})
	return slices.Contains(words, markOff)
}

// addMark adds the mark of the owner to a comment, never in place of what
// stands there. Where the plan's limit leaves no room the comment stays as it
// is, and ok is false.
func addMark(comment, owner string, limit int) (with string, ok bool) {
	if marked(comment, mark(owner)) {
		return comment, true
	}
	with = strings.TrimSpace(comment + " " + mark(owner))
	if len([]rune(with)) > limit {
		return comment, false
	}
	return with, true
}

// keeper names another tool that says it keeps the record of a type at a name,
// or "".
//
// external-dns marks names by a TXT record at the name, or since its version
// 0.12 at TYPE-name: https://kubernetes-sigs.github.io/external-dns/latest/docs/registry/txt/
func (z ZoneFacts) keeper(name, recordType string) string {
	for _, registry := range []string{name, strings.ToLower(recordType) + "-" + name, "cname-" + name} {
		for _, r := range z.at(registry) {
			if r.Type == "TXT" && strings.HasPrefix(strings.ToLower(strings.Trim(r.Content, `"`)), externalDNS) {
				return "external-dns"
			}
		}
	}
	for _, r := range z.at(name) {
		if r.Type == recordType || r.Type == "CNAME" {
			if tool := r.keeper(); tool != "" {
				return tool
			}
		}
	}
	return ""
}

const externalDNS = "heritage=external-dns"

// keeper names a tool that the record's comment names as its keeper, or "".
// Terraform leaves no mark of its own; people write it into the comment.
func (r Record) keeper() string {
	comment := strings.ToLower(r.Comment)
	switch {
	case strings.Contains(comment, externalDNS):
		return "external-dns"
	case strings.Contains(comment, "terraform"):
		return "Terraform"
	default:
		return ""
	}
}

// foreignMark returns the mark of another owner in a comment, or "".
func foreignMark(comment, owner string) string {
	for _, word := range strings.Fields(comment) {
		if strings.HasPrefix(word, mark("")) && word != mark(owner) && word != markOff {
			return word
		}
	}
	return ""
}
