package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/sandbox"
)

// speak runs the doctor as a person does, and returns what it says.
func speak(t *testing.T, s *sandbox.Sandbox, config string, args ...string) (said string, code int) {
	t.Helper()
	var out, problems bytes.Buffer
	a := &app{stdout: &out, stderr: &problems, clock: time.Now, network: s.World().(network), looksOver: 150 * time.Millisecond,
		env: []string{"CLOUDFLARE_API_TOKEN=" + s.Info().Token}}
	file := filepath.Join(t.TempDir(), "c.yaml")
	config += "control: " + filepath.Join(t.TempDir(), "none.sock") + "\n"
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	root := a.root()
	root.SetArgs(append([]string{"doctor", "--config", file}, args...))
	err := root.ExecuteContext(t.Context())
	if coded, ok := errors.AsType[*exitError](err); ok {
		code = coded.code
	} else if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String()+problems.String(), s.Info().Token) {
		t.Error("the token shows")
	}
	return strings.ReplaceAll(out.String(), file, "FILE") + problems.String(), code
}

func sickWorld(t *testing.T, records ...sandbox.SeedRecord) *sandbox.Sandbox {
	t.Helper()
	s, err := sandbox.Start(sandbox.Config{Zones: []sandbox.SeedZone{{Name: "example.com", Records: records}}, IPv4: sickHome, Listen: listen, ListenPacket: listenPacket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

const keepSick = "records: [{name: " + sickName + "}]\n"

// The three nights of the story, each of which took hours without this.
func TestTheThreeNights(t *testing.T) {
	tests := []struct {
		name    string
		record  sandbox.SeedRecord
		breaks  func(*testing.T, *sandbox.Sandbox)
		culprit string
		mend    string
	}{
		{"Duck DNS is dark", recordCNAME("myhome.duckdns.org", true), duckDown,
			"culprit       ddns-host: Duck DNS is dark: myhome.duckdns.org does not answer, so Cloudflare cannot find your home", "mend          cfddns migrate --config FILE --apply www.example.com"},
		{"the record is stale", recordA(sickOld, true), func(*testing.T, *sandbox.Sandbox) {},
			"culprit       record: the A record is stale: it leads to 45.67.88.3, and this home is at 45.67.89.10", "mend          cfddns once --config FILE"},
		{"a script is challenged", recordA(sickHome.String(), true), underAttack,
			"culprit       security: Under Attack mode is on: whatever is no browser is challenged, your scripts too", "mend          cfddns under-attack off --config FILE, or let one client through: cfddns waf allow --config FILE script --host www.example.com --address 45.67.89.10"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := sickWorld(t, tt.record)
			tt.breaks(t, s)
			said, code := speak(t, s, keepSick, sickName)
			if code != 8 || !strings.Contains(said, tt.culprit+"\n"+tt.mend+"\n") {
				t.Errorf("exit %d:\n%s", code, said)
			}
			t.Log("\n" + said)
		})
	}
}

func TestTheMorningAfter(t *testing.T) {
	s := sickWorld(t, recordA(sickHome.String(), true))
	midnight := time.Now().Add(-5 * time.Hour).Truncate(time.Minute)
	remember := func(from, to, status int) {
		for m := from; m < to; m++ {
			if err := s.AddMinute(sandbox.Minute{At: midnight.Add(time.Duration(m) * time.Minute), Host: sickName, Status: status, Requests: 3}); err != nil {
				t.Fatal(err)
			}
		}
	}
	remember(0, 60, 200)
	remember(60, 180, 530)
	remember(180, 240, 403)
	said, code := speak(t, s, keepSick, sickName, "--since", "6h")
	t.Log("\n" + said)
	for _, want := range []string{"530  ", "360 requests", "403  ", "180 requests", "Cloudflare could not resolve where the name led"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said", want)
		}
	}
	if code != 0 {
		t.Errorf("exit %d", code)
	}
}

func TestWithoutANameTheConfiguredOnesAreExamined(t *testing.T) {
	s := sickWorld(t, recordA(sickHome.String(), true), sandbox.SeedRecord{Type: "CNAME", Name: "b.example.com", Content: "myhome.duckdns.org", Proxied: true})
	s.SetDuckDNS(false)
	said, code := speak(t, s, "records: [{name: "+sickName+"}, {name: b.example.com}, {name: c.example.com}, {name: d.example.com}]\n")
	for _, want := range []string{"b.example.com\n", "Duck DNS is dark", "c.example.com does not exist", "1 more name not examined"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said:\n%s", want, said)
		}
	}
	if code != 8 {
		t.Errorf("exit %d", code)
	}
}

func TestQuestionsThatCannotBeAsked(t *testing.T) {
	s := sickWorld(t)
	tests := []struct{ config, arg, flag, value, wants string }{
		{"", "", "--since", "1h", "cfddns doctor www.example.com"},
		{keepSick, sickName, "--since", "yesterday", "--since"},
		{keepSick, sickName, "--since", "-3h", "--since"},
		{keepSick, sickName, "--client", "example.com", "--client"},
		{keepSick, "ftp://x.example.com/", "--since", "1h", "no web address"},
		{keepSick, "not a name", "--since", "1h", "not a name"},
	}
	for _, tt := range tests {
		var out, problems bytes.Buffer
		a := &app{stdout: &out, stderr: &problems, clock: time.Now, network: s.World().(network)}
		file := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(file, []byte(tt.config), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"doctor", "--config", file, tt.flag, tt.value}
		if tt.arg != "" {
			args = append(args, tt.arg)
		}
		root := a.root()
		root.SetArgs(args)
		err := root.ExecuteContext(t.Context())
		if code := a.conclude(err); code != 2 || !strings.Contains(problems.String(), tt.wants) {
			t.Errorf("%v: exit %d, %s", args, code, problems.String())
		}
	}
}

func TestParseSince(t *testing.T) {
	now := time.Date(2026, 11, 24, 1, 30, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"":                     {},
		"22:00":                time.Date(2026, 11, 23, 22, 0, 0, 0, time.UTC),
		"01:00":                time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC),
		"3h":                   time.Date(2026, 11, 23, 22, 30, 0, 0, time.UTC),
		"2026-11-23T20:00:00Z": time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC),
	} {
		if got, err := parseSince(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
}
