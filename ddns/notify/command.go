package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	// commandDeadline is how long a command may run.
	commandDeadline = 30 * time.Second
	// killPatience is how long a killed command may keep its input open.
	killPatience = 250 * time.Millisecond
)

// run runs a command with more variables in its environment and a document on
// its standard input. What it prints is dropped: it may hold its own secrets.
// At the deadline it is killed, and all that it started with it.
func run(ctx context.Context, args, environment []string, input []byte) error {
	ctx, cancel := context.WithTimeout(ctx, commandDeadline)
	defer cancel()
	command := exec.CommandContext(ctx, args[0], args[1:]...)
	command.Env = append(withoutSecrets(os.Environ()), environment...)
	command.Stdin = bytes.NewReader(input)
	command.WaitDelay = killPatience
	killAsGroup(command)
	err := command.Run()
	name := filepath.Base(args[0]) // its arguments may hold a password
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%s was killed: it ran longer than %v", name, commandDeadline)
	case ctx.Err() != nil:
		return fmt.Errorf("%s was killed: %w", name, ctx.Err())
	default:
		return fmt.Errorf("%s: %w; run it by hand to see why", name, err)
	}
}

// withoutSecrets drops the variables that hold a secret of ours or say where
// one is.
func withoutSecrets(environment []string) []string {
	var kept []string
	for _, variable := range environment {
		name, _, _ := strings.Cut(strings.ToUpper(variable), "=")
		ours := strings.HasPrefix(name, "CLOUDFLARE_") || strings.HasPrefix(name, "CFDDNS_") || strings.HasPrefix(name, "CF_")
		secret := strings.Contains(name, "TOKEN") || strings.Contains(name, "KEY") || strings.Contains(name, "PING")
		if ours && secret || name == "CREDENTIALS_DIRECTORY" {
			continue
		}
		kept = append(kept, variable)
	}
	return kept
}
