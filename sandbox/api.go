package sandbox

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

// What an API call does to the zone or the account: faults are set on these,
// and calls are counted by them.
const (
	effectZones    = "zones"
	effectList     = "list"
	effectCreate   = "create"
	effectEdit     = "edit"
	effectDelete   = "delete"
	effectBatch    = "batch"
	effectVerify   = "verify"
	effectUsage    = "usage"
	effectSettings = "settings"
	effectRules    = "rules"
	effectEvents   = "analytics"
	effectAccounts = "accounts"
	effectUser     = "user"
	effectIPs      = "ips"
	effectUnknown  = "unknown" // no such endpoint
)

// endpoint is one thing the API does.
type endpoint struct {
	method, path string // a pattern of http.ServeMux, without the prefix
	effect       string
	open         bool // needs no token
	answer       func(*Sandbox, *call) answer
}

func endpoints() []endpoint {
	const zone, dns = "/zones/{zone}", "/zones/{zone}/dns_records"
	const entrypoint = zone + "/rulesets/phases/{phase}/entrypoint"
	return []endpoint{
		{"GET", "/zones", effectZones, false, (*Sandbox).listZones},
		{"GET", zone, effectZones, false, (*Sandbox).getZone},
		{"GET", dns, effectList, false, (*Sandbox).listRecords},
		{"GET", dns + "/{record}", effectList, false, (*Sandbox).getRecord},
		{"GET", dns + "/usage", effectUsage, false, (*Sandbox).getUsage},
		{"POST", dns, effectCreate, false, (*Sandbox).createRecord},
		{"PATCH", dns + "/{record}", effectEdit, false, (*Sandbox).patchRecord},
		{"PUT", dns + "/{record}", effectEdit, false, (*Sandbox).putRecord},
		{"DELETE", dns + "/{record}", effectDelete, false, (*Sandbox).deleteRecord},
		{"POST", dns + "/batch", effectBatch, false, (*Sandbox).batchRecords},
		{"GET", zone + "/settings/{setting}", effectSettings, false, (*Sandbox).getSetting},
		{"PATCH", zone + "/settings/{setting}", effectSettings, false, (*Sandbox).patchSetting},
		{"GET", zone + "/pagerules", effectRules, false, (*Sandbox).listNone},
		{"GET", zone + "/rulesets", effectRules, false, (*Sandbox).listRulesets},
		{"POST", zone + "/rulesets", effectRules, false, (*Sandbox).createRuleset},
		{"GET", entrypoint, effectRules, false, (*Sandbox).getEntrypoint},
		{"PUT", entrypoint, effectRules, false, (*Sandbox).putEntrypoint},
		{"GET", zone + "/rulesets/{ruleset}", effectRules, false, (*Sandbox).getRuleset},
		{"PUT", zone + "/rulesets/{ruleset}", effectRules, false, (*Sandbox).putRuleset},
		{"DELETE", zone + "/rulesets/{ruleset}", effectRules, false, (*Sandbox).deleteRuleset},
		{"POST", zone + "/rulesets/{ruleset}/rules", effectRules, false, (*Sandbox).createRule},
		{"PATCH", zone + "/rulesets/{ruleset}/rules/{rule}", effectRules, false, (*Sandbox).patchRule},
		{"DELETE", zone + "/rulesets/{ruleset}/rules/{rule}", effectRules, false, (*Sandbox).deleteRule},
		{"POST", "/graphql", effectEvents, false, (*Sandbox).graphQL},
		{"GET", "/user/tokens/verify", effectVerify, false, (*Sandbox).verifyUserToken},
		{"GET", "/accounts/{account}/tokens/verify", effectVerify, false, (*Sandbox).verifyAccountToken},
		{"GET", "/accounts", effectAccounts, false, (*Sandbox).listAccounts},
		{"GET", "/user", effectUser, false, (*Sandbox).getUser},
		{"GET", "/ips", effectIPs, true, (*Sandbox).getIPs},
	}
}

// call is one request, with the token that it showed.
type call struct {
	*http.Request
	token token
	now   time.Time
}

// answer is what goes into the envelope that all answers of the API share.
type answer struct {
	result   any
	info     *resultInfo
	messages []message
	refusal  *refusal
	after    time.Duration // Retry-After, of a 429
	status   int           // HTTP; 0 means that of the refusal, else 200
	bare     any           // sent instead of the envelope, if there is one
}

type message struct {
	Code    int       `json:"code"`
	Message string    `json:"message"`
	Chain   []message `json:"error_chain,omitempty"`
}

// resultInfo says which page of a list an answer is.
type resultInfo struct {
	Page       int `json:"page"`
	PerPage    int `json:"per_page"`
	Count      int `json:"count"`
	TotalCount int `json:"total_count"`
	TotalPages int `json:"total_pages"`
}

