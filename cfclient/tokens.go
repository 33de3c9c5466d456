package cfclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cloudflare/cloudflare-go/v7/dns"
	"github.com/cloudflare/cloudflare-go/v7/option"
)

// TokenKind says whose a token is, as far as its form shows.
type TokenKind string

// The kinds of token. Those made before 2026 do not show theirs.
// https://developers.cloudflare.com/fundamentals/api/get-started/token-formats/
const (
	UserToken    TokenKind = "user"
	AccountToken TokenKind = "account"
	OldToken     TokenKind = "unknown"
)

var errMalformedToken = errors.New("this is no API token")

// oldGlobalKey is the form of a Global API Key before 2026; no token had it.
var oldGlobalKey = regexp.MustCompile(`^[0-9a-f]{37}$`)

// TokenKindOf looks at a token without asking anybody. What cannot be one is
// an error that says why, in words that do not hold the token.
func TokenKindOf(token ddns.Secret) (TokenKind, error) {
	word := token.Reveal()
	switch {
	case word == "":
		return "", fmt.Errorf("%w: it is empty", errMalformedToken)
	case strings.HasPrefix(strings.ToLower(word), "bearer"):
		return "", fmt.Errorf("%w: it begins with the word Bearer; give what follows it", errMalformedToken)
	case strings.ContainsAny(word, "\"'`"):
		return "", fmt.Errorf("%w: it has quotes; take them away", errMalformedToken)
	case strings.TrimSpace(word) != word:
		return "", fmt.Errorf("%w: it begins or ends with white space; take it away", errMalformedToken)
	case strings.IndexFunc(word, notPlain) >= 0:
		return "", fmt.Errorf("%w: it has characters other than letters, digits, - and _", errMalformedToken)
	case strings.HasPrefix(word, "cfk_"), oldGlobalKey.MatchString(word):
		return "", fmt.Errorf("%w: it is a Global API Key, which may do everything to the whole account; make a token with %q and %q instead",
			errMalformedToken, needsZoneRead, needsDNSEdit)
	case strings.HasPrefix(word, "cfut_"):
		return UserToken, nil
	case strings.HasPrefix(word, "cfat_"):
		return AccountToken, nil
	default:
		return OldToken, nil
	}
}

// notPlain reports whether a character occurs in no token and no ID.
func notPlain(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	return !letter && (r < '0' || r > '9') && r != '-' && r != '_'
}

// Token is what Cloudflare says of the token itself.
type Token struct {
	ID        string
	Kind      TokenKind
	Status    string    // "active", "disabled", "expired"
	NotBefore time.Time // zero if it is good at once
	Expires   time.Time // zero if never
}

// VerifyToken asks Cloudflare what it knows of the token. The token of an
// account is asked about at that account, whose ID every zone bears; a token
// that does not show its kind is tried both ways. Without an account ID only
// users' tokens can be verified.
func (c *Client) VerifyToken(ctx context.Context, accountID string) (Token, error) {
	q := question{op: "verify the token"}
	kind, _ := TokenKindOf(*c.token) // a malformed one is refused by ask
	if kind != AccountToken {
		token, err := c.verifyAs(ctx, q, UserToken, "/user/tokens/verify")
		if kind == UserToken || accountID == "" || !refusesToken(err) {
			return token, err
		}
	}
	if accountID == "" {
		return Token{}, &ddns.Error{Op: q.op, Err: errors.New("not sent: it is an account's token, and no zone has shown which account's"),
			Hint: fmt.Sprintf("give the token the permission %q", needsZoneRead)}
	}
	q.ids = []string{accountID}
	return c.verifyAs(ctx, q, AccountToken, "/accounts/"+accountID+"/tokens/verify")
}

func (c *Client) verifyAs(ctx context.Context, q question, kind TokenKind, path string) (Token, error) {
	answer, err := askPlain[struct {
		ID        string    `json:"id"`
		Status    string    `json:"status"`
		NotBefore time.Time `json:"not_before"`
		Expires   time.Time `json:"expires_on"`
	}](ctx, c, q, call{method: http.MethodGet, path: path})
	if err != nil {
		return Token{}, err
	}
	said := answer.Result
	if said.ID == "" || said.Status == "" {
		return Token{}, untrusted(q, errNoResult)
	}
	return Token{ID: said.ID, Kind: kind, Status: said.Status, NotBefore: said.NotBefore, Expires: said.Expires}, nil
}

