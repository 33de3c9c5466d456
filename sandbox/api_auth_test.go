package sandbox

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// askAs calls with headers of the caller's own.
func askAs(t testing.TB, s *Sandbox, method, path string, headers map[string]string) reaction {
	t.Helper()
	r := request(method, path, "")
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	return send(t, s, r)
}

func TestTokensAreJudgedAsCloudflareDoes(t *testing.T) {
	s := stateOnly(t)
	const other = "cfut_otherotherotherotherotherotherotherother1234"
	records := zonePath(s, "/dns_records")
	bearerOf := func(value string) map[string]string { return map[string]string{"Authorization": value} }
	for _, test := range []struct {
		name, path           string
		headers              map[string]string
		status, code, reason int
	}{
		{"no credentials", "/zones", nil, 400, 9106, 0},
		{"not a bearer token", "/zones", bearerOf("Basic abc"), 400, 6003, 6111},
		{"Bearer twice", "/zones", bearerOf("Bearer Bearer " + testToken), 400, 6003, 6111},
		{"quotes", "/zones", bearerOf(`Bearer "` + testToken + `"`), 400, 6003, 6111},
		{"nothing after Bearer", "/zones", bearerOf("Bearer "), 400, 6003, 6111},
		{"a global key as a token", "/zones", bearerOf("Bearer " + strings.Repeat("a1", 20)), 400, 6003, 6111},
		{"a token as a global key", "/zones", map[string]string{"X-Auth-Key": testToken, "X-Auth-Email": "a@example.com"}, 400, 6003, 6103},
		{"a key without an e-mail address", "/zones", map[string]string{"X-Auth-Key": strings.Repeat("a1", 20)}, 400, 6003, 6102},
		{"an unknown token at the zones", "/zones", bearerOf("Bearer " + other), 403, 9109, 0},
		{"an unknown token at the records", records, bearerOf("Bearer " + other), 401, 10000, 0},
		{"an unknown token to be verified", "/user/tokens/verify", bearerOf("Bearer " + other), 401, 1000, 0},
		{"a zone that is not there", "/zones/" + strings.Repeat("0", 32), bearerOf("Bearer " + testToken), 403, 9109, 0},
		{"records of a zone that is not there", "/zones/" + strings.Repeat("0", 32) + "/dns_records", bearerOf("Bearer " + testToken), 403, 10000, 0},
		{"a good token", "/zones", bearerOf("bearer " + testToken), 200, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := askAs(t, s, "GET", test.path, test.headers)
			if got.Status != test.status || got.code() != test.code {
				t.Fatalf("got %d %s, want %d with code %d", got.Status, got.Raw, test.status, test.code)
			}
			if test.reason != 0 && (len(got.Errors[0].Chain) != 1 || got.Errors[0].Chain[0].Code != test.reason) {
				t.Errorf("got %s, want %d as the cause", got.Raw, test.reason)
			}
			if strings.Contains(got.Raw, testToken) {
				t.Errorf("the token is in the answer")
			}
		})
	}
}

func TestGlobalKeyComesInItsOwnHeaders(t *testing.T) {
	key := strings.Repeat("a1", 20)
	s, err := newSandbox(Config{Token: key})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := askAs(t, s, "GET", "/zones", map[string]string{"X-Auth-Key": key, "X-Auth-Email": "a@example.com"}); !got.Success {
		t.Errorf("got %s", got.Raw)
	}
}

func TestVerifyDependsOnTheKindOfToken(t *testing.T) {
	const ofAccount = "cfat_0123456789abcdefghijABCDEFGHIJ0123456789abcd"
	for _, test := range []struct {
		name, token, path string
		status, code      int
	}{
		{"user token at the user's", testToken, "/user/tokens/verify", 200, 0},
		{"user token at the account's", testToken, "/accounts/$/tokens/verify", 401, 1000},
		{"account token at the user's", ofAccount, "/user/tokens/verify", 401, 1000},
		{"account token at the account's", ofAccount, "/accounts/$/tokens/verify", 200, 0},
		{"account token at another account's", ofAccount, "/accounts/" + strings.Repeat("0", 32) + "/tokens/verify", 401, 1000},
		{"account token lists accounts", ofAccount, "/accounts", 403, 1001},
		{"account token asks for the user", ofAccount, "/user", 403, 9109},
		{"account token lists zones", ofAccount, "/zones", 200, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := newSandbox(Config{Token: test.token})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			path := strings.Replace(test.path, "$", s.account, 1)
			got := askAs(t, s, "GET", path, map[string]string{"Authorization": "Bearer " + test.token})
			if got.Status != test.status || got.code() != test.code {
				t.Errorf("got %d %s", got.Status, got.Raw)
			}
		})
	}
}

