//go:build !linux

package ipsource

import (
	"context"
	"errors"
	"fmt"

	"github.com/cfddns/cfddns/ddns"
)

// Watch is for Linux: elsewhere the probe alone finds a change.
func (c Changes) Watch(context.Context, func(ddns.Hint)) error {
	return fmt.Errorf("changes of addresses are heard of on Linux only: %w", errors.ErrUnsupported)
}
