package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// What Cloudflare's published schema says of one JSON value is a form: it tells
// what is wrong with a value; "" is nothing.
// https://github.com/cloudflare/api-schemas
type form func(v any) string

func text(pattern string) form {
	re := regexp.MustCompile(pattern)
	return func(v any) string {
		if s, ok := v.(string); !ok || !re.MatchString(s) {
			return fmt.Sprintf("%v is not a text like %s", v, pattern)
		}
		return ""
	}
}

func instant(v any) string {
	s, _ := v.(string)
	if _, err := time.Parse("2006-01-02T15:04:05.999999Z", s); err != nil {
		return err.Error()
	}
	return ""
}

func number(v any) string {
	if _, ok := v.(float64); !ok {
		return fmt.Sprintf("%v is not a number", v)
	}
	return ""
}

func boolean(v any) string {
	if _, ok := v.(bool); !ok {
		return fmt.Sprintf("%v is not true or false", v)
	}
	return ""
}

func texts(v any) string {
	list, ok := v.([]any)
	if !ok || slices.ContainsFunc(list, func(v any) bool { _, ok := v.(string); return !ok }) {
		return fmt.Sprintf("%v is not a list of texts", v)
	}
	return ""
}

func orNull(f form) form {
	return func(v any) string {
		if v == nil {
			return ""
		}
		return f(v)
	}
}

func object(required string, members map[string]form) form {
	return func(v any) string {
		m, ok := v.(map[string]any)
		if !ok {
			return fmt.Sprintf("%v is not an object", v)
		}
		for _, name := range strings.Fields(required) {
			if _, ok := m[name]; !ok {
				return name + " is missing"
			}
		}
		for _, name := range slices.Sorted(maps.Keys(m)) {
			check, ok := members[name]
			if !ok {
				return name + " is not in the schema"
			}
			if wrong := check(m[name]); wrong != "" {
				return name + ": " + wrong
			}
		}
		return ""
	}
}

func listOf(f form) form {
	return func(v any) string {
		list, ok := v.([]any)
		if !ok {
			return fmt.Sprintf("%v is not a list", v)
		}
		for i, member := range list {
			if wrong := f(member); wrong != "" {
				return fmt.Sprintf("%d: %s", i, wrong)
			}
		}
		return ""
	}
}

const idForm = `^[0-9a-f]{32}$`

func recordForm() form {
	return object("id name type content proxiable proxied ttl meta created_on modified_on", map[string]form{
		"id": text(idForm), "name": text(`^.{1,255}$`), "type": text(`^(` + strings.Join(recordTypes(), "|") + `)$`),
		"content": text(``), "proxiable": boolean, "proxied": boolean, "ttl": number, "settings": object("", nil),
		"meta": object("", nil), "comment": text(``), "tags": texts, "created_on": instant, "modified_on": instant,
		"comment_modified_on": instant, "tags_modified_on": instant,
	})
}

func zoneForm() form {
	party := object("", map[string]form{"id": text(idForm), "name": text(``), "type": text(``)})
	return object("id name development_mode owner account meta name_servers original_name_servers original_registrar "+
		"original_dnshost created_on modified_on activated_on", map[string]form{
		"id": text(idForm), "name": text(`^([a-zA-Z0-9][-a-zA-Z0-9]*\.)+[-a-zA-Z0-9]{2,20}$`), "development_mode": number,
		"owner": party, "account": party, "name_servers": texts, "original_name_servers": orNull(texts),
		"original_registrar": orNull(text(``)), "original_dnshost": orNull(text(``)), "created_on": instant,
		"modified_on": instant, "activated_on": instant, "status": text(`^(initializing|pending|active|moved)$`),
		"paused": boolean, "type": text(`^(full|partial|secondary|internal)$`), "permissions": texts,
		"plan": object("", map[string]form{"id": text(``), "name": text(``), "legacy_id": text(``)}),
		"meta": object("", map[string]form{"step": number, "custom_certificate_quota": number, "page_rule_quota": number, "phishing_detected": boolean}),
	})
}

