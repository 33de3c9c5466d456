package ddns

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// errorsShown is how many of several errors are shown.
const errorsShown = 3

// JoinErrors makes one error of several, in one line: the first few that differ,
// and how many there are beside them. A thousand addresses that fail must not
// become a thousand lines of log. It is nil if all are.
func JoinErrors(errs ...error) error {
	errs = slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err == nil })
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return &joined{errs}
}

// joined is several errors.
type joined struct{ errs []error }

// Error implements error.
func (j *joined) Error() string {
	var texts []string
	for _, err := range j.errs {
		if text := err.Error(); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	more := ""
	if len(texts) > errorsShown {
		more = fmt.Sprintf("; and %d more", len(texts)-errorsShown)
		texts = texts[:errorsShown]
	}
	return strings.Join(texts, "; ") + more
}

// Unwrap returns all of them.
func (j *joined) Unwrap() []error { return j.errs }

// textMost bounds one text of a document, in bytes: what strangers say must not
// push out of the journal what happened before.
const textMost = 1000

// brief cuts a text that is too long for a document.
func brief(text string) string {
	if len(text) <= textMost {
		return text
	}
	cut := textMost
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return fmt.Sprintf("%s … (%d bytes more)", text[:cut], len(text)-cut)
}