func TestTokenPolicies(t *testing.T) {
	zones := []SeedZone{{Name: "example.com"}, {Name: "example.org"}}
	const post = `{"type":"A","name":"www","content":"45.67.89.10"}`
	for _, test := range []struct {
		name         string
		policy       tokenOrder
		method, path string // $ is the first zone, $$ the second
		status, code int
	}{
		{"read only lists", tokenOrder{ReadOnly: true}, "GET", "/zones/$/dns_records", 200, 0},
		{"read only does not write", tokenOrder{ReadOnly: true}, "POST", "/zones/$/dns_records", 403, 10000},
		{"its zone", tokenOrder{Zones: []string{"example.com"}}, "POST", "/zones/$/dns_records", 200, 0},
		{"not its zone", tokenOrder{Zones: []string{"example.com"}}, "GET", "/zones/$$", 403, 9109},
		{"records of what is not its zone", tokenOrder{Zones: []string{"example.com"}}, "POST", "/zones/$$/dns_records", 403, 10000},
		{"disabled", tokenOrder{Status: "disabled"}, "GET", "/zones", 403, 9109},
		{"expired", tokenOrder{Status: "expired"}, "GET", "/zones/$/dns_records", 401, 10000},
		{"not yet expired", tokenOrder{ExpiresOn: time.Now().Add(time.Hour)}, "GET", "/zones", 200, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := stateOnly(t, zones...)
			if err := s.orderToken(test.policy); err != nil {
				t.Fatal(err)
			}
			path := strings.NewReplacer("$$", s.zones[1].ID, "$", s.zones[0].ID).Replace(test.path)
			body := ""
			if test.method == "POST" {
				body = post
			}
			if got := callAPI(t, s, test.method, path, body); got.Status != test.status || got.code() != test.code {
				t.Errorf("got %d %s", got.Status, got.Raw)
			}
		})
	}
	t.Run("verify says what became of a token", func(t *testing.T) {
		s := stateOnly(t)
		for _, status := range []string{"active", "disabled", "expired"} {
			if err := s.orderToken(tokenOrder{Status: status}); err != nil {
				t.Fatal(err)
			}
			var got struct{ ID, Status, Expires_on string }
			callAPI(t, s, "GET", "/user/tokens/verify", "").into(t, &got)
			if got.Status != status || !identifier.MatchString(got.ID) || (status == "expired") != (got.Expires_on != "") {
				t.Errorf("%s: got %+v", status, got)
			}
		}
	})
	t.Run("a second token has a policy of its own", func(t *testing.T) {
		s := stateOnly(t, zones...)
		if err := s.orderToken(tokenOrder{Value: "another", Zones: []string{"example.org"}}); err != nil {
			t.Fatal(err)
		}
		got := askAs(t, s, "GET", "/zones", map[string]string{"Authorization": "Bearer another"})
		if got.Info.TotalCount != 1 || callAPI(t, s, "GET", "/zones", "").Info.TotalCount != 2 {
			t.Errorf("got %s", got.Raw)
		}
	})
}

func TestRateLimitBlocksTheRestOfTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stateOnly(t)
		first := callAPI(t, s, "GET", "/zones", "")
		if first.Header.Get("Ratelimit") != `"default";r=1199;t=300` || first.Header.Get("Ratelimit-Policy") != `"default";q=1200;w=300` {
			t.Errorf("got %v", first.Header)
		}
		for range rateCalls - 1 {
			if got := callAPI(t, s, "GET", "/zones", ""); got.Status != 200 {
				t.Fatalf("got %d %s", got.Status, got.Raw)
			}
		}
		<-time.After(100 * time.Second)
		blocked := callAPI(t, s, "GET", "/user/tokens/verify", "")
		if blocked.Status != 429 || blocked.Header.Get("Retry-After") != "200" || blocked.Success {
			t.Errorf("got %d %v %s", blocked.Status, blocked.Header, blocked.Raw)
		}
		<-time.After(200 * time.Second)
		if got := callAPI(t, s, "GET", "/zones", ""); got.Status != 200 {
			t.Errorf("after the window: %d %s", got.Status, got.Raw)
		}
	})
}
