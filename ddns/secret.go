package ddns

import "log/slog"

// Hidden is what a Secret shows of itself.
const Hidden = "[hidden]"

// Secret is a word that must appear in no output: every way of formatting,
// logging or encoding it shows Hidden. Reveal is the one way to the word.
type Secret struct{ word string }

// NewSecret wraps a word.
func NewSecret(word string) Secret { return Secret{word} }

// Reveal returns the word itself, for the one place that must send it.
func (s Secret) Reveal() string { return s.word }

// IsZero reports whether there is no word.
func (s Secret) IsZero() bool { return s.word == "" }

// String implements fmt.Stringer.
func (Secret) String() string { return Hidden }

// GoString implements fmt.GoStringer, for %#v.
func (Secret) GoString() string { return Hidden }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(Hidden) }

// MarshalText implements encoding.TextMarshaler, and with it JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte(Hidden), nil }
