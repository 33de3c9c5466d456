package sandbox

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheEdgeAnswersErrorsInTheFormThatWasAskedFor(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone(SeedRecord{Type: "CNAME", Name: "www", Content: "gone.duckdns.org", Proxied: true}))
	client := visitor(t, s, "tcp4")
	const url = "https://www.example.com/"
	if p := get(t, client, url); p.body != "error code: 1016" || p.header.Get("Content-Type") != "text/plain; charset=UTF-8" {
		t.Errorf("by default: %+v", p)
	}
	if p := get(t, client, url, "Accept", "text/html,*/*"); !strings.Contains(p.body, "<h1>Error 1016</h1>") || !strings.HasPrefix(p.header.Get("Content-Type"), "text/html") {
		t.Errorf("for a browser: %+v", p)
	}
	for _, kind := range []string{"application/json", "application/problem+json"} {
		p := get(t, client, url, "Accept", kind)
		var doc struct {
			Status     int    `json:"status"`
			Code       int    `json:"error_code"`
			Ray        string `json:"ray_id"`
			Cloudflare bool   `json:"cloudflare_error"`
			Owner      bool   `json:"owner_action_required"`
		}
		if err := json.Unmarshal([]byte(p.body), &doc); err != nil {
			t.Fatalf("%s: %v in %q", kind, err, p.body)
		}
		if p.header.Get("Content-Type") != kind || p.status != 530 || doc.Status != 530 || doc.Code != 1016 || !doc.Cloudflare || !doc.Owner || doc.Ray != p.header.Get("CF-RAY") {
			t.Errorf("%s: %+v", kind, p)
		}
	}
}

func TestTheEdgeKnowsOnlyProxiedNamesOfItsZones(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone(
		SeedRecord{Type: "A", Name: "direct", Content: "45.67.89.10"},
		SeedRecord{Type: "A", Name: "www", Content: "45.67.89.10", Proxied: true},
		SeedRecord{Type: "CNAME", Name: "alias", Content: "direct.example.com", Proxied: true},
		SeedRecord{Type: "CNAME", Name: "broken", Content: "gone.example.com", Proxied: true},
		SeedRecord{Type: "CNAME", Name: "elsewhere", Content: "host.no-such.test", Proxied: true},
	))
	at := func(host string) page {
		t.Helper()
		request, err := http.NewRequest(http.MethodGet, s.Info().Edge+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		return page{status: answer.StatusCode, header: answer.Header}
	}
	for host, want := range map[string]string{
		"www.example.com": "200", "WWW.example.com:80": "200", "alias.example.com": "200",
		"direct.example.com": "409 1001", "nowhere.test": "409 1001", "gone.example.com": "409 1001",
		"broken.example.com": "530 1016", "elsewhere.example.com": "530 1016",
	} {
		p := at(host)
		got := strings.TrimSpace(strconv.Itoa(p.status) + " " + p.header.Get("Cf-Error-Type"))
		if got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
	_, err := tls.Dial("tcp", s.places.find(placeEdge, ipv4), &tls.Config{ServerName: "nowhere.test", RootCAs: s.authority.pool()})
	var alert *net.OpError
	if !errors.As(err, &alert) || alert.Op != "remote error" {
		t.Errorf("a handshake for a name of nobody: %v, want an alert", err)
	}
}

func TestTheHomeIsReachedByEitherFamily(t *testing.T) {
	t.Parallel()
	cfg := homeZone(
		SeedRecord{Type: "A", Name: "www", Content: "45.67.90.77", Proxied: true},
		SeedRecord{Type: "AAAA", Name: "www", Content: wan6.String(), Proxied: true},
		SeedRecord{Type: "AAAA", Name: "direct", Content: wan6.String()},
	)
	cfg.IPv6 = wan6
	s := settled(t, cfg)
	for _, url := range []string{"https://www.example.com/", "https://direct.example.com/"} {
		if p := get(t, visitor(t, s, "tcp"), url); p.status != 200 {
			t.Errorf("%s: %+v", url, p)
		}
	}
}

func TestFaultsOfTheEdgeAndOfTheOrigin(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone(
		SeedRecord{Type: "A", Name: "www", Content: "45.67.89.10", Proxied: true},
		SeedRecord{Type: "A", Name: "direct", Content: "45.67.89.10"},
	))
	s.AddFault(Fault{On: "edge", Do: "challenge", Times: 1})
	if p := get(t, visitor(t, s, "tcp4"), "https://www.example.com/"); p.status != 403 || p.header.Get("Cf-Mitigated") != "challenge" {
		t.Errorf("challenge: %+v", p)
	}
	for _, c := range []struct{ on, do, url string }{
		{"edge", "drop", "https://www.example.com/"},
		{"edge", "hang", "https://www.example.com/"},
		{"origin", "drop", "https://direct.example.com/"},
		{"origin", "hang", "https://direct.example.com/"},
	} {
		s.AddFault(Fault{On: c.on, Do: c.do, Times: 1})
		client := visitor(t, s, "tcp4")
		client.Timeout = 200 * time.Millisecond
		if p, err := tryGet(client, c.url); err == nil {
			t.Errorf("%s %s: answered %+v", c.on, c.do, p)
		}
		s.ClearFaults() // a slow machine may have given up before the fault was due
	}
	for do, status := range map[string]int{"500": 500, "done-but-500": 500, "429": 429, "html": 502, "portal": 200, "lie": 200} {
		for on, url := range map[string]string{"edge": "https://www.example.com/", "origin": "https://direct.example.com/"} {
			s.AddFault(Fault{On: on, Do: do, Times: 1})
			p := get(t, visitor(t, s, "tcp4"), url)
			if p.status != status || strings.Contains(p.body, "hello from home") || status == 429 && p.header.Get("Retry-After") == "" {
				t.Errorf("%s on %s: %+v", do, on, p)
			}
		}
	}
	s.AddFault(Fault{On: "edge", Do: "huge", Times: 1})
	if p := get(t, visitor(t, s, "tcp4"), "https://www.example.com/"); len(p.body) < 1<<16 {
		t.Errorf("huge: %d bytes", len(p.body))
	}
	s.AddFault(Fault{On: "origin", Do: "500", Times: 1})
	if p := get(t, visitor(t, s, "tcp4"), "https://direct.example.com/"); p.status != 500 {
		t.Errorf("500 of the origin: %+v", p)
	}
	if p := get(t, visitor(t, s, "tcp4"), "https://www.example.com/"); p.status != 200 {
		t.Errorf("after the faults: %+v", p)
	}
}

