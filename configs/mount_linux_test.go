package configs

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/cfddns/cfddns/needs"
)

func TestASecretThatIsMountedReadOnlyMayBeReadByAll(t *testing.T) {
	dir := t.TempDir()
	needs.Kernel(t, "a mount", syscall.Mount("none", dir, "tmpfs", 0, "size=64k"))
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	file := filepath.Join(dir, "token")
	if err := os.WriteFile(file, []byte("token"), 0o644); err != nil {
		t.Fatal(err)
	}
	if readByAll("TOKEN", file, 0o644) == "" {
		t.Error("no warning, though its owner could change the mode")
	}
	if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if mountedReadOnly(file, dir) {
		t.Error("where the whole root is read-only, as in our service, its owner can still change the mode from outside")
	}
	if warning := readByAll("TOKEN", file, 0o644); warning != "" {
		t.Errorf("warns of what nobody could change: %s", warning)
	}
}
