package ddns

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"time"
)

// killPatience is how long a killed command may keep its pipes open.
const killPatience = 250 * time.Millisecond

// Command prepares a program that the configuration names: without a shell,
// without our secrets in its environment, with the given variables added. When
// the context ends it is killed, and all that it started with it.
func Command(ctx context.Context, args []string, variables ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Env = append(withoutSecrets(os.Environ()), variables...)
	c.WaitDelay = killPatience
	killAsGroup(c)
	return c
}

// withoutSecrets drops the variables that hold a secret of ours or say where
// one is.
func withoutSecrets(environment []string) (kept []string) {
	for _, variable := range environment {
		name, _, _ := strings.Cut(strings.ToUpper(variable), "=")
		ours := strings.HasPrefix(name, "CLOUDFLARE_") || strings.HasPrefix(name, "CFDDNS_") || strings.HasPrefix(name, "CF_")
		secret := strings.Contains(name, "TOKEN") || strings.Contains(name, "KEY") || strings.Contains(name, "PING") || strings.Contains(name, "PASSWORD")
		if ours && secret || name == "CREDENTIALS_DIRECTORY" {
			continue
		}
		kept = append(kept, variable)
	}
	return kept
}
