package ddns

import (
	"log/slog"
	"unique"
)

// Hidden is what a Secret shows of itself.
const Hidden = "[hidden]"

// Secret is a word that must appear in no output: every way of formatting,
// logging or encoding it shows Hidden. Reveal is the one way to the word.
//
// The word lies behind a pointer: package fmt looks into the unexported fields
// of a struct without asking their methods, but not behind pointers in them.
type Secret struct{ word unique.Handle[string] }

// NewSecret wraps a word.
func NewSecret(word string) Secret {
	if word == "" {
		return Secret{}
	}
	return Secret{unique.Make(word)}
}

// Reveal returns the word itself, for the one place that must send it.
func (s Secret) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return s.word.Value()
}

// IsZero reports whether there is no word.
func (s Secret) IsZero() bool { return s == Secret{} }

// String implements fmt.Stringer.
func (Secret) String() string { return Hidden }

// GoString implements fmt.GoStringer, for %#v.
func (Secret) GoString() string { return Hidden }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(Hidden) }

// MarshalText implements encoding.TextMarshaler, and with it JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte(Hidden), nil }
