package main

import (
	"fmt"
	"io"
	"syscall"
)

// isStream reports whether a writer is the stream DEVICE:INODE, as systemd
// names the journal's. The variable alone does not tell: whatever a service
// starts inherits it, also where its standard error is sent to a file.
func isStream(w io.Writer, stream string) bool {
	file := fileOf(w)
	if file == nil || stream == "" {
		return false
	}
	info, err := file.Stat()
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stream == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}
