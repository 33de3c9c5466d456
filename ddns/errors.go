package ddns

import (
	"errors"
	"time"
)

// Kind sorts errors by what the program does about them. Text is for people
// and never decides anything.
type Kind int

// The kinds. The zero Kind is an error nobody classified.
const (
	// Unexpected is an error that nobody foresaw; the program changes nothing.
	Unexpected Kind = iota
	// Unreachable: no answer, or a 5xx. Nothing is known; asked again with a growing delay.
	Unreachable
	// Limited: 429. Asked again no earlier than RetryAfter.
	Limited
	// TokenRefused: the token is unknown, malformed, expired or disabled.
	TokenRefused
	// NotPermitted: the token is good, and may not do this.
	NotPermitted
	// NoZone: no zone of this token holds the name.
	NoZone
	// Conflict: what is at Cloudflare differs from what we believed (a record
	// came, went, or stands in the way). Read again, plan again.
	Conflict
	// Rejected: Cloudflare examined the content and refused it (quota, TTL,
	// content). The same words will be refused again.
	Rejected
	// Uncertain: sent, and no trustworthy answer. Settled by reading, never
	// by writing again.
	Uncertain
	// Filtered: the token is good, and its IP filter does not allow the address
	// that the call came from.
	Filtered
	// Denied: Cloudflare forbids the call for a reason that no permission of the
	// token mends, or that is not known here: a locked zone, a top-level domain.
	Denied
)

var kindWords = [...]string{"unexpected", "unreachable", "rate-limited", "token-refused", "not-permitted", "no-zone",
	"conflict", "rejected", "uncertain", "filtered", "denied"}

// String returns the kind as one word, for logs and JSON.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindWords) {
		return "unexpected"
	}
	return kindWords[k]
}

// Error is what went wrong at Cloudflare's API, sorted.
type Error struct {
	Kind       Kind
	Op         string        // what was tried: "list records of example.com"
	Status     int           // HTTP status, 0 if there was none
	Code       int           // Cloudflare's error code, 0 if there was none
	Hint       string        // what the person should do; empty if nothing
	RetryAfter time.Duration // as asked by the server; 0 if it did not say
	Err        error         // the cause, with Cloudflare's own words
}

// Error implements error.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Op + ": " + e.Kind.String()
	}
	return e.Op + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first *Error in err's chain, else Unexpected.
func KindOf(err error) Kind {
	if e, ok := asError(err); ok {
		return e.Kind
	}
	return Unexpected
}

// StateAfter is the state of what was wanted after Cloudflare did not do it:
// refused if it was heard and said no, else not reached.
func StateAfter(err error) TargetState {
	switch k := KindOf(err); {
	case k == NoZone, k == Rejected, k == Conflict, forbidden(err):
		return Refused
	default:
		return Unreached
	}
}

// forbidden reports whether the caller was refused, and not what it asked for:
// whatever else it sent to the zone now would be refused as well.
func forbidden(err error) bool {
	switch KindOf(err) {
	case TokenRefused, NotPermitted, Filtered, Denied:
		return true
	default:
		return false
	}
}

// HintOf returns what a person should do about err, or "".
func HintOf(err error) string {
	if e, ok := asError(err); ok {
		return e.Hint
	}
	return ""
}

// asError returns the first *Error in err's chain.
func asError(err error) (*Error, bool) { return errors.AsType[*Error](err) }
