package ddns

import (
	"context"
	"fmt"
	"time"
)

// The times at which the end of the token is asked for and told.
const (
	expiryEvery = 24 * time.Hour
	expirySoon  = 14 * 24 * time.Hour
	expiryNow   = 3 * 24 * time.Hour
)

// TokenEnd is what is known of the end of the token.
type TokenEnd struct {
	Asked   time.Time
	Expires time.Time // zero: never, or not known
}

// tokenEnd asks once a day when the token ends, for the first time a day after
// the start: two weeks are warning enough, and a start stays cheap. A token
// nobody can ask about (Cloudflare does not answer) is asked about again
// tomorrow: what it may not do shows in the round itself.
func (r *Runner) tokenEnd(ctx context.Context, found Found, last TokenEnd, now time.Time) TokenEnd {
	if r.TokenExpires == nil || r.Dry || len(found.Zones) == 0 || now.Sub(last.Asked) < expiryEvery && !now.Before(last.Asked) {
		return last
	}
	if last.Asked.IsZero() {
		return TokenEnd{Asked: now}
	}
	expires, err := r.TokenExpires(ctx, found.Zones[0].Zone.AccountID)
	if err != nil {
		expires = last.Expires
	}
	return TokenEnd{Asked: now, Expires: expires}
}

// Soon reports whether the token ends within two weeks.
func (t TokenEnd) Soon(now time.Time) bool {
	return !t.Expires.IsZero() && t.Expires.Sub(now) <= expirySoon
}

// assess says that the token ends soon.
func (t TokenEnd) assess(now time.Time) []Condition {
	if !t.Soon(now) {
		return nil
	}
	c := condition(CodeTokenExpires, "", fmt.Sprintf("the token expires on %s; after that no change of address can be published", t.Expires.UTC().Format(time.DateOnly)),
		"make a new token (dashboard > My Profile > API Tokens, or Roll there) and put it where the old one is; cfddns check says where that is")
	if t.Expires.Sub(now) <= expiryNow {
		c.Severity = Alarm
	}
	return []Condition{c}
}
