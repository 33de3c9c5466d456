package main

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/term"
	"golang.org/x/text/width"
)

// Lines are broken for a person who looks at a terminal, and for one who says
// how wide a line may be by COLUMNS (POSIX, Environment Variables), also where
// the output goes into a pager. Elsewhere each line stays whole, for grep and
// for scripts. A word is never broken, nor is a command: it is there to be copied.

// narrowest is the smallest width for which lines are broken.
const narrowest = 20

// columns is how wide lines may be on a file; 0 if they are not broken.
func columns(fd int, wanted string) int {
	if n, err := strconv.Atoi(wanted); err == nil && n > 0 {
		return max(n, narrowest)
	}
	if n, _, err := term.GetSize(fd); err == nil && n > 0 {
		return max(n, narrowest)
	}
	return 0
}

// unbroken is a space at which no line is broken; it is printed as any other.
const unbroken = "\u00a0"

// colourMarks are the sequences that paint.
var colourMarks = regexp.MustCompile("\x1b\\[[0-9;]*m")

// wide is how many columns a text takes.
func wide(text string) (n int) {
	if strings.Contains(text, "\x1b") {
		text = colourMarks.ReplaceAllString(text, "")
	}
	for _, r := range text {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case width.LookupRune(r).Kind() == width.EastAsianWide, width.LookupRune(r).Kind() == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// padded fills a text with spaces.
func padded(text string, columns int) string {
	return text + strings.Repeat(" ", max(0, columns-wide(text)))
}

// fitted breaks the lines of a text that are too wide; 0 breaks none.
func fitted(text string, columns int) string {
	if columns > 0 {
		lines := strings.Split(text, "\n")
		for i, line := range lines {
			lines[i] = broken(line, columns)
		}
		text = strings.Join(lines, "\n")
	}
	return strings.ReplaceAll(text, unbroken, " ")
}

// commands are what a person copies out of a sentence: they stand alone in a
// line, or after a colon; those of the system also after one another.
var commands = regexp.MustCompile("(?:^ {2,}|: |`|then )" +
	"((?:sudo |CLOUDFLARE_[A-Z_]+=\\S+ |CFDDNS_[A-Z_]+=\\S+ )*(?:cfddns|" + otherPrograms + ")" + arguments + ")" +
	"|; ((?:" + otherPrograms + ")" + arguments + ")")

const (
	otherPrograms = "systemctl|systemd-creds|chmod|chown|kill|docker|podman|curl|rc-service"
	arguments     = "(?: (?:[^\\s;,()']|'[^']*')+)+"
)

// broken breaks a line at its spaces. What goes on in the next line stands
// under the text after the first gap, as after "changed       ".
func broken(line string, columns int) string {
	if wide(line) <= columns {
		return line
	}
	for _, found := range commands.FindAllStringSubmatch(line, -1) {
		command := found[1] + found[2] // one of the two
		line = strings.Replace(line, command, strings.ReplaceAll(command, " ", unbroken), 1)
	}
	// what is explained leaves no room beside it
	if at := gaps.FindStringSubmatchIndex(line); at != nil && wide(line[:at[3]]) > columns/2 {
		indent := strings.Repeat(" ", len(line)-len(strings.TrimLeft(line, " "))+4)
		return broken(line[:at[2]], columns) + "\n" + broken(indent+line[at[3]:], columns)
	}
	hang := hanging(line)
	var b strings.Builder
	column, rest := 0, line
	for rest != "" {
		word := strings.TrimLeft(rest, " ")
		gap := len(rest) - len(word)
		if i := strings.IndexByte(word, ' '); i >= 0 {
			word, rest = word[:i], word[i:]
		} else {
			rest = ""
		}
		if column+gap+wide(word) > columns && column+gap > hang && column > 0 {
			b.WriteString("\n" + strings.Repeat(" ", hang) + word)
			column = hang + wide(word)
			continue
		}
		b.WriteString(strings.Repeat(" ", gap) + word)
		column += gap + wide(word)
	}
	return b.String()
}

// programName begins what the program says of itself.
const programName = "cfddns: "

// gaps are two spaces and more after a word: a column ends there.
var gaps = regexp.MustCompile(`\S( {2,})\S`)

// hanging is where the lines begin that a line is continued in.
func hanging(line string) int {
	indent := len(line) - len(strings.TrimLeft(line, " "))
	if at := gaps.FindStringSubmatchIndex(line); at != nil {
		indent = wide(line[:at[3]])
	}
	if strings.HasPrefix(line, programName) {
		indent = len(programName)
	} else if indent == 0 {
		indent = 2
	}
	return indent
}

// table is rows of cells under a head.
type table struct {
	head []string
	rows [][]clean
}

// add adds a row; each cell is cleaned.
func (t *table) add(cells ...any) {
	row := make([]clean, len(cells))
	for i, cell := range cells {
		row[i] = cleanf("%v", cell)
	}
	t.rows = append(t.rows, row)
}

// proseFrom is how wide a column is at least that may be made narrower: what is
// shorter is a name, an address, a number.
const proseFrom = 18

// lines lays the table out. The head is empty where rows are not columns: those
// are not as wide as the longest words, and each row is a few lines of its own.
func (t table) lines(columns int) (head clean, rows []clean) {
	natural, least := make([]int, len(t.head)), make([]int, len(t.head))
	for i, word := range t.head {
		natural[i], least[i] = wide(word), wide(word)
		for _, row := range t.rows {
			natural[i] = max(natural[i], wide(string(row[i])))
			for piece := range strings.FieldsSeq(string(row[i])) {
				least[i] = max(least[i], wide(piece))
			}
		}
		least[i] = max(least[i], min(natural[i], proseFrom))
	}
	widths, fits := narrowed(natural, least, columns)
	if !fits {
		for _, row := range t.rows {
			rows = append(rows, t.stacked(row, columns))
		}
		return "", rows
	}
	top := make([]clean, len(t.head))
	for i, word := range t.head {
		top[i] = clean(word)
	}
	for _, row := range t.rows {
		rows = append(rows, inColumns(row, widths))
	}
	return inColumns(top, widths), rows
}

// narrowed takes from the widest column, down to its least, until all fit.
func narrowed(natural, least []int, columns int) (widths []int, fits bool) {
	widths = append(widths, natural...)
	over := 2*(len(widths)-1) - columns
	for _, w := range widths {
		over += w
	}
	for ; over > 0 && columns > 0; over-- {
		widest := -1
		for i, w := range widths {
			if w > least[i] && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return nil, false
		}
		widths[widest]--
	}
	return widths, true
}

// inColumns is a row of a table, in as many lines as its longest cell.
func inColumns(row []clean, widths []int) clean {
	cells, most := make([][]string, len(row)), 0
	for i, cell := range row {
		cells[i] = wrapped(string(cell), widths[i])
		most = max(most, len(cells[i]))
	}
	lines := make([]string, most)
	for at := range lines {
		for i, w := range widths {
			text := ""
			if at < len(cells[i]) {
				text = cells[i][at]
			}
			lines[at] += padded(text, w) + "  "
		}
		lines[at] = strings.TrimRight(lines[at], " ")
	}
	return clean(strings.Join(lines, "\n"))
}

// stacked is a row of a table that is too narrow for columns.
func (t table) stacked(row []clean, columns int) clean {
	first := string(row[0])
	if len(row) > 1 {
		first = padded(first, min(12, columns/3)) + "  " + string(row[1])
	}
	var more []string
	for i := 2; i < len(row); i++ {
		if row[i] != "" {
			more = append(more, strings.TrimPrefix(fmt.Sprintf("%s: %s", t.head[i], row[i]), ": "))
		}
	}
	text := broken(first, columns)
	if len(more) > 0 {
		text += "\n" + broken("    "+strings.Join(more, "; "), columns)
	}
	return clean(text)
}

// wrapped breaks a text into lines of at most so many columns, where it can.
func wrapped(text string, columns int) (lines []string) {
	line := ""
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' }) {
		if line != "" && wide(line)+1+wide(word) > columns {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

// helpWidth is how wide the texts of the help are as they stand in the code.
const helpWidth = 80

// reflowed breaks the paragraphs of a text anew that was written for 80 columns,
// where there are fewer. What is indented is no paragraph.
func reflowed(text string, columns int) string {
	if columns == 0 || columns >= helpWidth {
		return text
	}
	var lines []string
	paragraph := ""
	for line := range strings.SplitSeq(text+"\n", "\n") {
		if line != "" && line[0] != ' ' {
			paragraph = strings.TrimPrefix(paragraph+" "+line, " ")
			continue
		}
		if paragraph != "" {
			lines, paragraph = append(lines, wrapped(paragraph, columns)...), ""
		}
		lines = append(lines, line)
	}
	return strings.Join(lines[:len(lines)-1], "\n")
}

// sayTable prints a table.
func sayTable(w io.Writer, t table) {
	head, rows := t.lines(widthOf(w))
	if head != "" {
		sayf(w, "%s\n", head)
	}
	for _, row := range rows {
		sayf(w, "%s\n", row)
	}
}

// widthOf is how wide lines may be on a writer; 0 if they are not broken.
func widthOf(w io.Writer) int {
	if o, ok := w.(*output); ok {
		return o.width
	}
	return 0
}
