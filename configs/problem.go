package configs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Problem is one thing that is wrong with the configuration.
type Problem struct {
	File string // where it stands; "" if it came from the environment
	Line int    // 1 is the first; 0 if unknown
	Key  string // "records[0].ttl", or the name of the variable
	Text string // what is wrong; what would be right
}

// Error returns "FILE:LINE: key: what is wrong; what would be right".
func (p Problem) Error() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Text)
	return b.String()
}

// Problems is everything that is wrong, in the order of the lines.
type Problems []Problem

// Error returns one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the problems one by one.
func (ps Problems) Unwrap() []error {
	errs := make([]error, len(ps))
	for i, p := range ps {
		errs[i] = p
	}
	return errs
}

// sorted orders by line, then key, and drops repetitions. Problems of the
// environment have no file and come first.
func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
	return slices.Compact(ps)
}

// Warning is something that works and is probably not meant.
type Warning string

// wrong is what a value is told when it cannot be right.
type wrong string

func (w wrong) Error() string { return string(w) }

func wrongf(format string, args ...any) error { return wrong(fmt.Sprintf(format, args...)) }

// nearest returns the known key that a person most likely meant by the given
// one, or "". Both may be paths with dots: the last part counts as well, so
// that a key at the wrong depth is found.
func nearest(given string, known []string) string {
	const longest = 60 // longer words are no slip of the fingers
	if len(given) > longest {
		return ""
	}
	best, bestDistance := "", max(2, len(lastPart(given))/3)+1
	for _, k := range known {
		d := levenshtein.ComputeDistance(given, k)
		if lastPart(given) == lastPart(k) {
			d = min(d, 1)
		}
		if d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

func lastPart(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }
