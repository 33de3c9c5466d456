package ipsource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// killPatience is how long a killed command may keep its output open.
const killPatience = 250 * time.Millisecond

// errTooLong ends the reading of a command's output, and with it the command.
var errTooLong = errors.New("output is longer than an address")

// command is a program of the person's own that prints one address. It is run
// without a shell, without our token, and finds the family that is asked for in
// CFDDNS_FAMILY ("ipv4" or "ipv6").
type command struct {
	args []string
}

func (c command) ask(ctx context.Context, _ ddns.World, family ddns.Family) (netip.Addr, error) {
	var output short
	run := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	run.Env = append(withoutSecrets(os.Environ()), "CFDDNS_FAMILY="+family.String())
	run.Stdout = &output
	run.WaitDelay = killPatience
	killAsGroup(run)
	err := run.Run()
	switch {
	case errors.Is(err, errTooLong):
		return netip.Addr{}, fmt.Errorf("%s printed more than %d bytes, not an address", c.name(), maxEcho)
	case ctx.Err() != nil:
		return netip.Addr{}, fmt.Errorf("%s was killed: %w", c.name(), ctx.Err())
	case err != nil:
		return netip.Addr{}, fmt.Errorf("%s: %w; run it by hand to see why", c.name(), err)
	}
	return parseOutput(output.Bytes(), c.name(), family)
}

// name returns the program's name: its arguments may hold a password.
func (c command) name() string { return filepath.Base(c.args[0]) }

// parseOutput takes the address that is the whole output.
func parseOutput(output []byte, name string, family ddns.Family) (netip.Addr, error) {
	text := strings.TrimSpace(string(output))
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%s printed %q, not an address", name, text)
	}
	return ofFamily(address, family)
}

// withoutSecrets drops the variables that hold our token or say where it is.
func withoutSecrets(environment []string) []string {
	var kept []string
	for _, variable := range environment {
		name, _, _ := strings.Cut(strings.ToUpper(variable), "=")
		ours := strings.HasPrefix(name, "CLOUDFLARE_") || strings.HasPrefix(name, "CFDDNS_") || strings.HasPrefix(name, "CF_")
		secret := strings.Contains(name, "TOKEN") || strings.Contains(name, "API_KEY")
		if ours && secret || name == "CREDENTIALS_DIRECTORY" {
			continue
		}
		kept = append(kept, variable)
	}
	return kept
}

// short takes as many bytes as an answer may have, and then refuses.
type short struct{ bytes.Buffer }

// Write implements io.Writer.
func (s *short) Write(p []byte) (int, error) {
	if s.Len()+len(p) > maxEcho {
		return 0, errTooLong
	}
	return s.Buffer.Write(p)
}
