package configs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cfddns/cfddns/configs"
)

func TestThePasswordOfAPush(t *testing.T) {
	for name, row := range map[string]struct{ content, mode, want, wrong string }{
		"is the line of its file":                 {content: "correct horse\n", want: "correct horse"},
		"may end with the line of a Windows file": {content: "correct horse\r\n", want: "correct horse"},
		"keeps its spaces":                        {content: " correct ", want: " correct "},
		"is too short":                            {content: "1234567\n", wrong: "is too short; write 8 letters or more (it is not shown)"},
		"is one line":                             {content: "correct\nhorse\n", wrong: "has more than one line"},
		"is not in a file that is missing":        {wrong: "there is no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "password")
			if row.content != "" {
				path = write(t, "password", row.content)
			}
			c, _, err := configs.Load("", []string{"CFDDNS_PUSH_LISTEN=127.0.0.1:8245", "CFDDNS_PUSH_PASSWORD_FILE=" + path})
			if err != nil {
				t.Fatal(err)
			}
			password, warning, err := c.Push.Secret()
			if password.Reveal() != row.want || warning != "" {
				t.Errorf("got %q, %q; want %q", password.Reveal(), warning, row.want)
			}
			if (err == nil) != (row.wrong == "") || err != nil && !strings.Contains(err.Error(), row.wrong) {
				t.Errorf("got error %v, want %q", err, row.wrong)
			}
		})
	}
}

// Other commands than the service's read its configuration without its credentials.
func TestThatThereIsNoPasswordIsFoundByWhoListens(t *testing.T) {
	c, _, err := configs.Load("", []string{"CFDDNS_PUSH_LISTEN=127.0.0.1:8245"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Push.Secret(); err == nil || !strings.HasPrefix(err.Error(), "push: listens, and has no password; write one of 8 letters or more into push.password, or ") {
		t.Errorf("got %v", err)
	}
}

func TestAPasswordThatAllMayReadIsAWarning(t *testing.T) {
	path := write(t, "password", "correct horse")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	_, warning, err := configs.Push{PasswordFile: path}.Secret()
	want := "push.password_file: " + path + " can be read by every user of this machine; chmod 600 " + path
	if err != nil || string(warning) != want {
		t.Errorf("got %q, %v; want %q", warning, err, want)
	}
}

func TestTheServicesCredentialIsThePasswordIfNoKeySaysAnother(t *testing.T) {
	dir := filepath.Dir(write(t, "push-password", "of the service"))
	env := []string{"CFDDNS_PUSH_LISTEN=127.0.0.1:8245", "CREDENTIALS_DIRECTORY=" + dir}
	for _, row := range []struct{ more, want string }{{"", "of the service"}, {"CFDDNS_PUSH_PASSWORD=of the key", "of the key"}} {
		c, _, err := configs.Load("", append(env, row.more))
		if err != nil {
			t.Fatal(err)
		}
		if password, _, err := c.Push.Secret(); err != nil || password.Reveal() != row.want {
			t.Errorf("got %q, %v; want %q", password.Reveal(), err, row.want)
		}
	}
}
