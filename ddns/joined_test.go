package ddns

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"
)

func TestThousandsOfErrorsAreOneShortLine(t *testing.T) {
	var many []error
	for i := range 3500 {
		many = append(many, fmt.Errorf("dial tcp 23.7.%d.%d:443: connect: %w", i>>8, i&255, syscall.ECONNREFUSED))
	}
	for _, c := range []struct {
		name string
		errs []error
		want string
	}{
		{"none", nil, ""},
		{"none that is one", []error{nil, nil}, ""},
		{"one", []error{nil, errors.New("a")}, "a"},
		{"a few", []error{errors.New("a"), errors.New("b"), errors.New("c")}, "a; b; c"},
		{"the same again and again", []error{errors.New("a"), errors.New("a"), errors.New("a"), errors.New("a"), errors.New("b")}, "a; b"},
		{"many", many, "dial tcp 23.7.0.0:443: connect: connection refused; dial tcp 23.7.0.1:443: connect: connection refused; dial tcp 23.7.0.2:443: connect: connection refused; and 3497 more"},
	} {
		err := JoinErrors(c.errs...)
		if got := fmt.Sprint(err); err == nil && c.want != "" || err != nil && got != c.want {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if !errors.Is(JoinErrors(many...), syscall.ECONNREFUSED) {
		t.Error("what the errors are is no longer known")
	}
}

func TestTextsOfADocumentAreBounded(t *testing.T) {
	for _, text := range []string{"", "short", strings.Repeat("x", textMost), strings.Repeat("가", textMost)} {
		got := brief(text)
		if len(got) > textMost+40 || !utf8.ValidString(got) || len(text) <= textMost && got != text {
			t.Errorf("%d bytes became %d: %.40q", len(text), len(got), got)
		}
	}
}