func TestCloseEndsWhatHangs(t *testing.T) {
	s, err := Start(homeZone(SeedRecord{Type: "A", Name: "www", Content: "45.67.89.10", Proxied: true}))
	if err != nil {
		t.Fatal(err)
	}
	s.AddFault(Fault{On: "edge", Do: "hang"})
	s.AddFault(Fault{On: "echo:amazon", Do: "huge"})
	client := visitor(t, s, "tcp4")
	ended := make(chan error)
	go func() {
		_, err := tryGet(client, "https://www.example.com/")
		ended <- err
	}()
	reader, err := client.Get("https://checkip.amazonaws.com/")
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Body.Close()
	idle, err := s.World().Dial(t.Context(), "tcp4", "www.example.com:443")
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	start := time.Now()
	s.Close()
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("Close took %s", took)
	}
	if err := <-ended; err == nil {
		t.Error("a request that hung was answered")
	}
}

// TestNothingRunsAfterClose needs to be alone: it counts goroutines.
func TestNothingRunsAfterClose(t *testing.T) {
	stacks := make([]byte, 1<<20)
	s, err := Start(homeZone())
	if err != nil {
		t.Fatal(err)
	}
	get(t, visitor(t, s, "tcp4"), "https://checkip.amazonaws.com/")
	s.Close()
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, "runSTUN") || strings.Contains(stack, "ActivateAndServe") {
			t.Errorf("still running:\n%s", stack)
		}
	}
}

func TestTheAuthoritySigns(t *testing.T) {
	t.Parallel()
	authority, err := newCA()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := authority.certificate("api.cloudflare.com", "*.example.com", "127.0.0.1", "::1")
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority.PEM()) {
		t.Fatal("the PEM cannot be read")
	}
	for _, roots := range []*x509.CertPool{pool, authority.pool()} {
		for _, host := range []string{"api.cloudflare.com", "www.example.com", "127.0.0.1", "::1"} {
			if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); err != nil {
				t.Errorf("%s: %v", host, err)
			}
		}
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: "example.org"}); err == nil {
		t.Error("the certificate is good for a host that was not named")
	}
	if _, err := authority.certificate(); err == nil {
		t.Error("a certificate for nobody was made")
	}
	now := time.Now()
	if leaf.NotBefore.After(now.Add(-23*time.Hour)) || leaf.NotAfter.Before(now.AddDate(0, 11, 0)) || leaf.NotAfter.After(now.AddDate(1, 0, 1)) {
		t.Errorf("valid from %s to %s", leaf.NotBefore, leaf.NotAfter)
	}
}

func TestTheAuthorityLivesInSimulatedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		authority, err := newCA()
		if err != nil {
			t.Fatal(err)
		}
		cert, err := authority.certificateFor("www.example.com")
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(cert.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: authority.pool(), DNSName: "www.example.com", CurrentTime: time.Now()}); err != nil {
			t.Error(err)
		}
		if again, err := authority.certificateFor("www.example.com"); err != nil || &again.Certificate[0][0] != &cert.Certificate[0][0] {
			t.Errorf("made anew: %v", err)
		}
	})
}

func TestTheAddressesOfTheEdgeAreCloudflares(t *testing.T) {
	t.Parallel()
	for _, f := range bothFamilies {
		for _, a := range append(edgePool(f), resolverEgress(f)) {
			if !isCloudflare(a) && a != netip.MustParseAddr("2400:cb00:71:1024::a29e:7101") {
				t.Errorf("%s is not of Cloudflare", a)
			}
		}
	}
}
