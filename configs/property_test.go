package configs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// values generates what may stand at each key that has a variable: good and
// bad, without commas and quotes, so that file and variable hold the same text.
func values() map[string]*rapid.Generator[string] {
	duration := rapid.StringMatching(`(0|[1-9][0-9]{0,2}(ms|s|m|h|d)?)`)
	path := rapid.StringMatching(`(/[a-z]{1,5}){1,3}|[a-z]{1,5}|~/x`)
	server := rapid.StringMatching(`(127\.0\.0\.1|ns\.example|\[::1\]):[0-9]{1,5}|[a-z]{1,4}`)
	return map[string]*rapid.Generator[string]{
		"cloudflare.token_file":  path,
		"cloudflare.token":       rapid.StringMatching(`[A-Za-z][A-Za-z0-9_]{10,20}`),
		"cloudflare.recheck":     duration,
		"cloudflare.drill":       duration,
		"cloudflare.api":         rapid.SampledFrom([]string{"https://x.example/v4", "http://127.0.0.1:1", "http://x.example", "x"}),
		"cloudflare.nameservers": server,
		"cloudflare.edge":        server,
		"tls_roots":              path,
		"defaults.types":         rapid.SampledFrom([]string{"A", "AAAA", "B", "a"}),
		"defaults.proxied":       rapid.SampledFrom([]string{"keep", "true", "false", "yes"}),
		"defaults.ttl":           rapid.SampledFrom([]string{"keep", "auto", "300", "5", "0300", "long"}),
		"ip.sources":             rapid.SampledFrom([]string{"default", "amazon", "nobody"}),
		"ip.quorum":              rapid.SampledFrom([]string{"auto", "3", "5", "9", "most", "-1", "03"}),
		"ip.timeout":             duration,
		"ip.bind":                rapid.SampledFrom([]string{"eth0", "192.0.2.1", "a/b", "a-name-that-is-too-long"}),
		"owner":                  rapid.StringMatching(`[a-z][a-z0-9._-]{0,40}|0[0-9]|off`),
		"schedule":               rapid.SampledFrom([]string{"@every 20m", "@every 9s", "@every 15", "0 4 * * *", "0 0 31 2 *", "TZ=UTC", "@hourly", "x"}),
		"probe":                  duration,
		"push.listen":            rapid.SampledFrom([]string{"192.168.1.2:8245", "[::]:80", ":8245", "localhost:80", "0.0.0.0"}),
		"push.user":              rapid.SampledFrom([]string{"router", "a:b"}),
		"push.password":          rapid.StringMatching(`[a-z]{4,12}`),
		"push.password_file":     path,
		"verify":                 duration,
		"state":                  path,
		"control":                path,
		"log.level":              rapid.SampledFrom([]string{"debug", "info", "warn", "error", "loud"}),
		"log.format":             rapid.SampledFrom([]string{"auto", "text", "json", "xml"}),
		"notify.command":         path,
		"notify.on_change":       path,
		"notify.ping":            rapid.SampledFrom([]string{"https://hc.example/1", "hc.example"}),
		"records":                rapid.StringMatching(`[a-z-]{1,8}(\.example(\.com)?)?`),
	}
}

