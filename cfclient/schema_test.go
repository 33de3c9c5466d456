package cfclient

import (
	"encoding/json"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cfddns/cfddns/ddns"
)

// TestRequestsKeepToTheSchema holds what the client sends against Cloudflare's
// schema of these endpoints, read strictly: no parameter and no field that it
// does not name, nothing missing that it wants.
// https://developers.cloudflare.com/api/
func TestRequestsKeepToTheSchema(t *testing.T) {
	settings := json.RawMessage(`{"ipv4_only":true,"ipv6_only":false}`)
	batch := ddns.Batch{
		Deletes: []string{recordID(1)},
		Patches: []ddns.Patch{{ID: recordID(2), Content: ptr("192.0.2.2")}, {ID: recordID(3), Proxied: ptr(true), TTL: ptr(1), Comment: ptr("cfddns:home")}},
		Posts: []ddns.Record{
			{Name: "a.example.com", Type: "A", Content: "192.0.2.1", TTL: 60, Comment: "c", Settings: settings},
			{Name: "a.example.com", Type: "AAAA", Content: "2001:db8::1", Proxied: true, Tags: []string{"owner:me"}},
			{Name: "*.example.com", Type: "CNAME", Content: "x.duckdns.org", Settings: json.RawMessage(`{"flatten_cname":false}`)},
		},
	}
	// The answer is refused, so that each call is one request; the large zone
	// is known to be large.
	api := serve(t, answering(400, refusalOf(1004, "x")))
	c := api.client(t)
	small, large := testZone, ddns.Zone{ID: recordID(9), Name: "example.net"}
	c.large.Store(large.ID, true)
	many := make([]string, 30)
	for i := range many {
		many[i] = "host" + strconv.Itoa(i) + ".example.com"
	}
	ctx := t.Context()
	_, _ = c.Zones(ctx)
	_, _ = c.Records(ctx, small, many[:1])
	_, _ = c.Records(ctx, small, many)
	_, _ = c.Records(ctx, large, many[:1])
	_, _ = c.Records(ctx, large, many[:20])
	_, _ = c.Holding(ctx, small, "192.0.2.1")
	_, _ = c.Batch(ctx, small, batch)
	_, _ = c.Touch(ctx, small, ddns.Record{ID: recordID(1), Type: "A", Content: "192.0.2.1"})
	_ = c.MayWrite(ctx, small)
	_, _ = c.Quota(ctx, small)
	_, _ = c.VerifyToken(ctx, testZone.ID)
	requests := api.requests()
	if len(requests) != 11 {
		t.Fatalf("%d requests", len(requests))
	}
	for _, r := range requests {
		checkRequest(t, r)
	}
}

const schemaID = `[0-9a-f]{32}`

// endpoints are the endpoints in use, and the query parameters each knows.
var endpoints = []struct {
	method, path string
	query        []string
	body         func(t *testing.T, body string)
}{
	{"GET", `/zones`, []string{"name", "status", "account.id", "account.name", "page", "per_page", "order", "direction", "match"}, noBody},
	{"GET", `/zones/` + schemaID + `/dns_records`, []string{
		"name", "name.exact", "name.contains", "name.startswith", "name.endswith",
		"content", "content.exact", "content.contains", "content.startswith", "content.endswith",
		"type", "proxied", "match", "search", "page", "per_page", "order", "direction",
	}, noBody},
	{"POST", `/zones/` + schemaID + `/dns_records/batch`, nil, checkBatch},
	{"PATCH", `/zones/` + schemaID + `/dns_records/` + schemaID, nil, func(t *testing.T, body string) { checkPatch(t, fields(t, body), false) }},
	{"GET", `/zones/` + schemaID + `/dns_records/usage`, nil, noBody},
	{"GET", `/user/tokens/verify`, nil, noBody},
	{"GET", `/accounts/` + schemaID + `/tokens/verify`, nil, noBody},
}

func checkRequest(t *testing.T, r sent) {
	t.Helper()
	path, ok := strings.CutPrefix(r.Path, "/client/v4")
	for _, e := range endpoints {
		if !ok || e.method != r.Method || !regexp.MustCompile("^"+e.path+"$").MatchString(path) {
			continue
		}
		for parameter, values := range r.Query {
			if !slices.Contains(e.query, parameter) {
				t.Errorf("%s %s knows no parameter %q", r.Method, path, parameter)
			}
			checkParameter(t, path, parameter, values)
		}
		e.body(t, r.Body)
		if r.Body != "" && r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: a body of type %q", r.Method, path, r.Header.Get("Content-Type"))
		}
		return
	}
	t.Errorf("%s %s is no endpoint", r.Method, r.Path)
}

