package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cfddns/cfddns/needs"
)

// Programs that know api.cloudflare.com alone are sent here by a hosts file of
// their own, in a mount namespace; nothing else about them is changed.
func TestOtherUpdatersLiveHere(t *testing.T) {
	for _, program := range []struct{ name, config, command string }{
		{"ddclient", `
daemon=0
ssl=yes
ssl_ca_file=DIR/ca.pem
use=cmd, cmd="echo 45.67.89.77"
protocol=cloudflare
zone=example.com
ttl=1
login=token
password='TOKEN'
home.example.com
`, "ddclient -foreground -daemon=0 -file DIR/config -cache DIR/cache"},
		{"inadyn", `
ca-trust-file = DIR/ca.pem
provider cloudflare.com {
	username = example.com
	password = TOKEN
	hostname = home.example.com
	ttl = 1
	proxied = false
	checkip-command = "echo 45.67.89.77"
}
`, "inadyn --foreground --once --force --config=DIR/config --cache-dir=DIR --no-pidfile"},
	} {
		t.Run(program.name, func(t *testing.T) {
			needs.Program(t, program.name)
			s := onPort443(t)
			dir := t.TempDir()
			fill := strings.NewReplacer("DIR", dir, "TOKEN", testToken)
			writeFile(t, filepath.Join(dir, "ca.pem"), string(s.PEM()))
			writeFile(t, filepath.Join(dir, "hosts"), fmt.Sprintf("127.0.0.1 localhost\n%s api.cloudflare.com\n", port443Host))
			writeFile(t, filepath.Join(dir, "config"), fill.Replace(program.config))
			output := runRedirected(t, dir, fill.Replace(program.command))
			if n, _ := s.nodeAt("home.example.com"); len(n.records) != 1 || n.records[0].Content != "45.67.89.77" {
				t.Errorf("the zone holds %v; %s", n.records, output)
			}
		})
	}
}

// port443Host is an address of loopback that nobody else is likely to use.
const port443Host = "127.18.81.43"

func onPort443(t *testing.T) *Sandbox {
	t.Helper()
	s, err := Start(Config{Token: testToken, APITLS: port443Host + ":443", Zones: []SeedZone{{
		Name: "example.com", Records: []SeedRecord{{Type: "A", Name: "home", Content: "45.67.89.9"}},
	}}})
	needs.Kernel(t, "port 443", err)
	t.Cleanup(s.Close)
	return s
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// runRedirected runs a command that sees DIR/hosts as /etc/hosts.
func runRedirected(t *testing.T, dir, command string) string {
	t.Helper()
	script := fmt.Sprintf("mount --bind %s/hosts /etc/hosts && exec %s", dir, command)
	needs.Program(t, "mount")
	redirected := exec.CommandContext(withDeadline(t), "sh", "-c", script)
	redirected.SysProcAttr = needs.Namespaces(t, syscall.CLONE_NEWNS)
	output, err := redirected.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v", command, err)
	}
	return string(output)
}
