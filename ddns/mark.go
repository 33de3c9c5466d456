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

// keeper names another tool that says it keeps the record of a type at a name,
// or "".
//
// external-dns marks names by a TXT record at the name, or since its version
// 0.12 at TYPE-name: https://kubernetes-sigs.github.io/external-dns/latest/docs/registry/txt/
// Terraform has no mark of its own; people write it into the comment.
func keeper(records []Record, name, recordType string) string {
	for _, r := range records {
		text := strings.ToLower(strings.Trim(r.Content, `"`))
		comment := strings.ToLower(r.Comment)
		ours := r.Name == name && (r.Type == recordType || r.Type == "CNAME")
		registry := r.Type == "TXT" && (r.Name == name || r.Name == strings.ToLower(recordType)+"-"+name || r.Name == "cname-"+name)
		switch {
		case registry && strings.HasPrefix(text, "heritage=external-dns"), ours && strings.Contains(comment, "heritage=external-dns"):
			return "external-dns"
		case ours && strings.Contains(comment, "terraform"):
			return "Terraform"
		}
	}
	return ""
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
