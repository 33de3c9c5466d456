//go:build !linux

package main

import "io"

// isStream reports whether a writer is the journal's; there is none here.
func isStream(io.Writer, string) bool { return false }
