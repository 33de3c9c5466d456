package cfclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/cfddns/cfddns/ddns"
)

var (
	errNotTheAPI = errors.New("the answer is not one of Cloudflare's API")
	errNoResult  = errors.New("the answer does not hold what was asked for")
)

// problem is one entry of an answer's errors.
type problem struct {
	code    int
	message string
	chain   problems // what an older form of error wraps
	word    string   // the code of GraphQL, such as "authz"
}

// problems are the errors of an answer, the first mostProblems of them.
type problems []problem

// UnmarshalJSON reads no more than is shown: an answer may hold thousands, or
// wrap them in each other thousands deep.
func (p *problems) UnmarshalJSON(data []byte) (err error) {
	*p, err = readProblems(data, mostChain)
	return err
}

func readProblems(data []byte, chain int) (problems, error) {
	var entries []json.RawMessage
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, err
	}
	var read problems
	for _, entry := range entries[:min(len(entries), mostProblems)] {
		p, err := readProblem(entry, chain)
		if err != nil {
			return nil, err
		}
		read = append(read, p)
	}
	return read, nil
}

// readProblem accepts the object that is documented and the bare string that
// also comes. It follows the errors that one wraps so many times.
func readProblem(data []byte, chain int) (p problem, err error) {
	if json.Unmarshal(data, &p.message) == nil {
		return p, nil
	}
	var object struct {
		Code    int             `json:"code"`
		Message string          `json:"message"`
		Chain   json.RawMessage `json:"error_chain"`
		More    struct {
			Code json.RawMessage `json:"code"`
		} `json:"extensions"`
	}
	if err := json.Unmarshal(data, &object); err != nil {
		return p, err
	}
	p = problem{code: object.Code, message: object.Message, word: strings.Trim(string(object.More.Code), `"`)}
	if len(object.Chain) > 0 && chain > 0 {
		p.chain, err = readProblems(object.Chain, chain-1)
	}
	return p, err
}

// refusal is a "no" of Cloudflare's API.
type refusal struct {
	status   int
	problems problems // at least one
}

// Error implements error, with Cloudflare's own words.
func (r *refusal) Error() string {
	var said []string
	var walk func(problems)
	walk = func(problems problems) {
		for _, p := range problems {
			if p.message != "" {
				said = append(said, p.message)
			}
			walk(p.chain)
		}
	}
	walk(r.problems)
	words := "Cloudflare says: " + printable(strings.Join(said, "; "))
	if r.code() == 0 { // GraphQL has none
		return fmt.Sprintf("%s (HTTP %d)", words, r.status)
	}
	return fmt.Sprintf("%s (code %d, HTTP %d)", words, r.code(), r.status)
}

// hide takes secrets out of Cloudflare's words, which may quote what was sent.
func (r *refusal) hide(secrets []ddns.Secret) {
	var walk func(problems)
	walk = func(problems problems) {
		for i := range problems {
			for _, s := range secrets {
				if !s.IsZero() {
					problems[i].message = strings.ReplaceAll(problems[i].message, s.Reveal(), ddns.Hidden)
				}
			}
			walk(problems[i].chain)
		}
	}
	walk(r.problems)
}

// code is the code that says most: until October 2024 a mistake in a record
// was wrapped into 1004, "DNS Validation Error", and 6003 still wraps what is
// wrong with a header.
func (r *refusal) code() int {
	p := r.problems[0]
	for len(p.chain) > 0 && p.chain[0].code != 0 {
		p = p.chain[0]
	}
	return p.code
}

// printable keeps a foreign text on one line and short.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	if runes := []rune(text); len(runes) > 300 {
		return string(runes[:300]) + "…"
	}
	return text
}

// codeNoRecord says that a record does not exist, codeQuota that a zone is full.
const (
	codeNoRecord = 81044
	codeQuota    = 81045
)

// fact says what a code of Cloudflare's means to us. Status 0 fits any.
type fact struct {
	code   int
	status int
	kind   ddns.Kind
	hint   string
	words  string // of Cloudflare's message, where one code stands for several things; empty fits any
}

