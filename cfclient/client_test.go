package cfclient

import (
	"crypto/x509"
	"fmt"
	"go/parser"
	"go/token"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

func TestValidateNamesWhatIsWrong(t *testing.T) {
	good := Config{Token: ddns.NewSecret(testToken), World: loopback{}}
	tests := []struct {
		name string
		edit func(*Config)
		want string // empty: nothing is wrong
	}{
		{"the defaults are right", func(*Config) {}, ""},
		{"plain http on loopback is right", func(c *Config) { c.BaseURL = "http://127.0.0.1:8080/client/v4" }, ""},
		{"plain http on IPv6 loopback is right", func(c *Config) { c.BaseURL = "http://[::1]:8080/client/v4" }, ""},
		{"plain http elsewhere", func(c *Config) { c.BaseURL = "http://api.cloudflare.com/client/v4" }, "plain http"},
		{"plain http on a name that begins like loopback", func(c *Config) { c.BaseURL = "http://127.0.0.1.example.com/" }, "plain http"},
		{"another scheme", func(c *Config) { c.BaseURL = "ftp://api.cloudflare.com/" }, "use https"},
		{"a user in the URL", func(c *Config) { c.BaseURL = "https://me:secret@api.cloudflare.com/" }, "a user"},
		{"no URL", func(c *Config) { c.BaseURL = "api.cloudflare.com" }, "not a URL"},
		{"no token", func(c *Config) { c.Token = ddns.Secret{} }, "empty"},
		{"no world", func(c *Config) { c.World = nil }, "network"},
		{"a negative timeout", func(c *Config) { c.Timeout = -time.Second }, "timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := good
			tt.edit(&config)
			err := config.Validate()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret@") {
				t.Error("the password of the URL is shown")
			}
		})
	}
}

func TestAMalformedTokenIsNotSent(t *testing.T) {
	api := serve(t, answering(200, resultOf("[]")))
	c := New(Config{Token: ddns.NewSecret("Bearer " + testToken), BaseURL: api.URL, World: loopback{}})
	_, err := c.Zones(t.Context())
	wantKind(t, err, ddns.TokenRefused)
	if n := len(api.requests()); n != 0 || c.Calls() != 0 {
		t.Errorf("%d requests arrived, %d counted", n, c.Calls())
	}
}

func TestRequestsSayWhoWeAreAndNoMore(t *testing.T) {
	api := serve(t, answering(200, listOf(t, 0, []int{})))
	if _, err := api.client(t).Zones(t.Context()); err != nil {
		t.Fatal(err)
	}
	header := api.requests()[0].Header
	for name := range header {
		switch name {
		case "Accept", "Accept-Encoding", "Authorization", "User-Agent":
		default:
			t.Errorf("sent the header %s: %q", name, header[name])
		}
	}
	if header.Get("User-Agent") != "cfddns/test" || header.Get("Authorization") != "Bearer "+testToken {
		t.Errorf("sent %v", header)
	}
}

func TestCallsAreCountedAndConnectionsKept(t *testing.T) {
	var connections atomic.Int64
	api := httptest.NewUnstartedServer(answering(200, listOf(t, 0, []int{})))
	api.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	api.Start()
	defer api.Close()
	c := New(Config{Token: ddns.NewSecret(testToken), BaseURL: api.URL, World: loopback{}})
	for range 3 {
		if _, err := c.Zones(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if c.Calls() != 3 || connections.Load() != 1 {
		t.Errorf("%d calls over %d connections, want 3 over 1", c.Calls(), connections.Load())
	}
	c.CloseIdle()
	if _, err := c.Zones(t.Context()); err != nil {
		t.Fatal(err)
	}
	if connections.Load() != 2 {
		t.Errorf("%d connections after CloseIdle, want 2", connections.Load())
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	api := serve(t, http.RedirectHandler("/elsewhere", http.StatusTemporaryRedirect).ServeHTTP)
	_, err := api.client(t).Zones(t.Context())
	wantKind(t, err, ddns.Unreachable)
	if n := len(api.requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// TestALineThatDropsLargeGreetings puts a line in between on which a greeting
// of more than 1,000 bytes never arrives whole.
func TestALineThatDropsLargeGreetings(t *testing.T) {
	t.Parallel()
	api := httptest.NewTLSServer(answering(200, listOf(t, 0, []int{})))
	defer api.Close()
	roots := x509.NewCertPool()
	roots.AddCert(api.Certificate())
	line := narrowLine(t, api.Listener.Addr().String())
	c := New(Config{Token: ddns.NewSecret(testToken), BaseURL: "https://example.com", World: loopback{line, roots}})
	defer c.CloseIdle()

	for i := range 2 {
		started := time.Now()
		if _, err := c.Zones(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(started); i == 1 && took > time.Second {
			t.Errorf("the second call took %v: the small greeting was not remembered", took)
		}
		c.CloseIdle()
	}
	if !c.SmallHello() {
		t.Error("SmallHello is false")
	}
}

func TestAnOrdinaryLineKeepsTheLargeGreeting(t *testing.T) {
	api := httptest.NewTLSServer(answering(200, listOf(t, 0, []int{})))
	defer api.Close()
	roots := x509.NewCertPool()
	roots.AddCert(api.Certificate())
	c := New(Config{Token: ddns.NewSecret(testToken), BaseURL: "https://example.com", World: loopback{api.Listener.Addr().String(), roots}})
	defer c.CloseIdle()
	if _, err := c.Zones(t.Context()); err != nil || c.SmallHello() {
		t.Errorf("%v, small %v", err, c.SmallHello())
	}
}

func TestTheRootPackageOfTheLibraryStaysOut(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			if spec.Path.Value == `"github.com/cloudflare/cloudflare-go/v7"` {
				t.Errorf("%s imports the root package: it links every service of Cloudflare's, 11 MB", file)
			}
		}
	}
}

func TestPrintingAClientShowsNoToken(t *testing.T) {
	c := New(Config{Token: ddns.NewSecret(testToken), World: loopback{}})
	type holder struct{ inner *Client }
	for _, text := range []string{fmt.Sprintf("%v %+v %#v", c, c, c), fmt.Sprintf("%+v %#v", holder{c}, holder{c})} {
		if strings.Contains(text, testToken) {
			t.Errorf("shows the token: %s", text)
		}
	}
}
