package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/sandbox"
	"pgregory.net/rapid"
)

// plannedWorld is a fake Cloudflare that is drawn, and what a person wrote for it.
type plannedWorld struct {
	zones  []sandbox.SeedZone
	paused string            // a zone
	config string            // after the sandbox's own keys
	hosts  map[string]string // further DDNS hosts, and where they lead
	dark   bool              // Duck DNS does not answer
}

// the names of a world. Those of example.org lie in no zone.
var worldNames = []string{"example.com", "home.example.com", "www.example.com", "blog.example.com", "*.example.com", "a.lab.example.com",
	"lab.example.com", "_acme-challenge.example.com", "mail.example.com", "example.net", "shop.example.net", "home.example.net", "home.example.org"}

var worldTargets = []string{"myhome.duckdns.org", "myhome.duckdns.org", "myhome.duckdns.org", "theirs.duckdns.org", "away.duckdns.org", "never.ddns.net",
	"home.example.com", "blog.example.com", "home.example.net", "shops.myshopify.com", "x.cfargotunnel.com"}

func drawWorld(t *rapid.T) plannedWorld {
	w := plannedWorld{hosts: map[string]string{"away": "45.67.70.1"}}
	w.zones = []sandbox.SeedZone{{Name: "example.com", Plan: "free"}, {Name: "example.net", Plan: rapid.SampledFrom([]string{"free", "pro", "enterprise"}).Draw(t, "plan")}}
	hiding := rapid.IntRange(0, 2).Draw(t, "hiding") > 0 // most zones proxy nearly everything
	hops := rapid.IntRange(0, 4).Draw(t, "hops")
	for i := range hops + rapid.IntRange(0, 6).Draw(t, "records") {
		r := drawSeed(t, hiding)
		if i < hops && r.Type != "CNAME" { // what migrate is about
			r = sandbox.SeedRecord{Type: "CNAME", Name: r.Name, Content: rapid.SampledFrom(worldTargets[:6]).Draw(t, "host"), Proxied: hiding || r.Proxied}
		}
		z := &w.zones[0]
		if strings.HasSuffix(r.Name, "example.net") {
			z = &w.zones[1]
		}
		if !strings.HasSuffix(r.Name, "example.org") && mayStand(r, z.Records) {
			z.Records = append(z.Records, r)
		}
	}
	w.paused = rapid.SampledFrom([]string{"", "", "", "example.net"}).Draw(t, "paused")
	w.dark = rapid.IntRange(0, 30).Draw(t, "dark") == 0 // it takes 4 s to hear nothing
	w.config = drawWishes(t)
	return w
}

func drawSeed(t *rapid.T, hiding bool) sandbox.SeedRecord {
	r := sandbox.SeedRecord{Name: rapid.SampledFrom(worldNames).Draw(t, "name"), Type: rapid.SampledFrom([]string{"A", "A", "CNAME", "CNAME", "CNAME", "AAAA", "TXT", "NS", "MX"}).Draw(t, "type")}
	r.Comment = rapid.SampledFrom([]string{"", "", "", "", "mine", "cfddns:cellar", "cfddns:attic", "cfddns:off", "terraform", strings.Repeat("x", 95)}).Draw(t, "comment")
	switch r.Type {
	case "A":
		r.Content = rapid.SampledFrom([]string{"45.67.89.10", "45.67.80.1", "45.67.70.1", "192.168.1.9"}).Draw(t, "address")
	case "AAAA":
		r.Content = "2a01:4f8:1:2::10"
	case "CNAME":
		r.Content = rapid.SampledFrom(worldTargets).Draw(t, "target")
	case "TXT":
		r.Content = rapid.SampledFrom([]string{"v=spf1 -all", `"heritage=external-dns,external-dns/owner=default"`}).Draw(t, "text")
	case "NS":
		r.Content = "ns1.elsewhere.example"
	case "MX":
		r.Content = "mail.example.com"
	}
	if slices.Contains([]string{"A", "AAAA", "CNAME"}, r.Type) && r.Content != "192.168.1.9" && !strings.HasPrefix(r.Name, "_") {
		r.Proxied = hiding && rapid.IntRange(0, 9).Draw(t, "shown") > 0 || !hiding && rapid.Bool().Draw(t, "proxied")
	}
	if !r.Proxied {
		r.TTL = rapid.SampledFrom([]int{0, 60, 300}).Draw(t, "ttl")
	}
	return r
}

// mayStand reports whether Cloudflare lets a record stand beside others.
func mayStand(r sandbox.SeedRecord, others []sandbox.SeedRecord) bool {
	leads := []string{"A", "AAAA", "CNAME"}
	for _, o := range others {
		switch {
		case o.Name != r.Name:
		case o.Type == r.Type && (o.Content == r.Content || r.Type == "CNAME"), (r.Type == "NS") != (o.Type == "NS"),
			slices.Contains(leads, r.Type) && slices.Contains(leads, o.Type) && (r.Type == "CNAME" || o.Type == "CNAME"):
			return false
		}
	}
	return r.Content != r.Name && (r.Type != "NS" || strings.Count(r.Name, ".") > 1 && !strings.HasPrefix(r.Name, "*"))
}

