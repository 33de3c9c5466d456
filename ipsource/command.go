package ipsource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/cfddns/cfddns/ddns"
)

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
	run := ddns.Command(ctx, c.args, "CFDDNS_FAMILY="+family.String())
	run.Stdout = &output
	err := run.Run()
	switch {
	case output.refused:
		return netip.Addr{}, fmt.Errorf("%s printed more than %d bytes, not an address", c.name(), maxEcho)
	case ctx.Err() != nil:
		return netip.Addr{}, fmt.Errorf("%s was killed: %w", c.name(), ctx.Err())
	case err != nil:
		return netip.Addr{}, fmt.Errorf("%s: %w; run it by hand to see why", c.name(), err)
	}
	return parseOutput(output.taken.Bytes(), c.name(), family)
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

// short takes as many bytes as an answer may have, and then refuses. It hides
// the buffer's ReadFrom, which would take all there is.
type short struct {
	taken   bytes.Buffer
	refused bool
}

// Write implements io.Writer.
func (s *short) Write(p []byte) (int, error) {
	if s.taken.Len()+len(p) > maxEcho {
		s.refused = true
		return 0, errTooLong
	}
	return s.taken.Write(p)
}
