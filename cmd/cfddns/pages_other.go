//go:build !linux

package main

import "runtime/debug"

// rest gives back the heap that only a round needed.
func rest() { debug.FreeOSMemory() }
