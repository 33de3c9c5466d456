package sandbox

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const testToken = "cfut_0123456789abcdefghijABCDEFGHIJ0123456789abcd"

func TestRecordIsKeptInTheFormThatCloudflareKeeps(t *testing.T) {
	for _, test := range []struct{ name, body, want string }{
		{"a relative name is completed", `{"type":"A","name":"www","content":"45.67.89.10"}`,
			`www.example.com A 45.67.89.10 ttl=1 proxied=false "" []`},
		{"@ is the apex", `{"type":"A","name":"@","content":"45.67.89.10","ttl":120}`,
			`example.com A 45.67.89.10 ttl=120 proxied=false "" []`},
		{"case and a final dot do not matter", `{"type":"A","name":"WWW.Example.COM.","content":"45.67.89.10"}`,
			`www.example.com A 45.67.89.10 ttl=1 proxied=false "" []`},
		{"a name of another zone becomes one of this", `{"type":"A","name":"www.example.org","content":"45.67.89.10"}`,
			`www.example.org.example.com A 45.67.89.10 ttl=1 proxied=false "" []`},
		{"an international name becomes Punycode", `{"type":"A","name":"Bücher","content":"45.67.89.10"}`,
			`xn--bcher-kva.example.com A 45.67.89.10 ttl=1 proxied=false "" []`},
		{"a wildcard", `{"type":"A","name":"*","content":"45.67.89.10"}`,
			`*.example.com A 45.67.89.10 ttl=1 proxied=false "" []`},
		{"IPv6 is written the canonical way", `{"type":"AAAA","name":"www","content":"2A02:0DB8:0:0:0:0:0:1"}`,
			`www.example.com AAAA 2a02:db8::1 ttl=1 proxied=false "" []`},
		{"a proxied name has no TTL of its own", `{"type":"A","name":"www","content":"45.67.89.10","ttl":300,"proxied":true}`,
			`www.example.com A 45.67.89.10 ttl=1 proxied=true "" []`},
		{"a CNAME at the apex", `{"type":"CNAME","name":"@","content":"MyHome.DuckDNS.org."}`,
			`example.com CNAME myhome.duckdns.org ttl=1 proxied=false "" []`},
		{"a CNAME to the apex", `{"type":"CNAME","name":"www","content":"@"}`,
			`www.example.com CNAME example.com ttl=1 proxied=false "" []`},
		{"unknown fields and those of old versions are ignored", `{"id":"x","zone_id":"y","locked":false,"type":"A","name":"www","content":"45.67.89.10","ttl":1.0}`,
			`www.example.com A 45.67.89.10 ttl=1 proxied=false "" []`},
		{"no tags on a plan without tags", `{"type":"A","name":"www","content":"45.67.89.10","tags":[],"comment":null}`,
			`www.example.com A 45.67.89.10 ttl=1 proxied=false "" []`},
		{"parts become a content", `{"type":"SRV","name":"_imap._tcp","data":{"weight":5,"port":993,"target":"mail.example.com"},"priority":10}`,
			`_imap._tcp.example.com SRV 5 993 mail.example.com ttl=1 proxied=false "" []`},
		{"parts of a CAA record, in any order, become a content with quotes", `{"type":"CAA","name":"@","data":{"value":"letsencrypt.org","tag":"issue","flags":0}}`,
			`example.com CAA 0 issue "letsencrypt.org" ttl=1 proxied=false "" []`},
		{"a CAA content without quotes gets them", `{"type":"CAA","name":"@","content":"0 issue letsencrypt.org"}`,
			`example.com CAA 0 issue "letsencrypt.org" ttl=1 proxied=false "" []`},
		{"a CAA content with quotes keeps them", `{"type":"CAA","name":"@","content":"128 iodef \"mailto:a@example.com\""}`,
			`example.com CAA 128 iodef "mailto:a@example.com" ttl=1 proxied=false "" []`},
		{"a private address, DNS only", `{"type":"A","name":"nas","content":"192.168.1.2"}`,
			`nas.example.com A 192.168.1.2 ttl=1 proxied=false "" []`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := stateOnly(t)
			create(t, s, test.body)
			if diff := cmp.Diff([]string{test.want}, contents(t, s)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAZoneHasNoRules(t *testing.T) {
	s := stateOnly(t)
	for _, path := range []string{"/pagerules", "/pagerules?status=active", "/rulesets"} {
		if got := callAPI(t, s, "GET", zonePath(s, path), ""); got.Status != 200 || !strings.Contains(got.Raw, `"result":[]`) {
			t.Errorf("%s: %d %s", path, got.Status, got.Raw)
		}
	}
}

func TestMistakesAreAnsweredAsCloudflareDoes(t *testing.T) {
	const www = `{"type":"A","name":"www","content":"45.67.89.10"}`
	for _, test := range []struct {
		name, there, body string
		status, code      int
		words             string
	}{
		{"no IPv4 address", "", `{"type":"A","name":"www","content":"2a02::1"}`, 400, 9005, "Content for A record must be a valid IPv4 address."},
		{"no content", "", `{"type":"A","name":"www"}`, 400, 9005, ""},
		{"no IPv6 address", "", `{"type":"AAAA","name":"www","content":"45.67.89.10"}`, 400, 9006, "Content for AAAA record must be a valid IPv6 address."},
		{"IPv6 with a zone", "", `{"type":"AAAA","name":"www","content":"fe80::1%eth0"}`, 400, 9006, ""},
		{"CNAME to an address", "", `{"type":"CNAME","name":"www","content":"45.67.89.10"}`, 400, 9007, "Content for CNAME record is invalid."},
		{"CNAME to itself", "", `{"type":"CNAME","name":"www","content":"www.example.com"}`, 400, 9039, "CNAME content cannot reference itself."},
		{"unknown type", "", `{"type":"FOO","name":"www","content":"x"}`, 400, 9002, "DNS record type is invalid."},
		{"no type", "", `{"name":"www","content":"45.67.89.10"}`, 400, 9002, ""},
		{"no name", "", `{"type":"A","content":"45.67.89.10"}`, 400, 9000, ""},
		{"a name that DNS cannot hold", "", `{"type":"A","name":"a b","content":"45.67.89.10"}`, 400, 9000, ""},
		{"a label that is too long", "", `{"type":"A","name":"` + strings.Repeat("a", 64) + `","content":"45.67.89.10"}`, 400, 9000, ""},
		{"an asterisk inside", "", `{"type":"A","name":"a.*","content":"45.67.89.10"}`, 400, 9000, ""},
		{"TTL too short", "", `{"type":"A","name":"www","content":"45.67.89.10","ttl":59}`, 400, 9021, "TTL must be between 60 and 86400 seconds, or 1 for Automatic."},
		{"TTL too long", "", `{"type":"A","name":"www","content":"45.67.89.10","ttl":86401}`, 400, 9021, ""},
		{"TTL zero", "", `{"type":"A","name":"www","content":"45.67.89.10","ttl":0}`, 400, 9021, ""},
		{"TTL in quotes", "", `{"type":"A","name":"www","content":"45.67.89.10","ttl":"60"}`, 400, 9022, "TTL must be a number, not a string."},
		{"proxied in quotes", "", `{"type":"A","name":"www","content":"45.67.89.10","proxied":"true"}`, 400, 9003, ""},
		{"proxied TXT", "", `{"type":"TXT","name":"www","content":"x","proxied":true}`, 400, 9004, "This record type cannot be proxied."},
		{"proxied private address", "", `{"type":"A","name":"www","content":"10.0.0.7","proxied":true}`, 400, 9003, "Target 10.0.0.7 is not allowed for a proxied record."},
		{"comment too long", "", `{"type":"A","name":"www","content":"45.67.89.10","comment":"` + strings.Repeat("ü", 101) + `"}`, 400, 9313, "DNS record comment exceeds the maximum length of 100 characters."},
		{"tags on the Free plan", "", `{"type":"A","name":"www","content":"45.67.89.10","tags":["a:b"]}`, 400, 9300, "DNS record has 1 tags, exceeding the quota of 0."},
		{"not JSON", "", `{`, 400, 9207, "Request body is invalid."},
		{"two documents", "", www + www, 400, 9207, ""},
		{"a list", "", `[]`, 400, 9207, ""},
		{"a name that is a number", "", `{"type":"A","name":5,"content":"45.67.89.10"}`, 400, 9207, ""},
		{"the same record", www, `{"type":"A","name":"www.example.com","content":"45.67.89.10","ttl":300}`, 400, 81058, "An identical record already exists."},
		{"CNAME over A", www, `{"type":"CNAME","name":"www","content":"a.example.org"}`, 400, 81053, ""},
		{"CNAME over CNAME", `{"type":"CNAME","name":"www","content":"b.example.org"}`, `{"type":"CNAME","name":"www","content":"a.example.org"}`, 400, 81053, ""},
		{"A over CNAME", `{"type":"CNAME","name":"www","content":"a.example.org"}`, www, 400, 81054, ""},
		{"AAAA over CNAME", `{"type":"CNAME","name":"www","content":"a.example.org"}`, `{"type":"AAAA","name":"www","content":"2a02::1"}`, 400, 81054, ""},
		{"NS over A", www, `{"type":"NS","name":"www","content":"ns.example.org"}`, 400, 81055, "Non-NS records with that host already exist."},
		{"A over NS", `{"type":"NS","name":"www","content":"ns.example.org"}`, www, 400, 81056, "NS records with that host already exist."},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := stateOnly(t)
			if test.there != "" {
				create(t, s, test.there)
			}
			before := contents(t, s)
			got := callAPI(t, s, "POST", zonePath(s, "/dns_records"), test.body)
			if got.Status != test.status || got.code() != test.code {
				t.Fatalf("got %d %s, want %d with code %d", got.Status, got.Raw, test.status, test.code)
			}
			if test.words != "" && got.Errors[0].Message != test.words {
				t.Errorf("got %q, want %q", got.Errors[0].Message, test.words)
			}
			if diff := cmp.Diff(before, contents(t, s)); diff != "" {
				t.Errorf("a refused call changed the zone: %s", diff)
			}
		})
	}
}

func TestEditChangesOnlyWhatIsSent(t *testing.T) {
	zone := SeedZone{Name: "example.com", Plan: "pro", Records: []SeedRecord{{
		Type: "A", Name: "www", Content: "45.67.89.10", TTL: 300, Comment: "mine", Tags: []string{"a:b"},
	}}}
	for _, test := range []struct{ name, method, body, want string }{
		{"PATCH of the content keeps the rest", "PATCH", `{"content":"45.67.89.11"}`,
			`www.example.com A 45.67.89.11 ttl=300 proxied=false "mine" [a:b]`},
		{"PATCH with null empties comment and tags", "PATCH", `{"comment":null,"tags":null}`,
			`www.example.com A 45.67.89.10 ttl=300 proxied=false "" []`},
		{"PATCH to proxied takes the TTL", "PATCH", `{"proxied":true}`,
			`www.example.com A 45.67.89.10 ttl=1 proxied=true "mine" [a:b]`},
		{"PATCH of nothing changes nothing", "PATCH", `{}`,
			`www.example.com A 45.67.89.10 ttl=300 proxied=false "mine" [a:b]`},
		{"PATCH may repeat type and name", "PATCH", `{"type":"A","name":"www.example.com","content":"45.67.89.11"}`,
			`www.example.com A 45.67.89.11 ttl=300 proxied=false "mine" [a:b]`},
		{"PATCH of the name moves the record", "PATCH", `{"name":"home"}`,
			`home.example.com A 45.67.89.10 ttl=300 proxied=false "mine" [a:b]`},
		{"PUT empties what is not sent", "PUT", `{"type":"A","name":"www","content":"45.67.89.11"}`,
			`www.example.com A 45.67.89.11 ttl=1 proxied=false "" []`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := stateOnly(t, zone)
			id := s.zones[0].Records[0].ID
			var r recordView
			callAPI(t, s, test.method, zonePath(s, "/dns_records/"+id), test.body).into(t, &r)
			if r.ID != id {
				t.Errorf("the record got another ID")
			}
			if diff := cmp.Diff([]string{test.want}, contents(t, s)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestContentFollowsTheParts(t *testing.T) {
	s := stateOnly(t)
	id := create(t, s, `{"type":"SRV","name":"_imap._tcp","data":{"weight":5,"port":993,"target":"mail.example.com"},"priority":10}`)
	for body, want := range map[string]string{
		`{"data":{"weight":6,"port":993,"target":"mail.example.com"}}`: "6 993 mail.example.com",
		`{"content":"7 993 mail.example.com"}`:                         "7 993 mail.example.com",
	} {
		var r recordView
		callAPI(t, s, "PATCH", zonePath(s, "/dns_records/"+id), body).into(t, &r)
		if r.Content != want || *r.Priority != 10 {
			t.Errorf("%s: got %+v", body, r)
		}
	}
}

func TestEditsThatAreRefused(t *testing.T) {
	seed := SeedZone{Name: "example.com", Records: []SeedRecord{
		{Type: "A", Name: "www", Content: "45.67.89.10"},
		{Type: "A", Name: "www", Content: "45.67.89.11"},
		{Type: "CNAME", Name: "alias", Content: "www.example.com"},
	}}
	for _, test := range []struct {
		name, method, body string
		record, code       int
	}{
		{"the type never changes by PATCH", "PATCH", `{"type":"AAAA","content":"2a02::1"}`, 0, 9023},
		{"nor by PUT", "PUT", `{"type":"CNAME","name":"www","content":"a.example.org"}`, 0, 9023},
		{"PUT needs a type", "PUT", `{"name":"www","content":"45.67.89.12"}`, 0, 9002},
		{"PUT needs a name", "PUT", `{"type":"A","content":"45.67.89.12"}`, 0, 9000},
		{"two records become the same", "PATCH", `{"content":"45.67.89.11"}`, 0, 81058},
		{"a record moves onto a CNAME", "PATCH", `{"name":"alias"}`, 0, 81054},
		{"a CNAME moves onto a record", "PATCH", `{"name":"www","content":"x.example.org"}`, 2, 81053},
		{"a record that is not there", "PATCH", `{"content":"45.67.89.11"}`, -1, 81044},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := stateOnly(t, seed)
			id := strings.Repeat("0", 32)
			if test.record >= 0 {
				id = s.zones[0].Records[test.record].ID
			}
			before := contents(t, s)
			got := callAPI(t, s, test.method, zonePath(s, "/dns_records/"+id), test.body)
			if got.code() != test.code {
				t.Errorf("got %s, want code %d", got.Raw, test.code)
			}
			if diff := cmp.Diff(before, contents(t, s)); diff != "" {
				t.Errorf("a refused edit changed the zone: %s", diff)
			}
		})
	}
}

func TestDeleteAnswersTheIDAndForgetsTheRecord(t *testing.T) {
	s := stateOnly(t)
	id := create(t, s, `{"type":"A","name":"www","content":"45.67.89.10"}`)
	var gone struct{ ID string }
	callAPI(t, s, "DELETE", zonePath(s, "/dns_records/"+id), "").into(t, &gone)
	if gone.ID != id {
		t.Errorf("got %q, want %q", gone.ID, id)
	}
	for _, method := range []string{"GET", "DELETE"} {
		if got := callAPI(t, s, method, zonePath(s, "/dns_records/"+id), ""); got.Status != 404 || got.code() != 81044 {
			t.Errorf("%s of a deleted record: %d %s", method, got.Status, got.Raw)
		}
	}
}

func TestBodyMustBeCalledJSON(t *testing.T) {
	s := stateOnly(t)
	r := request("POST", zonePath(s, "/dns_records"), `{"type":"A","name":"www","content":"45.67.89.10"}`)
	r.Header.Set("Authorization", "Bearer "+testToken)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	got := send(t, s, r)
	if got.code() != 9207 || got.Errors[0].Message != "Content-type must be application/json." {
		t.Errorf("got %s", got.Raw)
	}
}

func TestPlansHaveLimits(t *testing.T) {
	t.Run("the Free plan holds 200 records", func(t *testing.T) {
		s := stateOnly(t, SeedZone{Name: "example.com", Records: manyRecords(200)})
		got := callAPI(t, s, "POST", zonePath(s, "/dns_records"), `{"type":"A","name":"www","content":"45.67.89.10"}`)
		if got.Status != 400 || got.code() != 81045 {
			t.Errorf("got %d %s", got.Status, got.Raw)
		}
		var usage struct{ Record_quota, Record_usage int }
		callAPI(t, s, "GET", zonePath(s, "/dns_records/usage"), "").into(t, &usage)
		if usage.Record_quota != 200 || usage.Record_usage != 200 {
			t.Errorf("got %+v", usage)
		}
	})
	t.Run("a batch of the Free plan has 200 operations", func(t *testing.T) {
		s := stateOnly(t)
		posts := strings.Repeat(`{"type":"A","name":"www","content":"45.67.89.10"},`, 201)
		got := callAPI(t, s, "POST", zonePath(s, "/dns_records/batch"), `{"posts":[`+strings.TrimSuffix(posts, ",")+`]}`)
		if got.Status != 400 || got.Success {
			t.Errorf("got %d %s", got.Status, got.Raw)
		}
	})
	t.Run("Enterprise has shorter TTLs, longer comments and tags", func(t *testing.T) {
		s := stateOnly(t, SeedZone{Name: "example.com", Plan: "enterprise"})
		create(t, s, `{"type":"A","name":"www","content":"45.67.89.10","ttl":30,"tags":["a:b","c"],"comment":"`+strings.Repeat("x", 500)+`"}`)
	})
}

func TestUnknownPathsAnswerLikeCloudflare(t *testing.T) {
	s := stateOnly(t)
	for _, path := range []string{"/nothing", "/zones/xyz", "/zones//dns_records", "/zones/xyz/dns_records",
		zonePath(s, "/dns_records/xyz"), zonePath(s, "/nothing"), "/accounts/xyz/tokens/verify"} {
		got := callAPI(t, s, "GET", path, "")
		if got.Status != 404 || got.code() != 7003 || got.Errors[1].Code != 7000 {
			t.Errorf("GET %s: %d %s", path, got.Status, got.Raw)
		}
	}
	if got := callAPI(t, s, "DELETE", "/zones", ""); got.code() != 7003 {
		t.Errorf("a method that is not there: %s", got.Raw)
	}
	if got := callAPI(t, s, "GET", "/zones/?name=example.com", ""); !got.Success {
		t.Errorf("a final slash must not matter: %s", got.Raw)
	}
}

func TestZones(t *testing.T) {
	s := stateOnly(t, SeedZone{Name: "example.org"}, SeedZone{Name: "example.com", Plan: "pro"}, SeedZone{Name: "other.net"})
	for query, want := range map[string]string{
		"":                                     "example.com example.org other.net",
		"?name=example.org":                    "example.org",
		"?name=EXAMPLE.org&status=active":      "example.org",
		"?name=nothing.example":                "",
		"?name=contains:example":               "example.com example.org",
		"?name=not_equal:other.net":            "example.com example.org",
		"?name=starts_with:other":              "other.net",
		"?name=ends_with:.com":                 "example.com",
		"?name=equal_case_sensitive:Other.net": "",
		"?name=what:other.net":                 "",
		"?status=&name=":                       "example.com example.org other.net",
		"?status=pending":                      "",
		"?account.id=" + s.account:             "example.com example.org other.net",
		"?account.id=x":                        "",
		"?account.name=sandbox%20account":      "example.com example.org other.net",
		"?order=name&direction=desc":           "other.net example.org example.com",
		"?per_page=1000&page=0":                "example.com example.org other.net",
		"?page=2":                              "",
	} {
		var zones []zoneView
		callAPI(t, s, "GET", "/zones"+query, "").into(t, &zones)
		names := []string{}
		for _, z := range zones {
			names = append(names, z.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("GET /zones%s: got %q, want %q", query, got, want)
		}
	}
	var z zoneView
	callAPI(t, s, "GET", "/zones/"+s.zones[1].ID, "").into(t, &z)
	if z.Name != "example.com" || z.Plan.LegacyID != "pro" || z.Account.ID != s.account || len(z.NameServers) != 2 {
		t.Errorf("got %+v", z)
	}
}

func TestSecurityLevel(t *testing.T) {
	s := stateOnly(t)
	path := zonePath(s, "/settings/security_level")
	value := func() string {
		var v settingView
		callAPI(t, s, "GET", path, "").into(t, &v)
		return v.Value
	}
	if value() != "medium" {
		t.Errorf("at first: %s", value())
	}
	callAPI(t, s, "PATCH", path, `{"value":"under_attack"}`)
	if value() != "under_attack" || !s.underAttack {
		t.Errorf("after a PATCH: %s", value())
	}
	s.SetUnderAttack(false)
	if value() != "medium" {
		t.Errorf("afterwards: %s", value())
	}
	if got := callAPI(t, s, "PATCH", path, `{"value":"panic"}`); got.Status != 400 || got.code() != 1007 {
		t.Errorf("got %d %s", got.Status, got.Raw)
	}
	if got := callAPI(t, s, "GET", zonePath(s, "/settings/nothing"), ""); got.Success {
		t.Errorf("got %s", got.Raw)
	}
}

func TestAccountUserAndAddressRanges(t *testing.T) {
	s := stateOnly(t)
	var accounts []struct{ ID, Name string }
	callAPI(t, s, "GET", "/accounts", "").into(t, &accounts)
	if len(accounts) != 1 || accounts[0].ID != s.account {
		t.Errorf("got %+v", accounts)
	}
	if got := callAPI(t, s, "GET", "/user", ""); !got.Success {
		t.Errorf("got %s", got.Raw)
	}
	var ips struct{ Ipv4_cidrs []string }
	send(t, s, request("GET", "/ips", "")).into(t, &ips)
	if len(ips.Ipv4_cidrs) != 15 {
		t.Errorf("got %+v", ips)
	}
}

// An error of the sandbox itself must not look like one of the caller's.
func TestEnvelopeIsTheSameForAll(t *testing.T) {
	s := stateOnly(t)
	good := callAPI(t, s, "GET", "/zones", "")
	bad := callAPI(t, s, "GET", "/nothing", "")
	for _, r := range []reaction{good, bad} {
		if r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Cf-Ray") == "" {
			t.Errorf("headers %v", r.Header)
		}
		var members map[string]json.RawMessage
		if err := json.NewDecoder(bytes.NewReader([]byte(r.Raw))).Decode(&members); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"result", "success", "errors", "messages"} {
			if _, ok := members[name]; !ok {
				t.Errorf("%s is missing in %s", name, r.Raw)
			}
		}
	}
	if string(bad.Result) != "null" || bad.Success {
		t.Errorf("got %s", bad.Raw)
	}
}
