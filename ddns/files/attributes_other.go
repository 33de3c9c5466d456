//go:build !linux

package files

import "os"

// attributes are what a file has beside its mode; here they are not carried over.
func attributes(*os.File) []attribute { return nil }

func setAttributes(*os.File, []attribute) error { return nil }

// mounted reports whether a file is a mount of its own, which only Linux knows.
func mounted(*Dir, string) bool { return false }
