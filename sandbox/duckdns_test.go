package sandbox

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func TestDuckDNSUpdates(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone())
	client := visitor(t, s, "tcp4")
	update := func(query string) string {
		return get(t, client, "https://www.duckdns.org/update?"+query).body
	}
	duck := s.Info().DuckDNS.DNS
	told := func(name string, qtype uint16) []string { return lines(mustAsk(t, duck, name, qtype, manner{}).Answer) }
	if got := told("myhome.duckdns.org", dns.TypeA); !slices.Equal(got, []string{"A 60 45.67.89.10"}) {
		t.Errorf("at the start: %q", got)
	}
	for _, c := range []struct{ query, want string }{
		{"domains=myhome&token=t&ip=45.67.90.77", "OK"},
		{"domains=myhome.duckdns.org&token=t&ip=45.67.90.77&verbose=true", "OK\n45.67.90.77\n\nNOCHANGE"},
		{"domains=myhome&token=t&ipv6=2a01::1&ip=45.67.90.78&verbose=true", "OK\n45.67.90.78\n2a01::1\nUPDATED"},
		{"domains=nobody&token=t&ip=45.67.90.77", "KO"},
		{"domains=myhome,nobody&token=t&ip=9.9.9.9", "KO"},
		{"domains=myhome&ip=9.9.9.9", "KO"},
		{"domains=myhome&token=t&ip=" + url.QueryEscape("9.9.9.9 or so"), "KO"},
	} {
		if got := update(c.query); got != c.want {
			t.Errorf("%s: %q, want %q", c.query, got, c.want)
		}
	}
	if a, aaaa := told("myhome.duckdns.org", dns.TypeA), told("below.myhome.duckdns.org", dns.TypeAAAA); a[0] != "A 60 45.67.90.78" || aaaa[0] != "AAAA 60 2a01::1" {
		t.Errorf("after the updates: %q %q", a, aaaa)
	}
	if got := update("domains=myhome&token=t"); got != "OK" || told("myhome.duckdns.org", dns.TypeA)[0] != "A 60 45.67.89.10" {
		t.Errorf("the caller's own address: %q, then %q", got, told("myhome.duckdns.org", dns.TypeA))
	}
	if m := mustAsk(t, duck, "nobody.duckdns.org", dns.TypeA, manner{}); m.Rcode != dns.RcodeNameError || len(m.Ns) != 1 {
		t.Errorf("a host that is not there: %v", m)
	}
	if m := mustAsk(t, duck, "example.com", dns.TypeA, manner{}); m.Rcode != dns.RcodeRefused {
		t.Errorf("a name of others: %v", m)
	}
	if got := update("domains=myhome&token=t&clear=true"); got != "OK" || len(told("myhome.duckdns.org", dns.TypeA)) != 0 {
		t.Errorf("clear: %q", got)
	}
}

func TestDuckDNSWhileItIsDownOrUnwell(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone())
	client := visitor(t, s, "tcp4")
	duck := s.Info().DuckDNS
	short := manner{timeout: 150 * time.Millisecond}
	s.SetDuckDNS(false)
	if p, err := tryGet(client, "https://www.duckdns.org/update?domains=myhome&token=t"); err == nil {
		t.Errorf("answered %+v", p)
	}
	if p, err := tryGet(stranger(t, s), duck.API+"/update?domains=myhome&token=t"); err == nil {
		t.Errorf("answered %+v", p)
	}
	if m, err := query53(t, duck.DNS, "myhome.duckdns.org", dns.TypeA, short); err == nil {
		t.Errorf("answered %v", m)
	}
	s.SetDuckDNS(true)
	s.AddFault(Fault{On: "duckdns", Do: "500", Times: 1})
	if p := get(t, client, "https://www.duckdns.org/update?domains=myhome&token=t"); p.status != 500 {
		t.Errorf("500: %+v", p)
	}
	s.AddFault(Fault{On: "duckdns", Do: "500", Times: 1})
	if m := mustAsk(t, duck.DNS, "myhome.duckdns.org", dns.TypeA, manner{}); m.Rcode != dns.RcodeServerFailure {
		t.Errorf("500: %v", m)
	}
	s.AddFault(Fault{On: "duckdns", Do: "done-but-500", Times: 1})
	if p := get(t, client, "https://www.duckdns.org/update?domains=myhome&token=t&ip=45.67.90.79"); p.status != 500 {
		t.Errorf("done-but-500: %+v", p)
	}
	if got := lines(mustAsk(t, duck.DNS, "myhome.duckdns.org", dns.TypeA, manner{}).Answer); !slices.Equal(got, []string{"A 60 45.67.90.79"}) {
		t.Errorf("done-but-500 left %q", got)
	}
	s.AddFault(Fault{On: "duckdns", Do: "lie", Value: "9.8.7.6", Times: 1})
	if got := lines(mustAsk(t, duck.DNS, "gone.duckdns.org", dns.TypeA, manner{}).Answer); !slices.Equal(got, []string{"A 60 9.8.7.6"}) {
		t.Errorf("lie: %q", got)
	}
}

// FuzzDuckUpdate feeds Duck DNS updates that anybody may have written.
func FuzzDuckUpdate(f *testing.F) {
	f.Add("domains=myhome&token=t&ip=45.67.90.77")
	f.Add("domains=myhome,other&token=t&ipv6=::1&clear=true&verbose=true")
	f.Add("domains=&token=&ip=%00")
	s, err := newSandbox(homeZone())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, query string) {
		r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/update", RawQuery: query}}
		if word, _, _ := strings.Cut(s.duckUpdate(r), "\n"); word != "OK" && word != "KO" {
			t.Fatalf("%q answered %q", query, word)
		}
		if len(s.duckHosts) != 1 {
			t.Fatalf("%q made a host", query)
		}
	})
}
