package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// thief is a command source that looks for the token wherever a process of the
// same user may look.
const thief = `
{ echo "own environment"; env
  echo "its environment"; tr '\0' '\n' </proc/$PPID/environ
  echo "its files"; ls -l /proc/$PPID/fd
  echo "its memory"; while read -r range rest; do
    case $rest in rw-p*) ;; *) continue ;; esac
    from=$((0x${range%%-*})) to=$((0x${range##*-}))
    dd if=/proc/$PPID/mem bs=4096 skip=$((from / 4096)) count=$(((to - from) / 4096)) 2>/dev/null
  done </proc/$PPID/maps
} >found.$CFDDNS_FAMILY 2>&1
echo 45.67.89.10
`

// otherUser gives a command a user that is not root, whose files may be in dir.
func otherUser(t *testing.T, child *exec.Cmd, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return // this one will do
	}
	const nobody = 65534
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, nobody, nobody))
	})
	if err != nil {
		t.Fatal(err)
	}
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

// ownProgram copies the program to a directory that another user can reach.
func ownProgram(t *testing.T) (dir, program string) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "cfddns")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	program = filepath.Join(dir, "cfddns") // by which name the test binary is the program
	content, err := os.ReadFile(os.Args[0])
	if err = errors.Join(err, os.Chmod(dir, 0o755), os.WriteFile(program, content, 0o755)); err != nil { //nolint:gosec // somebody else runs it
		t.Fatal(err)
	}
	return dir, program
}

func TestACommandFindsNoToken(t *testing.T) {
	dir, program := ownProgram(t)
	script, config := filepath.Join(dir, "thief"), filepath.Join(dir, "c.yaml")
	err := errors.Join(os.WriteFile(script, []byte(thief), 0o600), os.WriteFile(config, []byte(
		"ip:\n  sources: [{command: [/bin/sh, "+script+"], operator: me}]\n  quorum: 1\n"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(program, "ip", "--config", config)
	child.Dir = dir
	child.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + dir, "CLOUDFLARE_API_TOKEN=" + scriptToken, "CFDDNS_RECORDS=home.example.com", "SEEN=yes"}
	otherUser(t, child, dir)
	output, err := child.CombinedOutput()
	if !strings.Contains(string(output), "agreed  45.67.89.10") {
		t.Fatalf("%s, %v", output, err)
	}
	content, err := os.ReadFile(filepath.Join(dir, "found.ipv4"))
	if err != nil {
		t.Fatal(err)
	}
	found := string(content)
	if !strings.Contains(found, "SEEN=yes") || !strings.Contains(found, "its memory") {
		t.Errorf("the thief looked at nothing: %.500q", found)
	}
	if before, _, there := strings.Cut(found, scriptToken); there {
		t.Errorf("the thief found the token after %.100q", before[max(len(before)-100, 0):])
	}
	for _, closed := range []string{"/environ: Permission denied", "/maps: Permission denied"} {
		if !strings.Contains(found, closed) {
			t.Errorf("the thief was not told %q: %.500q", closed, found)
		}
	}
}
