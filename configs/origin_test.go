package configs

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheSocketIsFoundInAFileThatHasAnError(t *testing.T) {
	for _, tt := range []struct{ name, file, text, want string }{
		{"YAML with an unknown key", "c.yaml", "records: 17\ncontrol: /run/x/c.sock\n", "/run/x/c.sock"},
		{"no YAML at all", "c.yaml", "records: [\n\tx\ncontrol: \"/run/x/c.sock\" # here\n", "/run/x/c.sock"},
		{"JSON in one line", "c.json", `{"control":"/run/x/c.sock",`, "/run/x/c.sock"},
		{"JSON", "c.json", "{\n  \"owner\": 1,\n  \"control\": \"/run/x/c.sock\"\n", "/run/x/c.sock"},
		{"TOML", "c.toml", "control = '/run/x/c.sock'\nx\n", "/run/x/c.sock"},
		{"commented out", "c.yaml", "# control: /run/x/c.sock\n", ""},
		{"not whole", "c.yaml", "control: c.sock\n", ""},
		{"none", "c.yaml", "controls: /x\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), tt.file)
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if got, ok := ControlOf(path, nil); got != tt.want || ok != (tt.want != "") {
				t.Errorf("got %q, %t", got, ok)
			}
			if got, _ := ControlOf(path, []string{"CFDDNS_CONTROL=/run/y"}); got != "/run/y" {
				t.Errorf("the variable counts first, and it is %q", got)
			}
		})
	}
	if got, _ := ControlOf(filepath.Join(t.TempDir(), "none"), []string{"RUNTIME_DIRECTORY=/run/a:/run/b"}); got != "/run/a/control.sock" {
		t.Errorf("the directory of the service gives %q", got)
	}
}
