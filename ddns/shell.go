package ddns

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// notShown stands in the place of a command that nobody could copy safely.
const notShown = "(a command that is not shown: a word of it holds characters that nobody can see)"

// CommandLine spells a command as a person may paste it into a shell: a word
// from elsewhere, of a record or of a file, stays one word, whatever it holds.
func CommandLine(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		switch {
		case !utf8.ValidString(word) || strings.ContainsFunc(word, Unseen):
			return notShown
		case word == "" || strings.ContainsFunc(word, meansSomething):
			// https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_02_02
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		default:
			quoted[i] = word
		}
	}
	return strings.Join(quoted, " ")
}

// meansSomething reports whether a shell may take a character for more than itself.
func meansSomething(r rune) bool {
	return !unicode.In(r, unicode.L, unicode.M, unicode.N) && !strings.ContainsRune("-_./:,@%+=…", r)
}

// Unseen reports whether a terminal obeys a character instead of showing it, or
// shows nothing: control characters, those that turn the direction of writing,
// other marks without a shape. The two that join and part letters belong to the
// spelling of names in many languages (RFC 5892).
func Unseen(r rune) bool {
	const joiner, nonJoiner = 0x200d, 0x200c
	return r != joiner && r != nonJoiner && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}