func checkParameter(t *testing.T, path, parameter string, values []string) {
	t.Helper()
	if len(values) != 1 && parameter != "name" {
		t.Errorf("%s is given %d times", parameter, len(values))
	}
	number, err := strconv.Atoi(values[0])
	switch parameter {
	case "match":
		if values[0] != "any" && values[0] != "all" {
			t.Errorf("match=%s", values[0])
		}
	case "page":
		if err != nil || number < 1 {
			t.Errorf("page=%s", values[0])
		}
	case "per_page":
		least, most := 1, 5_000_000
		if path == "/zones" {
			least, most = 5, 50
		}
		if err != nil || number < least || number > most {
			t.Errorf("%s: per_page=%s", path, values[0])
		}
	}
}

func noBody(t *testing.T, body string) {
	t.Helper()
	if body != "" {
		t.Errorf("a body where none belongs: %s", body)
	}
}

func fields(t *testing.T, body string) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(body), &object); err != nil || len(object) == 0 {
		t.Errorf("%v: %s", err, body)
	}
	return object
}

func only(t *testing.T, what string, object map[string]any, known ...string) {
	t.Helper()
	for field := range maps.Keys(object) {
		if !slices.Contains(known, field) {
			t.Errorf("%s knows no field %q", what, field)
		}
	}
}

func checkBatch(t *testing.T, body string) {
	t.Helper()
	batch := fields(t, body)
	only(t, "a batch", batch, "deletes", "patches", "puts", "posts")
	entries := func(list string) (objects []map[string]any) {
		values, _ := batch[list].([]any)
		if len(values) == 0 || len(values) > 3500 {
			t.Errorf("%d %s", len(values), list)
		}
		for _, v := range values {
			object, _ := v.(map[string]any)
			objects = append(objects, object)
		}
		return objects
	}
	for _, deletion := range entries("deletes") {
		only(t, "a deletion", deletion, "id")
		checkID(t, deletion)
	}
	for _, patch := range entries("patches") {
		checkID(t, patch)
		checkPatch(t, patch, true)
	}
	for _, post := range entries("posts") {
		checkPost(t, post)
	}
}

func checkID(t *testing.T, object map[string]any) {
	t.Helper()
	if id, _ := object["id"].(string); !regexp.MustCompile("^" + schemaID + "$").MatchString(id) {
		t.Errorf("ID %v", object["id"])
	}
}

func checkPatch(t *testing.T, patch map[string]any, inBatch bool) {
	t.Helper()
	known := []string{"name", "content", "ttl", "proxied", "comment", "tags", "type", "settings", "private_routing"}
	if inBatch {
		known = append(known, "id")
		if len(patch) < 2 {
			t.Errorf("a change of nothing: %v", patch)
		}
	}
	only(t, "a change", patch, known...)
	if _, ok := patch["type"]; ok {
		t.Error("the type of a record cannot be changed")
	}
	checkShared(t, patch)
}

func checkPost(t *testing.T, post map[string]any) {
	t.Helper()
	only(t, "a new record", post, "name", "type", "content", "ttl", "proxied", "comment", "tags", "settings", "private_routing")
	for _, field := range []string{"name", "type", "content", "ttl"} {
		if _, ok := post[field]; !ok {
			t.Errorf("a new record lacks %s: %v", field, post)
		}
	}
	content, _ := post["content"].(string)
	address, err := netip.ParseAddr(content)
	switch post["type"] {
	case "A":
		if err != nil || !address.Is4() {
			t.Errorf("an A record of %q", content)
		}
	case "AAAA":
		if err != nil || !address.Is6() {
			t.Errorf("an AAAA record of %q", content)
		}
	case "CNAME":
	default:
		t.Errorf("a record of type %v", post["type"])
	}
	checkShared(t, post)
}

// checkShared checks the fields that new and changed records have in common.
func checkShared(t *testing.T, object map[string]any) {
	t.Helper()
	if ttl, ok := object["ttl"]; ok {
		n, isNumber := ttl.(float64)
		if !isNumber || n != 1 && (n < 30 || n > 86400) {
			t.Errorf("ttl %v", ttl)
		}
	}
	if proxied, ok := object["proxied"]; ok {
		if _, isBool := proxied.(bool); !isBool {
			t.Errorf("proxied %v", proxied)
		}
	}
	if comment, ok := object["comment"]; ok {
		if text, isText := comment.(string); !isText || len(text) > 500 || strings.ContainsAny(text, "\r\n") {
			t.Errorf("comment %v", comment)
		}
	}
	tags, _ := object["tags"].([]any)
	for _, tag := range tags {
		if text, _ := tag.(string); !regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}:.{0,100}$`).MatchString(text) {
			t.Errorf("tag %v", tag)
		}
	}
	if settings, ok := object["settings"].(map[string]any); ok {
		only(t, "settings", settings, "ipv4_only", "ipv6_only", "flatten_cname")
		if _, flat := settings["flatten_cname"]; flat && object["type"] != "CNAME" {
			t.Error("only a CNAME can be flattened")
		}
	}
}