// failed answers an error: a refusal as Cloudflare words it, anything else as
// an error of the server.
func failed(err error) answer {
	var r *refusal
	if !errors.As(err, &r) {
		r = refuse(http.StatusInternalServerError, 10001, "%s", err)
	}
	return answer{refusal: r}
}

const apiPrefix = "/client/v4"

// api is Cloudflare's API, version 4, as the plain listener and the one with
// TLS serve it. /cdn-cgi/trace is answered by every host of Cloudflare's.
func (s *Sandbox) api() http.Handler {
	mux := http.NewServeMux()
	for _, e := range endpoints() {
		mux.HandleFunc(e.method+" "+apiPrefix+e.path, s.endpointHandler(e))
	}
	mux.HandleFunc("/cdn-cgi/trace", s.trace)
	lost := s.endpointHandler(endpoint{effect: effectUnknown, open: true, answer: (*Sandbox).noRoute})
	mux.HandleFunc("/", lost)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// ServeMux would redirect an empty ID in a path; Cloudflare knows no such route.
		if strings.Contains(r.URL.Path, "//") {
			lost(w, r)
			return
		}
		if path := strings.TrimRight(r.URL.Path, "/"); path != apiPrefix {
			r.URL.Path = path
		}
		mux.ServeHTTP(w, r)
	})
}

// endpointHandler wraps an endpoint in what all have in common: headers, faults,
// tokens, the rate limit.
func (s *Sandbox) endpointHandler(e endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.countCall(e.effect)
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		w.Header().Set("Server", "cloudflare")
		w.Header().Set("Cf-Ray", newRay())
		untouched().writeTo(w.Header())
		do := func() answer { return s.allowed(w.Header(), e, r) }
		fault, ok := s.takeFault(e.effect)
		if !ok {
			fault, ok = s.takeFault("api")
		}
		if ok {
			s.misbehave(w, r, fault, do)
			return
		}
		write(w, do())
	}
}

// refuse words a refusal as the endpoint does.
func (e endpoint) refuse(a answer) answer {
	if e.effect == effectEvents {
		a.status, a.bare = a.refusal.status, graphQLError(a.refusal.message)
	}
	return a
}

// maxBody is the largest request that is read: a batch of 3,500 records fits.
const maxBody = 16 << 20

// allowed answers a call if its token may make it.
func (s *Sandbox) allowed(header http.Header, e endpoint, r *http.Request) answer {
	c := &call{Request: r, now: time.Now()}
	if e.open {
		return e.answer(s, c)
	}
	value, refused := credentials(r)
	if refused != nil {
		return e.refuse(answer{refusal: refused})
	}
	t, room, refused := s.admit(value, e, r, c.now)
	room.writeTo(header)
	if refused != nil {
		return e.refuse(answer{refusal: refused, after: room.wait()})
	}
	c.token = t
	return e.answer(s, c)
}

func (s *Sandbox) countCall(effect string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[effect]++
}

// write sends an answer in its envelope.
func write(w http.ResponseWriter, a answer) {
	type envelope struct {
		Result   any         `json:"result"`
		Success  bool        `json:"success"`
		Errors   []message   `json:"errors"`
		Messages []message   `json:"messages"`
		Info     *resultInfo `json:"result_info,omitempty"`
	}
	e := envelope{Result: a.result, Success: true, Errors: []message{}, Messages: a.messages, Info: a.info}
	status := http.StatusOK
	if r := a.refusal; r != nil {
		e = envelope{Errors: []message{{Code: r.code, Message: r.message, Chain: r.chain}}}
		e.Errors = append(e.Errors, r.more...)
		status = r.status
	}
	if e.Messages == nil {
		e.Messages = []message{}
	}
	status = cmp.Or(a.status, status)
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return
	}
	var whole any = e
	if a.bare != nil {
		whole = a.bare
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(whole); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if a.after > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(seconds(a.after)))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}

// seconds rounds up: a client that waits that long has waited long enough.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// body reads a request's JSON.
func (c *call) body(into any) error {
	kind, _, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return invalid(9207, "Content-type must be application/json.")
	}
	decoder := json.NewDecoder(c.Body)
	if decoder.Decode(into) != nil {
		return errBody()
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errBody()
	}
	return nil
}

// noRoute answers a path that the API does not have.
func (s *Sandbox) noRoute(c *call) answer {
	r := refuse(http.StatusNotFound, 7003,
		"Could not route to %s, perhaps your object identifier is invalid?", c.URL.Path)
	r.more = []message{{Code: 7000, Message: "No route for that URI"}}
	return answer{refusal: r}
}
