package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"
)

// writeNotices writes the licences of everything the program was linked from;
// most of them ask to go along with the binary.
func writeNotices(path string, p program) error {
	var text bytes.Buffer
	fmt.Fprintf(&text, "cfddns %s is licensed under the Apache License 2.0, and linked from what follows.\n", p.version)
	root, err := goOutput("env", "GOROOT")
	if err != nil {
		return err
	}
	if err := notice(&text, "the Go standard library "+p.goVersion(), root); err != nil {
		return err
	}
	for _, m := range p.modules {
		dir, err := source(m)
		if err != nil {
			return err
		}
		if err := notice(&text, m.Path+" "+m.Version, dir); err != nil {
			return err
		}
	}
	return os.WriteFile(path, text.Bytes(), 0o644)
}

// source is where the files of a module lie.
func source(m *debug.Module) (string, error) {
	return goOutput("list", "-m", "-f", "{{.Dir}}", m.Path)
}

// notice adds the licences in a directory. A module without one must not be in
// a package.
func notice(text *bytes.Buffer, name, dir string) error {
	found, err := licences(dir)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("%s has no licence in %s: it may not be passed on", name, dir)
	}
	fmt.Fprintf(text, "\n%s\n%s\n%s\n", strings.Repeat("=", 72), name, strings.Repeat("=", 72))
	for _, file := range found {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		text.WriteByte('\n')
		text.Write(bytes.TrimRight(content, "\n\t "))
		text.WriteByte('\n')
	}
	return nil
}

// licences are the files of a directory that hold its terms, sorted by name.
func licences(dir string) (found []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		name := strings.ToUpper(entry.Name())
		for _, start := range []string{"LICENSE", "LICENCE", "COPYING", "NOTICE", "PATENTS"} {
			if strings.HasPrefix(name, start) && entry.Type().IsRegular() {
				found = append(found, filepath.Join(dir, entry.Name()))
			}
		}
	}
	return found, err
}

// goOutput is what the go tool answers in the directory of the program's module.
func goOutput(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "go", args...)
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(output)), nil
}