const (
	hintToken = "the token is unknown to Cloudflare, expired, or not for this zone: see My Profile > API Tokens " +
		"(or Manage Account > Account API Tokens) in the dashboard"
	hintMalformed = "the token is malformed: copy it again, without quotes, spaces or the word Bearer"
	hintStale     = "the token was switched off, deleted or rolled, or has ended, or it lacks a permission; cfddns " +
		"check finds out which"
	hintGone  = "the zone or record is gone, or belongs to another account now; it is looked up again"
	hintAgain = "somebody else changed the zone meanwhile; the records are read again"
	hintDelNS = "the name is delegated by NS records in the zone: delete them, or keep the record at the " +
		"nameservers they name"
	hintOurs = "this should not happen: please report it with this message"
	// hintFilter speaks of https://developers.cloudflare.com/fundamentals/api/how-to/restrict-tokens/
	hintFilter = "the token is good, and its IP filter does not allow the address of this home: in the dashboard, My " +
		"Profile > API Tokens > Edit, take away the entries of Client IP Address Filtering (the address of a " +
		"home changes, and the filter does not follow it)"
	hintTLD = "Cloudflare's API cannot change records under this free top-level domain: change them in the " +
		"dashboard, or keep the name under another domain"
	// hintDenied is for what is forbidden by a code that is not known.
	hintDenied = "Cloudflare's own words say why; a permission of the token may not mend it. What stands is kept, " +
		"and it is tried again"
)

// facts are the codes seen on these endpoints. A status alone decides about
// the rest.
// https://developers.cloudflare.com/api/resources/dns/subresources/records/
var facts = [...]fact{
	{1000, http.StatusUnauthorized, ddns.TokenRefused, hintToken, ""},
	{6003, 0, ddns.TokenRefused, hintMalformed, ""},
	{6111, 0, ddns.TokenRefused, hintMalformed, ""},
	{9106, 0, ddns.TokenRefused, hintMalformed, ""},
	// 9109 stands for a token that is unknown, for one without access, and for
	// one whose IP filter bites: only the words tell the last one.
	{9109, 0, ddns.Filtered, hintFilter, "from location"},
	{9109, 0, ddns.TokenRefused, hintToken, ""},
	{10000, http.StatusUnauthorized, ddns.TokenRefused, hintStale, ""},
	{10000, 0, ddns.NotPermitted, "", ""},
	{1001, http.StatusForbidden, ddns.NotPermitted,
		"an account's own token may not do this: use a user's API token", ""},
	{1038, 0, ddns.Denied, hintTLD, ""},
	{10020, 0, ddns.NotPermitted, "Cloudflare no longer offers this call", ""},

	{7000, 0, ddns.Conflict, hintGone, ""},
	{7003, 0, ddns.Conflict, hintGone, ""},
	{codeNoRecord, 0, ddns.Conflict, hintAgain, ""},
	{81053, 0, ddns.Conflict, "an A, AAAA or CNAME record stands at the name; the records are read again", ""},
	{81054, 0, ddns.Conflict, "a CNAME record stands at the name: set on_cname: replace for the name, then run: " +
		"cfddns once", ""},
	{81055, 0, ddns.Conflict, "other records stand at the name; the records are read again", ""},
	{81056, 0, ddns.Conflict, hintDelNS, ""},
	{81057, 0, ddns.Conflict, hintAgain, ""},
	{81058, 0, ddns.Conflict, hintAgain, ""},

	{1004, 0, ddns.Rejected, "correct the record in the configuration", ""},
	{codeQuota, 0, ddns.Rejected, "the zone holds as many records as its plan allows: delete some in the dashboard, " +
		"or change the plan", ""},
	{9002, 0, ddns.Rejected, hintOurs, ""},
	{9005, 0, ddns.Rejected, hintOurs, ""},
	{9021, 0, ddns.Rejected, "set ttl to auto, or to 60 to 86400 seconds", ""},
	{9022, 0, ddns.Rejected, hintOurs, ""},
	{9041, 0, ddns.Rejected, "Cloudflare cannot proxy this name: set proxied to false", ""},
	{9300, 0, ddns.Rejected, "the zone's plan allows no more tags on a record", ""},
	{9313, 0, ddns.Rejected, "shorten the comment: 100 characters on the Free plan, 500 on the others", ""},
}

