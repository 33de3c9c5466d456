package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// commandDeadline is how long a command may run.
const commandDeadline = 30 * time.Second

// run runs a command with more variables in its environment and a document on
// its standard input. What it prints is dropped: it may hold its own secrets.
// At the deadline it is killed, and all that it started with it.
func run(ctx context.Context, args, environment []string, input []byte) error {
	ctx, cancel := context.WithTimeout(ctx, commandDeadline)
	defer cancel()
	command := ddns.Command(ctx, args, environment...)
	command.Stdin = bytes.NewReader(input)
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
