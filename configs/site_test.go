package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is said of a token that is refused can be done where it is said.
func TestHowATokenIsReplacedIsSaidForThePlaceWhereItRuns(t *testing.T) {
	service, timer := "CREDENTIALS_DIRECTORY=/run/credentials/cfddns.service", "CREDENTIALS_DIRECTORY=/run/credentials/cfddns-once.service"
	const container, hand = "container=oci", "HOME=/root"
	for _, tt := range []struct{ env, source, want, not string }{
		{service, "the credential cloudflare-token", "replace /etc/cfddns/token (or what the service's LoadCredential= names), then: systemctl restart cfddns", ""},
		{timer, "the credential cloudflare-token", "the timer's next round takes it (one now: systemctl start cfddns-once)", "restart"},
		{"CREDENTIALS_DIRECTORY=/run/credentials/ddns.service", "the credential cloudflare-token", "systemctl restart ddns", "cfddns-once"},
		{container, "CLOUDFLARE_API_TOKEN_FILE", "on the host; it is taken within seconds, or, where this file alone is mounted, with: docker restart cfddns", "systemctl"},
		{container, "CLOUDFLARE_API_TOKEN", "make the container anew", "systemctl"},
		{container, "cloudflare.token", "docker kill -s HUP cfddns", "systemctl"},
		{service, "cloudflare.token_file", "it is taken within seconds", "docker"},
		{service, "cloudflare.token", "systemctl reload cfddns", "docker"},
		{service, "CLOUDFLARE_API_TOKEN", "/etc/cfddns/environment, if it is from there), then: systemctl restart cfddns", "docker"},
		{timer, "cloudflare.token_file", "the timer's next round takes it", "restart"},
		{timer, "CFDDNS_CLOUDFLARE_TOKEN", "the timer's next round takes it", "restart"},
		{hand, "cloudflare.token_file", "the timer with its next round", "docker"},
		{hand, "CFDDNS_CLOUDFLARE_TOKEN", "set the new one there, and restart", "docker"},
		{hand, "cloudflare.token", "write the new one there, and reload (SIGHUP) or restart", "docker"},
	} {
		got := SiteOf([]string{tt.env}).ReplaceToken(tt.source)
		if !strings.Contains(got, tt.want) || tt.not != "" && strings.Contains(got, tt.not) {
			t.Errorf("%s, %s: %q, want %q in it, and not %q", tt.env, tt.source, got, tt.want, tt.not)
		}
	}
}

func TestHowACfddnsIsStartedIsSaidForThePlaceWhereItRuns(t *testing.T) {
	for env, want := range map[string]string{
		"container=oci": "docker start cfddns",
		"HOME=/root":    "cfddns run, or as a service: systemctl start cfddns",
	} {
		if got := SiteOf([]string{env}).Start("cfddns run"); got != want {
			t.Errorf("%s: %q, want %q", env, got, want)
		}
	}
}

func TestTheFileThatIsReplacedIsTheOneThatIsRead(t *testing.T) {
	dir := t.TempDir()
	plain, locked := filepath.Join(dir, "token"), filepath.Join(dir, "token.cred")
	wants := func(says string) {
		t.Helper()
		if got := replaceCredential([]string{plain, locked}); !strings.HasPrefix(got, says) {
			t.Errorf("got %q, want %q", got, says)
		}
	}
	wants("replace " + plain + " (or")
	for _, file := range []string{locked, plain} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if file == locked {
			wants("encrypt the new one into " + locked)
		}
	}
	wants("replace " + plain + " or " + locked)
}
