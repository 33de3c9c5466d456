package sandbox

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// running starts a sandbox with all its services.
func running(t testing.TB, cfg Config) *Sandbox {
	t.Helper()
	s, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// withDeadline bounds a test's calls.
func withDeadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// fetch does one request on a connection of its own.
func fetch(t testing.TB, client *http.Client, r *http.Request) (int, string, error) {
	t.Helper()
	r = r.WithContext(withDeadline(t))
	r.Close = true
	response, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return response.StatusCode, string(body), err
}

func getRequest(t testing.TB, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestInfoSaysWhereEverythingIs(t *testing.T) {
	s := running(t, Config{Token: testToken, Zones: []SeedZone{{Name: "example.com"}, {Name: "example.org"}}})
	line, err := json.Marshal(s.Info())
	if err != nil {
		t.Fatal(err)
	}
	var info map[string]any
	if err := json.Unmarshal(line, &info); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"api", "api_tls", "dns", "edge", "control", "token", "zones", "ca", "duckdns", "echoes", "wan"} {
		if _, ok := info[name]; !ok {
			t.Errorf("%s is missing in %s", name, line)
		}
	}
	got := s.Info()
	for _, address := range []string{strings.TrimSuffix(strings.TrimPrefix(got.API, "http://"), "/client/v4"),
		strings.TrimSuffix(strings.TrimPrefix(got.APITLS, "https://"), "/client/v4"), got.DNS,
		strings.TrimPrefix(got.Edge, "http://"), strings.TrimPrefix(got.Control, "http://"),
		strings.TrimPrefix(got.DuckDNS.API, "http://"), got.DuckDNS.DNS} {
		if _, err := loopback(address); err != nil {
			t.Errorf("%v in %s", err, line)
		}
	}
	if len(got.Zones) != 2 || got.Zones[1].Name != "example.org" || !identifier.MatchString(got.Zones[1].ID) ||
		got.WAN != (WANInfo{IPv4: "45.67.89.10"}) || got.Token != testToken || len(got.Echoes) == 0 {
		t.Errorf("got %s", line)
	}
}

func TestAPIIsServedInTheClearAndAsItself(t *testing.T) {
	s := running(t, Config{Token: testToken})
	plain := getRequest(t, s.Info().API+"/zones")
	plain.Header.Set("Authorization", "Bearer "+testToken)
	if status, body, err := fetch(t, http.DefaultClient, plain); status != 200 || err != nil {
		t.Errorf("plain: %d %s %v", status, body, err)
	}
	address := strings.TrimSuffix(strings.TrimPrefix(s.Info().APITLS, "https://"), "/client/v4")
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: s.authority.pool()},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}
	secure := getRequest(t, "https://api.cloudflare.com/client/v4/zones")
	secure.Header.Set("Authorization", "Bearer "+testToken)
	if status, body, err := fetch(t, client, secure); status != 200 || err != nil {
		t.Errorf("TLS: %d %s %v", status, body, err)
	}
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]"} {
		if _, _, err := fetch(t, client, getRequest(t, "https://"+host+"/client/v4/ips")); err != nil {
			t.Errorf("as %s: %v", host, err)
		}
	}
	status, body, err := fetch(t, client, getRequest(t, "https://api.cloudflare.com/cdn-cgi/trace"))
	if status != 200 || err != nil || !strings.Contains(body, "ip=45.67.89.10\n") {
		t.Errorf("trace: %d %q %v", status, body, err)
	}
}

func TestListensOnLoopbackOnly(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", "[::]:0", ":8080", "192.168.1.2:80", "example.com:80", "127.0.0.1"} {
		for _, cfg := range []Config{{API: address}, {Control: address}} {
			s, err := Start(cfg)
			if err == nil {
				s.Close()
				t.Errorf("listens on %s", address)
			} else if !strings.Contains(err.Error(), "address to listen on") {
				t.Errorf("%s: %v", address, err)
			}
		}
	}
	s := running(t, Config{API: "localhost:0", Control: "127.0.0.2:0"})
	if !strings.HasPrefix(s.Info().Control, "http://127.0.0.2:") {
		t.Errorf("got %s", s.Info().Control)
	}
}

func TestStartThatFailsLeavesNothingOpen(t *testing.T) {
	var opened []net.Listener
	refused := errors.New("no more sockets")
	_, err := Start(Config{Listen: func(network, address string) (net.Listener, error) {
		if len(opened) == 3 {
			return nil, refused
		}
		l, err := net.Listen(network, address)
		opened = append(opened, l)
		return l, err
	}})
	if !errors.Is(err, refused) {
		t.Fatalf("got %v", err)
	}
	for _, l := range opened {
		if l == nil {
			continue
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s still listens: %v", l.Addr(), err)
		}
	}
}

func TestStartRefusesWhatCannotBe(t *testing.T) {
	for _, test := range []struct {
		name, want string
		cfg        Config
	}{
		{"zone twice", "zone example.com is there twice", Config{Zones: []SeedZone{{Name: "example.com"}, {Name: "Example.COM"}}}},
		{"token with a blank", "token", Config{Token: "a b"}},
		{"record that Cloudflare refuses", "9005", Config{Zones: []SeedZone{{Name: "example.com", Records: []SeedRecord{{Type: "A", Name: "www", Content: "x"}}}}}},
	} {
		s, err := Start(test.cfg)
		if err == nil {
			s.Close()
			t.Errorf("%s: started", test.name)
		} else if !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestCloseEndsCallsThatHangAndMayBeCalledTwice(t *testing.T) {
	s := running(t, Config{Token: testToken})
	s.AddFault(Fault{On: "zones", Do: "hang"})
	ended := make(chan error, 1)
	r := getRequest(t, s.Info().API+"/zones")
	r.Header.Set("Authorization", "Bearer "+testToken)
	go func() {
		_, _, err := fetch(t, http.DefaultClient, r)
		ended <- err
	}()
	for s.Calls()["zones"] == 0 {
		<-time.After(time.Millisecond)
	}
	s.Close()
	s.Close()
	if err := <-ended; err == nil {
		t.Error("the call was answered")
	}
	if _, err := s.listen(""); err != nil {
		t.Errorf("listening after the end: %v", err) // it opens, and is closed at once
	}
}
