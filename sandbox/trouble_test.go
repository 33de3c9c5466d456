package sandbox

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestEveryErrorOfTheEdgeInEveryForm(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone(SeedRecord{Type: "A", Name: "www", Content: "45.67.89.10", Proxied: true}))
	client := visitor(t, s, "tcp4")
	for _, trouble := range edgeTroubles() {
		code := strconv.Itoa(trouble.code)
		s.ClearFaults()
		fault := Fault{On: "edge", Do: "error", Value: code}
		if err := fault.check(); err != nil {
			t.Fatal(err)
		}
		s.AddFault(fault)
		for accept, want := range map[string]string{
			"": "error code: " + code, "text/html": "<h1>Error " + code + "</h1>", "application/json": `"error_code":` + code,
		} {
			p := get(t, client, "https://www.example.com/", "Accept", accept)
			if p.status != trouble.status || !strings.Contains(p.body, want) || p.header.Get("Cf-Error-Type") != code || p.header.Get("Cf-Error-Origin") == "" || p.header.Get("Server") != "cloudflare" {
				t.Errorf("%s as %q: %+v", code, accept, p)
			}
			if trouble.after > 0 && p.header.Get("Retry-After") != strconv.Itoa(trouble.after) {
				t.Errorf("%s: Retry-After %q", code, p.header.Get("Retry-After"))
			}
		}
	}
	for _, word := range []string{"", "1099", "x"} {
		if troubleNamed(word) != nil {
			t.Errorf("%q is an error of the edge", word)
		}
	}
}

func TestATunnelThatNobodyRunsIs1033(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone(
		SeedRecord{Type: "CNAME", Name: "www", Content: "tunnel.example.com", Proxied: true},
		SeedRecord{Type: "CNAME", Name: "tunnel", Content: "6ff42ae2.cfargotunnel.com", Proxied: true},
	))
	if p := get(t, visitor(t, s, "tcp4"), "https://www.example.com/"); p.status != 530 || p.header.Get("Cf-Error-Type") != "1033" {
		t.Errorf("%+v", p)
	}
}

func TestTheOriginThroughTheEdge(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone(SeedRecord{Type: "A", Name: "www", Content: "45.67.89.10", Proxied: true}))
	for _, c := range []struct {
		fault      Fault
		status     int
		body       string
		cloudflare bool
	}{
		{Fault{Do: "refuse"}, 521, "521", true},
		{Fault{Do: "hang", Value: "connect"}, 522, "522", true},
		{Fault{Do: "hang"}, 524, "524", true},
		{Fault{Do: "unreachable"}, 523, "523", true},
		{Fault{Do: "no-tls"}, 525, "525", true},
		{Fault{Do: "bad-cert"}, 526, "526", true},
		{Fault{Do: "expired-cert"}, 526, "526", true},
		{Fault{Do: "garbage"}, 520, "520", true},
		{Fault{Do: "slow", Value: "10"}, 200, "hello from home", false},
		{Fault{Do: "slow", Value: "5000"}, 524, "524", true},
		{Fault{Do: "403"}, 403, "browsers in only", false},
		{Fault{Do: "404"}, 404, "no such page", false},
		{Fault{Do: "500"}, 500, "unwell", false},
	} {
		c.fault.On, c.fault.Times = "origin", 1
		if err := c.fault.check(); err != nil {
			t.Error(err)
		}
		s.AddFault(c.fault)
		p := get(t, visitor(t, s, "tcp4"), "https://www.example.com/")
		if p.status != c.status || !strings.Contains(p.body, c.body) || (p.header.Get("Cf-Error-Type") != "") != c.cloudflare {
			t.Errorf("%s %s: %+v", c.fault.Do, c.fault.Value, p)
		}
	}
	s.AddFault(Fault{On: "origin", Do: "403"})
	if p := get(t, visitor(t, s, "tcp4"), "https://www.example.com/", "User-Agent", "Mozilla/5.0"); p.status != 200 {
		t.Errorf("a browser: %+v", p)
	}
}

func TestTheOriginAskedDirectly(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone(SeedRecord{Type: "A", Name: "direct", Content: "45.67.89.10"}))
	const url = "https://direct.example.com/"
	for _, c := range []struct {
		fault Fault
		right func(error) bool
	}{
		{Fault{Do: "refuse"}, func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }},
		{Fault{Do: "unreachable"}, func(err error) bool { return errors.Is(err, syscall.EHOSTUNREACH) }},
		{Fault{Do: "hang", Value: "connect"}, func(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }},
		{Fault{Do: "bad-cert"}, func(err error) bool { var e x509.UnknownAuthorityError; return errors.As(err, &e) }},
		{Fault{Do: "expired-cert"}, func(err error) bool {
			var e x509.CertificateInvalidError
			return errors.As(err, &e) && e.Reason == x509.Expired
		}},
		{Fault{Do: "no-tls"}, func(err error) bool { var e *net.OpError; return errors.As(err, &e) && e.Op == "remote error" }},
		{Fault{Do: "garbage"}, func(err error) bool { return err != nil }},
	} {
		c.fault.On, c.fault.Times = "origin", 1
		s.AddFault(c.fault)
		if p, err := tryGet(visitor(t, s, "tcp4"), url); !c.right(err) {
			t.Errorf("%s %s: %+v, %v", c.fault.Do, c.fault.Value, p, err)
		}
		if len(s.faults) > 0 {
			t.Errorf("%s was not used up", c.fault.Do)
			s.ClearFaults()
		}
	}
	if p := get(t, visitor(t, s, "tcp4"), url); p.status != 200 {
		t.Errorf("afterwards: %+v", p)
	}
	s.AddFault(Fault{On: "origin", Do: "bad-cert"})
	if p := get(t, visitor(t, s, "tcp4"), "http://direct.example.com/"); p.status != 200 {
		t.Errorf("without TLS no certificate is wrong: %+v", p)
	}
}

