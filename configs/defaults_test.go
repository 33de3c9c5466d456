package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/cfddns/cfddns/ddns"
)

// spelled are the targets in one line each.
func spelled(c Config) (lines []string) {
	words := map[ddns.Keep]string{ddns.KeepIt: "keep", ddns.SetTrue: "true", ddns.SetFalse: "false"}
	for _, t := range c.Targets() {
		lines = append(lines, strings.Join([]string{t.Key(), words[t.Proxied], ttlWord(TTL(t.TTL))}, " "))
	}
	return lines
}

func TestDefaultsHoldForRecordsThatSayNothing(t *testing.T) {
	const a, b = "a.example.com", "b.example.com"
	for _, row := range []struct {
		name, file string
		env        []string
		want       []string
	}{
		{"none", "records: [{name: " + a + "}]", nil, []string{a + " A keep keep"}},
		{"of the file", "defaults: {types: [A, AAAA], proxied: false, ttl: 300}\nrecords: [{name: " + a + "}]", nil, []string{a + " A false 300", a + " AAAA false 300"}},
		{"one of them", "defaults: {proxied: true}\nrecords: [{name: " + a + "}]", nil, []string{a + " A true keep"}},
		{"a record that says it itself wins", "defaults: {types: [AAAA], proxied: true}\nrecords: [{name: " + a + ", types: [A], proxied: keep}, {name: " + b + ", proxied: false, ttl: 60}]", nil,
			[]string{a + " A keep keep", b + " AAAA false 60"}},
		{"a value left empty says nothing", "defaults: {types: [AAAA], proxied: true, ttl: }\nrecords: [{name: " + a + ", types: , proxied: , ttl: }]", nil, []string{a + " AAAA true keep"}},
		{"a default time to live is for those that are not proxied", "defaults: {ttl: 300}\nrecords: [{name: " + a + ", proxied: true}]", nil, []string{a + " A true 300"}},
		{"of the environment alone", "", []string{"CFDDNS_RECORDS=" + a, "CFDDNS_TYPES=A,AAAA", "CFDDNS_PROXIED=true", "CFDDNS_TTL=auto"}, []string{a + " A true auto", a + " AAAA true auto"}},
		{"by their long names", "", []string{"CFDDNS_RECORDS=" + a, "CFDDNS_DEFAULTS_TYPES=AAAA", "CFDDNS_DEFAULTS_PROXIED=false", "CFDDNS_DEFAULTS_TTL=300"}, []string{a + " AAAA false 300"}},
		{"by both, which say the same", "", []string{"CFDDNS_RECORDS=" + a, "CFDDNS_PROXIED=false", "CFDDNS_DEFAULTS_PROXIED=false"}, []string{a + " A false keep"}},
		{"of the environment, over the file", "defaults: {proxied: true}\nrecords: [{name: " + a + "}, {name: " + b + ", proxied: true}]", []string{"CFDDNS_PROXIED=false"},
			[]string{a + " A false keep", b + " A true keep"}},
		{"an empty variable is none", "records: [{name: " + a + "}]", []string{"CFDDNS_PROXIED=", "CFDDNS_TYPES=", "CFDDNS_TTL="}, []string{a + " A keep keep"}},
		{"keep, over the file", "defaults: {proxied: true, ttl: 300}\nrecords: [{name: " + a + "}]", []string{"CFDDNS_PROXIED=keep", "CFDDNS_TTL=keep"}, []string{a + " A keep keep"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			path := ""
			if row.file != "" {
				path = filepath.Join(t.TempDir(), "c.yaml")
				if err := os.WriteFile(path, []byte(row.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c, warnings, err := Load(path, row.env)
			if err != nil || len(warnings) > 0 {
				t.Fatal(err, warnings)
			}
			if diff := cmp.Diff(row.want, spelled(c)); diff != "" {
				t.Errorf("targets (-want +got):\n%s", diff)
			}
			for _, target := range c.Targets() {
				if target.ByVariable != (len(row.env) > 0 && strings.HasPrefix(row.env[0], "CFDDNS_RECORDS=")) {
					t.Errorf("%s: listed by a variable: %t", target.Key(), target.ByVariable)
				}
			}
		})
	}
}

// What is wrong is told once, by the name of the variable that says it, and
// says what would be right.
func TestWhatAVariableCannotSay(t *testing.T) {
	for _, row := range []struct {
		env  []string
		want string
	}{
		{[]string{"CFDDNS_PROXIED=yes"}, `CFDDNS_PROXIED: "yes" is none of keep, true and false; write keep to leave what stands at Cloudflare`},
		{[]string{"CFDDNS_TYPES=A,TXT", "CFDDNS_RECORDS=a.example.com,b.example.com"}, `CFDDNS_TYPES: "TXT" is no type of address record; write A or AAAA`},
		{[]string{"CFDDNS_TYPES=A,A", "CFDDNS_RECORDS=a.example.com"}, `CFDDNS_TYPES: names one type twice; write [A], [AAAA] or both`},
		{[]string{"CFDDNS_TTL=5", "CFDDNS_RECORDS=a.example.com"}, `CFDDNS_TTL: 5 seconds is outside of what Cloudflare takes; write keep, auto, or 60 to 86400 (30 on Enterprise)`},
		{[]string{"CFDDNS_DEFAULTS_TTL=5m"}, `CFDDNS_DEFAULTS_TTL: "5m" is not a number; write auto, keep or a whole number`},
		{[]string{"CFDDNS_TTL=300", "CFDDNS_PROXIED=true"}, `CFDDNS_TTL: a proxied record has no TTL of its own, Cloudflare sets it; write keep or auto`},
		{[]string{"CFDDNS_PROXIED=true", "CFDDNS_DEFAULTS_PROXIED=false"}, `CFDDNS_PROXIED: says another thing than CFDDNS_DEFAULTS_PROXIED, and both mean defaults.proxied; remove one of the two`},
		{[]string{"CFDDNS_TYPES=A", "CFDDNS_DEFAULTS_TYPES=AAAA"}, `CFDDNS_TYPES: says another thing than CFDDNS_DEFAULTS_TYPES, and both mean defaults.types; remove one of the two`},
		{[]string{"CFDDNS_RECORDS=,,"}, `CFDDNS_RECORDS: names nothing between its commas; write CFDDNS_RECORDS=home.example.com,www.example.com, or remove it`},
		{[]string{"CFDDNS_TYPES=, ,", "CFDDNS_RECORDS=a.example.com"}, `CFDDNS_TYPES: names nothing between its commas; write CFDDNS_TYPES=A,AAAA, or remove it`},
		{[]string{"CFDDNS_IP_SOURCES=,"}, `CFDDNS_IP_SOURCES: names nothing between its commas; write CFDDNS_IP_SOURCES=default, or remove it`},
		{[]string{"CFDDNS_NOTIFY_COMMAND=,"}, `CFDDNS_NOTIFY_COMMAND: names nothing between its commas; write CFDDNS_NOTIFY_COMMAND=ONE,TWO, or remove it`},
		{[]string{"CFDDNS_WAF_ALLOW=x"}, `CFDDNS_WAF_ALLOW: its entries have keys of their own, which only a file can hold; list them under waf.allow there, as reference.yaml shows`},
		{[]string{"CFDDNS_WAF_ALLOW=,"}, `CFDDNS_WAF_ALLOW: its entries have keys of their own, which only a file can hold; list them under waf.allow there, as reference.yaml shows`},
	} {
		t.Run(strings.Join(row.env, " "), func(t *testing.T) {
			_, _, err := Load("", row.env)
			if err == nil || err.Error() != row.want {
				t.Errorf("got  %v\nwant %s", err, row.want)
			}
		})
	}
}

// Every variable, whatever is in it, is accepted, or told by its name: nothing
// of the decoder's own words, and no file that does not exist.
func TestEveryVariableIsToldInOurWords(t *testing.T) {
	var names []string
	for _, key := range Keys() {
		if !strings.Contains(key, "[]") {
			names = append(names, variable(key))
		}
	}
	for _, name := range shortVariable {
		names = append(names, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(names).Draw(t, "variable")
		value := rapid.OneOf(rapid.SampledFrom([]string{",", ",,", "x", "x,y", "1", "true", "{}", "[]", "a: b", "{name: x}", " "}), rapid.StringN(1, 20, 40)).Draw(t, "value")
		_, _, err := Load("", []string{name + "=" + value})
		problems, _ := err.(Problems) //nolint:errorlint // Load's error is never wrapped
		for _, p := range problems {
			owned := p.Key == name || p.Key == "ip.sources" || p.Key == "ip.quorum" || p.Key == "push.password"
			if !owned || p.File != "" || strings.Contains(p.Text, "unmarshal") || strings.Contains(p.Text, "expected") || strings.Contains(p.Text, "decod") {
				t.Fatalf("%s=%q: %+v", name, value, p)
			}
		}
	})
}

// What an edit adds means what was meant, whatever the defaults of the file, of
// this shell, and of the service that reads the file are.
func TestWhatIsAddedMeansTheSameUnderAnyDefaults(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		types := rapid.SampledFrom([]string{"[A]", "[AAAA]", "[A, AAAA]"})
		keeps := rapid.SampledFrom([]string{"keep", "true", "false"})
		file := "# mine\n"
		if rapid.Bool().Draw(t, "with defaults") {
			file += "defaults: {types: " + types.Draw(t, "types") + ", proxied: " + keeps.Draw(t, "proxied") + "}\n"
		}
		file += "records:\n  - name: a.example.com\n"
		var env []string
		if rapid.Bool().Draw(t, "with variables") {
			env = []string{"CFDDNS_TYPES=" + strings.Trim(types.Draw(t, "by variable"), "[]"), "CFDDNS_PROXIED=" + keeps.Draw(t, "by variable")}
		}
		path := filepath.Join(dir, "c.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		added := Record{Name: "b.example.com", Types: strings.Split(strings.Trim(types.Draw(t, "added"), "[]"), ", ")}
		want := keeps.Draw(t, "said")
		if want != "keep" || rapid.Bool().Draw(t, "said as well") {
			added.Proxied = new(map[string]ddns.Keep{"keep": ddns.KeepIt, "true": ddns.SetTrue, "false": ddns.SetFalse}[want])
		}
		if _, err := EditFile(path, env, Edit{Add: []Record{added}}, time.Now()); err != nil {
			t.Fatal(err)
		}
		for _, env := range [][]string{nil, env} {
			c, _, err := Load(path, env)
			if err != nil {
				t.Fatal(err)
			}
			var got, wanted []string
			for _, line := range spelled(c) {
				if strings.HasPrefix(line, "b.") {
					got = append(got, line)
				}
			}
			for _, kind := range added.Types {
				wanted = append(wanted, "b.example.com "+kind+" "+want+" keep")
			}
			if diff := cmp.Diff(wanted, got); diff != "" {
				content, _ := os.ReadFile(path)
				t.Fatalf("with %v (-want +got):\n%s\n%s", env, diff, content)
			}
		}
	})
}

// A variable that other programs take a token from is noticed, and what to do
// instead is said; not so one of ours, or one that means something else.
func TestVariablesOfOtherPrograms(t *testing.T) {
	for _, row := range []struct{ variable, want string }{
		{"CF_API_TOKEN", "put the token into CLOUDFLARE_API_TOKEN"},
		{"CF_Token", "put the token into CLOUDFLARE_API_TOKEN"},
		{"CF_DNS_API_TOKEN", "put the token into CLOUDFLARE_API_TOKEN"},
		{"CLOUDFLARE_TOKEN", "put the token into CLOUDFLARE_API_TOKEN"},
		{"CFDDNS_TOKEN", "put the token into CLOUDFLARE_API_TOKEN"},
		{"CFDDNS_API_TOKEN", "put the token into CLOUDFLARE_API_TOKEN"},
		{"CF_API_TOKEN_FILE", "name the file of the token in CLOUDFLARE_API_TOKEN_FILE"},
		{"CLOUDFLARE_API_KEY", "the Global API Key may do everything; make an API token"},
		{"CF_Key", "the Global API Key may do everything; make an API token"},
		{"CLOUDFLARE_EMAIL", "the Global API Key may do everything; make an API token"},
		{"CLOUDFLARE_ACCOUNT_ID", ""},
		{"CLOUDFLARE_TUNNEL_TOKEN", ""},
		{"TOKEN", ""},
	} {
		t.Run(row.variable, func(t *testing.T) {
			env := []string{row.variable + "=whatever"}
			_, _, _, err := Token(Config{}, env)
			if err == nil || row.want != "" != strings.Contains(err.Error(), row.variable+" is set, and cfddns does not read it: "+row.want) {
				t.Errorf("without a token: %v", err)
			}
			_, _, warnings, err := Token(Config{}, append(env, "CLOUDFLARE_API_TOKEN=abc"))
			if err != nil || len(warnings) > 0 != (row.want != "") || row.want != "" && !strings.Contains(string(warnings[0]), row.want) {
				t.Errorf("with one: %v, %v", warnings, err)
			}
			if _, warnings, _ := Load("", env); len(warnings) > 0 {
				t.Errorf("told twice: %v", warnings)
			}
		})
	}
}
