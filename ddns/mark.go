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

// keeper names another tool that says it keeps a name, or "".
//
// external-dns marks names by a TXT record:
// https://kubernetes-sigs.github.io/external-dns/latest/docs/registry/txt/
func keeper(records []Record) string {
	for _, r := range records {
		text := strings.ToLower(strings.Trim(r.Content, `"`))
		comment := strings.ToLower(r.Comment)
		switch {
		case r.Type == "TXT" && strings.HasPrefix(text, "heritage=external-dns"), strings.Contains(comment, "heritage=external-dns"):
			return "external-dns"
		case strings.Contains(comment, "terraform"):
			return "Terraform"
		}
	}
	return ""
}
