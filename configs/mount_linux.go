package configs

import "syscall"

// mountedReadOnly reports whether a file lies where nobody may write (statfs(2)).
func mountedReadOnly(path string) bool {
	var mount syscall.Statfs_t
	return syscall.Statfs(path, &mount) == nil && mount.Flags&syscall.MS_RDONLY != 0 // ST_RDONLY has the same value
}
