package files

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// accessList is the attribute that holds an access list (acl(5)).
const accessList = "system.posix_acl_access"

// attributes are what a file has beside its mode (xattr(7)): its access list,
// its label, and what a person attached. What cannot be read is not there.
func attributes(f *os.File) (list []attribute) {
	names := make([]byte, 64<<10) // the most that Linux allows
	n, err := unix.Flistxattr(int(f.Fd()), names)
	if err != nil {
		return nil
	}
	for _, name := range strings.Split(strings.TrimRight(string(names[:n]), "\x00"), "\x00") {
		if name != accessList && name != "security.selinux" && !strings.HasPrefix(name, "user.") {
			continue
		}
		value := make([]byte, 64<<10)
		if n, err := unix.Fgetxattr(int(f.Fd()), name, value); err == nil {
			list = append(list, attribute{name, value[:n]})
		}
	}
	return list
}

// setAttributes gives a file what another has. Only without its access list
// would somebody be locked out.
func setAttributes(f *os.File, list []attribute) error {
	for _, a := range list {
		err := unix.Fsetxattr(int(f.Fd()), a.name, a.value, 0)
		if err != nil && a.name == accessList {
			return fmt.Errorf("its access list (getfacl shows it) could not be kept: %w", err)
		}
	}
	return nil
}

// mounted reports whether a file is a mount of its own, as where a container is
// given a single file (statx(2)). Old kernels do not say.
func mounted(d *Dir, name string) bool {
	at, err := d.root.Open(".")
	if err != nil {
		return false
	}
	defer at.Close() // it was only asked
	var x unix.Statx_t
	err = unix.Statx(int(at.Fd()), name, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS, &x)
	return err == nil && x.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 &&
		x.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}
