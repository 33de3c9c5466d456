// Command inventory tells what a Go program was linked from, as the program
// itself says: a software bill of materials in CycloneDX, and the licences of
// all modules in one text. It is a module of its own, so that what it needs is
// no dependency of the program.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
)

func main() {
	version := flag.String("version", "", "the `VERSION` that the program is packaged as")
	sbom := flag.String("sbom", "", "write the bill of materials to `FILE`")
	notices := flag.String("notices", "", "write the licences to `FILE`")
	flag.Parse()
	if err := run(flag.Arg(0), *version, *sbom, *notices); err != nil {
		fmt.Fprintf(os.Stderr, "inventory: %v\n", err)
		os.Exit(1)
	}
}

func run(path, version, sbom, notices string) error {
	p, err := read(path, version)
	if err != nil {
		return err
	}
	if err := writeSBOM(sbom, p); err != nil {
		return err
	}
	return writeNotices(notices, p)
}

// A program is what a file says of itself.
type program struct {
	version  string
	sum      [sha256.Size]byte
	info     *buildinfo.BuildInfo
	modules  []*debug.Module // without its own
	platform string
}

func read(path, version string) (program, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return program{}, err
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return program{}, fmt.Errorf("%s does not say what it was linked from: %w", path, err)
	}
	p := program{version: version, sum: sha256.Sum256(content), info: info}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		p.modules = append(p.modules, m)
	}
	p.platform = p.setting("GOOS") + "/" + p.setting("GOARCH")
	return p, nil
}

// setting is one of the settings that the program was built with.
func (p program) setting(key string) string {
	for _, s := range p.info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// goVersion is the version of the standard library: 1.26.8.
func (p program) goVersion() string { return strings.TrimPrefix(p.info.GoVersion, "go") }

func (p program) digest() string { return hex.EncodeToString(p.sum[:]) }
