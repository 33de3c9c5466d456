//go:build man

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra/doc"
)

// With the tag man the program has one more command, `man DIR`, which writes its
// manual pages. It is built so to make packages only: what writes the pages is
// in no program that people run.
func init() {
	if len(os.Args) != 3 || os.Args[1] != "man" {
		return
	}
	if err := writeManual(os.Args[2]); err != nil {
		fmt.Fprintf(os.Stderr, "cfddns: the manual pages are not written: %v\n", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// writeManual writes cfddns(1) and one page for each command into a directory
// that is there.
func writeManual(dir string) error {
	root := newApp().root()
	root.DisableAutoGenTag = true // it would name the day on which they are written
	root.InitDefaultHelpCmd()
	day := released()
	header := &doc.GenManHeader{Section: "1", Date: &day, Source: "cfddns " + version(), Manual: "cfddns"}
	return doc.GenManTree(root, header, filepath.Clean(dir))
}
