package configs_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
)

// write makes a file that its owner alone may read.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMinimalIsOneNameAndDefaults(t *testing.T) {
	c, warnings, err := configs.Load("minimal.yaml", nil)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	want := []ddns.Target{{Name: "home.example.com", Shown: "home.example.com", Type: "A", Check: "auto"}}
	if diff := cmp.Diff(want, c.Targets()); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	if c.Cloudflare.TokenFile != "/etc/cfddns/token" || c.Schedule.Every != 20*time.Minute {
		t.Errorf("got %+v", c)
	}
}

func TestNoFileAndTwoVariablesAreEnough(t *testing.T) {
	env := []string{"CLOUDFLARE_API_TOKEN=abc", "CFDDNS_RECORDS=home.example.com, www.example.com"}
	c, warnings, err := configs.Load("", env)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	var names []string
	for _, target := range c.Targets() {
		names = append(names, target.Key())
	}
	if diff := cmp.Diff([]string{"home.example.com A", "www.example.com A"}, names); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	token, source, _, err := configs.Token(c, env)
	if err != nil || token.Reveal() != "abc" || source != "CLOUDFLARE_API_TOKEN" {
		t.Errorf("token from %q, %v", source, err)
	}
}

func TestTheEnvironmentWinsOverTheFile(t *testing.T) {
	file := write(t, "c.yaml", "owner: file\nip: {sources: [a, b, c], timeout: 5s}\nrecords: [{name: a.example.com, ttl: 300}]\nlog: {level: warn}\n")
	c, warnings, err := configs.Load(file, []string{
		"CFDDNS_CONFIG=" + file, "CFDDNS_OWNER=env", "CFDDNS_OWNER=last", "CFDDNS_IP_SOURCES=amazon,google,identme,cloudflare",
		"CFDDNS_RECORDS=b.example.com", "CFDDNS_LOG_LEVEL=", "CFDDNS_CLOUDFLARE_NAMESERVERS=127.0.0.1:53",
		"CFDDNS_IP_QUORUM=3", "CFDDNS_SCHEDULE=0 4 * * *", "CFDDNS_CLOUDFLARE_DRILL=0",
	})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	got := []any{c.Owner, len(c.IP.Sources), c.IP.Sources[2].Name, c.IP.Timeout, c.Records[0].Name, len(c.Records), c.Records[0].TTL == nil, c.Log.Level, c.Cloudflare.NameServers[0], int(c.IP.Quorum), c.Schedule.Expression, c.Cloudflare.Drill}
	want := []any{"last", 4, "identme", 5 * time.Second, "b.example.com", 1, true, slog.LevelWarn, "127.0.0.1:53", 3, "0 4 * * *", time.Duration(0)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestABadVariableIsToldByItsName(t *testing.T) {
	for variable, want := range map[string]string{
		"CFDDNS_CLOUDFLARE_RECHECK=15":         `CFDDNS_CLOUDFLARE_RECHECK: "15" is not a length of time; write a number with a unit and no space, such as 15s, 20m, 1h or 30d`,
		"CFDDNS_CLOUDFLARE_RECHECK=15s":        `CFDDNS_CLOUDFLARE_RECHECK: 15s is outside of what works; write 1m to 30d`,
		"CFDDNS_CLOUDFLARE_TOKEN_FILE=abc123":  `CFDDNS_CLOUDFLARE_TOKEN_FILE: is not a path from the root; write it whole, such as /etc/cfddns/token`,
		"CFDDNS_CLOUDFLARE_NAMESERVERS=a:53,b": `CFDDNS_CLOUDFLARE_NAMESERVERS: "b" is not HOST:PORT; write one such as 192.0.2.1:53`,
		"CFDDNS_OWNER=010":                     `CFDDNS_OWNER: "010" is not a name of ours; write a letter, then up to 31 letters, digits, dots, hyphens and underscores`,
		"CFDDNS_RECORDS=a.example.com,home":    `CFDDNS_RECORDS: "home" is not complete; write it with its zone, such as home.example.com`,
		"CFDDNS_RECORDS=a.b.com,A.b.com":       `CFDDNS_RECORDS: a.b.com A is listed already, in records[0]; remove one of the two`,
		"CFDDNS_SCHEDULE=TZ=UTC":               `CFDDNS_SCHEDULE: "TZ=UTC" names a time zone and no time; write both, CRON_TZ=Europe/Berlin 0 4 * * *`,
		"CFDDNS_SCHEDULE=CRON_TZ=":             `CFDDNS_SCHEDULE: "CRON_TZ=" names a time zone and no time; write both, CRON_TZ=Europe/Berlin 0 4 * * *`,
		"CFDDNS_SCHEDULE=@every 5s":            `CFDDNS_SCHEDULE: rounds would be 5s apart; write 10s to 366d`,
		"CFDDNS_SCHEDULE=@every 0s":            `CFDDNS_SCHEDULE: rounds would be 0s apart; write 10s to 366d`,
		"CFDDNS_SCHEDULE=0 0 31 2 *":           `CFDDNS_SCHEDULE: "0 0 31 2 *" never comes: no month has such a day; @every 20m is the default`,
		"CFDDNS_VERIFY=-1s":                    `CFDDNS_VERIFY: -1s is outside of what works; write 0s to 1m`,
		"CFDDNS_IP_QUORUM=0":                   `CFDDNS_IP_QUORUM: "0" is not a number; write auto or a whole number`,
		"CFDDNS_IP_QUORUM=03":                  `CFDDNS_IP_QUORUM: "03" is not a number; write auto or a whole number`,
		"CFDDNS_LOG_LEVEL=loud":                `CFDDNS_LOG_LEVEL: "loud" is not a level; write debug, info, warn or error`,
		"CFDDNS_NOTIFY_COMMAND=./x":            `CFDDNS_NOTIFY_COMMAND: names a program by a path that depends on where cfddns was started; write it from the root`,
		"CFDDNS_PROBE=15":                      `CFDDNS_PROBE: "15" is not a length of time; write a number with a unit and no space, such as 15s, 20m, 1h or 30d`,
		"CFDDNS_PROBE=4s":                      `CFDDNS_PROBE: 4s is outside of what works; write 5s to 10m`,
		"CFDDNS_PROBE=11m":                     `CFDDNS_PROBE: 11m is outside of what works; write 5s to 10m`,
		"CFDDNS_PUSH_PASSWORD=short":           `CFDDNS_PUSH_PASSWORD: is too short; write 8 letters or more (it is not shown)`,
		"CFDDNS_PUSH_USER=a:b":                 `CFDDNS_PUSH_USER: "a:b" has a colon or a control character, which no login can send (RFC 7617); choose another`,
		"CFDDNS_STATE=here":                    `CFDDNS_STATE: is not a path from the root; write it whole, such as /var/lib/cfddns`,
	} {
		t.Run(variable, func(t *testing.T) {
			_, _, err := configs.Load("", []string{variable})
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestAnUnknownVariableIsAWarning(t *testing.T) {
	_, warnings, err := configs.Load("", []string{"CFDDNS_OWNR=me", "CFDDNS_CONFIG=/x", "CFDDNS_STATUS_LISTEN=:80", "HOME=/"})
	if err != nil {
		t.Fatal(err)
	}
	want := []configs.Warning{
		"CFDDNS_OWNR: there is no such variable, and it changes nothing; did you mean CFDDNS_OWNER?",
		"CFDDNS_STATUS_LISTEN: there is no such variable, and it changes nothing; did you mean CFDDNS_PUSH_LISTEN?",
	}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEveryFormatSaysTheSame(t *testing.T) {
	formats := map[string]string{
		"c.yaml": "owner: me\nrecords:\n  - {name: a.example.com, ttl: 300, proxied: false}\nip: {quorum: 4}\ncloudflare: {drill: 0}\n",
		"c":      "owner: me\nrecords:\n  - &r {name: a.example.com, ttl: 300, proxied: false}\nip:\n  quorum: 4\n  bind:\ncloudflare: {drill: 0}\nnotify:\n",
		"c.json": "{\n\t\"owner\": \"me\", \"records\": [{\"name\": \"a.example.com\", \"ttl\": 300, \"proxied\": false}],\n\t\"ip\": {\"quorum\": 4}, \"cloudflare\": {\"drill\": 0}}",
		"c.toml": "owner = 'me'\n[[records]]\nname = 'a.example.com'\nttl = 300\nproxied = false\n[ip]\nquorum = 4\n[cloudflare]\ndrill = 0\n",
	}
	for name, content := range formats {
		t.Run(name, func(t *testing.T) {
			c, _, err := configs.Load(write(t, name, content), nil)
			if err != nil {
				t.Fatal(err)
			}
			r := c.Records[0]
			if c.Owner != "me" || *r.TTL != 300 || *r.Proxied != ddns.SetFalse || c.IP.Quorum != 4 || c.Cloudflare.Drill != 0 {
				t.Errorf("got %+v", c)
			}
		})
	}
}

func TestABadFileOfAnotherFormatIsToldByItsKey(t *testing.T) {
	for name, row := range map[string]struct{ content, want string }{
		"c.json":  {`{"owner": 1, "records": [{"ttl": 1.5, "name": "a.example.com"}]}`, "FILE: owner: 1 is a number, and a word belongs here; put it in quotes if it is meant, \"1\"\nFILE: records[0].ttl: 1.5 is no number of seconds; write keep, auto, or plain digits such as 300"},
		"b.json":  {`{"owner"`, "FILE:1: not valid JSON: …"},
		"c.toml":  {"verify = 10\nmetrics = '1s'\n", "FILE: metrics: there is no such key; reference.yaml lists all keys\nFILE: verify: 10 has no unit; write a number with a unit, such as 15s, 20m, 1h or 30d"},
		"c.ini":   {"", "FILE: a name that ends with .ini is no configuration; .yaml, .json and .toml are"},
		"big.yml": {strings.Repeat("#", 1<<20+1), "FILE: is larger than 1048576 bytes; is it a configuration?"},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, name, row.content)
			_, _, err := configs.Load(path, nil)
			if err == nil {
				t.Fatal("accepted")
			}
			got := strings.ReplaceAll(err.Error(), path, "FILE")
			if ours, found := strings.CutSuffix(row.want, "…"); found && strings.HasPrefix(got, ours) {
				got = row.want // the rest is in the words of a library
			}
			if got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
		})
	}
}

func TestANamedFileThatIsMissingIsAnError(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.yaml")
	for _, path := range []string{configs.Find(missing, nil), configs.Find("", []string{"CFDDNS_CONFIG=" + missing})} {
		_, _, err := configs.Load(path, nil)
		if want := missing + ": there is no such file; write it, or name another"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	_, _, err := configs.Load(t.TempDir(), nil)
	if problems, ok := errors.AsType[configs.Problems](err); !ok || problems[0].Text != "is a directory; name the file in it" {
		t.Errorf("a directory: %v", err)
	}
}

func TestFindLooksInOrderAndNeverInTheCurrentDirectory(t *testing.T) {
	home := t.TempDir()
	inHome := filepath.Join(home, ".config", "cfddns", "cfddns.yaml")
	inXDG := filepath.Join(home, "xdg", "cfddns", "cfddns.yaml")
	for _, path := range []string{inHome, inXDG, filepath.Join(home, "cfddns.yaml"), filepath.Join(home, "cfddns", "cfddns.yaml")} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(home)
	fallback := ""
	if _, err := os.Stat("/etc/cfddns/cfddns.yaml"); err == nil {
		fallback = "/etc/cfddns/cfddns.yaml"
	}
	for name, row := range map[string]struct {
		flag string
		env  []string
		want string
	}{
		"the flag wins":                     {"f.yaml", []string{"CFDDNS_CONFIG=e.yaml", "HOME=" + home}, "f.yaml"},
		"then the variable":                 {"", []string{"CFDDNS_CONFIG=e.yaml", "HOME=" + home}, "e.yaml"},
		"then XDG_CONFIG_HOME":              {"", []string{"XDG_CONFIG_HOME=" + home + "/xdg", "HOME=" + home}, inXDG},
		"then .config in the home":          {"", []string{"HOME=" + home}, inHome},
		"a file that is missing is skipped": {"", []string{"HOME=" + home + "/nobody"}, fallback},
		"a relative XDG_CONFIG_HOME is not": {"", []string{"XDG_CONFIG_HOME=."}, fallback},
		"no home is not the current one":    {"", nil, fallback},
	} {
		if got := configs.Find(row.flag, row.env); got != row.want {
			t.Errorf("%s: got %q, want %q", name, got, row.want)
		}
	}
}

func TestSystemdGivesTheDirectories(t *testing.T) {
	env := []string{"STATE_DIRECTORY=/var/lib/cfddns:/var/lib/other", "RUNTIME_DIRECTORY=/run/cfddns"}
	c, _, err := configs.Load("", env)
	if err != nil || c.State != "/var/lib/cfddns" || c.Control != "/run/cfddns/control.sock" {
		t.Errorf("state %q, control %q, %v", c.State, c.Control, err)
	}
	c, _, err = configs.Load("", append(env, "CFDDNS_STATE=/srv/x", "CFDDNS_CONTROL=@mine"))
	if err != nil || c.State != "/srv/x" || c.Control != "@mine" {
		t.Errorf("state %q, control %q, %v", c.State, c.Control, err)
	}
}

func TestAConfigurationWithoutNamesIsForCommandsThatNeedNone(t *testing.T) {
	c, _, err := configs.Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.NeedRecords(); err == nil || !strings.Contains(err.Error(), "CFDDNS_RECORDS=") {
		t.Errorf("got %v", err)
	}
}

func TestTargetsAreNormalisedAndCarryTheOptions(t *testing.T) {
	file := write(t, "c.yaml", `records:
  - {name: WWW.Bücher.example., types: [AAAA, A], proxied: true, ttl: auto, on_cname: replace, check: "off", extra: delete}
  - {name: "*.example.com", proxied: false, ttl: 30, check: "https://a.example.com/x"}
`)
	c, _, err := configs.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := ddns.Target{Name: "www.xn--bcher-kva.example", Shown: "WWW.Bücher.example.", Type: "A", Proxied: ddns.SetTrue, TTL: 1, ReplaceHop: true, DeleteExtra: true, Check: "off"}
	aaaa := all
	aaaa.Type = "AAAA"
	want := []ddns.Target{{Name: "*.example.com", Shown: "*.example.com", Type: "A", Proxied: ddns.SetFalse, TTL: 30, Check: "https://a.example.com/x"}, all, aaaa}
	if diff := cmp.Diff(want, c.Targets()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
