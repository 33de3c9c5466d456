//go:build !linux

package configs

// mountedReadOnly is not asked where there are no containers.
func mountedReadOnly(_, _ string) bool { return false }
