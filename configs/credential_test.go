package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAnEmptyCredentialLeavesTheTokenToOthers(t *testing.T) {
	dir := t.TempDir()
	credentialFile(t, dir, "\n")
	env := []string{"CREDENTIALS_DIRECTORY=" + dir}
	_, _, _, err := Token(Default(), env)
	if err == nil || !strings.Contains(err.Error(), "write it into /etc/cfddns/token, then: systemctl restart cfddns") {
		t.Errorf("without any token: %v", err)
	}
	c := Default()
	c.Cloudflare.TokenFile = filepath.Join(dir, "none")
	if _, _, _, err = Token(c, env); err == nil || !strings.Contains(err.Error(), "cloudflare.token_file: ") || !strings.Contains(err.Error(), "systemctl restart") {
		t.Errorf("with a token_file that is missing: %v", err)
	}
	token, source, warnings, err := Token(Default(), append(env, "CFDDNS_CLOUDFLARE_TOKEN=x", "CLOUDFLARE_API_TOKEN=elsewhere"))
	if err != nil || token.Reveal() != "elsewhere" || source != "CLOUDFLARE_API_TOKEN" || len(warnings) > 0 {
		t.Errorf("from %q, %v, %v", source, warnings, err)
	}
}

func TestATokenFileThatIsNewerThanTheCredentialIsTold(t *testing.T) {
	dir := t.TempDir()
	credentialFile(t, dir, "old\n")
	file := filepath.Join(dir, "token")
	if err := os.WriteFile(file, []byte("new\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	handed := credential(map[string]string{"CREDENTIALS_DIRECTORY": dir}, Site{})
	for age, want := range map[time.Duration]int{-time.Minute: 0, time.Minute: 1} {
		written := time.Now().Add(age)
		if err := os.Chtimes(file, written, written); err != nil {
			t.Fatal(err)
		}
		if warnings := handed.outdated([]string{filepath.Join(dir, "none"), file}); len(warnings) != want {
			t.Errorf("written %s later: %v", age, warnings)
		}
	}
}

func TestATokenThatIsThereEncryptedOnlyIsTold(t *testing.T) {
	dir := t.TempDir()
	c := Default()
	c.Cloudflare.TokenFile = filepath.Join(dir, "token")
	const byHand = "systemd-creds decrypt --name=cloudflare-token "
	if _, _, _, err := Token(c, nil); err == nil || strings.Contains(err.Error(), byHand) {
		t.Errorf("without either: %v", err)
	}
	if err := os.WriteFile(c.Cloudflare.TokenFile+".cred", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := Token(c, nil); err == nil || !strings.HasSuffix(err.Error(), byHand+c.Cloudflare.TokenFile+".cred - | CLOUDFLARE_API_TOKEN_FILE=/dev/stdin cfddns …") {
		t.Errorf("to a person: %v", err)
	}
	credentialFile(t, dir, "\n")
	if _, _, _, err := Token(c, []string{"CREDENTIALS_DIRECTORY=" + dir}); err == nil || !strings.HasSuffix(err.Error(), ", or hand it "+c.Cloudflare.TokenFile+".cred by LoadCredentialEncrypted=, then: systemctl restart cfddns") {
		t.Errorf("to the service: %v", err)
	}
}

func credentialFile(t *testing.T, dir, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, tokenCredential), []byte(content), 0o400); err != nil {
		t.Fatal(err)
	}
}

func TestAServiceThatMayNotReadItsConfigurationIsToldTheCommands(t *testing.T) {
	const path = "/etc/cfddns/cfddns.yaml"
	desktop := []string{"INVOCATION_ID=1"} // a terminal has it from the service that is the desktop
	if said := toService(mayNotRead, path, desktop); said != mayNotRead {
		t.Errorf("to a person: %s", said)
	}
	said := toService(mayNotRead, path, []string{"INVOCATION_ID=1", "STATE_DIRECTORY=/var/lib/cfddns"})
	for _, words := range []string{"chmod 755 /etc/cfddns;", "chmod 644 " + path, "systemctl restart cfddns"} {
		if !strings.Contains(said, words) {
			t.Errorf("to a service: %s", said)
		}
	}
}
