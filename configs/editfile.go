package configs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/cfddns/cfddns/ddns/files"
)

// editPatience is how long an edit waits for others.
const editPatience = 30 * time.Second

// EditFile makes the change to the file at path, in one step: the new file
// takes the place of the old one, which stays beside it under the name that is
// returned. Both keep the owner, the group and the mode of the old one. Edits wait
// for each other, and each reads what the one before it wrote. Nothing is written
// where nothing would change ("" is returned), or where the file, with what the
// environment says, would not then hold just what was meant.
func EditFile(path string, env []string, edit Edit, now time.Time) (backup string, err error) {
	if err := editable(path, env); err != nil {
		return "", err
	}
	real, err := files.Resolve(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, unreadable(err))
	}
	dir, err := files.Open(filepath.Dir(real))
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, unreadable(err))
	}
	defer dir.Close()
	name := filepath.Base(real)
	ctx, stop := context.WithTimeout(context.Background(), editPatience)
	defer stop()
	release, err := dir.Lock(ctx, name)
	if err != nil {
		return "", unchanged(real, err)
	}
	defer release()
	dir.Sweep(name, 0) // nobody else is at work on it, and what a kill left may hold a token
	old, err := dir.ReadNamed(name, maxFile)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, unreadable(err))
	}
	changed, err := edit.changed(real, old, env)
	if err != nil || bytes.Equal(changed, old.Data) {
		return "", err
	}
	return exchange(dir, name, old, changed, now)
}

// changed returns the text of the file as it should be, which can be read.
func (e Edit) changed(path string, old files.Named, env []string) ([]byte, error) {
	if len(old.Data) > maxFile {
		return nil, fmt.Errorf("%s: %w", path, wrongf("is larger than %d bytes; is it a configuration?", maxFile))
	}
	text, err := e.besideDefaults(path, old.Data, old.Mode, env).apply(old.Data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if bytes.Equal(text, old.Data) {
		return text, nil
	}
	if _, _, err := load(path, text, old.Mode, env); err != nil {
		return nil, fmt.Errorf("%s was not changed, since it could not be read then: %w", path, err)
	}
	return text, nil
}

// Replaceable reports why EditFile could put no other file in the place of a
// configuration; nil if nothing speaks against it. It says so before anything is
// changed that relies on the edit.
func Replaceable(path string) error {
	real, err := files.Resolve(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, unreadable(err))
	}
	dir, err := files.Open(filepath.Dir(real))
	if err != nil {
		return fmt.Errorf("%s: %w", path, unreadable(err))
	}
	defer dir.Close()
	name := filepath.Base(real)
	old, err := dir.ReadNamed(name, maxFile)
	if err == nil {
		err = dir.Keepable(name, old)
	}
	if err == nil {
		err = dir.Writable(name)
	}
	if err != nil {
		return unchanged(real, err)
	}
	return nil
}

// unchanged says why a file cannot be changed, and what to do.
func unchanged(path string, err error) error {
	dir := filepath.Dir(path)
	do := ""
	switch foreign, isForeign := errors.AsType[*files.Foreign](err); {
	case isForeign:
		do = ": " + foreign.Remedy()
	case errors.Is(err, files.ErrBusy):
		do = ": try again"
	case errors.Is(err, syscall.EBUSY):
		do = ": it is mounted by itself, so that no other file can take its place; mount its directory instead"
	case errors.Is(err, syscall.EROFS):
		do = ": " + dir + " is mounted read-only"
	case errors.Is(err, fs.ErrPermission):
		do = ": this user may not make files in " + dir
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		do = ": free space there"
	}
	return fmt.Errorf("%s cannot be changed: %w%s", path, plainCause(err), do)
}

// editable reports why the names of a configuration cannot be edited; nil if
// they can.
func editable(path string, env []string) error {
	switch format := strings.ToLower(filepath.Ext(path)); {
	case path == "":
		return wrong("there is no configuration file, only the environment")
	case environment(env)[prefix+"RECORDS"] != "":
		return wrong(prefix + "RECORDS lists the names, and the environment wins over the file")
	case format == ".json", format == ".toml":
		return wrongf("%s is no YAML, and only that can be edited without losing what else stands there", path)
	}
	return nil
}

// exchange puts a new file in the place of an old one, and keeps the old one
// beside it.
func exchange(dir *files.Dir, name string, old files.Named, changed []byte, now time.Time) (backup string, err error) {
	backup = dir.FreeName(now.UTC(), func(at time.Time) string {
		return name + ".bak-" + at.Format("20060102T150405.000Z")
	})
	err = dir.Keepable(name, old)
	if err == nil {
		err = dir.ReplaceLike(backup, old.Data, old)
	}
	if err == nil && !dir.Unchanged(name, old) {
		err = wrong("somebody else changed it at the same moment; try again")
	}
	if err == nil {
		err = dir.ReplaceLike(name, changed, old)
	}
	if err != nil {
		_ = dir.Remove(backup) // nothing changed, so that there is nothing to keep
		return "", unchanged(dir.Path(name), err)
	}
	return dir.Path(backup), nil
}

// plainCause is the reason without the names of temporary files, which nobody
// will find.
func plainCause(err error) error {
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number
	}
	return err
}
