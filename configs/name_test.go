package configs

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestANameIsNormalisedOnce(t *testing.T) {
	for shown, want := range map[string]string{
		"home.example.com":          "home.example.com",
		"Home.EXAMPLE.com.":         "home.example.com",
		"example.com":               "example.com",
		"*.example.com":             "*.example.com",
		"*.BÜCHER.example":          "*.xn--bcher-kva.example",
		"xn--bcher-kva.example":     "xn--bcher-kva.example",
		"XN--BCHER-KVA.example":     "xn--bcher-kva.example",
		"bücher。example":            "xn--bcher-kva.example",
		"faß.de":                    "xn--fa-hia.de",
		"_dnslink.example.com":      "_dnslink.example.com",
		"r3---node.example.com":     "r3---node.example.com",
		"b\u0075\u0308cher.example": "xn--bcher-kva.example", // u and a combining diaeresis
		"123.example.com":           "123.example.com",
	} {
		if got, err := domainName(shown); err != nil || got != want {
			t.Errorf("domainName(%q) = %q, %v, want %q", shown, got, err, want)
		}
	}
}

// A name that was normalised is what Cloudflare compares: normalising it again
// changes nothing, and it is within the limits of DNS.
func checkName(t interface{ Fatalf(string, ...any) }, shown string) {
	name, err := domainName(shown)
	if err != nil {
		return
	}
	again, err := domainName(name)
	if err != nil || again != name {
		t.Fatalf("%q gives %q, and that gives %q, %v", shown, name, again, err)
	}
	if len(name) > 253 || name != strings.ToLower(name) || strings.HasSuffix(name, ".") {
		t.Fatalf("%q gives %q", shown, name)
	}
}

func TestNormalisingTwiceIsNormalisingOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		label := rapid.StringMatching(`[a-zA-Z0-9_*ßüÖ例İ\x{00ad}-]{1,12}`)
		checkName(t, strings.Join(rapid.SliceOfN(label, 1, 4).Draw(t, "labels"), "."))
	})
}

func FuzzDomainName(f *testing.F) {
	for _, seed := range []string{"home.example.com", "*.bücher.example.", "xn--a.de", "a..b", "\u00ad.de", "1.2.3.4", "::1", "@", "İ.com", "ا1.com", strings.Repeat("a.", 130)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, shown string) { checkName(t, shown) })
}
