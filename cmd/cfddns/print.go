package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/cfddns/cfddns/ddns"
)

// Whatever this program prints goes through an output, and an output lets no
// control character of anybody else pass: a record's comment, an error of the
// API, an answer of the router or a file's name could otherwise move the
// cursor, hide a line or forge one. There are two doors. sayf takes our own words
// as a format, and cleans every argument, newlines included. Write takes whole
// texts, of cobra, of encoding/json and of the log, and cleans all but newlines
// and tabs. What is cleaned is shown, as \x1b or \u202e, so that a person sees
// that something was there. A test holds that nothing is printed by another way.

// output is standard output or standard error.
type output struct {
	to    io.Writer
	width int  // columns of the terminal; 0 where lines are not broken
	begun bool // something was printed
	err   error
}

// Write implements io.Writer for what knows nothing of colours.
func (o *output) Write(p []byte) (int, error) {
	if err := o.print(visible(string(p), "\n\t")); err != nil {
		return 0, err
	}
	return len(p), nil
}

// print prints a text as it is, and remembers the first error of writing, so
// that a full disk or a closed pipe shows in the exit code whatever was printed.
func (o *output) print(text string) error {
	_, err := io.WriteString(o.to, text)
	o.begun = true
	if o.err == nil {
		o.err = err
	}
	return err
}

// fileOf is the file that a writer prints to; nil if it is none.
func fileOf(w io.Writer) *os.File {
	if o, ok := w.(*output); ok {
		w = o.to
	}
	f, _ := w.(*os.File)
	return f
}

// clean is a text that may be printed as it is: our own words, colours
// included, with what comes from elsewhere made visible.
type clean string

// verbatim is a command or another text to be copied: no line is broken in it.
type verbatim string

// sayf prints words of our own with arguments from anywhere, in lines that fit
// the terminal.
func sayf(w io.Writer, format string, args ...any) {
	text := cleanf(format, args...)
	o, ok := w.(*output)
	if !ok { // a text that is collected, to be printed later
		_, _ = io.WriteString(w, text.plain())
		return
	}
	_ = o.print(fitted(string(text), o.width)) // the exit code shows that it could not
}

// sayLines prints lines that are copied as they are.
func sayLines(w io.Writer, lines string) {
	for line := range strings.SplitSeq(strings.TrimSuffix(lines, "\n"), "\n") {
		sayf(w, "%s\n", verbatim(line))
	}
}

// plain is a text without the marks that keep lines from being broken in it.
func (c clean) plain() string { return strings.ReplaceAll(string(c), unbroken, " ") }

// cleanf is fmt.Sprintf with arguments from anywhere.
func cleanf(format string, args ...any) clean {
	if false {
		_ = fmt.Sprintf(format, args...) // go vet then checks the formats of sayf and cleanf
	}
	safe := make([]any, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case clean:
			safe[i] = string(v)
		case verbatim:
			safe[i] = strings.ReplaceAll(visible(string(v), ""), " ", unbroken)
		case int, int64, bool: // a width among them must stay a number
			safe[i] = v
		case error:
			safe[i] = foreign{oneLine(v)}
		default:
			safe[i] = foreign{v}
		}
	}
	return clean(fmt.Sprintf(format, safe...))
}

// foreign is an argument that is cleaned after it was formatted.
type foreign struct{ arg any }

// Format implements fmt.Formatter.
func (f foreign) Format(s fmt.State, verb rune) {
	_, _ = io.WriteString(s, visible(fmt.Sprintf(fmt.FormatString(s, verb), f.arg), "")) // into memory
}

// apart are the texts of errors that are joined and no more, else the one of the error.
func apart(err error) (texts []string) {
	if e, ok := errors.AsType[*exitError](err); ok && e.err != nil {
		err = e.err
	}
	errs, joined := joinedBy(err)
	if !joined {
		return []string{oneLine(err)}
	}
	for _, each := range errs {
		texts = append(texts, apart(each)...)
	}
	return texts
}

// joinedBy are the errors that stand in an error, a line each, with no word beside
// them, as errors.Join makes it. One that says more, or shows a few of many, is
// an error of its own.
func joinedBy(err error) (errs []error, joined bool) {
	e, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil, false
	}
	var texts []string
	for _, each := range e.Unwrap() {
		texts = append(texts, each.Error())
	}
	return e.Unwrap(), err.Error() == strings.Join(texts, "\n")
}

// oneLine is the text of an error. Joined errors, which would be lines of their
// own, are parted by semicolons.
func oneLine(err error) string {
	text := err.Error()
	if errs, joined := joinedBy(err); joined {
		parts := make([]string, len(errs))
		for i, each := range errs {
			parts[i] = oneLine(each)
		}
		return strings.Join(parts, "; ")
	}
	switch e := err.(type) { //nolint:errorlint // the tree is walked node by node
	case interface{ Unwrap() []error }:
		for _, each := range e.Unwrap() {
			text = strings.Replace(text, each.Error(), oneLine(each), 1)
		}
	case interface{ Unwrap() error }:
		if within := e.Unwrap(); within != nil {
			text = strings.Replace(text, within.Error(), oneLine(within), 1)
		}
	}
	return text
}

// shortEscapes are those that everybody knows.
var shortEscapes = map[rune]string{'\n': `\n`, '\r': `\r`, '\t': `\t`}

// visible shows what a terminal would obey, and what is no text: control
// characters but those of except, what turns the direction of writing, other
// marks that nobody sees, and bytes that are no UTF-8. A document in JSON stays
// one: there the escapes mean what they show, and encoding/json leaves none of
// the others.
func visible(text, except string) string {
	unseen := func(r rune) bool { return ddns.Unseen(r) && !strings.ContainsRune(except, r) }
	if !strings.ContainsFunc(text, unseen) && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case !unseen(r):
			b.WriteRune(r)
		case r == '\n' || r == '\r' || r == '\t':
			b.WriteString(shortEscapes[r])
		case r < ' ':
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
		i += size
	}
	return b.String()
}
