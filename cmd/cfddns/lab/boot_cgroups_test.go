//go:build linux

package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/needs"
)

// newCgroups makes a control group for a boot in each hierarchy, by the same
// name: a systemd takes the group that it is started in for its own, and two
// would meet there.
func newCgroups(t *testing.T) (groups []string) {
	t.Helper()
	name := fmt.Sprintf("cfddns-boot-%d-%s", os.Getpid(), strings.Map(plain, t.Name()))
	for _, parent := range ownCgroups(t) {
		group := filepath.Join(parent, name)
		needs.Kernel(t, "a control group of its own", os.Mkdir(group, 0o755))
		t.Cleanup(func() { removeCgroup(t, group) })
		groups = append(groups, group)
	}
	return groups
}

// plain leaves of a name what a directory may be called.
func plain(r rune) rune {
	if r == '/' || r == ':' || r == '\\' {
		return '_'
	}
	return r
}

// ownCgroups are the control groups that this process is in (cgroups(7)). A
// new one of cpuset takes no process, and systemd makes none.
func ownCgroups(t *testing.T) (groups []string) {
	t.Helper()
	table, err := os.ReadFile("/proc/self/cgroup")
	must(t, err)
	for line := range strings.Lines(string(table)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		hierarchy := strings.TrimPrefix(parts[1], "name=")
		roots := []string{hierarchy}
		if hierarchy == "" { // version 2, beside the others or alone
			roots = []string{"unified", ""}
		}
		for _, root := range roots {
			group := filepath.Join("/sys/fs/cgroup", root, parts[2])
			if _, err := os.Stat(filepath.Join(group, "cgroup.procs")); err == nil && hierarchy != "cpuset" {
				groups = append(groups, group)
				break
			}
		}
	}
	return groups
}

// removeCgroup removes a group and all below it. What ran in there is dead, but
// the kernel may take a moment to notice.
func removeCgroup(t *testing.T, group string) {
	var err error
	var below []string
	for patience := time.Now().Add(time.Minute); time.Now().Before(patience); <-time.After(20 * time.Millisecond) {
		_ = filepath.WalkDir(group, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				below = append(below, path)
			}
			return nil // it may be gone
		})
		for _, dir := range slices.Backward(below) {
			_ = os.Remove(dir) // the deepest first; the kernel keeps what is in use
		}
		if _, err = os.Stat(group); errors.Is(err, os.ErrNotExist) {
			return
		}
	}
	t.Errorf("the control group %s is still there", group)
}