// sort turns an answer that is no success into a *ddns.Error.
func (c *Client) sort(q question, status int, wait time.Duration, err error) *ddns.Error {
	e := &ddns.Error{Op: q.op, Status: status, RetryAfter: wait, Err: err}
	no, ok := errors.AsType[*refusal](err)
	if ok {
		e.Code = no.code()
		no.hide(append(q.hide, *c.token))
	}
	switch {
	case status == http.StatusTooManyRequests:
		e.Kind, e.Hint = ddns.Limited, hintLimited(wait)
	case status == http.StatusRequestTimeout || status >= 500 || !ok:
		e.Kind, e.Hint = silence(q), hintTheirs
		if !ok {
			e.Err = fmt.Errorf("%w (HTTP %d)", err, status)
		}
	default:
		e.Kind, e.Hint = kindOf(status, e.Code, err.Error())
		if e.Kind == ddns.Unexpected {
			e.Kind = silence(q)
		}
	}
	if e.Kind == ddns.NotPermitted && e.Hint == "" {
		e.Hint = hintPermission(q)
	}
	if e.Kind == ddns.TokenRefused && c.source != "" {
		e.Hint += "; it came from " + c.source
		if c.replace != "" {
			e.Hint += ": " + c.replace
		}
	}
	return e
}

const (
	hintTheirs = "not yours to mend: it is tried again by the daemon, or by you with the same command (see " +
		"https://www.cloudflarestatus.com if it lasts)"
)

// hintLimited says how long calls rest, and why somebody else may be the cause.
func hintLimited(wait time.Duration) string {
	rest := "Cloudflare does not say for how long; it is tried again"
	if wait > 0 {
		until := time.Now().Add(wait).UTC().Format("15:04:05 UTC")
		rest = fmt.Sprintf("no call is made until %s; then it is tried again, by the daemon or by you", until)
	}
	return rest + " (the limit of 1,200 calls in 5 minutes is shared with the dashboard and your other tools)"
}

func hintPermission(q question) string {
	if q.needs == "" {
		return hintToken
	}
	permission := strconv.Quote(q.needs)
	if q.least != "" {
		permission += " (" + q.least + " is enough to look)"
	}
	return fmt.Sprintf("give the token the permission %s, and this zone under Zone Resources", permission)
}

// silence is the kind of a question that got no answer one can trust.
func silence(q question) ddns.Kind {
	if q.write {
		return ddns.Uncertain
	}
	return ddns.Unreachable
}

// kindOf is the one place where Cloudflare's status and code become a kind;
// words are its message, which decides only where the code says too little.
// Unexpected means that they contradict each other.
func kindOf(status, code int, words string) (ddns.Kind, string) {
	for _, f := range facts {
		if f.code == code && (f.status == 0 || f.status == status) && strings.Contains(words, f.words) {
			return f.kind, f.hint
		}
	}
	switch {
	case status == http.StatusUnauthorized:
		return ddns.TokenRefused, hintToken
	case status == http.StatusForbidden:
		return ddns.Denied, hintDenied
	case status == http.StatusNotFound, status == http.StatusConflict:
		return ddns.Conflict, hintAgain
	case status >= 400:
		return ddns.Rejected, ""
	default:
		return ddns.Unexpected, ""
	}
}

// misconfigured is the answer to every question of a client that cannot work.
func misconfigured(q question, err error) *ddns.Error {
	e := &ddns.Error{Op: q.op, Err: fmt.Errorf("not sent: %w", err), Hint: "correct the configuration"}
	if errors.Is(err, errMalformedToken) {
		e.Kind = ddns.TokenRefused
	}
	return e
}

// notYet is the answer to a question that was not sent because Cloudflare asked
// to wait, or would soon have to.
func notYet(q question, wait time.Duration) *ddns.Error {
	return &ddns.Error{
		Kind: ddns.Limited, Op: q.op, RetryAfter: wait, Hint: hintLimited(wait),
		Err: fmt.Errorf("not sent: Cloudflare asked for quiet, or its limit is reached; %v are left",
			wait.Round(time.Second)),
	}
}

// scrub takes the token out of a text that somebody else wrote.
func (c *Client) scrub(err error) error {
	if text := err.Error(); strings.Contains(text, c.token.Reveal()) {
		return errors.New(strings.ReplaceAll(text, c.token.Reveal(), ddns.Hidden))
	}
	return err
}
