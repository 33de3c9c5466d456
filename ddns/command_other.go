//go:build !unix

package ddns

import "os/exec"

// killAsGroup does nothing where there are no process groups: the command
// alone is killed.
func killAsGroup(*exec.Cmd) {}