// Quota is how many records a zone holds and may hold.
type Quota struct {
	Used  int
	Limit int // 0 if the account has one limit for all its zones
}

// Quota asks how full a zone is.
func (c *Client) Quota(ctx context.Context, zone ddns.Zone) (Quota, error) {
	q := question{op: "ask for the record quota of " + zone.Name, needs: needsDNSRead, ids: []string{zone.ID}}
	answer, err := ask[struct {
		Used  *int `json:"record_usage"`
		Limit *int `json:"record_quota"`
	}](ctx, c, q, c.byLibrary(func(ctx context.Context, options ...option.RequestOption) error {
		var params dns.UsageZoneGetParams
		params.ZoneID.Value, params.ZoneID.Present = zone.ID, true
		_, err := dns.NewUsageZoneService().Get(ctx, params, options...)
		return err
	}))
	if err != nil {
		return Quota{}, err
	}
	if answer.Result.Used == nil {
		return Quota{}, untrusted(q, errNoResult)
	}
	quota := Quota{Used: *answer.Result.Used}
	if answer.Result.Limit != nil {
		quota.Limit = *answer.Result.Limit
	}
	return quota, nil
}

// Room implements what a rehearsal asks: how many more records fit into a zone,
// and by which error Cloudflare refuses what does not. What it does not tell is no
// reason to refuse.
func (c *Client) Room(ctx context.Context, zone ddns.Zone) (more int, full error) {
	quota, err := c.Quota(ctx, zone)
	if err != nil || quota.Limit == 0 {
		return 0, nil //nolint:nilerr // what is not told is no reason to refuse
	}
	_, hint := kindOf(http.StatusBadRequest, codeQuota, "")
	return max(0, quota.Limit-quota.Used), &ddns.Error{Kind: ddns.Rejected, Op: "change records of " + zone.Name,
		Code: codeQuota, Hint: hint,
		Err: fmt.Errorf("%s holds %d of %d records, and no more fit", zone.Name, quota.Used, quota.Limit)}
}

// Touch sends a record's own content to it, which changes nothing and proves
// that this token may change it. It returns the record as it stands.
func (c *Client) Touch(ctx context.Context, zone ddns.Zone, record ddns.Record) (ddns.Record, error) {
	q := question{op: fmt.Sprintf("write %s of %s as it is", record.Type, record.Name), needs: needsDNSEdit, ids: []string{zone.ID, record.ID}, write: true}
	body, err := json.Marshal(wirePatch{Content: &record.Content})
	if err != nil {
		return ddns.Record{}, &ddns.Error{Op: q.op, Err: err}
	}
	answer, err := ask[wireRecord](ctx, c, q, c.byLibrary(func(ctx context.Context, options ...option.RequestOption) error {
		var params dns.RecordEditParams
		params.ZoneID.Value, params.ZoneID.Present = zone.ID, true
		_, err := dns.NewRecordService().Edit(ctx, record.ID, params, append(options, option.WithRequestBody("application/json", body))...)
		return err
	}))
	if err != nil {
		return ddns.Record{}, err
	}
	now, err := answer.Result.record()
	if err != nil || now.ID != record.ID || canonical(now.Content) != canonical(record.Content) {
		return ddns.Record{}, untrusted(q, errNoResult)
	}
	return now, nil
}

// noRecord is an ID in Cloudflare's form that no record has.
const noRecord = "00000000000000000000000000000000"

// MayWrite asks whether the token may change records of the zone, and changes
// nothing: the change that it sends is of a record that does not exist. To a
// token that may write Cloudflare says just that; one that may not is refused first.
func (c *Client) MayWrite(ctx context.Context, zone ddns.Zone) error {
	q := question{op: "try whether records of " + zone.Name + " may be written", needs: needsDNSEdit,
		ids: []string{zone.ID}}
	_, err := askPlain[wireRecord](ctx, c, q, call{method: http.MethodPatch,
		path: "/zones/" + zone.ID + "/dns_records/" + noRecord, body: wirePatch{TTL: new(1)}})
	if no, ok := errors.AsType[*ddns.Error](err); ok && no.Code == codeNoRecord {
		return nil
	}
	if err == nil {
		return untrusted(q, errNoResult)
	}
	return err
}

// refusesToken reports whether an answer says that this way of asking is not for
// the token; another may be.
func refusesToken(err error) bool {
	switch ddns.KindOf(err) {
	case ddns.TokenRefused, ddns.NotPermitted, ddns.Denied:
		return true
	default:
		return false
	}
}