func TestFileAndEnvironmentAgree(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		var file strings.Builder
		var env []string
		sections := map[string]string{}
		for _, key := range Keys() {
			generator, ok := values()[key]
			if !ok || !rapid.Bool().Draw(t, key+" is set") {
				continue
			}
			value := generator.Draw(t, key)
			env = append(env, variable(key)+"="+value)
			section, name, nested := strings.Cut(key, ".")
			if !nested {
				section, name = "", key
			}
			sections[section] += inYAML(name, value)
		}
		file.WriteString(sections[""])
		for section, lines := range sections {
			if section != "" {
				file.WriteString(section + ":\n" + strings.ReplaceAll("  "+strings.TrimSpace(lines), "\n", "\n  ") + "\n")
			}
		}
		path := filepath.Join(dir, "c.yaml")
		if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		fromFile, _, fileErr := Load(path, nil)
		fromEnv, _, envErr := Load("", env)
		if (fileErr == nil) != (envErr == nil) {
			t.Fatalf("file: %v\nenvironment: %v", fileErr, envErr)
		}
		if diff := cmp.Diff(fromFile, fromEnv, sameConfig()...); diff != "" {
			t.Fatalf("(-file +environment):\n%s", diff)
		}
		if got, want := count(envErr), count(fileErr); got != want {
			t.Fatalf("the file has %d problems and the environment %d:\n%v\n%v", want, got, fileErr, envErr)
		}
	})
}

// inYAML writes a value as a person would: quoted, but for the words and
// numbers that need none.
func inYAML(key, value string) string {
	switch key {
	case "records":
		return fmt.Sprintf("records:\n- name: %q\n", value)
	case "proxied":
		return fmt.Sprintf("%s: %s\n", key, value) // true is a word of YAML's own
	case "nameservers", "sources", "command", "on_change", "types":
		return fmt.Sprintf("%s: [%q]\n", key, value)
	}
	return fmt.Sprintf("%s: %q\n", key, value)
}

func count(err error) int {
	problems, _ := errors.AsType[Problems](err)
	return len(problems)
}

// FuzzLoad: whatever stands in file and environment, Load does not panic, and
// what it accepts is within the bounds that protect other people's servers.
func FuzzLoad(f *testing.F) {
	for _, name := range []string{"reference.yaml", "minimal.yaml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "yaml", "CFDDNS_OWNER", "me")
	}
	bad, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range bad {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "yaml", "CFDDNS_SCHEDULE", "@every 15")
	}
	f.Add([]byte(`{"records":[{"name":"a.example.com"}]}`), "json", "CFDDNS_VERIFY", "15")
	f.Add([]byte("[cloudflare]\nrecheck = '1h'\n"), "toml", "CFDDNS_RECORDS", "a.b,c.d")
	f.Add([]byte("records: &a [{name: a.b}]\nip: *a\n"), "yml", "CFDDNS_IP_SOURCES", ",")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte, extension, name, value string) {
		if strings.ContainsAny(extension, "/\x00") || len(extension) > 8 {
			return
		}
		path := filepath.Join(dir, fmt.Sprintf("c%d.%s", os.Getpid(), extension))
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return // the fuzzer made a name that no file can have
		}
		defer os.Remove(path)
		c, _, err := Load(path, []string{name + "=" + value})
		if err != nil {
			if count(err) == 0 {
				t.Fatalf("an error that is no list of problems: %v", err)
			}
			return
		}
		now := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		first := c.Schedule.Next(now)
		switch {
		case c.Schedule.Next(first).Sub(first) < shortest || first.Before(now):
			t.Fatalf("schedule %+v", c.Schedule)
		case c.Cloudflare.Recheck < time.Minute, c.Cloudflare.Drill != 0 && c.Cloudflare.Drill < time.Hour:
			t.Fatalf("cloudflare %+v", c.Cloudflare)
		case c.IP.Timeout < time.Second, c.Verify < 0, c.Probe != 0 && c.Probe < 5*time.Second:
			t.Fatalf("timeout %s, verify %s, probe %s", c.IP.Timeout, c.Verify, c.Probe)
		}
		if password, _, err := c.Push.Secret(); c.Push.Listen != "" && err == nil && len(password.Reveal()) < shortestPassword {
			t.Fatalf("whoever likes may push at %s", c.Push.Listen)
		}
		for _, target := range c.Targets() {
			if _, known := ddns.FamilyOfType(target.Type); !known || target.TTL == 0 && target.Proxied == 0 && target.Name == "" {
				t.Fatalf("target %+v", target)
			}
		}
	})
}
