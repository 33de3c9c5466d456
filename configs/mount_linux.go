package configs

import "syscall"

// mountedReadOnly reports whether a file lies on a mount of its own, where nobody
// may write (statfs(2)). A root directory that is read-only as a whole, as a
// service has it (ProtectSystem= in systemd.exec(5)), says nothing of the file.
func mountedReadOnly(path, root string) bool {
	var mount syscall.Statfs_t
	var file, top syscall.Stat_t
	return syscall.Statfs(path, &mount) == nil && mount.Flags&syscall.MS_RDONLY != 0 && // ST_RDONLY has the same value
		syscall.Stat(path, &file) == nil && syscall.Stat(root, &top) == nil && file.Dev != top.Dev
}