// drawWishes draws what a person may write.
func drawWishes(t *rapid.T) string {
	var text strings.Builder
	if owner := rapid.SampledFrom([]string{"", "", "attic"}).Draw(t, "owner"); owner != "" {
		fmt.Fprintf(&text, "owner: %s\n", owner)
	}
	keep := rapid.SampledFrom([]string{"keep", "keep", "keep", "true", "false"})
	if rapid.IntRange(0, 3).Draw(t, "defaults") == 0 {
		fmt.Fprintf(&text, "defaults: {proxied: %s}\n", keep.Draw(t, "default"))
	}
	text.WriteString("records:\n")
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(worldNames), 1, 4, rapid.ID).Draw(t, "wanted") {
		proxied := keep.Draw(t, "wanted proxied")
		ttls := []string{"keep", "keep", "auto", "30", "120"}
		if proxied != "false" { // a proxied record has none of its own, and a default may say so
			ttls = ttls[:3]
		}
		fmt.Fprintf(&text, "  - {name: %q, proxied: %s, on_cname: %s, extra: %s, ttl: %s}\n", name, proxied,
			rapid.SampledFrom([]string{"refuse", "replace"}).Draw(t, "on_cname"), rapid.SampledFrom([]string{"keep", "keep", "delete"}).Draw(t, "extra"),
			rapid.SampledFrom(ttls).Draw(t, "wanted ttl"))
	}
	return text.String()
}

// worldRun is a plannedWorld that runs.
type worldRun struct {
	*rapid.T
	world *sandbox.Sandbox
	dir   string
}

// stand starts the world. It is stopped by close.
func (w plannedWorld) stand(t *rapid.T, dir string) *worldRun {
	world, err := sandbox.Start(sandbox.Config{Zones: w.zones, Token: scriptToken})
	if err != nil {
		t.Fatalf("%v\n%+v", err, w.zones)
	}
	s := &worldRun{t, world, dir}
	s.order("/duckdns", fmt.Sprintf(`{"up":%t}`, !w.dark))
	for host, address := range w.hosts {
		s.order("/duckdns", fmt.Sprintf(`{"host":%q,"addresses":[%q]}`, host, address))
	}
	if w.paused != "" {
		s.order("/zones", fmt.Sprintf(`{"name":%q,"paused":true}`, w.paused))
	}
	info := world.Info()
	info.CA = filepath.Join(dir, "ca.pem")
	text := string(info.Configuration())
	before, rest, _ := strings.Cut(text, "records:\n")
	_, after, _ := strings.Cut(rest, "ip:\n")
	text = before + w.config + "ip:\n" + after + fmt.Sprintf("verify: 0s\nstate: %q\ncontrol: %q\n", filepath.Join(dir, "state"), filepath.Join(dir, "s"))
	for path, content := range map[string]string{info.CA: string(world.PEM()), s.config(): text} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *worldRun) config() string { return filepath.Join(s.dir, "c.yaml") }

// close stops the world, and forgets what the program remembers of it.
func (s *worldRun) close() {
	s.world.Close()
	if err := os.RemoveAll(filepath.Join(s.dir, "state")); err != nil {
		s.Fatal(err)
	}
}

func (s *worldRun) order(path, body string) {
	request, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.world.Info().Control+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.Fatal(err)
	}
	if response.Body.Close(); response.StatusCode >= 300 {
		s.Fatalf("%s %s: %s", path, body, response.Status)
	}
}

// run runs the program to its end.
func (s *worldRun) run(args ...string) (code int, stdout, stderr string) {
	var out, wrong bytes.Buffer
	a := &app{stdout: &output{to: &out}, stderr: &output{to: &wrong}, env: []string{"HOME=" + s.dir}, clock: time.Now}
	code = cfddns(args, a)
	return code, out.String(), wrong.String()
}

// asJSON runs the program and reads its document.
func (s *worldRun) asJSON(doc any, args ...string) int {
	code, out, wrong := s.run(append(args, "--config", s.config(), "--output", "json")...)
	if err := json.Unmarshal([]byte(out), doc); err != nil {
		s.Fatalf("%v ended with %d: %v\n%s\n%s", args, code, err, out, wrong)
	}
	return code
}

// records are those of the world: what leads visitors, in a line each.
func (s *worldRun) records() map[string]bool {
	response, err := http.Get(s.world.Info().Control + "/world")
	if err != nil {
		s.Fatal(err)
	}
	defer response.Body.Close()
	var world struct {
		Records map[string][]struct {
			Name, Type, Content, Comment string
			Proxied                      bool
			TTL                          int
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&world); err != nil {
		s.Fatal(err)
	}
	lines := map[string]bool{}
	for _, zone := range world.Records {
		for _, r := range zone {
			lines[spellRecord(r.Name, r.Type, r.Content, r.Proxied, r.TTL, r.Comment)] = true
		}
	}
	return lines
}

func spellRecord(name, kind, content string, proxied bool, ttl int, comment string) string {
	return fmt.Sprintf("%s %s %s proxied=%t ttl=%d %q", name, kind, content, proxied, ttl, comment)
}
