package configs

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cfddns/cfddns/ddns"
)

// secretKeys are the paths of all keys that hold a secret.
func secretKeys() (paths []string) {
	walkKeys("", reflect.TypeFor[Config](), func(path string, t reflect.Type) {
		if t == reflect.TypeFor[ddns.Secret]() {
			paths = append(paths, path)
		}
	})
	return paths
}

// toldOf is everything that Load says of a file.
func toldOf(t interface{ Fatal(...any) }, path, text string, env ...string) string {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, warnings, err := Load(path, env)
	_, edit := Edit{Add: []Record{{Name: "z.example.com"}}}.apply([]byte(text))
	return fmt.Sprint(warnings, err, edit)
}

// troubles are the ways in which a value can be written wrongly; %s is the secret.
var troubles = map[string][]string{
	"yaml": {"%s", "*%s", "&%s", "&%s x", "!%s", "!!%s x", "!<%s> x", "!!int %s", "!!float %s", "!!bool %s", "!!null %s", "!!timestamp %s", "!!binary %s", "!!map %s",
		"!!seq %s", "'%s", "\"%s", "\"%s\\q\"", "%s: x", "x: %s", "{%s: x}", "{%s}", "[%s]", "[%s", "{x: %s", "%s]", "%s}", "|%s", ">%s", "|\n%s", "@%s", "`%s", "%%%s", "- %s", "\n  - %s",
		"\n    x: %s", "\n\t%s", "\t%s", "%s\n  y: %[1]s", "%s\n  KEY: %[1]s", "*a\n# %s", "&a %s\n  KEY: *a", "<<: *%s", "%s # x", "? %s", "\xc7%s", "%s\x00", "%s\x1b", "---\n%s", "%s\n...\n%[1]s"},
	"json": {"%s", "\"%s", "%s\"", "'%s'", "\"%s\\q\"", "{\"x\":\"%s\"}", "[\"%s\"]", "[%s]", "\"%s\" \"%[1]s\"", "\"%s\n\"", "\"%s\x00\"", "\"\xc7%s\"", "\"%s\",}", "true%s", "12%s"},
	"toml": {"%s", "\"%s", "%s\"", "'%s", "\"\"\"%s", "\"%s\\q\"", "[\"%s\"]", "[%s", "{x = \"%s\"}", "{x = %s}", "2026-01-01%s", "12%s", "0x%s", "true%s", "\"%s\"\nKEY = \"%[1]s\"", "\"%s\" \"%[1]s\"", "\"\xc7%s\"", "\"%s\x00\""},
}

// fileWith is a file in which a key has a value.
func fileWith(format, path, value string) string {
	section, key, nested := strings.Cut(path, ".")
	value = strings.ReplaceAll(value, "KEY", key)
	switch {
	case !nested:
		return map[string]string{"yaml": section + ": ", "json": `{"` + section + `":`, "toml": section + " = "}[format] + value + map[string]string{"json": "}"}[format]
	case format == "json":
		return `{"` + section + `":{"` + key + `":` + value + `}}`
	case format == "toml":
		return "[" + section + "]\n" + key + " = " + value + "\n"
	default:
		return section + ":\n  " + key + ": " + value + "\n"
	}
}

func TestNoSecretIsEverQuoted(t *testing.T) {
	dir := t.TempDir()
	keys := secretKeys()
	if len(keys) < 3 {
		t.Fatalf("the secrets are %v", keys)
	}
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[a-z]{3}huntr[A-Z0-9]{2,8}`).Draw(t, "secret")
		key := rapid.SampledFrom(keys).Draw(t, "key")
		for format, forms := range troubles {
			for _, form := range forms {
				text := fileWith(format, key, fmt.Sprintf(form, secret))
				if got := toldOf(t, filepath.Join(dir, "c."+format), text); strings.Contains(strings.ToLower(got), "huntr") {
					t.Fatalf("of the file\n%s\nit says\n%s", text, got)
				}
			}
		}
	})
}

// One slip of the fingers anywhere in a file that holds secrets.
func TestNoSlipOfTheFingersBringsOutASecret(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{
		"yaml": "cloudflare:\n  token: huntrAbcd0123\nrecords:\n  - name: a.example.com\npush: {listen: \"192.168.1.2:80\", password: huntr-Efgh}\nnotify:\n  ping: \"https://hc.example/huntr-uuid\"\n",
		"json": "{\"cloudflare\": {\"token\": \"huntrAbcd0123\"},\n \"push\": {\"password\": \"huntr-Efgh\"}}\n",
		"toml": "[cloudflare]\ntoken = \"huntrAbcd0123\"\n[push]\npassword = \"huntr-Efgh\"\n",
	}
	rapid.Check(t, func(t *rapid.T) {
		for format, text := range files {
			at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
			if strings.Contains(text[max(0, at-6):min(len(text), at+6)], "hunt") && rapid.Bool().Draw(t, "elsewhere") {
				continue
			}
			slip := rapid.SampledFrom([]string{"", "\"", "'", ":", ": ", "{", "}", "[", "]", "*", "&", "!", "!!int ", "#", "\t", "\n", ",", "-", "?", "|", "\x00", "\xc7", "=", "\\"}).Draw(t, "slip")
			changed := text[:at] + slip + text[at+rapid.IntRange(0, 1).Draw(t, "gone"):]
			if got := toldOf(t, filepath.Join(dir, "d."+format), changed); strings.Contains(strings.ToLower(got), "huntr") {
				t.Fatalf("of the file\n%s\nit says\n%s", changed, got)
			}
		}
	})
}
