//go:build !linux

package configs

// mountedReadOnly is not asked where there are no containers.
func mountedReadOnly(string) bool { return false }
