//go:build !linux

package main

// hideMemory does nothing here; see SECURITY.md for what a command may find.
func hideMemory() {}