func TestWithoutHairpinTheHomeDoesNotReachItself(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone(SeedRecord{Type: "A", Name: "direct", Content: "45.67.89.10"}, SeedRecord{Type: "A", Name: "www", Content: "45.67.89.10", Proxied: true}))
	s.SetHairpin(false)
	if _, err := tryGet(visitor(t, s, "tcp4"), "https://direct.example.com/"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("from home: %v", err)
	}
	if p := get(t, visitorFrom(t, s, scriptHost), "https://direct.example.com/"); p.status != 200 {
		t.Errorf("from elsewhere: %+v", p)
	}
	if p := get(t, visitor(t, s, "tcp4"), "https://www.example.com/"); p.status != 200 {
		t.Errorf("from home through the edge: %+v", p)
	}
}

func TestAFaultMayComeAndGo(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone(SeedRecord{Type: "A", Name: "www", Content: "45.67.89.10", Proxied: true}))
	s.AddFault(Fault{On: "edge", Do: "error", Value: "1016", Every: 3})
	var got []int
	for range 7 {
		got = append(got, get(t, visitor(t, s, "tcp4"), "https://www.example.com/").status)
	}
	if fmt.Sprint(got) != "[200 200 530 200 200 530 200]" {
		t.Errorf("got %v", got)
	}
}

func TestAFaultMayBeAtOneAddressOfTheEdge(t *testing.T) {
	t.Parallel()
	cfg := homeZone(SeedRecord{Type: "A", Name: "www", Content: "45.67.89.10", Proxied: true})
	cfg.Zones = append(cfg.Zones, SeedZone{Name: "example.net", Records: []SeedRecord{{Type: "A", Name: "www", Content: "45.67.89.10", Proxied: true}}})
	s := settled(t, cfg)
	s.AddFault(Fault{On: "edge", Do: "error", Value: "522", At: "172.67.128.1"})
	at := func(edge, host string) int {
		t.Helper()
		world := s.World()
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: world.Roots()},
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return world.Dial(ctx, "tcp4", edge+":443") }}}
		return get(t, client, "https://"+host+"/").status
	}
	if got := fmt.Sprint(at("104.21.16.1", "www.example.com"), at("172.67.128.1", "www.example.com"), at("104.21.48.7", "www.example.com")); got != "200 522 200" {
		t.Errorf("got %s", got)
	}
	first, err1 := s.lookup(t.Context(), "www.example.com", ipv4)
	second, err2 := s.lookup(t.Context(), "www.example.net", ipv4)
	if err1 != nil || err2 != nil || len(first) != 2 || len(second) != 2 || first[0] == second[0] {
		t.Errorf("%v %v, %v %v", first, err1, second, err2)
	}
}

func TestTheStatusService(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone())
	type document struct {
		Page       struct{ Name string }
		Status     struct{ Indicator, Description string }
		Components []struct{ Name, Status string }
		Incidents  []struct{ Name, Status, Impact, Shortlink string }
	}
	read := func(url string) (d document) {
		t.Helper()
		if err := json.Unmarshal([]byte(get(t, visitor(t, s, "tcp4"), url).body), &d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	const url = "https://www.cloudflarestatus.com/api/v2/summary.json"
	if d := read(url); d.Status.Indicator != "none" || d.Status.Description != "All Systems Operational" || len(d.Incidents) != 0 || d.Page.Name != "Cloudflare" {
		t.Errorf("well: %+v", d)
	}
	s.SetStatus(Incident{Name: "DNS trouble", Impact: "major", Components: []string{"Authoritative DNS"}})
	d := read(url)
	if d.Status.Indicator != "major" || len(d.Incidents) != 1 || d.Incidents[0].Status != "investigating" {
		t.Errorf("unwell: %+v", d)
	}
	for _, c := range d.Components {
		if (c.Status == "partial_outage") != (c.Name == "Authoritative DNS") {
			t.Errorf("component %+v", c)
		}
	}
	s.AddFault(Fault{On: "status", Do: "500", Times: 1})
	if p := get(t, visitor(t, s, "tcp4"), url); p.status != 500 {
		t.Errorf("faulty: %+v", p)
	}
	if info := s.Info(); !strings.HasPrefix(info.Status, "https://127.0.0.1:") || info.Resolver == "" {
		t.Errorf("info %+v", info)
	}
}