func TestAnswersHaveTheShapeOfTheSchema(t *testing.T) {
	s := stateOnly(t, SeedZone{Name: "example.com", Plan: "pro", Records: []SeedRecord{
		{Type: "A", Name: "www", Content: "45.67.89.10", Proxied: true, Comment: "x", Tags: []string{"a:b"}}, {Type: "TXT", Name: "www", Content: "x"},
	}})
	record := s.zones[0].Records[0].ID
	records := listOf(recordForm())
	verify := object("id status", map[string]form{"id": text(idForm), "status": text(`^(active|disabled|expired)$`), "expires_on": instant, "not_before": instant})
	setting := object("id value", map[string]form{"id": text(`^security_level$`), "value": text(``), "editable": boolean, "modified_on": orNull(instant)})
	for _, c := range []struct {
		method, path, body string
		result             form
	}{
		{"GET", "/zones", "", listOf(zoneForm())},
		{"GET", zonePath(s, ""), "", zoneForm()},
		{"GET", zonePath(s, "/dns_records"), "", records},
		{"GET", zonePath(s, "/dns_records/"+record), "", recordForm()},
		{"POST", zonePath(s, "/dns_records"), `{"type":"A","name":"a","content":"45.67.89.10"}`, recordForm()},
		{"PATCH", zonePath(s, "/dns_records/"+record), `{"content":"45.67.89.11"}`, recordForm()},
		{"PUT", zonePath(s, "/dns_records/"+record), `{"type":"A","name":"www","content":"45.67.89.12"}`, recordForm()},
		{"POST", zonePath(s, "/dns_records/batch"), `{"posts":[{"type":"A","name":"b","content":"45.67.89.10"}],"deletes":[]}`,
			object("", map[string]form{"deletes": orNull(records), "patches": orNull(records), "puts": orNull(records), "posts": orNull(records)})},
		{"GET", zonePath(s, "/dns_records/usage"), "", object("record_usage record_quota", map[string]form{"record_usage": number, "record_quota": number})},
		{"DELETE", zonePath(s, "/dns_records/"+record), "", object("id", map[string]form{"id": text(idForm)})},
		{"GET", "/user/tokens/verify", "", verify},
		{"GET", zonePath(s, "/settings/security_level"), "", setting},
		{"PATCH", zonePath(s, "/settings/security_level"), `{"value":"low"}`, setting},
		{"GET", "/accounts", "", listOf(object("id name", map[string]form{"id": text(idForm), "name": text(``), "type": text(`^standard$`), "created_on": instant}))},
		{"GET", "/ips", "", object("", map[string]form{"etag": text(``), "ipv4_cidrs": texts, "ipv6_cidrs": texts})},
	} {
		got := callAPI(t, s, c.method, c.path, c.body)
		if wrong := envelopeForm(true, c.result)(decoded(t, got.Raw)); wrong != "" {
			t.Errorf("%s %s: %s in %s", c.method, c.path, wrong, got.Raw)
		}
	}
	for _, path := range []string{"/nothing", "/zones/" + strings.Repeat("0", 32), zonePath(s, "/dns_records/"+record)} {
		got := callAPI(t, s, "GET", path, "")
		if wrong := envelopeForm(false, nil)(decoded(t, got.Raw)); wrong != "" {
			t.Errorf("%s: %s in %s", path, wrong, got.Raw)
		}
	}
}

func decoded(t *testing.T, raw string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(raw), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func envelopeForm(success bool, result form) form {
	message := object("code message", map[string]form{"code": func(v any) string {
		if n, ok := v.(float64); !ok || n < 1000 {
			return fmt.Sprintf("%v is no code", v)
		}
		return ""
	}, "message": text(`.`), "error_chain": func(any) string { return "" }})
	if !success {
		result = func(v any) string {
			if v != nil {
				return "not null"
			}
			return ""
		}
	}
	return object("success errors messages result", map[string]form{
		"success": func(v any) string {
			if v != success {
				return fmt.Sprint(v)
			}
			return ""
		},
		"errors": func(v any) string {
			if list, ok := v.([]any); ok && (len(list) == 0) != success {
				return fmt.Sprintf("%d of them", len(list))
			}
			return listOf(message)(v)
		},
		"messages": listOf(message), "result": result,
		"result_info": object("page per_page count total_count total_pages", map[string]form{
			"page": number, "per_page": number, "count": number, "total_count": number, "total_pages": number}),
	})
}
