package cfclient

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

func TestTokenKindOf(t *testing.T) {
	forty := strings.Repeat("aZ09-_xy", 5)
	tests := []struct {
		name, token string
		want        TokenKind
		says        string // not empty: refused
	}{
		{"a user's token", "cfut_" + forty, UserToken, ""},
		{"an account's token", "cfat_" + forty, AccountToken, ""},
		{"an old token", forty, OldToken, ""},
		{"a sandbox's token", "test-token", OldToken, ""},
		{"a global key", "cfk_" + forty, "", "Global API Key"},
		{"an old global key", strings.Repeat("0123456789abcdef", 3)[:37], "", "Global API Key"},
		{"nothing", "", "", "empty"},
		{"a header", "Bearer " + forty, "", "Bearer"},
		{"a header in small letters", "bearer\t" + forty, "", "Bearer"},
		{"double quotes", `"` + forty + `"`, "", "quotes"},
		{"single quotes", "'" + forty + "'", "", "quotes"},
		{"a line feed", forty + "\n", "", "white space"},
		{"a space inside", forty[:20] + " " + forty[20:], "", "characters other"},
		{"a variable that was not expanded", "${CF_TOKEN}", "", "characters other"},
		{"a byte order mark", "\ufeff" + forty, "", "characters other"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := TokenKindOf(ddns.NewSecret(tt.token))
			if got != tt.want || (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %q, %v; want %q, %q", got, err, tt.want, tt.says)
			}
			if err != nil && strings.Contains(err.Error(), forty) {
				t.Errorf("shows the token: %v", err)
			}
		})
	}
}

func FuzzTokenKindOf(f *testing.F) {
	f.Add(testToken)
	f.Add("Bearer x")
	f.Fuzz(func(t *testing.T, token string) {
		kind, err := TokenKindOf(ddns.NewSecret(token))
		if (kind == "") == (err == nil) {
			t.Errorf("%q: %q, %v", token, kind, err)
		}
		if err == nil && strings.ContainsAny(token, "\r\n \"'") {
			t.Errorf("%q would break the header", token)
		}
	})
}

func TestVerifyToken(t *testing.T) {
	const account = "023e105f4ecef8ad9ca31a8372d0c353"
	good := resultOf(`{"id":"ed17574386854bf78a67040be0a770b0","status":"active","expires_on":"2027-01-31T12:00:00Z"}`)
	tests := []struct {
		name    string
		token   string
		account string
		user    int // status of the user's endpoint
		acct    int // status of the account's endpoint
		want    TokenKind
		kind    ddns.Kind // of the error, if want is empty
		calls   int
	}{
		{"a user's token", "cfut_x", account, 200, 401, UserToken, 0, 1},
		{"a user's token that is refused", "cfut_x", account, 401, 200, "", ddns.TokenRefused, 1},
		{"an account's token", "cfat_x", account, 401, 200, AccountToken, 0, 1},
		{"an account's token without an account", "cfat_x", "", 401, 200, "", ddns.Unexpected, 0},
		{"an old token of a user", "old", account, 200, 401, UserToken, 0, 1},
		{"an old token of an account", "old", account, 401, 200, AccountToken, 0, 2},
		{"an old token of nobody", "old", account, 401, 401, "", ddns.TokenRefused, 2},
		{"an old token while the API is down", "old", account, 502, 200, "", ddns.Unreachable, 1},
		{"an old token without an account", "old", "", 401, 200, "", ddns.TokenRefused, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			api := serve(t, func(w http.ResponseWriter, r *http.Request) {
				status := tt.user
				if r.URL.Path == "/accounts/"+account+"/tokens/verify" {
					status = tt.acct
				} else if r.URL.Path != "/user/tokens/verify" {
					t.Errorf("asked %s", r.URL.Path)
				}
				if status == 200 {
					answer(w, 200, good)
				} else {
					answer(w, status, refusalOf(1000, "Invalid API Token"))
				}
			})
			c := New(Config{Token: ddns.NewSecret(tt.token), BaseURL: api.URL, World: loopback{}})
			defer c.CloseIdle()
			got, err := c.VerifyToken(t.Context(), tt.account)
			if n := len(api.requests()); n != tt.calls {
				t.Errorf("%d calls, want %d", n, tt.calls)
			}
			if tt.want == "" {
				wantKind(t, err, tt.kind)
				return
			}
			if err != nil || got.Kind != tt.want || got.Status != "active" || !got.Expires.Equal(time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)) || !got.NotBefore.IsZero() {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestQuota(t *testing.T) {
	tests := []struct {
		name, result string
		want         Quota
		wantErr      bool
	}{
		{"a zone's own limit", `{"record_quota":200,"record_usage":12}`, Quota{Used: 12, Limit: 200}, false},
		{"the limit of the account", `{"record_quota":null,"record_usage":0}`, Quota{}, false},
		{"an answer without the number", `{"record_quota":200}`, Quota{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := serve(t, answering(200, resultOf(tt.result))).client(t).Quota(t.Context(), testZone)
			if got != tt.want || (err != nil) != tt.wantErr {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestTouch(t *testing.T) {
	record := ddns.Record{ID: recordID(1), Name: "home.example.com", Type: "A", Content: "192.0.2.1"}
	same := wire(1, "home.example.com", "A", "192.0.2.1")
	other := wire(1, "home.example.com", "A", "192.0.2.2")
	tests := []struct {
		name   string
		status int
		entry  any
		want   ddns.Kind
	}{
		{"the record stands as it was", 200, same, ddns.Unexpected},
		{"another address stands there", 200, other, ddns.Uncertain},
		{"another record is shown", 200, wire(2, "home.example.com", "A", "192.0.2.1"), ddns.Uncertain},
		{"the token may not write", 403, nil, ddns.NotPermitted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := refusalOf(10000, "Authentication error")
			if tt.entry != nil {
				body = resultOf(encode(t, tt.entry))
			}
			api := serve(t, answering(tt.status, body))
			got, err := api.client(t).Touch(t.Context(), testZone, record)
			if tt.want == ddns.Unexpected {
				if err != nil || got.ID != record.ID {
					t.Errorf("got %+v, %v", got, err)
				}
			} else {
				wantKind(t, err, tt.want)
			}
			if r := api.requests()[0]; r.Method != "PATCH" || r.Body != `{"content":"192.0.2.1"}` {
				t.Errorf("sent %s %s", r.Method, r.Body)
			}
		})
	}
}
