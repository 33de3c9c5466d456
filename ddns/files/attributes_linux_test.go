package files

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cfddns/cfddns/needs"
)

// readableBy is an access list that lets one user read, and gives the owner all
// (acl(5); its form is that of linux/posix_acl_xattr.h).
func readableBy(uid uint32) []byte {
	list := binary.LittleEndian.AppendUint32(nil, 2)
	for _, entry := range []struct {
		tag, perm uint16
		id        uint32
	}{{1, 6, ^uint32(0)}, {2, 4, uid}, {4, 0, ^uint32(0)}, {0x10, 4, ^uint32(0)}, {0x20, 0, ^uint32(0)}} {
		list = binary.LittleEndian.AppendUint16(list, entry.tag)
		list = binary.LittleEndian.AppendUint16(list, entry.perm)
		list = binary.LittleEndian.AppendUint32(list, entry.id)
	}
	return list
}

func TestWhatTakesAFilesPlaceKeepsItsAccessList(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	steps(t, os.WriteFile(path, []byte("old"), 0o600))
	list := readableBy(third)
	needs.Kernel(t, "access lists", unix.Setxattr(path, accessList, list, 0))
	d, err := Open(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	old, err := d.ReadNamed("file", 100)
	steps(t, err, d.ReplaceLike("file", []byte("new"), old))
	got := make([]byte, 1000)
	n, err := unix.Getxattr(path, accessList, got)
	if err != nil || !bytes.Equal(got[:n], list) {
		t.Errorf("the list is %x, %v; want %x", got[:max(n, 0)], err, list)
	}
	is(t, path, "new", 0o640) // the group's bits show the mask
}

// TestAFileThatIsMountedByItselfIsKnown is of a container that was given a
// single file: nothing can take its place.
func TestAFileThatIsMountedByItselfIsKnown(t *testing.T) {
	needs.Root(t)
	dir := t.TempDir()
	source, target := filepath.Join(dir, "source"), filepath.Join(dir, "target")
	steps(t, os.WriteFile(source, nil, 0o600), os.WriteFile(target, nil, 0o600))
	needs.Kernel(t, "a mount", unix.Mount(source, target, "", unix.MS_BIND, ""))
	defer func() { steps(t, unix.Unmount(target, unix.MNT_DETACH)) }()
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for name, want := range map[string]bool{"source": false, "target": true} {
		old, err := d.ReadNamed(name, 1)
		steps(t, err)
		if err := d.Keepable(name, old); (err != nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	old, err := d.ReadNamed("target", 1)
	steps(t, err)
	if err := d.ReplaceLike("target", nil, old); !errors.Is(err, unix.EBUSY) {
		t.Errorf("what cannot be replaced says %v", err)
	}
}
