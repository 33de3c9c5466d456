package configs

import (
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"

	"github.com/cfddns/cfddns/ddns"
)

func TestTheReferenceHoldsEveryKeyWithItsDefault(t *testing.T) {
	got, warnings, err := Load("reference.yaml", nil)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	want := Default()
	want.Read = got.Read
	want.Cloudflare.TokenFile = "/etc/cfddns/token"
	want.Records = []Record{Record{Name: "home.example.com", Proxied: new(ddns.KeepIt), TTL: new(TTL(0))}.completed(want.Defaults)}
	if diff := cmp.Diff(want, got, sameConfig()...); diff != "" {
		t.Errorf("reference.yaml differs from the defaults (-default +reference):\n%s", diff)
	}

	data, err := os.ReadFile("reference.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		t.Fatal(err)
	}
	w := tree{lines: map[string]int{}}
	w.walk("", document.Content[0], reflect.TypeFor[Config]())
	written := map[string]bool{}
	for path := range w.lines {
		written[plain(path)] = true
	}
	for _, key := range Keys() {
		if !written[key] && parent(key) != "ip.sources[]" && parent(key) != "ip.sources[].dns" && parent(key) != "waf.allow[]" {
			t.Errorf("reference.yaml does not hold %s", key)
		}
	}
}

// sameConfig compares configurations by their meaning.
func sameConfig() []cmp.Option {
	return []cmp.Option{
		cmp.Comparer(func(a, b ddns.Secret) bool { return a == b }),
		cmpopts.IgnoreFields(Config{}, "ByVariable"),
		cmp.Comparer(func(a, b []string) bool { return slices.Equal(a, b) }), // none is empty
		cmp.Comparer(func(a, b WAF) bool { return reflect.DeepEqual(a, b) || len(a.Allow)+len(b.Allow) == 0 }),
	}
}

func TestKeysAreThoseOfThisVersion(t *testing.T) {
	want := []string{
		"cloudflare.token_file", "cloudflare.token", "cloudflare.recheck", "cloudflare.drill", "cloudflare.api", "cloudflare.nameservers", "cloudflare.edge",
		"resolver", "tls_roots", "defaults.types", "defaults.proxied", "defaults.ttl",
		"records", "records[].name", "records[].types", "records[].proxied", "records[].ttl", "records[].on_cname", "records[].check", "records[].extra",
		"ip.sources", "ip.sources[].https", "ip.sources[].dns.server", "ip.sources[].dns.name", "ip.sources[].dns.type", "ip.sources[].dns.class",
		"ip.sources[].stun", "ip.sources[].command", "ip.sources[].interface", "ip.sources[].router", "ip.sources[].operator",
		"ip.quorum", "ip.timeout", "ip.bind", "ip.cgnat",
		"owner", "schedule", "probe", "verify", "state", "control", "log.level", "log.format",
		"notify.command", "notify.on_change", "notify.ping",
		"waf.allow", "waf.allow[].name", "waf.allow[].zone", "waf.allow[].hosts", "waf.allow[].address", "waf.allow[].until", "waf.allow[].products",
		"push.listen", "push.user", "push.password", "push.password_file",
	}
	if diff := cmp.Diff(want, Keys()); diff != "" {
		t.Errorf("a key once released stays (-want +got):\n%s", diff)
	}
}

func TestTheNearestKeyIsTheOneMeant(t *testing.T) {
	for given, want := range map[string]string{
		"records[].nme":          "records[].name",
		"token_file":             "cloudflare.token_file",
		"ip.source":              "ip.sources",
		"shedule":                "schedule",
		"records[].ip.timeout":   "ip.timeout",
		"provider":               "",
		"waf":                    "",
		"":                       "",
		"cloudflare.zone_secret": "",
	} {
		if got := nearest(given, Keys()); got != want {
			t.Errorf("nearest(%q) = %q, want %q", given, got, want)
		}
	}
}
